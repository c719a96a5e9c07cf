package inventory

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestGroupsAreTheSameAsNumbers asks of addresses at every border, and of any.
func TestGroupsAreTheSameAsNumbers(t *testing.T) {
	asked := []uint32{0, 1, 0x7f000001, 0xdfffffff, 0xe0000000, 0xefffffff, 0xf0000000, 0xfffffffe, 0xffffffff}
	for range 1000 {
		asked = append(asked, rand.Uint32())
	}
	for _, a := range asked {
		addr := netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
		if got, want := isGroupFour(a), isGroup(addr); got != want {
			t.Errorf("%v is a group: %v, want %v", addr, got, want)
		}
	}
}
