package match

import (
	"cmp"
	"encoding/binary"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"flowvet/capture"
	"flowvet/numbering"
)

// otherKey is a conversation of a pair that has another one: the pair's number, who began, transport and responder's port.
type otherKey struct {
	pair  uint32
	fromA bool
	proto
}

// pairPort is a port used between two addresses, by either.
type pairPort struct {
	pair uint32
	proto
}

// service is a responder port of one address.
type service struct {
	addr    uint32
	segment capture.Segment
	proto
}

// pairing is what is known of the flows between two addresses of which not every one is done.
type pairing struct {
	a, b    *end
	first   *conv // the conversation that was there first; the others are in gather.more
	sighted direction
	itself  bool // both addresses are one
	weak    bool // a flow of theirs tells nothing by itself
}

// openFlow is a flow that the survey did not settle, with the number of its pair.
type openFlow struct{ flow, pair uint32 }

// gather turns flows into conversations: those of one share of the pairs of addresses, while others do the same with theirs.
type gather struct {
	*ruler
	*survey
	share      int
	end        func(int64) int64 // when the capture of a moment ends
	window     Window
	open       []openFlow // in the order of the flows' numbers
	pairs      numbering.Of[numbering.Words]
	pairings   []pairing // by the pair's number
	weak       int       // flows that tell nothing by themselves
	shared     map[pairPort]int
	undecided  map[service]bool   // ports of flows that are pending
	serves     map[service]bool   // of those, ports that a flow shows to be responders'
	more       map[otherKey]*conv // conversations of pairs that have several
	made       slab
	foreign    services // packets of strangers' flows
	conversing []sorted
	watch      *watch // nil: nobody asks
}

// leastShare is how many flows are worth a goroutine of their own.
const leastShare = 1 << 14

// shares returns how many goroutines a table's flows are worth.
func shares(t *capture.Table) int { return sharesOf(t.Len()) }

// sharesOf returns how many goroutines so many flows or conversations are worth.
func sharesOf(n int) int { return max(1, min(runtime.GOMAXPROCS(0), n/leastShare)) }

// inParts calls do for 0 to n-1 on all processors, in no order.
func inParts(n int, do func(int)) {
	var next atomic.Int64
	sideBySide(min(runtime.GOMAXPROCS(0), max(1, n)), func(int) {
		for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
			do(int(i))
		}
	})
}

// side by side calls do for 0 to n-1, each in a goroutine of its own.
func sideBySide(n int, do func(int)) {
	if n == 1 {
		do(0)
		return
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// conversations gathers every flow of a survey into conversations, sorted; those between strangers apart.
//
// All flows between two addresses are of one share, so that shares have no conversation in common, and hardly ask each other
// anything: only which ports somebody is a responder on.
func (j *judge) conversations(s *survey, window Window, end func(int64) int64, w *watch) ([]sorted, *services) {
	all := make([]*gather, s.parts)
	sideBySide(len(all), func(i int) {
		all[i] = newGather(j, s, i)
		all[i].window, all[i].end, all[i].watch = window, end, w.another()
		all[i].collect()
	})
	if undecided := union(all, func(g *gather) map[service]bool { return g.undecided }); len(undecided) > 0 {
		sideBySide(len(all), func(i int) {
			all[i].undecided = undecided
			all[i].look()
		})
		serves := union(all, func(g *gather) map[service]bool { return g.serves })
		for _, g := range all {
			g.serves = serves
		}
	}
	sideBySide(len(all), func(i int) {
		all[i].addOpen()
		all[i].sort()
	})
	var convs [][]sorted
	var last []*services
	for _, g := range all {
		last = append(last, &g.foreign)
		w.merge(g.watch)
		convs = append(convs, g.conversing)
	}
	return mergeSorted(convs), s.strangers(last)
}

// union returns the sets of all shares together.
func union[K comparable](all []*gather, of func(*gather) map[K]bool) map[K]bool {
	if len(all) == 1 {
		return of(all[0])
	}
	together := map[K]bool{}
	for _, g := range all {
		for k := range of(g) {
			together[k] = true
		}
	}
	return together
}

func newGather(j *judge, s *survey, share int) *gather {
	return &gather{
		ruler: newRuler(j), survey: s, share: share,
		shared: map[pairPort]int{}, undecided: map[service]bool{}, serves: map[service]bool{}, more: map[otherKey]*conv{},
	}
}

// mine reports whether a flow is of the share.
func (g *gather) mine(t *traits) bool {
	return t.proto != 0 && (g.parts == 1 || share(t.a, t.b, g.parts) == g.share)
}

// pairKey names the two addresses of a flow, and where they are told apart.
func (t *traits) pairKey() numbering.Words {
	return numbering.Words{uint64(t.a)<<32 | uint64(t.b), uint64(t.segment)}
}

// collect lists the flows of the share that are not done, and notes what other flows must tell of them.
func (g *gather) collect() {
	for n := range g.flows {
		t := &g.flows[n]
		if t.done || !g.mine(t) {
			continue
		}
		k := t.pairKey()
		pair, fresh := g.pairs.Number(k, g.Words(k))
		if fresh {
			a, b := g.between(t, g.judge)
			g.pairings = numbering.Push(g.pairings, pairing{a: a, b: b, itself: t.a == t.b})
		}
		g.open = numbering.Push(g.open, openFlow{uint32(n), pair})
		p := &g.pairings[pair]
		p.sighted |= t.sighted
		if t.pending {
			p.weak = true
			g.weak++
			g.undecided[service{t.a, t.segment, proto{t.proto, t.portA}}] = true
			g.undecided[service{t.b, t.segment, proto{t.proto, t.portB}}] = true
		}
	}
}

// saw reports whether any packet went from one end of a flow to the other.
func (g *gather) saw(f *capture.Flow, p *pairing, way direction) bool {
	if p.sighted&way != 0 {
		return true
	}
	from, to := f.A.Addr(), f.B.Addr()
	if way == byB {
		from, to = to, from
	}
	return f.Segment == 0 && len(g.table.Others[capture.Pair{From: from, To: to}]) > 0
}

// look asks every flow for what single flows could not tell: ports that flows of a pair share, ports of responders.
func (g *gather) look() {
	for n := range g.flows {
		t := &g.flows[n]
		if !g.mine(t) {
			continue
		}
		if g.weak > 0 {
			g.noteShared(t)
		}
		if t.certainty == Certain {
			if s := (service{t.responder(), t.segment, proto{t.proto, t.port}}); g.undecided[s] {
				g.serves[s] = true
			}
		}
	}
}

// noteShared counts the ports of a flow of a pair some of whose flows tell nothing by themselves.
func (g *gather) noteShared(t *traits) {
	k := t.pairKey()
	n, known := g.pairs.Find(k, g.Words(k))
	if !known || !g.pairings[n].weak {
		return
	}
	g.shared[pairPort{n, proto{t.proto, t.portA}}]++
	if t.portB != t.portA {
		g.shared[pairPort{n, proto{t.proto, t.portB}}]++
	}
}

// settled returns the orientation of a flow; of one that told nothing by itself with the common-port basis, where other flows
// share one of its ports.
func (g *gather) settled(t *traits, pair uint32) orientation {
	if !t.pending {
		return t.orientation
	}
	weight := func(end uint32, port uint16) int {
		if g.serves[service{end, t.segment, proto{t.proto, port}}] {
			return 1 << 30
		}
		return g.shared[pairPort{pair, proto{t.proto, port}}]
	}
	atA, atB := weight(t.a, t.portA), weight(t.b, t.portB)
	if atA == atB || max(atA, atB) < 2 {
		return t.orientation
	}
	o := orientation{basis: BasisCommonPort, certainty: Likely, fromA: atB > atA, port: t.portA, foreign: t.foreign}
	if o.fromA {
		o.port = t.portB
	}
	return o
}

// addOpen puts the flows into conversations that the survey could not settle.
func (g *gather) addOpen() {
	lend := g.table.Lender()
	for _, open := range g.open {
		t := &g.flows[open.flow]
		p := &g.pairings[open.pair]
		f := lend(open.flow)
		o, exchangeable := g.exchange(f, p.a, p.b, g.settled(t, open.pair))
		t.orientation = o
		if o.foreign {
			g.foreign.at(t.proto, o.port).Packets += f.FromA.Packets + f.FromB.Packets
			continue
		}
		g.add(f, o, exchangeable, open.pair)
	}
}

// add puts a flow into its conversation.
func (g *gather) add(f *capture.Flow, o orientation, exchangeable bool, pair uint32) {
	i, r, from, to := &f.FromA, &f.FromB, f.A, f.B
	forward, back := byA, byB
	if !o.fromA {
		i, r, from, to = r, i, to, from
		forward, back = back, forward
	}
	p := &g.pairings[pair]
	c := g.conversation(p, pair, o, f.Proto)
	if c.Flows == 0 {
		c.Initiator, c.Responder, c.Segment = from.Addr(), to.Addr(), f.Segment
	}
	c.sum(f, i, r)
	if port := from.Port(); exchangeable && (!c.exchangeable || port < c.exchanged) {
		c.exchangeable, c.exchanged = true, port
	}
	c.deciding(o, i, r, from.Port())
	c.fromFTPData = c.fromFTPData || f.Proto == capture.TCP && from.Port() == 20
	s := seen{forward: i.Packets > 0, reverse: r.Packets > 0, end: g.end}
	s.forward = s.forward || g.saw(f, p, forward)
	s.reverse = s.reverse || g.saw(f, p, back)
	h := happened(f.Proto, i, r, s)
	if o.basis == BasisUDPReply && h.outcome == OneSided {
		h = happening{outcome: Success, detail: "inferred"}
	}
	c.quoted = c.quoted || has(i, capture.Quoted) && i.Packets > 0
	c.count(h, 1+uint32(f.Joined.Flows), !g.window.IsZero() && f.Seconds.Intersects(g.window.seconds()))
	g.watch.see(f, c, i, r, h)
}

// conversation returns the conversation of a flow between a pair, made with its first.
func (g *gather) conversation(p *pairing, pair uint32, o orientation, transport capture.Proto) *conv {
	fromA := o.fromA || p.itself
	is := func(c *conv) bool { return c.fromA == fromA && c.Port == o.port && c.Proto == transport }
	if p.first != nil && is(p.first) {
		return p.first
	}
	k := otherKey{pair, fromA, proto{transport, o.port}}
	if p.first != nil && g.more[k] != nil {
		return g.more[k]
	}
	c := g.made.next()
	if c.i, c.r = p.a, p.b; !fromA {
		c.i, c.r = p.b, p.a
	}
	c.Proto, c.Port, c.fromA = transport, o.port, fromA
	if !g.window.IsZero() {
		c.extra().inside = new(tally)
	}
	if p.first == nil {
		p.first = c
	} else {
		g.more[k] = c
	}
	return c
}

// slab makes conversations, many at a time.
type slab struct{ made [][]conv }

// slabSize is how many conversations are made at a time.
const slabSize = 256

func (s *slab) next() *conv {
	if n := len(s.made); n == 0 || len(s.made[n-1]) == slabSize {
		s.made = append(s.made, make([]conv, 0, slabSize))
	}
	last := &s.made[len(s.made)-1]
	n := len(*last)
	*last = (*last)[:n+1]
	return &(*last)[n]
}

// sorted is a conversation with its place among others: by initiator, segment, responder, transport and port. Of IPv4 hi and
// lo say it all, so that sorting 1 M conversations looks into none of them: 0.24 s of a processor, not 0.9 s.
type sorted struct {
	hi, lo uint64
	c      *conv
}

// beyond is the hi of what the words cannot tell: such conversations are held against each other whole, and come last.
const beyond = 1<<64 - 1

// placed gives a conversation its place.
func placed(c *conv) sorted {
	if !c.Initiator.Is4() {
		return sorted{beyond, 0, c}
	}
	i, r := c.Initiator.As4(), c.Responder.As4()
	initiator, responder := uint64(binary.BigEndian.Uint32(i[:])), uint64(binary.BigEndian.Uint32(r[:]))
	return sorted{
		initiator<<32 | uint64(c.Segment)<<16 | responder>>16, responder<<48 | uint64(c.Proto)<<40 | uint64(c.Port)<<24, c,
	}
}

// port returns the responder's port, of IPv4 without a look into the conversation.
func (s sorted) port() uint16 {
	if s.hi == beyond {
		return s.c.Port
	}
	return uint16(s.lo >> 24)
}

func (s sorted) compare(o sorted) int {
	switch {
	case s.hi != o.hi:
		return cmp.Compare(s.hi, o.hi)
	case s.hi != beyond:
		return cmp.Compare(s.lo, o.lo)
	}
	a, b := s.c, o.c
	return cmp.Or(a.Initiator.Compare(b.Initiator), cmp.Compare(a.Segment, b.Segment),
		a.Responder.Compare(b.Responder), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port))
}

// sort puts the conversations of the share in order.
func (g *gather) sort() {
	g.conversing = make([]sorted, 0, slabSize*len(g.made.made))
	for _, made := range g.made.made {
		for i := range made {
			g.conversing = append(g.conversing, placed(&made[i]))
		}
	}
	g.made, g.more, g.pairs, g.pairings, g.open = slab{}, nil, numbering.Of[numbering.Words]{}, nil, nil
	slices.SortFunc(g.conversing, sorted.compare)
}

// mergeSorted makes one sorted list of several.
func mergeSorted(lists [][]sorted) []sorted {
	for len(lists) > 1 {
		half := make([][]sorted, (len(lists)+1)/2)
		sideBySide(len(half), func(i int) {
			if half[i] = lists[2*i]; 2*i+1 < len(lists) {
				half[i] = mergeTwo(lists[2*i], lists[2*i+1])
			}
		})
		lists = half
	}
	return lists[0]
}

func mergeTwo(a, b []sorted) []sorted {
	all := make([]sorted, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].compare(b[0]) <= 0 {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}
