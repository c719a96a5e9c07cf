package match

import (
	"flowvet/capture"
	"flowvet/numbering"
)

// pairs numbers the pairs of addresses of flows of which not every one is done, and keeps what is known of each beside what tells
// it apart: one look into memory, where keys of their own made two and took 48 bytes, not 16.
type pairs struct {
	index numbering.Index
	all   []pairing // by number
}

// pairing is two addresses, and where they are told apart.
type pairing struct {
	a, b    uint32
	first   uint32 // the number, plus 1, of the conversation that was there first; the others are in gather.more
	segment capture.Segment
	sighted direction
	weak    bool // a flow of theirs tells nothing by itself
}

// number returns the number of a flow's pair.
func (x *pairs) number(t *traits, h *numbering.Hash) uint32 {
	n, fresh := x.index.Number(t.hash(h), func(n uint32) bool { return x.all[n].of(t) })
	if fresh {
		x.all = numbering.Push(x.all, pairing{a: t.a, b: t.b, segment: t.segment})
	}
	return n
}

// find returns the number of a flow's pair, if it has one.
func (x *pairs) find(t *traits, h *numbering.Hash) (number uint32, known bool) {
	return x.index.Find(t.hash(h), func(n uint32) bool { return x.all[n].of(t) })
}

// of reports whether a flow is between the two.
func (p *pairing) of(t *traits) bool { return p.a == t.a && p.b == t.b && p.segment == t.segment }

// hash hashes what names a flow's pair.
func (t *traits) hash(h *numbering.Hash) uint32 {
	return h.Words(numbering.Words{uint64(t.a)<<32 | uint64(t.b), uint64(t.segment)})
}
