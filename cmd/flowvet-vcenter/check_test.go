package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/capture/capturetest"
)

// day is three minutes of a lab of 40 hosts as text: every host sends heartbeats but one, which speaks with the vCenter all
// the same; one vMotion runs where it should and one on the management network; a host reads from NFS; and somebody
// unknown speaks telnet.
func day() string {
	var b strings.Builder
	b.WriteString("start 2015-10-21T10:00:00Z\nhost vc 10.20.0.250\nhost nfs 10.20.3.200\nhost stranger 203.0.113.99\n")
	for n := 1; n <= 40; n++ {
		fmt.Fprintf(&b, "host m%d 10.20.0.%d\nhost v%d 10.20.1.%d\n", n, n, n, n)
		fmt.Fprintf(&b, "1 vc:%d > m%d:443/tcp session 2000 5000\n", 50000+n, n)
		if n != 7 {
			fmt.Fprintf(&b, "0..180/10 m%d:* > vc:902/udp 334\n", n)
		}
	}
	b.WriteString(`host s3 10.20.3.3
0   arp m1 > vc reply
30  v1:40001 > v2:8000/tcp session 1500000 200
60  m3:40002 > m4:8000/tcp session 1500000 200
5   s3:900 > nfs:2049/tcp session 400 90000
20  stranger:51000 > m9:23/tcp session 60 400
end 180
`)
	return b.String()
}

func TestFlowvetJudgesByWhatWasRead(t *testing.T) {
	if testing.Short() {
		t.Skip("builds flowvet")
	}
	folder := t.TempDir()
	flowvet := filepath.Join(folder, "flowvet.exe")
	if out, err := exec.Command("go", "build", "-o", flowvet, "flowvet/cmd/flowvet").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l := newLab(t, 13)
	inventory, firewalls := filepath.Join(folder, "lab.yaml"), filepath.Join(folder, "firewall.json")
	if status, _, errs := l.asked(t, labPassword, "--user", labUser, "--thumbprint", l.thumbprint(), "-o", inventory, "--firewall", firewalls); status != statusGood {
		t.Fatal(errs)
	}
	story, err := capturetest.Parse("day", day())
	if err != nil {
		t.Fatal(err)
	}
	capture := filepath.Join(folder, "day.pcap")
	if err := story.WriteFile(capture); err != nil {
		t.Fatal(err)
	}
	var report struct {
		Findings     []finding
		Expectations []struct{ Verdict, Level, Subject string }
	}
	judge(t, &report, flowvet, "check", capture, "--inventory", inventory)
	var got []string
	for _, e := range report.Expectations {
		if e.Verdict == "absent" {
			got = append(got, fmt.Sprintf("%s %s %s", e.Verdict, e.Level, e.Subject))
		}
	}
	got = append(got, summed(report.Findings)...)
	want := []string{
		"absent error DC0_C0_H3",
		"unlisted-port error 203.0.113.99 > 10.20.0.9 23/tcp insecure",
		"documented warning 10.20.0.3 > 10.20.0.4 8000/tcp other-plane",
		"documented pass x81",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	var compared struct {
		Hosts    int
		Findings []difference
	}
	judge(t, &compared, flowvet, "openings", capture, "--inventory", inventory, "--firewall", firewalls)
	wantUsed := []string{"out 2049/tcp at DC0_C0_H10", "in 23/tcp at DC0_C0_H5"}
	if diff := cmp.Diff(wantUsed, usedClosed(compared.Findings)); diff != "" || compared.Hosts != 40 {
		t.Errorf("%d hosts compared, used though closed:\n%s", compared.Hosts, diff)
	}
}

// finding is an element of findings in a report of check.
type finding struct {
	Verdict, Level, Transport string
	Port                      int
	Qualifiers                []string
	Initiator, Responder      struct{ Address string }
}

// difference is an element of findings in what openings writes.
type difference struct {
	Kind, Host string
	Services   []struct {
		Direction, Transport string
		Low                  int `json:"port_low"`
	}
}

// summed says how many findings are documented, and each of the others.
func summed(findings []finding) []string {
	var lines []string
	documented := 0
	for _, f := range findings {
		if f.Verdict == "documented" && f.Level == "pass" {
			documented++
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s %s > %s %d/%s %s", f.Verdict, f.Level, f.Initiator.Address, f.Responder.Address,
			f.Port, f.Transport, strings.Join(f.Qualifiers, " ")))
	}
	return append(lines, fmt.Sprintf("documented pass x%d", documented))
}

// usedClosed lists what was used though it is closed.
func usedClosed(differences []difference) []string {
	var lines []string
	for _, d := range differences {
		if d.Kind == "used-closed" {
			s := d.Services[0]
			lines = append(lines, fmt.Sprintf("%s %d/%s at %s", s.Direction, s.Low, s.Transport, d.Host))
		}
	}
	return lines
}

// judge runs flowvet, which is to find something, and reads its answer in JSON.
func judge(t *testing.T, answer any, flowvet, verb string, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	command := exec.Command(flowvet, append([]string{verb, "--quiet", "--json"}, args...)...)
	command.Stdout, command.Stderr = &out, &errs
	command.Env = append(os.Environ(), "FLOWVET_CONFIG=")
	var failed *exec.ExitError
	if err := command.Run(); !errors.As(err, &failed) || failed.ExitCode() != 1 {
		t.Fatalf("%v: %s", err, &errs)
	}
	if err := json.Unmarshal(out.Bytes(), answer); err != nil {
		t.Fatal(err)
	}
}
