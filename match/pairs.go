package match

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"

	"flowvet/capture"
)

// pairKey is two addresses in a segment, the lower one first, as plain words: without the pointers of
// two netip.Addr, which the garbage collector would follow.
type pairKey [5]uint64

func pairKeyOf(a, b netip.Addr, s capture.Segment) pairKey {
	x, y := a.As16(), b.As16()
	k := pairKey{
		binary.BigEndian.Uint64(x[:8]), binary.BigEndian.Uint64(x[8:]), binary.BigEndian.Uint64(y[:8]), binary.BigEndian.Uint64(y[8:]),
		uint64(s) << 1,
	}
	if a.Is4() {
		k[4] |= 1
	}
	return k
}

// direction is one direction of a pair, of which the lower address is A, or both.
type direction uint8

const (
	byA direction = 1 << iota
	byB
)

// pairing is what is known of the flows between two addresses.
type pairing struct {
	key     pairKey
	a, b    *end
	first   *conv // the conversation that was there first; the others are in gather.more
	sighted direction
	weak    bool // a flow of theirs tells nothing by itself
}

// itself reports whether both addresses are one.
func (p *pairing) itself() bool { return p.key[0] == p.key[2] && p.key[1] == p.key[3] }

// pairings numbers the pairs of a share. It is a hash table of its own because with Go maps of pairs and conversations in its
// place 1 M conversations took 4.4 s to judge, not 3.4 s: a slot is a number and 32 bits of the hash, so that a search looks at hardly any pair but the right one.
type pairings struct {
	all   []pairing
	slots []uint64 // number+1 below, hash above; 0: free
	seed  maphash.Seed
}

func newPairings() *pairings {
	return &pairings{slots: make([]uint64, 1<<10), seed: maphash.MakeSeed()}
}

// find returns the number of a pair.
func (p *pairings) find(k pairKey) (n uint32, known bool) {
	n, _, _, known = p.search(k)
	return n, known
}

// search returns the number of a pair, or the slot where it belongs; and its hash.
func (p *pairings) search(k pairKey) (n uint32, slot, hash uint64, known bool) {
	hash = maphash.Comparable(p.seed, k) >> 32
	mask := uint64(len(p.slots) - 1)
	slot = hash & mask
	for ; p.slots[slot] != 0; slot = (slot + 1) & mask {
		if p.slots[slot]>>32 != hash {
			continue
		}
		if n := uint32(p.slots[slot]) - 1; p.all[n].key == k {
			return n, slot, hash, true
		}
	}
	return 0, slot, hash, false
}

// number returns the number of a pair, and whether it is new.
func (p *pairings) number(k pairKey) (n uint32, fresh bool) {
	n, i, hash, known := p.search(k)
	if known {
		return n, false
	}
	p.all = append(p.all, pairing{key: k})
	p.slots[i] = hash<<32 | uint64(len(p.all))
	if 2*len(p.all) > len(p.slots) {
		p.grow()
	}
	return uint32(len(p.all)) - 1, true
}

// grow doubles the slots. The pairs are not looked at.
func (p *pairings) grow() {
	old := p.slots
	p.slots = make([]uint64, 2*len(old))
	mask := uint64(len(p.slots) - 1)
	for _, s := range old {
		if s == 0 {
			continue
		}
		i := s >> 32 & mask
		for p.slots[i] != 0 {
			i = (i + 1) & mask
		}
		p.slots[i] = s
	}
}
