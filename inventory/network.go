package inventory

import (
	"hash/maphash"
	"iter"
	"net/netip"
	"runtime"
	"sync"

	"flowvet/capture"
)

// network is the flows of several tables as those of one network: each has a number. Two captures may hold one side each of a
// flow: such halves are one flow, since an answer is evidence and half of a conversation is none. A flow that several tables
// hold whole is there as often.
type network struct {
	tables []*capture.Table
	joined []capture.Flow               // of two halves or more each; their numbers come last
	half   func(g *capture.Glance) bool // whether a flow of a table is such a half
}

// tuple names a flow.
type tuple struct {
	a, b  netip.AddrPort
	proto capture.Proto
	in    capture.Segment
}

func tupleOf(g *capture.Glance) tuple {
	a, b := g.Addrs()
	return tuple{netip.AddrPortFrom(a, g.PortA), netip.AddrPortFrom(b, g.PortB), g.Proto, g.Segment}
}

// newNetwork joins the halves of flows. Which ones have a counterpart is known by hashes first: holding every half of a SYN
// flood would cost more than the tables themselves.
func newNetwork(tables []*capture.Table) *network {
	n := &network{tables: tables, half: func(*capture.Glance) bool { return false }}
	if len(tables) < 2 {
		return n
	}
	const fromA, fromB = 1, 2
	seed := maphash.MakeSeed()
	hash := func(g *capture.Glance) uint64 { return maphash.Comparable(seed, tupleOf(g)) }
	sides := map[uint64]uint8{}
	for _, t := range tables {
		for g := range t.GlanceIn(0, t.Numbers()) {
			switch {
			case g.From[1].Packets == 0:
				sides[hash(g)] |= fromA
			case g.From[0].Packets == 0:
				sides[hash(g)] |= fromB
			}
		}
	}
	n.half = func(g *capture.Glance) bool {
		return (g.From[0].Packets == 0 || g.From[1].Packets == 0) && sides[hash(g)] == fromA|fromB
	}
	n.join()
	return n
}

// join makes one flow of the halves of each.
func (n *network) join() {
	halves := map[tuple]capture.Flow{}
	for _, t := range n.tables {
		lend := t.Lender()
		for g := range t.GlanceIn(0, t.Numbers()) {
			if n.half(g) {
				key := tupleOf(g)
				halves[key] = join(halves[key], lend(g.Number).Clone())
			}
		}
	}
	for _, f := range halves {
		n.joined = append(n.joined, f)
	}
}

// numbers returns how many numbers the flows have, from 0 on.
func (n *network) numbers() uint32 {
	all := uint32(len(n.joined))
	for _, t := range n.tables {
		all += t.Numbers()
	}
	return all
}

// glanceIn yields the flows numbered from lo up to hi, without hi, as [capture.Table.GlanceIn] does.
func (n *network) glanceIn(lo, hi uint32) iter.Seq[*capture.Glance] {
	return func(yield func(*capture.Glance) bool) {
		var first uint32 // of the table's numbers
		for _, t := range n.tables {
			end := first + t.Numbers()
			for g := range t.GlanceIn(max(lo, first)-first, max(min(hi, end), first)-first) {
				g.Number += first
				if !n.half(g) && !yield(g) {
					return
				}
			}
			first = end
		}
		for i := max(lo, first); i < hi; i++ {
			g := n.joined[i-first].Glance()
			if g.Number = i; !yield(&g) {
				return
			}
		}
	}
}

// lender returns a function that lends the flow with a number, whole, until its next call.
func (n *network) lender() func(number uint32) *capture.Flow {
	lenders := make([]func(uint32) *capture.Flow, len(n.tables))
	for i, t := range n.tables {
		lenders[i] = t.Lender()
	}
	return func(number uint32) *capture.Flow {
		for i, t := range n.tables {
			if number < t.Numbers() {
				return lenders[i](number)
			}
			number -= t.Numbers()
		}
		return &n.joined[number]
	}
}

// leastPart is how many flows are worth a goroutine of their own.
const leastPart = 1 << 14

// parts returns how many goroutines the flows are worth.
func (n *network) parts() int { return max(1, min(runtime.GOMAXPROCS(0), int(n.numbers()/leastPart))) }

// sideBySide calls do for 0 to n-1, each in a goroutine of its own.
func sideBySide(n int, do func(int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}
