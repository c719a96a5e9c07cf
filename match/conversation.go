package match

import (
	"cmp"
	"net/netip"
	"slices"

	"flowvet/capture"
)

// key is what makes a conversation.
type key struct {
	initiator, responder netip.Addr
	proto                capture.Proto
	port                 uint16
	segment              capture.Segment
}

// conv is a conversation while its flows are gathered.
type conv struct {
	Conversation
	i, r      *end
	all       tally
	inside    *tally // of the flows with packets inside the window; nil where no window is asked for
	concluded bool
	quoted    bool // an ICMP unreachable quotes a packet that was seen
	// fromFTPData says that a flow came from the port of active FTP data (RFC 959: 20).
	fromFTPData bool
	// exchangeable says that the exchanged reading of a flow, to port exchanged, falls into another bucket (guessed
	// flows) or is documented (likely ones).
	exchangeable bool
	exchanged    uint16 // the lowest of several
}

// details lists the details of outcomes, those of one outcome from the lowest on; the conversation shows the highest.
var details = [...]string{
	"", "oneway", "inferred", "midstream", "established", "data",
	"icmp-host", "icmp-admin", "icmp-port", "rst",
}

// oneWayDetail is the index of "oneway".
const oneWayDetail = 1

// pairPort is a port used between two addresses, by either.
type pairPort struct {
	pair
	proto capture.Proto
	port  uint16
}

// pair is two addresses in a segment; directed where it says so.
type pair struct {
	a, b    netip.Addr
	segment capture.Segment
}

// service is a responder port of one address.
type service struct {
	addr    netip.Addr
	segment capture.Segment
	proto   capture.Proto
	port    uint16
}

// gather turns flows into conversations.
type gather struct {
	j         *judge
	table     *capture.Table
	end       func(int64) int64 // when the capture of a moment ends
	window    Window
	orients   []orientation // by the table's order of flows
	open      int           // those not done
	weak      map[pair]bool
	shared    map[pairPort]int
	serves    map[service]bool // ports of flows that are pending; true once a flow shows that they are responders' ports
	wanted    map[pair]bool    // directions whose observability decides an outcome; true once seen
	convs     map[key]*conv
	strangers *strangers
}

// conversations gathers every flow of the table into conversations, sorted by key; those between strangers apart.
func (j *judge) conversations(t *capture.Table, window Window, end func(int64) int64) ([]*conv, *strangers) {
	g := &gather{
		j: j, table: t, end: end, window: window, orients: make([]orientation, 0, t.Len()), weak: map[pair]bool{},
		shared: map[pairPort]int{}, serves: map[service]bool{}, wanted: map[pair]bool{}, convs: map[key]*conv{},
		strangers: newStrangers(),
	}
	for f := range t.Brief {
		g.orient(f)
	}
	if len(g.weak)+len(g.wanted) > 0 {
		g.look()
	}
	if g.open > 0 {
		g.addOpen()
	}
	all := make([]*conv, 0, len(g.convs))
	for _, c := range g.convs {
		all = append(all, c)
	}
	slices.SortFunc(all, compareConvs)
	return all, g.strangers
}

// addOpen puts the flows into conversations that orient could not settle by themselves.
func (g *gather) addOpen() {
	i := 0
	for f := range g.table.Each {
		if o := g.orients[i]; !o.done {
			g.add(f, g.settle(f, o))
		}
		i++
	}
}

func compareConvs(a, b *conv) int {
	return cmp.Or(a.Initiator.Compare(b.Initiator), cmp.Compare(a.Segment, b.Segment),
		a.Responder.Compare(b.Responder), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
}

// orient reads one flow, in brief, by itself, and notes what other flows must tell. One between strangers is done where that is
// nothing.
func (g *gather) orient(f *capture.Flow) {
	a, b := g.j.between(f)
	o := g.j.orient(f, a, b)
	o.foreign = a == g.j.nobody
	o.done = o.foreign && !o.pending
	if g.orients = append(g.orients, o); o.done {
		g.add(f, o)
		return
	}
	g.open++
	here, there := f.A.Addr(), f.B.Addr()
	if o.pending {
		g.weak[pair{here, there, f.Segment}] = true
		g.serves[service{here, f.Segment, f.Proto, f.A.Port()}] = false
		g.serves[service{there, f.Segment, f.Proto, f.B.Port()}] = false
	}
	if o.foreign {
		return
	}
	if f.FromA.Packets == 0 {
		g.wanted[pair{here, there, f.Segment}] = false
	}
	if f.FromB.Packets == 0 {
		g.wanted[pair{there, here, f.Segment}] = false
	}
}

func (g *gather) responder(f *capture.Flow, o orientation) netip.Addr {
	if o.fromA {
		return f.B.Addr()
	}
	return f.A.Addr()
}

// look walks the flows once for what single flows could not tell: ports that flows of a pair share, ports of responders,
// directions seen.
func (g *gather) look() {
	i := 0
	for f := range g.table.Brief {
		o := g.orients[i]
		i++
		a, b := f.A.Addr(), f.B.Addr()
		if !o.foreign {
			g.mark(a, b, f.Segment, f.FromA.Packets)
			g.mark(b, a, f.Segment, f.FromB.Packets)
		}
		if len(g.weak) == 0 {
			continue
		}
		if p := (pair{a, b, f.Segment}); g.weak[p] {
			g.shared[pairPort{p, f.Proto, f.A.Port()}]++
			if f.B.Port() != f.A.Port() {
				g.shared[pairPort{p, f.Proto, f.B.Port()}]++
			}
		}
		if o.certainty == Certain {
			g.serve(service{g.responder(f, o), f.Segment, f.Proto, o.port})
		}
	}
	for p := range g.table.Others {
		g.mark(p.From, p.To, 0, 1)
	}
}

// mark notes that a direction was seen, where that matters.
func (g *gather) mark(from, to netip.Addr, s capture.Segment, packets uint64) {
	p := pair{from, to, s}
	if _, ok := g.wanted[p]; ok && packets > 0 {
		g.wanted[p] = true
	}
}

// serve notes that a port is a responder's, where that matters.
func (g *gather) serve(s service) {
	if _, ok := g.serves[s]; ok {
		g.serves[s] = true
	}
}

// settle gives a flow that told nothing by itself the common-port basis, where other flows share one of its ports.
func (g *gather) settle(f *capture.Flow, o orientation) orientation {
	if !o.pending {
		return o
	}
	a, b := f.A.Addr(), f.B.Addr()
	weight := func(end netip.Addr, port uint16) int {
		if g.serves[service{end, f.Segment, f.Proto, port}] {
			return 1 << 30
		}
		return g.shared[pairPort{pair{a, b, f.Segment}, f.Proto, port}]
	}
	atA, atB := weight(a, f.A.Port()), weight(b, f.B.Port())
	if atA == atB || max(atA, atB) < 2 {
		return o
	}
	return orientation{basis: BasisCommonPort, certainty: Likely, fromA: atB > atA, foreign: o.foreign}.at(f)
}

// add puts a flow into its conversation, or to what passed between strangers.
func (g *gather) add(f *capture.Flow, o orientation) {
	foreign := o.foreign
	o, exchangeable := g.exchange(f, o)
	if foreign {
		g.strangers.add(f, o)
		return
	}
	i, r, from, to := &f.FromA, &f.FromB, f.A, f.B
	if !o.fromA {
		i, r, from, to = r, i, to, from
	}
	k := key{from.Addr(), to.Addr(), f.Proto, o.port, f.Segment}
	c := g.convs[k]
	if c == nil {
		c = &conv{i: g.j.end(k.initiator), r: g.j.end(k.responder)}
		c.Initiator, c.Responder, c.Proto, c.Port, c.Segment = k.initiator, k.responder, k.proto, k.port, k.segment
		if !g.window.IsZero() {
			c.inside = new(tally)
		}
		g.convs[k] = c
	}
	c.sum(f, i, r)
	if port := from.Port(); exchangeable && (!c.exchangeable || port < c.exchanged) {
		c.exchangeable, c.exchanged = true, port
	}
	c.deciding(o, i, r, from.Port())
	c.fromFTPData = c.fromFTPData || f.Proto == capture.TCP && from.Port() == 20
	h := happened(f.Proto, i, r, seen{
		forward: g.wanted[pair{from.Addr(), to.Addr(), f.Segment}],
		reverse: g.wanted[pair{to.Addr(), from.Addr(), f.Segment}],
		end:     g.end,
	})
	if o.basis == BasisUDPReply && h.outcome == OneSided {
		h = happening{outcome: Success, detail: "inferred"}
	}
	c.quoted = c.quoted || has(i, capture.Quoted) && i.Packets > 0
	c.all.count(h)
	if c.inside != nil && f.Seconds.Intersects(g.window.seconds()) {
		c.inside.count(h)
	}
}

// exchange says whether the exchanged reading of a flow, whose initiator is not certain, would matter: for a likely one
// that it is documented, for a guessed one that it falls into another bucket. A guessed flow whose readings fall into one
// bucket is read as started by the sender of its first packet.
func (g *gather) exchange(f *capture.Flow, o orientation) (orientation, bool) {
	if o.certainty == Certain {
		return o, false
	}
	a, b := g.j.between(f)
	t := transportOf(f.Proto)
	if o.certainty == Likely {
		if o.fromA {
			return o, g.j.documentedPort(b, a, t, f.A.Port())
		}
		return o, g.j.documentedPort(a, b, t, f.B.Port())
	}
	there := g.j.rule(question{i: a, r: b, proto: t, port: f.B.Port()})
	back := g.j.rule(question{i: b, r: a, proto: t, port: f.A.Port()})
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
	c.Flows++
	c.Connections += len(i.ISNs)
	c.ConnectionsCapped = c.ConnectionsCapped || len(i.ISNs) == capture.MaxISNs
	for _, run := range f.Seconds { // in order of time nearly always: adding at the end is cheap
		c.Seconds.AddRun(run)
	}
	for _, v := range f.VLANs {
		if at, ok := slices.BinarySearch(c.VLANs, v); !ok {
			c.VLANs = slices.Insert(c.VLANs, at, v)
		}
	}
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
	flows   [outcomes]int
	oneWay  [outcomes]int   // flows without an answer, by the outcome they have unless a one-way row documents them
	details [outcomes]uint8 // the best of each outcome: an index into details
}

// count adds the outcome of one flow.
func (t *tally) count(h happening) {
	t.flows[h.outcome]++
	if h.oneWay {
		t.oneWay[h.outcome]++
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
	c.Outcomes = c.all.flows
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
