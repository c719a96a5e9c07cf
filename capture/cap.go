package capture

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
)

// The policy of a full table is strangers first: a sixteenth of its flows, from those of no protected address up to those
// between two of them, and of each kind those of one packet first, then those without a packet since they were last
// looked at. What is evicted is folded into totals: every packet stays counted, and a later packet of the same flow makes
// a new one.

// MaxFolds caps the keys of [Table.Folded]: beyond them a flow is folded into one key for each transport.
const MaxFolds = 65536

// MaxPairs caps [Table.Others] of one table: beyond it a pair is not noted, which proves nothing of anybody, and counted.
// A pair of protected addresses is noted up to four times as many, so that a flood of forged pings hides no witness.
const MaxPairs = 65536

// The lengths of the prefixes that evicted flows are summed up by.
const (
	foldBits4 = 24
	foldBits6 = 64
)

// FoldKey is what evicted flows are summed up by. Only Proto is set in the key of those beyond [MaxFolds].
type FoldKey struct {
	From  netip.Prefix // of the initiator: a /24, or a /64 of IPv6
	Port  uint16       // the responder's
	Proto Proto
	Sign  FoldSign
}

// FoldSign is what the headers of an evicted flow showed of its outcome.
type FoldSign uint8

// The outcomes of evicted flows.
const (
	FoldDatagram FoldSign = iota // UDP of one side
	FoldSYNOnly                  // SYNs, and nothing came back
	FoldOneSided                 // TCP of one side without a SYN
	FoldRefused                  // the responder sent a reset, or an ICMP unreachable quotes the initiator
	FoldAnswered                 // both sides sent
	foldSigns
)

// String returns the stable name of the sign, as in the JSON report.
func (s FoldSign) String() string {
	return [...]string{"datagram", "syn-only", "one-sided", "refused", "answered"}[s]
}

// Fold is what evicted flows add up to. A flow that was evicted twice counts twice.
type Fold struct {
	Flows, Packets, Bytes uint64
	First, Last           int64 // nanoseconds since 1970 UTC; valid iff Packets > 0
}

// merge adds another sum.
func (f *Fold) merge(o *Fold) {
	switch {
	case o.Packets == 0:
	case f.Packets == 0:
		f.First, f.Last = o.First, o.Last
	default:
		f.First, f.Last = min(f.First, o.First), max(f.Last, o.Last)
	}
	f.Flows += o.Flows
	f.Packets += o.Packets
	f.Bytes += o.Bytes
}

// Compare orders keys: by prefix, transport, port, sign.
func (k FoldKey) Compare(o FoldKey) int {
	return cmp.Or(k.From.Addr().Compare(o.From.Addr()), cmp.Compare(k.Proto, o.Proto), cmp.Compare(k.Port, o.Port),
		cmp.Compare(k.Sign, o.Sign))
}

// Pool is room for flows that the tables of one run share: first come, first served. It is safe for concurrent use.
type Pool struct{ left atomic.Int64 }

// NewPool returns a pool with room for that many flows.
func NewPool(flows int) *Pool {
	p := new(Pool)
	p.left.Store(int64(flows))
	return p
}

// poolGrant is how many flows a table takes from the pool at once: few enough to leave some for others, many enough that
// the shared counter is not felt.
const poolGrant = 4096

// take returns how many more flows the caller may hold: none from a nil pool.
func (p *Pool) take() uint32 {
	if p == nil {
		return 0
	}
	for {
		left := p.left.Load()
		grant := min(left, poolGrant)
		if grant <= 0 {
			return 0
		}
		if p.left.CompareAndSwap(left, left-grant) {
			return uint32(grant)
		}
	}
}

// Shared returns the options for each of that many inputs that are read side by side: half of MaxFlows is shared out
// evenly, the other half goes to whoever needs it first.
func (o Options) Shared(inputs int) Options {
	if o.MaxFlows > 0 {
		own := o.MaxFlows / 2 / max(inputs, 1)
		o.Pool = NewPool(o.MaxFlows - own*inputs)
		o.MaxFlows = max(own, 1)
	}
	return o
}

// vacant returns the number of a record that no flow uses. A table that is full makes room first.
func (t *Table) vacant() uint32 {
	if len(t.records.free) == 0 && t.full() {
		t.evict()
	}
	return t.records.take()
}

// full reports whether the table may not hold another flow.
func (t *Table) full() bool {
	if t.MaxFlows <= 0 || int(t.records.n) < t.mostFlows() {
		return false
	}
	grant := t.Pool.take()
	t.granted += grant
	return grant == 0
}

// mostFlows returns how many flows the table may hold without asking the pool; 0 = no cap.
func (t *Table) mostFlows() int {
	if t.MaxFlows <= 0 {
		return 0
	}
	return t.MaxFlows + int(t.granted)
}

// guarded returns how many ends of a flow are protected.
func (t *Table) guarded(k *key) guard {
	if t.Keep == nil || t.MaxFlows <= 0 {
		return 0
	}
	var n guard
	for _, a := range [2]address{k.a, k.b} {
		if t.Keep(a.addrPort(family(k.tail), 0).Addr()) {
			n++
		}
	}
	return n
}

// guard holds the number of protected ends of a flow in its lowest two bits, and above them the lowest six bits of the flow's
// packets when the hand last passed it.
type guard uint8

const (
	guardBits = 2
	guardMask = 1<<guardBits - 1
)

// The ranks of eviction: for each number of protected ends, a flow of one packet, an idle one, and an active one.
const (
	guardEnds = 3
	ranksEach = 3
	ranks     = guardEnds * ranksEach
)

// guard notes how many ends of a new flow are protected.
func (t *Table) guard(number uint32, ends guard) {
	t.guards.reach(number)
	*t.guards.at(number) = ends
	t.held[ends]++
}

// rank says how late a flow goes.
func (t *Table) rank(r row) int {
	const onePacket, idle, active = 0, 1, 2
	g := *t.guards.at(r.number)
	of := ranksEach * int(g&guardMask)
	switch packets := t.packetsOf(r); {
	case packets <= 1:
		return of + onePacket
	case g>>guardBits == guard(packets<<guardBits)>>guardBits:
		return of + idle
	}
	return of + active
}

// evictShare is the part of a full table that is evicted at once. A larger one loses more than it must, a smaller one
// walks the table more often: a sixteenth of a million flows takes about 20 ms.
const evictShare = 16

// evict folds a share of the flows. The hand goes round the records as that of a clock does: those it finds first have
// been there longest. Under a flood of one packet a flow it meets its victims at once: the number of protected ends tells
// where they must be. Else a whole round shows how many flows of each rank there are, and the next takes the lowest.
func (t *Table) evict() {
	t.Stats.Evictions++
	want := max(t.records.n/evictShare, 1)
	flood := t.floodRank(want)
	var census [ranks]uint32
	for range t.records.n {
		if r := t.row(t.hand); r.used() {
			if rank := t.rank(r); rank > flood {
				census[rank]++
			} else {
				t.discard(t.hand)
				want--
			}
		}
		t.advance()
		if want == 0 {
			return
		}
	}
	t.evictLowest(&census, want)
}

// floodRank returns the rank below which there are fewer flows than wanted, whatever their packets: up to it flows go as
// the hand finds them.
func (t *Table) floodRank(want uint32) int {
	ends, held := 0, t.held[0]
	for held < want && ends < guardEnds-1 {
		ends++
		held += t.held[ends]
	}
	return ends * ranksEach
}

// evictLowest goes one round, and evicts that many flows of the lowest ranks of the census.
func (t *Table) evictLowest(census *[ranks]uint32, want uint32) {
	for rank := range census {
		census[rank] = min(census[rank], want)
		want -= census[rank]
	}
	for range t.records.n {
		if r := t.row(t.hand); r.used() {
			if rank := t.rank(r); census[rank] > 0 {
				census[rank]--
				t.discard(t.hand)
			} else {
				g := t.guards.at(t.hand)
				*g = *g&guardMask | guard(t.packetsOf(r)<<guardBits)
			}
		}
		t.advance()
	}
}

func (t *Table) advance() {
	if t.hand++; t.hand == t.records.n {
		t.hand = 0
	}
}

// discard folds a flow and frees its record.
func (t *Table) discard(number uint32) {
	r := t.row(number)
	k, sides := t.key(r.record), t.halves(r)
	t.fold(&k, &sides)
	t.remove(r, &k)
}

// remove frees the record of a flow.
func (t *Table) remove(r row, k *key) {
	t.held[*t.guards.at(r.number)&guardMask]--
	t.index.remove(t.index.tag(k), r.number)
	t.release(r)
	t.records.give(r.number)
}

// fold adds a flow to the totals.
func (t *Table) fold(k *key, sides *[2]half) {
	sum := Fold{Flows: 1, Bytes: sides[0].bytes + sides[1].bytes}
	for i := range sides {
		if h := &sides[i]; h.packets > 0 {
			side := Fold{Packets: h.packets, First: h.first, Last: h.last}
			sum.merge(&side)
		}
	}
	t.Stats.FoldedFlows++
	t.Stats.FoldedPackets += sum.Packets
	t.foldInto(foldKeyOf(k, sides), &sum)
}

// foldInto adds a sum to the totals of a key, or to those of its transport where there is no room for another key.
func (t *Table) foldInto(k FoldKey, sum *Fold) {
	if t.Folded == nil {
		t.Folded = make(map[FoldKey]*Fold)
	}
	f := t.Folded[k]
	if f == nil && len(t.Folded) >= MaxFolds {
		k = FoldKey{Proto: k.Proto}
		f = t.Folded[k]
	}
	if f == nil {
		f = new(Fold)
		t.Folded[k] = f
	}
	f.merge(sum)
}

// mergeFolds adds the totals of u, in the order of their keys: what has no room must not depend on the order of a map.
func (t *Table) mergeFolds(u *Table) {
	for _, k := range slices.SortedFunc(maps.Keys(u.Folded), FoldKey.Compare) {
		t.foldInto(k, u.Folded[k])
	}
}

// foldKeyOf returns what a flow is summed up by.
func foldKeyOf(k *key, sides *[2]half) FoldKey {
	from := guessInitiator(sides)
	var f Flow
	k.name(&f)
	initiator, responder := f.A, f.B
	if from == 1 {
		initiator, responder = responder, initiator
	}
	bits := foldBits6
	if initiator.Addr().Is4() {
		bits = foldBits4
	}
	prefix, _ := initiator.Addr().Prefix(bits) // the error is of another family's length
	return FoldKey{From: prefix, Port: responder.Port(), Proto: f.Proto, Sign: foldSignOf(sides, f.Proto, from)}
}

// guessInitiator guesses, from the flow alone, which side began it: by SYN, SYN+ACK or quote, else by the first packet.
func guessInitiator(sides *[2]half) int {
	a, b := &sides[0], &sides[1]
	by := func(sign Signs) (int, bool) {
		switch onA, onB := a.signs&sign != 0, b.signs&sign != 0; {
		case onA == onB:
			return 0, false
		case onB:
			return 1, true
		}
		return 0, true
	}
	if from, ok := by(SYN); ok {
		return from
	}
	if to, ok := by(SYNACK); ok {
		return 1 - to
	}
	if from, ok := by(Quoted); ok {
		return from
	}
	if a.packets == 0 || b.packets > 0 && b.first < a.first {
		return 1
	}
	return 0
}

func foldSignOf(sides *[2]half, proto Proto, from int) FoldSign {
	i, o := &sides[from], &sides[1-from]
	switch {
	case i.signs&Quoted != 0 || o.signs&RST != 0 && o.signs&(ACK|SYNACK) == 0:
		return FoldRefused
	case i.packets > 0 && o.packets > 0:
		return FoldAnswered
	case proto == UDP:
		return FoldDatagram
	case i.signs&SYN != 0:
		return FoldSYNOnly
	}
	return FoldOneSided
}

// notes reports whether another pair has room in a set of n.
func (t *Table) notes(n int, pair Pair) bool {
	if n < MaxPairs {
		return true
	}
	return n < 4*MaxPairs && t.Keep != nil && t.Keep(pair.From) && t.Keep(pair.To)
}
