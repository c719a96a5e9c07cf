package capture

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// soon waits until something holds, which it must within the time that the promise gives, or longer on a busy machine. It
// returns how long that took.
func soon(t testing.TB, what string, holds func() bool) time.Duration {
	t.Helper()
	const patience = 30 * time.Second
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		if holds() {
			return time.Since(began)
		}
		if time.Since(began) > patience {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// hears sends a frame and waits until it was captured.
func (r *liveRun) hears(wire *sender) {
	r.t.Helper()
	wire.connected()
	before := r.read()
	wire.send(1, 0, datagrams(1))
	soon(r.t, "a frame is captured", func() bool { r.goesOn(); return r.read() > before })
}

// goesOn ends the test where the run has ended.
func (r *liveRun) goesOn() {
	r.t.Helper()
	select {
	case err := <-r.done:
		r.t.Fatalf("the run ended: %v", err)
	default:
	}
}

func (r *liveRun) read() (n uint64) {
	for _, one := range r.readers {
		n += one.read.Load()
	}
	return n
}

// inState waits until the interface is noticed to be in a state.
func (r *liveRun) inState(s LinkState) {
	r.t.Helper()
	soon(r.t, "the interface is "+s.String(), func() bool { return r.Counters().Link == s })
}

// after runs a command of iproute2, and returns how long it took until the interface was noticed to be in a state.
func (r *liveRun) after(command string, s LinkState) time.Duration {
	r.t.Helper()
	began := time.Now()
	ip(r.t, command)
	r.inState(s)
	return time.Since(began).Round(time.Millisecond)
}

// TestFault25Overload reads slower than frames come, from a ring of the least size: what is lost is counted to the packet.
func TestFault25Overload(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	slow := LiveOptions{
		Interface: "mirror", RingBytes: 1 << 18,
		Tap: func(f *Frame) {
			if f.Number%64 == 0 {
				time.Sleep(time.Millisecond)
			}
		},
	}
	l := listen(t, slow)
	wire := newSender(t, "wire")
	wire.send(300_000, 0, datagrams(1000))
	lost := soon(t, "loss is noticed", func() bool { return l.Counters().KernelDropped > 0 })
	c := l.end()
	n := l.Counters()
	balance(t, wire.Sent(), c, n)
	if len(n.Gaps) == 0 || n.Gaps[0].Lost == 0 || n.Gaps[0].Offered < n.Gaps[0].Lost {
		t.Errorf("%d packets dropped, and the gaps are %+v", n.KernelDropped, n.Gaps)
	}
	i := c.Interfaces[0]
	if i.Dropped != n.KernelDropped || i.Received != wire.Sent() || !i.Counted {
		t.Errorf("the capture says %d dropped of %d; sent were %d", i.Dropped, i.Received, wire.Sent())
	}
	t.Logf("%d sent, %d dropped; noticed %s after the last was sent", wire.Sent(), n.KernelDropped, lost.Round(time.Millisecond))
}

// TestFault26Stopped stops the process for five seconds while frames come: the ring takes what it can hold, the rest is counted.
func TestFault26Stopped(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	l := listen(t, LiveOptions{Interface: "mirror", RingBytes: 1 << 20})
	l.hears(newSender(t, "wire"))
	const packets = 20_000
	play := replaying(t, "wire", packets)
	stopped := exec.Command("sh", "-c", fmt.Sprintf("kill -STOP %[1]d; %[2]s; sleep 5; kill -CONT %[1]d", os.Getpid(), play))
	if out, err := stopped.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c := l.end()
	n := l.Counters()
	balance(t, packets+1, c, n)
	var lost, seconds float64
	for _, g := range n.Gaps {
		lost += float64(g.Lost)
		seconds += time.Duration(g.To - g.From).Seconds()
	}
	if n.KernelDropped == 0 || uint64(lost) != n.KernelDropped || seconds < 5 {
		t.Errorf("%d dropped; the gaps are %+v", n.KernelDropped, n.Gaps)
	}
	t.Logf("%d sent, %d dropped, gaps %+v", packets+1, n.KernelDropped, n.Gaps)
}

// TestFault27LinkDown takes the interface down, and its cable out: noticed within a second, and captured from again.
func TestFault27LinkDown(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	l := listen(t, LiveOptions{Interface: "mirror", Sockets: 2})
	wire := newSender(t, "wire")
	l.hears(wire)
	for _, fault := range []struct {
		down, up string
		state    LinkState
	}{
		{"link set mirror down", "link set mirror up", LinkDown},
		{"link set wire down", "link set wire up", LinkNoCarrier},
	} {
		noticed := l.after(fault.down, fault.state)
		resumed := l.after(fault.up, LinkUp)
		l.hears(wire)
		gaps := l.Counters().Gaps
		if !slices.ContainsFunc(gaps, func(g Gap) bool { return g.Reason == fault.state.String() && g.To > g.From }) {
			t.Errorf("%s: the gaps are %+v", fault.down, gaps)
		}
		t.Logf("%s: noticed after %s, captured again after %s", fault.down, noticed, resumed)
	}
	balance(t, wire.Sent(), l.end(), l.Counters())
}

// TestFault27LinkFlaps takes the interface down and up faster than anybody looks: there is a gap all the same.
func TestFault27LinkFlaps(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	l := listen(t, LiveOptions{Interface: "mirror"})
	ip(t, "link set mirror down\nlink set mirror up")
	soon(t, "the gap is over", func() bool { n := l.Counters(); return len(n.Gaps) > 0 && n.Link == LinkUp })
	wire := newSender(t, "wire")
	l.hears(wire)
	balance(t, wire.Sent(), l.end(), l.Counters())
}

// TestFault28LinkDeleted deletes the interface and makes another of its name, several times: captured from again, by one
// socket and by a group of them.
func TestFault28LinkDeleted(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	for _, sockets := range []int{1, 3} {
		cable(t, "mirror", "wire")
		l := listen(t, LiveOptions{Interface: "mirror", Sockets: sockets})
		var sent uint64
		const times = 3
		for range times {
			wire := newSender(t, "wire")
			l.hears(wire)
			noticed := l.after("link del mirror", LinkGone)
			sent += wire.Sent()
			began := time.Now()
			cable(t, "mirror", "wire")
			l.inState(LinkUp)
			back := time.Since(began)
			t.Logf("%d sockets: noticed after %s, captured again after %s", sockets, noticed, back)
		}
		wire := newSender(t, "wire")
		l.hears(wire)
		c := l.end()
		balance(t, sent+wire.Sent(), c, l.Counters())
		gone := slices.DeleteFunc(c.Gaps, func(g Gap) bool { return g.Reason != LinkGone.String() })
		if len(gone) != times {
			t.Errorf("%d sockets: %d times deleted, and the gaps are %+v", sockets, times, c.Gaps)
		}
		ip(t, "link del mirror")
	}
}

// TestFault28ExitWhenLost ends the run instead.
func TestFault28ExitWhenLost(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	for _, fault := range []string{"link del mirror", "link set mirror down"} {
		cable(t, "mirror", "wire")
		l := listen(t, LiveOptions{Interface: "mirror", OnLost: Exit})
		wire := newSender(t, "wire")
		l.hears(wire)
		ip(t, fault)
		err := <-l.done
		if !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "mirror: interface ") {
			t.Errorf("%s: the run ended with %v", fault, err)
		}
		balance(t, wire.Sent(), l.Snapshot(), l.Counters())
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		_ = exec.Command("ip", "link", "del", "mirror").Run() // it may be gone
	}
}

// TestFault29NoCapture cannot begin: each reason is one line that says what to do.
func TestFault29NoCapture(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	refused := func(opt LiveOptions, reason, hint string) {
		t.Helper()
		l, err := OpenLive(opt)
		if err == nil {
			l.Close()
		}
		var input *InputError
		if !errors.As(err, &input) || !strings.Contains(input.Reason, reason) || !strings.Contains(input.Hint, hint) {
			t.Errorf("%q: %v; want %q and %q", opt.Interface, err, reason, hint)
		}
	}
	refused(LiveOptions{Interface: "nowhere0"}, "no such interface", "-D")
	refused(LiveOptions{Interface: strings.Repeat("x", 99)}, "no such interface", "-D")
	refused(LiveOptions{}, "no such interface", "-D")
	refused(LiveOptions{Interface: "mirror", RingBytes: 1 << 50}, "a ring of", "smaller ring")

	ip(t, "link set mirror promisc on") // somebody else's: ours is added, and taken away alone
	l := listen(t, LiveOptions{Interface: "mirror"})
	wire := newSender(t, "wire")
	l.hears(wire)
	balance(t, wire.Sent(), l.end(), l.Counters())

	withoutRights(t, func() {
		refused(LiveOptions{Interface: "mirror"}, "no right to capture", "setcap cap_net_raw+ep")
	})
}

// withoutRights runs f in a thread that has no capability, and ends with it.
func withoutRights(t *testing.T, f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}

// TestFault30Loopback counts each packet of the loopback interface once, which the kernel shows going and coming.
func TestFault30Loopback(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	ip(t, "link set lo up")
	for _, sockets := range []int{1, 2} {
		l := listen(t, LiveOptions{Interface: "lo", Sockets: sockets})
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		const n = 100
		for i := range n {
			if err := unix.Sendto(fd, []byte{byte(i)}, 0, &unix.SockaddrInet4{Port: 902, Addr: [4]byte{127, 0, 0, 1}}); err != nil && err != syscall.ECONNREFUSED {
				t.Fatal(err)
			}
		}
		unix.Close(fd)
		c := l.end()
		if got := c.Table.Stats.Flowed; got != n {
			t.Errorf("%d sockets: %d datagrams sent, %d captured", sockets, n, got)
		}
	}
}

// TestFault30Tags finds the VLAN tags that the kernel takes out of frames, and those it leaves in.
func TestFault30Tags(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	var seen []string
	l := listen(t, LiveOptions{Interface: "mirror", Tap: func(f *Frame) { seen = append(seen, string(f.Data)) }})
	wire := newSender(t, "wire")
	var sent []string
	for _, tags := range []string{"", "\x81\x00\x00\x2a", "\x81\x00\xe0\x2a", "\x88\xa8\x00\x07\x81\x00\x00\x2a"} {
		wire.send(1, 0, func(i int) []byte {
			plain := datagrams(1)(i)
			f := append(append(append([]byte{}, plain[:12]...), tags...), plain[12:]...)
			sent = append(sent, string(f))
			return f
		})
	}
	c := l.end()
	balance(t, wire.Sent(), c, l.Counters())
	if got, want := strings.Join(seen, "|"), strings.Join(sent, "|"); got != want {
		t.Errorf("captured %q\nsent     %q", got, want)
	}
	for f := range c.Table.Flows {
		if len(f.VLANs) != 1 || f.VLANs[0] != 42 {
			t.Errorf("the flow was seen in VLANs %v; want 42", f.VLANs)
		}
	}
	if want := uint64(60 + 64 + 64 + 68); c.Table.Stats.Bytes != want {
		t.Errorf("%d bytes; %d were on the wire", c.Table.Stats.Bytes, want)
	}
}

// TestFault30LongFrames keeps the headers of frames of 9,000 bytes, and their length.
func TestFault30LongFrames(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	ip(t, "link set mirror mtu 9000\nlink set wire mtu 9000")
	l := listen(t, LiveOptions{Interface: "mirror"})
	wire := newSender(t, "wire")
	const n, size = 1000, 9014
	wire.send(n, 0, func(i int) []byte {
		f := make([]byte, size)
		copy(f, datagrams(1)(i))
		f[16], f[17] = (size-14)>>8, (size-14)&0xff
		return f
	})
	c := l.end()
	balance(t, wire.Sent(), c, l.Counters())
	if s := c.Table.Stats; s.Bytes != n*size || s.Truncated != n || s.Flowed != n {
		t.Errorf("%d bytes of %d frames in flows, %d of them cut; want %d of %d, all cut", s.Bytes, s.Flowed, s.Truncated, n*size, n)
	}
}

// TestFault31ForeignPackets opens captures of a quiet interface while another one is flooded: nothing of that may get in.
func TestFault31ForeignPackets(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	cable(t, "flood", "source")
	times := 10
	if os.Getenv(fullDamage) != "" {
		times = 1000
	}
	stop := make(chan struct{})
	flooding := make(chan struct{})
	go func() {
		defer close(flooding)
		source := newSender(t, "source")
		for {
			select {
			case <-stop:
				return
			default:
				source.send(100, 0, datagrams(10))
			}
		}
	}()
	var foreign uint64
	for i := range times {
		l, err := OpenLive(LiveOptions{Interface: "mirror", Sockets: 1 + i%2, RingBytes: 1 << 18, SnapLen: 64})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range l.readers {
			received, _ := r.counts()
			foreign += received
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	<-flooding
	if foreign != 0 {
		t.Errorf("%d packets of another interface in %d captures", foreign, times)
	}
}
