package match

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"flowvet/catalog"
	"flowvet/inventory"
)

// leastWindow is the shortest capture in which anything can be called absent; periodic rows need three periods.
const (
	leastWindow  = 60 * time.Second
	leastPeriods = 3
)

// demand is one expectation before it is held against machines: rows that say the same, or alternatives of each other.
type demand struct {
	rows []*catalog.Row
}

// demands sorts the expectable rows into demands, in the order of their first rows.
func demands(c *catalog.Catalog) []*demand {
	var all []*demand
	at := map[string]*demand{}
	for _, row := range c.Rows {
		if row.Ports.Broad() || row.Class.Kind == catalog.Internal || row.Class.Kind == catalog.Optional && row.Group == "" {
			continue
		}
		k := demandKey(row)
		if at[k] == nil {
			at[k] = &demand{}
			all = append(all, at[k])
		}
		at[k].rows = append(at[k].rows, row)
	}
	return slices.DeleteFunc(all, func(d *demand) bool {
		return !slices.ContainsFunc(d.rows, func(r *catalog.Row) bool { return r.Class.Kind != catalog.Optional })
	})
}

func demandKey(r *catalog.Row) string {
	if r.Group != "" {
		return r.Group
	}
	return fmt.Sprint(r.Class, r.Transport, r.Ports, r.Source, r.Target, r.Relation)
}

// expecter holds demands against machines and findings.
type expecter struct {
	j        *judge
	g        *Grounds
	points   []*point
	findings []*conv
	met      map[meeting][]int // findings that a row documents, by where its machines stand
	turned   map[meeting][]int // certain conversations that are a row's with the ends exchanged
	seenUsed map[string]bool   // services of if-used rows that some documented conversation shows
	roster   *roster
}

// meeting is a machine at one end of a row; a nil machine stands for any.
type meeting struct {
	row     *catalog.Row
	end     catalog.End
	machine *inventory.Machine
}

func newExpecter(j *judge, g *Grounds, points []*point, sorted []*conv) *expecter {
	x := &expecter{
		j: j, g: g, points: points, findings: sorted, met: map[meeting][]int{}, turned: map[meeting][]int{},
		seenUsed: map[string]bool{}, roster: newRoster(j),
	}
	for i, f := range sorted {
		x.index(i, f)
	}
	return x
}

// applicable reports whether some row of the operation has two machines it can concern.
func (x *expecter) applicable(operation string) bool {
	return slices.ContainsFunc(x.j.cat.Rows, func(r *catalog.Row) bool {
		return r.Class == catalog.Class{Kind: catalog.During, Of: operation} && len(x.roster.places(r, nil, catalog.Either)) > 0
	})
}

// expectations judges every demand for every machine it concerns.
func (x *expecter) expectations() []Expectation {
	var all []Expectation
	for _, d := range demands(x.j.cat) {
		all = append(all, x.demand(d)...)
	}
	return append(all, x.internal()...)
}

func compareExpectations(a, b Expectation) int {
	return cmp.Or(cmp.Compare(a.Bucket(), b.Bucket()), -cmp.Compare(a.Level, b.Level),
		cmp.Compare(firstRow(&a), firstRow(&b)), strings.Compare(subjectName(&a), subjectName(&b)),
		cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(lineNumber(&a), lineNumber(&b)))
}

// firstRow names the first row of an expectation; some lines of scenarios have none.
func firstRow(e *Expectation) string {
	if len(e.Rows) == 0 {
		return ""
	}
	return e.Rows[0].ID
}

func lineNumber(e *Expectation) int {
	if e.Line == nil {
		return 0
	}
	return e.Line.Number
}

func subjectName(e *Expectation) string { return machineNameOf(e.Subject) }

func machineNameOf(m *inventory.Machine) string {
	if m == nil {
		return ""
	}
	return m.Name
}

// index notes which rows a finding meets, or shows the other way round. Findings come in the order of their numbers.
func (x *expecter) index(i int, f *conv) {
	if !f.evidence() {
		return
	}
	into := x.met
	if f.Verdict == WrongDirection {
		into = x.turned
	}
	initiator, responder := f.i.machine, f.r.machine
	if f.Verdict == WrongDirection || f.Verdict == DirectionUnconfirmed && f.Shown.Bucket() != Documented {
		initiator, responder = responder, initiator
	}
	for _, r := range f.rests.readings {
		row := r.perm.Row
		if row.Class.Kind == catalog.IfUsed && f.Verdict.Bucket() == Documented {
			x.seenUsed[row.Class.Of] = true
		}
		note := func(end catalog.End, m *inventory.Machine) {
			at := meeting{row, end, m}
			if in := into[at]; len(in) == 0 || in[len(in)-1] != i {
				into[at] = append(in, i)
			}
		}
		note(catalog.Either, nil)
		ends := []catalog.End{r.perm.Initiator}
		if row.Listener == catalog.Either || f.Qualifiers.Has(Undirected) {
			ends = []catalog.End{catalog.Source, catalog.Target}
		}
		for _, e := range ends {
			note(e, initiator)
			note(e.Other(), responder)
		}
	}
}

// demand makes the expectations of one demand: one for each subject, or one for any pair.
func (x *expecter) demand(d *demand) []Expectation {
	wanted := slices.DeleteFunc(slices.Clone(d.rows), func(r *catalog.Row) bool { return !x.classApplies(r) })
	if len(wanted) == 0 {
		return nil
	}
	subjectEnd := catalog.Source
	switch each(wanted) {
	case catalog.EachTarget:
		subjectEnd = catalog.Target
	case catalog.EachAny:
		return x.anyPair(d, wanted)
	}
	var all []Expectation
	subjects := x.subjects(d, subjectEnd)
	if len(subjects) == 0 && x.roster.standing(wanted[0]).anyClient[subjectEnd] {
		return x.anyPair(d, wanted)
	}
	for _, m := range subjects {
		if e, ok := x.forSubject(d, m, subjectEnd); ok {
			all = append(all, e)
		}
	}
	return all
}

// each returns the quantifier of the rows that make a demand: where one says any, any is enough.
func each(wanted []*catalog.Row) catalog.Each {
	if slices.ContainsFunc(wanted, func(r *catalog.Row) bool { return r.Each == catalog.EachAny }) {
		return catalog.EachAny
	}
	return wanted[0].Each
}

// internal lists the rows of machines that talk to themselves: never on a wire, and so not applicable.
func (x *expecter) internal() []Expectation {
	var all []Expectation
	for _, r := range x.j.cat.Rows {
		if r.Class.Kind == catalog.Internal && len(x.roster.standing(r).at[catalog.Source]) > 0 {
			all = append(all, x.finish(Expectation{Class: r.Class, SubjectEnd: catalog.Either, Rows: []*catalog.Row{r}}))
		}
	}
	return all
}

// classApplies reports whether a row's class makes it expected of anybody in this run.
func (x *expecter) classApplies(r *catalog.Row) bool {
	switch r.Class.Kind {
	case catalog.Always:
		return true
	case catalog.During:
		return slices.Contains(x.g.During, r.Class.Of)
	case catalog.IfUsed:
		return x.seenUsed[r.Class.Of] || x.usedBySomebody(r.Class.Of)
	}
	return false
}

func (x *expecter) usedBySomebody(service string) bool {
	return x.j.inv.Requires(service, nil) || slices.ContainsFunc(x.j.inv.Machines, func(m *inventory.Machine) bool {
		return x.j.inv.Requires(service, m)
	})
}

// subjects returns the machines that stand at an end of a demand's rows.
func (x *expecter) subjects(d *demand, end catalog.End) []*inventory.Machine {
	var subjects []*inventory.Machine
	for _, m := range x.j.inv.Machines {
		if slices.ContainsFunc(d.rows, func(r *catalog.Row) bool { return x.roster.stands(m, r, end) }) {
			subjects = append(subjects, m)
		}
	}
	return subjects
}

// forSubject judges a demand for one machine.
func (x *expecter) forSubject(d *demand, m *inventory.Machine, end catalog.End) (Expectation, bool) {
	var rows []*catalog.Row
	var places []place
	for _, r := range d.rows {
		if !x.roster.stands(m, r, end) {
			continue
		}
		if p := x.roster.places(r, m, end); len(p) > 0 {
			rows, places = append(rows, r), append(places, p...)
		}
	}
	class, required, ok := x.class(d.rows, rows, m)
	if !ok {
		return Expectation{}, false
	}
	e := Expectation{Class: class, Subject: m, SubjectEnd: end, Required: required, Rows: rows}
	if len(rows) == 0 {
		e.Rows = d.rows[:1]
		return x.finish(e), true
	}
	return x.judge(e, places), true
}

// anyPair judges a demand of which one conversation, between whichever machines, is enough.
func (x *expecter) anyPair(d *demand, wanted []*catalog.Row) []Expectation {
	var rows []*catalog.Row
	var places []place
	for _, r := range d.rows {
		if p := x.roster.places(r, nil, catalog.Either); len(p) > 0 {
			rows, places = append(rows, r), append(places, p...)
		}
	}
	e := Expectation{Class: wanted[0].Class, SubjectEnd: catalog.Either, Required: true, Rows: rows}
	if len(rows) == 0 {
		e.Rows = wanted[:1]
		return []Expectation{x.finish(e)}
	}
	class, required, ok := x.class(wanted, rows, nil)
	if !ok {
		return nil
	}
	e.Class, e.Required = class, required
	return []Expectation{x.judge(e, places)}
}

// class returns the class by which the rows are expected of a machine, and whether they are required or only seen
// elsewhere. A machine that no row can concern is asked by every row of the demand.
func (x *expecter) class(all, rows []*catalog.Row, m *inventory.Machine) (c catalog.Class, required, ok bool) {
	if len(rows) == 0 {
		rows = all
	}
	for _, r := range rows {
		if !x.classApplies(r) || m != nil && declines(m, r) {
			continue
		}
		must := r.Class.Kind != catalog.IfUsed || x.j.inv.Requires(r.Class.Of, m) || m == nil && x.usedBySomebody(r.Class.Of)
		if must {
			return r.Class, true, true
		}
		if !ok && x.seenUsed[r.Class.Of] {
			c, ok = r.Class, true
		}
	}
	return c, false, ok
}

// judge gives an expectation with possible places its verdict.
func (x *expecter) judge(e Expectation, places []place) Expectation {
	e.Window = x.g.Window
	e.Need = need(e.Rows)
	slices.SortStableFunc(e.Rows, func(a, b *catalog.Row) int { // those that make it expected first
		return cmp.Compare(x.rank(a), x.rank(b))
	})
	known := machines{e.Subject: true}
	for _, p := range places {
		for _, m := range []*inventory.Machine{p.src, p.dst} {
			if m == nil {
				e.AnyClient = true
				continue
			}
			if !known[m] {
				known[m] = true
				e.Candidates = append(e.Candidates, m)
			}
			e.Inferred = e.Inferred || x.j.machineEnd(m).inferred
		}
	}
	slices.SortFunc(e.Candidates, func(a, b *inventory.Machine) int { return strings.Compare(a.Name, b.Name) })
	e.InView = x.inView(places)
	best := x.evidence(&e, known)
	switch {
	case best == Success:
		e.Verdict = Met
	case len(e.Evidence) == 0 && x.event(e.Rows) && e.Class.Kind != catalog.During:
		e.Verdict = NotExercised
	case best == HalfOpen:
		e.Verdict = ExpectedHalfOpen
	case best == Refused:
		e.Verdict = AttemptedRefused
	case best == Unanswered:
		e.Verdict = AttemptedUnanswered
	case len(e.Evidence) == 0 && x.otherWay(&e, known):
		e.Verdict = SeenOtherWay
	case best == Pending:
		e.Verdict = ExpectedPending
	case best == OneSided, len(e.Evidence) > 0:
		e.Verdict = ExpectedOneSided
	default:
		x.absence(&e, places)
	}
	return x.finish(e)
}

func (x *expecter) rank(r *catalog.Row) int {
	if x.classApplies(r) {
		return 0
	}
	return 1
}

// need is the least window in which the rows' absence can be said.
func need(rows []*catalog.Row) time.Duration {
	n := leastWindow
	for _, r := range rows {
		n = max(n, leastPeriods*r.Period)
	}
	return n
}

// event reports whether every row occurs only at events, and so is never absent by itself.
func (x *expecter) event(rows []*catalog.Row) bool {
	return !slices.ContainsFunc(rows, func(r *catalog.Row) bool { return r.Period > 0 })
}

// evidence collects the findings that meet the expectation or tried to, and returns the best outcome.
func (x *expecter) evidence(e *Expectation, known machines) Outcome {
	best := OutcomeNone
	for _, i := range x.collect(x.met, e, known) {
		f := x.findings[i]
		outcome := f.Outcome
		if !x.g.Window.IsZero() {
			outcome = f.InWindow
		}
		if f.Verdict == DirectionUnconfirmed {
			outcome = min(outcome, OneSided) // an unconfirmed direction is never a pass
		}
		e.Evidence = append(e.Evidence, i)
		best = max(best, outcome)
	}
	return best
}

// otherWay notes certain conversations that are the expected ones with the ends exchanged.
func (x *expecter) otherWay(e *Expectation, known machines) bool {
	turned := x.collect(x.turned, e, known)
	if len(turned) > 0 {
		e.Evidence = turned
	}
	return len(turned) > 0
}

// collect returns the indexed findings of the expectation's rows in which its subject, and a candidate, take part within
// the window.
func (x *expecter) collect(from map[meeting][]int, e *Expectation, known machines) []int {
	var found []int
	for _, r := range e.Rows {
		at := meeting{r, catalog.Either, nil}
		if e.Subject != nil {
			at = meeting{r, e.SubjectEnd, e.Subject}
		}
		for _, i := range from[at] {
			if x.concerns(e, &x.findings[i].Finding, known) && x.inWindow(&x.findings[i].Finding) {
				found = append(found, i)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (x *expecter) inWindow(f *Finding) bool {
	return x.g.Window.IsZero() || f.Seconds.Intersects(x.g.Window.seconds())
}

// concerns reports whether a finding's ends are the subject and candidates; an address of no machine is anybody's peer.
func (x *expecter) concerns(e *Expectation, f *Finding, known machines) bool {
	for _, m := range []*inventory.Machine{f.From.Machine, f.To.Machine} {
		if m != nil && !known[m] && !x.asClient(e, m) {
			return false
		}
	}
	return true
}

// asClient reports whether a machine took part as the client that no machine declares.
func (x *expecter) asClient(e *Expectation, m *inventory.Machine) bool {
	return e.AnyClient && (x.j.machineEnd(m).client || x.j.machineEnd(m).stranger)
}

// absence says absent where every possible place could be seen, and why not where one could not: the weakest counts.
func (x *expecter) absence(e *Expectation, places []place) {
	weakest := sight{level: Proven}
	for n, p := range places {
		s := x.j.look(x.points, p.row, p.src, p.dst, x.g.Window, e.Need)
		if n == 0 || s.level < weakest.level {
			weakest = s
		}
		if weakest.level == Unproven {
			break
		}
	}
	e.Coverage = weakest.level
	if weakest.level >= CoverageDeclared {
		e.Verdict = ExpectedAbsent
		return
	}
	e.Verdict, e.Reason = NotObservable, weakest.reason
}

// inView reports whether one of the places lies inside the declared view; without a declared view every place does.
func (x *expecter) inView(places []place) bool {
	if len(x.j.inv.Views) == 0 && x.j.sees.empty() {
		return true
	}
	return slices.ContainsFunc(places, func(p place) bool {
		return slices.ContainsFunc(x.points, func(pt *point) bool {
			return x.j.declared(pt, x.j.onPlane(p.src, p.row.Plane)) || x.j.declared(pt, x.j.onPlane(p.dst, p.row.Plane))
		})
	})
}

// finish sets what follows from the verdict.
func (x *expecter) finish(e Expectation) Expectation {
	e.Level = e.level()
	e.ID = expectationID(&e)
	e.Filter = expectationFilter(&e, x.ownPorts)
	return e
}

func (e *Expectation) level() Level {
	level := LevelError
	switch e.Verdict {
	case NotApplicable:
		return LevelNone
	case Met:
		return LevelPass
	case NotExercised:
		return LevelNote
	case ExpectedPending, ExpectedOneSided:
		return LevelWarning
	case OutOfOrder:
		return LevelWarning
	case NotObservable:
		if !e.InView || e.shortOfWindow() || e.Line != nil && !e.Required {
			return LevelNote
		}
		return LevelWarning
	}
	if !e.Required || e.Inferred || e.Line != nil && e.Line.Mild {
		level = LevelWarning
	}
	return level
}

// shortOfWindow reports whether an if-used row only needs a longer capture: a note, which never asks for exit status 3.
func (e *Expectation) shortOfWindow() bool {
	return e.Verdict == NotObservable && e.Class.Kind == catalog.IfUsed && e.Reason.Code == "window-too-short"
}

// Unjudged reports whether the expectation counts for exit status 3: required, inside the view, and not to be judged.
func (e *Expectation) Unjudged() bool {
	return e.Required && e.InView && e.Bucket() == Indeterminate && !e.shortOfWindow()
}

func expectationID(e *Expectation) string {
	if e.Line != nil {
		return lineID(e)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%s", demandKey(e.Rows[0]), e.Class, subjectName(e), e.SubjectEnd))
	return "E" + hex.EncodeToString(sum[:6])
}

// ownPorts returns the ports of a row, or the one that the site has moved it to.
func (x *expecter) ownPorts(r *catalog.Row) catalog.Ports {
	if p, moved := x.j.inv.Ports[r.ID]; moved {
		return catalog.Ports{Lo: p, Hi: p}
	}
	return r.Ports
}

// expectationFilter is a Wireshark display filter that would show what was expected.
func expectationFilter(e *Expectation, own func(*catalog.Row) catalog.Ports) string {
	var parts []string
	for _, r := range e.Rows {
		for _, t := range []struct {
			set  catalog.Transport
			name string
		}{{catalog.TCP, "tcp"}, {catalog.UDP, "udp"}} {
			if !r.Transport.Has(t.set) {
				continue
			}
			part := portFilter(t.name, own(r))
			if !slices.Contains(parts, part) {
				parts = append(parts, part)
			}
		}
	}
	filter := strings.Join(parts, " || ")
	if filter == "" || e.Subject == nil || len(e.Subject.Addrs) == 0 {
		return filter
	}
	var addrs []string
	for _, a := range e.Subject.Addrs {
		addrs = append(addrs, fmt.Sprintf("%s.addr == %s", family(a.Addr), a.Addr))
	}
	return fmt.Sprintf("(%s) && (%s)", strings.Join(addrs, " || "), filter)
}
