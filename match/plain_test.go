package match

import (
	"cmp"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
)

// plainWay judges expectations without a trick: every place is looked at by itself, machine by machine, and every finding is
// looked for in a map.
type plainWay struct {
	*expecter
	met, turned map[meeting][]int
	used        map[string]bool
	who         *plainRoster
}

// meeting is a machine at one end of a row; a nil machine stands for any.
type meeting struct {
	row     *catalog.Row
	end     catalog.End
	machine *inventory.Machine
}

func newPlainWay(x *expecter) *plainWay {
	p := &plainWay{expecter: x, met: map[meeting][]int{}, turned: map[meeting][]int{}, used: map[string]bool{}, who: newPlainRoster(x.j)}
	for i, f := range x.findings {
		p.index(i, f)
	}
	return p
}

func (x *plainWay) expectations() []Expectation {
	var all []Expectation
	for _, d := range demands(x.j.cat) {
		all = append(all, x.demand(d)...)
	}
	return append(all, x.internal()...)
}

// index notes which rows a finding meets, or shows the other way round. Findings come in the order of their numbers.
func (x *plainWay) index(i int, f *conv) {
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
			x.used[row.Class.Of] = true
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
func (x *plainWay) demand(d *demand) []Expectation {
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
	if len(subjects) == 0 && x.who.standing(wanted[0]).anyClient[subjectEnd] {
		return x.anyPair(d, wanted)
	}
	for _, m := range subjects {
		if e, ok := x.forSubject(d, m, subjectEnd); ok {
			all = append(all, e)
		}
	}
	return all
}

// classApplies reports whether a row's class makes it expected of anybody in this run.
func (x *plainWay) classApplies(r *catalog.Row) bool {
	switch r.Class.Kind {
	case catalog.Always:
		return true
	case catalog.During:
		return slices.Contains(x.g.During, r.Class.Of)
	case catalog.IfUsed:
		return x.used[r.Class.Of] || x.usedBySomebody(r.Class.Of)
	}
	return false
}

// subjects returns the machines that stand at an end of a demand's rows.
func (x *plainWay) subjects(d *demand, end catalog.End) []*inventory.Machine {
	var subjects []*inventory.Machine
	for _, m := range x.j.inv.Machines {
		if slices.ContainsFunc(d.rows, func(r *catalog.Row) bool { return x.who.stands(m, r, end) }) {
			subjects = append(subjects, m)
		}
	}
	return subjects
}

// forSubject judges a demand for one machine.
func (x *plainWay) forSubject(d *demand, m *inventory.Machine, end catalog.End) (Expectation, bool) {
	var rows []*catalog.Row
	var places []place
	for _, r := range d.rows {
		if !x.who.stands(m, r, end) {
			continue
		}
		if p := x.who.places(r, m, end); len(p) > 0 {
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
func (x *plainWay) anyPair(d *demand, wanted []*catalog.Row) []Expectation {
	var rows []*catalog.Row
	var places []place
	for _, r := range d.rows {
		if p := x.who.places(r, nil, catalog.Either); len(p) > 0 {
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
func (x *plainWay) class(all, rows []*catalog.Row, m *inventory.Machine) (c catalog.Class, required, ok bool) {
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
		if !ok && x.used[r.Class.Of] {
			c, ok = r.Class, true
		}
	}
	return c, false, ok
}

// judge gives an expectation with possible places its verdict.
func (x *plainWay) judge(e Expectation, places []place) Expectation {
	e.Window = x.g.Window
	e.Need = need(e.Rows)
	slices.SortStableFunc(e.Rows, func(a, b *catalog.Row) int { // those that make it expected first
		return cmp.Compare(x.rank(a), x.rank(b))
	})
	known := machines{e.Subject: true}
	var candidates []*inventory.Machine
	for _, p := range places {
		for _, m := range []*inventory.Machine{p.src, p.dst} {
			if m == nil {
				e.AnyClient = true
				continue
			}
			if !known[m] {
				known[m] = true
				candidates = append(candidates, m)
			}
			e.Inferred = e.Inferred || x.j.machineEnd(m).inferred
		}
	}
	slices.SortFunc(candidates, func(a, b *inventory.Machine) int { return strings.Compare(a.Name, b.Name) })
	e.Candidates = MachinesOf(candidates)
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

// evidence collects the findings that meet the expectation or tried to, and returns the best outcome.
func (x *plainWay) evidence(e *Expectation, known machines) Outcome {
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
func (x *plainWay) otherWay(e *Expectation, known machines) bool {
	turned := x.collect(x.turned, e, known)
	if len(turned) > 0 {
		e.Evidence = turned
	}
	return len(turned) > 0
}

// collect returns the indexed findings of the expectation's rows in which its subject, and a candidate, take part within
// the window.
func (x *plainWay) collect(from map[meeting][]int, e *Expectation, known machines) []int {
	var found []int
	for _, r := range e.Rows {
		at := meeting{r, catalog.Either, nil}
		if e.Subject != nil {
			at = meeting{r, e.SubjectEnd, e.Subject}
		}
		for _, i := range from[at] {
			if x.concerns(e, x.findings[i], known) && x.inWindow(x.findings[i]) {
				found = append(found, i)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (x *plainWay) inWindow(f *conv) bool {
	return x.g.Window.IsZero() || f.spoke(x.g.Window.seconds())
}

// concerns reports whether a finding's ends are the subject and candidates; an address of no machine is anybody's peer.
func (x *plainWay) concerns(e *Expectation, f *conv, known machines) bool {
	for _, m := range []*inventory.Machine{f.i.machine, f.r.machine} {
		if m != nil && !known[m] && !x.asClient(e, m) {
			return false
		}
	}
	return true
}

// asClient reports whether a machine took part as the client that no machine declares.
func (x *plainWay) asClient(e *Expectation, m *inventory.Machine) bool {
	return e.AnyClient && (x.j.machineEnd(m).client || x.j.machineEnd(m).stranger)
}

// absence says absent where every possible place could be seen, and why not where one could not: the weakest counts.
func (x *plainWay) absence(e *Expectation, places []place) {
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
func (x *plainWay) inView(places []place) bool {
	if len(x.j.inv.Views) == 0 && x.j.sees.empty() {
		return true
	}
	return slices.ContainsFunc(places, func(p place) bool {
		return slices.ContainsFunc(x.points, func(pt *point) bool {
			return x.j.declared(pt, x.j.onPlane(p.src, p.row.Plane)) || x.j.declared(pt, x.j.onPlane(p.dst, p.row.Plane))
		})
	})
}

// internal lists the rows of machines that talk to themselves: never on a wire, and so not applicable.
func (x *plainWay) internal() []Expectation {
	var all []Expectation
	for _, r := range x.j.cat.Rows {
		if r.Class.Kind == catalog.Internal && len(x.who.standing(r).at[catalog.Source]) > 0 {
			all = append(all, x.finish(Expectation{Class: r.Class, SubjectEnd: catalog.Either, Rows: []*catalog.Row{r}}))
		}
	}
	return all
}

// roster says which machines can stand at which end of a row. It remembers what it found: 500 hosts make 250,000 pairs.
type plainRoster struct {
	j        *judge
	hosts    machines
	vcenters machines
	rows     map[*catalog.Row]*plainStanding
	kinds    map[string]int
	kindOf   map[*inventory.Machine]int
	covered  map[coverKey]bool
}

// standing is who plays the roles of a row's columns; both arrays are indexed by catalog.Target and catalog.Source.
type plainStanding struct {
	at        [2][]*inventory.Machine
	set       [2]machines
	anyClient [2]bool // a client role that no machine declares: any address that may play it does
}

func newPlainRoster(j *judge) *plainRoster {
	x := &plainRoster{
		j: j, rows: map[*catalog.Row]*plainStanding{}, kinds: map[string]int{}, kindOf: map[*inventory.Machine]int{},
		covered: map[coverKey]bool{},
	}
	_, x.hosts = x.holding([]catalog.Role{"hypervisor-host"})
	_, x.vcenters = x.holding([]catalog.Role{"vcenter-server"})
	return x
}

// holding returns the machines that play one of the roles, in the inventory's order.
func (x *plainRoster) holding(roles []catalog.Role) ([]*inventory.Machine, machines) {
	var list []*inventory.Machine
	set := machines{}
	for _, m := range x.j.inv.Machines {
		if x.j.fits(x.j.machineEnd(m), roles, false).kind == fitDeclared {
			list = append(list, m)
			set[m] = true
		}
	}
	return list, set
}

func (x *plainRoster) standing(r *catalog.Row) *plainStanding {
	if s := x.rows[r]; s != nil {
		return s
	}
	s := &plainStanding{}
	for end, roles := range map[catalog.End][]catalog.Role{catalog.Source: r.Source, catalog.Target: r.Target} {
		s.at[end], s.set[end] = x.holding(roles)
		s.anyClient[end] = len(s.at[end]) == 0 && slices.ContainsFunc(roles, x.j.clientRole)
	}
	x.rows[r] = s
	return s
}

// stands reports whether a machine can stand at an end of a row; for a row that either end opens, wherever it stands.
func (x *plainRoster) stands(m *inventory.Machine, r *catalog.Row, end catalog.End) bool {
	s := x.standing(r)
	return !declines(m, r) && (s.set[end][m] || r.Listener == catalog.Either && s.set[end.Other()][m])
}

// places returns the pairs of a row in which subject stands at end, or every pair for a nil subject.
func (x *plainRoster) places(r *catalog.Row, subject *inventory.Machine, end catalog.End) []place {
	var all []place
	add := func(src, dst *inventory.Machine) {
		if x.possible(r, src, dst) {
			all = append(all, place{r, src, dst})
		}
	}
	s := x.standing(r)
	at := func(end catalog.End) []*inventory.Machine {
		if s.anyClient[end] {
			return []*inventory.Machine{nil}
		}
		return s.at[end]
	}
	if subject == nil {
		for _, src := range at(catalog.Source) {
			for _, dst := range at(catalog.Target) {
				add(src, dst)
			}
		}
		return all
	}
	sides := []catalog.End{end}
	if r.Listener == catalog.Either {
		sides = append(sides, end.Other())
	}
	for _, side := range sides {
		if !s.set[side][subject] {
			continue
		}
		for _, other := range at(side.Other()) {
			if side == catalog.Source {
				add(subject, other)
			} else {
				add(other, subject)
			}
		}
	}
	return all
}

// possible reports whether a row can be expected between two machines that play its roles.
func (x *plainRoster) possible(r *catalog.Row, src, dst *inventory.Machine) bool {
	if src == dst || src != nil && declines(src, r) || dst != nil && declines(dst, r) {
		return false
	}
	if src != nil && dst != nil && !x.belong(src, dst) {
		return false
	}
	k := coverKey{r, x.kind(src), x.kind(dst)}
	ok, cached := x.covered[k]
	if !cached {
		ok = x.covers(r, src, dst)
		x.covered[k] = ok
	}
	return ok
}

// kind numbers the kinds of machines.
func (x *plainRoster) kind(m *inventory.Machine) int {
	if n, ok := x.kindOf[m]; ok {
		return n
	}
	label := x.end(m).kind()
	n, ok := x.kinds[label]
	if !ok {
		n = len(x.kinds)
		x.kinds[label] = n
	}
	x.kindOf[m] = n
	return n
}

// end resolves a machine, or any client for nil.
func (x *plainRoster) end(m *inventory.Machine) *end {
	if m == nil {
		return &end{stranger: true, client: true}
	}
	return x.j.machineEnd(m)
}

// covers reports whether the row's product is there in its version, whichever end opens the connection.
func (x *plainRoster) covers(r *catalog.Row, src, dst *inventory.Machine) bool {
	from, to := x.end(src), x.end(dst)
	return slices.ContainsFunc(x.j.cat.Permissions(r), func(p *catalog.Permission) bool {
		i, t := from, to
		if p.Initiator == catalog.Target {
			i, t = to, from
		}
		y := x.j.read(p, i, t)
		return y.from.plays() && (y.to.plays() || t.machine == nil) && y.related && y.cover >= catalog.CoverUnknown
	})
}

// belong reports whether two machines belong together: a host to its vCenter, hosts of one cluster to each other.
func (x *plainRoster) belong(a, b *inventory.Machine) bool {
	switch {
	case x.hosts[a] && x.hosts[b]:
		return !a.Unmanaged && !b.Unmanaged && (a.Cluster == "" || b.Cluster == "" || a.Cluster == b.Cluster)
	case x.hosts[a] && x.vcenters[b]:
		return managedBy(a, b)
	case x.hosts[b] && x.vcenters[a]:
		return managedBy(b, a)
	}
	return true
}
