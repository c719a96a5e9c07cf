package capture

import (
	"iter"
	"math/bits"
	"slices"
)

// Each lends every flow in no particular order: what it yields, slices included, is valid until the next one, and is to be
// copied with [Flow.Clone] where it is kept. Against [Table.Flows] it leaves out three allocations a flow.
func (t *Table) Each(yield func(*Flow) bool) { t.EachOf(0, 1)(yield) }

// EachOf is Each for one of n shares of the flows: i counts from 0. All flows between two addresses are of one share. The
// shares of a complete table may be taken side by side.
func (t *Table) EachOf(i, n int) iter.Seq[*Flow] {
	return func(yield func(*Flow) bool) {
		var l lent
		for r := range t.recordsOf(i, n) {
			if !yield(t.lend(r, &l)) {
				return
			}
		}
	}
}

// recordsOf yields the records of one of n shares of the flows.
func (t *Table) recordsOf(i, n int) iter.Seq[row] {
	return func(yield func(row) bool) {
		t.flush()
		for at := range t.records.n {
			r := t.row(at)
			if !r.used() {
				continue
			}
			if n > 1 {
				if k := t.key(r.record); k.share(n) != i {
					continue
				}
			}
			if !yield(r) {
				return
			}
		}
	}
}

// Numbers returns how many numbers the flows have. Each flow has one, from 0 on, which it keeps while nothing is added to the
// table; one whose flow was evicted is nobody's.
func (t *Table) Numbers() uint32 {
	t.flush()
	return t.records.n
}

// Lender returns a function that lends the flow with a number as [Table.Each] does: until its next call. Each goroutine that
// asks a complete table needs its own.
func (t *Table) Lender() func(number uint32) *Flow {
	l := new(lent)
	return func(number uint32) *Flow { return t.lend(t.row(number), l) }
}

// share returns which of n shares the flow is of, by its addresses.
func (k *key) share(n int) int {
	mixed := (k.a.hi ^ bits.RotateLeft64(k.a.lo, 17) ^ bits.RotateLeft64(k.b.hi, 31) ^ bits.RotateLeft64(k.b.lo, 47)) * 0x9e3779b97f4a7c15
	share, _ := bits.Mul64(mixed, uint64(n))
	return int(share)
}

// Clone returns a copy that shares nothing with f.
func (f *Flow) Clone() Flow {
	c := *f
	c.Seconds, c.VLANs = slices.Clone(f.Seconds), slices.Clone(f.VLANs)
	c.FromA.ISNs, c.FromB.ISNs = slices.Clone(f.FromA.ISNs), slices.Clone(f.FromB.ISNs)
	return c
}

// lent is a flow in its exported form, with the memory of its slices: used again for the next one.
type lent struct {
	flow  Flow
	runs  []Run
	vlans []uint16
	isns  [2][]uint32
	plain rarity // of records without a rare part: empty
}

// clean returns the exported form of a record, which is the caller's to keep.
func (t *Table) clean(r row) Flow {
	var l lent
	return *t.lend(r, &l)
}

// rareOf is rare, of most flows with nothing in it.
func (t *Table) rareOf(r row, l *lent) *rarity {
	if rare := t.rare(r); rare != nil {
		return rare
	}
	return &l.plain
}

// lend puts the exported form of a record into l.
func (t *Table) lend(r row, l *lent) *Flow {
	rare := t.rareOf(r, l)
	f := t.brief(r, rare, l)
	f.VLANs, f.Seconds = t.vlansOf(r, l), nil
	if l.runs = t.secondsOf(r, rare, l.runs[:0]); len(l.runs) > 0 {
		f.Seconds = l.runs
	}
	return f
}

// vlansOf puts the VLAN ids of a record into l.
func (t *Table) vlansOf(r row, l *lent) []uint16 {
	vlan := t.extraOf(r).vlan
	if vlan == 0 {
		return nil
	}
	l.vlans = insertSmallest(append(l.vlans[:0], t.rareOf(r, l).vlans...), uint16(vlan-1), maxVLANs)
	return l.vlans
}

// brief is lend without the seconds and the VLANs.
func (t *Table) brief(r row, rare *rarity, l *lent) *Flow {
	f := &l.flow
	k := t.key(r.record)
	k.name(f)
	f.Joined = rare.joined
	for from, side := range [...]*Side{&f.FromA, &f.FromB} {
		side.ISNs = nil
		if isn, some := t.show(r, from, side); some {
			l.isns[from] = append(l.isns[from][:0], rare.isns[from]...)
			if len(rare.isns[from]) == 0 { // as of nearly all: searching where to put it took a tenth of the time
				l.isns[from] = append(l.isns[from], isn)
			} else {
				l.isns[from] = insertSmallest(l.isns[from], isn, MaxISNs)
			}
			side.ISNs = l.isns[from]
		}
		side.QuotedAt, side.QuoteRef = rare.quotedAt[from], rare.quoteRef[from]
	}
	return f
}

// show fills in the clean form of a side, but for what is rare, and returns the initial sequence number that it saw first.
func (t *Table) show(r row, from int, to *Side) (isn uint32, some bool) {
	var s *side
	span := ^uint64(0)
	switch {
	case r.annexed():
		s = r.at(t.annexes.at(r.number), from)
	case from == r.from():
		s, span = &r.side, 1<<briefBits-1
	default:
		(&half{}).show(to)
		return 0, false
	}
	if s.wide() {
		h := t.wides.at(uint32(s.first))
		h.show(to)
		return h.isn, h.hasISN
	}
	s.show(to, t.fileOf(r), s.mixed>>signsBits&span)
	return s.isn, s.packets > 0 && s.signs()&handshake != 0
}
