package report

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// pairCount is what two ends have to do with each other: conversations by bucket, and expectations that are absent.
type pairCount struct {
	From, To                                        string
	Documented, Undocumented, Indeterminate, Absent int
}

func (c *pairCount) total() int { return c.Documented + c.Undocumented + c.Indeterminate + c.Absent }

// worst is the bucket that a picture shows of a pair, by its name in the style sheet.
func (c *pairCount) worst() string {
	switch {
	case c.Undocumented > 0:
		return match.Undocumented.String()
	case c.Absent > 0:
		return match.Absent.String()
	case c.Indeterminate > 0:
		return match.Indeterminate.String()
	}
	return match.Documented.String()
}

// pairCounts counts by a pair of labels.
type pairCounts map[[2]string]*pairCount

func (p pairCounts) add(from, to string, b match.Bucket, n int) {
	c := p[[2]string{from, to}]
	if c == nil {
		c = &pairCount{From: from, To: to}
		p[[2]string{from, to}] = c
	}
	switch b {
	case match.Documented:
		c.Documented += n
	case match.Undocumented:
		c.Undocumented += n
	case match.Indeterminate:
		c.Indeterminate += n
	case match.Absent:
		c.Absent += n
	}
}

// sorted lists the pairs, those with most against them first.
func (p pairCounts) sorted() []*pairCount {
	return slices.SortedFunc(maps.Values(p), func(a, b *pairCount) int {
		return cmp.Or(cmp.Compare(b.Undocumented, a.Undocumented), cmp.Compare(b.Absent, a.Absent),
			cmp.Compare(b.total(), a.total()), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
}

// others stands for the labels that a picture has no room for.
const others = "others"

// folded returns the counts with all but the busiest labels as [others]: of each axis of its own, or of both as one.
func (p pairCounts) folded(most int, oneAxis bool) (folded pairCounts, left int) {
	axes := [2]map[string]int{{}, {}}
	if oneAxis {
		axes[1] = axes[0]
	}
	for _, c := range p {
		axes[0][c.From] += c.weight()
		axes[1][c.To] += c.weight()
	}
	keep := [2]map[string]bool{busiest(axes[0], most), busiest(axes[1], most)}
	folded = pairCounts{}
	for _, c := range p {
		from, to := c.From, c.To
		if !keep[0][from] || !keep[1][to] {
			left++
		}
		if !keep[0][from] {
			from = others
		}
		if !keep[1][to] {
			to = others
		}
		folded.add(from, to, match.Documented, c.Documented)
		folded.add(from, to, match.Undocumented, c.Undocumented)
		folded.add(from, to, match.Indeterminate, c.Indeterminate)
		folded.add(from, to, match.Absent, c.Absent)
	}
	return folded, left
}

// weight ranks a pair: what is wrong matters more than what is busy.
func (c *pairCount) weight() int { return c.total() + 1000*(c.Undocumented+c.Absent) }

// busiest returns the labels with the greatest weights, the first in the alphabet of equals.
func busiest(weights map[string]int, most int) map[string]bool {
	labels := slices.SortedFunc(maps.Keys(weights), func(a, b string) int {
		return cmp.Or(cmp.Compare(weights[b], weights[a]), cmp.Compare(a, b))
	})
	keep := map[string]bool{}
	for _, l := range labels[:min(len(labels), most)] {
		keep[l] = true
	}
	return keep
}

// ends gives the labels of the two ends of a finding, and of a machine of an expectation.
type ends struct {
	finding func(netip.Addr, *inventory.Placed) string
	machine func(*inventory.Machine, []catalog.Role) string
}

// pairs counts the selected findings and absent expectations by the labels of their ends.
func (t *teller) pairs(label ends) pairCounts {
	all := pairCounts{}
	for _, f := range t.r.Findings.All() {
		if f.Bucket() != match.NotJudged && t.shown.finding(f) {
			all.add(label.finding(f.Initiator, f.From), label.finding(f.Responder, f.To), f.Bucket(), 1)
		}
	}
	for i := range t.r.Expectations {
		e := &t.r.Expectations[i]
		if e.Bucket() != match.Absent || !t.shown.expectation(e) || len(e.Rows) == 0 {
			continue
		}
		from, to := expectedEnds(e)
		all.add(label.machine(from, e.Rows[0].Source), label.machine(to, e.Rows[0].Target), match.Absent, 1)
	}
	return all
}

// expectedEnds returns the machines of an expectation, the source first; nil for any client. Where the other end may be
// one of several, the first speaks for them.
func expectedEnds(e *match.Expectation) (from, to *inventory.Machine) {
	var other *inventory.Machine
	if !e.AnyClient && e.Candidates.Len() > 0 {
		other = e.Candidates.At(0)
	}
	switch {
	case e.Subject == nil && e.Candidates.Len() > 1:
		return e.Candidates.At(0), e.Candidates.At(1)
	case e.SubjectEnd == catalog.Target:
		return other, e.Subject
	}
	return e.Subject, other
}

// byRole labels ends by their most special roles.
func (t *teller) byRole() ends {
	known := map[*inventory.Machine]string{}
	for _, f := range t.r.Findings.All() {
		for _, p := range []*inventory.Placed{f.From, f.To} {
			if p.Machine != nil && known[p.Machine] == "" {
				known[p.Machine] = t.specialRoles(p.Roles)
			}
		}
	}
	return ends{
		finding: func(a netip.Addr, p *inventory.Placed) string {
			switch label := t.specialRoles(p.Roles); {
			case label != "":
				return label
			case a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
				return "a group"
			case p.Network != nil && p.Network.Name != "":
				return "of " + Terminal(p.Network.Name)
			}
			return "no role"
		},
		machine: func(m *inventory.Machine, roles []catalog.Role) string {
			if m != nil && known[m] != "" {
				return known[m]
			}
			if len(roles) == 0 {
				return "any client"
			}
			return Terminal(string(roles[0]))
		},
	}
}

// specialRoles joins the roles that no other role of the address is a kind of.
func (t *teller) specialRoles(grants []inventory.Grant) string {
	var names []string
	for _, g := range grants {
		general := slices.ContainsFunc(grants, func(o inventory.Grant) bool {
			return t.r.Catalog != nil && o.Role != g.Role && t.r.Catalog.IsA(o.Role, g.Role)
		})
		if !general && !slices.Contains(names, Terminal(string(g.Role))) {
			names = append(names, Terminal(string(g.Role)))
		}
	}
	slices.Sort(names)
	if len(names) > 2 {
		return strings.Join(names[:2], ", ") + "…"
	}
	return strings.Join(names, ", ")
}

// byMachine labels ends by their names, an address where there is none.
func (t *teller) byMachine() ends {
	return ends{
		finding: func(a netip.Addr, p *inventory.Placed) string { return shortName(a, p) },
		machine: func(m *inventory.Machine, _ []catalog.Role) string {
			if m == nil {
				return "any client"
			}
			return Terminal(m.Name)
		},
	}
}

// cut shortens a label that a picture has no room for.
func cut(label string, most int) string { return visible(label, most) }
