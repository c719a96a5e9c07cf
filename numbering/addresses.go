package numbering

import (
	"encoding/binary"
	"net/netip"
)

// Addresses numbers addresses. Their Hash is to be a [NewHash].
type Addresses struct {
	Hash

	all   []uint64 // by number: an IPv4 address, or version6 and the place in sixes. A third of the memory of netip.Addr
	fours []uint64 // slots of IPv4: number+1 below, address above; 0: free
	used  int      // of fours
	sixes Of[netip.Addr]
	six   []uint32 // the numbers of sixes
}

// sparseSlots is the size up to which slots of IPv4 are kept three quarters free: how far a search goes is then guessed right
// nearly always.
const sparseSlots = 1 << 14

// version6 marks an IPv6 address among all.
const version6 = 1 << 32

// Len returns how many addresses have numbers.
func (x *Addresses) Len() int { return len(x.all) }

// At returns the address with a number.
func (x *Addresses) At(number uint32) netip.Addr {
	a := x.all[number]
	if a&version6 != 0 {
		return x.sixes.All[uint32(a)]
	}
	return netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)})
}

// Add returns the number of an address, and whether it is new.
func (x *Addresses) Add(a netip.Addr) (number uint32, fresh bool) {
	if !a.Is4() {
		return x.addSix(a)
	}
	return x.AddFour(four(a))
}

// AddFour is Add for an IPv4 address as a number, its first byte highest.
func (x *Addresses) AddFour(four uint32) (number uint32, fresh bool) {
	if slots := len(x.fours); 2*x.used >= slots || 4*x.used >= slots && slots < sparseSlots {
		x.grow()
	}
	slot := x.slot(four)
	if taken := x.fours[slot]; taken != 0 {
		return uint32(taken) - 1, false
	}
	x.used++
	x.all = Push(x.all, uint64(four))
	x.fours[slot] = uint64(four)<<32 | uint64(len(x.all))
	return uint32(len(x.all)) - 1, true
}

// Find returns the number of an address.
func (x *Addresses) Find(a netip.Addr) (number uint32, known bool) {
	if !a.Is4() {
		i, known := x.sixes.Find(a, x.Addr(a))
		if !known {
			return 0, false
		}
		return x.six[i], true
	}
	return x.FindFour(four(a))
}

// FindFour is Find for an IPv4 address as AddFour has it.
func (x *Addresses) FindFour(four uint32) (number uint32, known bool) {
	if len(x.fours) == 0 {
		return 0, false
	}
	taken := x.fours[x.slot(four)]
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
	x.fours = NewSlots(max(leastSlots, 2*len(old)))
	for _, taken := range old {
		if taken != 0 {
			x.fours[x.slot(uint32(taken>>32))] = taken
		}
	}
}

func (x *Addresses) addSix(a netip.Addr) (number uint32, fresh bool) {
	i, fresh := x.sixes.Number(a, x.Addr(a))
	if fresh {
		x.six = Push(x.six, uint32(len(x.all)))
		x.all = Push(x.all, version6|uint64(i))
	}
	return x.six[i], fresh
}
