package match

import (
	"math/rand/v2"
	"testing"
)

// TestNumberingCountsAsAMapDoes gives random keys numbers, with hashes of which many are the same.
func TestNumberingCountsAsAMapDoes(t *testing.T) {
	var n numbering[words]
	for _, hashes := range []uint32{1, 7, 1 << 31} {
		n.reset()
		want := map[words]uint32{}
		rng := rand.New(rand.NewPCG(1, uint64(hashes)))
		for range 5000 {
			k := words{rng.Uint64N(40), rng.Uint64N(40)}
			hash := uint32(k[0]*k[1]) % hashes << 20
			number, known := want[k]
			if got, found := n.find(k, hash); found != known || got != number {
				t.Fatalf("%v is number %d, %v; want %d, %v", k, got, found, number, known)
			}
			if !known {
				number = uint32(len(want))
				want[k] = number
			}
			if got, fresh := n.number(k, hash); got != number || fresh == known {
				t.Fatalf("%v got number %d, fresh %v; want %d, %v", k, got, fresh, number, !known)
			}
		}
		if len(n.all) != len(want) {
			t.Errorf("%d keys, want %d", len(n.all), len(want))
		}
	}
}
