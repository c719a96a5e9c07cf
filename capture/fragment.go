package capture

// Limits of the table of first fragments.
const (
	// MaxFragmented caps the fragmented packets whose first fragment is remembered, in each file. The oldest is forgotten;
	// Stats.FragmentsEvicted counts those of which more could have come.
	MaxFragmented = 4096

	// fragmentPatience is for how long, in nanoseconds of the capture, before and after its first fragment a later one may
	// come: as long as Linux waits. An identification comes again after 65,536 packets.
	fragmentPatience = 30e9
)

// fragments joins later fragments to the packet of their first, in the order of one file. Only the first fragment ever says
// whose the packet is: a later one has no ports to read, whatever it overlaps, and one before its first waits for nothing.
type fragments struct {
	ring  []fragmented
	next  int // in a full ring, the oldest
	index map[fragmentKey]int
}

// fragmentKey is what fragments of one packet share (RFC 791, RFC 8200). IPv6 leaves the protocol out.
type fragmentKey struct {
	src, dst address
	id       uint32
	vlan     uint16
	proto    Proto
	family   family
}

// fragmented is a packet whose first fragment was seen.
type fragmented struct {
	key    fragmentKey
	at     int64
	packet Packet
	why    Skip // what Decode said of the first fragment
	last   bool // the last fragment was seen: nothing is lost if this is forgotten
}

func newFragmentKey(src, dst address, ident uint64, vlan uint16, proto Proto, f family) fragmentKey {
	k := fragmentKey{src: src, dst: dst, id: uint32(ident >> 16), vlan: vlan, family: f}
	if f == familyIPv4 {
		k.proto = proto
	}
	return k
}

func (p *Packet) fragmentKey() fragmentKey {
	return newFragmentKey(p.src, p.dst, p.ident, p.VLAN, p.Proto, p.family)
}

func (c *carrier) fragmentKey() fragmentKey {
	return newFragmentKey(c.from, c.to, c.ident, c.vlan, c.proto, c.family)
}

// fragmented reports whether the packet, of which Decode said why, or the tunnel around it is a fragment to remember or to
// join.
func (p *Packet) fragmented(why Skip) bool {
	return why == BadLaterFragment || p.Signs&Fragment != 0 || p.tunnel.first
}

// take remembers a first fragment, or makes of a later one a packet of its first's flow. It returns what has become of the
// packet, for which Decode returned why.
func (g *fragments) take(p *Packet, why Skip, ns int64, s *Stats) Skip {
	if why == BadLaterFragment {
		return g.join(p, ns, s)
	}
	if why != Kept && !why.Ignored() {
		return why
	}
	if p.Signs&Fragment != 0 {
		g.remember(p.fragmentKey(), p, why, ns, s)
	}
	if p.tunnel.first {
		g.remember(p.tunnel.fragmentKey(), p, why, ns, s)
	}
	return why
}

// remember keeps a first fragment. The newest of one key is the one that counts.
func (g *fragments) remember(k fragmentKey, p *Packet, why Skip, ns int64, s *Stats) {
	if g.index == nil {
		g.index = make(map[fragmentKey]int)
	}
	entry := fragmented{key: k, at: ns, packet: *p, why: why}
	entry.packet.transport, entry.packet.announced = nil, announcement{}
	if i, ok := g.index[k]; ok {
		g.ring[i] = entry
		return
	}
	if len(g.ring) < MaxFragmented {
		g.index[k] = len(g.ring)
		g.ring = append(g.ring, entry)
		return
	}
	oldest := &g.ring[g.next]
	if !oldest.last && oldest.waits(ns) {
		s.FragmentsEvicted++
	}
	delete(g.index, oldest.key)
	g.index[k] = g.next
	*oldest = entry
	g.next = (g.next + 1) % MaxFragmented
}

// waits reports whether a fragment of that time can be one of the packet.
func (e *fragmented) waits(ns int64) bool {
	age := ns - e.at
	return age <= fragmentPatience && age >= -fragmentPatience
}

// join finds the first fragment of a later one.
func (g *fragments) join(p *Packet, ns int64, s *Stats) Skip {
	i, ok := g.index[p.fragmentKey()]
	if !ok || !g.ring[i].waits(ns) {
		return BadLaterFragment
	}
	first := &g.ring[i]
	if !p.moreFragments() {
		first.last = true
	}
	later := *p
	*p = first.packet
	p.WireLen, p.Content, p.transport = later.WireLen, later.Content, later.transport
	p.ident, p.length = later.ident, later.length
	p.Signs = later.Signs & (Cast | Cut)
	if p.Content > 0 {
		p.Signs |= Payload
	}
	s.FragmentsJoined++
	return first.why
}

// moreFragments reports whether a fragment says that it is not the last.
func (p *Packet) moreFragments() bool {
	if p.family == familyIPv6 {
		return p.ident&moreFragments6 != 0
	}
	return p.ident&moreFragments4 != 0
}
