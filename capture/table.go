package capture

import (
	"maps"
	"net/netip"
)

// Table is a set of flows and what was counted besides. The zero value is ready. One goroutine at a time.
//
// Inside are records without pointers, and an index of open addressing. Most packets find all that they change in one
// record; what few flows have lies apart. The garbage collector has nothing to scan.
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
	records  pool[record]
	annexes  pool[annex]      // by number of the record, as are
	extras   pool[extra]      // these,
	guards   pool[guard]      // and these
	wides    pool[half]       // what a side cannot say
	ends     pool[[2]address] // of IPv6 flows
	rarities pool[rarity]
	queue    *queue // flows' packets that are not yet in the records
	filling  *group // that the next goes into
	onward   *relay // where full groups go; nil: into the queue
	runs     int    // of seconds, in rarities

	file    uint16            // of the flows without an extra
	before  uint64            // packets of the file in front of those numbered from 1: Merge adds them
	granted uint32            // flows lent by Pool
	held    [guardEnds]uint32 // flows by their number of protected ends
	hand    uint32            // the record that eviction looks at next
}

// flow returns the row of the flow with that key, whose tag is given; a new one, first seen from that side, where there is
// none.
func (t *Table) flow(k *key, tag uint32, from int) row {
	t.index.reserve(1)
	if number := t.numberOf(k, tag); number != 0 {
		return t.row(number - 1)
	}
	return t.newFlow(k, tag, from)
}

// numberOf returns the number plus one of the flow with that key, whose tag is given; 0 where there is none. The index has room.
func (t *Table) numberOf(k *key, tag uint32) uint32 {
	number, slot := t.index.candidate(tag, tag)
	for number != 0 && !t.is(t.records.at(number-1), k) {
		number, slot = t.index.candidate(tag, slot)
	}
	return number
}

// newFlow adds a flow that the index does not know.
func (t *Table) newFlow(k *key, tag uint32, from int) row {
	r := t.row(t.vacant())
	t.index.put(tag, r.number)
	r.tail, r.ends = k.tail|uint64(from)*flagB, k.ends4()
	if k.family() != familyIPv4 {
		r.ends = uint64(t.ends.take())
		*t.ends.at(uint32(r.ends)) = [2]address{k.a, k.b}
	}
	t.guard(r.number, t.guarded(k))
	return r
}

// Add counts a packet for which Decode returned Kept. ns is its time in nanoseconds since 1970 UTC.
func (t *Table) Add(p *Packet, ns int64, ref Ref) {
	t.read(p)
	t.Stats.Flowed++
	if p.Signs&Cut != 0 {
		t.Stats.Truncated++
	}
	t.sight(p, p.Signs, ns, ref)
}

// sight takes a packet, with the signs that it shows of its flow, into the queue.
func (t *Table) sight(p *Packet, signs Signs, ns int64, ref Ref) {
	g := t.filling
	if g == nil {
		g = t.begin()
	}
	g.add(p, ns, ref, t.Segments)
	g.packets[g.n-1].signs = signs
	if g.n == groupSize {
		t.pass()
	}
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
	t.sight(&q.Packet, q.Kind, ns, ref)
}

// rowOf returns the row of the flow with that key, a new one, first seen from that side, where there is none.
func (t *Table) rowOf(k *key, from int) row {
	t.index.reserve(1)
	return t.flow(k, t.index.tag(k), from)
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

// settle completes the flows and Others.
func (t *Table) settle() {
	t.flush()
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

// Len returns the number of flows.
func (t *Table) Len() int {
	t.flush()
	return t.records.len()
}

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
	s.SecondsJoined += u.SecondsJoined
	s.Records.merge(&u.Records)
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
