package capture

import (
	"context"
	"testing"
	"time"
)

// liveRun is a capture under way.
type liveRun struct {
	*Live
	t    testing.TB
	stop context.CancelFunc
	done chan error
}

// listen begins to capture.
func listen(t testing.TB, opt LiveOptions) *liveRun {
	t.Helper()
	l, err := OpenLive(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &liveRun{Live: l, t: t, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- l.Run(ctx) }()
	return r
}

// end ends the capture, and returns what it showed.
func (r *liveRun) end() *Capture {
	r.t.Helper()
	r.stop()
	if err := <-r.done; err != nil {
		r.t.Fatal(err)
	}
	c := r.Snapshot()
	if err := r.Close(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// balance checks the law of a live capture: every frame sent was read, or is counted as dropped.
func balance(t testing.TB, sent uint64, c *Capture, n Counters) {
	t.Helper()
	read := c.Table.Stats.Read
	if !c.Table.Stats.Balanced() {
		t.Errorf("%d packets read are not all accounted for", read)
	}
	if sent != read+n.KernelDropped+n.InterfaceDropped || n.Taken != read || n.Received != read+n.KernelDropped {
		t.Errorf("sent %d; read %d, taken %d of %d received, dropped %d by the kernel and %d by the interface",
			sent, read, n.Taken, n.Received, n.KernelDropped, n.InterfaceDropped)
	}
}

// TestLiveCountsEveryPacket is issue 5's first promise: sent = received + dropped, exactly, at every rate.
func TestLiveCountsEveryPacket(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	const flows = 1 << 20
	for _, rate := range []int{10_000, 100_000, 400_000, 0} {
		for _, sockets := range []int{1, 2} {
			l := listen(t, LiveOptions{Interface: "mirror", Sockets: sockets})
			n, took := offer(t, rate, flows)
			c := l.end()
			counted := l.Counters()
			balance(t, n, c, counted)
			if want := c.Table.Stats.Flowed; uint64(c.Table.Len()) != want {
				t.Errorf("%d flows of %d datagrams, each of a flow of its own", c.Table.Len(), want)
			}
			t.Logf("%d packets at %.0f a second, %d sockets: %d read, %d dropped", n, float64(n)/took.Seconds(), sockets, c.Table.Stats.Read, counted.KernelDropped)
		}
	}
}

// offer sends frames at that many a second, for half a second; 0: a million as fast as a process can.
func offer(t *testing.T, rate, flows int) (sent uint64, took time.Duration) {
	t.Helper()
	if rate == 0 {
		n := 1_000_000
		if testing.Short() {
			n = 100_000
		}
		return uint64(n), sendMany(t, n, flows)()
	}
	wire := newSender(t, "wire")
	began := time.Now()
	wire.send(rate/2, rate, datagrams(flows))
	return wire.Sent(), time.Since(began)
}
