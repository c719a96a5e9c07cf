package capture

import "math"

// record is one cache line, and all that the table keeps of a flow of one side that lasted some seconds, as nearly all of a scan are.
// What others have besides lies under the same number in other pools, so that a packet asks for record and annex at once: with
// a link between them the second was asked for when the first was there. With links, and records of 96 bytes, 3.5 M packets of 200,000
// flows took 0.96 s in place of 0.85 (November 2026).
type record struct {
	ends uint64 // both addresses of IPv4; of IPv6 their number in Table.ends
	tail uint64 // as in key, and flags; 0: no flow
	side side   // that was seen first; while the flow has no annex, its seconds are in it
}

// Flags of a record, where the family in the tail of a key has no bits.
const (
	flagB     = 1 << (3 + iota) // the record holds side 1
	flagAnnex                   // there is an annex
	flagExtra                   // and an extra
	flags     = flagB | flagAnnex | flagExtra
)

// annex is a second cache line: of flows that both sides spoke in, or that last.
type annex struct {
	seconds recent
	other   side // not the record's
}

// extra is what few flows have: in the table of one file without VLANs, only those with a rare part.
type extra struct {
	rare uint32 // number+1 in Table.rarities; 0 = none
	vlan uint32 // the first VLAN id seen, +1; 0 = none; the others are in rare
	file uint16 // of the first packets of its small sides
}

// row is a record, and the number under which all else of its flow lies.
type row struct {
	*record
	number uint32
}

// row returns what lies under a number.
func (t *Table) row(number uint32) row { return row{t.records.at(number), number} }

// used reports whether the record is a flow.
func (r *record) used() bool { return r.tail != 0 }

// from returns which side the record holds.
func (r *record) from() int { return int(r.tail / flagB & 1) }

// annexed reports whether the flow has an annex.
func (r *record) annexed() bool { return r.tail&flagAnnex != 0 }

// key returns the key of a record.
func (t *Table) key(r *record) key {
	k := key{tail: r.tail &^ flags}
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
	if r.tail&^flags != k.tail {
		return false
	}
	if k.family() == familyIPv4 {
		return r.ends == k.ends4()
	}
	ends := t.ends.at(uint32(r.ends))
	return ends[0] == k.a && ends[1] == k.b
}

// annex returns the annex of a flow, which has one from then on.
func (t *Table) annex(r row) *annex {
	if r.annexed() {
		return t.annexes.at(r.number)
	}
	t.annexes.reach(r.number)
	a := t.annexes.at(r.number)
	*a = annex{seconds: r.side.seconds()}
	r.side.mixed &= withoutSeconds
	r.tail |= flagAnnex
	return a
}

// extra returns the extra of a flow, which has one from then on.
func (t *Table) extra(r row) *extra {
	if r.tail&flagExtra == 0 {
		t.extras.reach(r.number)
		*t.extras.at(r.number) = extra{file: t.file}
		r.tail |= flagExtra
	}
	return t.extras.at(r.number)
}

// extraOf returns what the extra of a flow says, or would.
func (t *Table) extraOf(r row) extra {
	if r.tail&flagExtra == 0 {
		return extra{file: t.file}
	}
	return *t.extras.at(r.number)
}

// fileOf returns the file that the small sides of a flow are of.
func (t *Table) fileOf(r row) uint16 {
	if r.tail&flagExtra == 0 {
		return t.file
	}
	return t.extras.at(r.number).file
}

// setFile makes a file the one that the small sides of a flow are of. Nearly all flows of a table are of one.
func (t *Table) setFile(r row, file uint16) {
	if t.records.len() == 1 && r.tail&flagExtra == 0 {
		t.file = file
	}
	if file != t.fileOf(r) {
		t.extra(r).file = file
	}
}

// sideOf returns what is known of a side.
func (t *Table) sideOf(r row, from int) side {
	switch {
	case !r.annexed():
		if from != r.from() {
			return side{}
		}
		return r.side.withoutSeconds()
	case from == r.from():
		return r.side
	}
	return t.annexes.at(r.number).other
}

// at returns where a side lies, of a flow with an annex.
func (r row) at(a *annex, from int) *side {
	s := &a.other
	if from == r.from() { // no branch: it would be guessed wrong half of the time
		s = &r.side
	}
	return s
}

// secondsIn returns the seconds of a flow that are not in its rare part.
func (t *Table) secondsIn(r row) recent {
	if r.annexed() {
		return t.annexes.at(r.number).seconds
	}
	return r.side.seconds()
}

// half returns the plain form of a side.
func (t *Table) half(r row, from int) half {
	s := t.sideOf(r, from)
	if s.wide() {
		return *t.wides.at(uint32(s.first))
	}
	return s.half(t.fileOf(r))
}

// halves returns the plain form of both sides.
func (t *Table) halves(r row) [2]half { return [2]half{t.half(r, 0), t.half(r, 1)} }

// setHalf makes h what is known of a side.
func (t *Table) setHalf(r row, from int, h *half) {
	a := t.annex(r)
	s := r.at(a, from)
	if s.wide() {
		*t.wides.at(uint32(s.first)) = *h
		return
	}
	if small, ok := h.small(); ok && t.inFile(r, a, from, h) {
		*s = small
		return
	}
	number := t.wides.take()
	*t.wides.at(number) = *h
	*s = side{first: int64(number), mixed: uint64(wideSide)}
}

// inFile reports whether the first packet of a side lies in the file of the flow; where the other side has none, it makes this one's
// the file of the flow.
func (t *Table) inFile(r row, a *annex, from int, h *half) bool {
	if h.packets == 0 || h.firstFile == uint32(t.fileOf(r)) {
		return true
	}
	if r.at(a, 1-from).packets > 0 {
		return false
	}
	t.setFile(r, uint16(h.firstFile))
	return true
}

// packetsOf returns how many packets a flow had.
func (t *Table) packetsOf(r row) uint64 {
	packets := t.sidePackets(&r.side)
	if r.annexed() {
		packets += t.sidePackets(&t.annexes.at(r.number).other)
	}
	return packets
}

func (t *Table) sidePackets(s *side) uint64 {
	if s.wide() {
		return t.wides.at(uint32(s.first)).packets
	}
	return uint64(s.packets)
}

// count adds a packet to a flow, or that it was quoted.
func (t *Table) count(r row, p *sighting) {
	if p.signs&Quoted != 0 {
		t.addQuote(r, int(p.from), p.signs, p.ns, p.ref())
		return
	}
	if p.hasVLAN {
		t.addVLAN(r, p.vlan)
	}
	second := floorSecond(p.ns)
	if !r.annexed() && t.countBrief(r, p, second) {
		return
	}
	a := t.annex(r)
	if !a.seconds.add(second) {
		t.addSecond(r, a, second)
	}
	switch s := r.at(a, int(p.from)); {
	case p.file != uint32(t.fileOf(r)) || p.frame > math.MaxUint32:
		t.countPlain(r, s, p)
	case s.empty():
		s.begin(p)
	case !s.count(p):
		t.countPlain(r, s, p)
	}
}

// countBrief adds a packet to a flow without an annex, and reports whether it needs none for it: else nothing was done.
func (t *Table) countBrief(r row, p *sighting, second int64) bool {
	switch s := &r.side; {
	case int(p.from) != r.from() || p.file != uint32(t.fileOf(r)) && !t.begins(r, p):
		return false
	case s.packets > 0:
		return s.countBrief(p, second)
	case uint64(second) > latestRecent || p.frame > math.MaxUint32:
		return false
	default:
		s.begin(p)
		return true
	}
}

// begins makes the file of a packet that of a flow without packets.
func (t *Table) begins(r row, p *sighting) bool {
	if r.side.packets > 0 || p.file > math.MaxUint16 {
		return false
	}
	t.setFile(r, uint16(p.file))
	return true
}

// countPlain adds a packet in the plain form of its side.
func (t *Table) countPlain(r row, s *side, p *sighting) {
	from := int(p.from)
	if s.wide() {
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
func (t *Table) addISN(r row, h *half, p *sighting) {
	if p.signs&handshake != 0 {
		t.joinISN(r, h, int(p.from), p.number)
	}
}

func (t *Table) joinISN(r row, h *half, from int, isn uint32) {
	if !h.hasISN {
		h.isn, h.hasISN = isn, true
		return
	}
	if h.isn != isn {
		rare := t.rarity(r)
		rare.isns[from] = insertSmallest(rare.isns[from], isn, MaxISNs)
	}
}

func (t *Table) addVLAN(r row, vlan uint16) {
	switch t.extraOf(r).vlan {
	case uint32(vlan) + 1:
	case 0:
		t.extra(r).vlan = uint32(vlan) + 1
	default:
		rare := t.rarity(r)
		rare.vlans = insertSmallest(rare.vlans, vlan, maxVLANs)
	}
}

// addQuote notes that an ICMP unreachable quoted a side.
func (t *Table) addQuote(r row, from int, kind Signs, ns int64, ref Ref) {
	h := t.half(r, from)
	t.joinQuote(r, &h, from, kind, ns, ref)
	t.setHalf(r, from, &h)
}

func (t *Table) joinQuote(r row, h *half, from int, kind Signs, ns int64, ref Ref) {
	rare := t.rarity(r)
	known := h.signs&Quoted != 0
	rare.quotedAt[from] = firstAt(rare.quotedAt[from], known, ns)
	rare.quoteRef[from] = earliest(rare.quoteRef[from], ref)
	h.signs |= kind & (Quoted | QuotedSYN)
}

// rarity returns the rare part of a flow, which has one from then on.
func (t *Table) rarity(r row) *rarity {
	o := t.extra(r)
	if o.rare == 0 {
		o.rare = t.rarities.take() + 1
	}
	return t.rarities.at(o.rare - 1)
}

// rare returns the rare part of a flow; nil where it has none, as of nearly all.
func (t *Table) rare(r row) *rarity {
	if rare := t.extraOf(r).rare; rare != 0 {
		return t.rarities.at(rare - 1)
	}
	return nil
}

// release gives back what the flow holds in the other pools. What lies there under its number is nobody's without the flags.
func (t *Table) release(r row) {
	for from := range 2 {
		if s := t.sideOf(r, from); s.wide() {
			t.wides.give(uint32(s.first))
		}
	}
	if rare := t.extraOf(r).rare; rare != 0 {
		t.runs -= t.rarities.at(rare - 1).runs()
		t.rarities.give(rare - 1)
	}
	if k := t.key(r.record); k.family() != familyIPv4 {
		t.ends.give(uint32(r.ends))
	}
}
