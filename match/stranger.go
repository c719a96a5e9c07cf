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
	conversations map[key]struct{}
	services      map[proto]*Service
	packets       uint64
}

func newStrangers() *strangers {
	return &strangers{conversations: map[key]struct{}{}, services: map[proto]*Service{}}
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
	if s.conversations[key{from, to, f.Proto, o.port, f.Segment}] = struct{}{}; len(s.conversations) > known {
		service.Conversations++
	}
}

// between resolves the ends of a flow; those of a flow between strangers are both j.nobody.
func (j *judge) between(f *capture.Flow) (a, b *end) {
	if j.stranger(f.A.Addr()) && j.stranger(f.B.Addr()) {
		return j.nobody, j.nobody
	}
	return j.end(f.A.Addr()), j.end(f.B.Addr())
}

// stranger reports whether an address is nobody's: no machine has it, no network holds it, it is no group. What it says
// agrees with end, which remembers every address it is asked for.
func (j *judge) stranger(a netip.Addr) bool {
	if a.IsMulticast() || j.casts[a] || j.inv.IsBroadcast(a) {
		return false
	}
	return a.Is4In6() || !j.inv.Names(a)
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
func services(out []*conv, at map[proto]*Service) []Service {
	for _, c := range out {
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
