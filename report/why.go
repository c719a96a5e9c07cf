package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// why explains a group by its exemplar: first the verdict, then the qualifiers that need words.
func (t *teller) why(g *group, f *match.Finding) []remark {
	var lines []remark
	add := func(label, body string, s style) {
		if body != "" {
			lines = append(lines, remark{label, []span{{body, s}}})
		}
	}
	label := "why"
	if f.Bucket() == match.Documented {
		label = "by"
	}
	if g.scan != nil {
		add(label, scanned(g), plain)
	} else {
		add(label, t.sentence(g, f), plain)
	}
	add("disputed", t.disputed(f), doubt)
	add("beside", t.companion(f), plain)
	add("plane", otherPlane(f), plain)
	add("rests on", t.inferred(f), doubt)
	return lines
}

// sentence says why the exemplar of a group has its verdict.
func (t *teller) sentence(g *group, f *match.Finding) string {
	switch f.Verdict {
	case match.OutOfScope:
		return "neither end is a VMware machine, or both are one"
	case match.VerdictDocumented, match.DocumentedOverride, match.DocumentedBroad:
		return documentedBy(f)
	case match.GroupCast:
		return t.groupCast(g)
	case match.DirectionUnconfirmed:
		return readings(f)
	case match.WrongVersion:
		return t.wrongVersion(f)
	case match.WrongDirection:
		return t.wrongDirection(f)
	case match.WrongTransport:
		return fmt.Sprintf("%s documents port %d over %s between these two, and this is %s",
			some(rowIDs(f.Rows), listed, "and"), f.Port, otherTransport(f), f.Proto)
	case match.AmbiguousRole:
		return ambiguous(f)
	case match.UnknownEndpoint:
		return unknownEndpoint(f)
	case match.WrongSource:
		return fmt.Sprintf("%s is documented at %s, but for %s%s; the initiator is %s", service(f.Proto, f.Port),
			shortName(f.Responder, f.To), allowed(f), citing(f), t.playing(f.Initiator, f.From))
	case match.WrongTarget:
		return fmt.Sprintf("%s may use %s, but at %s%s; the responder is %s", shortName(f.Initiator, f.From),
			service(f.Proto, f.Port), allowed(f), citing(f), t.playing(f.Responder, f.To))
	}
	return t.unlisted(f)
}

func scanned(g *group) string {
	return fmt.Sprintf("one initiator tried %s on %s within a minute and was refused or got no answer; it counts once",
		count(g.scan.Ports, "port"), count(g.scan.Hosts, "host"))
}

// documentedBy cites the primary row with its purpose, and the others by id.
func documentedBy(f *match.Finding) string {
	if len(f.Rows) == 0 {
		return ""
	}
	primary := f.Rows[0]
	line := rowLine(primary)
	if primary.Purpose != "" {
		line += ": " + Terminal(primary.Purpose)
	}
	switch f.Verdict {
	case match.DocumentedOverride:
		line += "; at the port this site chose"
	case match.DocumentedBroad:
		line += fmt.Sprintf("; the row spans %d ports and is no evidence of need", primary.Ports.Len())
	}
	if len(f.Rows) > 1 {
		line += "; also documented by " + some(rowIDs(f.Rows[1:]), 8, "and")
	}
	return line
}

// groupCast names every group that the members of a group reached.
func (t *teller) groupCast(g *group) string {
	seen := map[netip.Addr]bool{}
	for _, i := range g.members {
		f := t.r.Findings.At(i)
		seen[f.Responder] = true
		for _, a := range f.Groups {
			seen[a] = true
		}
	}
	addrs := make([]netip.Addr, 0, len(seen))
	for a := range seen {
		addrs = append(addrs, a)
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	names := make([]string, len(addrs))
	for i, a := range addrs {
		names[i] = a.String()
	}
	return "sent to " + some(names, 2*listed, "and") + ", a broadcast or multicast group for which no row is documented"
}

// readings gives both ways to read a flow whose initiator is not known.
func readings(f *match.Finding) string {
	line := fmt.Sprintf("who began is not known. If %s did, to port %d: %s",
		shortName(f.Initiator, f.From), f.Port, reading(f.Shown, f.Rows))
	if x := f.Exchanged; x != nil {
		line += fmt.Sprintf(". If %s did, to port %d: %s", nameOf(f, x.Initiator), x.Port, reading(x.Verdict, x.Rows))
	}
	return line
}

func reading(v match.Verdict, rows []*catalog.Row) string {
	if len(rows) == 0 {
		return v.String()
	}
	return v.String() + " (" + some(rowIDs(rows), listed, "and") + ")"
}

// wrongVersion holds the versions that the rows are printed for against the versions at the ends.
func (t *teller) wrongVersion(f *match.Finding) string {
	var printed []string
	for _, r := range f.Rows {
		line := Terminal(r.Product) + " (" + Terminal(r.ID)
		if r.SourceMin > 0 {
			line += fmt.Sprintf(", source %d or later", r.SourceMin)
		}
		if r.TargetMin > 0 {
			line += fmt.Sprintf(", target %d or later", r.TargetMin)
		}
		printed = append(printed, line+")")
	}
	line := "documented for " + some(printed, listed, "and")
	for _, p := range []*inventory.Placed{f.From, f.To} {
		if p.Machine == nil || len(p.Machine.Products) == 0 {
			continue
		}
		var products []string
		for _, d := range p.Machine.Products {
			products = append(products, Terminal(d.String()))
		}
		line += "; " + Terminal(p.Machine.Name) + " is " + some(products, 0, "and")
		if at := declaredAt(t.r.Inventory, p.Machine.Line); at != "" {
			line += " (" + at + ")"
		}
	}
	return line
}

func (t *teller) wrongDirection(f *match.Finding) string {
	line := fmt.Sprintf("%s documents %s from %s to %s, not this way", some(rowIDs(f.Rows), listed, "and"), service(f.Proto, f.Port),
		shortName(f.Responder, f.To), shortName(f.Initiator, f.From))
	if ref := reference(t.r, t.o, f.Evidence); ref != "" {
		line += fmt.Sprintf("; %s shows that %s began", ref, shortName(f.Initiator, f.From))
	}
	return line
}

func otherTransport(f *match.Finding) string {
	if len(f.Rows) == 0 {
		return "another transport"
	}
	return rowTransport(f.Rows[0])
}

func ambiguous(f *match.Finding) string {
	var parts []string
	for i, h := range f.Hypotheses {
		if i == listed {
			break
		}
		parts = append(parts, fmt.Sprintf("%s documents it if %s plays %s", Terminal(h.Row.ID), nameOf(f, f.Supposed(h)), Terminal(string(h.Role))))
	}
	return "the exact role is not known: " + some(parts, listed, "or")
}

// unknownEndpoint says which end has no role, and what it would have to be.
func unknownEndpoint(f *match.Finding) string {
	var stranger string
	switch {
	case len(f.From.Roles) == 0 && len(f.To.Roles) == 0:
		stranger = shortName(f.Initiator, f.From) + " and " + shortName(f.Responder, f.To) + " have no role"
	case len(f.From.Roles) == 0:
		stranger = shortName(f.Initiator, f.From) + " has no role"
	default:
		stranger = shortName(f.Responder, f.To) + " has no role"
	}
	var parts []string
	for i, h := range f.Hypotheses {
		if i == listed {
			break
		}
		part := fmt.Sprintf("%s %s, %s", article(string(h.Role)), Terminal(string(h.Role)), Terminal(h.Row.ID))
		if len(f.Hypotheses) > 1 && h.Responder != f.Hypotheses[0].Responder {
			part = nameOf(f, f.Supposed(h)) + " " + part
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return stranger
	}
	return stranger + "; if " + nameOf(f, f.Supposed(f.Hypotheses[0])) + " were " + strings.Join(parts, ", or ") + " would document this"
}

func (t *teller) unlisted(f *match.Finding) string {
	ends := t.playing(f.Initiator, f.From) + "; " + t.playing(f.Responder, f.To)
	if len(f.From.Roles) == 0 || len(f.To.Roles) == 0 {
		return fmt.Sprintf("no row documents %s here, and no role of the other end would: %s", service(f.Proto, f.Port), ends)
	}
	return fmt.Sprintf("no row documents %s between these roles: %s", service(f.Proto, f.Port), ends)
}

// playing says what an end is in the eyes of the inventory: "log01, which is syslog-server (lab.yaml:12)".
func (t *teller) playing(a netip.Addr, p *inventory.Placed) string {
	roles := rolesOf(p.Roles)
	if len(roles) == 0 {
		return shortName(a, p) + ", which has no role"
	}
	line := shortName(a, p) + ", which is " + Terminal(some(roles, 0, "and"))
	if at := declaredAt(t.r.Inventory, p.Line); at != "" {
		line += " (" + at + ")"
	}
	return line
}

func allowed(f *match.Finding) string {
	if len(f.Allowed) == 0 {
		return "other roles"
	}
	return some(roleNames(f.Allowed), 8, "or")
}

func citing(f *match.Finding) string {
	if len(f.Rows) == 0 {
		return ""
	}
	return " (" + some(rowIDs(f.Rows), listed, "and") + ")"
}

// disputed explains document-disputed: the document contradicts itself, and its other reading documents this.
func (t *teller) disputed(f *match.Finding) string {
	if !f.Qualifiers.Has(match.DocumentDisputed) {
		return ""
	}
	for _, r := range disputable(f) {
		if r.Erratum && r.Note != "" {
			return fmt.Sprintf("another reading of %s documents it: %s", Terminal(r.ID), Terminal(r.Note))
		}
	}
	return "the document contradicts itself; another reading of it documents this"
}

// disputable returns the rows a verdict may be disputed by: those it rests on, then those near.
func disputable(f *match.Finding) []*catalog.Row {
	rows := slices.Clone(f.Rows)
	for _, n := range f.Near {
		rows = append(rows, n.Row)
	}
	return rows
}

func (t *teller) companion(f *match.Finding) string {
	if !f.Qualifiers.Has(match.Companion) {
		return ""
	}
	return "documented NFS or FTP traffic of the same two goes with it, whose further ports are negotiated"
}

func otherPlane(f *match.Finding) string {
	if !f.Qualifiers.Has(match.OtherPlane) || len(f.Rows) == 0 {
		return ""
	}
	var planes []string
	for _, p := range []string{f.From.Plane, f.To.Plane} {
		if p != "" && !slices.Contains(planes, Terminal(p)) {
			planes = append(planes, Terminal(p))
		}
	}
	return fmt.Sprintf("%s belongs on the %s plane, which is tagged on these machines; this runs on %s",
		Terminal(f.Rows[0].ID), Terminal(f.Rows[0].Plane), some(planes, 0, "and"))
}

// inferred names the roles that nobody declared and that the verdict rests on.
func (t *teller) inferred(f *match.Finding) string {
	if !f.Qualifiers.Has(match.RoleInferred) {
		return ""
	}
	roles := append(inferredRoles(shortName(f.Initiator, f.From), f.From), inferredRoles(shortName(f.Responder, f.To), f.To)...)
	if len(roles) == 0 {
		return "an inferred role"
	}
	return some(roles, listed, "and")
}

// nameOf names one end of a finding by its address.
func nameOf(f *match.Finding, a netip.Addr) string {
	switch a {
	case f.Initiator:
		return shortName(f.Initiator, f.From)
	case f.Responder:
		return shortName(f.Responder, f.To)
	}
	return a.String()
}

// article returns the indefinite article of a role's name.
func article(role string) string {
	if role != "" && strings.ContainsRune("aeio", rune(role[0])) || strings.HasPrefix(role, "up") {
		return "an"
	}
	return "a"
}
