package numbering

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestNumberingCountsAsAMapDoes gives random keys numbers, with hashes of which many are the same.
func TestNumberingCountsAsAMapDoes(t *testing.T) {
	var n Of[Words]
	for _, hashes := range []uint32{1, 7, 1 << 31} {
		n.Reset()
		want := map[Words]uint32{}
		rng := rand.New(rand.NewPCG(1, uint64(hashes)))
		for range 5000 {
			k := Words{rng.Uint64N(40), rng.Uint64N(40)}
			hash := uint32(k[0]*k[1]) % hashes << 20
			number, known := want[k]
			if got, found := n.Find(k, hash); found != known || got != number {
				t.Fatalf("%v is number %d, %v; want %d, %v", k, got, found, number, known)
			}
			if !known {
				number = uint32(len(want))
				want[k] = number
			}
			if got, fresh := n.Number(k, hash); got != number || fresh == known {
				t.Fatalf("%v got number %d, fresh %v; want %d, %v", k, got, fresh, number, !known)
			}
		}
		if len(n.All) != len(want) {
			t.Errorf("%d keys, want %d", len(n.All), len(want))
		}
	}
}

// TestAddressesKeepTheirNumbers numbers addresses of both versions, and IPv4 addresses written as IPv6.
func TestAddressesKeepTheirNumbers(t *testing.T) {
	x := Addresses{Hash: NewHash()}
	want := map[netip.Addr]uint32{}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		a := netip.AddrFrom4([4]byte{byte(rng.IntN(3)), 0, byte(rng.IntN(9)), byte(rng.IntN(256))})
		if rng.IntN(2) == 0 {
			a = netip.AddrFrom16(a.As16())
		}
		number, known := want[a]
		if got, found := x.Find(a); found != known || known && got != number {
			t.Fatalf("%v is number %d, %v; want %d, %v", a, got, found, number, known)
		}
		if !known {
			number = uint32(len(want))
			want[a] = number
		}
		if got, fresh := x.Add(a); got != number || fresh == known || x.At(got) != a {
			t.Fatalf("%v got number %d, fresh %v; want %d, %v", a, got, fresh, number, !known)
		}
	}
}
