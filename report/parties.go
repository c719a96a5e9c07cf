package report

import (
	"net/netip"

	"flowvet/inventory"
	"flowvet/match"
	"flowvet/numbering"
)

// endFunc picks one end of a finding.
type endFunc func(*match.Finding) (netip.Addr, *inventory.Placed)

func initiator(f *match.Finding) (netip.Addr, *inventory.Placed) { return f.Initiator, f.From }
func responder(f *match.Finding) (netip.Addr, *inventory.Placed) { return f.Responder, f.To }

// parties is who the findings of a group are between, and how they went.
type parties struct {
	initiators, responders cast
	outcomes               [match.Success + 1]int // conversations by outcome, with those of a scan that are no findings
}

// cast is one end of a group's findings, each machine once, in the order of the result.
type cast struct {
	names []string // the first of them
	more  int      // that are not named
}

// printed lists the names.
func (c *cast) printed() string { return someMore(c.names, len(c.names), c.more, "and") }

// several reports whether there is more than one machine.
func (c *cast) several() bool { return len(c.names)+c.more > 1 }

// partiesOf walks the findings of a group, once: a million of them take a tenth of a second each time.
func (t *teller) partiesOf(g *group) *parties {
	if g.parties != nil {
		return g.parties
	}
	most := listed
	if t.o.Verbose {
		most = len(g.members)
	}
	p := &parties{outcomes: g.rest.Outcomes}
	from, to := newCaller(&p.initiators, most), newCaller(&p.responders, most)
	from.sorted = true
	for _, f := range t.r.Findings.Of(g.members) {
		from.call(initiator(f))
		to.call(responder(f))
		p.outcomes[f.Outcome]++
	}
	g.parties = p
	return p
}

// caller names the machines of a cast.
type caller struct {
	*cast
	most      int
	sorted    bool                // by address, as findings are by their initiators
	addresses numbering.Addresses // of no machine: a million where somebody scans
	machines  map[*inventory.Machine]bool
	last      *inventory.Machine
	lastAddr  netip.Addr // of no machine
}

func newCaller(c *cast, most int) *caller {
	return &caller{cast: c, most: most, addresses: numbering.Addresses{Hash: numbering.NewHash()}, machines: map[*inventory.Machine]bool{}}
}

// call adds the end of another finding.
func (c *caller) call(a netip.Addr, p *inventory.Placed) {
	switch fresh := c.fresh(a, p.Machine); {
	case !fresh:
	case len(c.names) < c.most:
		c.names = append(c.names, endName(a, p))
	default:
		c.more++
	}
}

// fresh reports whether it is the first of its machine, or of its address where that is no machine's.
func (c *caller) fresh(a netip.Addr, m *inventory.Machine) (fresh bool) {
	switch {
	case m != nil && m != c.last:
		fresh = !c.machines[m]
		c.last, c.machines[m] = m, true
	case m == nil && a != c.lastAddr:
		fresh = true
		if !c.sorted {
			_, fresh = c.addresses.Add(a)
		}
		c.lastAddr = a
	}
	return fresh
}
