package capture

import (
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mergeFlowsOf is how many flows halves are of.
const mergeFlowsOf = 4 * flowsPerShare

// halves adds packets, some of them in VLANs or none, to one of two tables each, some of whose flows are of both, and to one that gets
// all.
func halves(first, second, all *Table, vlans bool) {
	kinds := []Signs{0, ACK, ACK | Payload, SYN, SYNACK, RST}
	rng := rand.New(rand.NewPCG(9, 10))
	for i := range uint64(6 * mergeFlowsOf) {
		n, later := rng.Uint32N(mergeFlowsOf), i/(3*mergeFlowsOf)
		p := segment(10<<24|n, 172<<24|n>>4, 902, 902, kinds[rng.IntN(len(kinds))])
		if n%7 == 0 {
			p.family, p.src.hi = familyIPv6, 0xfe80<<48
		}
		if rng.IntN(2) == 0 {
			p.src, p.dst = p.dst, p.src
		}
		p.Seq, p.Ack = rng.Uint32N(2), rng.Uint32N(1000)
		p.HasVLAN, p.VLAN = vlans && n%5 == 0, uint16(1+rng.IntN(30)/29)
		ns := int64(1445421600e9 + i*1e6)
		if n%2 == 0 && uint64(n%3) == later {
			continue
		}
		for _, t := range []*Table{[]*Table{first, second}[later], all} {
			t.Add(&p, ns, Ref{Frame: i + 1, File: 3})
		}
	}
}

// TestMergersSideBySideAddWhatOneDoes merges two tables with several processors, and holds the sum against a table to which every
// packet of both was added: flows, what eviction knows of them, and that each is found again.
func TestMergersSideBySideAddWhatOneDoes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3)) // for four shares
	keep := func(a netip.Addr) bool { return a.As16()[15]%4 == 0 }
	for _, tt := range []struct {
		name  string
		table func() *Table
		only  bool // the second half is merged into a table that is empty
		vlans bool
	}{
		{"a table without a cap", func() *Table { return new(Table) }, false, true},
		{"no VLANs", func() *Table { return new(Table) }, false, false},
		{"an empty table", func() *Table { return new(Table) }, true, true},
		{"a cap that leaves room", func() *Table { return &Table{MaxFlows: mergeFlowsOf, Keep: keep} }, false, true},
		{"room that a pool lends", func() *Table { return &Table{MaxFlows: 10, Pool: NewPool(mergeFlowsOf + poolGrant), Keep: keep} }, false, true},
		{"numbers given back", func() *Table { return returned(100) }, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			merged, second, want := tt.table(), new(Table), tt.table()
			halves(merged, second, want, tt.vlans)
			if tt.only {
				empty := new(Table)
				empty.Merge(merged)
				merged = empty
			}
			merged.Merge(second)
			got := sorted(merged)
			for i, w := range sorted(want) {
				if i == len(got) || !reflect.DeepEqual(got[i], w) {
					t.Fatalf("%d flows, want %d; flow %d (-added +merged):\n%s", len(got), want.Len(), i, cmp.Diff(w, got[min(i, len(got)-1)], compareNetip, comparePorts))
				}
			}
			if merged.held != want.held || merged.index.used != want.index.used || merged.Stats.Evictions > 0 {
				t.Errorf("by protected ends %v of %d, want %v of %d; %d evictions", merged.held, merged.index.used, want.held, want.index.used, merged.Stats.Evictions)
			}
			for i := range merged.records.n {
				r := merged.row(i)
				if k := merged.key(r.record); r.used() && merged.numberOf(&k, merged.index.tag(&k)) != i+1 {
					t.Fatalf("flow %d is not found", i)
				}
			}
		})
	}
}

// returned returns a table without flows that had some.
func returned(flows uint32) *Table {
	t := new(Table)
	for i := range flows {
		p := segment(i, i, 1, 1, SYN)
		t.Add(&p, 0, Ref{Frame: 1})
	}
	t.flush()
	for i := range flows {
		t.discard(i)
	}
	t.Stats, t.Folded = Stats{}, nil
	return t
}

// TestMergingIntoAFullTableLosesNoPacket merges more flows than there is room for: what is evicted is summed up.
func TestMergingIntoAFullTableLosesNoPacket(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	merged, second, all := &Table{MaxFlows: mergeFlowsOf / 2}, new(Table), new(Table)
	halves(merged, second, all, true)
	merged.Merge(second)
	if merged.Stats.Evictions == 0 || merged.Len() > mergeFlowsOf/2 {
		t.Errorf("%d flows, of at most %d, after %d evictions", merged.Len(), mergeFlowsOf/2, merged.Stats.Evictions)
	}
	packets := merged.Stats.FoldedPackets
	for f := range merged.Each {
		packets += f.FromA.Packets + f.FromB.Packets
	}
	if packets != all.Stats.Flowed {
		t.Errorf("%d packets are in flows or summed up, of %d", packets, all.Stats.Flowed)
	}
}
