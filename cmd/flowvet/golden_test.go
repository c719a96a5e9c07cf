package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden reports anew")

// TestGoldenReports judges each capture of testdata/pcaps with its inventory and wants the report beside it, the exit
// status in its last line. The clock is fixed and the width that of a pipe, so that a report depends on nothing else.
func TestGoldenReports(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcaps", "*", "capture.pcap*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, file := range folders {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Chdir(folder)
			t.Setenv("COLUMNS", "")
			got := transcript(t, append([]string{
				"check", filepath.Base(file), "--inventory", "inventory.yaml", "--as-of", "2015-10-21T12:00:00Z",
			}, extraArgs(t)...)...)
			keepGolden(t, "report.golden", got)
		})
	}
}

// TestGoldenOpenings compares the firewalls that stand beside a capture with what it shows.
func TestGoldenOpenings(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", "testdata", "pcaps", "vmotion"))
	t.Setenv("COLUMNS", "")
	keepGolden(t, "openings.golden", transcript(t,
		"openings", "capture.pcapng", "--firewall", "firewall.json", "--inventory", "inventory.yaml", "--sees", "10.20.0.0/16", "--verbose"))
}

// extraArgs returns what the folder's args file adds to the command line.
func extraArgs(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("args")
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

// transcript runs flowvet and returns what it printed, with its exit status.
func transcript(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status := run(args, strings.NewReader(""), &stdout, &stderr)
	if stderr.Len() > 0 {
		t.Errorf("standard error: %s", stderr.String())
	}
	return fmt.Sprintf("%s[exit status %d]\n", stdout.String(), status)
}

// keepGolden holds what was printed to a file, or writes the file.
func keepGolden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v: run the test with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}
