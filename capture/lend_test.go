package capture

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestLentFlowsAreThoseGivenAway copies flows that were lent, and holds them against those that have memory of their own.
func TestLentFlowsAreThoseGivenAway(t *testing.T) {
	for seed := range uint64(40) {
		var table Table
		for _, k := range randomTraffic(rand.New(rand.NewPCG(seed, 9)), 300) {
			k.into(&table)
		}
		var copies []Flow
		for f := range table.Each {
			copies = append(copies, f.Clone())
		}
		slices.SortFunc(copies, func(a, b Flow) int {
			k, l := a.key(), b.key()
			return k.compare(&l)
		})
		given := slices.Collect(table.inOrder)
		if diff := cmp.Diff(given, copies, compareNetip, comparePorts, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: flows differ (-given away +lent and copied):\n%s", seed, diff)
		}
	}
}

// TestBriefFlowsLackSecondsAndVLANs holds flows lent in brief against whole ones.
func TestBriefFlowsLackSecondsAndVLANs(t *testing.T) {
	var table Table
	for _, k := range randomTraffic(rand.New(rand.NewPCG(3, 9)), 3000) {
		k.into(&table)
	}
	var brief, whole []Flow
	for g := range table.GlanceIn(0, table.Numbers()) {
		brief = append(brief, g.Flow().Clone())
	}
	for f := range table.Each {
		g := f.Clone()
		g.Seconds, g.VLANs = nil, nil
		whole = append(whole, g)
	}
	if diff := cmp.Diff(whole, brief, compareNetip, comparePorts); diff != "" {
		t.Errorf("flows differ (-whole +brief):\n%s", diff)
	}
}

// TestLendingAllocatesNothingPerFlow lends a thousand flows.
func TestLendingAllocatesNothingPerFlow(t *testing.T) {
	var table Table
	for _, k := range randomTraffic(rand.New(rand.NewPCG(1, 9)), 5000) {
		k.into(&table)
	}
	packets := uint64(0)
	allocations := testing.AllocsPerRun(5, func() {
		for f := range table.Each {
			packets += f.FromA.Packets
		}
	})
	if limit := 30.0; allocations > limit {
		t.Errorf("%.0f allocations for %d flows, want at most %.0f", allocations, table.Len(), limit)
	}
}
