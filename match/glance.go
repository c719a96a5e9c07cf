package match

import "flowvet/capture"

// settleAtAGlance is settle for nearly every flow, and reports whether it is for this one: of TCP with a SYN of one end, or of UDP
// between two of whom nothing is known, on different ports. Of 1 M flows of a scan settle took 0.1 s in place of 0.02.
//
// Each field is written by itself. Where an orientation was put together from bytes and copied as one word, the processor waited for
// that word longer than for all else here.
func (v *surveyor) settleAtAGlance(g *capture.Glance, t *traits, a, b *end) bool {
	signsA, signsB := g.From[0].Signs, g.From[1].Signs
	switch {
	case g.Proto == capture.TCP:
		if (signsA^signsB)&capture.SYN == 0 {
			return false
		}
		t.basis, t.certainty, t.fromA = BasisSYN, Certain, signsA&capture.SYN != 0
	case a != v.nobody || b != v.nobody || g.PortA == g.PortB || (signsA|signsB)&capture.Quoted != 0:
		return false
	default:
		t.orientUnknown(&g.From[0], &g.From[1])
	}
	t.port = t.responderPort()
	return true
}

// orientUnknown reads a datagram flow as orient does where neither end has a documented port.
func (t *traits) orientUnknown(a, b *capture.Glimpse) {
	first := beganA(a, b)
	switch lowA, lowB := t.portA < 1024, t.portB < 1024; {
	case lowA == lowB:
		t.basis, t.fromA, t.pending = BasisFirstPacket, first, true
	case first == lowB:
		t.basis, t.certainty, t.fromA = BasisUDPRequest, Likely, first
	default:
		t.basis, t.fromA, t.pending = BasisPortRange, lowB, true
	}
}

// beganA is firstFromA at a glance.
func beganA(a, b *capture.Glimpse) bool {
	return b.Packets == 0 || a.Packets > 0 && a.First <= b.First
}
