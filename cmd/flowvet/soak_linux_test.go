package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"flowvet/capture/capturetest"
)

// soakRate is how many packets a second a soak sends.
const soakRate = 20_000

// soakTime is how long it goes on: FLOWVET_SOAK, such as 1h.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("FLOWVET_SOAK")
	if text == "" {
		return 20 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 20*time.Second {
		t.Fatalf("FLOWVET_SOAK=%s: a time of 20s at least", text)
	}
	return d
}

// TestFault46Soak sends 20,000 packets a second for as long as FLOWVET_SOAK says, a connection from a new port in every 200 of
// them, and each minute takes the interface down, renames the file of alerts, and reloads a broken catalogue. Nothing is lost
// that is not counted, and what the process holds does not grow.
func TestFault46Soak(t *testing.T) {
	t.Parallel()
	long := soakTime(t)
	w := newWire(t)
	_, inventory := vMotion(t, false)
	dir := t.TempDir()
	own, alerts := filepath.Join(dir, "own.csv"), filepath.Join(dir, "alerts.jsonl")
	writeText(t, own, ownCatalogue)
	r := w.live(
		t, "--user", "root", "--inventory", inventory, "--catalog", own, "--fold-idle", "20s", "--report-dir", filepath.Join(dir, "reports"),
		"--interval", "15s", "--keep", "3", "--alert", "file:"+alerts, "--evidence", filepath.Join(dir, "evidence.pcapng"), "--log-format", "text",
	)
	load := w.load(t)
	began := time.Now()
	faults := min(long/4, time.Minute)
	due := began.Add(faults)
	var samples []sample
	for n := 1; time.Since(began) < long; time.Sleep(time.Second) {
		samples = append(samples, r.sample(t, time.Since(began)))
		if time.Now().Before(due) {
			continue
		}
		due = due.Add(faults)
		load.pause(t)
		w.flap(t, r)
		_ = os.Rename(alerts, fmt.Sprintf("%s.%d", alerts, n))
		r.reload(t, own, n%2 == 1)
		load.goOn(t)
		n++
	}
	sent := load.end(t)
	time.Sleep(time.Second)
	r.signal(t, syscall.SIGTERM)
	_ = r.Wait()
	r.accountsFor(t, sent)
	flat(t, samples)
}

// writeText writes a file of the user's.
func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// flap takes the interface down for a second.
func (w *wire) flap(t *testing.T, r *liveRun) {
	t.Helper()
	before := strings.Count(r.stderr.String(), "the interface is up")
	for _, state := range []string{"down", "up"} {
		if out, err := exec.Command("ip", "-n", w.name, "link", "set", "span0", state).CombinedOutput(); err != nil {
			t.Fatalf("span0 %s: %s", state, out)
		}
		time.Sleep(2 * time.Second)
	}
	r.waitForMore(t, "the interface is up", before)
}

// reload has the run reload its catalogue, a broken one or a good one.
func (r *liveRun) reload(t *testing.T, own string, broken bool) {
	t.Helper()
	text, answer := ownCatalogue, "msg=reloaded"
	if broken {
		text, answer = strings.Replace(text, "8443", "99999", 1), "reload failed"
	}
	writeText(t, own, text)
	before := strings.Count(r.stderr.String(), answer)
	r.signal(t, syscall.SIGHUP)
	r.waitForMore(t, answer, before)
}

// waitForMore waits until a text was logged more often than before.
func (r *liveRun) waitForMore(t *testing.T, text string, before int) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); strings.Count(r.stderr.String(), text) <= before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("no further %q:\n%s", text, r.stderr.String())
		}
	}
}

// accountsFor wants every packet sent to be captured or counted as dropped.
func (r *liveRun) accountsFor(t *testing.T, sent uint64) {
	t.Helper()
	said := regexp.MustCompile(`flowvet: (\d+) packets captured, (\d+) dropped by the kernel, (\d+) by the interface`).FindStringSubmatch(r.stderr.String())
	if said == nil {
		t.Fatalf("it is not said what was captured:\n%s", r.stderr.String())
	}
	var counted [3]uint64
	for i := range counted {
		counted[i], _ = strconv.ParseUint(said[i+1], 10, 64) // digits
	}
	if counted[0]+counted[1]+counted[2] != sent {
		t.Errorf("%d sent, but %d captured, %d dropped by the kernel, %d by the interface", sent, counted[0], counted[1], counted[2])
	}
	t.Logf("%d sent = %d captured + %d dropped", sent, counted[0], counted[1]+counted[2])
}

// sample is what a process holds at a time.
type sample struct {
	at           time.Duration
	anonymous    float64 // MiB of memory of its own
	threads, fds int
}

var statusLine = regexp.MustCompile(`(?m)^(RssAnon|Threads):\s+(\d+)`)

// sample looks at the process.
func (r *liveRun) sample(t *testing.T, at time.Duration) sample {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", r.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatalf("%v:\n%s", err, r.stderr.String())
	}
	fds, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	s := sample{at: at, fds: len(fds)}
	for _, m := range statusLine.FindAllStringSubmatch(string(status), -1) {
		switch n, _ := strconv.Atoi(m[2]); m[1] { // digits
		case "RssAnon":
			s.anonymous = float64(n) / 1024
		case "Threads":
			s.threads = n
		}
	}
	return s
}

// flat wants the second half of the samples to show no growth: between the medians of its quarters.
func flat(t *testing.T, samples []sample) {
	t.Helper()
	second := samples[len(samples)/2:]
	third, last := second[:len(second)/2], second[len(second)/2:]
	growth := median(last) - median(third)
	t.Logf("memory %.1f MiB, then %.1f MiB; slope %+.2f MiB/h over %v; %d descriptors, %d threads", median(third), median(last),
		slope(second), (second[len(second)-1].at - second[0].at).Round(time.Second), last[len(last)-1].fds, last[len(last)-1].threads)
	const noise = 16 // MiB: the collector's
	if growth > noise {
		t.Errorf("it grew by %.1f MiB", growth)
	}
	most := func(all []sample) int {
		return slices.MaxFunc(all, func(a, b sample) int { return a.fds - b.fds }).fds
	}
	if most(last) > most(third)+2 {
		t.Errorf("%d descriptors, %d before", most(last), most(third))
	}
}

func median(samples []sample) float64 {
	all := make([]float64, len(samples))
	for i := range samples {
		all[i] = samples[i].anonymous
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// slope is that of the line with the least squares, in MiB an hour.
func slope(samples []sample) float64 {
	var x, y, xx, xy float64
	n := float64(len(samples))
	for _, s := range samples {
		at := s.at.Hours()
		x, y, xx, xy = x+at, y+s.anonymous, xx+at*at, xy+at*s.anonymous
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// load is a process that sends soakTraffic.
type load struct {
	orders io.WriteCloser
	says   *bufio.Scanner
}

// load starts it on tap0.
func (w *wire) load(t *testing.T) *load {
	t.Helper()
	cmd := w.command("sendload", "tap0")
	cmd.Stderr = os.Stderr
	orders, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	says, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &load{orders: orders, says: bufio.NewScanner(says)}
}

// pause has it wait, and returns how many packets were sent so far.
func (l *load) pause(t *testing.T) uint64 {
	t.Helper()
	l.goOn(t)
	if !l.says.Scan() {
		t.Fatal("the sender is gone")
	}
	n, err := strconv.ParseUint(l.says.Text(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (l *load) goOn(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(l.orders, "\n"); err != nil {
		t.Fatal(err)
	}
}

// end is pause for good.
func (l *load) end(t *testing.T) uint64 {
	t.Helper()
	n := l.pause(t)
	_ = l.orders.Close()
	return n
}

// sendLoad sends soakTraffic out of an interface: sendload INTERFACE. A line on standard input has it say how many packets it has
// sent, and wait for another.
func sendLoad() {
	if err := sendTraffic(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func sendTraffic(name string) error {
	out, err := capturetest.NewSender(name)
	if err != nil {
		return err
	}
	orders := make(chan struct{})
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			orders <- struct{}{}
		}
		close(orders)
	}()
	traffic := newSoakTraffic()
	const atOnce = soakRate / 10
	for at := 0; ; at += atOnce {
		select {
		case _, more := <-orders:
			if !more {
				return nil
			}
			fmt.Println(out.Sent())
			if _, more := <-orders; !more {
				return nil
			}
		default:
		}
		if err := out.Send(atOnce, soakRate, func(i int) []byte { return traffic.frame(at + i) }); err != nil {
			return err
		}
	}
}

// soakTraffic makes frames of 64 bytes: datagrams of a thousand flows, and in every 200 frames four that are a connection from a
// new port.
type soakTraffic struct {
	frames [128][]byte
	rng    *rand.Rand
	port   uint16
	client uint32
}

func newSoakTraffic() *soakTraffic {
	s := &soakTraffic{rng: rand.New(rand.NewPCG(46, 0))}
	for i := range s.frames {
		s.frames[i] = make([]byte, 60)
		copy(s.frames[i], "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00\x45\x00\x00\x2e\x00\x00\x40\x00\x40\x11\x00\x00")
	}
	return s
}

// The network of a soak: clients from 10.77.0.0 on, the hosts of the inventory as servers.
const (
	soakClients = 0x0a4d0000
	soakServer  = 0x0a14000b // 10.20.0.11: esx01
)

func (s *soakTraffic) frame(i int) []byte {
	const every = 200
	f := s.frames[i%len(s.frames)]
	be := binary.BigEndian
	be.PutUint16(f[18:], uint16(i))
	if step := i % every; step < 4 {
		if step == 0 {
			if s.port = s.port%28000 + 1; s.port == 1 {
				s.client++
			}
		}
		s.connection(f, step)
		return f
	}
	f[23] = 17
	be.PutUint32(f[26:], soakClients+1000+uint32(i%1000))
	be.PutUint32(f[30:], soakServer)
	copy(f[34:], "\x10\x00\x03\x86\x00\x1a\x00\x00")
	be.PutUint32(f[42:], uint32(i))
	return f
}

// connection makes a frame the first to fourth of a connection: SYN, SYN+ACK, and data both ways.
func (s *soakTraffic) connection(f []byte, step int) {
	const syn, ack, push = 2, 16, 8
	flags := [...]byte{syn, syn | ack, ack | push, ack | push}[step]
	client, server := soakClients+s.client%900, uint32(soakServer)
	port, service := 32768+s.port, uint16(443)
	f[23] = 6
	be := binary.BigEndian
	if step%2 == 1 {
		client, server, port, service = server, client, service, port
	}
	be.PutUint32(f[26:], client)
	be.PutUint32(f[30:], server)
	be.PutUint16(f[34:], port)
	be.PutUint16(f[36:], service)
	be.PutUint32(f[38:], 1000)
	be.PutUint32(f[42:], 1001)
	f[46], f[47] = 5<<4, flags
}
