package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWiresharkShowsTheEvidence judges all genuine captures at once and reads the evidence with tshark: each comment names a
// finding, and the finding's display filter shows the packets that are commented so.
func TestWiresharkShowsTheEvidence(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark: not on this machine")
	}
	folder := filepath.Join("..", "..", "testdata", "pcaps", "real")
	file := filepath.Join(t.TempDir(), "evidence.pcapng")
	var stdout, stderr bytes.Buffer
	run([]string{"check", folder, "--inventory", filepath.Join(folder, "inventory.yaml"), "--json", "-q", "--evidence", file}, nil, &stdout, &stderr)
	if stderr.Len() > 0 {
		t.Fatal(stderr.String())
	}
	filters, open := filtersOf(t, &stdout)
	packets := commented(t, file)
	for id, numbers := range packets {
		seen := tshark(t, file, "-Y", filters[id], "-T", "fields", "-e", "frame.number")
		for _, n := range numbers {
			if !slices.Contains(seen, n) {
				t.Errorf("%s: the filter %q does not show packet %s", id, filters[id], n)
			}
		}
	}
	for _, id := range open {
		if len(packets[id]) == 0 {
			t.Errorf("%s: no packet is shown", id)
		}
	}
	if len(open) == 0 {
		t.Error("there is no finding to show packets of")
	}
}

// filtersOf returns the display filters of all findings by id, and the ids of those that evidence is kept of.
func filtersOf(t *testing.T, report io.Reader) (filters map[string]string, open []string) {
	t.Helper()
	var r struct {
		Findings []struct {
			ID, Bucket, Filter string
		}
	}
	if err := json.NewDecoder(report).Decode(&r); err != nil {
		t.Fatal(err)
	}
	filters = map[string]string{}
	for _, f := range r.Findings {
		filters[f.ID] = f.Filter
		if f.Bucket == "undocumented" || f.Bucket == "indeterminate" {
			open = append(open, f.ID)
		}
	}
	return filters, open
}

// commented returns the numbers of the packets whose comment names a finding, by its id.
func commented(t *testing.T, file string) map[string][]string {
	t.Helper()
	packets := map[string][]string{}
	for _, line := range tshark(t, file, "-T", "fields", "-e", "frame.number", "-e", "frame.comment") {
		number, comment, _ := strings.Cut(line, "\t")
		id, ok := strings.CutPrefix(comment, "flowvet ")
		if !ok {
			t.Errorf("packet %s has the comment %q", number, comment)
		}
		id, _, _ = strings.Cut(id, ":")
		packets[id] = append(packets[id], number)
	}
	return packets
}

// tshark returns the lines that it prints of a capture.
func tshark(t *testing.T, file string, args ...string) []string {
	t.Helper()
	out, err := exec.Command("tshark", append([]string{"-n", "-r", file}, args...)...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n")
}
