package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"flowvet/capture/capturetest"
)

// liveCommands are what the tests of live and of played operations run beside flowvet: a network namespace is entered by a
// process.
func liveCommands() map[string]func() {
	return map[string]func(){
		"playstory": playStory, "playmachine": playMachine, "askmetrics": askMetrics, "sendload": sendLoad,
	}
}

// playStory sends the frames of a story out of an interface, at a multiple of its pace: playstory STORY INTERFACE TIMES.
func playStory() {
	if err := play(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func play(path, name, times string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	story, err := capturetest.Parse(path, string(text))
	if err != nil {
		return err
	}
	speed, err := strconv.ParseFloat(times, 64)
	if err != nil {
		return err
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return err
	}
	to := &unix.SockaddrLinklayer{Ifindex: link.Index}
	began := time.Now()
	for _, f := range story.Frames() {
		time.Sleep(time.Until(began.Add(time.Duration(float64(f.Time.Sub(story.Start())) / speed))))
		if err := unix.Sendto(socket, f.Data, 0, to); err != nil && !errors.Is(err, unix.ENOBUFS) {
			return err
		}
	}
	return nil
}

// wire is a network namespace with a cable in it: what is sent into tap0 is seen on span0.
type wire struct{ name string }

// newWire makes one, or skips the test where that is not allowed.
func newWire(t *testing.T) *wire {
	t.Helper()
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	if os.Getuid() != 0 {
		t.Skip("a network namespace can only be made by root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip (iproute2) is not there")
	}
	w := &wire{name: "flowvet" + strings.ReplaceAll(strings.TrimPrefix(t.TempDir(), os.TempDir()), "/", "-")} // new each time
	if out, err := exec.Command("ip", "netns", "add", w.name).CombinedOutput(); err != nil {
		t.Skipf("no network namespace: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", w.name).Run() })
	for _, words := range [][]string{
		{"link", "add", "span0", "type", "veth", "peer", "name", "tap0"},
		{"link", "set", "span0", "addrgenmode", "none", "up"},
		{"link", "set", "tap0", "addrgenmode", "none", "up"},
	} {
		if out, err := exec.Command("ip", append([]string{"-n", w.name}, words...)...).CombinedOutput(); err != nil {
			t.Skipf("no veth: ip %s: %s", strings.Join(words, " "), out)
		}
	}
	return w
}

// command returns a command that runs inside.
func (w *wire) command(args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", w.name}, args...)...)
}

// play sends a story in the background, and kills what is left of it at the end of the test.
func (w *wire) play(t *testing.T, story string, times float64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "story.txt")
	if err := os.WriteFile(path, []byte(story), 0o600); err != nil {
		t.Fatal(err)
	}
	w.background(t, "playstory", path, "tap0", strconv.FormatFloat(times, 'g', -1, 64))
}

// replay has tcpreplay send the capture of a story, at a multiple of its pace. Where that is not installed, it is played.
func (w *wire) replay(t *testing.T, text string, times float64) {
	t.Helper()
	if _, err := exec.LookPath("tcpreplay"); err != nil {
		w.play(t, text, times)
		return
	}
	story, err := capturetest.Parse("story.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "replayed")
	if err := story.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	w.background(t, "tcpreplay", "--quiet", "--intf1=tap0", fmt.Sprintf("--multiplier=%g", times), path)
}

// background runs a command inside, until the end of the test at the latest.
func (w *wire) background(t *testing.T, args ...string) {
	t.Helper()
	cmd := w.command(args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// liveRun is a flowvet live that goes on.
type liveRun struct {
	*exec.Cmd
	stdout, stderr output
}

// output collects what a process writes, and can be looked at meanwhile.
type output struct {
	lock sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (int, error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.text.Write(b)
}

// String returns what was written so far.
func (o *output) String() string {
	o.lock.Lock()
	defer o.lock.Unlock()
	return o.text.String()
}

// live starts flowvet live on span0 and waits until it captures.
func (w *wire) live(t *testing.T, args ...string) *liveRun {
	t.Helper()
	r := &liveRun{Cmd: w.command(append([]string{"flowvet", "live", "-i", "span0"}, args...)...)}
	r.Stdout, r.Stderr = &r.stdout, &r.stderr
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Process.Kill() })
	r.waitFor(t, &r.stderr, "msg=capturing")
	return r
}

// waitFor waits until a text was written.
func (r *liveRun) waitFor(t *testing.T, o *output, text string) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); !strings.Contains(o.String(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("no %q in\n%s%s", text, r.stderr.String(), r.stdout.String())
		}
	}
}

// ends waits for the end and wants that exit status.
func (r *liveRun) ends(t *testing.T, status int) {
	t.Helper()
	_ = r.Wait()
	if got := r.ProcessState.ExitCode(); got != status {
		t.Fatalf("exit status %d, want %d:\n%s%s", got, status, r.stderr.String(), r.stdout.String())
	}
}

// vMotion returns the story of testdata/pcaps/vmotion without its telnet session, with or without the heartbeat of esx03
// that it lacks, and its inventory.
func vMotion(t *testing.T, healthy bool) (story, inventory string) {
	t.Helper()
	story = page(t, "testdata/pcaps/vmotion/story.txt")
	story = regexp.MustCompile(`(?m)^.*23/tcp session.*\n`).ReplaceAllString(story, "")
	if healthy {
		story = strings.Replace(story, "end 180", "5..180/10  esx03:* > vcenter01:902/udp 334\nend 180", 1)
	}
	inventory, err := filepath.Abs(filepath.Join("..", "..", "testdata", "pcaps", "vmotion", "inventory.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return story, inventory
}

func TestLiveVMotionThatHasAllItNeedsEndsByItself(t *testing.T) {
	w := newWire(t)
	story, inventory := vMotion(t, true)
	r := w.live(t, "--inventory", inventory, "--during", "vmotion", "--until-met", "--timeout", "2m")
	w.replay(t, story, 30)
	r.ends(t, statusGood)
	for _, want := range []string{`reason="all expectations are met"`, "met=7 wanted=7"} {
		if !strings.Contains(r.stderr.String(), want) {
			t.Errorf("no %q in\n%s", want, r.stderr.String())
		}
	}
}

func TestLiveVMotionWithoutAHeartbeatEndsWithItsName(t *testing.T) {
	t.Parallel()
	w := newWire(t)
	story, inventory := vMotion(t, false)
	r := w.live(t, "--inventory", inventory, "--during", "vmotion", "--until-met", "--timeout", "68s")
	w.replay(t, story, 2.6)
	r.ends(t, statusFindings)
	if want := regexp.MustCompile(`absent  esx03 \(10\.20\.0\.13\) -> vcenter01 \(10\.20\.0\.5\)  902/udp`); !want.MatchString(r.stdout.String()) {
		t.Errorf("the report does not name the heartbeat of esx03:\n%s", r.stdout.String())
	}
}
