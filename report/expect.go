package report

import (
	"fmt"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// expectations prints the section of what was expected and is not there.
func (t *reporter) expectations(b match.Bucket) {
	if t.silent(b) {
		return
	}
	all := shortfalls(t.r, t.shown, b)
	t.section(strings.ToUpper(b.String()), t.shortfallCounts(all))
	t.shortfallEntries(all)
	t.excepted(exceptedExpectations(t.r, t.shown, b), "expectation")
}

// shortfallCounts says how many expectations a section has, in how many entries.
func (t *teller) shortfallCounts(all []*shortfall) string {
	n := expectationsIn(all)
	what := t.none()
	switch {
	case n > 0 && n == len(all):
		what = count(n, "expectation")
	case n > 0:
		what = count(n, "expectation") + " of " + count(len(all), "cause")
	case t.r.Counts.CouldNotJudge > 0:
		what = fmt.Sprintf("none that could be proven; %s could not be judged", count(t.r.Counts.CouldNotJudge, "expectation"))
	}
	return what
}

func (t *reporter) shortfallEntries(all []*shortfall) {
	t.list(len(all), func(i int, explained bool) { t.shortfall(all[i], explained) })
}

// notes prints what could not be judged and need not be, one entry for each reason; -v shows each on its own.
func (t *reporter) notes(all []*shortfall) {
	byCode := map[string][]*shortfall{}
	var codes []string
	for _, s := range all {
		code := s.members[0].Reason.Code
		if byCode[code] == nil {
			codes = append(codes, code)
		}
		byCode[code] = append(byCode[code], s)
	}
	for _, code := range codes {
		t.blank()
		t.item(entryIndent, entryColumn, levelSpan(match.LevelNote), span{match.NotObservable.String(), strong},
			text(fmt.Sprintf("  %s, not counted for the exit status: %s", count(expectationsIn(byCode[code]), "expectation"), Terminal(code))))
		var rows []string
		for _, s := range byCode[code] {
			if e := s.members[0]; len(e.Rows) > 0 {
				row := Terminal(e.Rows[0].ID) + " " + rowService(e.Rows[0])
				if code == "window-too-short" {
					row += " (needs " + seconds(e.Need) + ")"
				}
				rows = append(rows, row)
			}
		}
		t.details([]remark{{"rows", []span{text(some(rows, 8, "and") + "; -v shows each")}}})
	}
}

// shortfall prints expectations of one cause: what was expected of whom, by what, and what became of it.
func (t *reporter) shortfall(s *shortfall, explained bool) {
	t.item(entryIndent, entryColumn, levelSpan(s.members[0].Level), t.expected(s)...)
	if explained {
		t.details(t.shortfallRemarks(s))
	}
}

// shortfallRemarks explains expectations of one cause by the first of them.
func (t *teller) shortfallRemarks(s *shortfall) []remark {
	e := s.members[0]
	var lines []remark
	add := func(label, body string, as style) {
		if body != "" {
			lines = append(lines, remark{label, []span{{body, as}}})
		}
	}
	if len(e.Rows) > 0 {
		add("row", expectedRows(e), plain)
	}
	add("why", t.became(s), plain)
	add("required", t.requirement(e), quiet)
	switch e.Verdict {
	case match.NotObservable:
		add("remedy", Terminal(e.Reason.Remedy), plain)
	case match.ExpectedAbsent:
		add("coverage", coverage(e), quiet)
	}
	lines = append(lines, expired(e.Disposition)...)
	add("settle", t.settleExpectation(s), plain)
	if t.filters {
		add("filter", Terminal(e.Filter), quiet)
	}
	return lines
}

// expected is the headline: the verdict, the port, the subjects and who the other end may be.
func (t *teller) expected(s *shortfall) []span {
	e := s.members[0]
	line := []span{{e.Verdict.String(), strong}, text("  " + t.parties(s))}
	if len(e.Rows) > 0 {
		line = append(line, span{"  " + rowService(e.Rows[0]), strong})
	}
	if e.Line != nil {
		line = append(line, text("  "+lineTitle(e)))
	}
	if e.Inferred {
		line = append(line, span{"  [role-inferred]", doubt})
	}
	return line
}

// parties prints who was expected to talk to whom.
func (t *teller) parties(s *shortfall) string {
	e := s.members[0]
	plane := ""
	if len(e.Rows) > 0 {
		plane = e.Rows[0].Plane
	}
	most := listed
	if t.o.Verbose {
		most = 0
	}
	others := "any client"
	if !e.AnyClient {
		others = some(machineNames(e.Candidates.First(e.Candidates.Len()), plane), most, "or")
	}
	if e.Subject == nil && e.Candidates.Len() == 0 && !e.AnyClient {
		return "any machine"
	}
	if e.Subject == nil && e.AnyClient {
		return "any client with " + some(machineNames(e.Candidates.First(e.Candidates.Len()), plane), most, "or")
	}
	if e.Subject == nil {
		return "any two of " + some(machineNames(e.Candidates.First(e.Candidates.Len()), plane), most, "and")
	}
	var subjects []string
	for _, m := range s.members {
		if name := machineName(m.Subject, plane); !slices.Contains(subjects, name) {
			subjects = append(subjects, name)
		}
	}
	subject := some(subjects, most, "and")
	switch e.SubjectEnd {
	case catalog.Source:
		return subject + " -> " + others
	case catalog.Target:
		return others + " -> " + subject
	}
	return subject + " with " + others
}

func expectedRows(e *match.Expectation) string {
	r := e.Rows[0]
	line := rowLine(r)
	if r.Purpose != "" {
		line += ": " + Terminal(r.Purpose)
	}
	if len(e.Rows) > 1 {
		line += "; with " + some(rowIDs(e.Rows[1:]), 8, "and")
	}
	return line
}

// became says what became of the first expectation of the group.
func (t *teller) became(s *shortfall) string {
	e := s.members[0]
	first := ""
	if len(s.members) > 1 {
		first = fmt.Sprintf(" (the first of %d)", len(s.members))
	}
	switch e.Verdict {
	case match.Met:
		if e.Line != nil {
			return joined(Terminal(e.Detail), "seen"+t.tried(e))
		}
		return "seen" + t.tried(e)
	case match.GapExceeded, match.TooLittle, match.ForbiddenSeen, match.WrongRole, match.OutOfOrder:
		return Terminal(e.Detail) + t.tried(e) + first
	case match.ExpectedAbsent:
		return "not one packet of it was seen, and it would have been"
	case match.NotObservable:
		return fmt.Sprintf("nothing was seen, and that proves nothing: %s: %s%s", Terminal(e.Reason.Code), Terminal(e.Reason.Detail), first)
	case match.AttemptedRefused:
		return "tried and refused" + t.tried(e) + first
	case match.AttemptedUnanswered:
		return "tried and not answered" + t.tried(e) + first
	case match.ExpectedHalfOpen:
		return "tried, and the handshake was never completed" + t.tried(e) + first
	case match.SeenOtherWay:
		return "seen only with the ends exchanged" + t.tried(e) + first
	case match.ExpectedPending:
		return "tried, and the capture ended before an answer was due" + t.tried(e) + first
	case match.ExpectedOneSided:
		return "tried, and the other direction cannot be seen here" + t.tried(e) + first
	}
	return e.Verdict.String()
}

// tried cites the conversations that met an expectation or failed to.
func (t *teller) tried(e *match.Expectation) string {
	var refs []string
	for _, i := range e.Evidence {
		f := t.r.Findings.At(i)
		ref := fmt.Sprintf("%s -> %s %s %s", shortName(f.Initiator, f.From), shortName(f.Responder, f.To), service(f.Proto, f.Port), outcomeOf(f))
		if at := reference(t.r, t.o, f.Evidence); at != "" {
			ref += " " + at
		}
		refs = append(refs, ref)
	}
	if len(refs) == 0 {
		return ""
	}
	return ": " + some(refs, listed, "and")
}

// requirement says by what an expectation is one, in which time, and how much time absence needs.
func (t *teller) requirement(e *match.Expectation) string {
	class := Terminal(e.Class.String())
	parts := []string{"class " + class}
	if e.Line != nil && !e.Required {
		parts = []string{"no: optional in " + class}
	} else if !e.Required {
		parts = []string{"no: " + class + ", but seen elsewhere in this capture"}
	}
	if !e.InView {
		parts = append(parts, "outside the declared view")
	}
	parts = append(parts, "in "+t.window(e.Window))
	if e.Need > 0 {
		parts = append(parts, "absence needs "+seconds(e.Need))
	}
	return strings.Join(parts, "; ")
}

// window names the time in which something was expected; the header has the figures of the usual ones.
func (t *teller) window(w match.Window) string {
	switch {
	case w.IsZero(), w == match.Window{Start: t.r.First, End: t.r.Last} && t.r.Window.IsZero():
		return "the whole of the captures"
	case w == t.r.Window:
		return "the window asked for"
	}
	return between(w.Start, w.End)
}

// settleExpectation proposes what would settle an absence that is as it should be.
func (t *teller) settleExpectation(s *shortfall) string {
	e := s.members[0]
	switch {
	case e.Bucket() != match.Absent || len(e.Rows) == 0:
		return ""
	case e.Line != nil && e.Line.MaxGap.Given() && e.Verdict == match.GapExceeded:
		return fmt.Sprintf("if more is allowed here, say so: --set %s.max-gap=%s", Terminal(e.Line.ID), e.Silence.Length())
	case e.Verdict == match.TooLittle && e.Line.MinBytes.Given():
		return fmt.Sprintf("if less is enough here, say so: --set %s.min-bytes=N", Terminal(e.Line.ID))
	case e.Class.Kind == catalog.IfUsed && e.Subject != nil:
		return fmt.Sprintf("if %s takes no part in %s, say so at its machine in the inventory: uses: [-%s]",
			Terminal(e.Subject.Name), Terminal(e.Class.Of), Terminal(e.Class.Of))
	}
	x := s.selected()
	return t.except(e.ID, x.verdict, x.src, x.dst, x.transport, x.port)
}

// standing names an end of expectations for an exception: the machine where only one can stand there, else the row's
// role; empty where any client can.
func (s *shortfall) standing(end catalog.End) string {
	e := s.members[0]
	roles := e.Rows[0].Target
	if end == catalog.Source {
		roles = e.Rows[0].Source
	}
	var machines []*inventory.Machine
	switch {
	case e.Subject != nil && e.SubjectEnd == end:
		for _, m := range s.members {
			machines = append(machines, m.Subject)
		}
	case e.AnyClient:
		return ""
	default:
		machines = e.Candidates.First(2)
	}
	switch {
	case len(machines) == 1:
		return yamlScalar(machines[0].Name)
	case len(roles) > 0:
		return yamlScalar(string(roles[0]))
	}
	return ""
}

// coverage says why the capture can speak of absence.
func coverage(e *match.Expectation) string {
	switch e.Coverage {
	case match.Proven:
		return "proven: other frames between them were seen both ways in that time"
	case match.CoverageDeclared:
		return "declared: the inventory or --sees says that this capture sees them"
	}
	return e.Coverage.String()
}
