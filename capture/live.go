package capture

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// FormatLive is the Format of a capture that was taken from an interface.
const FormatLive = "live"

// LiveOptions are how to capture from an interface. The zero value of everything but Interface is the default.
type LiveOptions struct {
	Interface     string        // its name
	SnapLen       int           // bytes kept of a frame; 0: DefaultSnapLen
	RingBytes     int           // memory shared with the kernel, of all sockets together; 0: DefaultRingBytes
	BlockTimeout  time.Duration // how long a frame may wait in a block that is not full; 0: DefaultBlockTimeout
	Sockets       int           // how many sockets the kernel spreads flows over, each with a table of its own; 0: one
	NoPromiscuous bool          // see only what is meant for this machine
	Filter        *LiveFilter   // nil keeps everything
	OnLost        OnLost        // what to do when the interface goes

	// FoldIdle is how long a flow is silent before it is joined to others like it, as [Table.FoldIdle] does, looked at a tenth
	// as often; 0: never. Client is what it asks.
	FoldIdle time.Duration
	Client   func(Proto, uint16) bool

	// Tap, if not nil, is shown every frame that Filter keeps, whether it is in a flow or not: from the goroutine of its
	// socket, so from several at a time where there are several. Data is valid until it returns.
	Tap func(*Frame)

	// Options are those of a file. Filter, File, MaxExpanded, Pool and Progress have no meaning here.
	Options
}

// The defaults of capturing.
const (
	DefaultSnapLen      = 128 // the longest headers that are looked at, through one tunnel, and no payload of anybody's
	DefaultRingBytes    = 64 << 20
	DefaultBlockTimeout = 100 * time.Millisecond
)

// OnLost is what becomes of a run whose interface is taken down or deleted.
type OnLost uint8

// What to do when an interface is lost.
const (
	Wait OnLost = iota // until it is there again under the same name
	Exit               // Run ends with ErrLost
)

// LiveFilter is a filter for the kernel to run, and the same to run here where the kernel does not take it.
type LiveFilter struct {
	Text    string        // as the user wrote it
	Program []Instruction // for frames of Ethernet without the tag that the kernel takes out of them
	// Keeps runs Program over the captured bytes of a frame that had wire bytes, without its outermost VLAN tag, which is
	// tag where tagged is set.
	Keeps func(data []byte, wire int, tag uint16, tagged bool) bool
}

// Instruction is one of the BSD packet filter's (McCanne and Jacobson 1993).
type Instruction struct {
	Op     uint16
	Jt, Jf uint8
	K      uint32
}

// Gap is an interval in which the capture was blind, or lost packets.
type Gap struct {
	From, To int64  // nanoseconds since 1970 UTC; it began after From and was over before To, or lasts still
	Reason   string // such as "interface down"
	Lost     uint64 // packets dropped; 0: nothing was seen, nobody knows of how much
	Offered  uint64 // packets that came, those dropped included; valid iff Lost > 0
}

// Limits of what is kept beside the flows.
const (
	MaxGaps    = 1024 // beyond them the last one grows
	MaxHistory = 3600 // seconds of Counters.History
)

// LinkState is what an interface is doing.
type LinkState uint8

// The states of an interface, from good to bad.
const (
	LinkUp        LinkState = iota
	LinkNoCarrier           // up, without a cable
	LinkDown                // taken down
	LinkGone                // there is none of that name
)

// String returns the state in words.
func (s LinkState) String() string {
	return [...]string{"up", "no carrier", "interface down", "interface gone"}[s]
}

// Second is what came within a second or so: from one look at the counters to the next.
type Second struct {
	At                int64 // when it ended, nanoseconds since 1970 UTC
	Received, Dropped uint64
}

// Counters are what the kernel and the interface count. All of it is exact: Received = Taken + KernelDropped, once the ring
// is empty.
type Counters struct {
	Received         uint64 // packets that reached the sockets, dropped ones included; those a kernel filter rejects are not
	KernelDropped    uint64 // of them, packets for which the ring had no room
	InterfaceDropped uint64 // packets that the interface lost before
	Taken            uint64 // packets read from the ring
	Flows            int    // told apart, at least: of those before the last Snapshot and those since, the more
	Link             LinkState
	History          []Second // the last MaxHistory seconds, oldest first
	Gaps             []Gap    // oldest first; the last one may last still
	Notes            []string // what a person should know once: a filter the kernel did not take, a clock not believed
}

// lostError is the end of a run whose interface is lost.
type lostError struct {
	name  string
	state LinkState
}

// Error implements error.
func (e *lostError) Error() string { return fmt.Sprintf("%s: %s", e.name, e.state) }

// Is makes a lostError an ErrLost.
func (e *lostError) Is(target error) bool { return target == ErrLost }

// ErrLost is what Run's error is where OnLost is Exit and the interface is lost. Its text says which and how.
var ErrLost error = &lostError{}

// Live captures from an interface.
type Live struct {
	opt     LiveOptions
	link    Link
	started int64
	frames  atomic.Uint64 // read so far: numbers them
	readers []*reader
	monitor *monitor

	snapshots sync.Mutex // of what follows
	whole     part
	flows     atomic.Int64 // of whole
	folded    time.Time    // when idle flows were joined
}

// OpenLive opens the interface: when it returns, frames are being captured, and what Run needs is open. The rights it took
// may be given up.
func OpenLive(opt LiveOptions) (*Live, error) {
	opt.fill()
	l := &Live{opt: opt, started: time.Now().UnixNano()}
	port, err := openPort(&l.opt)
	if err != nil {
		return nil, err
	}
	l.link = port.link
	for _, s := range port.sockets {
		l.readers = append(l.readers, newReader(l, s))
	}
	l.monitor = newMonitor(l, port)
	l.whole = part{table: opt.newTable(), sampler: newSampler(maxSample)}
	return l, nil
}

// notEthernet refuses a filter, which is compiled for Ethernet.
func notEthernet(name string) error {
	return &InputError{Path: name, Reason: "a filter needs an interface of Ethernet frames", Hint: "leave the filter away"}
}

// fill puts the defaults in place.
func (o *LiveOptions) fill() {
	if o.SnapLen <= 0 {
		o.SnapLen = DefaultSnapLen
	}
	if o.RingBytes <= 0 {
		o.RingBytes = DefaultRingBytes
	}
	if o.BlockTimeout <= 0 {
		o.BlockTimeout = DefaultBlockTimeout
	}
	o.Sockets = max(o.Sockets, 1)
}

// Run captures until the context is done, which returns nil, the interface is lost under [Exit], which returns an
// [ErrLost], or capturing fails. What the kernel had taken by then is in the next Snapshot, to the last packet. Run is called once.
func (l *Live) Run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	var readers sync.WaitGroup
	for _, r := range l.readers {
		readers.Go(func() {
			if err := r.run(ctx); err != nil {
				end(err)
			}
		})
	}
	err := l.monitor.run(ctx)
	end(err)
	readers.Wait()
	l.monitor.finish()
	if cause := context.Cause(ctx); err == nil && !errors.Is(cause, ctx.Err()) {
		return cause
	}
	return err
}

// Close gives the sockets back. The last Snapshot stays valid.
func (l *Live) Close() error { return l.monitor.close() }

// Snapshot returns everything captured so far, as reading a file would: up to the last block that the kernel handed over.
// It costs what the packets since the last one cost; capturing goes on beside it. Its Table is the table that the next
// Snapshot adds to: valid until then.
func (l *Live) Snapshot() *Capture {
	l.snapshots.Lock()
	defer l.snapshots.Unlock()
	for _, r := range l.readers {
		l.whole.merge(r.handOver())
	}
	l.whole.table.settle()
	l.foldIdle(time.Now())
	l.flows.Store(int64(l.whole.table.Len()))
	c := &Capture{
		Name: l.opt.Interface, Format: FormatLive, Table: l.whole.table,
		Digest: l.whole.digest, Sample: l.whole.sampler.sample(),
	}
	c.First, c.Last = l.whole.interval()
	l.describe(c)
	return c
}

// foldIdle joins the flows that are idle, where it is time to.
func (l *Live) foldIdle(now time.Time) {
	const often = 10
	if l.opt.FoldIdle == 0 || now.Sub(l.folded) < l.opt.FoldIdle/often {
		return
	}
	l.folded = now
	l.whole.table.FoldIdle(now.Add(-l.opt.FoldIdle).UnixNano(), l.opt.Client)
}

// describe adds what the counters say of the interface.
func (l *Live) describe(c *Capture) {
	n, until := l.monitor.counters()
	read := c.Table.Stats.Read
	i := Interface{
		Name: l.opt.Interface, Link: l.link, SnapLen: uint32(l.opt.SnapLen), Counted: l.monitor.port.counted,
		Start: l.started, End: until,
		Received: read + n.KernelDropped + n.InterfaceDropped, Dropped: n.KernelDropped + n.InterfaceDropped,
	}
	if l.opt.Filter != nil {
		i.Filter = l.opt.Filter.Text
	}
	c.Interfaces = []Interface{i}
	c.Gaps = n.Gaps
}

// Counters returns what was counted by the last second.
func (l *Live) Counters() Counters {
	n, _ := l.monitor.counters()
	since := int64(0)
	for _, r := range l.readers {
		since += r.flows.Load()
	}
	n.Flows = int(max(l.flows.Load(), since))
	return n
}

// part is what one socket captured between two snapshots, or all of them together.
type part struct {
	table     *Table
	good, any span
	digest    uint64 // the sum of the sockets', of which each is of everything it read
	sampler   sampler
}

// merge adds another part, which must not be used afterwards. The smaller table goes into the larger one.
func (p *part) merge(o part) {
	if o.table.Len() > p.table.Len() {
		o.table.MaxFlows, p.table, o.table = p.table.MaxFlows, o.table, p.table
	}
	p.table.Merge(o.table)
	p.good.merge(o.good)
	p.any.merge(o.any)
	p.digest += o.digest
	for _, h := range o.sampler.least {
		p.sampler.add(h)
	}
	p.sampler.culled = p.sampler.culled || o.sampler.culled
}

// interval returns the times of the first and last packet, as gatherer.interval does.
func (p *part) interval() (first, last int64) {
	if p.good.some {
		return p.good.first, p.good.last
	}
	return p.any.first, p.any.last
}

// merge adds another interval.
func (s *span) merge(o span) {
	if o.some {
		s.add(o.first)
		s.add(o.last)
	}
}

// reader takes the frames of one socket into a table.
type reader struct {
	live *Live
	next atomic.Pointer[socket] // to be read in place of socket, which will see nothing more
	read atomic.Uint64

	changing sync.Mutex // of the socket
	socket   *socket
	retired  struct{ received, dropped uint64 } // counted by the sockets before it

	gathering sync.Mutex // held for a block of frames
	gather    *gatherer
	flows     atomic.Int64 // of gather
	digested  uint64       // the digest that was handed over
}

func newReader(l *Live, s *socket) *reader {
	opt := l.opt.Options
	opt.MaxFlows = (opt.MaxFlows + l.opt.Sockets - 1) / l.opt.Sockets
	opt.Pool = nil
	if l.opt.Filter != nil && s.filterHere {
		opt.Filter = func(f *Frame) bool { return !f.rejected }
	}
	return &reader{live: l, socket: s, gather: newGatherer(opt)}
}

// run reads until the context is done and everything that the kernel took is read.
func (r *reader) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := r.socket.next(r.take); err != nil {
			return err
		}
		if err := r.change(); err != nil {
			return err
		}
	}
	if err := r.change(); err != nil {
		return err
	}
	return r.drain()
}

// change reads what is left in the socket, and goes on with the next, if there is one.
func (r *reader) change() error {
	next := r.next.Swap(nil)
	if next == nil {
		return nil
	}
	if err := r.drain(); err != nil {
		return err
	}
	r.changing.Lock()
	defer r.changing.Unlock()
	old := r.socket
	received, dropped := old.counts()
	r.retired.received += received
	r.retired.dropped += dropped
	r.socket = next
	return old.close()
}

// counts returns how many frames the sockets were given, and how many of them found no room.
func (r *reader) counts() (received, dropped uint64) {
	r.changing.Lock()
	defer r.changing.Unlock()
	received, dropped = r.socket.counts()
	return received + r.retired.received, dropped + r.retired.dropped
}

// again captures from the interface of another number.
func (l *Live) again(index int) error {
	sockets, err := l.monitor.port.again(index)
	if err != nil {
		return err
	}
	for i, r := range l.readers {
		if err := r.follow(sockets[i]); err != nil {
			return err
		}
	}
	return nil
}

// follow has the reader go on with a socket, if that is not the one it reads. One that it never came to read saw an interface which
// is gone already.
func (r *reader) follow(s *socket) error {
	r.changing.Lock()
	defer r.changing.Unlock()
	if s == r.socket {
		return nil
	}
	if missed := r.next.Swap(s); missed != nil {
		return missed.close()
	}
	return nil
}

// pollPatience bounds how long anything waits: how late it can notice that it is to stop.
const pollPatience = 100 * time.Millisecond

// drainPatience bounds how long the end of a run waits for the frames that the kernel has counted and not handed over.
const drainPatience = 2 * time.Second

// drain reads what the socket has, and lets no more in.
func (r *reader) drain() error {
	if err := r.socket.stop(); err != nil {
		return err
	}
	for until := time.Now().Add(drainPatience); time.Now().Before(until); {
		received, dropped := r.counts()
		if r.read.Load() >= received-dropped {
			return nil
		}
		if err := r.socket.next(r.take); err != nil {
			return err
		}
	}
	return nil
}

// take counts the frames of a block.
func (r *reader) take(frames []Frame) {
	last := r.live.frames.Add(uint64(len(frames)))
	first := last - uint64(len(frames)) + 1
	for i := range frames {
		frames[i].Number = first + uint64(i)
		if tap := r.live.opt.Tap; tap != nil && !frames[i].rejected {
			tap(&frames[i])
		}
	}
	r.gathering.Lock()
	r.gather.takeBlock(frames)
	r.flows.Store(int64(r.gather.table.records.len())) // without those it has still to look up
	r.gathering.Unlock()
	r.read.Add(uint64(len(frames)))
}

// handOver returns what was gathered since the last time.
func (r *reader) handOver() part {
	r.gathering.Lock()
	defer r.gathering.Unlock()
	g := r.gather
	p := part{table: g.table, good: g.good, any: g.any, digest: g.digest - r.digested, sampler: g.sampler}
	r.digested = g.digest
	old := g.table
	g.table = &Table{MaxFlows: old.MaxFlows, Keep: old.Keep, Segments: old.Segments}
	g.table.index.reserve(uint32(old.Len())) // as many are to be expected again
	g.sampler.least = nil
	r.flows.Store(0)
	return p
}
