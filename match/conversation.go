package match

import (
	"cmp"
	"net/netip"
	"slices"

	"flowvet/capture"
)

// conv is a conversation while its flows are gathered, while it is judged, and as long as the result lives: all that its
// [Finding] says, in 192 bytes, three lines of a cache. A million of them as Findings took 584 MB, and the time to clear, fill and follow that.
type conv struct {
	Initiator, Responder netip.Addr
	i, r                 *end
	rests                *ruling // what the verdict rests on; nil: out of scope
	more                 *extras // nil: nothing
	Sent, Received       Traffic
	First, Last          int64
	Evidence             capture.Ref
	Flows, Connections   uint32
	scan                 uint32 // Finding.Scan
	Port, EphemeralPort  uint16
	exchanged            uint16 // the lowest of several: see exchangeable
	vlan                 uint16 // valid iff tagged and extras has none: the only one
	Segment              capture.Segment
	Qualifiers           Qualifiers
	Proto                capture.Proto
	Basis                Basis
	Certainty            Certainty
	Outcome              Outcome // until it is judged, of every flow unless extras has them by outcome
	detail               uint8   // an index into details
	InWindow             Outcome
	Verdict, Shown       Verdict
	Level                Level
	ConnectionsCapped    bool
	fromA                bool // the lower address is the initiator
	judged               bool
	asked                bool // the exceptions have been applied
	oneWay               bool // of every flow, like Outcome: see happening
	quoted               bool // an ICMP unreachable quotes a packet that was seen
	together             bool // it had packets in each second from First to Last, unless extras has them
	tagged               bool
	// fromFTPData says that a flow came from the port of active FTP data (RFC 959: 20).
	fromFTPData bool
	// exchangeable says that the exchanged reading of a flow, to port exchanged, falls into another bucket (guessed
	// flows) or is documented (likely ones).
	exchangeable bool
}

// extras is what few conversations have.
type extras struct {
	seconds     capture.Seconds // nil: conv.together says it
	vlans       []uint16        // nil: conv.tagged says it
	groups      []netip.Addr    // Conversation.Groups
	ended       *tally          // nil: all flows ended alike
	inside      *tally          // of the flows with packets inside the window; nil where no window is asked for
	crowd       *crowd          // the scan it is a member of; nil: none
	exchanged   *Reading        // Finding.Exchanged
	shown       *ruling         // of the reading that is shown, where the verdict rests on the exchanged one
	disposition Disposition
}

// extra returns what few conversations have, to be written.
func (c *conv) extra() *extras {
	if c.more == nil {
		c.more = new(extras)
	}
	return c.more
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
// bucket is read as started by the sender of its first packet, which firstA says is A.
func (x *ruler) exchange(f *traits, firstA bool, a, b *end) bool {
	if f.certainty == Certain {
		return false
	}
	t := transportOf(f.proto)
	if f.certainty == Likely {
		if f.fromA {
			return x.documentedPort(b, a, t, f.portA)
		}
		return x.documentedPort(a, b, t, f.portB)
	}
	there := x.rule(question{i: a, r: b, proto: t, port: f.portB})
	back := x.rule(question{i: b, r: a, proto: t, port: f.portA})
	if there.verdict.Bucket() != back.verdict.Bucket() {
		return true
	}
	if f.basis != BasisSYNACKOnly {
		f.basis, f.fromA = BasisFirstPacket, firstA
	}
	f.port = f.responderPort()
	return false
}

// sum adds what a flow's packets amount to.
func (c *conv) sum(f *capture.Flow, i, r *capture.Side) {
	was, some := c.span(), c.together
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
	flows := 1 + uint32(f.Joined.Flows)
	c.Flows += flows
	if len(i.ISNs) > 0 {
		c.Connections += max(uint32(len(i.ISNs)), flows)
	}
	c.ConnectionsCapped = c.ConnectionsCapped || len(i.ISNs) == capture.MaxISNs && flows == 1
	c.addSeconds(was, some, f.Seconds)
	for _, v := range f.VLANs {
		c.addVLAN(v)
	}
}

// span is the run of seconds from the first packet to the last.
func (c *conv) span() capture.Run { return Window{c.First, c.Last}.seconds() }

// addSeconds adds the seconds of a flow. The conversation's own were those of a run, or none, unless extras has them.
func (c *conv) addSeconds(was capture.Run, some bool, added capture.Seconds) {
	if c.more == nil || c.more.seconds == nil {
		if len(added) == 1 && c.spans(was, some, added[0]) {
			c.together = true
			return
		}
		var apart capture.Seconds
		if some {
			apart.AddRun(was)
		}
		if c.together = false; len(apart)+len(added) == 0 {
			return
		}
		c.extra().seconds = apart
	}
	for _, run := range added { // in order of time nearly always: adding at the end is cheap
		c.more.seconds.AddRun(run)
	}
}

// spans reports whether a run, with another that there may be, is all from the first packet to the last.
func (c *conv) spans(was capture.Run, some bool, run capture.Run) bool {
	if some {
		if run.First > was.Last+1 || was.First > run.Last+1 {
			return false
		}
		run.First, run.Last = min(run.First, was.First), max(run.Last, was.Last)
	}
	return run == c.span()
}

// seconds returns those in which the conversation had packets.
func (c *conv) seconds() capture.Seconds {
	if c.together {
		return capture.Seconds{c.span()}
	}
	if c.more == nil {
		return nil
	}
	return c.more.seconds
}

// spoke reports whether the conversation had packets within a window.
func (c *conv) spoke(within capture.Run) bool {
	if c.together {
		own := c.span()
		return own.First <= within.Last && own.Last >= within.First && within.First <= within.Last
	}
	return c.more != nil && c.more.seconds.Intersects(within)
}

// addVLAN adds an id.
func (c *conv) addVLAN(id uint16) {
	switch {
	case c.more != nil && c.more.vlans != nil:
		if at, known := slices.BinarySearch(c.more.vlans, id); !known {
			c.more.vlans = slices.Insert(c.more.vlans, at, id)
		}
	case !c.tagged:
		c.vlan, c.tagged = id, true
	case c.vlan != id:
		c.extra().vlans = []uint16{min(c.vlan, id), max(c.vlan, id)}
	}
}

// vlans returns the ids, sorted.
func (c *conv) vlans() []uint16 {
	switch {
	case c.more != nil && c.more.vlans != nil:
		return c.more.vlans
	case c.tagged:
		return []uint16{c.vlan}
	}
	return nil
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

// groups returns every group that the sender reached, of a group-cast finding.
func (c *conv) groups() []netip.Addr {
	if c.more == nil {
		return nil
	}
	return c.more.groups
}

// ended returns how the flows ended; nil where all ended alike.
func (c *conv) ended() *tally {
	if c.more == nil {
		return nil
	}
	return c.more.ended
}

// disposition is what people decided of the finding.
func (c *conv) disposition() Disposition {
	if c.more == nil {
		return Disposition{}
	}
	return c.more.disposition
}

// tally counts flows by outcome.
type tally struct {
	flows   [outcomes]uint32
	oneWay  [outcomes]uint32 // flows without an answer, by the outcome they have unless a one-way row documents them
	details [outcomes]uint8  // the best of each outcome: an index into details
}

// count adds the outcome of so many flows.
func (t *tally) count(o Outcome, detail uint8, oneWay bool, flows uint32) {
	t.flows[o] += flows
	if oneWay {
		t.oneWay[o] += flows
	}
	t.details[o] = max(t.details[o], detail)
}

// count adds how so many flows ended, which the conversation counts already. As long as all end alike, that is said once.
func (c *conv) count(h happening, flows uint32, inside bool) {
	detail := uint8(max(slices.Index(details[:], h.detail), 0))
	if inside {
		c.more.inside.count(h.outcome, detail, h.oneWay, flows)
	}
	ended := c.ended()
	switch {
	case ended != nil:
		ended.count(h.outcome, detail, h.oneWay, flows)
	case c.Flows == flows:
		c.Outcome, c.detail, c.oneWay = h.outcome, detail, h.oneWay
	case c.Outcome != h.outcome || c.detail != detail || c.oneWay != h.oneWay:
		c.Flows -= flows
		ended = c.tallied()
		c.Flows += flows
		ended.count(h.outcome, detail, h.oneWay, flows)
		c.extra().ended = ended
	}
}

// conclude fixes the conversation's outcome: flows without an answer succeeded where nothing was to answer, unless an
// ICMP unreachable quotes one of them.
func (c *conv) conclude(noReply bool) {
	answered := !noReply || c.quoted
	switch ended := c.ended(); {
	case ended != nil:
		c.Outcome, c.detail = ended.best(answered)
	case c.oneWay && !answered:
		c.Outcome, c.detail = Success, oneWayDetail
	}
	if c.more != nil && c.more.inside != nil {
		c.InWindow, _ = c.more.inside.best(answered)
	}
}

// outcomes counts the flows by outcome.
func (c *conv) outcomes() (n [outcomes]int) {
	ended := c.ended()
	if ended == nil {
		n[c.Outcome] = int(c.Flows)
		return n
	}
	for o, flows := range ended.flows {
		n[o] = int(flows)
	}
	return n
}

// tallied returns how the flows ended as a tally, which is the conversation's own where it has one.
func (c *conv) tallied() *tally {
	if ended := c.ended(); ended != nil {
		return ended
	}
	ended := new(tally)
	ended.count(c.Outcome, c.detail, c.oneWay, c.Flows)
	return ended
}

// best returns the best outcome of the flows; where no answer is needed, a flow without one is a success.
func (t *tally) best(answered bool) (best Outcome, detail uint8) {
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
			best, detail = o, t.details[o]
		}
	}
	return best, detail
}
