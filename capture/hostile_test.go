package capture

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// probes returns the mean number of slots that finding a key of the index takes.
func probes(x *index, keys []key) float64 {
	total := 0
	for i := range keys {
		tag := x.tag(&keys[i])
		for slot := tag & x.mask; ; slot = (slot + 1) & x.mask {
			total++
			if uint32(x.slots[slot]>>32) == tag {
				break
			}
		}
	}
	return float64(total) / float64(len(keys))
}

// TestNobodyCanAimAtASlot is fault 18: flows whose keys fall into one slot under the seed of one process, or of a hash
// without a seed, are spread by another's.
func TestNobodyCanAimAtASlot(t *testing.T) {
	flows := 100_000
	if testing.Short() {
		flows = 10_000
	}
	known := new(index) // the attacker's guess: every seed the same
	known.grow()
	for i := range known.seed {
		known.seed[i] = 0x9e3779b97f4a7c15
	}
	rng := rand.New(rand.NewPCG(18, 18))
	aimed := make([]key, 0, flows)
	const mask = 0x1ff // one slot of 512: 51 million keys are tried for them
	for len(aimed) < flows {
		p := segment(rng.Uint32(), 10<<24|1, uint16(rng.Uint32()), uint16(rng.Uint32()), SYN)
		if k, _ := p.key(); known.tag(&k)&mask == 0 {
			aimed = append(aimed, k)
		}
	}
	var table Table
	for i := range aimed {
		table.rowOf(&aimed[i], 0)
	}
	guessed := Table{index: *known}
	for i := range aimed {
		guessed.rowOf(&aimed[i], 0)
	}
	mean, hit := probes(&table.index, aimed), probes(&guessed.index, aimed)
	t.Logf("%d aimed flows: %.2f probes on the average; had the seed been guessed, %.0f", flows, mean, hit)
	if mean >= 4 {
		t.Errorf("%.2f probes on the average, want less than 4", mean)
	}
	if hit < 50 {
		t.Errorf("the keys are not aimed: %.2f probes under the seed they were made for", hit)
	}
}

// TestTablesAreSeeded holds that two tables hash differently.
func TestTablesAreSeeded(t *testing.T) {
	var a, b index
	a.grow()
	b.grow()
	k, _ := (&Packet{Proto: TCP, family: familyIPv4, srcPort: 1, dstPort: 2}).key()
	if a.seed == b.seed || a.tag(&k) == b.tag(&k) {
		t.Errorf("two tables share the seeds %x", a.seed)
	}
}

// TestTimesMayJump is fault 20 at the table: an hour back, fifty years forward, all equal, and to the ends of what a time
// can be. No packet is lost, and none of them makes a duration negative.
func TestTimesMayJump(t *testing.T) {
	const second, start = 1e9, 1445421600e9
	tests := []struct {
		name string
		at   func(i int) int64
	}{
		{"an hour back", func(i int) int64 {
			if i >= 50 {
				return start + int64(i)*second - 3600*second
			}
			return start + int64(i)*second
		}},
		{"fifty years forward and back", func(i int) int64 { return start + int64(i%2)*50*365*86400*second }},
		{"all equal", func(int) int64 { return start }},
		{"the ends of time", func(i int) int64 { return []int64{math.MinInt64, 0, math.MaxInt64}[i%3] }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := newGatherer(Options{})
			for i := range 100 {
				f := wholeFrame(tcpFrame(i%4, i%8 > 3))
				f.Nanos, f.Number = tt.at(i), uint64(i+1)
				g.take(f)
			}
			table := g.finish()
			if table.Len() != 4 || table.Stats.Flowed != 100 || !table.Stats.Balanced() {
				t.Fatalf("%d flows of %d packets, want 4 of 100", table.Len(), table.Stats.Flowed)
			}
			for f := range table.Flows {
				for _, s := range []*Side{&f.FromA, &f.FromB} {
					if s.Packets == 0 || s.First > s.Last || s.Signs&ACK != 0 && (s.LastACK < s.First || s.LastACK > s.Last) {
						t.Errorf("%v: %+v", f.A, s)
					}
				}
				checkSeconds(t, &f)
			}
		})
	}
}

// wholeFrame returns an Ethernet frame, whole.
func wholeFrame(b []byte) *Frame { return &Frame{Link: LinkEthernet, Data: b, WireLen: len(b)} }

// checkSeconds holds that a flow's seconds are in order and no more than its packets.
func checkSeconds(t *testing.T, f *Flow) {
	t.Helper()
	last := int64(math.MinInt64)
	for i, run := range f.Seconds {
		if run.Last < run.First || i > 0 && run.First <= last+1 {
			t.Errorf("%v: seconds %v", f.A, f.Seconds)
		}
		last = run.Last
	}
	if n := f.Seconds.Len(); n < 1 || uint64(n) > f.FromA.Packets+f.FromB.Packets {
		t.Errorf("%v: %d seconds of %d packets", f.A, n, f.FromA.Packets+f.FromB.Packets)
	}
}

// ExampleSegment shows what a segment is.
func ExampleSegment() {
	id, ok := Segment(11).VLAN()
	fmt.Println(id, ok)
	// Output: 10 true
}
