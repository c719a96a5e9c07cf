package match

import (
	"math/bits"

	"flowvet/capture"
	"flowvet/numbering"
)

// strangers counts what passed between strangers, when all their flows are settled. What the flows that were settled last
// add to the packets is given.
//
// Flows between addresses that are nobody's are out of scope whoever began them, so they need no outcome and no ends of their
// own: of a capture of 1 M such flows that is four fifths of the judging.
func (s *survey) strangers(last []*services) *services {
	all := &s.services
	for _, more := range last {
		all.merge(more)
	}
	for _, counted := range s.countConversations() {
		all.merge(counted)
	}
	return all
}

// countConversations counts the distinct conversations of the strangers' flows.
func (s *survey) countConversations() []*services {
	if n, some := s.naming(); !some {
		return nil
	} else if n.fits() {
		return s.countNamed(n)
	}
	return s.countPlainly()
}

// countPlainly counts conversations whose names are too long for a word: those of more than 8 M addresses, or of fewer in
// many segments.
func (s *survey) countPlainly() []*services {
	var known numbering.Of[numbering.Words]
	counted := new(services)
	for i := range s.flows {
		if t := &s.flows[i]; t.foreign {
			k := t.conversation()
			if _, fresh := known.Number(k, s.Words(k)); fresh {
				counted.add(t.proto, t.port, 1, 0)
			}
		}
	}
	return []*services{counted}
}

// conversation names the conversation of a flow between strangers.
func (t *traits) conversation() numbering.Words {
	from, to := t.initiator(), t.responder()
	return numbering.Words{uint64(from)<<32 | uint64(to), uint64(t.segment)<<32 | uint64(t.proto)<<16 | uint64(t.port)}
}

// naming says how a word names a conversation: who began it, with whom, in which segment, at which port, over TCP or UDP; and the highest bit,
// which tells it from a free slot. As two words each, in a table of numbers, the conversations of 1 M flows took 55 ms to count.
type naming struct{ address, segment int } // bits

// naming returns how the conversations of strangers can be named, and whether there are any.
func (s *survey) naming() (n naming, some bool) {
	n.address = bits.Len(uint(len(s.speakers)))
	segments := make([]capture.Segment, s.parts)
	foreign := make([]bool, s.parts)
	s.each(func(i, lo, hi int) {
		var seen capture.Segment
		any := false
		for k := lo; k < hi; k++ {
			seen |= s.flows[k].segment
			any = any || s.flows[k].foreign
		}
		segments[i], foreign[i] = seen, any
	})
	for i := range segments {
		n.segment = max(n.segment, bits.Len16(uint16(segments[i])))
		some = some || foreign[i]
	}
	return n, some
}

// fits reports whether a word is enough.
func (n naming) fits() bool { return 2*n.address+n.segment+16+1+1 <= 64 }

// name names the conversation of a flow.
func (n naming) name(t *traits) uint64 {
	name := uint64(t.initiator())<<n.address | uint64(t.responder())
	name = name<<n.segment | uint64(t.segment)
	name = name<<17 | uint64(t.port)<<1
	if t.proto == capture.TCP {
		name |= 1
	}
	return name | 1<<63
}

// service returns the transport and port in a name.
func (n naming) service(name uint64) proto {
	p := proto{capture.UDP, uint16(name >> 1)}
	if name&1 != 0 {
		p.p = capture.TCP
	}
	return p
}

// binSize is how many flows' names are held against each other at a time: with their slots they fit into a processor's
// cache. In one table of 1 M each look-up waited for memory: 60 ns, not 10.
const binSize = 1 << 14

// countNamed is countPlainly with names of one word.
func (s *survey) countNamed(n naming) []*services {
	bins := 1
	for bins*binSize < len(s.flows) {
		bins *= 2
	}
	names := s.binned(n, bins)
	counted := make([]*services, s.parts)
	sideBySide(s.parts, func(i int) {
		counted[i] = new(services)
		known := nameSet{Hash: &s.Hash}
		for bin := i; bin < bins; bin += s.parts {
			size := 0
			for _, part := range names {
				size += len(part[bin])
			}
			known.reset(size)
			for _, part := range names {
				for _, name := range part[bin] {
					if known.add(name) {
						service := n.service(name)
						counted[i].add(service.p, service.port, 1, 0)
					}
				}
			}
		}
	})
	return counted
}

// binned returns the names of the conversations of the strangers' flows, those of each range of flows by bin.
func (s *survey) binned(n naming, bins int) [][][]uint64 {
	names := make([][][]uint64, s.parts)
	s.each(func(i, lo, hi int) {
		own := make([][]uint64, bins)
		for bin := range own {
			own[bin] = make([]uint64, 0, (hi-lo)/bins*5/4)
		}
		for k := lo; k < hi; k++ {
			if t := &s.flows[k]; t.foreign {
				name := n.name(t)
				bin := &own[s.Word(name)>>16&uint32(bins-1)]
				*bin = append(*bin, name)
			}
		}
		names[i] = own
	})
	return names
}

// nameSet is a set of names, in slots that are used again.
type nameSet struct {
	*numbering.Hash
	slots []uint64 // 0: free
}

// reset empties the set, and makes room for so many names.
func (s *nameSet) reset(names int) {
	size := 1 << bits.Len(uint(2*names))
	if size > cap(s.slots) {
		s.slots = numbering.NewSlots(size)
		return
	}
	s.slots = s.slots[:size]
	clear(s.slots)
}

// add puts a name into the set, and reports whether it is new there.
func (s *nameSet) add(name uint64) bool {
	mask := uint32(len(s.slots) - 1)
	for at := s.Word(name) & mask; ; at = (at + 1) & mask {
		switch s.slots[at] {
		case 0:
			s.slots[at] = name
			return true
		case name:
			return false
		}
	}
}
