package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// plantedFaults are what is wrong in the lab: a telnet from outside, and an unknown client of vCenter's database.
var plantedFaults = []string{
	"10.20.7.77 > 10.20.0.5 1433/tcp unknown-endpoint",
	"203.0.113.99 > 10.20.0.11 23/tcp unlisted-port",
}

// TestTheLab judges a quarter of an hour of a whole site. By the document alone its gaps are findings beside the planted
// faults; with the addendum only the planted faults are left.
func TestTheLab(t *testing.T) {
	t.Chdir(filepath.Join("..", "..", "testdata", "pcaps", "sites", "lab"))
	t.Setenv("COLUMNS", "")
	args := []string{"check", "capture.pcapng", "--inventory", "inventory.yaml", "--as-of", "2015-10-21T12:00:00Z"}
	keepGolden(t, "report.golden", transcript(t, args...))
	keepGolden(t, "report-addendum.golden", transcript(t, append(args, "--catalog", "addendum")...))

	data, err := os.ReadFile("capture.pcapng")
	if err != nil {
		t.Fatal(err)
	}
	plain := faultsOf(judgeFile(t, data, "--inventory", "inventory.yaml"))
	for _, fault := range plantedFaults {
		if !slices.Contains(plain, fault) {
			t.Errorf("without the addendum: %s is not found", fault)
		}
	}
	if len(plain) < 20 {
		t.Errorf("without the addendum: %d findings, want the document's gaps as well", len(plain))
	}
	if got := faultsOf(judgeFile(t, data, "--inventory", "inventory.yaml", "--catalog", "addendum")); !slices.Equal(got, plantedFaults) {
		t.Errorf("with the addendum: got %q, want the planted faults alone", got)
	}
}

// faultsOf lists the undocumented conversations with their verdicts, sorted.
func faultsOf(j *judged) []string {
	var faults []string
	for _, f := range j.Findings {
		if f.Bucket == "undocumented" {
			faults = append(faults, fmt.Sprintf("%s > %s %d/%s %s", f.Initiator.Address, f.Responder.Address, f.Port, f.Transport, f.Verdict))
		}
	}
	slices.Sort(faults)
	return faults
}
