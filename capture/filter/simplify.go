package filter

// fact is a test whose outcome is known.
type fact struct {
	test  test
	holds bool
}

// facts are what all ways to a node have in common. Eight are enough for a host beside a port, and keep long filters fast.
type facts struct {
	known [8]fact
	n     int
}

// with adds a fact. When there is no room, the oldest of what does not hold gives way: that the frame is IPv4 is worth more
// in a long list of hosts than which ones it is not from.
func (f facts) with(t *test, holds bool) facts {
	if f.n == len(f.known) {
		oldest := 0
		for i := range f.known {
			if !f.known[i].holds {
				oldest = i
				break
			}
		}
		copy(f.known[oldest:], f.known[oldest+1:])
		f.n--
	}
	f.known[f.n] = fact{*t, holds}
	f.n++
	return f
}

// meet keeps the facts that o has too.
func (f facts) meet(o *facts) facts {
	var both facts
	for i := range f.n {
		for j := range o.n {
			if f.known[i] == o.known[j] {
				both.known[both.n] = f.known[i]
				both.n++
				break
			}
		}
	}
	return both
}

// decide returns the outcome of a test where it follows from the facts.
func (f *facts) decide(t *test) (holds, follows bool) {
	for i := range f.n {
		k := &f.known[i]
		switch {
		case k.test == *t:
			return k.holds, true
		case k.holds && k.test.relation == equal && k.test.field == t.field:
			return t.holds(k.test.value), true
		}
	}
	return false, false
}

// maxPasses bounds the passes over a graph. The filters of the tests need at most four.
const maxPasses = 8

// simplify leads every way past the tests whose outcome is known on it or makes no difference, and returns the new start.
// A test that is left out no longer asks whether the frame is long enough for it: libpcap does the same.
func (g *graph) simplify(start int) int {
	for range maxPasses {
		if !g.pass(start) {
			break
		}
		start = g.lead(start, &facts{})
	}
	return g.merge(start)
}

// merge lets equal tests that lead to equal ends be one: what is left of the ARP and of the RARP side of a list of hosts.
func (g *graph) merge(start int) int {
	clear(g.known)
	as := make([]int, len(g.nodes))
	for i := range as {
		as[i] = i
		if i <= accepted {
			continue
		}
		n := &g.nodes[i]
		n.yes, n.no = as[n.yes], as[n.no]
		if first, ok := g.known[*n]; ok {
			as[i] = first
		} else {
			g.known[*n] = i
		}
	}
	return as[start]
}

// pass goes through the graph once, from the front, and reports whether it changed.
func (g *graph) pass(start int) (changed bool) {
	in := make([]facts, len(g.nodes))
	reached := make([]bool, len(g.nodes))
	if start > accepted {
		reached[start] = true
	}
	for i := start; i > accepted; i-- {
		if !reached[i] {
			continue
		}
		n := &g.nodes[i]
		for _, way := range []struct {
			to    *int
			holds bool
		}{{&n.yes, true}, {&n.no, false}} {
			known := in[i].with(&n.test, way.holds)
			to := g.lead(*way.to, &known)
			changed = changed || to != *way.to
			*way.to = to
			if reached[to] {
				known = known.meet(&in[to])
			}
			in[to], reached[to] = known, true
		}
		changed = changed || n.yes == n.no
	}
	return changed
}

// lead follows a way while its tests are decided.
func (g *graph) lead(to int, known *facts) int {
	for to > accepted {
		n := &g.nodes[to]
		holds, follows := known.decide(&n.test)
		switch {
		case n.yes == n.no, follows && holds:
			to = n.yes
		case follows:
			to = n.no
		default:
			return to
		}
	}
	return to
}
