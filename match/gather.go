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
	pairs      pairs
	own        map[uint32]*end // of addresses that talk to themselves
	pending    *pending
	more       map[otherKey]*conv // conversations of pairs that have several
	made       slab
	foreign    services // packets of strangers' flows
	packets    uint64   // of conversations
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

// inRanges calls do for each of so many ranges of 0 to n-1, side by side.
func inRanges(n, ranges int, do func(i, lo, hi int)) {
	sideBySide(ranges, func(i int) { do(i, n*i/ranges, n*(i+1)/ranges) })
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

// conversations gathers every flow of a survey into conversations, sorted, and counts their packets; those between strangers
// apart.
//
// All flows between two addresses are of one share, so that shares have no conversation in common, and hardly ask each other
// anything: only which ports somebody is a responder on.
func (j *judge) conversations(s *survey, window Window, end func(int64) int64, w *watch) (convs []sorted, packets uint64, outside *services) {
	all := make([]*gather, s.parts)
	sideBySide(len(all), func(i int) {
		all[i] = newGather(j, s, i)
		all[i].window, all[i].end, all[i].watch = window, end, w.another()
		all[i].collect()
	})
	askAll(all)
	sideBySide(len(all), func(i int) {
		all[i].addOpen()
		all[i].sort()
	})
	var lists [][]sorted
	var last []*services
	for _, g := range all {
		last = append(last, &g.foreign)
		w.merge(g.watch)
		lists = append(lists, g.conversing)
		packets += g.packets
	}
	return mergeSorted(lists), packets, s.strangers(last)
}

func newGather(j *judge, s *survey, share int) *gather {
	return &gather{
		ruler: newRuler(j), survey: s, share: share,
		own: map[uint32]*end{}, pending: &pending{Hash: &s.Hash}, more: map[otherKey]*conv{},
	}
}

// mine reports whether a flow is of the share.
func (g *gather) mine(t *traits) bool {
	return t.proto != 0 && (g.parts == 1 || share(t.a, t.b, g.parts) == g.share)
}

// collect lists the flows of the share that are not done, and notes what other flows must tell of them.
func (g *gather) collect() {
	for n := range g.flows {
		t := &g.flows[n]
		if t.done || !g.mine(t) {
			continue
		}
		pair := g.pairs.number(t, &g.Hash)
		g.open = numbering.Push(g.open, openFlow{uint32(n), pair})
		p := &g.pairs.all[pair]
		p.sighted |= t.sighted
		if t.pending {
			p.weak = true
			g.pending.add(t)
		}
	}
}

// ends returns the ends of a flow. Both are the judge's nobody between strangers; an address that talks to itself has one end of
// its own.
func (g *gather) ends(t *traits, f *capture.Flow) (a, b *end) {
	if t.a != t.b {
		return g.speakers[t.a].end, g.speakers[t.b].end
	}
	if g.own[t.a] == nil {
		g.own[t.a] = g.itself(f.A.Addr())
	}
	return g.own[t.a], g.own[t.a]
}

// saw reports whether any packet went from one end of a flow to the other.
func (g *gather) saw(f *bound, way direction) bool {
	if g.pairs.all[f.pair].sighted&way != 0 {
		return true
	}
	from, to := f.A.Addr(), f.B.Addr()
	if way == byB {
		from, to = to, from
	}
	return f.Segment == 0 && len(g.table.Others[capture.Pair{From: from, To: to}]) > 0
}

// bound is a flow on its way into a conversation.
type bound struct {
	*capture.Flow
	orientation
	a, b         *end
	pair         uint32
	exchangeable bool
}

// addOpen puts the flows into conversations that the survey could not settle.
func (g *gather) addOpen() {
	lend, glance := g.table.Lender(), g.table.Glancer()
	for _, open := range g.open {
		t := &g.flows[open.flow]
		t.orientation = g.settled(t, open.pair)
		if t.foreign {
			f := glance(open.flow)
			g.exchange(t, beganA(&f.From[0], &f.From[1]), g.speakers[t.a].end, g.speakers[t.b].end)
			g.foreign.add(t.proto, t.port, 0, f.From[0].Packets+f.From[1].Packets)
			continue
		}
		f := bound{Flow: lend(open.flow), pair: open.pair}
		f.a, f.b = g.ends(t, f.Flow)
		f.exchangeable = g.exchange(t, firstFromA(f.Flow), f.a, f.b)
		f.orientation = t.orientation
		g.add(&f)
	}
}

// add puts a flow into its conversation.
func (g *gather) add(f *bound) {
	i, r, from, to := &f.FromA, &f.FromB, f.A, f.B
	forward, back := byA, byB
	if !f.fromA {
		i, r, from, to = r, i, to, from
		forward, back = back, forward
	}
	c := g.conversation(f)
	if c.Flows == 0 {
		c.Initiator, c.Responder, c.Segment = from.Addr(), to.Addr(), f.Segment
	}
	c.sum(f.Flow, i, r)
	if port := from.Port(); f.exchangeable && (!c.exchangeable || port < c.exchanged) {
		c.exchangeable, c.exchanged = true, port
	}
	c.deciding(f.orientation, i, r, from.Port())
	c.fromFTPData = c.fromFTPData || f.Proto == capture.TCP && from.Port() == 20
	s := seen{forward: i.Packets > 0, reverse: r.Packets > 0, end: g.end}
	s.forward = s.forward || g.saw(f, forward)
	s.reverse = s.reverse || g.saw(f, back)
	h := happened(f.Proto, i, r, s)
	if f.basis == BasisUDPReply && h.outcome == OneSided {
		h = happening{outcome: Success, detail: "inferred"}
	}
	c.quoted = c.quoted || has(i, capture.Quoted) && i.Packets > 0
	c.count(h, 1+uint32(f.Joined.Flows), !g.window.IsZero() && f.Seconds.Intersects(g.window.seconds()))
	g.watch.see(f.Flow, c, i, r, h)
}

// conversation returns the conversation of a flow between a pair, made with its first.
func (g *gather) conversation(f *bound) *conv {
	p := &g.pairs.all[f.pair]
	fromA := f.fromA || p.a == p.b
	is := func(c *conv) bool { return c.fromA == fromA && c.Port == f.port && c.Proto == f.Proto }
	k := otherKey{f.pair, fromA, proto{f.Proto, f.port}}
	if p.first > 0 {
		if c := g.made.at(p.first - 1); is(c) {
			return c
		}
		if c := g.more[k]; c != nil {
			return c
		}
	}
	c, n := g.made.next()
	if c.i, c.r = f.a, f.b; !fromA {
		c.i, c.r = f.b, f.a
	}
	c.Proto, c.Port, c.fromA = f.Proto, f.port, fromA
	if !g.window.IsZero() {
		c.extra().inside = new(tally)
	}
	if p.first == 0 {
		p.first = n + 1
	} else {
		g.more[k] = c
	}
	return c
}

// slab makes conversations, many at a time.
type slab struct{ made [][]conv }

// slabSize is how many conversations are made at a time.
const slabSize = 256

// next makes a conversation, and gives it the next number.
func (s *slab) next() (c *conv, number uint32) {
	if n := len(s.made); n == 0 || len(s.made[n-1]) == slabSize {
		s.made = append(s.made, make([]conv, 0, slabSize))
	}
	last := &s.made[len(s.made)-1]
	n := len(*last)
	*last = (*last)[:n+1]
	return &(*last)[n], uint32((len(s.made)-1)*slabSize + n)
}

// at returns the conversation with a number.
func (s *slab) at(number uint32) *conv { return &s.made[number/slabSize][number%slabSize] }

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

// note keeps a rank where a look at it costs nothing: in bits of lo that tell no two conversations apart.
func (s *sorted) note(r rank) { s.lo = s.lo&^0xff | uint64(r) }

// rank returns the rank that was noted.
func (s sorted) rank() rank { return rank(s.lo) }

// segment returns the conversation's segment, of IPv4 without a look into it.
func (s sorted) segment() capture.Segment {
	if s.hi == beyond {
		return s.c.Segment
	}
	return capture.Segment(s.hi >> 16)
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
			c := &made[i]
			g.conversing = append(g.conversing, placed(c))
			g.packets += c.Sent.Packets + c.Received.Packets
		}
	}
	g.made, g.more, g.pairs, g.open = slab{}, nil, pairs{}, nil
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

// mergeTwo merges two sorted lists, their lower and upper halves side by side.
func mergeTwo(a, b []sorted) []sorted {
	all := make([]sorted, len(a)+len(b))
	if len(all) < leastShare {
		mergeInto(all, a, b)
		return all
	}
	m := len(a) / 2
	n := 0
	if m < len(a) {
		n, _ = slices.BinarySearchFunc(b, a[m], sorted.compare)
	}
	sideBySide(2, func(upper int) {
		if upper == 0 {
			mergeInto(all[:m+n], a[:m], b[:n])
		} else {
			mergeInto(all[m+n:], a[m:], b[n:])
		}
	})
	return all
}

func mergeInto(to, a, b []sorted) {
	for i := range to {
		if len(b) == 0 || len(a) > 0 && a[0].compare(b[0]) <= 0 {
			to[i], a = a[0], a[1:]
		} else {
			to[i], b = b[0], b[1:]
		}
	}
}
