package report

import (
	"fmt"
	"strings"

	"flowvet/capture"
	"flowvet/match"
)

// entry prints a group of findings.
func (t *reporter) entry(g *group, explained bool) {
	t.item(entryIndent, entryColumn, levelSpan(g.level), t.headline(g, g.exemplar(t.r))...)
	if explained {
		t.details(t.remarks(g))
	}
}

// details prints the labelled lines under an entry.
func (t *reporter) details(remarks []remark) {
	for _, m := range remarks {
		t.item(detailIndent, detailColumn, span{m.label, quiet}, m.body...)
	}
}

// remark is one labelled line that explains an entry.
type remark struct {
	label string
	body  []span
}

// remarks explains a group of findings by its exemplar: why, what was seen, what is near, what would settle it.
func (t *teller) remarks(g *group) []remark {
	f := g.exemplar(t.r)
	lines := t.why(g, f)
	lines = append(lines, remark{"seen", []span{{t.seen(g, f), quiet}}})
	lines = append(lines, expired(f.Disposition)...)
	if f.Bucket() == match.Undocumented {
		lines = append(lines, t.nearest(f)...)
	}
	if proposal := t.settle(g, f); proposal != "" {
		lines = append(lines, remark{"settle", []span{text(proposal)}})
	}
	if t.filters {
		lines = append(lines, remark{"filter", []span{{Terminal(f.Filter()), quiet}}})
	}
	return lines
}

// expired names an exception that would have covered an entry, but has expired.
func expired(d match.Disposition) []remark {
	e := d.Expired
	if e == nil {
		return nil
	}
	return []remark{{"expired", []span{{fmt.Sprintf("exception %s would have covered this until %s",
		Terminal(e.ID), e.Expires.UTC().Format("2006-01-02T15:04:05Z")), doubt}}}}
}

func levelSpan(l match.Level) span {
	switch l {
	case match.LevelError:
		return span{l.String(), bad}
	case match.LevelWarning:
		return span{l.String(), doubt}
	case match.LevelPass:
		return span{"ok", good}
	case match.LevelNone:
		return span{"-", quiet}
	}
	return span{l.String(), plain}
}

// headline says what, who, to whom, on which port.
func (t *teller) headline(g *group, f *match.Finding) []span {
	if g.scan != nil {
		target := count(g.scan.Hosts, "host")
		if g.scan.Hosts == 1 {
			target = endName(f.Responder, f.To)
		}
		return []span{
			{"scan-like", strong},
			text("  " + endName(f.Initiator, f.From) + " -> " + target + ", " + count(g.scan.Ports, "port") + inVLAN(f.Segment)),
		}
	}
	p := t.partiesOf(g)
	line := []span{
		{f.Verdict.String(), strong},
		text("  " + p.initiators.printed() + " -> " + p.responders.printed()),
		{"  " + service(f.Proto, f.Port) + inVLAN(f.Segment), strong},
	}
	if names := f.Qualifiers.Names(); len(names) > 0 {
		line = append(line, span{"  [" + strings.Join(names, ", ") + "]", doubt})
	}
	return line
}

// inVLAN names the VLAN of a segment: ", vlan 10"; nothing where VLANs are not told apart.
func inVLAN(s capture.Segment) string {
	if id, ok := s.VLAN(); ok {
		return fmt.Sprintf(", vlan %d", id)
	}
	return ""
}

// seen says how much there was, how it went, how the initiator is known, and in which packet.
func (t *teller) seen(g *group, f *match.Finding) string {
	parts := []string{
		count(g.size(), "conversation") + ", " + count(g.packets, "packet"),
		t.outcome(g, f),
	}
	if g.scan != nil {
		parts = append(parts, "worst "+f.Verdict.String()+" at "+shortName(f.Responder, f.To)+" "+service(f.Proto, f.Port))
	}
	parts = append(parts, fmt.Sprintf("initiator by %s (%s)", f.Basis, f.Certainty))
	if ref := reference(t.r, t.o, f.Evidence); ref != "" {
		parts = append(parts, ref)
	}
	return strings.Join(parts, "; ")
}

// outcome prints the outcomes of a group, the best first; of one conversation also the detail.
func (t *teller) outcome(g *group, f *match.Finding) string {
	if len(g.members) == 1 {
		return outcomeOf(f)
	}
	counts := t.partiesOf(g).outcomes
	var parts []string
	for o := match.Success; ; o-- {
		if n := counts[o]; n == g.size() {
			return "all " + o.String()
		} else if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
		if o == match.OutcomeNone {
			return strings.Join(parts, ", ")
		}
	}
}

func outcomeOf(f *match.Finding) string {
	if f.Detail == "" {
		return f.Outcome.String()
	}
	return fmt.Sprintf("%s (%s)", f.Outcome, Terminal(f.Detail))
}

// nearest names the rows that nearly document a finding: the nearest, or all of them with -v.
func (t *teller) nearest(f *match.Finding) []remark {
	near := f.Near
	if !t.o.Verbose && len(near) > 1 {
		near = near[:1]
	}
	lines := make([]remark, len(near))
	for i := range near {
		lines[i] = remark{"nearest", nearSpans(&near[i])}
	}
	return lines
}

// column is one column of a row, held against a finding.
type column struct {
	name, printed string
	ok            bool
}

// columnsOf returns the columns of a near row in the order they are printed.
func columnsOf(n *match.Near) []column {
	return []column{
		{"product", n.Row.Product, n.ProductOK},
		{"port", n.Row.Ports.String(), n.PortOK},
		{"transport", rowTransport(n.Row), n.TransportOK},
		{"source", n.Row.SourcePrinted, n.SourceOK},
		{"target", n.Row.TargetPrinted, n.TargetOK},
		{"direction", "", n.DirectionOK},
		{"relation", "", n.RelationOK},
	}
}

// nearSpans prints "R057 ESX 3.x 514/udp ESX/ESXi Host -> Syslog Server: source no, target no", the columns that do not
// match struck through.
func nearSpans(n *match.Near) []span {
	columns := columnsOf(n)
	before := []string{" ", " ", "/", " ", " -> ", "", ""}
	line := []span{text(Terminal(n.Row.ID))}
	var wrong []string
	for i, c := range columns {
		as := plain
		if !c.ok {
			as = struck
			wrong = append(wrong, c.name+" no")
		}
		line = append(line, text(before[i]), span{Terminal(c.printed), as})
	}
	if len(wrong) > 0 {
		line = append(line, text(": "+strings.Join(wrong, ", ")))
	}
	return line
}

// settle proposes what would settle a group: an inventory line where somebody's role is the question, else an exception.
func (t *teller) settle(g *group, f *match.Finding) string {
	switch {
	case g.scan != nil:
		return "find out who runs " + shortName(f.Initiator, f.From) + "; an authorised scanner is a case for an exception"
	case f.Verdict == match.UnknownEndpoint && len(f.Hypotheses) > 0:
		return "if that is what it is, add to the machines of the inventory: " + inventoryLine(f, f.Hypotheses[0])
	case f.Verdict == match.AmbiguousRole && len(f.Hypotheses) > 0:
		h := f.Hypotheses[0]
		return fmt.Sprintf("give %s its product in the inventory, or its address the role: {address: %s, roles: [%s]}",
			nameOf(f, f.Supposed(h)), yamlAddr(f.Supposed(h)), yamlScalar(string(h.Role)))
	case f.Verdict == match.DirectionUnconfirmed:
		return "start the capture before the connection, so that its first packet shows who began it"
	case f.Bucket() != match.Undocumented:
		return ""
	}
	p := t.partiesOf(g)
	return t.except(f.ID(), f.Verdict.String(), t.selector(g, initiator, &p.initiators), t.selector(g, responder, &p.responders), f.Proto.String(), fmt.Sprint(f.Port))
}

// except writes the part of an exception that selects an entry. An end that is empty is any.
func (t *teller) except(id, verdict, src, dst, transport, port string) string {
	t.proposed = true
	x := selected{verdict, src, dst, transport, port}
	blanket := ""
	if x.blanket() {
		blanket = " blanket: true,"
	}
	return fmt.Sprintf("accept it by an exception: - {id: %s, selector: %s,%s …}", yamlScalar("accept-"+id), x, blanket)
}

// inventoryLine writes the machine that would make a hypothesis true.
func inventoryLine(f *match.Finding, h match.Hypothesis) string {
	addr := f.Supposed(h)
	name := string(h.Role) + "-" + strings.NewReplacer(".", "-", ":", "-").Replace(addr.String())
	return fmt.Sprintf("- {name: %s, addresses: [{address: %s, roles: [%s]}]}", yamlScalar(name), yamlAddr(addr), yamlScalar(string(h.Role)))
}

// selector names one end of a group for an exception: the machine or address where there is only one, the role where
// there are more, and the first address where they have none.
func (t *teller) selector(g *group, end endFunc, c *cast) string {
	first, placed := end(t.r.Findings.At(g.members[0]))
	switch {
	case len(placed.Roles) > 0 && c.several():
		return yamlScalar(string(placed.Roles[0].Role))
	case placed.Machine != nil:
		return yamlScalar(placed.Machine.Name)
	}
	return yamlAddr(first)
}
