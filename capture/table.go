package capture

import (
	"hash/maphash"
	"maps"
	"math/bits"
	"net/netip"
)

// Table is a set of flows and what was counted besides. The zero value is ready. One goroutine at a time.
//
// Inside are records without pointers, in chunks that never move, and an index of open addressing. Against a Go map keyed
// by two netip.AddrPort this halves the time of a packet and leaves the garbage collector nothing to scan.
type Table struct {
	Stats Stats
	// Others is who was seen sending to whom in IP packets that make no flow (ICMP and other protocols): evidence that
	// the capture sees that direction. It is complete once [Input.Read] or [Table.Merge] has returned.
	Others map[Pair]Seconds
	// Segments makes flows of the same addresses in different VLANs different flows.
	Segments bool
	// MaxFlows caps the flows the table holds by itself, and Pool lends room for more; 0 = no cap. What a full table evicts
	// is in Folded. The addresses for which Keep is true are protected: flows of others go first.
	MaxFlows int
	Pool     *Pool
	Keep     func(netip.Addr) bool
	Folded   map[FoldKey]*Fold

	// Tunnels is what carried packets, and how many; Events are where hosts said they are, the earliest first. Both are
	// complete when Others is.
	Tunnels map[Tunnel]uint64
	Events  []Event

	tunnels  map[conduit]uint64     // not yet in Tunnels
	vlans    *[maxVLANID + 1]uint64 // not yet in Stats.VLANs
	others   map[Pair]*runBag       // not yet in Others
	index    index
	chunks   [][]record // chunk i holds firstChunk<<i records
	n        uint32
	rarities []rarity

	granted  uint32            // flows lent by Pool
	held     [guardEnds]uint32 // flows by their number of protected ends
	hand     uint32            // the record that eviction looks at next
	free     []uint32          // records below n that no flow uses
	rareFree []uint32          // of rarities, index+1
}

// firstChunk is the number of records in the first chunk: small, because a run may hold ten thousand small captures.
const firstChunk = 16

// record returns the record with that number.
func (t *Table) record(i uint32) *record {
	chunk := bits.Len32(i/firstChunk+1) - 1
	return &t.chunks[chunk][i-firstChunk*(1<<chunk-1)]
}

// flow returns the number of the flow with that key, a new one where there is none.
func (t *Table) flow(k *key) uint32 {
	if uint64(t.n)*2 >= uint64(len(t.index.slots)) {
		t.index.grow()
	}
	tag := t.index.tag(k)
	slot := tag & t.index.mask
	for ; t.index.slots[slot] != 0; slot = (slot + 1) & t.index.mask {
		if e := t.index.slots[slot]; uint32(e>>32) == tag {
			if i := uint32(e) - 1; t.record(i).key.same(k) {
				return i
			}
		}
	}
	return t.newFlow(k, tag)
}

// newFlow adds a flow that the index does not know.
func (t *Table) newFlow(k *key, tag uint32) uint32 {
	i := t.vacant()
	t.index.put(tag, i)
	r := t.record(i)
	r.key, r.guard = *k, t.guarded(k)
	t.held[r.guard]++
	return i
}

// index finds records by key: linear probing, at most half full. A slot is the key's tag above the record's number plus
// one; the tag alone places it, so growing needs no record.
type index struct {
	slots []uint64
	mask  uint32
	seed  [5]uint64 // of this process, unknown to who makes the packets: no one can aim at a slot
}

func (x *index) grow() {
	if len(x.slots) == 0 {
		secret := maphash.MakeSeed()
		for i := range x.seed {
			x.seed[i] = maphash.Bytes(secret, []byte{byte(i)}) | 1
		}
	}
	old := x.slots
	x.slots = make([]uint64, max(2*firstChunk, 2*len(old)))
	x.mask = uint32(len(x.slots) - 1)
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

// put adds the record with that number.
func (x *index) put(tag, i uint32) {
	slot := tag & x.mask
	for x.slots[slot] != 0 {
		slot = (slot + 1) & x.mask
	}
	x.slots[slot] = uint64(tag)<<32 | uint64(i+1)
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
}

// tag hashes a key: multiply and fold, as wyhash does.
func (x *index) tag(k *key) uint32 {
	h := fold(k.a.hi^x.seed[0], k.a.lo^x.seed[1]) ^ fold(k.b.hi^x.seed[2], k.b.lo^x.seed[3])
	h = fold(h^k.tail, x.seed[4])
	return uint32(h ^ h>>32)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Add counts a packet for which Decode returned Kept. ns is its time in nanoseconds since 1970 UTC.
func (t *Table) Add(p *Packet, ns int64, ref Ref) {
	t.read(p)
	t.Stats.Flowed++
	if p.Signs&Cut != 0 {
		t.Stats.Truncated++
	}
	k, from := p.key()
	if t.Segments && p.HasVLAN {
		k.in(Segment(p.VLAN) + 1)
	}
	r := t.record(t.flow(&k))
	h := &r.sides[from]
	if p.Signs&(SYN|SYNACK) != 0 {
		t.addISN(r, from, p.Seq)
	}
	if p.HasVLAN {
		t.addVLAN(r, p.VLAN)
	}
	t.addSecond(r, floorSecond(ns))
	h.add(p, ns, ref)
}

// AddSkipped counts a packet that is in no flow, for the reason why. link is the link type of its frame.
func (t *Table) AddSkipped(p *Packet, why Skip, link Link, ns int64) {
	t.read(p)
	t.Stats.Skipped[why]++
	switch why {
	case IgnoredNotIP:
		count(&t.Stats.EtherTypes, p.EtherType, 1)
	case BadLinkType:
		count(&t.Stats.LinkTypes, link, 1)
	case IgnoredICMP, IgnoredProtocol:
		count(&t.Stats.Protocols, uint8(p.Proto), 1)
		t.addOther(p, ns)
	case BadLaterFragment, BadTooDeep:
		t.addOther(p, ns)
	}
}

// read counts a packet whatever becomes of it.
func (t *Table) read(p *Packet) {
	t.Stats.Read++
	t.Stats.Bytes += uint64(p.WireLen)
	if p.Signs&Cast != 0 {
		t.Stats.Broadcasts++
	}
	if p.HasVLAN {
		t.countVLAN(p.VLAN)
	}
	if p.tunnel.kind != 0 {
		t.addTunnel(p.tunnel.conduit)
	}
}

// maxVLANID is the largest VLAN id (IEEE 802.1Q: 12 bits).
const maxVLANID = 0xfff

// countVLAN counts a tagged packet. An array does it in a tenth of the time of a map.
func (t *Table) countVLAN(id uint16) {
	if t.vlans == nil {
		t.vlans = new([maxVLANID + 1]uint64)
	}
	t.vlans[id&maxVLANID]++
}

// Quote counts an ICMP unreachable as evidence for the flow it quotes, which need not have been seen.
func (t *Table) Quote(q Quote, ns int64, ref Ref) {
	k, from := q.Packet.key()
	if t.Segments && q.Packet.HasVLAN {
		k.in(Segment(q.Packet.VLAN) + 1)
	}
	r := t.record(t.flow(&k))
	t.addQuote(r, from, q.Kind, ns, ref)
}

func (t *Table) addQuote(r *record, from int, kind Signs, ns int64, ref Ref) {
	rare := t.rarity(r)
	known := r.sides[from].signs&Quoted != 0
	rare.quotedAt[from] = firstAt(rare.quotedAt[from], known, ns)
	rare.quoteRef[from] = earliest(rare.quoteRef[from], ref)
	r.sides[from].signs |= kind & Quoted
}

// rarity returns the record's rare part. It stays valid until the next call.
func (t *Table) rarity(r *record) *rarity {
	if last := len(t.rareFree) - 1; r.rare == 0 && last >= 0 {
		r.rare = t.rareFree[last]
		t.rareFree = t.rareFree[:last]
	} else if r.rare == 0 {
		t.rarities = append(t.rarities, rarity{})
		r.rare = uint32(len(t.rarities))
	}
	return &t.rarities[r.rare-1]
}

func (t *Table) addISN(r *record, from int, isn uint32) {
	h := &r.sides[from]
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

// addSecond notes that the flow had a packet in that second. The run that grows is at hand; one that has stopped growing
// goes to the rare part.
func (t *Table) addSecond(r *record, second int64) {
	switch {
	case r.sides[0].packets+r.sides[1].packets == 0:
		r.run = Run{second, second}
	case second >= r.run.First && second <= r.run.Last:
	case second == r.run.Last+1:
		r.run.Last = second
	default:
		t.rarity(r).seconds.add(r.run)
		r.run = Run{second, second}
	}
}

func (t *Table) addOther(p *Packet, ns int64) {
	pair := Pair{From: p.Src().Addr(), To: p.Dst().Addr()}
	bag := t.others[pair]
	if bag == nil {
		if !t.notes(len(t.others), pair) {
			t.Stats.PairsRefused++
			return
		}
		if t.others == nil {
			t.others = make(map[Pair]*runBag)
		}
		bag = new(runBag)
		t.others[pair] = bag
	}
	second := floorSecond(ns)
	if n := len(bag.runs); n == 0 || second != bag.runs[n-1].Last {
		bag.add(Run{second, second})
	}
}

// settle completes Others.
func (t *Table) settle() {
	if t.Others == nil && len(t.others) > 0 {
		t.Others = make(map[Pair]Seconds, len(t.others))
	}
	for pair, bag := range t.others {
		t.Others[pair] = t.Others[pair].Union(bag.settle())
	}
	t.others = nil
	t.settleVLANs()
	t.settleTransport()
}

// settleVLANs completes Stats.VLANs.
func (t *Table) settleVLANs() {
	if t.vlans == nil {
		return
	}
	for id, n := range t.vlans {
		if n > 0 {
			count(&t.Stats.VLANs, uint16(id), n)
		}
	}
	t.vlans = nil
}

// floorSecond returns the whole second of a time, also before 1970.
func floorSecond(ns int64) int64 {
	const second = 1e9
	s := ns / second
	if ns%second < 0 {
		s--
	}
	return s
}

// Merge adds everything u holds to t. The order of merges does not matter. u stays as it is.
func (t *Table) Merge(u *Table) {
	t.settle()
	u.settle()
	t.Stats.Merge(&u.Stats)
	t.mergeTransport(u)
	if t.Others == nil {
		t.Others = maps.Clone(u.Others)
	} else {
		for pair, seconds := range u.Others {
			t.Others[pair] = t.Others[pair].Union(seconds)
		}
	}
	t.mergeFolds(u)
	for i := range u.n {
		if o := u.record(i); o.used() {
			t.mergeFlow(u, o)
		}
	}
}

// mergeFlow adds one flow of u.
func (t *Table) mergeFlow(u *Table, o *record) {
	var theirs rarity
	if o.rare != 0 {
		theirs = u.rarities[o.rare-1]
	}
	t.mergeRecord(o, &theirs)
}

// mergeRecord adds one flow of another table, with its rare part.
func (t *Table) mergeRecord(o *record, theirs *rarity) {
	r := t.record(t.flow(&o.key))
	t.mergeSeconds(r, o, theirs)
	if o.hasVLAN {
		t.addVLAN(r, o.vlan)
	}
	for _, vlan := range theirs.vlans {
		t.addVLAN(r, vlan)
	}
	for from := range o.sides {
		h := &o.sides[from]
		if h.signs&Quoted != 0 {
			t.addQuote(r, from, h.signs, theirs.quotedAt[from], theirs.quoteRef[from])
		}
		if h.hasISN {
			t.addISN(r, from, h.isn)
		}
		for _, isn := range theirs.isns[from] {
			t.addISN(r, from, isn)
		}
		r.sides[from].merge(h)
	}
}

// mergeSeconds adds the seconds of o to r, before r counts o's packets.
func (t *Table) mergeSeconds(r, o *record, theirs *rarity) {
	if o.sides[0].packets+o.sides[1].packets == 0 {
		return
	}
	if r.sides[0].packets+r.sides[1].packets == 0 {
		r.run = o.run
	} else if o.run != r.run {
		t.rarity(r).seconds.add(o.run)
	}
	for _, run := range theirs.seconds.runs {
		t.rarity(r).seconds.add(run)
	}
}

// Len returns the number of flows.
func (t *Table) Len() int { return int(t.n) - len(t.free) }

// Flows yields every flow in no particular order. What it yields is the caller's to keep.
func (t *Table) Flows(yield func(Flow) bool) {
	for f := range t.Each {
		if !yield(f.Clone()) {
			return
		}
	}
}

// Merge adds what u counted.
func (s *Stats) Merge(u *Stats) {
	s.Read += u.Read
	s.Bytes += u.Bytes
	s.Flowed += u.Flowed
	for i, n := range u.Skipped {
		s.Skipped[i] += n
	}
	s.Truncated += u.Truncated
	s.BadTimestamps += u.BadTimestamps
	s.OverlongRecords += u.OverlongRecords
	s.OutOfOrder += u.OutOfOrder
	s.Duplicates += u.Duplicates
	s.Broadcasts += u.Broadcasts
	s.QuotesRejected += u.QuotesRejected
	s.FragmentsJoined += u.FragmentsJoined
	s.FragmentsEvicted += u.FragmentsEvicted
	s.TunnelsUncounted += u.TunnelsUncounted
	s.EventsUncounted += u.EventsUncounted
	s.Evictions += u.Evictions
	s.FoldedFlows += u.FoldedFlows
	s.FoldedPackets += u.FoldedPackets
	s.PairsRefused += u.PairsRefused
	for k, n := range u.EtherTypes {
		count(&s.EtherTypes, k, n)
	}
	for k, n := range u.Protocols {
		count(&s.Protocols, k, n)
	}
	for k, n := range u.LinkTypes {
		count(&s.LinkTypes, k, n)
	}
	for k, n := range u.VLANs {
		count(&s.VLANs, k, n)
	}
}

// Clone returns a copy that shares nothing with s.
func (s *Stats) Clone() Stats {
	c := *s
	c.EtherTypes, c.Protocols, c.LinkTypes = maps.Clone(s.EtherTypes), maps.Clone(s.Protocols), maps.Clone(s.LinkTypes)
	c.VLANs = maps.Clone(s.VLANs)
	return c
}

// count adds n to a counter of a map that is made when first needed.
func count[K comparable](m *map[K]uint64, k K, n uint64) {
	if *m == nil {
		*m = make(map[K]uint64)
	}
	(*m)[k] += n
}
