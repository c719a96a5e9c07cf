package inventory

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flowvet/catalog"
)

// addExports adds the examples of other programs' files to a fuzz target's seeds.
func addExports(f *testing.F, patterns ...string) {
	f.Helper()
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join("testdata", "imports", pattern))
		if err != nil || len(paths) == 0 {
			f.Fatal(pattern, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// fuzzImport imports whatever a file holds, into nothing and into an inventory: what comes of it reads back, an import once
// more adds nothing, and what stood there stands there still.
func fuzzImport(t *testing.T, format Format, data []byte) {
	c := catalog.Default()
	s, err := ReadSource("file", data, SourceOptions{Format: format, Groups: map[string]string{"esx": "ESX 4.1", "dns": "dns-server"}}, c)
	if err != nil {
		oneLineEach(t, err)
		return
	}
	const base = "# ours\nmachines:\n  - {name: esx01, addresses: [10.20.0.11]} # first\n  - name: dns01\n    addresses:\n      - 10.20.0.53\n"
	for _, before := range []string{"", base} {
		m, err := Merge("lab.yaml", []byte(before), []*Source{s}, c)
		if err != nil {
			oneLineEach(t, err)
			continue
		}
		if _, err := Parse("lab.yaml", m.Text, c); err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, m.Text)
		}
		for line := range strings.Lines(before) {
			if strings.HasPrefix(line, "#") && !bytes.Contains(m.Text, []byte(line)) {
				t.Fatalf("%q is gone:\n%s", line, m.Text)
			}
		}
		for _, conflict := range m.Conflicts {
			if strings.ContainsAny(conflict.String(), "\n\r\x1b") {
				t.Errorf("a contradiction is several lines, or not escaped: %q", conflict)
			}
		}
		again, err := Merge("lab.yaml", m.Text, []*Source{s}, c)
		if err != nil || !bytes.Equal(again.Text, m.Text) {
			t.Fatalf("imported once more: %v\nbefore\n%s\nafter\n%s", err, m.Text, again.Text)
		}
	}
}

// oneLineEach wants every problem to be one line that says where.
func oneLineEach(t *testing.T, err error) {
	t.Helper()
	for line := range strings.Lines(err.Error()) {
		if !strings.HasPrefix(line, "file:") && !strings.HasPrefix(line, "lab.yaml:") || strings.Contains(line, "\x1b") {
			t.Errorf("got the problem %q", line)
		}
	}
}

func FuzzImportCSV(f *testing.F) {
	f.Add([]byte("name,address,products,cluster,managed-by,plane,roles,uses,managed\nesx01,10.20.0.11,ESX 4.1,prod,vc,mgmt,,dns;-ha,\nvc,10.20.0.5,vCenter,,,,,,\n"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzImport(t, FormatCSV, data) })
}

func FuzzImportRVTools(f *testing.F) {
	addExports(f, "RVTools_tab*.csv")
	f.Fuzz(func(t *testing.T, data []byte) { fuzzImport(t, FormatRVTools, data) })
}

func FuzzImportWorkbook(f *testing.F) {
	addExports(f, "*.xlsx")
	f.Fuzz(func(t *testing.T, data []byte) {
		if isWorkbook(data) {
			fuzzImport(t, FormatRVTools, data)
		}
	})
}

func FuzzImportHosts(f *testing.F) {
	addExports(f, "hosts")
	f.Add([]byte("10.0.0.1 a b # c\nfd00::1 a\n10.0.0.1 c\n127.0.0.1 localhost\n10.20.0.11 esx01.lab host-10.20.0.53\n"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzImport(t, FormatHosts, data) })
}

func FuzzImportAnsible(f *testing.F) {
	addExports(f, "ansible.*")
	f.Add([]byte("[esx:children]\nesx\n[esx]\n10.0.0.[1:9:2]\na[a:c][1:2] ansible_host='10.0.0.99' # x\n[::1]:22\n"))
	f.Fuzz(func(t *testing.T, data []byte) { fuzzImport(t, FormatAnsible, data) })
}
