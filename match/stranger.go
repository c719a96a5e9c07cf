package match

import (
	"cmp"
	"net/netip"
	"slices"

	"flowvet/capture"
)

// strangers is what the flows between addresses that are nobody's add up to. They are out of scope whoever began them, so
// they need no outcome and no ends of their own: of a capture of 1 M such flows that is four fifths of the judging.
type strangers struct {
	conversations map[strangerKey]struct{}
	services      map[proto]*Service
	count         int // of conversations
	packets       uint64
}

// strangerKey is a conversation between strangers; the initiator stands first in the pair.
type strangerKey struct {
	pair pairKey
	proto
}

func newStrangers() *strangers {
	return &strangers{conversations: map[strangerKey]struct{}{}, services: map[proto]*Service{}}
}

// add counts a flow.
func (s *strangers) add(f *capture.Flow, o orientation) {
	from, to := f.A.Addr(), f.B.Addr()
	if !o.fromA {
		from, to = to, from
	}
	k := proto{f.Proto, o.port}
	service := serviceOf(s.services, k)
	packets := f.FromA.Packets + f.FromB.Packets
	service.Packets += packets
	s.packets += packets
	known := len(s.conversations)
	if s.conversations[strangerKey{pairKeyOf(from, to, f.Segment), k}] = struct{}{}; len(s.conversations) > known {
		service.Conversations++
		s.count++
	}
}

// merge adds what passed between other pairs of strangers.
func (s *strangers) merge(o *strangers) {
	s.packets += o.packets
	s.count += o.count
	for k, more := range o.services {
		service := serviceOf(s.services, k)
		service.Conversations += more.Conversations
		service.Packets += more.Packets
	}
}

func serviceOf(at map[proto]*Service, k proto) *Service {
	s := at[k]
	if s == nil {
		s = &Service{Proto: k.p, Port: k.port}
		at[k] = s
	}
	return s
}

// services sums up what is not judged, busiest first: conversations, and what passed between strangers.
func services(out []sorted, at map[proto]*Service) []Service {
	for _, o := range out {
		c := o.c
		s := serviceOf(at, proto{c.Proto, c.Port})
		s.Conversations++
		s.Packets += c.Sent.Packets + c.Received.Packets
	}
	all := make([]Service, 0, len(at))
	for _, s := range at {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Service) int {
		return cmp.Or(-cmp.Compare(a.Packets, b.Packets), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
	})
	return all
}

// maxTalkers bounds the list of busy addresses.
const maxTalkers = 10

// talkers lists the busiest addresses. Their peers are counted in a second walk, when it is known whose: a set of peers
// for every address would hold each pair of the table twice.
func talkers(t *capture.Table) []Talker {
	packets := map[netip.Addr]uint64{}
	for f := range t.Brief {
		n := f.FromA.Packets + f.FromB.Packets
		packets[f.A.Addr()] += n
		packets[f.B.Addr()] += n
	}
	all := make([]Talker, 0, len(packets))
	for a, n := range packets {
		all = append(all, Talker{Addr: a, Packets: n})
	}
	slices.SortFunc(all, func(a, b Talker) int {
		return cmp.Or(-cmp.Compare(a.Packets, b.Packets), a.Addr.Compare(b.Addr))
	})
	all = slices.Clone(all[:min(len(all), maxTalkers)])
	countPeers(all, t)
	return all
}

// countPeers fills in how many addresses each talker was in flows with.
func countPeers(talkers []Talker, t *capture.Table) {
	peers := make(map[netip.Addr]map[netip.Addr]struct{}, len(talkers))
	for i := range talkers {
		peers[talkers[i].Addr] = map[netip.Addr]struct{}{}
	}
	for f := range t.Brief {
		a, b := f.A.Addr(), f.B.Addr()
		if of := peers[a]; of != nil {
			of[b] = struct{}{}
		}
		if of := peers[b]; of != nil {
			of[a] = struct{}{}
		}
	}
	for i := range talkers {
		talkers[i].Peers = len(peers[talkers[i].Addr])
	}
}
