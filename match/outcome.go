package match

import (
	"slices"

	"flowvet/capture"
)

// happening is what the packets of one flow show happened.
type happening struct {
	outcome Outcome
	detail  string
	// oneWay marks a datagram flow without any answer and without a quote: it succeeded after all if the row that
	// documents it is one-way by nature.
	oneWay bool
}

// seen is what the captures could show of two ends besides the flow itself.
type seen struct {
	forward bool              // some frame from initiator to responder is in the captures
	reverse bool              // and some frame from responder to initiator
	end     func(int64) int64 // when the capture of a moment ends
}

// happened reads a flow whose initiator is i and whose responder is r.
func happened(proto capture.Proto, i, r *capture.Side, s seen) happening {
	if has(i, capture.Recorded) || has(r, capture.Recorded) {
		s.reverse = false // what a record does not tell of may have been there: nothing is unanswered
	}
	if proto == capture.TCP {
		return happenedTCP(i, r, s)
	}
	return happenedUDP(i, r, s)
}

func happenedTCP(i, r *capture.Side, s seen) happening {
	switch syn, synack := has(i, capture.SYN), has(r, capture.SYNACK); {
	case syn && synack:
		return handshake(i, r, s)
	case syn:
		return unansweredSYN(i, r, s)
	case synack:
		return withoutSYN(i, r, s)
	case has(i, capture.ACK) && has(r, capture.ACK|capture.Payload):
		return happening{outcome: Success, detail: "midstream"}
	case has(r, capture.RST) && !has(r, capture.ACK) && i.Packets > 0:
		return happening{outcome: Refused, detail: "rst"}
	case has(i, capture.Quoted) && r.Packets == 0:
		return happening{outcome: Refused, detail: quotedBy(i)}
	case i.Packets > 0 && r.Packets > 0:
		return happening{outcome: Success, detail: "midstream"}
	}
	return happening{outcome: OneSided}
}

func has(s *capture.Side, any capture.Signs) bool { return s.Signs&any != 0 }

// handshake reads a flow with both SYN and SYN+ACK.
func handshake(i, r *capture.Side, s seen) happening {
	if completed(i, r) {
		if has(i, capture.Payload) || has(r, capture.Payload) {
			return happening{outcome: Success, detail: "data"}
		}
		return happening{outcome: Success, detail: "established"}
	}
	if has(i, capture.RST) || has(r, capture.RST) || s.end(r.SYNACKAt)-r.SYNACKAt >= int64(AnswerTimeout) {
		return happening{outcome: HalfOpen}
	}
	return happening{outcome: Pending}
}

// completed reports whether a handshake was: the responder went on, or the initiator acknowledged its SYN+ACK. Who forges
// the initiator's address does not see that number; a guess is right once in 65,536.
func completed(i, r *capture.Side) bool {
	if has(r, capture.ACK|capture.Payload) {
		return true
	}
	const unscaled = 1 << 16 // the most that is under way before a window is scaled (RFC 7323)
	return has(i, capture.ACK) && slices.ContainsFunc(r.ISNs, func(isn uint32) bool {
		return i.AckMin-(isn+1) < unscaled || i.AckMax-(isn+1) < unscaled
	})
}

// unansweredSYN reads a flow with a SYN and no SYN+ACK.
func unansweredSYN(i, r *capture.Side, s seen) happening {
	switch {
	case has(r, capture.Payload), has(r, capture.ACK) && has(i, capture.ACK):
		return happening{outcome: Success, detail: "data"}
	case has(r, capture.RST):
		return happening{outcome: Refused, detail: "rst"}
	case has(i, capture.ACK) && i.LastACK >= i.SYNAt && !s.reverse:
		// Only where the other direction cannot be seen: where it can, the SYN+ACK would be there, and a forged SYN
		// followed by a forged ACK must not pass for a connection.
		return happening{outcome: Success, detail: "inferred"}
	case has(i, capture.Quoted):
		return happening{outcome: Refused, detail: quotedBy(i)}
	}
	if has(r, capture.Recorded) {
		return happening{outcome: Pending} // answered, by what is not told
	}
	// A bare ACK in answer to a SYN (RFC 5961) is no connection, though it shows the direction.
	s.reverse = s.reverse || r.Packets > 0
	return noAnswer(i.SYNAt, s)
}

// withoutSYN reads a flow with a SYN+ACK whose SYN was not seen.
func withoutSYN(i, r *capture.Side, s seen) happening {
	switch later := laterACK(i, r.SYNACKAt) || laterACK(r, r.SYNACKAt); {
	case has(i, capture.RST) && !has(i, capture.ACK|capture.Payload):
		return happening{outcome: HalfOpen} // the answer to nothing, whatever came after it
	case later && i.Packets == 0 && s.forward:
		return happening{outcome: OneSided} // the initiator can be seen, and did not take part
	case later && i.Packets == 0:
		return happening{outcome: Success, detail: "inferred"}
	case later && (has(i, capture.Payload) || has(r, capture.Payload)):
		return happening{outcome: Success, detail: "data"}
	case later:
		return happening{outcome: Success, detail: "established"}
	}
	return happening{outcome: OneSided}
}

func happenedUDP(i, r *capture.Side, s seen) happening {
	switch {
	case i.Packets > 0 && r.Packets > 0:
		return happening{outcome: Success, detail: "data"}
	case has(i, capture.Quoted):
		return happening{outcome: Refused, detail: quotedBy(i)}
	case i.Packets == 0:
		return happening{outcome: OneSided}
	}
	h := noAnswer(i.First, s)
	h.oneWay = true
	return h
}

// noAnswer reads a request, sent at since, to which nothing came back.
func noAnswer(since int64, s seen) happening {
	switch {
	case !s.reverse:
		return happening{outcome: OneSided}
	case s.end(since)-since >= int64(AnswerTimeout):
		return happening{outcome: Unanswered}
	}
	return happening{outcome: Pending}
}

// quotedBy names the ICMP unreachable that quotes a side.
func quotedBy(s *capture.Side) string {
	switch {
	case has(s, capture.QuotedPort):
		return "icmp-port"
	case has(s, capture.QuotedAdmin):
		return "icmp-admin"
	}
	return "icmp-host"
}
