package inventory

import (
	"cmp"
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/numbering"
)

// reading is a flow with its ends named by who began it.
type reading struct {
	client, server netip.AddrPort
	up, down       *capture.Side // what the client and the server sent
	began          bool          // the beginning was seen; else the ports decided which end is which
}

// read names the ends of a flow; false where that cannot be said.
func (e *evidence) read(f *capture.Flow) (reading, bool) {
	g := f.Glance()
	o, known := e.opening(&g)
	if o.client == 0 {
		return reading{client: f.A, server: f.B, up: &f.FromA, down: &f.FromB, began: o.seen}, known
	}
	return reading{client: f.B, server: f.A, up: &f.FromB, down: &f.FromA, began: o.seen}, known
}

// opening is who began a flow.
type opening struct {
	client int  // 0: A, 1: B
	seen   bool // else the ports decided it
}

// order returns what is A's and what is B's as the client's and the server's. There is no branch: it would be guessed wrong half of the time.
func (o opening) order(a, b uint32) (client, server uint32) {
	swap := (a ^ b) & -uint32(o.client)
	return a ^ swap, b ^ swap
}

// opening says who began a flow; false where that cannot be said.
//
// TCP: a SYN or SYN+ACK decides; without either, the one end whose port is a service. UDP: the earlier packet is the
// request; at equal times the port decides. Between equal ports (NTP's 123) the first packet seen may be an answer, so
// the answer must follow within a second: requests are at least 64 s apart there.
func (e *evidence) opening(g *capture.Glance) (o opening, known bool) {
	a, b := &g.From[0], &g.From[1]
	var byA, byB bool
	if g.Proto == capture.TCP {
		byA = (a.Signs&capture.SYN | b.Signs&capture.SYNACK) != 0
		byB = (b.Signs&capture.SYN | a.Signs&capture.SYNACK) != 0
	} else {
		byA = a.Packets > 0 && (b.Packets == 0 || a.First < b.First)
		byB = b.Packets > 0 && (a.Packets == 0 || b.First < a.First)
	}
	if byA != byB {
		if byB {
			o.client = 1
		}
		o.seen = true
		return o, true
	}
	if byA {
		return o, false
	}
	atA, atB := e.isService(g.Proto, g.PortA), e.isService(g.Proto, g.PortB)
	if atA {
		o.client = 1
	}
	return o, atA != atB
}

// isService reports whether a port is one that the rules or the catalogue know. Broad rows know every port.
func (e *evidence) isService(proto capture.Proto, port uint16) bool {
	transport := catalog.TCP
	if proto == capture.UDP {
		transport = catalog.UDP
	}
	return isEvidence(proto, port) || slices.ContainsFunc(e.catalog.On(transport, port), func(p *catalog.Permission) bool {
		return !p.Ports.Broad()
	})
}

// answered reports whether both ends took part in a flow, as far as headers can show it.
//
// A forger who sends with an address that is not his own gets no answers: he can make a SYN, a datagram, even a blind
// ACK, but not one that acknowledges the responder's initial sequence number.
func (r reading) answered(proto capture.Proto) bool {
	if proto == capture.UDP {
		return answeredUDP(r.up.Packets, r.down.Packets, r.up.First, r.down.First, r.client.Port() == r.server.Port())
	}
	if r.up.Signs&r.down.Signs&capture.Payload != 0 {
		return true
	}
	return shakeHands(r.up.Signs, r.down.Signs) && acknowledges(r.up, r.down)
}

// mayBeAnswered is answered for a flow at a glance, which does not show initial sequence numbers.
func mayBeAnswered(g *capture.Glance, o opening) bool {
	up, down := &g.From[o.client], &g.From[1-o.client]
	if g.Proto == capture.UDP {
		return answeredUDP(up.Packets, down.Packets, up.First, down.First, g.PortA == g.PortB)
	}
	return up.Signs&down.Signs&capture.Payload != 0 || shakeHands(up.Signs, down.Signs)
}

// answeredUDP is answered for UDP, by what both ends sent and when they began to.
func answeredUDP(sent, received uint64, request, answer int64, samePorts bool) bool {
	return sent > 0 && received > 0 && (!samePorts || answer-request < int64(1e9))
}

// shakeHands reports whether each of the three packets of a handshake was seen, whatever their numbers.
func shakeHands(up, down capture.Signs) bool {
	return up&capture.SYN != 0 && down&capture.SYNACK != 0 && up&capture.ACK != 0
}

// acknowledges reports whether a side acknowledged one of the other's initial sequence numbers, or data soon after it.
// Sequence numbers wrap, so the smallest or the largest acknowledgement may be the one to look at. The window (64 KiB)
// leaves room for a first ACK that the capture missed, and a guess one chance in 65,536.
func acknowledges(side, other *capture.Side) bool {
	const window = 1 << 16
	return slices.ContainsFunc(other.ISNs, func(isn uint32) bool {
		return side.AckMin-isn-1 < window || side.AckMax-isn-1 < window
	})
}

// dialogue is every answered flow of one client with one service.
type dialogue struct {
	dialogueKey
	flows       int
	up, down    uint64 // payload bytes from the client and from the server
	first, last int64
	began       bool // a beginning was seen
}

type dialogueKey struct {
	client, server netip.Addr
	proto          capture.Proto
	port           uint16 // the server's
}

// talks collects the answered flows: who took part in any, and the dialogues of those whose port a rule looks at.
type talks struct {
	addresses *numbering.Addresses
	parts     []part // by address
	numbers   numbering.Of[numbering.Words]
	dialogues []*dialogue // by number
}

func (t *talks) add(r reading, proto capture.Proto) {
	client, _ := t.addresses.Add(r.client.Addr())
	server, _ := t.addresses.Add(r.server.Addr())
	if missing := t.addresses.Len() - len(t.parts); missing > 0 {
		t.parts = append(t.parts, make([]part, missing)...)
	}
	t.parts[client] |= spoke
	t.parts[server] |= spoke | served
	port := r.server.Port()
	if !isEvidence(proto, port) {
		return
	}
	k := numbering.Words{uint64(client)<<32 | uint64(server), uint64(proto)<<16 | uint64(port)}
	n, fresh := t.numbers.Number(k, t.addresses.Words(k))
	if fresh {
		t.dialogues = append(t.dialogues, &dialogue{dialogueKey: dialogueKey{r.client.Addr(), r.server.Addr(), proto, port}})
	}
	t.dialogues[n].add(r)
}

// sorted returns the dialogues in their order.
func (t *talks) sorted() []*dialogue {
	slices.SortFunc(t.dialogues, func(a, b *dialogue) int { return a.compare(b.dialogueKey) })
	return t.dialogues
}

func (d *dialogue) add(r reading) {
	if d.flows == 0 {
		d.first, d.last = min(r.up.First, r.down.First), max(r.up.Last, r.down.Last)
	}
	d.flows++
	d.up += r.up.Content
	d.down += r.down.Content
	d.first = min(d.first, r.up.First, r.down.First)
	d.last = max(d.last, r.up.Last, r.down.Last)
	d.began = d.began || r.began
}

// lasts reports whether the dialogue spans at least so many seconds.
func (d *dialogue) lasts(seconds int64) bool { return d.last-d.first >= seconds*int64(1e9) }

// grade lowers a confidence where the beginning was not seen: the ports decided who serves whom.
func (d *dialogue) grade(c Confidence) Confidence {
	if d.began {
		return c
	}
	return min(c, Medium)
}

func (k dialogueKey) compare(l dialogueKey) int {
	return cmp.Or(cmp.Compare(k.port, l.port), cmp.Compare(k.proto, l.proto), k.server.Compare(l.server), k.client.Compare(l.client))
}

// pair is the UDP traffic of one use between two hosts that may both begin it.
type pair struct {
	pairKey
	fromA, fromB uint64 // packets
	seconds      []capture.Run
}

type pairKey struct {
	a, b netip.Addr // a sorts before b
	use  use
}

// use is what two hosts use UDP between them for, by its ports.
type use uint8

const (
	clusterAAM     use = iota // UDP 2050-2250 at both ends: HA of 3.x and 4.x
	clusterFDM                // UDP 8182: HA of 5.0 on
	faultTolerance            // UDP 8200
	desktop                   // UDP 4172 or 50002: PCoIP
)

// useOf returns the use of a flow, by its ports.
func useOf(proto capture.Proto, a, b uint16) (use, bool) {
	either := func(port uint16) bool { return a == port || b == port }
	aam := catalog.Ports{Lo: 2050, Hi: 2250}
	switch {
	case proto != capture.UDP:
		return 0, false
	case aam.Contains(a) && aam.Contains(b):
		return clusterAAM, true
	case either(8182):
		return clusterFDM, true
	case either(8200):
		return faultTolerance, true
	case either(4172) || either(50002):
		return desktop, true
	}
	return 0, false
}

func (p *pair) add(f *capture.Flow) {
	p.fromA += f.FromA.Packets
	p.fromB += f.FromB.Packets
	p.seconds = append(p.seconds, f.Seconds...)
}

// steady returns in how many of how many seconds the pair was seen, and whether it is steady: both sides sent several
// packets, over 10 s at least, in every second second at least.
func (p *pair) steady() (occupied, span int64, ok bool) {
	occupied, span = occupation(p.seconds)
	return occupied, span, p.fromA >= 5 && p.fromB >= 5 && span >= 10 && 2*occupied >= span
}

// occupation returns how many seconds runs hold, and how many lie between the first and the last of them, inclusive.
func occupation(runs []capture.Run) (occupied, span int64) {
	if len(runs) == 0 {
		return 0, 0
	}
	slices.SortFunc(runs, func(a, b capture.Run) int { return cmp.Compare(a.First, b.First) })
	next := runs[0].First
	for _, r := range runs {
		if r.Last >= next {
			occupied += r.Last - max(r.First, next) + 1
			next = r.Last + 1
		}
	}
	return occupied, next - runs[0].First
}
