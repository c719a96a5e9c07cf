package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// bomb is a YAML document that doubles itself 25 times.
func bomb() string {
	text := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'z'; c++ {
		text += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 9), ","))
	}
	return text
}

// utf16 writes text in UTF-16, little endian, with its mark.
func utf16(text string) string {
	b := []byte{0xff, 0xfe}
	for _, c := range []byte(text) {
		b = append(b, c, 0)
	}
	return string(b)
}

// TestFault40BrokenFilesOfTheUsers gives check 44 inventories, catalogues and exceptions that are broken. Each is refused
// before a packet is read, with file and line, in 2 s; what is only unusual is taken.
func TestFault40BrokenFilesOfTheUsers(t *testing.T) {
	const (
		host   = "machines:\n  - {name: a, products: [ESX 4.1], addresses: [10.20.0.11]}\n"
		header = "id,product,ports,transport,source,target\n"
		row    = "X1,ESX 4.x,8443,TCP,client-pc,hypervisor-host\n"
		accept = "exceptions:\n  - {id: A, selector: {src: 10.0.0.1, port: 23}, justification: j, owner: o, approver: a, created: 2015-01-01, expires: 2016-01-01}\n"
	)
	catalogs := func(ports string) string { return header + strings.Replace(row, "8443", ports, 1) }
	type input struct{ what, flag, text string }
	var bad []input
	for what, text := range map[string]string{
		"alias bomb": bomb(), "200,000 levels": strings.Repeat("[", 200_000), "200,000 levels of mappings": strings.Repeat("{a: ", 200_000),
		"larger than 4 MiB": strings.Repeat("#", 4<<20+1), "empty": "", "a BOM and nothing": "\ufeff", "UTF-16": utf16(host), "NUL": host + "\x00",
		"Latin-1": "machines:\n  - {name: b\xfcro}\n", "duplicate key": strings.Replace(host, "name: a", "name: a, name: b", 1),
		"unknown key": strings.Replace(host, "products", "product", 1), "tab": "machines:\n\t- name: a\n", "two documents": host + "---\n" + host,
		"merge key": host + "  - {<<: *a}\n", "prefix with host bits": host + "networks: [{prefix: 10.0.0.1/8, plane: mgmt}]\n",
		"port 0": host + "ports: {R285: 0}\n", "port 65536": host + "ports: {R285: 65536}\n", "a range as a port": host + "ports: {R285: 1-65535}\n",
	} {
		bad = append(bad, input{what, "--inventory", text})
	}
	for what, text := range map[string]string{
		"empty": "", "larger than 4 MiB": strings.Repeat("#", 4<<20+1), "UTF-16": utf16(header + row), "NUL": header + row + "\x00",
		"port 0": catalogs("0"), "port 65536": catalogs("65536"), "reversed range": catalogs("30-20"), "negative port": catalogs("-1"),
		"range over the end": catalogs("1-65536"), "unknown column": "idd,product\n", "column twice": "id," + header + "X," + row,
		"id twice": header + row + row, "unknown role": header + "X1,ESX 4.x,1,TCP,nobody,hypervisor-host\n",
		"open quote": header + "\"X1\n", "fields missing": header + "X1,ESX 4.x\n", "role that is its own ancestor": "# role: a is-a b\n# role: b is-a a\n" + header + row,
	} {
		bad = append(bad, input{what, "--catalog", text})
	}
	for what, text := range map[string]string{
		"empty": "", "alias bomb": bomb(), "200,000 levels": strings.Repeat("[", 200_000), "larger than 4 MiB": strings.Repeat("#", 4<<20+1),
		"UTF-16": utf16(accept), "port 0": strings.Replace(accept, "23", "0", 1), "port 65536": strings.Replace(accept, "23", "65536", 1),
		"reversed range": strings.Replace(accept, "23", "30-20", 1), "duplicate key": strings.Replace(accept, "owner: o", "owner: o, owner: p", 1),
		"unknown key": strings.Replace(accept, "owner", "ownr", 1),
	} {
		bad = append(bad, input{what, "--exceptions", text})
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("one.pcap", pcapOf(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	place := regexp.MustCompile(`^flowvet: broken\.(yaml|csv)(:\d+)?: .`)
	for _, in := range bad {
		path := "broken.yaml"
		if in.flag == "--catalog" {
			path = "broken.csv"
		}
		status, stderr, took := checkWith(t, in.flag, path, in.text)
		if status != statusUsage || !place.MatchString(stderr) {
			t.Errorf("%s %s: status %d, %.200q; want %d and file:line", in.flag, in.what, status, stderr, statusUsage)
		}
		if took > hang {
			t.Errorf("%s %s: refused after %v", in.flag, in.what, took)
		}
	}
	for _, good := range []input{
		{"a BOM", "--inventory", "\ufeff" + host},
		{"CRLF", "--inventory", strings.ReplaceAll(host, "\n", "\r\n")},
		{"a BOM and CRLF", "--catalog", "\ufeff" + strings.ReplaceAll(header+row, "\n", "\r\n")},
		{"every port", "--catalog", catalogs("1-65535")},
		{"rows that overlap", "--catalog", header + row + "X2,ESX 4.x,8000-9000,TCP,client-pc,hypervisor-host\n"},
		{"CRLF", "--exceptions", strings.ReplaceAll(accept, "\n", "\r\n")},
	} {
		path := "good.yaml"
		if good.flag == "--catalog" {
			path = "good.csv"
		}
		if status, stderr, _ := checkWith(t, good.flag, path, good.text); status == statusUsage {
			t.Errorf("%s with %s is refused: %s", good.flag, good.what, stderr)
		}
	}
	t.Logf("%d broken files refused", len(bad))
}

// hang is how long something may take on a machine that does other things besides; what it takes is logged, not tested.
const hang = time.Minute

// checkWith runs check with one file of the user's.
func checkWith(t *testing.T, flag, path, text string) (status int, stderr string, took time.Duration) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	start := time.Now()
	status = run([]string{"check", "one.pcap", flag, path}, strings.NewReader(""), io.Discard, &said)
	return status, said.String(), time.Since(start)
}

// TestFault41OutputsStayWhereTheyAreSent writes reports where a link or a name leads elsewhere: a symbolic link is replaced
// and not followed, a dangling one too, a report is its owner's only, and no name that comes from a capture or an
// inventory becomes a path.
func TestFault41OutputsStayWhereTheyAreSent(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making links needs a right on Windows")
	}
	lab, err := filepath.Abs(filepath.Join("testdata", "lab", "lab.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s := scenes(t)[0]
	t.Chdir(t.TempDir())
	for _, dir := range []string{"out", "elsewhere"} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const victim = "elsewhere/victim"
	for path, data := range map[string]string{victim: "mine", "capture.pcap": string(pcapOf(s.frames))} {
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	escapes := 0
	for what, target := range map[string]string{"a link": "../" + victim, "a dangling link": "../elsewhere/new", "a link to itself": "report"} {
		for _, args := range [][]string{
			{"check", "capture.pcap", "--inventory", lab, "-o", "out/report"},
			{"record", "capture.pcap", "-o", "out/report"},
			{"inventory", "suggest", "capture.pcap", "-o", "out/report"},
		} {
			os.Remove("out/report")
			if err := os.Symlink(target, "out/report"); err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			run(args, strings.NewReader(""), io.Discard, &stderr)
			if got, _ := os.ReadFile(victim); string(got) != "mine" {
				escapes++
				t.Errorf("%s %s: %s holds %.40q; %s", args[0], what, victim, got, stderr.String())
			}
			if entries, _ := os.ReadDir("elsewhere"); len(entries) != 1 {
				escapes++
				t.Errorf("%s %s: elsewhere holds %v; %s", args[0], what, entries, stderr.String())
			}
			if info, err := os.Lstat("out/report"); err == nil && info.Mode().IsRegular() && info.Mode().Perm() != 0o600 {
				t.Errorf("%s %s: mode %v, want 0600", args[0], what, info.Mode())
			}
		}
	}
	t.Logf("%d escapes", escapes)
}
