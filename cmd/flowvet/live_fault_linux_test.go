package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLiveSelfTest(t *testing.T) {
	w := newWire(t)
	out, err := w.command("flowvet", "live", "-i", "span0", "--selftest").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "capabilities   on") || strings.Contains(string(out), "POSSIBLE") {
		t.Errorf("%v:\n%s", err, out)
	}
	if n := strings.Count(string(out), "refused "); n < 6 {
		t.Errorf("%d tries, want 6 at least:\n%s", n, out)
	}
}

// signal sends a signal to flowvet itself.
func (r *liveRun) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := r.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// chatter is traffic without an end: 60 datagrams a second between two hosts and their vCenter.
const chatter = `
host vcenter01 10.20.0.5
host esx01 10.20.0.11
host esx02 10.20.0.12
0          arp esx01 > vcenter01 reply
0..900/0.05  esx01:* > vcenter01:902/udp 334
0..900/0.05  esx02:* > vcenter01:902/udp 334
`

// reportsIn lists the reports of a folder and checks each: whole, parsed, and with the flows it rests on.
func reportsIn(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	dated := regexp.MustCompile(`^\d{8}T\d{6}\.\d{3}Z$`)
	var names []string
	for _, e := range entries {
		if !dated.MatchString(e.Name()) {
			continue
		}
		names = append(names, e.Name())
		text, err := os.ReadFile(filepath.Join(folder, e.Name(), "report.json"))
		if err != nil || !json.Valid(text) {
			t.Fatalf("%s: report.json is no JSON (%v)", e.Name(), err)
		}
	}
	return names
}

func TestLiveSignals(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	story, inventory := vMotion(t, false)
	lab := filepath.Join(t.TempDir(), "lab.yaml")
	good, err := os.ReadFile(inventory)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		if err := os.WriteFile(lab, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(string(good))
	r := w.live(t, "--inventory", lab, "--user", "root")
	w.play(t, story, 20)
	time.Sleep(2 * time.Second)

	r.signal(t, syscall.SIGUSR1)
	r.waitFor(t, &r.stdout, "DOCUMENTED")
	r.waitFor(t, &r.stderr, `cause="asked for"`)

	write(strings.Replace(string(good), "[ESX 4.1]", "[Exchange 5]", 1))
	r.signal(t, syscall.SIGHUP)
	r.waitFor(t, &r.stderr, "reload failed")
	if !regexp.MustCompile(`reload failed.*lab\.yaml:\d+`).MatchString(r.stderr.String()) {
		t.Errorf("the broken file is not named with its line:\n%s", r.stderr.String())
	}
	write(string(good))
	r.signal(t, syscall.SIGHUP)
	r.waitFor(t, &r.stderr, "msg=reloaded")

	r.signal(t, syscall.SIGTERM)
	r.ends(t, statusUnjudged)
	if n := strings.Count(r.stdout.String(), "flowvet 0."); n != 2 {
		t.Errorf("%d reports on standard output, want the one asked for and the last", n)
	}
}

func TestLiveTellsOthers(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	dir := t.TempDir()
	story := page(t, "testdata/pcaps/vmotion/story.txt")
	_, inventory := vMotion(t, false)
	alerts, evidence := filepath.Join(dir, "alerts.jsonl"), filepath.Join(dir, "evidence.pcapng")
	r := w.live(t, "--inventory", inventory, "--alert", "stderr", "--alert", "file:"+alerts, "--evidence", evidence, "--user", "root", "-a", "duration:9")
	w.play(t, story, 30)
	r.ends(t, statusFindings)
	const telnet = "unlisted-port  203.0.113.99 -> esx01  23/tcp"
	if !strings.Contains(r.stderr.String(), "flowvet: ALERT undocumented: "+telnet) {
		t.Errorf("no alert on standard error:\n%s", r.stderr.String())
	}
	text, err := os.ReadFile(alerts)
	if err != nil || strings.Count(string(text), telnet) != 1 {
		t.Errorf("the file of alerts (%v) has not one of it:\n%s", err, text)
	}
	out, err := exec.Command("flowvet", "check", evidence, "--inventory", inventory, "--only", "undocumented").CombinedOutput()
	if !strings.Contains(string(out), "unlisted-port  203.0.113.99 -> esx01 (10.20.0.11)  23/tcp") {
		t.Errorf("the evidence does not show it (%v):\n%s", err, out)
	}
}

func TestLiveMetricsAnswerWhileItRuns(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	if out, err := exec.Command("ip", "-n", w.name, "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Skipf("no loopback: %s", out)
	}
	_, inventory := vMotion(t, false)
	r := w.live(t, "--inventory", inventory, "--metrics", "127.0.0.1:9477")
	w.play(t, chatter, 1)
	some := regexp.MustCompile(`(?m)^flowvet_packets_total [1-9]`)
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out, err := w.command("askmetrics", "http://127.0.0.1:9477/metrics").CombinedOutput()
		if err == nil && some.Match(out) {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("got %v\n%s", err, out)
		}
	}
	r.signal(t, syscall.SIGINT)
	r.ends(t, statusUnjudged)
}

// askMetrics prints what a URL answers: askmetrics URL.
func askMetrics() {
	answer, err := http.Get(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(os.Stdout, answer.Body)
}

// TestAKeptReportIsJudgedAgainAlike holds the report of a live run against check of the flows beside it.
func TestAKeptReportIsJudgedAgainAlike(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	story, inventory := vMotion(t, true)
	folder := filepath.Join(t.TempDir(), "reports")
	r := w.live(t, "--inventory", inventory, "--during", "vmotion", "--report-dir", folder, "--interval", "2s", "--keep", "3", "-a", "duration:9", "--format", "json")
	w.play(t, story, 30)
	r.ends(t, statusGood)
	if names := reportsIn(t, folder); len(names) != 3 {
		t.Errorf("kept %v, want the last three", names)
	}
	latest := filepath.Join(folder, "latest")
	if _, err := os.Stat(filepath.Join(folder, "checkpoint.flows")); err == nil {
		t.Error("the checkpoint of a run that ended is still there")
	}
	again, err := exec.Command("flowvet", "check", filepath.Join(latest, "capture.flows"), "--inventory", inventory, "--during", "vmotion", "--format", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	was, err := os.ReadFile(filepath.Join(latest, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := verdictsOf(t, was), verdictsOf(t, again); !slices.Equal(a, b) {
		t.Errorf("live: %v\nof the flows: %v", a, b)
	}
}

// verdictsOf lists the verdicts of a JSON report by id.
func verdictsOf(t *testing.T, text []byte) []string {
	t.Helper()
	var r struct {
		Findings, Expectations []struct{ ID, Verdict string }
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, v := range append(r.Findings, r.Expectations...) {
		all = append(all, v.ID+" "+v.Verdict)
	}
	slices.Sort(all)
	return all
}

// TestFault32KilledAtAnyMoment kills a run that writes reports all the time, at random moments, and wants every report on
// disk whole, what had been seen taken up by the next run but for about a second, and the gap said.
func TestFault32KilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	_, inventory := vMotion(t, false)
	folder := filepath.Join(t.TempDir(), "reports")
	w.play(t, chatter, 1)
	kills := 6
	if os.Getenv("FLOWVET_FULL") != "" {
		kills = 200
	}
	args := []string{"--inventory", inventory, "--report-dir", folder, "--interval", "1s"}
	kept := 0 // runs that came to their first checkpoint, a second after they began
	for range kills {
		began := time.Now()
		r := w.live(t, args...)
		time.Sleep(time.Duration(rand.IntN(2500)) * time.Millisecond)
		r.signal(t, syscall.SIGKILL)
		_ = r.Wait()
		reportsIn(t, folder)
		if checkpoint, err := os.Stat(filepath.Join(folder, "checkpoint.flows")); err == nil && checkpoint.ModTime().After(began) {
			kept++
		}
	}
	r := w.live(t, append(args, "-a", "duration:3", "--format", "json")...)
	_ = r.Wait()
	var last struct {
		Captures []struct{ Packets int }
		Warnings []string
	}
	if err := json.Unmarshal([]byte(r.stdout.String()), &last); err != nil {
		t.Fatalf("%v:\n%s%s", err, r.stderr.String(), r.stdout.String())
	}
	if len(last.Captures) != kept+1 || kept < kills/4 {
		t.Errorf("the last report is of %d captures, want its own and those of %d runs of %d that were killed", len(last.Captures), kept, kills)
	}
	t.Logf("%d killed, %d of them after a checkpoint", kills, kept)
	if !slices.ContainsFunc(last.Warnings, func(s string) bool { return strings.Contains(s, "cut off: nothing was captured from") }) {
		t.Errorf("the gap is not said: %q", last.Warnings)
	}
}

// TestFault25LossAboveMaxLoss stops a run with a small ring while packets come: it ends with status 6, and with a report of what
// was seen.
func TestFault25LossAboveMaxLoss(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	_, inventory := vMotion(t, false)
	r := w.live(t, "--inventory", inventory, "--ring", "256KiB", "--max-loss", "0.1%")
	load := w.load(t)
	r.signal(t, syscall.SIGSTOP)
	time.Sleep(3 * time.Second)
	r.signal(t, syscall.SIGCONT)
	sent := load.end(t)
	r.waitFor(t, &r.stderr, "packets lost")
	r.signal(t, syscall.SIGTERM)
	r.ends(t, statusLost)
	r.accountsFor(t, sent)
	for _, want := range []string{`packets were lost, \d+\.\d+ %: more than --max-loss 0\.1%`, `(?m)^           \d+ dropped of \d+ received`} {
		if !regexp.MustCompile(want).MatchString(r.stderr.String() + r.stdout.String()) {
			t.Errorf("no %q in\n%s%s", want, r.stderr.String(), r.stdout.String())
		}
	}
}

// TestFault28OnLostExit deletes the interface of a run that is to end then: status 6, and the report is there.
func TestFault28OnLostExit(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	_, inventory := vMotion(t, false)
	r := w.live(t, "--inventory", inventory, "--on-lost", "exit")
	if out, err := exec.Command("ip", "-n", w.name, "link", "delete", "span0").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.ends(t, statusLost)
	if !strings.Contains(r.stderr.String(), "span0: interface gone") || !strings.Contains(r.stdout.String(), "capture    span0: live") {
		t.Errorf("no reason, or no report:\n%s%s", r.stderr.String(), r.stdout.String())
	}
}

// TestFault34DiskFull fills the disk of the reports for a while.
func TestFault34DiskFull(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	_, inventory := vMotion(t, false)
	folder := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("no small disk: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", folder).Run() })
	r := w.live(t, "--inventory", inventory, "--report-dir", filepath.Join(folder, "reports"), "--interval", "2s", "--format", "json")
	w.play(t, chatter, 1)
	r.waitFor(t, &r.stderr, "msg=report cause=interval")

	ballast := filepath.Join(folder, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 1<<20), 0o600) // as much as fits
	r.waitFor(t, &r.stderr, "report not written")
	time.Sleep(5 * time.Second)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	freed := time.Now()
	r.waitFor(t, &r.stderr, "report written after all")
	if spent := time.Since(freed); spent > 10*time.Second {
		t.Errorf("the report came %v after there was room, want 10s", spent)
	}
	r.signal(t, syscall.SIGTERM)
	r.ends(t, statusOutput)
	if !strings.Contains(r.stderr.String(), "could not be written at") {
		t.Errorf("it is not said what was missed:\n%s", r.stderr.String())
	}
	if !regexp.MustCompile(`flowvet: \d+ packets captured, 0 dropped by the kernel`).MatchString(r.stderr.String()) {
		t.Errorf("packets were lost:\n%s", r.stderr.String())
	}
	reportsIn(t, filepath.Join(folder, "reports"))
}

// ownCatalogue is a catalogue of the user's with one row.
const ownCatalogue = `# document: our monitoring
id,product,ports,transport,source,target,purpose
OURS-1,ESX 4.x,8443,TCP,client-pc,hypervisor-host,monitoring probe
`

// TestFault39ReloadsUnderTraffic reloads many times, every other time a broken catalogue.
func TestFault39ReloadsUnderTraffic(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	_, inventory := vMotion(t, false)
	good := []byte(ownCatalogue)
	own := filepath.Join(t.TempDir(), "own.csv")
	write := func(text []byte) {
		if err := os.WriteFile(own, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(good)
	r := w.live(t, "--inventory", inventory, "--catalog", own, "--user", "root")
	w.play(t, chatter, 10)
	time.Sleep(time.Second)
	times := 20
	if os.Getenv("FLOWVET_FULL") != "" {
		times = 1000
	}
	for i := range times {
		text, answer := good, "msg=reloaded"
		if i%2 == 0 {
			text, answer = []byte(strings.Replace(ownCatalogue, "8443", "99999", 1)), "reload failed"
		}
		write(text)
		before := strings.Count(r.stderr.String(), answer)
		r.signal(t, syscall.SIGHUP)
		for until := time.Now().Add(30 * time.Second); strings.Count(r.stderr.String(), answer) == before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("reload %d: no %q:\n%s", i, answer, r.stderr.String())
			}
		}
	}
	r.signal(t, syscall.SIGTERM)
	_ = r.Wait()
	if !regexp.MustCompile(`flowvet: \d+ packets captured, 0 dropped by the kernel, 0 by the interface`).MatchString(r.stderr.String()) {
		t.Errorf("packets were lost:\n%s", r.stderr.String())
	}
}
