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

// TestTheLabHoldsASite names what a quarter of an hour of a site must show, each by a conversation.
func TestTheLabHoldsASite(t *testing.T) {
	folder := filepath.Join("..", "..", "testdata", "pcaps", "sites", "lab")
	data, err := os.ReadFile(filepath.Join(folder, "capture.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	lab := judgeFile(t, data, "--inventory", filepath.Join(folder, "inventory.yaml"))
	shown := lab.conversations()
	for _, part := range []struct{ what, conversation string }{
		{"heartbeat of the first ESX 4.1", "10.20.0.11 > 10.20.0.5 902/udp"},
		{"heartbeat of the second ESX 4.1", "10.20.0.12 > 10.20.0.5 902/udp"},
		{"heartbeat of the ESXi 3.5", "10.20.0.13 > 10.20.0.5 902/udp"},
		{"Update Manager on vCenter's Windows box", "10.20.0.11 > 10.20.0.5 9084/tcp"},
		{"SQL on the same box, asked by an unknown client", "10.20.7.77 > 10.20.0.5 1433/tcp"},
		{"Active Directory", "10.20.0.5 > 10.20.0.53 445/tcp"},
		{"DNS", "10.20.0.11 > 10.20.0.53 53/udp"},
		{"NTP", "10.20.0.11 > 10.20.0.123 123/udp"},
		{"NFS", "10.20.2.11 > 10.20.2.50 2049/tcp"},
		{"iSCSI", "10.20.2.11 > 10.20.2.60 3260/tcp"},
		{"syslog", "10.20.0.11 > 10.20.0.14 514/udp"},
		{"the first administrator", "10.20.9.21 > 10.20.0.5 443/tcp"},
		{"the second administrator", "10.20.9.22 > 10.20.0.12 22/tcp"},
		{"a rogue telnet", "203.0.113.99 > 10.20.0.11 23/tcp"},
		{"the log of a protected pair", "10.20.3.11 > 10.20.3.12 8100/tcp"},
		{"NetBIOS broadcasts", "10.20.0.5 > 10.20.0.255 138/udp"},
		{"SLP multicast", "10.20.0.11 > 239.255.255.253 427/udp"},
	} {
		if _, found := shown[part.conversation]; !found {
			t.Errorf("%s: %s is not in the lab", part.what, part.conversation)
		}
	}
	if lab.Stats.Ignored["icmp"] == 0 {
		t.Errorf("no ICMP: %v", lab.Stats.Ignored)
	}
	if len(lab.OutOfScope) == 0 || lab.OutOfScope[0].Port != 67 {
		t.Errorf("no DHCP, which is nobody's of VMware: %v", lab.OutOfScope)
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
