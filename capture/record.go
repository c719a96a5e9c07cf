package capture

import "math"

// record is a flow as the table keeps it: one and a half cache lines, with the side that was seen first. The other side,
// and all that few flows have, is in the table's other pools.
type record struct {
	ends    uint64 // both addresses of IPv4; of IPv6 their number in Table.ends
	tail    uint64 // as in key; 0: no flow
	seconds recent
	rare    uint32 // number+1 in Table.rarities; 0 = none
	other   uint32 // number+1 in Table.sides of the side that was not seen first; 0 = none
	vlan    uint16 // the first VLAN id seen; the others are in rare
	file    uint16 // of the first packets of its small sides
	guard   uint8  // for eviction: guardMask
	from    uint8  // which side the record holds
	hasVLAN bool
	side    side
}

// used reports whether the record is a flow.
func (r *record) used() bool { return r.tail != 0 }

// key returns the key of a record.
func (t *Table) key(r *record) key {
	k := key{tail: r.tail}
	if k.family() == familyIPv4 {
		k.a, k.b = address{0, mapped4 | r.ends>>32}, address{0, mapped4 | r.ends&0xffffffff}
		return k
	}
	ends := t.ends.at(uint32(r.ends))
	k.a, k.b = ends[0], ends[1]
	return k
}

// is reports whether the record has that key.
func (t *Table) is(r *record, k *key) bool {
	if r.tail != k.tail {
		return false
	}
	if k.family() == familyIPv4 {
		return r.ends == k.ends4()
	}
	ends := t.ends.at(uint32(r.ends))
	return ends[0] == k.a && ends[1] == k.b
}

// sideOf returns what the record knows of a side, nil where that is nothing.
func (t *Table) sideOf(r *record, from int) *side {
	switch {
	case from == int(r.from):
		return &r.side
	case r.other != 0:
		return t.sides.at(r.other - 1)
	}
	return nil
}

// half returns the plain form of a side.
func (t *Table) half(r *record, from int) half {
	s := t.sideOf(r, from)
	switch {
	case s == nil:
		return half{}
	case s.wide():
		return *t.wides.at(uint32(s.first))
	}
	return s.half(r.file)
}

// halves returns the plain form of both sides.
func (t *Table) halves(r *record) [2]half { return [2]half{t.half(r, 0), t.half(r, 1)} }

// setHalf makes h what the record knows of a side.
func (t *Table) setHalf(r *record, from int, h *half) {
	s := t.sideOf(r, from)
	if s == nil {
		if *h == (half{}) {
			return
		}
		r.other = t.sides.take() + 1
		s = t.sides.at(r.other - 1)
	}
	if s.wide() {
		*t.wides.at(uint32(s.first)) = *h
		return
	}
	if small, ok := h.small(); ok && t.inFile(r, from, h) {
		*s = small
		return
	}
	number := t.wides.take()
	*t.wides.at(number) = *h
	*s = side{first: int64(number), mixed: uint64(wideSide)}
}

// inFile reports whether the first packet of a side lies in the file that the record names; where the other side has none,
// the record names this one's.
func (t *Table) inFile(r *record, from int, h *half) bool {
	if h.packets == 0 || h.firstFile == uint32(r.file) {
		return true
	}
	if other := t.sideOf(r, 1-from); other != nil && other.packets > 0 {
		return false
	}
	r.file = uint16(h.firstFile)
	return true
}

// packets returns how many packets a side had.
func (t *Table) packetsOf(r *record) uint64 {
	return t.sidePackets(&r.side) + t.sidePackets(t.sideOf(r, 1-int(r.from)))
}

func (t *Table) sidePackets(s *side) uint64 {
	switch {
	case s == nil:
		return 0
	case s.wide():
		return t.wides.at(uint32(s.first)).packets
	}
	return uint64(s.packets)
}

// count adds a packet to a flow, or that it was quoted.
func (t *Table) count(r *record, p *sighting) {
	if p.signs&Quoted != 0 {
		t.addQuote(r, int(p.from), p.signs, p.ns, p.ref())
		return
	}
	if p.hasVLAN {
		t.addVLAN(r, p.vlan)
	}
	t.addSecond(r, floorSecond(p.ns))
	s := t.sideOf(r, int(p.from))
	switch {
	case s == nil || s.empty():
		t.begin(r, p)
	case p.file != uint32(r.file) || !s.count(p):
		t.countPlain(r, s, p)
	}
}

// begin adds the first packet of a side.
func (t *Table) begin(r *record, p *sighting) {
	if r.other == 0 && int(r.from) == int(p.from) && p.file <= math.MaxUint16 && p.frame <= math.MaxUint32 {
		r.file, r.side = uint16(p.file), smallOf(p)
		return
	}
	t.countPlain(r, t.sideOf(r, int(p.from)), p)
}

// countPlain adds a packet in the plain form of its side.
func (t *Table) countPlain(r *record, s *side, p *sighting) {
	from := int(p.from)
	if s != nil && s.wide() {
		h := t.wides.at(uint32(s.first))
		t.addISN(r, h, p)
		h.add(p)
		return
	}
	h := t.half(r, from)
	t.addISN(r, &h, p)
	h.add(p)
	t.setHalf(r, from, &h)
}

// addISN notes the initial sequence number of a packet that has one.
func (t *Table) addISN(r *record, h *half, p *sighting) {
	if p.signs&handshake != 0 {
		t.joinISN(r, h, int(p.from), p.number)
	}
}

func (t *Table) joinISN(r *record, h *half, from int, isn uint32) {
	if !h.hasISN {
		h.isn, h.hasISN = isn, true
		return
	}
	if h.isn != isn {
		rare := t.rarity(r)
		rare.isns[from] = insertSmallest(rare.isns[from], isn, MaxISNs)
	}
}

func (t *Table) addVLAN(r *record, vlan uint16) {
	if !r.hasVLAN {
		r.vlan, r.hasVLAN = vlan, true
		return
	}
	if r.vlan != vlan {
		rare := t.rarity(r)
		rare.vlans = insertSmallest(rare.vlans, vlan, maxVLANs)
	}
}

// addQuote notes that an ICMP unreachable quoted a side.
func (t *Table) addQuote(r *record, from int, kind Signs, ns int64, ref Ref) {
	h := t.half(r, from)
	t.joinQuote(r, &h, from, kind, ns, ref)
	t.setHalf(r, from, &h)
}

func (t *Table) joinQuote(r *record, h *half, from int, kind Signs, ns int64, ref Ref) {
	rare := t.rarity(r)
	known := h.signs&Quoted != 0
	rare.quotedAt[from] = firstAt(rare.quotedAt[from], known, ns)
	rare.quoteRef[from] = earliest(rare.quoteRef[from], ref)
	h.signs |= kind & (Quoted | QuotedSYN)
}

// rarity returns the record's rare part.
func (t *Table) rarity(r *record) *rarity {
	if r.rare == 0 {
		r.rare = t.rarities.take() + 1
	}
	return t.rarities.at(r.rare - 1)
}

// release gives back what the record holds in the other pools.
func (t *Table) release(r *record) {
	for from := range 2 {
		if s := t.sideOf(r, from); s != nil && s.wide() {
			t.wides.give(uint32(s.first))
		}
	}
	if r.other != 0 {
		t.sides.give(r.other - 1)
	}
	if r.rare != 0 {
		t.runs -= len(t.rarities.at(r.rare - 1).seconds.runs)
		t.rarities.give(r.rare - 1)
	}
	if family(r.tail) != familyIPv4 {
		t.ends.give(uint32(r.ends))
	}
}
