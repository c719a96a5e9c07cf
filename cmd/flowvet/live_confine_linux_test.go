package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ip runs ip (iproute2) inside.
func (w *wire) ip(t *testing.T, words string) []byte {
	t.Helper()
	out, err := exec.Command("ip", append([]string{"-n", w.name}, strings.Fields(words)...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v: %s", words, err, out)
	}
	return out
}

// public returns a folder that every user can reach.
func public(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "flowvet-live-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestFault44LiveWithoutRights has a run give up all its rights. Then its interface is deleted and comes back, its inventory is saved anew and
// loaded again, and its report goes into a folder that was made for root. It sends nothing.
func TestFault44LiveWithoutRights(t *testing.T) {
	for _, sockets := range []string{"1", "2"} {
		w := newWire(t)
		folder := public(t)
		story, inventory := vMotion(t, true)
		lab, reports := filepath.Join(folder, "lab.yaml"), filepath.Join(folder, "reports")
		text, err := os.ReadFile(inventory)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(lab, text, 0o644); err != nil {
			t.Fatal(err)
		}
		r := w.live(t, "--user", "nobody", "--sockets", sockets, "--inventory", lab, "--report-dir", reports)
		hasNoRights(t, r.Process.Pid)

		w.ip(t, "link del span0")
		r.waitFor(t, &r.stderr, "interface gone")
		w.ip(t, "link add span0 type veth peer name tap0")
		w.ip(t, "link set tap0 addrgenmode none arp off up")
		w.ip(t, "link set span0 addrgenmode none arp off up")
		r.waitFor(t, &r.stderr, "interface is up")
		w.play(t, story, 100)
		time.Sleep(3 * time.Second)

		saved := lab + ".new"
		if err := os.WriteFile(saved, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(saved, lab); err != nil {
			t.Fatal(err)
		}
		if err := r.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		r.waitFor(t, &r.stderr, "reloaded")
		if err := r.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = r.Wait()
		for _, want := range []string{"GAP: ", "interface gone"} {
			if !strings.Contains(r.stdout.String(), want) {
				t.Errorf("%s sockets: no %q in\n%s%s", sockets, want, r.stderr.String(), r.stdout.String())
			}
		}
		if !regexp.MustCompile(`\d{3,} packets captured, 0 dropped`).MatchString(r.stderr.String()) {
			t.Errorf("%s sockets: hardly anything was captured:\n%s", sockets, r.stderr.String())
		}
		reportsOf(t, reports, 65534)
		sentNothing(t, w)
	}
}

// hasNoRights looks at a process from outside.
func hasNoRights(t *testing.T, pid int) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no threads: %v", err)
	}
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1"} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: not %q", name, want)
			}
		}
	}
}

// reportsOf wants whole reports of a user's in a folder.
func reportsOf(t *testing.T, folder string, user uint32) {
	t.Helper()
	for _, name := range []string{".", "latest/capture.flows", "latest/report.json"} {
		info, err := os.Stat(filepath.Join(folder, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != user {
			t.Errorf("%s belongs to user %d; want %d", name, owner, user)
		}
	}
}

// sentNothing wants that no packet left the interface that was captured from.
func sentNothing(t *testing.T, w *wire) {
	t.Helper()
	var links []struct {
		Stats struct{ TX struct{ Packets uint64 } } `json:"stats64"`
	}
	if err := json.Unmarshal(w.ip(t, "-s -j link show span0"), &links); err != nil || len(links) != 1 {
		t.Fatal(links, err)
	}
	if n := links[0].Stats.TX.Packets; n != 0 {
		t.Errorf("%d packets were sent", n)
	}
}

// TestLiveWithCAPNETRAWAlone captures with that right and no other.
func TestLiveWithCAPNETRAWAlone(t *testing.T) {
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("setpriv is not there")
	}
	w := newWire(t)
	flowvet := filepath.Join(public(t), "flowvet")
	at, err := exec.LookPath("flowvet")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(flowvet, program, 0o755); err != nil {
		t.Fatal(err)
	}
	words := "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all,+net_raw --ambient-caps=-all,+net_raw --bounding-set=-all,+net_raw " + flowvet
	out, err := w.command(append(strings.Fields(words), "live", "-i", "span0", "-a", "duration:2")...).CombinedOutput()
	if e := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &e) || e.ExitCode() != statusUnjudged) || !strings.Contains(string(out), "packets captured") {
		t.Errorf("%v\n%s", err, out)
	}
}
