package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// fence is a code block of a page: its language and its text.
var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// page reads a page from the root of the repository.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestReadmeShowsTheReportAsPrinted runs the README's first command in the root and wants its output on the page, but
// for the line that says when it was made.
func TestReadmeShowsTheReportAsPrinted(t *testing.T) {
	readme := page(t, "README.md")
	blocks := fence.FindAllStringSubmatchIndex(readme, -1)
	if len(blocks) < 2 {
		t.Fatalf("README.md: %d code blocks, want the commands and their report", len(blocks))
	}
	commands, report := readme[blocks[0][4]:blocks[0][5]], readme[blocks[1][4]:blocks[1][5]]
	args, ours := strings.CutPrefix(strings.SplitN(commands, "\n", 2)[0], "go run ./cmd/flowvet ")
	if !ours {
		t.Fatalf("README.md: the first command is %q", commands)
	}
	t.Chdir(filepath.Join("..", ".."))
	t.Setenv("COLUMNS", "")
	printed := transcript(t, append(strings.Fields(args), "--as-of", "2015-10-21T12:00:00Z")...)
	printed, _, _ = strings.Cut(printed, "[exit status")
	if *update {
		changed := readme[:blocks[1][4]] + printed + readme[blocks[1][5]:]
		if err := os.WriteFile("README.md", []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(report, printed); diff != "" {
		t.Errorf("README.md shows another report than is printed (-shown +printed); -update mends it:\n%s", diff)
	}
}

// TestExamplesOfThePagesAreAccepted parses every YAML example of the README and of docs/formats.md.
func TestExamplesOfThePagesAreAccepted(t *testing.T) {
	c := catalog.Default()
	for _, name := range []string{"README.md", "docs/formats.md"} {
		text := page(t, name)
		inv, err := inventory.Parse("lab.yaml", []byte(labInventory(t)), c)
		if err != nil {
			t.Fatal(err)
		}
		examples := 0
		for _, block := range fence.FindAllStringSubmatch(text, -1) {
			if block[1] != "yaml" {
				continue
			}
			examples++
			if strings.HasPrefix(block[2], "exceptions:") {
				_, err = match.ParseExceptions(name, []byte(block[2]), c, inv)
			} else {
				_, err = inventory.Parse("example.yaml", []byte(block[2]), c)
			}
			if err != nil {
				t.Errorf("%s: %v, in the example\n%s", name, err, block[2])
			}
		}
		if examples < 2 {
			t.Errorf("%s: %d examples in YAML, want an inventory and exceptions", name, examples)
		}
	}
}

// TestExampleOfAScenarioIsAccepted parses the example of docs/formats-scenarios.md.
func TestExampleOfAScenarioIsAccepted(t *testing.T) {
	for _, block := range fence.FindAllStringSubmatch(page(t, "docs/formats-scenarios.md"), -1) {
		if block[1] != "yaml" {
			continue
		}
		if _, err := catalog.Default().ParseScenario("example.yaml", []byte(block[2])); err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("docs/formats-scenarios.md has no example in YAML")
}

// labInventory returns the inventory that the scripts use.
func labInventory(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "lab", "lab.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
