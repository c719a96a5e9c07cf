package match

import (
	"cmp"
	"slices"

	"flowvet/capture"
)

// conv is a conversation while its flows are gathered, and then while it is judged.
type conv struct {
	Finding
	i, r      *end
	rests     *ruling // what the verdict rests on; nil: out of scope
	crowd     *crowd  // the scan it is a member of; nil: none
	inside    *tally  // of the flows with packets inside the window; nil where no window is asked for
	all       tally
	exchanged uint16 // the lowest of several: see exchangeable
	fromA     bool   // the lower address is the initiator
	judged    bool
	asked     bool // the exceptions have been applied
	quoted    bool // an ICMP unreachable quotes a packet that was seen
	// fromFTPData says that a flow came from the port of active FTP data (RFC 959: 20).
	fromFTPData bool
	// exchangeable says that the exchanged reading of a flow, to port exchanged, falls into another bucket (guessed
	// flows) or is documented (likely ones).
	exchangeable bool
}

// details lists the details of outcomes, those of one outcome from the lowest on; the conversation shows the highest.
var details = [...]string{
	"", "oneway", "inferred", "midstream", "established", "data",
	"icmp-host", "icmp-admin", "icmp-port", "rst",
}

// oneWayDetail is the index of "oneway".
const oneWayDetail = 1

// exchange says whether the exchanged reading of a flow, whose initiator is not certain, would matter: for a likely one
// that it is documented, for a guessed one that it falls into another bucket. A guessed flow whose readings fall into one
// bucket is read as started by the sender of its first packet.
func (x *ruler) exchange(f *capture.Flow, a, b *end, o orientation) (orientation, bool) {
	if o.certainty == Certain {
		return o, false
	}
	t := transportOf(f.Proto)
	if o.certainty == Likely {
		if o.fromA {
			return o, x.documentedPort(b, a, t, f.A.Port())
		}
		return o, x.documentedPort(a, b, t, f.B.Port())
	}
	there := x.rule(question{i: a, r: b, proto: t, port: f.B.Port()})
	back := x.rule(question{i: b, r: a, proto: t, port: f.A.Port()})
	if there.verdict.Bucket() != back.verdict.Bucket() {
		return o, true
	}
	if o.basis != BasisSYNACKOnly {
		o.basis, o.fromA = BasisFirstPacket, firstFromA(f)
	}
	return o.at(f), false
}

// sum adds what a flow's packets amount to.
func (c *conv) sum(f *capture.Flow, i, r *capture.Side) {
	for _, s := range []*capture.Side{i, r} {
		if s.Packets == 0 {
			continue
		}
		c.Qualifiers |= secondHand(s)
		if c.Sent.Packets+c.Received.Packets == 0 {
			c.First, c.Last = s.First, s.Last
		}
		c.First, c.Last = min(c.First, s.First), max(c.Last, s.Last)
		traffic := &c.Received
		if s == i {
			traffic = &c.Sent
		}
		traffic.Packets += s.Packets
		traffic.Bytes += s.Bytes
	}
	flows := 1 + int(f.Joined.Flows)
	c.Flows += flows
	if len(i.ISNs) > 0 {
		c.Connections += max(len(i.ISNs), flows)
	}
	c.ConnectionsCapped = c.ConnectionsCapped || len(i.ISNs) == capture.MaxISNs && flows == 1
	for _, run := range f.Seconds { // in order of time nearly always: adding at the end is cheap
		c.Seconds.AddRun(run)
	}
	for _, v := range f.VLANs {
		if at, ok := slices.BinarySearch(c.VLANs, v); !ok {
			c.VLANs = slices.Insert(c.VLANs, at, v)
		}
	}
}

// secondHand returns the marks of what flow records tell.
func secondHand(s *capture.Side) (q Qualifiers) {
	if has(s, capture.Recorded) {
		q |= FlowRecords
	}
	if has(s, capture.Sampled) {
		q |= SampledRecords
	}
	return q
}

// deciding keeps the best basis of the flows, and its packet.
func (c *conv) deciding(o orientation, i, r *capture.Side, port uint16) {
	ref := decidingRef(o.basis, i, r)
	rank := func(certainty Certainty, basis Basis) int { return int(certainty)<<8 - int(basis) }
	switch now, old := rank(o.certainty, o.basis), rank(c.Certainty, c.Basis); {
	case c.Basis == BasisNone, now > old:
		c.Basis, c.Certainty, c.Evidence, c.EphemeralPort = o.basis, o.certainty, ref, port
	case now == old && lessRef(ref, c.Evidence):
		c.Evidence, c.EphemeralPort = ref, port
	}
}

func decidingRef(b Basis, i, r *capture.Side) capture.Ref {
	switch {
	case b == BasisSYN:
		return i.SYNRef
	case b == BasisSYNACK || b == BasisSYNACKOnly:
		return r.SYNRef
	case b == BasisICMPQuote:
		return i.QuoteRef
	case i.Packets == 0 || r.Packets > 0 && lessRef(r.FirstRef, i.FirstRef):
		return r.FirstRef
	}
	return i.FirstRef
}

func lessRef(a, b capture.Ref) bool {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Frame, b.Frame)) < 0
}

// tally counts flows by outcome.
type tally struct {
	flows   [outcomes]uint32
	oneWay  [outcomes]uint32 // flows without an answer, by the outcome they have unless a one-way row documents them
	details [outcomes]uint8  // the best of each outcome: an index into details
}

// count adds the outcome of so many flows.
func (t *tally) count(h happening, flows uint32) {
	t.flows[h.outcome] += flows
	if h.oneWay {
		t.oneWay[h.outcome] += flows
	}
	best := &t.details[h.outcome]
	*best = max(*best, uint8(max(slices.Index(details[:], h.detail), 0)))
}

// conclude fixes the conversation's outcome: flows without an answer succeeded where nothing was to answer, unless an
// ICMP unreachable quotes one of them.
func (c *conv) conclude(noReply bool) {
	answered := !noReply || c.quoted
	c.Outcome, c.Detail = c.all.best(answered)
	if c.inside != nil {
		c.InWindow, _ = c.inside.best(answered)
	}
	for o, n := range c.all.flows {
		c.Outcomes[o] = int(n)
	}
}

// best returns the best outcome of the flows; where no answer is needed, a flow without one is a success.
func (t *tally) best(answered bool) (best Outcome, detail string) {
	if !answered {
		for o, n := range t.oneWay {
			t.flows[o] -= n
			t.flows[Success] += n
			if n > 0 {
				t.details[Success] = max(t.details[Success], oneWayDetail)
			}
		}
	}
	for o := range outcomes {
		if t.flows[o] > 0 {
			best, detail = o, details[t.details[o]]
		}
	}
	return best, detail
}
