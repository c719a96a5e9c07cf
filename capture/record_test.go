package capture

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestSizesOfRecords is what a flow costs: more is a decision.
func TestSizesOfRecords(t *testing.T) {
	for _, tt := range []struct {
		name      string
		got, want uintptr
	}{
		{"a record, with the side seen first: a cache line", unsafe.Sizeof(record{}), 64},
		{"the other side, and the seconds of all but brief flows: another", unsafe.Sizeof(annex{}), 64},
		{"a side", unsafe.Sizeof(side{}), 48},
		{"seconds", unsafe.Sizeof(recent{}), 16},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %d bytes, want %d", tt.name, tt.got, tt.want)
		}
	}
}

// TestSidesAddWhatHalvesDo adds packets with the extremes of every field, mostly one like the one before, to a record and
// to the plain form.
func TestSidesAddWhatHalvesDo(t *testing.T) {
	kinds := []Signs{0, ACK, ACK | Payload, ACK | FIN, SYN, SYNACK, RST, RST | FIN, Cut, Fragment | Payload}
	small, brief := 0, 0
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 11))
		var table Table
		k := key{tail: uint64(TCP)<<8 | uint64(familyIPv4)}
		var want [2]half
		var seconds Seconds
		var p sighting
		p.ns, p.frame = rng.Int64N(1e18), 1
		for range 1 + rng.IntN(12) {
			p.ns += []int64{0, 1, 1e6, 5e9, -3, -2e9, 1 << 48, 1<<48 - 1, math.MaxInt64 / 2}[min(rng.IntN(20), 8)*rng.IntN(2)]
			p.frame += []uint64{1, 2, math.MaxUint32, 1 << 40}[rng.IntN(40)/10*rng.IntN(2)*rng.IntN(2)]
			p.file = []uint32{0, 0, 0, 1, math.MaxUint16 + 1}[rng.IntN(5)*rng.IntN(2)*rng.IntN(2)]
			p.wireLen = []uint32{60, 1514, math.MaxInt32}[rng.IntN(3)]
			p.content = []uint32{0, 1460, math.MaxInt32}[rng.IntN(3)]
			p.signs, p.number, p.from = kinds[rng.IntN(len(kinds))], rng.Uint32N(3), uint8(rng.IntN(3)/2)
			r := table.rowOf(&k, int(p.from))
			table.count(r, &p)
			h := &want[p.from]
			if p.signs&handshake != 0 && !h.hasISN {
				h.isn, h.hasISN = p.number, true
			}
			h.add(&p)
			seconds.Add(floorSecond(p.ns))
		}
		r := table.rowOf(&k, 0)
		if f := table.clean(r); !slices.Equal(f.Seconds, seconds) {
			t.Fatalf("seed %d: seconds %v, want %v", seed, f.Seconds, seconds)
		}
		if got := table.halves(r); got != want {
			t.Fatalf("seed %d (-plain +record):\n%s", seed, cmp.Diff(want, got, cmp.AllowUnexported(half{})))
		}
		for from, h := range want {
			var clean, plain Side
			table.show(r, from, &clean)
			h.show(&plain)
			if diff := cmp.Diff(plain, clean); diff != "" {
				t.Fatalf("seed %d (-plain +shown):\n%s", seed, diff)
			}
		}
		if table.wides.len() == 0 {
			small++
		}
		if !r.annexed() {
			brief++
		}
	}
	if brief < 100 {
		t.Errorf("%d of 2000 flows are brief", brief)
	}
	if small < 100 || small > 1900 {
		t.Errorf("%d of 2000 records say all by themselves: the test is to try both", small)
	}
}

// TestLaterSidesAddWhatHalvesDo merges a part of a file, numbered from one on, into the part before it, and holds the flow
// against the plain form of all its packets.
func TestLaterSidesAddWhatHalvesDo(t *testing.T) {
	kinds := []Signs{0, ACK, ACK | Payload, ACK | FIN, SYN, SYNACK, RST, RST | FIN, Cut}
	small := 0
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 17))
		parts := [2]Table{1: {before: []uint64{10, 10, 1 << 31, math.MaxUint32 - 2}[rng.IntN(4)]}}
		k := key{tail: uint64(TCP)<<8 | uint64(familyIPv4)}
		var want [2]half
		var seconds Seconds
		usual, ns := rng.IntN(len(kinds)), rng.Int64N(1e18)
		for i := range parts {
			for frame := range uint64(rng.IntN(5)) {
				ns += []int64{0, 1e6, 5e9, 1e9, -2e9, 1 << 48, math.MaxInt64 / 8}[min(rng.IntN(14), 6)*rng.IntN(2)]
				p := sighting{ns: ns, frame: frame + 1, from: uint8(rng.IntN(3) / 2), signs: kinds[usual], number: rng.Uint32N(2)}
				if rng.IntN(6) == 0 {
					p.signs = kinds[rng.IntN(len(kinds))]
				}
				p.wireLen = []uint32{60, 1514, math.MaxInt32}[rng.IntN(9)/4]
				p.content = p.wireLen - 60
				parts[i].count(parts[i].rowOf(&k, int(p.from)), &p)
				p.frame += parts[i].before
				h := &want[p.from]
				if p.signs&handshake != 0 && !h.hasISN {
					h.isn, h.hasISN = p.number, true
				}
				h.add(&p)
				seconds.Add(floorSecond(p.ns))
			}
		}
		if len(seconds) == 0 {
			continue
		}
		parts[0].Merge(&parts[1])
		r := parts[0].rowOf(&k, 0)
		if got := parts[0].halves(r); got != want {
			t.Fatalf("seed %d (-plain +merged):\n%s", seed, cmp.Diff(want, got, cmp.AllowUnexported(half{})))
		}
		if f := parts[0].clean(r); !slices.Equal(f.Seconds, seconds) {
			t.Fatalf("seed %d: seconds %v, want %v", seed, f.Seconds, seconds)
		}
		if parts[0].wides.len() == 0 {
			small++
		}
	}
	if small < 500 || small > 3500 {
		t.Errorf("%d of 4000 records say all by themselves: the test is to try both", small)
	}
}

// TestRecentSecondsAreThoseOfASet adds seconds near each other, far apart, and out of any order.
func TestRecentSecondsAreThoseOfASet(t *testing.T) {
	steps := []int64{0, 1, 1, 1, 2, 10, 63, 64, 65, 200, -1, -5, -64, -300, 1 << 32, -1 << 33}
	apart := 0
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 5))
		var table Table
		r := table.rowOf(&key{tail: uint64(familyIPv4)}, 0)
		var want Seconds
		few := 4 + rng.IntN(len(steps)-3)
		second := rng.Int64N(1<<33) - rng.Int64N(2)*1<<32
		for range 1 + rng.IntN(200) {
			table.addSecond(r, table.annex(r), second)
			want.Add(second)
			second += steps[rng.IntN(few)]
		}
		rare := table.rare(r)
		if rare != nil {
			apart++
		} else {
			rare = new(rarity)
		}
		if got := table.secondsOf(r, rare, nil); !slices.Equal(got, want) {
			t.Fatalf("seed %d: seconds %v, want %v", seed, got, want)
		}
		if table.runs != rare.runs() {
			t.Fatalf("seed %d: %d runs counted, %d held", seed, table.runs, rare.runs())
		}
	}
	if apart < 300 || apart > 2900 {
		t.Errorf("%d of 3000 flows have runs apart: the test is to try both", apart)
	}
}

// TestShortFlowsNeedNoRuns names the flows whose seconds the record holds.
func TestShortFlowsNeedNoRuns(t *testing.T) {
	const hour = 3600
	tests := []struct {
		name    string
		seconds func(i int64) int64 // of packet i
		packets int64
		apart   bool
	}{
		{"one packet", func(int64) int64 { return 7 }, 1, false},
		{"a minute, now and then", func(i int64) int64 { return i * i }, 8, false},
		{"an hour, every second", func(i int64) int64 { return i }, hour, false},
		{"a minute backwards", func(i int64) int64 { return 60 - i }, 60, false},
		{"a heartbeat of ten seconds", func(i int64) int64 { return 10 * i }, 360, true},
		{"twice in an hour", func(i int64) int64 { return hour * i }, 2, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var table Table
			r := table.rowOf(&key{tail: uint64(familyIPv4)}, 0)
			for i := range tt.packets {
				table.addSecond(r, table.annex(r), 1445421600+tt.seconds(i))
			}
			if got := table.rare(r) != nil; got != tt.apart {
				t.Errorf("runs apart: %v, want %v", got, tt.apart)
			}
		})
	}
}

// TestSecondsAreCapped fills a capped table with flows seen every two minutes: together they keep as many runs as the cap
// says, and those that lost theirs still begin and end when they did.
func TestSecondsAreCapped(t *testing.T) {
	const flows, beats = 40, 3 * RunsPerFlow
	table := Table{MaxFlows: flows}
	for beat := range int64(beats) {
		for i := range uint32(flows) {
			p := datagram(10<<24|i, 10<<24|100, 902, 902)
			table.Add(&p, (1445421600+120*beat)*1e9, Ref{Frame: uint64(beat)*flows + uint64(i) + 1})
		}
	}
	held := 0
	for f := range table.Flows {
		held += len(f.Seconds)
		span, _ := f.Seconds.Span()
		if want := (Run{1445421600, 1445421600 + 120*(beats-1)}); span != want {
			t.Errorf("%v: seconds from %v, want %v", f.A, span, want)
		}
	}
	if most := flows * (RunsPerFlow + 1); held > most {
		t.Errorf("%d runs held, want at most %d", held, most)
	}
	if table.Stats.SecondsJoined == 0 || table.Stats.FoldedFlows != 0 {
		t.Errorf("%d joined, %d flows folded", table.Stats.SecondsJoined, table.Stats.FoldedFlows)
	}
}

// TestLookupsFindWhatFlowDoes looks keys up together and one by one, among them some that share a tag, some of one batch
// that are new, and some that were evicted since.
func TestLookupsFindWhatFlowDoes(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 13))
		together, single := Table{MaxFlows: int(seed%3) * 40}, Table{MaxFlows: int(seed%3) * 40}
		for range 40 {
			var l lookups
			var packets [len(l.keys)]Packet
			for l.n = range 1 + rng.IntN(len(l.keys)) {
				packets[l.n] = segment(10<<24|rng.Uint32N(40), 10<<24|rng.Uint32N(40), 1, uint16(rng.UintN(3)), SYN)
				if rng.IntN(3) == 0 {
					packets[l.n].family, packets[l.n].src.hi, packets[l.n].dst.hi = familyIPv6, 0x20010db8<<32, 0x20010db8<<32
				}
				l.keys[l.n], _ = packets[l.n].key()
			}
			together.find(&l)
			for i := range l.n {
				k := l.keys[i]
				r := together.found(&l, i, 0).record
				if together.key(r) != k {
					t.Fatalf("seed %d: %x found for %x", seed, together.key(r), k)
				}
				single.rowOf(&k, 0)
			}
		}
		if together.Len() != single.Len() {
			t.Fatalf("seed %d: %d flows by looking up together, %d one by one", seed, together.Len(), single.Len())
		}
		options := cmp.Options{compareNetip, comparePorts, cmpopts.EquateEmpty()}
		if diff := cmp.Diff(sorted(&single), sorted(&together), options); diff != "" {
			t.Fatalf("seed %d (-one by one +together):\n%s", seed, diff)
		}
	}
}

// TestAQueueCountsWhatOneByOneDoes counts packets as they come, and each before the next comes: flows that share tags, new ones of
// one group, flows that were evicted while their packets waited, and quotes.
func TestAQueueCountsWhatOneByOneDoes(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 17))
		queued, single := Table{MaxFlows: int(seed%3) * 40}, Table{MaxFlows: int(seed%3) * 40}
		for frame := range uint64(2000) {
			p := segment(10<<24|rng.Uint32N(12), 10<<24|rng.Uint32N(12), 1, uint16(rng.UintN(3)), []Signs{SYN, SYNACK, ACK, RST, 0}[rng.IntN(5)])
			if rng.IntN(3) == 0 {
				p.family, p.src.hi, p.dst.hi = familyIPv6, 0x20010db8<<32, 0x20010db8<<32
			}
			at, ref := int64(frame)*rng.Int64N(1e9), Ref{Frame: frame + 1}
			for _, table := range []*Table{&queued, &single} {
				if rng := rand.New(rand.NewPCG(seed, frame)); rng.IntN(10) == 0 {
					table.Quote(Quote{Packet: p, Kind: Quoted}, at, ref)
				} else {
					table.Add(&p, at, ref)
				}
			}
			single.flush()
		}
		queued.settle()
		single.settle()
		if single.Stats.Evictions == 0 && single.MaxFlows > 0 {
			t.Fatalf("seed %d: nothing was evicted", seed)
		}
		options := cmp.Options{compareNetip, comparePorts, cmpopts.EquateEmpty()}
		if diff := cmp.Diff(sorted(&single), sorted(&queued), options); diff != "" {
			t.Fatalf("seed %d (-one by one +queued):\n%s", seed, diff)
		}
		if diff := cmp.Diff(single.Folded, queued.Folded, options); diff != "" {
			t.Fatalf("seed %d, evicted (-one by one +queued):\n%s", seed, diff)
		}
	}
}

// TestPoolsKeepTheirValues takes and gives back numbers across every size of chunk.
func TestPoolsKeepTheirValues(t *testing.T) {
	var p pool[uint32]
	for i := range uint32(3*largestChunk + 5) {
		if n := p.take(); n != i {
			t.Fatalf("number %d given, want %d", n, i)
		}
		*p.at(i) = i + 1
	}
	for i := range p.n {
		if *p.at(i) != i+1 {
			t.Fatalf("number %d holds %d, want %d", i, *p.at(i), i+1)
		}
	}
	p.give(7)
	if p.len() != int(p.n)-1 || p.take() != 7 || *p.at(7) != 0 {
		t.Error("a number given back is not given again, or not empty")
	}
}

// TestMemoryOfAFlow measures what the table takes for a million scanned ports, a second apart or not.
func TestMemoryOfAFlow(t *testing.T) {
	const flows, most = 1 << 20, 90
	table := Table{MaxFlows: 2 * flows}
	for i := range uint64(flows) {
		p := segment(uint32(i), 10<<24, uint16(i>>16), 80, SYN)
		table.Add(&p, int64(i)*1e3, Ref{Frame: i + 1})
	}
	table.settle()
	size := uintptr(len(table.index.slots))*8 + uintptr(table.records.n)*(unsafe.Sizeof(record{})+unsafe.Sizeof(guard(0)))
	if perFlow := float64(size) / flows; perFlow > most || table.wides.n+table.annexes.room+table.extras.room > 0 {
		t.Errorf("%.0f bytes a flow, want at most %d; %d plain, room for %d annexes and %d extras", perFlow, most, table.wides.n, table.annexes.room, table.extras.room)
	}
}
