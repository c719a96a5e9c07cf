package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTheTableOfFaultsNamesTests wants each test that docs/reliability.md names to be in the package that it names, and each
// test that is called after a fault to be in the table.
func TestTheTableOfFaultsNamesTests(t *testing.T) {
	text := page(t, "docs/reliability.md")
	named := regexp.MustCompile("(?:([a-z/]+): )?`(Test[A-Za-z0-9]+|Fuzz[A-Za-z]+)`")
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	all := map[string]string{} // declarations by package
	for _, folder := range []string{"capture", "capture/capturetest", "capture/filter", "catalog", "cmd/flowvet", "inventory", "live", "match", "report"} {
		files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), "*_test.go"))
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
