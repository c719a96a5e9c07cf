package match

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
)

// numbering gives keys numbers, from 0 on in the order in which they come. The zero value is ready.
//
// It is a hash table of its own because with Go maps of pairs and conversations in its place 1 M conversations took 4.4 s to
// judge, not 3.4 s: a slot is a number and 32 bits of the hash, so that a search looks at hardly any key but the right one,
// and the garbage collector at none.
type numbering[K comparable] struct {
	all   []K      // by number
	slots []uint64 // number+1 below, hash above; 0: free
}

// find returns the number of a key.
func (n *numbering[K]) find(k K, hash uint32) (number uint32, known bool) {
	if len(n.slots) == 0 {
		return 0, false
	}
	number, _, known = n.search(k, hash)
	return number, known
}

// search returns the number of a key, or the slot where it belongs.
func (n *numbering[K]) search(k K, hash uint32) (number uint32, slot uint64, known bool) {
	mask := uint64(len(n.slots) - 1)
	for slot = uint64(hash) & mask; n.slots[slot] != 0; slot = (slot + 1) & mask {
		if uint32(n.slots[slot]>>32) != hash {
			continue
		}
		if number = uint32(n.slots[slot]) - 1; n.all[number] == k {
			return number, slot, true
		}
	}
	return 0, slot, false
}

// number returns the number of a key, and whether it is new.
func (n *numbering[K]) number(k K, hash uint32) (number uint32, fresh bool) {
	if 2*len(n.all) >= len(n.slots) {
		n.grow()
	}
	number, slot, known := n.search(k, hash)
	if known {
		return number, false
	}
	n.all = append(n.all, k)
	n.slots[slot] = uint64(hash)<<32 | uint64(len(n.all))
	return uint32(len(n.all)) - 1, true
}

// leastSlots is the size of the smallest numbering.
const leastSlots = 1 << 6

// grow doubles the slots. The keys are not looked at.
func (n *numbering[K]) grow() {
	old := n.slots
	n.slots = make([]uint64, max(leastSlots, 2*len(old)))
	mask := uint64(len(n.slots) - 1)
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := s >> 32 & mask
		for n.slots[i] != 0 {
			i = (i + 1) & mask
		}
		n.slots[i] = s
	}
}

// reset forgets every key, and keeps the memory.
func (n *numbering[K]) reset() {
	n.all = n.all[:0]
	clear(n.slots)
}

// words are two words that name something: a pair, a conversation.
type words [2]uint64

// hasher hashes with numbers that nobody can foresee: addresses chosen so that all fall into one slot would stop a run.
type hasher [2]uint64

func newHasher() hasher { return hasher{rand.Uint64(), rand.Uint64()} }

// words hashes two words: one multiplication, folded, as wyhash does.
func (h *hasher) words(w words) uint32 {
	hi, lo := bits.Mul64(w[0]^h[0], w[1]^h[1])
	mixed := hi ^ lo
	return uint32(mixed ^ mixed>>32)
}

// addr hashes an address.
func (h *hasher) addr(a netip.Addr) uint32 {
	b := a.As16()
	return h.words(words{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])})
}
