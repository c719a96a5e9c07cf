package capture

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
)

// AddFlow adds a flow as another table's Flows yields it, by the law: filling a table with the flows of several others
// gives what merging them would. It counts no packet in Stats; those of the other table are to be merged beside it.
func (t *Table) AddFlow(f *Flow) {
	t.flush()
	k, from := f.key(), 0
	if !f.FromA.some() {
		from = 1
	}
	r := t.rowOf(&k, from)
	a := t.annex(r)
	for _, run := range f.Seconds {
		t.joinRun(r, a, run)
	}
	for _, vlan := range f.VLANs {
		t.addVLAN(r, vlan)
	}
	if f.Joined.Flows > 0 {
		t.rarity(r).joined.add(f.Joined)
	}
	for from, side := range [...]*Side{&f.FromA, &f.FromB} {
		h := side.half()
		var rare rarity
		if len(side.ISNs) > 0 {
			rare.isns[from] = side.ISNs[1:]
		}
		rare.quotedAt[from], rare.quoteRef[from] = side.QuotedAt, side.QuoteRef
		t.mergeHalf(r, from, &h, &rare)
	}
}

// key returns the flow's 5-tuple.
func (f *Flow) key() key {
	version := familyIPv6
	if f.A.Addr().Is4() {
		version = familyIPv4
	}
	return key{
		a:    addressOf(f.A.Addr()),
		b:    addressOf(f.B.Addr()),
		tail: uint64(f.A.Port())<<48 | uint64(f.B.Port())<<32 | uint64(f.Segment)<<16 | uint64(f.Proto)<<8 | uint64(version),
	}
}

// addressOf returns an address as the table keeps it.
func addressOf(a netip.Addr) address {
	b := a.As16()
	return address{hi: binary.BigEndian.Uint64(b[:8]), lo: binary.BigEndian.Uint64(b[8:])}
}

// compare orders keys by the addresses, then by the ports.
func (k *key) compare(o *key) int {
	return cmp.Or(
		cmp.Compare(k.a.hi, o.a.hi), cmp.Compare(k.a.lo, o.a.lo),
		cmp.Compare(k.b.hi, o.b.hi), cmp.Compare(k.b.lo, o.b.lo),
		cmp.Compare(k.tail, o.tail),
	)
}

// half returns the side as the table keeps it.
func (s *Side) half() half {
	h := half{
		packets: s.Packets, bytes: s.Bytes, content: s.Content,
		first: s.First, last: s.Last,
		firstFrame: s.FirstRef.Frame, firstFile: s.FirstRef.File,
		synFrame: s.SYNRef.Frame, synFile: s.SYNRef.File,
		signs:      s.Signs,
		payloadMin: s.PayloadMin, payloadMax: s.PayloadMax,
		ackMin: s.AckMin, ackMax: s.AckMax,
		synAt: s.SYNAt, synackAt: s.SYNACKAt, rstAt: s.RSTAt, lastACK: s.LastACK,
	}
	if len(s.ISNs) > 0 {
		h.isn, h.hasISN = s.ISNs[0], true
	}
	return h
}

// inOrder yields every flow in the order of the keys, without holding more than one of them in its clean form.
func (t *Table) inOrder(yield func(Flow) bool) {
	t.flush()
	numbers := make([]uint32, 0, t.Len())
	for i := range t.records.n {
		if t.records.at(i).used() {
			numbers = append(numbers, i)
		}
	}
	slices.SortFunc(numbers, func(a, b uint32) int {
		ka, kb := t.key(t.records.at(a)), t.key(t.records.at(b))
		return ka.compare(&kb)
	})
	for _, i := range numbers {
		if !yield(t.clean(t.row(i))) {
			return
		}
	}
}

// renumber makes every packet that the table refers to one of the file with that index.
func (t *Table) renumber(file uint32) {
	t.flush()
	for i := range t.wides.n {
		t.wides.at(i).renumber(file)
	}
	t.renumberFlows(file)
	for i := range t.Events {
		t.Events[i].Ref.File = file
	}
	for i := range t.rarities.n {
		rare := t.rarities.at(i)
		for side := range rare.quoteRef {
			if ref := &rare.quoteRef[side]; ref.Frame != 0 {
				ref.File = file
			}
		}
	}
}

// renumberFlows is renumber for the small sides of flows.
func (t *Table) renumberFlows(file uint32) {
	if file <= math.MaxUint16 {
		t.file = uint16(file)
	}
	for i := range t.records.n {
		switch r := t.row(i); {
		case !r.used():
		case file > math.MaxUint16:
			t.renumberHalves(r, file)
		case r.tail&flagExtra != 0:
			t.extras.at(i).file = uint16(file)
		}
	}
}

// renumberHalves is renumber for the sides of one flow, in their plain forms.
func (t *Table) renumberHalves(r row, file uint32) {
	for from := range 2 {
		h := t.half(r, from)
		h.renumber(file)
		t.setHalf(r, from, &h)
	}
}

// renumber is Table.renumber for one side.
func (h *half) renumber(file uint32) {
	if h.firstFrame != 0 {
		h.firstFile = file
	}
	if h.synFrame != 0 {
		h.synFile = file
	}
}
