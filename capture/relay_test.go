package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// fromStdin reads a capture as it comes through a pipe.
func fromStdin(ctx context.Context, t testing.TB, r io.Reader, opt Options) *Capture {
	t.Helper()
	inputs, err := Open([]string{"-"}, r)
	if err != nil {
		t.Fatal(err)
	}
	return inputs[0].Read(ctx, opt)
}

// asideToo reads a capture with its flows counted in the same goroutine and in another, and holds that there is no difference. What
// the detector of copies has no room for hangs on its hashes, which are alike here.
func asideToo(t testing.TB, what string, data []byte, options func() Options) *Capture {
	t.Helper()
	var captures [2]*Capture
	var hashes *duplicates
	for i := range captures {
		inputs, err := Open([]string{"-"}, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		opt := options()
		opt.aside = i == 1
		x := inputs[0].begin(opt)
		if hashes == nil {
			hashes = x.gatherer.duplicates.fork()
		}
		x.gatherer.duplicates = hashes.fork()
		x.lead(context.Background())
		captures[i] = x.finish(context.Background())
	}
	same(t, what, captures[0], captures[1])
	return captures[1]
}

// TestFlowsCountedAsideAreTheSame holds that it makes no difference whether the goroutine that reads counts the flows, whatever
// is in a capture and whatever bounds its table.
func TestFlowsCountedAsideAreTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	protected := func(a netip.Addr) bool { return a.AsSlice()[0]%2 == 0 }
	options := map[string]func() Options{
		"plain":          func() Options { return Options{} },
		"without copies": func() Options { return Options{Dedup: true, File: 3} },
		"by VLAN": func() Options {
			return Options{Segments: true, Filter: func(f *Frame) bool { return f.WireLen%3 != 0 }}
		},
		"in little room":  func() Options { return Options{MaxFlows: 7, Keep: protected} },
		"with a loan":     func() Options { return Options{MaxFlows: 60, Keep: protected, Segments: true}.Shared(2) },
		"in a room of 40": func() Options { return Options{MaxFlows: 40} },
	}
	sent := 0
	for name, data := range corpus(t) {
		variants := [][]byte{data}
		if rng.IntN(4) == 0 {
			long := repeated(data, 400<<10)
			variants = append(variants, long, spoiltIf(rng, long))
		}
		for _, data := range variants {
			for how, opt := range options {
				if len(data) <= pcapHeader || rng.IntN(3) > 0 { // two of the six
					continue
				}
				c := asideToo(t, fmt.Sprintf("%s, %d bytes, %s", name, len(data), how), data, opt)
				if c.Table.Stats.Flowed > shipmentGroups*groupSize {
					sent++
				}
			}
		}
	}
	t.Logf("%d captures of more than a shipment", sent)
	if sent < 20 {
		t.Errorf("%d captures of more than a shipment", sent)
	}
}

// spoiltIf spoils a capture of which there is anything.
func spoiltIf(rng *rand.Rand, data []byte) []byte {
	if len(data) <= pcapHeader {
		return nil
	}
	return spoilt(rng, data)
}

// TestQuotesKeepTheirPlaceInARelay floods a small table with datagrams and the unreachables that quote them: which flows a full
// table evicts depends on where among the packets each quote came.
func TestQuotesKeepTheirPlaceInARelay(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	w := newFileWriter(false)
	w.pcapHeader(magicMicros, 0, uint32(LinkRaw))
	const icmp = "4500%04x 00020000 40010000 0a000009 0a000001 0301 0000 00000000"
	query, unreachable := join(t, udp32, dns), join(t, fmt.Sprintf(icmp, 60), udp32, dns)
	for i := range 20_000 {
		frame := query
		if rng.IntN(3) == 0 {
			frame = unreachable
		}
		binary.BigEndian.PutUint16(frame[len(frame)-len(query)+20:], uint16(rng.IntN(3000)))
		w.record(uint32(i/100), uint32(i%100), frame)
	}
	c := asideToo(t, "quotes", w.Bytes(), func() Options { return Options{MaxFlows: 500} })
	quoted := 0
	for f := range c.Table.Flows {
		if f.FromA.Signs&Quoted != 0 {
			quoted++
		}
	}
	if c.Table.Stats.Evictions < 10 || quoted < 50 {
		t.Errorf("%d evictions, %d flows quoted", c.Table.Stats.Evictions, quoted)
	}
}

// TestRelayOfAMirroredCapture holds that copies and joined fragments go the way of all packets.
func TestRelayOfAMirroredCapture(t *testing.T) {
	for try := range uint64(4) {
		data := mirrored(rand.New(rand.NewPCG(try, 8)), 20_000)
		c := asideToo(t, fmt.Sprint("try ", try), data, func() Options { return Options{Dedup: try%2 == 0} })
		if s := &c.Table.Stats; s.Duplicates == 0 || s.FragmentsJoined == 0 {
			t.Fatalf("nothing to see: %+v", s)
		}
	}
}

// endsReader cancels its context, or fails, once so many bytes were read.
type endsReader struct {
	io.Reader
	left int
	then func() error
}

// Read implements io.Reader.
func (r *endsReader) Read(b []byte) (int, error) {
	if r.left <= 0 {
		if err := r.then(); err != nil {
			return 0, err
		}
	}
	n, err := r.Reader.Read(b)
	r.left -= n
	return n, err
}

// TestRelayOfAStreamThatEndsEarly holds that an interrupt or a failure leaves the same, to the packet, and counts everything.
func TestRelayOfAStreamThatEndsEarly(t *testing.T) {
	data := pcapOf(60_000, 300)
	for _, how := range []string{"interrupted", "failed"} {
		var captures [2]*Capture
		for i := range captures {
			ctx, cancel := context.WithCancel(context.Background())
			r := &endsReader{Reader: bytes.NewReader(data), left: len(data) / 2, then: func() error { return errors.New("broken") }}
			if how == "interrupted" {
				r.then = func() error { cancel(); return nil }
			}
			captures[i] = fromStdin(ctx, t, r, Options{aside: i == 1})
			cancel()
		}
		same(t, how, captures[0], captures[1])
		if c := captures[1]; c.Table.Stats.Read == 0 || c.Table.Stats.Read >= 60_000 || c.Interrupted != (how == "interrupted") || (c.Damage != nil) != (how == "failed") {
			t.Errorf("%s: %d packets, interrupted %v, damage %v", how, c.Table.Stats.Read, c.Interrupted, c.Damage)
		}
	}
}

// TestPanicBesideTheReaderIsTold holds that a panic where flows are counted becomes one of the goroutine that reads, which is
// where the command tells of it.
func TestPanicBesideTheReaderIsTold(t *testing.T) {
	defer func() {
		if fault := fmt.Sprint(recover()); !strings.Contains(fault, "no such machine") || !strings.Contains(fault, "countGroup") {
			t.Errorf("the fault is told as %q", fault)
		}
	}()
	n := 0
	keep := func(netip.Addr) bool {
		if n++; n == 1000 {
			panic("no such machine")
		}
		return false
	}
	fromStdin(context.Background(), t, bytes.NewReader(pcapOf(200_000, 5000)), Options{MaxFlows: 10_000, Keep: keep, aside: true})
	t.Error("nothing was told")
}

// TestPlanCountsFlowsOfStreamsAside holds that what can only be read from its beginning gets a second goroutine where there is a
// processor for it, and gives what it gives without.
func TestPlanCountsFlowsOfStreamsAside(t *testing.T) {
	data := pcapOf(50_000, 2000)
	var captures [2]*Capture
	for i, workers := range []int{1, 2} {
		inputs, err := Open([]string{"-"}, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		plan := NewPlan(inputs, workers, Options{}, nil)
		for task := range plan.Tasks() {
			plan.Read(context.Background(), task)
		}
		captures[i] = plan.Captures()[0]
	}
	same(t, "two workers", captures[0], captures[1])
}
