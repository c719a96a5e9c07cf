package numbering

import (
	"encoding/binary"
	"net/netip"
)

// Addresses numbers addresses. Their Hash is to be a [NewHash].
type Addresses struct {
	Hash
	All []netip.Addr // by number; not to be changed

	fours []uint64 // slots of IPv4: number+1 below, address above; 0: free
	used  int      // of fours
	sixes Of[netip.Addr]
	six   []uint32 // the numbers of sixes
}

// Add returns the number of an address, and whether it is new.
func (x *Addresses) Add(a netip.Addr) (number uint32, fresh bool) {
	if !a.Is4() {
		return x.addSix(a)
	}
	if 2*x.used >= len(x.fours) {
		x.grow()
	}
	slot := x.slot(four(a))
	if taken := x.fours[slot]; taken != 0 {
		return uint32(taken) - 1, false
	}
	x.used++
	x.All = append(x.All, a)
	x.fours[slot] = uint64(four(a))<<32 | uint64(len(x.All))
	return uint32(len(x.All)) - 1, true
}

// Find returns the number of an address.
func (x *Addresses) Find(a netip.Addr) (number uint32, known bool) {
	switch {
	case !a.Is4():
		i, known := x.sixes.Find(a, x.Addr(a))
		if !known {
			return 0, false
		}
		return x.six[i], true
	case len(x.fours) == 0:
		return 0, false
	}
	taken := x.fours[x.slot(four(a))]
	return uint32(taken) - 1, taken != 0
}

// four returns an IPv4 address as a number.
func four(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// slot returns where an IPv4 address is, or belongs. That all of it is in the slot makes one look into memory of a search,
// where a key beside it makes two.
func (x *Addresses) slot(four uint32) uint64 {
	mask := uint64(len(x.fours) - 1)
	slot := uint64(x.Hash.four(four)) & mask
	for x.fours[slot] != 0 && uint32(x.fours[slot]>>32) != four {
		slot = (slot + 1) & mask
	}
	return slot
}

// grow doubles the slots of IPv4.
func (x *Addresses) grow() {
	old := x.fours
	x.fours = make([]uint64, max(leastSlots, 2*len(old)))
	for _, taken := range old {
		if taken != 0 {
			x.fours[x.slot(uint32(taken>>32))] = taken
		}
	}
}

func (x *Addresses) addSix(a netip.Addr) (number uint32, fresh bool) {
	i, fresh := x.sixes.Number(a, x.Addr(a))
	if fresh {
		x.six = append(x.six, uint32(len(x.All)))
		x.All = append(x.All, a)
	}
	return x.six[i], fresh
}
