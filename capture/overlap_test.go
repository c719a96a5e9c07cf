package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// portOf returns a capture of some of n packets 1 ms apart, as a mirrored port with a clock of its own shows them.
func portOf(n int, late uint64, shown func(i int) bool) []byte {
	w := newFileWriter(false)
	w.pcapHeader(magicNanos, 0, 1)
	for i := range n {
		if !shown(i) {
			continue
		}
		frame := tcpFrame(i%100, i%2 == 1)
		binary.BigEndian.PutUint16(frame[18:], uint16(i))
		binary.BigEndian.PutUint32(frame[38:], uint32(i))
		frame[22] -= byte(late) // one hop on
		ns := uint64(i)*1e6 + late
		w.record(uint32(1445421600+ns/1e9), uint32(ns%1e9), frame)
	}
	return w.Bytes()
}

// captured reads captures from files that are opened together.
func captured(t *testing.T, files map[string]string) []*Capture {
	t.Helper()
	inFolder(t, files)
	inputs, err := Open([]string{"."}, nil)
	if err != nil {
		t.Fatal(err)
	}
	captures := make([]*Capture, len(inputs))
	for i, in := range inputs {
		captures[i] = in.Read(context.Background(), Options{File: uint32(i)})
	}
	return captures
}

// TestOverlaps is fault 9: what two captures show of the same packets is found, and estimated well.
func TestOverlaps(t *testing.T) {
	const n = 40_000
	all := func(int) bool { return true }
	whole := portOf(n, 0, all)
	for _, tt := range []struct {
		name  string
		other []byte
		share float64 // of the smaller; 0: no overlap is found
		same  bool
	}{
		{"the same bytes", whole, 0, true},
		{"another port, one hop on", portOf(n, 1, all), 1, false},
		{"a port that shows half of it", portOf(n, 1, func(i int) bool { return i%2 == 0 }), 1, false},
		{"half is in both", portOf(n+n/2, 1, func(i int) bool { return i >= n/2 }), 0.5, false},
		{"a tenth is in both", portOf(2*n-n/10, 1, func(i int) bool { return i >= n-n/10 }), 0.1, false},
		{"the next file of a ring", portOf(2*n, 1, func(i int) bool { return i >= n-3 }), 0, false},
		{"another network", portOf(n, 77, func(i int) bool { return false }), 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			captures := captured(t, map[string]string{"a": string(whole), "b": string(tt.other)})
			got, left := Overlaps(captures)
			switch {
			case left != 0 || len(got) > 1:
				t.Fatalf("%d overlaps, %d not compared", len(got), left)
			case len(got) == 0:
				if tt.share != 0 || tt.same {
					t.Error("no overlap found")
				}
			case got[0].Same != tt.same || !tt.same && math.Abs(got[0].Share-tt.share) > 0.05 || tt.share == 0 && !tt.same:
				t.Errorf("got %+v, want %.2f, same %v", got[0], tt.share, tt.same)
			}
		})
	}
}

// TestSamplesObeyTheLaw holds that the sample of a union is the smallest of the samples, in any order.
func TestSamplesObeyTheLaw(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	hashes := make([]uint64, 9000)
	for i := range hashes {
		hashes[i] = r.Uint64N(6000) * 0x9e3779b97f4a7c15
	}
	whole := newSampler(maxSample)
	for _, h := range hashes {
		whole.add(h)
	}
	parts := newSampler(maxSample)
	r.Shuffle(len(hashes), func(i, j int) { hashes[i], hashes[j] = hashes[j], hashes[i] })
	for part := range slices.Chunk(hashes, 1700) {
		one := newSampler(maxSample)
		for _, h := range part {
			one.add(h)
		}
		for _, h := range one.sample().Hashes {
			parts.add(h)
		}
	}
	if diff := cmp.Diff(whole.sample().Hashes, parts.sample().Hashes); diff != "" {
		t.Errorf("(-whole +parts):\n%s", diff)
	}
}

// TestTenThousandFiles is fault 9: ten thousand inputs need no more descriptors than one, and little memory for the samples.
func TestTenThousandFiles(t *testing.T) {
	files := 10_000
	if testing.Short() {
		files = 1_000
	}
	dir := t.TempDir()
	for i := range files {
		w := newFileWriter(false)
		w.pcapHeader(magicMicros, 0, 1)
		w.record(uint32(1445421600+i), 0, tcpFrame(i, false))
		if err := os.WriteFile(fmt.Sprintf("%s/%05d.pcap", dir, i), w.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	limitDescriptors(t, 40)
	inputs, err := Open([]string{dir}, nil)
	if err != nil || len(inputs) != files {
		t.Fatalf("%d inputs, %v", len(inputs), err)
	}
	captures := make([]*Capture, files)
	for i, in := range inputs {
		captures[i] = in.Read(context.Background(), Options{File: uint32(i)})
		if c := captures[i]; c.Damage != nil || c.Table.Stats.Flowed != 1 {
			t.Fatalf("%s: damage %v", c.Name, c.Damage)
		}
	}
	start := time.Now()
	if overlaps, left := Overlaps(captures); len(overlaps) != 0 || left != 0 {
		t.Errorf("%d overlaps, %d not compared", len(overlaps), left)
	}
	t.Logf("compared in %v", time.Since(start))
}

// TestFilesThatChange is fault 8: one that grows is read to the end it had, one that shrinks or is replaced is damage.
func TestFilesThatChange(t *testing.T) {
	whole := pcapOf(100, 3)
	for _, tt := range []struct {
		name    string
		change  func(path string) error
		packets uint64
		damage  string
	}{
		{"it grows", func(path string) error {
			return os.WriteFile(path, append(bytes.Clone(whole), whole[pcapHeader:]...), 0o600)
		}, 100, ""},
		{"it grows by half a record", func(path string) error {
			return os.WriteFile(path, append(bytes.Clone(whole), whole[pcapHeader:pcapHeader+50]...), 0o600)
		}, 100, ""},
		{"it shrinks to a boundary", func(path string) error { return os.Truncate(path, pcapHeader+10*170) }, 10, "at byte 1724: the file became shorter: it had 17024 bytes"},
		{"it shrinks to none", func(path string) error { return os.Truncate(path, pcapHeader+10*170+5) }, 10, "at byte 1724: cut inside a record header: 5 of 16 bytes"},
		{"another takes its place", func(path string) error {
			if err := os.WriteFile(path+".new", whole, 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}, 0, "at byte 0: another file than the one that was opened is there now"},
		{"it vanishes", os.Remove, 0, "at byte 0: open lab: no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inFolder(t, map[string]string{"lab": string(whole)})
			inputs, err := Open([]string{"lab"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.change("lab"); err != nil {
				t.Fatal(err)
			}
			c := inputs[0].Read(context.Background(), Options{})
			got := ""
			if c.Damage != nil {
				got = c.Damage.Error()
			}
			if got != tt.damage || c.Table.Stats.Flowed != tt.packets {
				t.Errorf("%d packets, damage %q, want %d, %q", c.Table.Stats.Flowed, got, tt.packets, tt.damage)
			}
		})
	}
}

func TestShiftMovesEveryTime(t *testing.T) {
	inFolder(t, map[string]string{"lab": string(damageSeeds(t)["pcapng"])})
	inputs, err := Open([]string{"lab"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := inputs[0].Read(context.Background(), Options{})
	inputs[0].Shift = -1250 * time.Millisecond
	c := inputs[0].Read(context.Background(), Options{})
	if by := int64(inputs[0].Shift); c.First != plain.First+by || c.Last != plain.Last+by || c.Shift != by {
		t.Errorf("from %d to %d, want %d to %d", c.First, c.Last, plain.First+by, plain.Last+by)
	}
}

// TestDuplicateRatio is fault 22: every packet twice, 1 to 200 µs apart, the second one hop on in another VLAN.
func TestDuplicateRatio(t *testing.T) {
	const packets = 100_000
	r := rand.New(rand.NewPCG(22, 22))
	type copied struct {
		at    uint64
		frame []byte
	}
	var all []copied
	for i := range packets {
		frame := tcpFrame(i%500, i%2 == 1)
		binary.BigEndian.PutUint16(frame[18:], uint16(i))
		binary.BigEndian.PutUint32(frame[38:], uint32(i))
		second := tagged(frame, 7)
		second[26]-- // TTL
		at := uint64(i) * 2000
		all = append(all, copied{at, frame}, copied{at + 1000 + r.Uint64N(199_000), second})
	}
	slices.SortStableFunc(all, func(a, b copied) int { return int(int64(a.at) - int64(b.at)) })
	w := newFileWriter(false)
	w.pcapHeader(magicNanos, 0, 1)
	for _, p := range all {
		w.record(uint32(1445421600+p.at/1e9), uint32(p.at%1e9), p.frame)
	}
	for _, drop := range []bool{false, true} {
		c := readFile(t, w.Bytes(), Options{Dedup: drop})
		s := &c.Table.Stats
		ratio := float64(s.Duplicates) / float64(s.Read)
		if math.Abs(ratio-0.5) > 0.001 {
			t.Errorf("ratio %.4f, want 0.5", ratio)
		}
		if left := s.Read - s.Skipped[IgnoredDuplicate]; drop && math.Abs(float64(left)/packets-1) > 0.001 {
			t.Errorf("%d packets left of %d", left, packets)
		}
		t.Logf("dropped %v: ratio %.5f", drop, ratio)
	}
}
