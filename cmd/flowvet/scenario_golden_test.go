package main

import (
	"path/filepath"
	"strings"
	"testing"

	"flowvet/report"
)

// TestScenarioReportsInEveryFormat judges a vMotion that fails in two lines, and wants the report beside its capture in every
// format. The report package holds those that have a schema against it.
func TestScenarioReportsInEveryFormat(t *testing.T) {
	t.Chdir(filepath.Join(scenarioFolder, "vmotion"))
	t.Setenv("COLUMNS", "")
	for _, format := range report.Names() {
		t.Run(format, func(t *testing.T) {
			got := transcript(t, "check", "heartbeat-gap.pcap.gz", "--inventory", "inventory.yaml", "--scenario", "vmotion",
				"--as-of", "2015-10-21T12:00:00Z", "--format", format, "-q")
			const status = "[exit status 1]\n"
			if got[len(got)-len(status):] != status {
				t.Errorf("it ends with %q", got[len(got)-len(status):])
			}
			keepGolden(t, filepath.Join("reports", "heartbeat-gap."+format), got[:len(got)-len(status)])
		})
	}
}

// TestEveryFormatSaysWhatIsUnofficial judges a vMotion of ESXi 7 by a catalogue that is not the vendor's document.
func TestEveryFormatSaysWhatIsUnofficial(t *testing.T) {
	t.Chdir(filepath.Join(scenarioFolder, "vmotion"))
	for _, format := range report.Names() {
		got := transcript(t, "check", "vsphere7-pass.pcap.gz", "--inventory", "inventory-7.yaml", "--catalog", "vsphere7",
			"--scenario", "vmotion", "--format", format, "-q")
		if !strings.Contains(got, "unofficial") || !strings.Contains(got, "V7-003") {
			t.Errorf("%s: V7-003, by which the vMotion is judged, is not said to be unofficial", format)
		}
	}
}
