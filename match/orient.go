package match

import (
	"time"

	"flowvet/capture"
	"flowvet/catalog"
)

// AnswerTimeout is how long an answer may take before its absence counts.
const AnswerTimeout = 10 * time.Second

// orientation is who started a flow, and how that is known.
type orientation struct {
	port      uint16 // the responder's, or the lowest of a documented range of which both ends use a port
	basis     Basis
	certainty Certainty
	fromA     bool // A is the initiator
	pending   bool // settled only by what other flows show: common-port or weaker
	foreign   bool // between strangers
	done      bool // and not pending
}

// transportOf joins the IP protocol number of a flow and the transport set of a row.
func transportOf(p capture.Proto) catalog.Transport {
	if p == capture.TCP {
		return catalog.TCP
	}
	return catalog.UDP
}

// orient finds the initiator of a flow between two ends by the first basis that applies (docs/verdicts.md, "Who started
// it").
func (x *ruler) orient(f *capture.Flow, a, b *end) orientation {
	if f.Proto == capture.TCP {
		if o, ok := orientTCP(f); ok {
			return o.at(f)
		}
	}
	o := func(basis Basis, c Certainty, fromA bool) orientation {
		return orientation{basis: basis, certainty: c, fromA: fromA}.at(f)
	}
	switch {
	case b.group && f.FromA.Packets > 0:
		return o(BasisCast, Certain, true)
	case a.group && f.FromB.Packets > 0:
		return o(BasisCast, Certain, false)
	case a.group || b.group: // a group sends nothing: its datagrams are forged, and accuse nobody they were sent to
		return o(BasisFirstPacket, Guess, a.group)
	}
	t := transportOf(f.Proto)
	toB, toA := x.documentedPort(a, b, t, f.B.Port()), x.documentedPort(b, a, t, f.A.Port())
	if f.Proto == capture.UDP {
		if f.FromA.Signs&capture.Quoted != 0 && f.FromB.Packets == 0 && !toA {
			return o(BasisICMPQuote, Certain, true)
		}
		if f.FromB.Signs&capture.Quoted != 0 && f.FromA.Packets == 0 && !toB {
			return o(BasisICMPQuote, Certain, false)
		}
	}
	if s, ok := x.orientSymmetric(f, a, b, t); ok {
		return s
	}
	if f.Proto == capture.UDP {
		if s, ok := orientUDP(f, toA, toB); ok {
			return s.at(f)
		}
	}
	synackOnly := f.Proto == capture.TCP && (f.FromA.Signs|f.FromB.Signs)&capture.SYNACK != 0
	if toA != toB && !synackOnly {
		return o(BasisCatalogPort, Likely, toB)
	}
	weakest := orientWeakly(f, synackOnly).at(f)
	weakest.pending = !synackOnly
	return weakest
}

// at completes an orientation with the responder's port.
func (o orientation) at(f *capture.Flow) orientation {
	o.port = f.A.Port()
	if o.fromA {
		o.port = f.B.Port()
	}
	return o
}

// orientTCP finds the initiator by SYN, SYN+ACK or an ICMP unreachable that quotes a SYN.
func orientTCP(f *capture.Flow) (orientation, bool) {
	synA, synB := f.FromA.Signs&capture.SYN != 0, f.FromB.Signs&capture.SYN != 0
	switch {
	case synA && synB:
		return orientation{basis: BasisSYN, certainty: Likely, fromA: f.FromA.SYNAt <= f.FromB.SYNAt}, true
	case synA || synB:
		return orientation{basis: BasisSYN, certainty: Certain, fromA: synA}, true
	}
	ackA, ackB := f.FromA.Signs&capture.SYNACK != 0, f.FromB.Signs&capture.SYNACK != 0
	if ackA != ackB {
		at := f.FromA.SYNACKAt
		if ackB {
			at = f.FromB.SYNACKAt
		}
		if laterACK(&f.FromA, at) || laterACK(&f.FromB, at) {
			return orientation{basis: BasisSYNACK, certainty: Certain, fromA: ackB}, true
		}
		return orientation{}, false
	}
	quotedA, quotedB := f.FromA.Signs&capture.QuotedSYN != 0, f.FromB.Signs&capture.QuotedSYN != 0
	switch {
	case quotedA && f.FromB.Packets == 0 && !quotedB:
		return orientation{basis: BasisICMPQuote, certainty: Certain, fromA: true}, true
	case quotedB && f.FromA.Packets == 0 && !quotedA:
		return orientation{basis: BasisICMPQuote, certainty: Certain, fromA: false}, true
	}
	return orientation{}, false
}

func laterACK(s *capture.Side, at int64) bool { return s.Signs&capture.ACK != 0 && s.LastACK >= at }

// orientSymmetric reads a flow whose ports are equal, or both in one documented range.
func (j *judge) orientSymmetric(f *capture.Flow, a, b *end, t catalog.Transport) (orientation, bool) {
	port, ok := f.A.Port(), f.A.Port() == f.B.Port()
	if lo, ranged := j.commonRange(f, a, b, t); ranged {
		port, ok = lo, true
	}
	if !ok {
		return orientation{}, false
	}
	o := orientation{basis: BasisSymmetricPort, certainty: Likely, fromA: true, port: port}
	docA, allowA := j.symmetricReading(a, b, t, f.B.Port(), &f.FromA)
	docB, allowB := j.symmetricReading(b, a, t, f.A.Port(), &f.FromB)
	switch {
	case allowA:
		o.fromA = true
	case allowB, docA && !docB:
		// The lower address is the default, unless its reading is a documented one that the packets contradict.
		o.fromA = false
	}
	return o, true
}

// symmetricReading reports whether i to r on port is documented, and whether the packets allow it: a row that is one-way
// by nature needs a packet of its initiator.
func (j *judge) symmetricReading(i, r *end, t catalog.Transport, port uint16, sent *capture.Side) (documented, allowed bool) {
	if i == j.nobody {
		return false, false
	}
	for _, p := range j.cat.On(t, port) {
		if p.Ports.Broad() {
			continue
		}
		if x := j.read(p, i, r); x.documents() {
			documented = true
			allowed = allowed || sent.Packets > 0 || !(p.Row.OneWay && t == catalog.UDP)
		}
	}
	return documented, allowed
}

// commonRange returns the lowest port of a documented range of which both ends use a port.
func (j *judge) commonRange(f *capture.Flow, a, b *end, t catalog.Transport) (uint16, bool) {
	if a == j.nobody {
		return 0, false
	}
	for _, p := range j.cat.On(t, f.B.Port()) {
		if p.Ports.Len() == 1 || p.Ports.Broad() || !p.Ports.Contains(f.A.Port()) {
			continue
		}
		x, y := j.read(p, a, b), j.read(p, b, a)
		if x.documents() || y.documents() {
			return p.Ports.Lo, true
		}
	}
	return 0, false
}

// orientUDP reads a datagram flow as a request, or as a reply whose request came before the capture.
// toA and toB say whether A's, B's port is documented for a responder towards the other.
func orientUDP(f *capture.Flow, toA, toB bool) (orientation, bool) {
	fromA := firstFromA(f)
	here, there := toA, toB
	herePort, therePort := f.A.Port(), f.B.Port()
	if !fromA {
		here, there = there, here
		herePort, therePort = therePort, herePort
	}
	if there && !here || !there && !here && therePort < 1024 && herePort >= 1024 {
		return orientation{basis: BasisUDPRequest, certainty: Likely, fromA: fromA}, true
	}
	if f.FromA.Packets == 0 && toB {
		return orientation{basis: BasisUDPReply, certainty: Likely, fromA: true}, true
	}
	if f.FromB.Packets == 0 && toA {
		return orientation{basis: BasisUDPReply, certainty: Likely, fromA: false}, true
	}
	return orientation{}, false
}

// firstFromA reports whether A sent the first packet; at equal times A, the lower address.
func firstFromA(f *capture.Flow) bool {
	if f.FromA.Packets == 0 {
		return f.FromB.Packets == 0
	}
	return f.FromB.Packets == 0 || f.FromA.First <= f.FromB.First
}

// orientWeakly reads a flow by nothing but its own ports and times.
func orientWeakly(f *capture.Flow, synackOnly bool) orientation {
	switch {
	case synackOnly:
		return orientation{basis: BasisSYNACKOnly, fromA: f.FromB.Signs&capture.SYNACK != 0}
	case (f.A.Port() < 1024) != (f.B.Port() < 1024):
		return orientation{basis: BasisPortRange, fromA: f.B.Port() < 1024}
	}
	return orientation{basis: BasisFirstPacket, fromA: firstFromA(f)}
}
