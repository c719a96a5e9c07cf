package capture

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// gatheredBy returns what taking frames leads to, by blocks or the plain way.
func gatheredBy(frames []Frame, opt Options, hashes *duplicates, quick bool) *gatherer {
	g := newGatherer(opt)
	g.shift = 7
	g.duplicates.seed, g.duplicates.mix = hashes.seed, hashes.mix
	if quick {
		g.takeBlock(frames)
	} else {
		for i := range frames {
			g.take(&frames[i])
		}
	}
	g.finish()
	return g
}

// alike wants both ways to lead to the same.
func alike(t *testing.T, frames []Frame, opt Options) {
	t.Helper()
	hashes := newDuplicates() // one seed for both: what shares a bucket displaces each other
	plain, quick := gatheredBy(append([]Frame(nil), frames...), opt, hashes, false), gatheredBy(append([]Frame(nil), frames...), opt, hashes, true)
	options := cmp.Options{compareNetip, comparePorts, cmpopts.EquateEmpty()}
	if diff := cmp.Diff(sorted(plain.table), sorted(quick.table), options); diff != "" {
		t.Fatalf("flows differ (-plain +quick):\n%s", diff)
	}
	if diff := cmp.Diff(plain.table.Stats, quick.table.Stats, options); diff != "" {
		t.Fatalf("counts differ (-plain +quick):\n%s", diff)
	}
	if diff := cmp.Diff(plain.table.Others, quick.table.Others, options); diff != "" {
		t.Fatalf("others differ (-plain +quick):\n%s", diff)
	}
	if diff := cmp.Diff(plain.sampler.sample(), quick.sampler.sample()); diff != "" {
		t.Fatalf("samples differ (-plain +quick):\n%s", diff)
	}
	if plain.digest != quick.digest || plain.any != quick.any || plain.good != quick.good {
		t.Fatalf("digest and times: %x %v %v by the plain way, %x %v %v by the quick", plain.digest, plain.any, plain.good, quick.digest, quick.any, quick.good)
	}
}

// FuzzQuick changes bytes of good frames, each taken twice so that there are second copies, and holds that takeQuick leads
// to what the decoder, the detector of copies and Table.Add do. A program is a frame's number, an offset and a new byte.
func FuzzQuick(f *testing.F) {
	f.Add([]byte{0, 12, 8}, false, uint8(0))
	f.Add([]byte{1, 47, 2, 1, 47, 18, 2, 20, 0x20, 3, 14, 0x46, 4, 23, 1}, true, uint8(1))
	f.Add([]byte{5, 37, 181, 6, 16, 9, 0, 17, 200, 0, 47, 4}, true, uint8(30))
	f.Fuzz(func(t *testing.T, program []byte, drop bool, snap uint8) {
		var frames []Frame
		for n := 0; len(program) >= 3 && n < 64; n, program = n+1, program[3:] {
			b := quickFrame(t, program[0])
			b[int(program[1])%len(b)] = program[2]
			wire := len(b)
			if snap > 0 && program[0]&1 == 1 {
				b = b[:min(len(b), int(snap))]
			}
			for i := range 2 {
				frames = append(frames, Frame{
					Link: LinkEthernet, Data: b, WireLen: wire, Nanos: 1445421600e9 + int64(n)*3e8 + int64(i)*1000, Number: uint64(2*n + i + 1),
				})
			}
		}
		alike(t, frames, Options{Dedup: drop, Segments: drop, File: 3})
	})
}

// quickFrame returns one of the frames that FuzzQuick changes.
func quickFrame(t *testing.T, which byte) []byte {
	b := tcpFrame(int(which>>4), which&1 == 1)
	switch which % 5 {
	case 1:
		b = tagged(b, which>>3)
	case 2:
		b = append(join(t, ether4, udp32, dns), make([]byte, 20)...)
	case 3:
		b = append(join(t, ether6, ip6(12, 17), dns), make([]byte, 20)...)
	case 4:
		b[47] = 2
		binary.BigEndian.PutUint32(b[38:], uint32(which))
	}
	return b
}

// TestQuickEqualsPlain does as FuzzQuick, with random changes where they matter.
func TestQuickEqualsPlain(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var frames []Frame
		for n := range 200 {
			b := quickFrame(t, byte(rng.Uint32()))
			if rng.IntN(2) == 0 {
				b[rng.IntN(min(len(b), 60))] = byte(rng.Uint32())
			}
			wire := len(b)
			if rng.IntN(8) == 0 {
				b = b[:rng.IntN(len(b)+1)]
			}
			f := Frame{Link: LinkEthernet, Data: b, WireLen: wire, Nanos: 1445421600e9 + rng.Int64N(100e9), Number: uint64(n + 1)}
			f.BadTime = rng.IntN(50) == 0
			frames = append(frames, f)
			if rng.IntN(4) == 0 {
				frames = append(frames, f)
			}
		}
		alike(t, frames, Options{Dedup: seed%2 == 0, Segments: seed%3 == 0, File: uint32(seed)})
	}
}
