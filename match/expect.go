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
	j          *judge
	g          *Grounds
	points     []*point
	findings   []*conv
	ledger     *ledger
	roster     *roster
	lookouts   *lookouts
	sightlines map[sightKey]*sightline
}

func newExpecter(j *judge, g *Grounds, points []*point, sorted []*conv) *expecter {
	return &expecter{
		j: j, g: g, points: points, findings: sorted, ledger: newLedger(sorted), roster: newRoster(j),
		lookouts: newLookouts(j, points, g.Window), sightlines: map[sightKey]*sightline{},
	}
}

// applicable reports whether some row of the operation has two machines it can concern.
func (x *expecter) applicable(operation string) bool {
	return slices.ContainsFunc(x.j.cat.Rows, func(r *catalog.Row) bool {
		return r.Class == catalog.Class{Kind: catalog.During, Of: operation} && x.roster.anywhere(r)
	})
}

// expectations judges every demand for every machine it concerns, side by side.
func (x *expecter) expectations() []Expectation {
	asks := x.allAsks()
	x.ledger.sort(asks, len(x.j.inv.Machines))
	all := make([]Expectation, len(asks))
	inParts(len(asks), func(i int) { all[i] = x.judge(&asks[i]) })
	return append(all, x.internal()...)
}

// allAsks lists the expectations of all demands. These have no row in common, so that they are asked for side by side, each by an expecter of its
// own: of 33,000 expectations of 5,000 machines that was 47 ms of one processor while the other had nothing to do.
func (x *expecter) allAsks() []ask {
	all := slices.DeleteFunc(demands(x.j.cat), func(d *demand) bool { return !slices.ContainsFunc(d.rows, x.classApplies) })
	var planes []string
	for _, d := range all {
		for _, r := range d.rows {
			x.roster.standing(r)
			if !slices.Contains(planes, r.Plane) {
				planes = append(planes, r.Plane)
			}
		}
	}
	if len(x.points) > 0 {
		x.lookouts.openViews(planes)
	}
	lists := make([][]ask, len(all))
	inParts(len(all), func(i int) {
		own := *x
		own.roster, own.sightlines = x.roster.another(), map[sightKey]*sightline{}
		lists[i] = own.asks(all[i])
	})
	return slices.Concat(lists...)
}

// sortedExpectations returns expectations in the order of a report. They are sorted by their places: an expectation is 400 bytes,
// and sorting 33,000 moves each 30 times.
func sortedExpectations(all []Expectation) []Expectation {
	order := make([]int32, len(all))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(i, k int32) int { return compareExpectations(&all[i], &all[k]) })
	sorted := make([]Expectation, len(all))
	for to, from := range order {
		sorted[to] = all[from]
	}
	return sorted
}

func compareExpectations(a, b *Expectation) int {
	return cmp.Or(cmp.Compare(a.Bucket(), b.Bucket()), -cmp.Compare(a.Level, b.Level),
		cmp.Compare(firstRow(a), firstRow(b)), strings.Compare(subjectName(a), subjectName(b)),
		cmp.Compare(a.Scenario, b.Scenario), cmp.Compare(lineNumber(a), lineNumber(b)))
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

// asks lists the expectations of one demand: one for each subject, or one for any pair.
func (x *expecter) asks(d *demand) []ask {
	wanted := slices.DeleteFunc(slices.Clone(d.rows), func(r *catalog.Row) bool { return !x.classApplies(r) })
	if len(wanted) == 0 {
		return nil
	}
	end := catalog.Source
	switch each(wanted) {
	case catalog.EachTarget:
		end = catalog.Target
	case catalog.EachAny:
		return x.askAny(d, wanted)
	}
	var all []ask
	settings, some := make([]*setting, len(x.roster.kinds)), false
	for kind := 1; kind < len(settings); kind++ {
		if slices.ContainsFunc(d.rows, func(r *catalog.Row) bool { return x.roster.stands(kind, r, end) }) {
			settings[kind], some = x.settingFor(d, end, kind), true
		}
	}
	if !some && x.roster.standing(wanted[0]).anyClient[end] {
		return x.askAny(d, wanted)
	}
	for i, m := range x.j.inv.Machines {
		if s := settings[x.roster.kindOf[i+1]]; s != nil {
			all = append(all, ask{s, m})
		}
	}
	return all
}

func (x *expecter) askAny(d *demand, wanted []*catalog.Row) []ask {
	if s := x.settingForAny(d, wanted); s != nil {
		return []ask{{s, nil}}
	}
	return nil
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
		if r.Class.Kind == catalog.Internal && len(x.roster.standing(r).at[catalog.Source].list) > 0 {
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
		return x.ledger.used[r.Class.Of] || x.usedBySomebody(r.Class.Of)
	}
	return false
}

func (x *expecter) usedBySomebody(service string) bool {
	return x.j.inv.Requires(service, nil) || slices.ContainsFunc(x.j.inv.Machines, func(m *inventory.Machine) bool {
		return x.j.inv.Requires(service, m)
	})
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
		if !ok && x.ledger.used[r.Class.Of] {
			c, ok = r.Class, true
		}
	}
	return c, false, ok
}

// judge gives an expectation its verdict.
func (x *expecter) judge(a *ask) Expectation {
	e := Expectation{
		Class: a.class, Subject: a.subject, SubjectEnd: a.end, Required: a.required, Rows: a.rows, Candidates: a.candidates(a.subject),
		AnyClient: a.anyClient(), Inferred: a.inferred, Need: a.need,
	}
	if len(a.parts) > 0 {
		e.Window, e.InView = x.g.Window, x.inView(a)
		x.hold(a, &e)
	}
	e.Level = e.level()
	e.ID = idOf(fmt.Appendf(nil, "%s%s|%s", a.id, subjectName(&e), e.SubjectEnd))
	e.Filter = ofSubject(a.filter, e.Subject)
	return e
}

// hold holds an expectation with possible places against what was seen.
func (x *expecter) hold(a *ask, e *Expectation) {
	best := x.evidence(a, e)
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
	case len(e.Evidence) == 0 && x.otherWay(a, e):
		e.Verdict = SeenOtherWay
	case best == Pending:
		e.Verdict = ExpectedPending
	case best == OneSided, len(e.Evidence) > 0:
		e.Verdict = ExpectedOneSided
	default:
		x.absence(a, e)
	}
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
func (x *expecter) evidence(a *ask, e *Expectation) Outcome {
	best := OutcomeNone
	e.Evidence = x.collect(x.ledger.met, a)
	for _, i := range e.Evidence {
		f := x.findings[i]
		outcome := f.Outcome
		if !x.g.Window.IsZero() {
			outcome = f.InWindow
		}
		if f.Verdict == DirectionUnconfirmed {
			outcome = min(outcome, OneSided) // an unconfirmed direction is never a pass
		}
		best = max(best, outcome)
	}
	return best
}

// otherWay notes certain conversations that are the expected ones with the ends exchanged.
func (x *expecter) otherWay(a *ask, e *Expectation) bool {
	e.Evidence = x.collect(x.ledger.turned, a)
	return len(e.Evidence) > 0
}

// collect returns the findings of the expectation's rows in which its subject, and a candidate, take part within the window.
func (x *expecter) collect(from accounts, a *ask) []int {
	var found []int
	for _, r := range a.rows {
		account := from[r]
		if account == nil {
			continue
		}
		list := account.all
		if a.subject != nil {
			list = account.of(a.end, x.roster.number(a.subject))
		}
		for _, i := range list {
			if f := x.findings[i]; x.concerns(a, f) && x.inWindow(f) {
				found = append(found, int(i))
			}
		}
	}
	if len(a.rows) > 1 {
		slices.Sort(found)
		found = slices.Compact(found)
	}
	return found
}

func (x *expecter) inWindow(f *conv) bool {
	return x.g.Window.IsZero() || f.spoke(x.g.Window.seconds())
}

// concerns reports whether a finding's ends are the subject and candidates; an address of no machine is anybody's peer.
func (x *expecter) concerns(a *ask, f *conv) bool {
	for _, e := range [...]*end{f.i, f.r} {
		if m := e.machine; m != nil && m != a.subject && !a.peers.kinds[x.roster.kindOf[e.member]] && !x.asClient(a, m) {
			return false
		}
	}
	return true
}

// asClient reports whether a machine took part as the client that no machine declares.
func (x *expecter) asClient(a *ask, m *inventory.Machine) bool {
	e := x.j.machineEnd(m)
	return a.anyClient() && (e.client || e.stranger)
}

// absence says absent where every possible place could be seen, and why not where one could not: the weakest counts.
func (x *expecter) absence(a *ask, e *Expectation) {
	w := x.worst(a)
	if e.Coverage = w.level; e.Coverage >= CoverageDeclared {
		e.Verdict = ExpectedAbsent
		return
	}
	p := w.place()
	e.Verdict, e.Reason = NotObservable, x.j.look(x.points, p.row, p.src, p.dst, x.g.Window, e.Need).reason
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
	return idOf(fmt.Appendf(nil, "%s|%s|%s|%s", demandKey(e.Rows[0]), e.Class, subjectName(e), e.SubjectEnd))
}

// idOf makes an id of what tells expectations apart.
func idOf(text []byte) string {
	sum := sha256.Sum256(text)
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
	return ofSubject(rowsFilter(e.Rows, own), e.Subject)
}

// rowsFilter is a Wireshark display filter of rows' ports.
func rowsFilter(rows []*catalog.Row, own func(*catalog.Row) catalog.Ports) string {
	var parts []string
	for _, r := range rows {
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
	return strings.Join(parts, " || ")
}

// ofSubject narrows a display filter to a machine's addresses; nil is any machine.
func ofSubject(filter string, m *inventory.Machine) string {
	if filter == "" || m == nil || len(m.Addrs) == 0 {
		return filter
	}
	var addrs []string
	for _, a := range m.Addrs {
		addrs = append(addrs, fmt.Sprintf("%s.addr == %s", family(a.Addr), a.Addr))
	}
	return fmt.Sprintf("(%s) && (%s)", strings.Join(addrs, " || "), filter)
}
