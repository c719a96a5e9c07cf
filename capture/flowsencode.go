package capture

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
)

// encoder builds the content of one section of a flows file. Numbers are variable-length as in package encoding/binary,
// differences of times zigzag; all that is derived from a number before it is written as the difference.
type encoder struct {
	b      []byte
	before [2]netip.Addr // the addresses of the item before, by their place; none at the beginning of a section
}

func (e *encoder) byte(v byte)        { e.b = append(e.b, v) }
func (e *encoder) port(v uint16)      { e.b = binary.BigEndian.AppendUint16(e.b, v) }
func (e *encoder) word(v uint32)      { e.b = binary.BigEndian.AppendUint32(e.b, v) }
func (e *encoder) long(v uint64)      { e.b = binary.BigEndian.AppendUint64(e.b, v) }
func (e *encoder) number(v uint64)    { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) difference(v int64) { e.b = binary.AppendVarint(e.b, v) }

func (e *encoder) text(s string) {
	e.number(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) flag(v bool) {
	if v {
		e.byte(1)
		return
	}
	e.byte(0)
}

// capture writes what is known of a capture besides its tables.
func (e *encoder) capture(c *Capture) {
	e.text(c.Name)
	e.text(c.Format)
	e.text(c.Compression)
	e.number(uint64(c.Size))
	e.number(uint64(c.Expanded))
	e.difference(c.Shift)
	e.difference(c.First)
	e.difference(c.Last)
	e.long(c.Digest)
	e.flag(c.Interrupted)
	e.damages(c)
	e.number(c.Commented)
	e.number(c.Named)
	e.flag(c.Sample.Whole)
	e.text(c.Filter)
	e.number(uint64(c.Table.Len()))
}

// iface writes one interface.
func (e *encoder) iface(i *Interface) {
	e.text(i.Name)
	e.text(i.Description)
	e.text(i.Filter)
	e.number(uint64(i.Link))
	e.number(uint64(i.SnapLen))
	e.difference(i.Start)
	e.difference(i.End)
	e.flag(i.Counted)
	e.number(i.Received)
	e.number(i.Dropped)
}

// stats writes every counter that is not 0 by its name.
func (e *encoder) stats(s *Stats) {
	counters := statsCounters(s)
	names := slices.Sorted(maps.Keys(counters))
	names = slices.DeleteFunc(names, func(name string) bool { return *counters[name] == 0 })
	e.number(uint64(len(names)))
	for _, name := range names {
		e.text(name)
		e.number(*counters[name])
	}
	e.countedBy(countedBy(s.EtherTypes))
	e.countedBy(countedBy(s.Protocols))
	e.countedBy(countedBy(s.LinkTypes))
	e.countedBy(countedBy(s.VLANs))
}

// statsCounters returns the counters of s by the names they have in a flows file: those of the reasons are the reasons'.
func statsCounters(s *Stats) map[string]*uint64 {
	counters := map[string]*uint64{
		"read": &s.Read, "bytes": &s.Bytes, "flowed": &s.Flowed, "truncated": &s.Truncated,
		"bad-timestamps": &s.BadTimestamps, "overlong-records": &s.OverlongRecords, "out-of-order": &s.OutOfOrder,
		"duplicates": &s.Duplicates, "broadcasts": &s.Broadcasts, "quotes-rejected": &s.QuotesRejected,
		"fragments-joined": &s.FragmentsJoined, "fragments-evicted": &s.FragmentsEvicted,
		"tunnels-uncounted": &s.TunnelsUncounted, "events-uncounted": &s.EventsUncounted,
		"evictions": &s.Evictions, "folded-flows": &s.FoldedFlows, "folded-packets": &s.FoldedPackets,
		"pairs-refused": &s.PairsRefused, "seconds-joined": &s.SecondsJoined,
	}
	for _, why := range Skips() {
		counters["skipped:"+why.String()] = &s.Skipped[why]
	}
	maps.Copy(counters, s.Records.counters())
	return counters
}

// countedBy widens the keys of a map of counters.
func countedBy[K ~uint8 | ~uint16](counts map[K]uint64) map[uint64]uint64 {
	wide := make(map[uint64]uint64, len(counts))
	for k, n := range counts {
		wide[uint64(k)] = n
	}
	return wide
}

func (e *encoder) countedBy(counts map[uint64]uint64) {
	e.number(uint64(len(counts)))
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		e.number(k)
		e.number(counts[k])
	}
}

// flow writes one flow; base is the time of the capture's first packet.
func (e *encoder) flow(f *Flow, base int64) {
	e.byte(f.kind())
	e.address(0, f.A.Addr())
	e.address(1, f.B.Addr())
	e.port(f.A.Port())
	e.port(f.B.Port())
	if f.Segment != 0 {
		e.port(uint16(f.Segment))
	}
	if len(f.VLANs) > 0 {
		e.byte(byte(len(f.VLANs)))
		for _, vlan := range f.VLANs {
			e.port(vlan)
		}
	}
	if j := &f.Joined; j.Flows > 0 {
		e.number(j.Flows)
		e.number(j.Acked)
		e.number(j.Unseen)
	}
	for _, s := range [...]*Side{&f.FromA, &f.FromB} {
		if s.some() {
			e.side(s, base)
		}
	}
	if first, _, some := f.interval(); some {
		e.seconds(f.Seconds, floorSecond(first))
	}
}

// kind returns the flow's first byte.
func (f *Flow) kind() (kind byte) {
	if f.Proto == UDP {
		kind |= flowUDP
	}
	if f.A.Addr().Is6() {
		kind |= flowIPv6
	}
	if f.FromA.some() {
		kind |= flowSideA
	}
	if f.FromB.some() {
		kind |= flowSideB
	}
	if len(f.VLANs) > 0 {
		kind |= flowVLANs
	}
	if f.Segment != 0 {
		kind |= flowSegment
	}
	if f.Joined.Flows > 0 {
		kind |= flowJoined
	}
	return kind
}

// some reports whether anything is known of a side.
func (s *Side) some() bool { return s.Packets > 0 || s.Signs&Quoted != 0 }

// interval returns the times of the flow's first and last packet; false when it has none.
func (f *Flow) interval() (first, last int64, some bool) {
	a, b := &f.FromA, &f.FromB
	switch {
	case a.Packets == 0 && b.Packets == 0:
		return 0, 0, false
	case a.Packets == 0:
		return b.First, b.Last, true
	case b.Packets == 0:
		return a.First, a.Last, true
	}
	return min(a.First, b.First), max(a.Last, b.Last), true
}

// address writes how many leading bytes an address has in common with the one before in its place, and the others.
func (e *encoder) address(place int, a netip.Addr) {
	b, before := a.AsSlice(), e.before[place].AsSlice()
	same := 0
	for len(before) == len(b) && same < len(b) && b[same] == before[same] {
		same++
	}
	e.byte(byte(same))
	e.b = append(e.b, b[same:]...)
	e.before[place] = a
}

// side writes one side of a flow.
func (e *encoder) side(s *Side, base int64) {
	e.number(uint64(s.Signs))
	e.number(s.Packets)
	if s.Packets > 0 {
		e.sent(s, base)
	}
	if s.Signs&Quoted != 0 {
		e.difference(s.QuotedAt - base)
		e.number(s.QuoteRef.Frame)
	}
}

// sent writes what a side's own packets showed.
func (e *encoder) sent(s *Side, base int64) {
	e.number(s.Bytes)
	e.number(s.Content)
	e.difference(s.First - base)
	e.number(uint64(s.Last - s.First))
	e.number(uint64(s.PayloadMin))
	e.number(uint64(s.PayloadMax - s.PayloadMin))
	e.number(s.FirstRef.Frame)
	if s.Signs&SYN != 0 {
		e.number(uint64(s.SYNAt - s.First))
	}
	if s.Signs&SYNACK != 0 {
		e.number(uint64(s.SYNACKAt - s.First))
	}
	if s.Signs&(SYN|SYNACK) != 0 {
		e.number(s.SYNRef.Frame - s.FirstRef.Frame)
		e.byte(byte(len(s.ISNs)))
		for _, isn := range s.ISNs {
			e.word(isn)
		}
	}
	if s.Signs&RST != 0 {
		e.number(uint64(s.RSTAt - s.First))
	}
	if s.Signs&ACK != 0 {
		e.number(uint64(s.Last - s.LastACK))
		e.word(s.AckMin)
		e.number(uint64(s.AckMax - s.AckMin))
	}
}

// seconds writes a set that is not empty: its runs, the first from a given second.
func (e *encoder) seconds(s Seconds, from int64) {
	e.number(uint64(len(s)))
	for i, run := range s {
		if i == 0 {
			e.difference(run.First - from)
		} else {
			e.number(uint64(run.First - from))
		}
		e.number(uint64(run.Last - run.First))
		from = run.Last
	}
}

// pair writes the head of one directed pair.
func (e *encoder) pair(p Pair) {
	e.flag(p.From.Is6())
	e.address(0, p.From)
	e.address(1, p.To)
}

// sortedPairs returns the pairs in the order of their addresses.
func sortedPairs(others map[Pair]Seconds) []Pair {
	return slices.SortedFunc(maps.Keys(others), Pair.compare)
}

// compare orders pairs by where they come from, then by where they go.
func (p Pair) compare(o Pair) int {
	if c := p.From.Compare(o.From); c != 0 {
		return c
	}
	return p.To.Compare(o.To)
}
