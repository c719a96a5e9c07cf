package inventory

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/numbering"
)

// evidence is what the rules need of the flows.
type evidence struct {
	catalog   *catalog.Catalog
	dialogues []*dialogue // sorted
	pairs     []*pair     // sorted
	beats     []*series   // heartbeats, sorted
	reports   []*series   // to UDP 162 and 514, sorted
	addresses *numbering.Addresses
	parts     []part    // by address
	scanners  []scanner // sorted
}

// part is what an address was seen to do in answered flows.
type part uint8

const (
	spoke  part = 1 << iota
	served      // it was the server
)

// did reports whether an address was seen to do something.
func (e *evidence) did(a netip.Addr, what part) bool {
	n, known := e.addresses.Find(a)
	return known && int(n) < len(e.parts) && e.parts[n]&what != 0
}

// isEvidence reports whether a rule looks at a responder port.
func isEvidence(proto capture.Proto, port uint16) bool {
	if proto == capture.UDP {
		switch port {
		case 53, 88, 123, 161, 389, 623, 2049:
			return true
		}
		return false
	}
	switch port {
	case 25, 53, 88, 389, 443, 445, 902, 903, 1433, 1521, 2049, 3260, 3306, 3389, 4001, 4172, 5212, 5432, 8000, 8100,
		8182, 9084, 27000, 27010, 50002:
		return true
	}
	return false
}

// gather reads the flows twice: first for the scanners, then, without theirs, those that can be evidence. Nothing of a flow
// that a scanner began is evidence, neither for it nor for whom it touched.
func gather(c *catalog.Catalog, n *network) *evidence {
	e := &evidence{catalog: c}
	s := e.scout(n)
	e.addresses = &s.Addresses
	e.scanners = s.findScanners()
	scans := make([]bool, s.Len())
	for _, x := range e.scanners {
		n, _ := s.Add(x.addr)
		scans[n] = true
	}
	pairs := map[pairKey]*pair{}
	beats, reports := map[seriesKey]*series{}, map[seriesKey]*series{}
	talks := talks{addresses: e.addresses}
	lend := n.lender()
	for _, x := range s.all {
		for c := range x.later.all {
			if c.client != unknown && scans[c.client] {
				continue
			}
			f := lend(c.flow)
			if f.Proto == capture.UDP {
				addSeries(beats, f, 902)
				addSeries(reports, f, 162, 514)
			}
			if use, ok := useOf(f.Proto, f.A.Port(), f.B.Port()); ok {
				key := pairKey{f.A.Addr(), f.B.Addr(), use}
				at(pairs, key, func() *pair { return &pair{pairKey: key} }).add(f)
			}
			if r, known := e.read(f); known && r.answered(f.Proto) {
				talks.add(r, f.Proto)
			}
		}
	}
	e.dialogues, e.parts = talks.sorted(), talks.parts
	e.pairs = slices.SortedFunc(maps.Values(pairs), func(a, b *pair) int {
		return cmp.Or(cmp.Compare(a.use, b.use), a.a.Compare(b.a), a.b.Compare(b.b))
	})
	e.beats = slices.DeleteFunc(sortedSeries(beats), func(s *series) bool { return !s.heartbeat() })
	e.reports = sortedSeries(reports)
	return e
}

// inSeries reports whether the ports of a flow are such that it may be one of a series that a rule looks at.
func inSeries(g *capture.Glance) bool {
	is := func(port uint16) bool { return port == 902 || port == 162 || port == 514 }
	return g.Proto == capture.UDP && (is(g.PortA) || is(g.PortB))
}

// at returns the value of a key, made on first use.
func at[K comparable, V any](m map[K]*V, key K, make func() *V) *V {
	v := m[key]
	if v == nil {
		v = make()
		m[key] = v
	}
	return v
}

// ofMachines reports whether both ends of a flow can be machines. Nothing sent to a group is evidence.
func ofMachines(g *capture.Glance) bool {
	if (g.From[0].Signs|g.From[1].Signs)&capture.Cast != 0 {
		return false
	}
	if a, b, four := g.Fours(); four {
		return !isGroupFour(a) && !isGroupFour(b) && a != b
	}
	a, b := g.Addrs()
	return !isGroup(a) && !isGroup(b) && a != b
}

// isGroup reports whether an address can be no machine's.
func isGroup(a netip.Addr) bool {
	return a.IsMulticast() || a.IsUnspecified() || a == limitedBroadcast()
}

// isGroupFour is isGroup for an IPv4 address as a number.
func isGroupFour(a uint32) bool { return a>>28 == 0xe || a == 0 || a == 1<<32-1 }

// series is every datagram from one address to one port of another, whatever its source port: a host sends each
// heartbeat from a new one.
type series struct {
	seriesKey
	datagrams              uint64
	payloadMin, payloadMax uint16
	refused                bool    // an ICMP message says that nobody listens
	instants               []int64 // when datagrams were seen, nanoseconds; whole seconds where a flow holds many
}

type seriesKey struct {
	from, to netip.Addr
	port     uint16
}

// addSeries adds both sides of a flow that went to one of the ports.
func addSeries(all map[seriesKey]*series, f *capture.Flow, ports ...uint16) {
	add := func(from, to netip.AddrPort, side *capture.Side) {
		if side.Packets == 0 || !slices.Contains(ports, to.Port()) {
			return
		}
		key := seriesKey{from.Addr(), to.Addr(), to.Port()}
		at(all, key, func() *series { return &series{seriesKey: key} }).add(side, f.Seconds)
	}
	add(f.A, f.B, &f.FromA)
	add(f.B, f.A, &f.FromB)
}

func (s *series) add(side *capture.Side, seconds capture.Seconds) {
	if s.datagrams == 0 {
		s.payloadMin = side.PayloadMin
	}
	s.datagrams += side.Packets
	s.payloadMin = min(s.payloadMin, side.PayloadMin)
	s.payloadMax = max(s.payloadMax, side.PayloadMax)
	s.refused = s.refused || side.Signs&capture.Quoted != 0
	s.instants = append(s.instants, side.First)
	if side.Packets > 1 {
		s.instants = append(s.instants, side.Last)
	}
	if side.Packets > 2 {
		s.instants = appendSeconds(s.instants, seconds, side)
	}
}

// maxInstants caps the whole seconds taken from one flow: a day of heartbeats has 8,640.
const maxInstants = 10_000

// appendSeconds appends the seconds that lie between the side's first and last packet.
func appendSeconds(instants []int64, seconds capture.Seconds, side *capture.Side) []int64 {
	room := maxInstants
	for _, run := range seconds {
		from, to := max(run.First, side.First/1e9+1), min(run.Last, side.Last/1e9-1)
		for s := from; s <= to && room > 0; s++ {
			instants = append(instants, s*1e9)
			room--
		}
	}
	return instants
}

// settle sorts the instants and drops those less than a second after the one before: a capture that mirrors both ends
// of a link holds each datagram twice.
func (s *series) settle() {
	slices.Sort(s.instants)
	kept := s.instants[:0]
	for _, t := range s.instants {
		if len(kept) == 0 || t-kept[len(kept)-1] >= 1e9 {
			kept = append(kept, t)
		}
	}
	s.instants = kept
}

// spacing returns the median time between datagrams, in seconds; 0 where there are fewer than two.
func (s *series) spacing() float64 {
	if len(s.instants) < 2 {
		return 0
	}
	gaps := make([]int64, len(s.instants)-1)
	for i := range gaps {
		gaps[i] = s.instants[i+1] - s.instants[i]
	}
	slices.Sort(gaps)
	return float64(gaps[len(gaps)/2]) / 1e9
}

func sortedSeries(all map[seriesKey]*series) []*series {
	for _, s := range all {
		s.settle()
	}
	return slices.SortedFunc(maps.Values(all), func(a, b *series) int {
		return cmp.Or(cmp.Compare(a.port, b.port), a.to.Compare(b.to), a.from.Compare(b.from))
	})
}
