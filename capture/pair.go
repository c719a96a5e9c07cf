package capture

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
)

// Two processors share a large file in one of two ways. In parts, each reads half of it, and most flows are then in two tables, to
// be merged: that is for few flows, which cost less than their packets. By a relay one reads and the other counts: that is for many
// flows, which are in one table then. Which it is shows while reading: the file begins by a relay, and what is left of it is divided
// once there are few new flows, and many packets for each that is known. In parts alone 7 M packets of 1 M flows took 1.2 of the
// processor time and 45 MiB more, and 3.4 M packets 1.2; by a relay alone mixed traffic takes 1.04 of the time, and bulk 1.5
// (November 2026).

// When a file is divided.
const (
	pairStep = 2 << 20 // bytes between looks at what the flows are like
	fewNew   = 4       // packets for each flow that is new,
	fewFlows = 12      // and for each that is known among those left: so many cost what a flow in two tables does
)

// leadInPair reads all, or all that is in no part. Where a part begins is found out beside reading on.
func (x *reading) leadInPair(ctx context.Context) {
	few := false
	next := &prefill{file: x.stream.r.(*io.SectionReader)}
	x.stream.next = next
	x.gatherer.relayed(next.help, func() { few = x.relayUntilFew(ctx) })
	x.stream.next = nil
	if !few {
		return
	}
	at, size := x.stream.offset(), x.stream.size
	left := size - at
	first := x.source.fork(x.from.at, at, size)
	found := make(chan []*filePart, 1)
	wait := beside(func() {
		defer close(found)
		parts := x.partsOf(first, []int64{at + left/2}, x.options.spare)
		found <- parts
		for _, part := range parts {
			part.read(ctx, x.told.add)
		}
	})
	defer wait()
	x.run(ctx, at+left/4)
	if x.parts = <-found; len(x.parts) > 0 {
		x.run(ctx, x.end(0))
		return
	}
	x.gatherer.relayed(nil, func() { x.run(ctx, 0) })
}

// relayUntilFew reads until there are few flows for the packets that are left, or to the end, and reports which.
func (x *reading) relayUntilFew(ctx context.Context) bool {
	relay := x.gatherer.table.onward
	var known, seen uint64
	for {
		limit := x.stream.offset() + pairStep
		x.run(ctx, limit)
		if x.err != nil || x.stream.offset() < limit {
			return false
		}
		stats := &x.gatherer.table.Stats
		packets := relay.packets.Load() + stats.Read - stats.Flowed
		flows := relay.known.Load()
		if (flows-known)*fewNew < packets-seen && x.left() >= leastPart && x.packetsLeft() > flows*fewFlows {
			return true
		}
		known, seen = flows, packets
	}
}

// left returns how many bytes are still to be read.
func (x *reading) left() int64 { return max(x.stream.size-x.stream.offset(), 0) }

// packetsLeft estimates how many packets are.
func (x *reading) packetsLeft() uint64 {
	return uint64(float64(x.left()) / float64(x.stream.offset()) * float64(x.source.packets()))
}

// beside begins f in another goroutine. It returns a function that waits for it, and panics if f did.
func beside(f func()) (wait func()) {
	ended := make(chan string, 1)
	go func() {
		fault := ""
		defer func() {
			if cause := recover(); cause != nil {
				fault = fmt.Sprintf("%v\n%s", cause, debug.Stack())
			}
			ended <- fault
		}()
		f()
	}()
	return func() {
		if fault := <-ended; fault != "" {
			panic(fault)
		}
	}
}
