package capture

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestFlowsComeBackAsTheyWere fills a table with the flows of another.
func TestFlowsComeBackAsTheyWere(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var table, again Table
		for _, k := range randomTraffic(rng, 300) {
			k.into(&table)
		}
		for f := range table.Flows {
			again.AddFlow(&f)
		}
		if diff := cmp.Diff(sorted(&table), sorted(&again), compareNetip, comparePorts, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: flows differ (-table +filled with its flows):\n%s", seed, diff)
		}
	}
}

// TestAddFlowObeysTheLaw splits packets over tables and brings them together, at random by Merge or flow by flow.
func TestAddFlowObeysTheLaw(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 3))
		traffic := randomTraffic(rng, 1+rng.IntN(400))
		parts := make([]Table, 1+rng.IntN(6))
		var want, got Table
		for i := range traffic {
			traffic[i].into(&want)
			traffic[i].into(&parts[rng.IntN(len(parts))])
		}
		for _, i := range rng.Perm(len(parts)) {
			if rng.IntN(2) == 0 {
				got.Merge(&parts[i])
				continue
			}
			flows := slices.Collect(parts[i].Flows)
			rng.Shuffle(len(flows), func(a, b int) { flows[a], flows[b] = flows[b], flows[a] })
			for j := range flows {
				got.AddFlow(&flows[j])
			}
		}
		if diff := cmp.Diff(sorted(&want), sorted(&got), compareNetip, comparePorts, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: flows differ (-one table +brought together):\n%s", seed, diff)
		}
	}
}

func TestInOrderYieldsEveryFlowOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	var table Table
	for _, k := range randomTraffic(rng, 400) {
		k.into(&table)
	}
	var before *key
	n := 0
	for f := range table.inOrder {
		k := f.key()
		if before != nil && before.compare(&k) >= 0 {
			t.Fatalf("%v-%v %v does not come after the flow before it", f.A, f.B, f.Proto)
		}
		before = &k
		n++
	}
	if n != table.Len() {
		t.Errorf("%d flows yielded, want %d", n, table.Len())
	}
}

func TestRenumberMovesEveryReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	var table Table
	for _, k := range randomTraffic(rng, 400) {
		k.into(&table)
	}
	table.renumber(9)
	refs := 0
	for f := range table.Flows {
		for _, s := range []*Side{&f.FromA, &f.FromB} {
			for _, ref := range []Ref{s.FirstRef, s.SYNRef, s.QuoteRef} {
				if ref.Frame != 0 && ref.File != 9 || ref.Frame == 0 && ref.File != 0 {
					t.Fatalf("%v-%v: reference %v, want file 9", f.A, f.B, ref)
				}
				refs += min(int(ref.Frame), 1)
			}
		}
	}
	if refs == 0 {
		t.Error("no references")
	}
}
