package match

import (
	"cmp"
	"slices"

	"flowvet/capture"
	"flowvet/numbering"
)

// services counts what is not judged, by transport and port, in pages that are made when needed: as a Go map of 65,535 ports
// it took a fifth of the judging of a scan.
type services struct{ pages [2 << 8]*[1 << 8]Service }

// at returns the counter of a service.
func (s *services) at(p capture.Proto, port uint16) *Service {
	page := &s.pages[port>>8<<1]
	if p == capture.UDP {
		page = &s.pages[port>>8<<1|1]
	}
	if *page == nil {
		*page = new([1 << 8]Service)
	}
	service := &(*page)[port&0xff]
	service.Proto, service.Port = p, port
	return service
}

// merge adds other counters.
func (s *services) merge(o *services) {
	for i, page := range o.pages {
		switch {
		case page == nil:
		case s.pages[i] == nil:
			s.pages[i] = page
		default:
			for k := range page {
				s.pages[i][k].add(&page[k])
			}
		}
	}
}

// add sums up.
func (s *Service) add(o *Service) {
	if o.Proto != 0 {
		s.Proto, s.Port = o.Proto, o.Port
		s.Conversations += o.Conversations
		s.Packets += o.Packets
	}
}

// list returns the services that have been counted, busiest first.
func (s *services) list() []Service {
	var all []Service
	for _, page := range s.pages {
		if page == nil {
			continue
		}
		for i := range page {
			if page[i].Proto != 0 {
				all = append(all, page[i])
			}
		}
	}
	slices.SortFunc(all, func(a, b Service) int {
		return cmp.Or(-cmp.Compare(a.Packets, b.Packets), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
	})
	return all
}

// addConversation adds a conversation that is judged, and is out of scope.
func (s *services) addConversation(c *conv) {
	service := s.at(c.Proto, c.Port)
	service.Conversations++
	service.Packets += c.Sent.Packets + c.Received.Packets
}

// total sums the services up.
func (s *services) total() (conversations int, packets uint64) {
	for _, page := range s.pages {
		if page == nil {
			continue
		}
		for i := range page {
			conversations += page[i].Conversations
			packets += page[i].Packets
		}
	}
	return conversations, packets
}

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

// binSize is how many flows' keys are held against each other at a time: with their slots they fit into a processor's
// cache. In one table of 1 M each look-up waited for memory: 60 ns, not 10.
const binSize = 1 << 14

// countConversations counts the distinct conversations of the strangers' flows.
func (s *survey) countConversations() []*services {
	bins := 1
	for bins*binSize < len(s.flows) {
		bins *= 2
	}
	keys := s.binned(bins)
	counted := make([]*services, s.parts)
	sideBySide(s.parts, func(i int) {
		counted[i] = new(services)
		var known numbering.Of[numbering.Words]
		for bin := i; bin < bins; bin += s.parts {
			known.Reset()
			for _, part := range keys {
				for _, k := range part[bin] {
					if _, fresh := known.Number(k, s.Words(k)); fresh {
						counted[i].at(capture.Proto(k[1]>>16), uint16(k[1])).Conversations++
					}
				}
			}
		}
	})
	return counted
}

// binned returns the conversations of the strangers' flows, those of each range of flows by bin.
func (s *survey) binned(bins int) [][][]numbering.Words {
	keys := make([][][]numbering.Words, s.parts)
	s.each(func(i, lo, hi int) {
		keys[i] = make([][]numbering.Words, bins)
		foreign := 0
		for n := lo; n < hi; n++ {
			if s.flows[n].foreign {
				foreign++
			}
		}
		for n := range bins {
			keys[i][n] = make([]numbering.Words, 0, foreign/bins*5/4)
		}
		for n := lo; n < hi; n++ {
			if t := &s.flows[n]; t.foreign {
				k := t.conversation()
				bin := &keys[i][s.Words(k)>>16&uint32(bins-1)]
				*bin = append(*bin, k)
			}
		}
	})
	return keys
}

// conversation names the conversation of a flow between strangers.
func (t *traits) conversation() numbering.Words {
	from, to := t.a, t.b
	if !t.fromA {
		from, to = to, from
	}
	return numbering.Words{uint64(from)<<32 | uint64(to), uint64(t.segment)<<32 | uint64(t.proto)<<16 | uint64(t.port)}
}
