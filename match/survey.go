package match

import (
	"cmp"
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/numbering"
)

// survey is what one walk over a table tells of its flows: who their ends are and who began them, as far as each flow shows
// it by itself. What flows tell about each other is read from it, without another walk: 1 M flows lie in 150 MB, their traits
// in 24.
type survey struct {
	table *capture.Table
	flows []traits // by the flow's number
	parts int      // ranges of flows that are worth a goroutine each
	numbering.Hash
	surveyors []*surveyor // of the ranges
	speakers  []speaker   // by number of address; of numbers that turned out to be another's, the zero value
	services  services    // packets of the strangers' flows that are done
}

// traits is what is kept of a flow: 24 bytes without a pointer. Those of a number that is nobody's are zero.
type traits struct {
	a, b         uint32 // the numbers of its addresses
	portA, portB uint16
	segment      capture.Segment
	proto        capture.Proto // 0: no flow
	sighted      direction     // in which it has packets
	orientation
}

// direction is one direction of a flow or of a pair of addresses, or both.
type direction uint8

const (
	byA direction = 1 << iota
	byB
)

// directions returns the directions in which a flow has packets.
func directions(g *capture.Glance) direction {
	var d direction
	if g.From[0].Packets > 0 {
		d |= byA
	}
	if g.From[1].Packets > 0 {
		d |= byB
	}
	return d
}

// back is 1 where A is the initiator, else 0. What follows from who began a flow is taken by it, without a branch: that would be guessed
// wrong half of the time.
func (t *traits) back() uint32 {
	if t.fromA {
		return 1
	}
	return 0
}

// initiator returns the number of the initiator's address.
func (t *traits) initiator() uint32 { return t.b ^ (t.a^t.b)&-t.back() }

// responder returns the number of the responder's address.
func (t *traits) responder() uint32 { return t.a ^ (t.a^t.b)&-t.back() }

// responderPort returns the port of the responder's end.
func (t *traits) responderPort() uint16 { return t.portA ^ (t.portA^t.portB)&uint16(-t.back()) }

// addresses numbers the addresses of a table's flows, and keeps what is known of each.
type addresses struct {
	numbering.Addresses
	speakers []speaker // by number
}

// speaker is what is known of an address.
type speaker struct {
	*end
	packets uint64 // of its flows
}

// enter returns the numbers of a flow's addresses.
func (x *addresses) enter(g *capture.Glance, j *judge) (a, b uint32) {
	if four, other, ok := g.Fours(); ok {
		a, _ = x.AddFour(four)
		b, _ = x.AddFour(other)
	} else {
		one, other := g.Addrs()
		a, _ = x.Add(one)
		b, _ = x.Add(other)
	}
	for len(x.speakers) < x.Len() {
		x.speakers = numbering.Push(x.speakers, speaker{end: j.end(x.At(uint32(len(x.speakers))))})
	}
	return a, b
}

// survey walks a table, ranges of its flows side by side. It is to be known whether somebody watches what machines say.
func (j *judge) survey(t *capture.Table, watched bool) *survey {
	s := &survey{table: t, flows: make([]traits, t.Numbers()), parts: shares(t), Hash: numbering.NewHash()}
	s.surveyors = make([]*surveyor, s.parts)
	s.each(func(i, lo, hi int) {
		v := &surveyor{ruler: newRuler(j), addresses: addresses{Addresses: numbering.Addresses{Hash: s.Hash}}, watched: watched}
		v.walk(t, s.flows, uint32(lo), uint32(hi))
		s.surveyors[i] = v
	})
	s.join()
	return s
}

// join gives the addresses of all surveyors numbers of the survey: those of the first as they are, then those of the second that
// the first does not know, and so on. Nothing is entered anywhere, so that they look side by side.
func (s *survey) join() {
	n := uint32(0)
	for _, v := range s.surveyors {
		s.services.merge(&v.services)
		v.first = n
		n += uint32(v.Len())
	}
	if s.parts == 1 {
		s.speakers = s.surveyors[0].speakers
		return
	}
	s.speakers = make([]speaker, n)
	s.each(func(i, lo, hi int) {
		v := s.surveyors[i]
		v.renumber(s.surveyors[:i], s.speakers)
		v.rename(s.flows[lo:hi])
	})
	for _, v := range s.surveyors {
		for i, n := range v.renamed {
			if n != v.first+uint32(i) {
				s.speakers[n].packets += v.speakers[i].packets
			}
		}
		v.speakers, v.renamed = nil, nil
	}
}

// At returns the address with a number.
func (s *survey) At(number uint32) netip.Addr {
	i := len(s.surveyors) - 1
	for s.surveyors[i].first > number {
		i--
	}
	return s.surveyors[i].At(number - s.surveyors[i].first)
}

// each calls do for each range of flows, side by side.
func (s *survey) each(do func(i, lo, hi int)) {
	sideBySide(s.parts, func(i int) {
		lo, hi := part(uint32(len(s.flows)), i, s.parts)
		do(i, int(lo), int(hi))
	})
}

// part returns the range of numbers, of so many, that is part i of n.
func part(numbers uint32, i, n int) (lo, hi uint32) {
	all := uint64(numbers)
	return uint32(all * uint64(i) / uint64(n)), uint32(all * uint64(i+1) / uint64(n))
}

// surveyor walks a range of flows. Its addresses have numbers of their own.
type surveyor struct {
	*ruler
	addresses
	watched  bool
	services services
	first    uint32   // the survey's number of its first address
	renamed  []uint32 // the survey's numbers of its addresses
}

func (v *surveyor) walk(t *capture.Table, flows []traits, lo, hi uint32) {
	for g := range t.GlanceIn(lo, hi) {
		v.read(g, &flows[g.Number])
	}
}

// read takes down the traits of a flow. One that is out of scope is done where other flows can tell nothing of it.
func (v *surveyor) read(g *capture.Glance, t *traits) {
	t.a, t.b = v.enter(g, v.judge)
	t.portA, t.portB, t.segment, t.proto, t.sighted = g.PortA, g.PortB, g.Segment, g.Proto, directions(g)
	n := g.From[0].Packets + g.From[1].Packets
	v.speakers[t.a].packets += n
	v.speakers[t.b].packets += n
	a, b := v.speakers[t.a].end, v.speakers[t.b].end
	t.foreign = v.outOfScope(a, b)
	if !v.settleAtAGlance(g, t, a, b) {
		v.settle(g.Flow(), t, a, b)
	}
	if t.done = t.foreign && !t.pending; t.done {
		v.services.add(t.proto, t.port, 0, n)
	}
}

// settle finds who began a flow, as far as it shows it by itself.
func (v *surveyor) settle(f *capture.Flow, t *traits, a, b *end) {
	if t.a == t.b {
		a = v.itself(f.A.Addr())
		b = a
	}
	foreign := t.foreign
	t.orientation = v.orient(f, a, b)
	if t.foreign = foreign; foreign && !t.pending {
		v.exchange(t, firstFromA(f), a, b)
	}
}

// outOfScope reports whether whatever passes between two ends is not judged, and nobody asks for more of it than its amount:
// no VMware machine takes part, and no network or VLAN is declared that it could intrude on.
func (v *surveyor) outOfScope(a, b *end) bool {
	return !a.vmware && !b.vmware && !a.reserved && !b.reserved && len(v.inv.VLANs) == 0 &&
		!(v.watched && (a.machine != nil || b.machine != nil))
}

// renumber finds the survey's numbers: those of earlier surveyors, or its own behind theirs. Whom it knows first it tells of.
func (v *surveyor) renumber(earlier []*surveyor, speakers []speaker) {
	v.renamed = make([]uint32, v.Len())
	for i := range v.renamed {
		n := v.first + uint32(i)
		if known, elsewhere := knownTo(earlier, v.At(uint32(i))); elsewhere {
			n = known
		} else {
			speakers[n] = v.speakers[i]
		}
		v.renamed[i] = n
	}
}

// knownTo returns the survey's number of an address that one of some surveyors knows.
func knownTo(some []*surveyor, a netip.Addr) (number uint32, known bool) {
	for _, v := range some {
		if n, known := v.Find(a); known {
			return v.first + n, true
		}
	}
	return 0, false
}

// rename gives the flows the survey's numbers of their addresses.
func (v *surveyor) rename(flows []traits) {
	for i := range flows {
		if t := &flows[i]; t.proto != 0 {
			t.a, t.b = v.renamed[t.a], v.renamed[t.b]
		}
	}
}

// share returns which of n shares a pair of addresses is of.
func share(a, b uint32, n int) int {
	return int(uint64((a*0x9e3779b1^b*0x85ebca77)*0xc2b2ae3d) * uint64(n) >> 32)
}

// maxTalkers bounds the list of busy addresses.
const maxTalkers = 10

// talkers lists the busiest addresses.
func (s *survey) talkers() []Talker {
	var busiest []uint32
	busier := func(m, n uint32) int {
		return cmp.Or(-cmp.Compare(s.speakers[m].packets, s.speakers[n].packets), s.At(m).Compare(s.At(n)))
	}
	for n := range uint32(len(s.speakers)) {
		if s.speakers[n].end == nil || len(busiest) == maxTalkers && busier(busiest[maxTalkers-1], n) < 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(busiest, n, busier)
		busiest = slices.Insert(busiest, at, n)
		busiest = busiest[:min(len(busiest), maxTalkers)]
	}
	peers := s.peers(busiest)
	all := make([]Talker, len(busiest))
	for i, n := range busiest {
		all[i] = Talker{Addr: s.At(n), Packets: s.speakers[n].packets, Peers: peers[i]}
	}
	return all
}

// peers counts how many addresses each of those listed was in flows with.
func (s *survey) peers(of []uint32) []int {
	place := make([]uint8, len(s.speakers)) // in of, plus 1; 0: not in it
	for i, n := range of {
		place[n] = uint8(i + 1)
	}
	met := make([]bool, len(of)*len(s.speakers))
	peers := make([]int, len(of))
	meet := func(n, other uint32) {
		if place[n] == 0 {
			return
		}
		i := int(place[n]) - 1
		if at := &met[i*len(s.speakers)+int(other)]; !*at {
			*at = true
			peers[i]++
		}
	}
	for i := range s.flows {
		if t := &s.flows[i]; t.proto != 0 {
			meet(t.a, t.b)
			meet(t.b, t.a)
		}
	}
	return peers
}
