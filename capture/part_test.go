package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// opened writes a capture to a file and recognises it.
func opened(t testing.TB, data []byte) *Input {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	inputs, err := Open([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return inputs[0]
}

// inParts reads an input in parts that begin where they may near the places given, and says how many there were and how
// many of them fitted.
func inParts(t testing.TB, in *Input, opt Options, near []int64) (c *Capture, parts, fitted int) {
	t.Helper()
	x := in.begin(opt)
	x.divide(near, opt.spareRoom())
	return sideBySide(x)
}

// sideBySide does all that is to be done for a reading.
func sideBySide(x *reading) (c *Capture, parts, fitted int) {
	var wait sync.WaitGroup
	wait.Go(func() { x.lead(context.Background()) })
	for _, p := range x.parts {
		wait.Go(func() { p.read(context.Background(), x.told.add) })
	}
	wait.Wait()
	all := slices.Clone(x.parts)
	c = x.finish(context.Background())
	for _, p := range all {
		if p.taken {
			fitted++
		}
	}
	return c, len(all), fitted
}

// same holds that two captures are the same in everything that can be seen.
func same(t testing.TB, what string, want, got *Capture) {
	t.Helper()
	options := cmp.Options{cmpopts.IgnoreUnexported(Table{}, Capture{}), cmpopts.IgnoreFields(Table{}, "Pool", "Keep"), compareNetip, comparePorts, cmpopts.EquateEmpty()}
	if diff := cmp.Diff(want, got, options); diff != "" {
		t.Fatalf("%s (-whole +in parts):\n%s", what, diff)
	}
	if want, got := sorted(want.Table), sorted(got.Table); !reflect.DeepEqual(want, got) { // a hundredth of the time of telling what differs
		if diff := cmp.Diff(want, got, options); diff != "" {
			t.Fatalf("%s, flows (-whole +in parts):\n%s", what, diff)
		}
	}
	if !got.Table.Stats.Balanced() {
		t.Fatalf("%s: not balanced: %+v", what, got.Table.Stats)
	}
}

// repeated returns a capture that holds the records of another, without its end, so often that it can be cut, each copy a
// second after the one before.
func repeated(data []byte, least int) []byte {
	r, err := readerOf(data, bytes.NewReader(data))
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	out.Write(data[:pcapHeader])
	if _, ok := r.(*pcapReader); !ok || len(data) == pcapHeader {
		return nil
	}
	for copies := uint32(0); out.Len() < least; copies++ {
		r, _ := readerOf(data, bytes.NewReader(data))
		var f Frame
		at := int64(pcapHeader)
		for r.Next(&f) == nil && len(r.state().damages) == 0 {
			record := bytes.Clone(data[at:r.state().offset()])
			order := byteOrder(r.(*pcapReader).big)
			order.PutUint32(record, order.Uint32(record)+copies)
			out.Write(record)
			at = r.state().offset()
		}
		if at == pcapHeader {
			return nil
		}
	}
	return out.Bytes()
}

// places returns random places in a file, ascending.
func places(rng *rand.Rand, size, n int) []int64 {
	near := make([]int64, n)
	for i := range near {
		near[i] = rng.Int64N(int64(size))
	}
	slices.Sort(near)
	return near
}

// TestPartsReadAlike holds that a file read in parts shows what it does when it is read from its beginning, wherever the
// parts begin and whatever is in it.
func TestPartsReadAlike(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	parts, fitted := 0, 0
	options := []Options{{}, {Dedup: true}, {Segments: true, Filter: func(f *Frame) bool { return f.WireLen%3 != 0 }}, {MaxFlows: 40}}
	for name, data := range corpus(t) {
		for i, data := range [][]byte{data, repeated(data, 800<<10)} {
			if len(data) <= pcapHeader || i == 1 && (testing.Short() || rng.IntN(3) > 0) {
				continue
			}
			for try := range 2 {
				if try == 1 && rng.IntN(2) == 0 {
					data = spoilt(rng, data)
				}
				opt := options[rng.IntN(len(options))]
				in := opened(t, data)
				near := places(rng, len(data), 1+rng.IntN(6))
				got, n, ok := inParts(t, in, opt, near)
				if parts, fitted = parts+n, fitted+ok; n == 0 {
					continue
				}
				same(t, fmt.Sprintf("%s, copies %v, %d, near %v", name, i == 1, try, near), in.Read(context.Background(), opt), got)
			}
		}
	}
	t.Logf("%d parts, %d fitted", parts, fitted)
	if parts < 20 || fitted < parts/2 {
		t.Errorf("of %d parts %d fitted", parts, fitted)
	}
}

// TestPartsThatBeginAnywhere holds that nothing is believed of where a part begins: neither a place inside a packet nor one
// that is no chain of records changes what is read.
func TestPartsThatBeginAnywhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	data := pcapOf(3000, 50)
	in := opened(t, data)
	want := in.Read(context.Background(), Options{})
	for range 50 {
		x := in.begin(Options{})
		at := places(rng, len(data), 6)
		first := x.source.fork(x.from.at, x.stream.offset(), x.stream.size)
		for i := 0; i+1 < len(at); i += 2 {
			r := ranged{at[i], at[i+1], int64(len(data))}
			if i+3 < len(at) {
				r.end = at[i+3]
			}
			x.parts = append(x.parts, &filePart{ranged: r, source: first.fork(x.from.at, r.prefix, int64(len(data))), gatherer: x.gatherer.fork()})
		}
		got, _, _ := sideBySide(x)
		same(t, fmt.Sprint("parts at ", at), want, got)
	}
}

// TestPartsOfAFileThatShrinks holds that what is left of a file that becomes shorter while it is read is counted.
func TestPartsOfAFileThatShrinks(t *testing.T) {
	data := pcapOf(20_000, 50)
	record := int64(len(data)-pcapHeader) / 20_000
	for _, left := range []int64{3 * int64(len(data)) / 4, int64(len(data)) / 4} {
		in := opened(t, data)
		x := in.begin(Options{})
		x.divide([]int64{int64(len(data)) / 2}, nil)
		if len(x.parts) != 1 {
			t.Fatalf("%d parts", len(x.parts))
		}
		if err := os.Truncate(in.Name, left); err != nil {
			t.Fatal(err)
		}
		c, _, _ := sideBySide(x)
		if c.Damage == nil || c.Table.Stats.Read > uint64(len(data))/uint64(record) || c.Table.Stats.Read < uint64((left-pcapHeader)/record) {
			t.Errorf("%d bytes left: %d packets, damage %v", left, c.Table.Stats.Read, c.Damage)
		}
		if !c.Table.Stats.Balanced() {
			t.Errorf("not balanced: %+v", c.Table.Stats)
		}
	}
}

// mirrored returns a capture whose every packet is there twice, in nanoseconds apart that straddle any seam, of a few flows
// with fragments whose first is far before their last, and times that sometimes step back.
func mirrored(rng *rand.Rand, n int) []byte {
	w := newFileWriter(false)
	w.pcapHeader(magicNanos, 0, 1)
	now := uint64(1445421600e9)
	record := func(at uint64, frame []byte) {
		w.record(uint32(at/1e9), uint32(at%1e9), frame)
	}
	for i := range n {
		now += rng.Uint64N(40_000)
		frame := tcpFrame(i%50, i%2 == 1)
		binary.BigEndian.PutUint16(frame[18:], uint16(i))
		if rng.IntN(50) == 0 { // a fragment: first, middle or last, of one of a few packets
			binary.BigEndian.PutUint16(frame[18:], uint16(rng.IntN(5)))
			binary.BigEndian.PutUint16(frame[20:], []uint16{0x2000, 0x2010, 0x0020}[rng.IntN(3)])
		}
		record(now, frame)
		if rng.IntN(3) > 0 {
			record(now+rng.Uint64N(30_000)-rng.Uint64N(10_000), frame)
		}
	}
	return w.Bytes()
}

// TestPartsOfAMirroredCapture holds that copies and fragments are known across a seam, which is where it is hard.
func TestPartsOfAMirroredCapture(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	parts, fitted := 0, 0
	for try := range 20 {
		data := mirrored(rng, 5000)
		opt := Options{Dedup: try%2 == 0}
		in := opened(t, data)
		near := places(rng, len(data), 3)
		got, n, ok := inParts(t, in, opt, near)
		parts, fitted = parts+n, fitted+ok
		want := in.Read(context.Background(), opt)
		if want.Table.Stats.Duplicates == 0 || want.Table.Stats.FragmentsJoined == 0 {
			t.Fatalf("nothing to see: %+v", want.Table.Stats)
		}
		same(t, fmt.Sprint("try ", try, " near ", near), want, got)
	}
	t.Logf("%d parts, %d fitted", parts, fitted)
	if parts == 0 || fitted < parts/2 {
		t.Errorf("of %d parts %d fitted", parts, fitted)
	}
}
