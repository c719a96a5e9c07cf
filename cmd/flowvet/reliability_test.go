package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTheTableOfFaultsNamesTests wants each test that docs/reliability.md names to be in the package that it names, and each
// test that is called after a fault to be in the table.
func TestTheTableOfFaultsNamesTests(t *testing.T) {
	text := page(t, "docs/reliability.md")
	named := regexp.MustCompile("(?:([a-z/]+): )?`((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)`")
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	all := map[string]string{} // declarations by package
	for _, folder := range []string{
		"flowvet", "capture", "capture/capturetest", "capture/filter", "capture/flowrecord", "catalog", "cmd/flowvet", "confine", "evidence", "inventory",
		"inventory/xlsx", "live", "live/alert", "live/evidence", "live/metrics", "match", "report", "rules/firewall", "safejson",
	} {
		files, err := filepath.Glob(filepath.Join("..", "..", strings.TrimPrefix(filepath.FromSlash(folder), "flowvet"), "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no tests (%v)", folder, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declared.FindAllStringSubmatch(string(data), -1) {
				all[folder] += m[1] + "\n"
				if strings.HasPrefix(m[1], "TestFault") && !strings.Contains(text, "`"+m[1]+"`") {
					t.Errorf("%s: %s is not in the table", folder, m[1])
				}
			}
		}
	}
	rows := 0
	for line := range strings.Lines(text) {
		folder := ""
		for _, m := range named.FindAllStringSubmatch(line, -1) {
			if m[1] != "" {
				folder = m[1]
			}
			if rows++; !strings.Contains(all[folder], m[2]+"\n") {
				t.Errorf("%q has no %s", folder, m[2])
			}
		}
	}
	if rows < 40 {
		t.Errorf("%d tests are named, want 40 at least", rows)
	}
}

// TestTheTableOfFaultsIsComplete wants a row for each fault of files, packets, state, time, configuration and output, and for
// each trap of the packet library.
func TestTheTableOfFaultsIsComplete(t *testing.T) {
	rows := map[string]bool{}
	first := regexp.MustCompile(`(?m)^\| ((?:[RDS]?\d+(?:, )?)+)`)
	for _, m := range first.FindAllStringSubmatch(page(t, "docs/reliability.md"), -1) {
		for _, number := range strings.Split(strings.TrimSuffix(m[1], ", "), ", ") {
			rows[number] = true
		}
	}
	var want []string
	for _, group := range []struct {
		prefix      string
		first, last int
	}{{"", 1, 24}, {"", 38, 38}, {"", 40, 42}, {"", 45, 45}, {"R", 1, 16}, {"D", 1, 15}, {"S", 1, 8}} {
		for n := group.first; n <= group.last; n++ {
			want = append(want, group.prefix+strconv.Itoa(n))
		}
	}
	for _, number := range want {
		if !rows[number] {
			t.Errorf("%s has no row", number)
		}
	}
}
