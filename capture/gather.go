package capture

import (
	"context"
	"errors"
	"io"
	"net/netip"
)

// Options are how to read one input.
type Options struct {
	File  uint32 // the input's index in the run's sorted list: what Ref.File will be
	Dedup bool   // leave out the second copy of a packet seen twice within a millisecond
	// Filter, if not nil, says which frames to judge; the others are read and ignored. It is called from the goroutine that
	// reads.
	Filter func(*Frame) bool
	// MaxExpanded is how many bytes a compressed input may expand to; 0: DefaultMaxExpanded, and no more than 1,000 times.
	MaxExpanded int64
	// MaxFlows, Pool and Keep bound the table: Table.MaxFlows, Table.Pool, Table.Keep.
	MaxFlows int
	Pool     *Pool
	Keep     func(netip.Addr) bool
	// Exports, if there are any, says that captures hold export datagrams of NetFlow or IPFIX to these UDP ports: what they tell of
	// is read, and not the frames.
	Exports []uint16
	// Segments tells the same addresses in different VLANs apart: Table.Segments.
	Segments bool
	// Alone says that no other capture will be held against this one: Capture.Digest and Capture.Sample are left empty, and reading
	// takes 0.97 of the time.
	Alone bool
	// Progress, if not nil, is told now and then how much has been read, from the goroutine that reads.
	Progress func(bytes int64, packets uint64)

	aside bool  // flows are counted in a goroutine beside the one that reads: a [Plan] says so
	pair  bool  // the input is read by two goroutines, so or in parts,
	spare *Pool // with room for the flows of the second
}

const (
	packetsPerCheck    = 4096  // between looks at the context
	packetsPerProgress = 65536 // between calls of Progress
)

// newTable returns an empty table as the options want it.
func (o *Options) newTable() *Table {
	return &Table{MaxFlows: o.MaxFlows, Pool: o.Pool, Keep: o.Keep, Segments: o.Segments}
}

// gatherer takes the packets of one source into a table.
type gatherer struct {
	table      *Table
	file       uint32
	drop       bool              // duplicates
	alone      bool              // neither digest nor sample is wanted
	filter     func(*Frame) bool // nil: all are kept
	duplicates *duplicates
	fragments  fragments
	packet     Packet
	good, any  span // of packets with a good time stamp, of all
	digest     uint64
	shift      int64 // nanoseconds added to every time
	sampler    sampler
	held       *held // fragments that wait for what was before them; nil where everything before was seen
	touched    byte  // what was fetched ahead, so that the compiler leaves it in
}

// span is an interval of time; empty until something is in it.
type span struct {
	first, last int64
	some        bool
}

func (s *span) add(ns int64) {
	if !s.some {
		s.first, s.last, s.some = ns, ns, true
		return
	}
	s.first, s.last = min(s.first, ns), max(s.last, ns)
}

func newGatherer(opt Options) *gatherer {
	return &gatherer{table: opt.newTable(), file: opt.File, drop: opt.Dedup, alone: opt.Alone, filter: opt.Filter, duplicates: newDuplicates(), sampler: newSampler(maxSample)}
}

// interval returns the times of the first and last packet: of those with a good time stamp, or of all when none has one.
func (g *gatherer) interval() (first, last int64) {
	if g.good.some {
		return g.good.first, g.good.last
	}
	return g.any.first, g.any.last
}

// finish returns the table, complete.
func (g *gatherer) finish() *Table {
	g.table.settle()
	return g.table
}

// run takes everything until the source ends, which returns nil; the source fails, which returns its error; or the
// context is done, which returns the context's.
func (g *gatherer) run(ctx context.Context, src Source, progress func(packets uint64)) error {
	block := make([]Frame, framesPerBlock)
	plain, _ := src.(plainReader)
	for total := uint64(0); ; {
		next := packetsPerCheck - total%packetsPerCheck
		if next == packetsPerCheck {
			if total%packetsPerProgress == 0 && total > 0 {
				progress(total)
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		n := 0
		if plain != nil {
			n = plain.plain(block[:min(next, framesPerBlock)])
		}
		if n == 0 {
			n = 1
			err := src.Next(&block[0])
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		g.takeBlock(block[:n])
		total += uint64(n)
	}
}

// takeBlock counts the frames of a block in their order. Their Data must stay valid until it returns.
func (g *gatherer) takeBlock(frames []Frame) {
	g.touch(frames)
	for i := range frames {
		if f := &frames[i]; !g.takeQuick(f) {
			g.take(f)
		}
	}
}

// take counts one frame, in exactly one place.
func (g *gatherer) take(f *Frame) {
	t, p := g.table, &g.packet
	f.Nanos += g.shift
	g.clock(f)
	why := p.Decode(f)
	if g.filter != nil && !g.filter(f) {
		t.AddSkipped(p, IgnoredFiltered, f.Link, f.Nanos)
		return
	}
	if !g.alone && len(p.transport) >= 8 {
		g.sampler.add(p.hash())
	}
	if g.duplicates.seen(p, f.Nanos) {
		t.Stats.Duplicates++
		if g.drop {
			t.AddSkipped(p, IgnoredDuplicate, f.Link, f.Nanos)
			return
		}
	}
	if p.fragmented(why) {
		if g.held != nil {
			g.held.add(p, f, why)
			return
		}
		why = g.fragments.take(p, why, f.Nanos, &t.Stats)
	}
	g.count(p, f, why)
}

// count counts a packet where it belongs.
func (g *gatherer) count(p *Packet, f *Frame, why Skip) {
	t, ref := g.table, Ref{File: g.file, Frame: f.Number}
	if why == Kept {
		t.Add(p, f.Nanos, ref)
		return
	}
	t.AddSkipped(p, why, f.Link, f.Nanos)
	t.addEvent(p, f, ref)
	if why == IgnoredICMP && p.Unreachable() {
		if q, ok := p.Quote(); ok {
			t.Quote(q, f.Nanos, ref)
		} else {
			t.Stats.QuotesRejected++
		}
	}
}

// clock notes the frame's time.
func (g *gatherer) clock(f *Frame) {
	if !g.alone {
		g.digest = mixed(g.digest, f)
	}
	g.any.add(f.Nanos)
	if f.BadTime {
		g.table.Stats.BadTimestamps++
		return
	}
	if g.good.some && f.Nanos < g.good.last {
		g.table.Stats.OutOfOrder++
	}
	g.good.add(f.Nanos)
}

// mixed adds a frame to a digest, which is the same in every run: a checksum, not a secret. It is a polynomial of what the
// frames are, so that the digest of a file follows from those of its parts.
func mixed(digest uint64, f *Frame) uint64 {
	const a, b = 0xa0761d6478bd642f, 0xe7037ed1a0b428db // the first two constants of wyhash
	return digest*digestBase + fold(uint64(f.Nanos)^a, uint64(f.WireLen)<<32^uint64(len(f.Data))^b)
}

// digestBase is the third constant of wyhash.
const digestBase = 0x8ebc6af09c88c6e3

// joinDigests returns the digest of two runs of frames, of which the second has n.
func joinDigests(first, second, n uint64) uint64 {
	for base := uint64(digestBase); n > 0; n >>= 1 {
		if n&1 != 0 {
			first *= base
		}
		base *= base
	}
	return first + second
}
