package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFault35NobodyReads closes standard output (for which the Go runtime opens /dev/null), has a reader leave at once, and has one
// come late: no panic and no message, and the report in a file is there in each case.
func TestFault35NobodyReads(t *testing.T) {
	folder, err := filepath.Abs(filepath.Join("..", "..", "testdata", "pcaps", "vmotion"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, shell, status string
	}{
		{"closed", `%s >&-; echo $? >status`, "1\n"},
		{"a reader that leaves", `{ sleep 0.3; %s; echo $? >status; } | true; until test -s status; do sleep 0.1; done`, "5\n"},
		{"a reader that comes late", `{ %s; echo $? >status; } | { sleep 1; cat >read; }; until test -s status; do sleep 0.1; done`, "1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			command := fmt.Sprintf("flowvet check %[1]s/capture.pcapng --inventory %[1]s/inventory.yaml --format text --format json=report.json", folder)
			cmd := exec.Command("sh", "-c", fmt.Sprintf(tt.shell, command))
			cmd.Dir = t.TempDir()
			var stderr output
			cmd.Stderr = &stderr
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			if status, _ := os.ReadFile(filepath.Join(cmd.Dir, "status")); string(status) != tt.status {
				t.Errorf("exit status %s, want %s", status, tt.status)
			}
			if said := stderr.String(); said != "" {
				t.Errorf("it said %q", said)
			}
			report, err := os.ReadFile(filepath.Join(cmd.Dir, "report.json"))
			if err != nil || len(verdictsOf(t, report)) < 10 {
				t.Errorf("the report in the file: %v, %d bytes", err, len(report))
			}
		})
	}
}

// TestFault36FewDescriptors allows a process so few files that it cannot do its work, one more each time until it can: it says so
// in one line.
func TestFault36FewDescriptors(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skip("prlimit is not there (Debian: util-linux)")
	}
	w := newWire(t)
	_, inventory := vMotion(t, false)
	capture := filepath.Join(filepath.Dir(inventory), "capture.pcapng")
	for what, run := range map[string]struct {
		args []string
		good int
	}{
		"check": {[]string{"flowvet", "check", capture, "--inventory", inventory}, statusFindings},
		"live":  {[]string{"flowvet", "live", "-i", "span0", "--inventory", inventory, "-a", "duration:1"}, statusUnjudged},
	} {
		refused := 0
		for n := 6; ; n++ { // the Go runtime ends where it has not the first five
			cmd := w.command(append([]string{"prlimit", fmt.Sprintf("--nofile=%d:%d", n, n)}, run.args...)...)
			var stderr output
			cmd.Stderr = &stderr
			_ = cmd.Run()
			if status := cmd.ProcessState.ExitCode(); status == run.good {
				t.Logf("%s works with %d descriptors, and says of %d fewer that they are too few", what, n, refused)
				break
			}
			refused++
			said := strings.Split(strings.TrimSpace(stderr.String()), "\n")
			if last := said[len(said)-1]; !strings.Contains(last, "too many open files") || strings.Contains(stderr.String(), "goroutine") || n > 64 {
				t.Errorf("%s with %d descriptors: %s", what, n, stderr.String())
				break
			}
		}
	}
}
