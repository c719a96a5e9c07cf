package capture

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// index finds records by key: linear probing, at most three quarters full. A slot is the key's tag above the record's
// number plus one; the tag alone places it, so growing needs no record, and reads and writes in order.
type index struct {
	slots []uint64
	mask  uint32
	used  uint32
	seed  [5]uint64 // of this table, unknown to who makes the packets: no one can aim at a slot
}

// reserve makes room for n more records.
func (x *index) reserve(n uint32) {
	for (uint64(x.used)+uint64(n))*4 > uint64(len(x.slots))*3 {
		x.grow()
	}
}

// slotsPerPage is how many slots a page of memory holds. Each page of a new index is written before it is read: read first, it
// would be mapped to the one page of zeros, and mapped anew, with a word to all processors, when it is written.
const slotsPerPage = 4096 / 8

func (x *index) grow() {
	if len(x.slots) == 0 {
		secret := maphash.MakeSeed()
		for i := range x.seed {
			x.seed[i] = maphash.Bytes(secret, []byte{byte(i)}) | 1
		}
	}
	old := x.slots
	x.slots = hugePages(make([]uint64, max(2*firstChunk, 2*len(old))))
	x.mask = uint32(len(x.slots) - 1)
	for i := 0; i < len(x.slots); i += slotsPerPage {
		x.slots[i] = 0
	}
	for _, e := range old {
		if e == 0 {
			continue
		}
		slot := uint32(e>>32) & x.mask
		for x.slots[slot] != 0 {
			slot = (slot + 1) & x.mask
		}
		x.slots[slot] = e
	}
}

// candidate returns the number plus one of the first record behind slot whose key has that tag, and the slot behind it;
// 0 where there is none.
func (x *index) candidate(tag, slot uint32) (number, next uint32) {
	for {
		e := x.slots[slot&x.mask]
		if e == 0 || uint32(e>>32) == tag {
			return uint32(e), slot + 1
		}
		slot++
	}
}

// put adds the record with that number. There must be room.
func (x *index) put(tag, i uint32) {
	slot := tag & x.mask
	for x.slots[slot] != 0 {
		slot = (slot + 1) & x.mask
	}
	x.slots[slot] = uint64(tag)<<32 | uint64(i+1)
	x.used++
}

// putBeside is put where others put records besides, and nobody does anything else: a slot belongs to who first writes to it. What
// is in the index is counted by who has made room for all.
func (x *index) putBeside(tag, i uint32) {
	slot := tag & x.mask
	for !atomic.CompareAndSwapUint64(&x.slots[slot], 0, uint64(tag)<<32|uint64(i+1)) {
		slot = (slot + 1) & x.mask
	}
}

// remove takes a record out, and moves those behind it that would not be found across the gap.
func (x *index) remove(tag, i uint32) {
	slot := tag & x.mask
	for uint32(x.slots[slot]) != i+1 {
		slot = (slot + 1) & x.mask
	}
	for next := (slot + 1) & x.mask; x.slots[next] != 0; next = (next + 1) & x.mask {
		home := uint32(x.slots[next]>>32) & x.mask
		if (next-home)&x.mask >= (next-slot)&x.mask {
			x.slots[slot] = x.slots[next]
			slot = next
		}
	}
	x.slots[slot] = 0
	x.used--
}

// tag hashes a key: multiply and fold, as wyhash does. An IPv4 key is two words, and one multiplication.
func (x *index) tag(k *key) uint32 {
	var h uint64
	if k.family() == familyIPv4 {
		h = fold(k.ends4()^x.seed[0], k.tail^x.seed[1])
	} else {
		h = fold(k.a.hi^x.seed[0], k.a.lo^x.seed[1]) ^ fold(k.b.hi^x.seed[2], k.b.lo^x.seed[3])
		h = fold(h^k.tail, x.seed[4])
	}
	return uint32(h ^ h>>32)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
