package numbering

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// BenchmarkAddresses answers what a look-up costs among so many addresses.
func BenchmarkAddresses(b *testing.B) {
	for _, n := range []int{4 << 10, 1 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := Addresses{Hash: NewHash()}
			asked := make([]netip.Addr, 1<<16)
			for i := range asked {
				v := rand.IntN(n)
				asked[i] = netip.AddrFrom4([4]byte{10, byte(v >> 16), byte(v >> 8), byte(v)})
			}
			for i := range n {
				x.Add(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
			}
			i := 0
			for b.Loop() {
				x.Add(asked[i%len(asked)])
				i++
			}
		})
	}
}
