package match

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"flowvet/catalog"
	"flowvet/inventory"
)

// line judges one line of a scenario: for each machine that it asks of, or once.
func (a *act) line(l *catalog.Line) []Expectation {
	e := Expectation{
		Line: l, Class: catalog.Class{Kind: catalog.InScenario, Of: a.run.Scenario.Name}, SubjectEnd: catalog.Source,
		Required: l.Need != catalog.Welcome && !l.Mild, InView: true, Window: a.window(l), Need: leastWindow,
	}
	switch l.Kind {
	case catalog.Silence, catalog.Voice:
		return a.ofMachines(e)
	case catalog.Announcement:
		return []Expectation{a.announcement(e)}
	}
	from, to := a.machines(l.From), a.machines(l.To)
	switch l.Each {
	case catalog.EachFrom:
		return a.eachOf(from, func(m *inventory.Machine) Expectation { return a.conversation(e, []*inventory.Machine{m}, to) })
	case catalog.EachTo:
		e.SubjectEnd = catalog.Target
		return a.eachOf(to, func(m *inventory.Machine) Expectation { return a.conversation(e, from, []*inventory.Machine{m}) })
	}
	return []Expectation{a.conversation(e, from, to)}
}

func (a *act) eachOf(list []*inventory.Machine, one func(*inventory.Machine) Expectation) []Expectation {
	if len(list) == 0 {
		return []Expectation{one(nil)}
	}
	all := make([]Expectation, len(list))
	for i, m := range list {
		all[i] = one(m)
	}
	return all
}

// machines returns the machines of variables, each once, in the order of their names.
func (a *act) machines(variables []string) []*inventory.Machine {
	var all []*inventory.Machine
	for _, v := range variables {
		for _, m := range a.bound[v] {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	slices.SortFunc(all, func(x, y *inventory.Machine) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// anyClient reports whether variables stand for clients that nothing binds: then whoever the rows permit counts.
func (a *act) anyClient(variables []string) bool {
	return slices.ContainsFunc(variables, func(name string) bool {
		v := a.run.Scenario.Variable(name)
		return a.free[name] && slices.ContainsFunc(v.Roles, a.j.clientRole)
	})
}

// conversation judges a line that asks for documented conversations.
func (a *act) conversation(e Expectation, from, to []*inventory.Machine) Expectation {
	l := e.Line
	places := a.places(l, from, to)
	a.describe(&e, from, to, places)
	if len(places) == 0 {
		return a.nowhere(e, from, to)
	}
	seen := a.collectLine(l, from, to, e.Window)
	e.Evidence, e.First = seen.findings, seen.first
	switch {
	case l.Need == catalog.Forbidden:
		a.forbidden(&e, &seen, places)
	case len(seen.findings) == 0 && a.otherRole(&e, from, to), len(seen.findings) == 0 && a.reversed(&e, from, to):
	case len(seen.findings) == 0 && a.unexercised(l):
		e.Verdict, e.Detail = NotExercised, "the traffic shows no "+string(a.run.Scenario.Event)
	case len(seen.findings) == 0:
		a.absent(&e, places)
	default:
		a.present(&e, &seen, places)
	}
	return e
}

// unexercised reports whether the scenario's event was not seen, and the line is about what follows from it.
func (a *act) unexercised(l *catalog.Line) bool {
	return a.run.Scenario.Event != "" && a.operation == nil && !a.run.Known && l.Phase != catalog.Operation && l.Phase != catalog.Whole
}

// describe says whom a line concerns.
func (a *act) describe(e *Expectation, from, to []*inventory.Machine, places []place) {
	e.Rows = slices.Clone(e.Line.Rows)
	if len(places) > 0 {
		e.Rows = slices.DeleteFunc(e.Rows, func(r *catalog.Row) bool {
			return !slices.ContainsFunc(places, func(p place) bool { return p.row == r })
		})
	}
	e.AnyClient = a.anyClient(e.Line.From) || a.anyClient(e.Line.To)
	subject, others := from, to
	if e.SubjectEnd == catalog.Target {
		subject, others = to, from
	}
	candidates := slices.Clone(others)
	if len(subject) == 1 {
		e.Subject = subject[0]
	} else {
		e.SubjectEnd = catalog.Either
		candidates = append(candidates, subject...)
	}
	candidates = slices.DeleteFunc(candidates, func(m *inventory.Machine) bool { return m == nil || m == e.Subject })
	slices.SortFunc(candidates, func(x, y *inventory.Machine) int { return strings.Compare(x.Name, y.Name) })
	e.Candidates = MachinesOf(slices.Compact(candidates))
	for _, p := range places {
		e.Inferred = e.Inferred || p.src != nil && a.j.machineEnd(p.src).inferred || p.dst != nil && a.j.machineEnd(p.dst).inferred
	}
	e.InView = len(places) == 0 || a.inViewOf(places)
}

// inViewOf reports whether one of the places lies inside the declared view; without a declared view every place does.
func (a *act) inViewOf(places []place) bool {
	if len(a.j.inv.Views) == 0 && a.j.sees.empty() {
		return true
	}
	return slices.ContainsFunc(places, func(p place) bool {
		return slices.ContainsFunc(a.points, func(pt *point) bool {
			return a.j.declared(pt, a.j.onPlane(p.src, p.row.Plane)) || a.j.declared(pt, a.j.onPlane(p.dst, p.row.Plane))
		})
	})
}

// places returns the pairs of machines between which a line's rows can be seen: begun by from, or by either where the row
// says so.
func (a *act) places(l *catalog.Line, from, to []*inventory.Machine) []place {
	begins, listens := a.cast(l.From, from), a.cast(l.To, to)
	var all []place
	for _, r := range l.Rows {
		first, second := begins, listens
		if r.Listener == catalog.Source {
			first, second = listens, begins
		}
		either := r.Listener == catalog.Either
		for _, src := range a.standing(r, catalog.Source) {
			if !first[src] && !(either && second[src]) {
				continue
			}
			for _, dst := range a.standing(r, catalog.Target) {
				if (first[src] && second[dst] || either && second[src] && first[dst]) && a.roster.between(r, src, dst) {
					all = append(all, place{r, src, dst})
				}
			}
		}
	}
	return all
}

// cast returns the machines of variables as a set, nil among them where any client counts.
func (a *act) cast(variables []string, list []*inventory.Machine) machines {
	set := machines{}
	for _, m := range list {
		set[m] = m != nil || a.anyClient(variables)
	}
	if a.anyClient(variables) {
		set[nil] = true
	}
	return set
}

// standing returns the machines at an end of a row: nil, which is any client, where no machine plays its role.
func (a *act) standing(r *catalog.Row, end catalog.End) []*inventory.Machine {
	s := a.roster.standing(r)
	if s.anyClient[end] {
		return []*inventory.Machine{nil}
	}
	return s.at[end].list
}

// nowhere says why a line concerns nobody: no machine is known for a variable, or the rows are not of these products.
func (a *act) nowhere(e Expectation, from, to []*inventory.Machine) Expectation {
	for _, side := range []struct {
		list      []*inventory.Machine
		variables []string
	}{{from, e.Line.From}, {to, e.Line.To}} {
		if len(slices.DeleteFunc(slices.Clone(side.list), func(m *inventory.Machine) bool { return m == nil })) > 0 || a.anyClient(side.variables) {
			continue
		}
		v := a.run.Scenario.Variable(side.variables[0])
		e.Detail = fmt.Sprintf("no machine plays %s (%s)", v.Name, v.Roles[0])
		if e.Line.Need == catalog.Required && !v.Many && e.Line.OneOf == "" {
			e.Verdict = NotObservable
			e.Reason = Reason{"no-machine", e.Detail, fmt.Sprintf("add the machine that plays %s to the inventory", v.Roles[0])}
			return e
		}
		e.Verdict = NotApplicable
		return e
	}
	e.Verdict, e.Detail = NotApplicable, "no row of it is for these machines"
	return e
}

// forbidden judges a line of what must not be seen: met only where it would have been. That the captures stand where they see
// the machines may show at another time: a machine that is cut off shows nothing while it is.
func (a *act) forbidden(e *Expectation, seen *seenOf, places []place) {
	if seen.best > OutcomeNone && len(seen.findings) > 0 {
		e.Verdict, e.Detail = ForbiddenSeen, "seen from "+utc(seen.first)+" on"
		return
	}
	e.Verdict, e.Coverage, e.Detail = Met, Proven, "not seen, and it would have been"
	window := a.clip(e.Window)
	if dark := a.blind(window.seconds()); dark >= int64(silentFor/time.Second) {
		e.Verdict, e.Detail = NotObservable, ""
		e.Reason = Reason{"window-not-covered", fmt.Sprintf("the captures heard nobody for %ds", dark), "capture without a break"}
		return
	}
	for _, m := range a.watched(places, e.Line) {
		var s sight
		for n, p := range places {
			if p.src != m && p.dst != m {
				continue
			}
			if x := a.j.look(a.points, p.row, m, nil, Window{}, 0); n == 0 || x.level > s.level || s.reason.Code == "" {
				s = x
			}
		}
		if s.level < e.Coverage {
			e.Coverage = s.level
		}
		if s.level < CoverageDeclared {
			e.Verdict, e.Reason, e.Detail = NotObservable, s.reason, ""
			return
		}
	}
}

// watched returns the machines that must be seen to say that something forbidden did not happen: those of the line's
// variables that stand for one machine, since whatever they did with others is seen at them.
func (a *act) watched(places []place, l *catalog.Line) []*inventory.Machine {
	var all []*inventory.Machine
	for _, name := range slices.Concat(l.From, l.To) {
		if v := a.run.Scenario.Variable(name); v.Many || a.free[name] && len(a.bound[name]) != 1 {
			continue
		}
		for _, m := range a.bound[name] {
			if !slices.Contains(all, m) && slices.ContainsFunc(places, func(p place) bool { return p.src == m || p.dst == m }) {
				all = append(all, m)
			}
		}
	}
	return all
}

// clip narrows a window to what the captures cover together.
func (a *act) clip(w Window) Window { return Window{max(w.Start, a.first), min(w.End, a.last)} }

// present judges a line of which something was seen.
func (a *act) present(e *Expectation, seen *seenOf, places []place) {
	switch seen.best {
	case Success:
		a.enough(e, seen, places)
	case HalfOpen:
		e.Verdict = ExpectedHalfOpen
	case Refused:
		e.Verdict = AttemptedRefused
	case Unanswered:
		e.Verdict = AttemptedUnanswered
	case Pending:
		e.Verdict = ExpectedPending
	default:
		e.Verdict = ExpectedOneSided
	}
}

// enough holds what was seen against the line's figures.
func (a *act) enough(e *Expectation, seen *seenOf, places []place) {
	l := e.Line
	e.Verdict = Met
	switch {
	case l.MinBytes.Given() && seen.payload < uint64(l.MinBytes.N):
		e.Verdict, e.Detail = TooLittle, fmt.Sprintf("%d bytes of payload, %d expected", seen.payload, l.MinBytes.N)
	case l.MinPackets.Given() && seen.packets < uint64(l.MinPackets.N):
		e.Verdict, e.Detail = TooLittle, fmt.Sprintf("%s, %d expected", plural(int(seen.packets), "packet"), l.MinPackets.N)
	case l.MinBytes.Given():
		e.Detail = fmt.Sprintf("%d bytes of payload", seen.payload)
	}
	if e.Verdict == Met && l.MaxGap.Given() {
		a.continuity(e, seen, places)
	}
	if e.Verdict == TooLittle && a.lossy(e, places) {
		e.Verdict = NotObservable
	}
}

// lossy reports whether too little may be what the captures lost, and says so.
func (a *act) lossy(e *Expectation, places []place) bool {
	s := a.weakest(places, a.clip(e.Window), 0)
	if s.level >= CoverageDeclared {
		e.Coverage = s.level
		return false
	}
	e.Coverage, e.Reason = s.level, s.reason
	return true
}

// weakest looks at every possible pair: what is absent must be so at each.
func (a *act) weakest(places []place, w Window, need time.Duration) sight {
	weakest := sight{level: Proven}
	for n, p := range places {
		s := a.j.look(a.points, p.row, p.src, p.dst, w, need)
		if n == 0 || s.level < weakest.level {
			weakest = s
		}
		if weakest.level == Unproven {
			break
		}
	}
	return weakest
}

// absent says absent where every possible pair could be seen, and why not where one could not.
func (a *act) absent(e *Expectation, places []place) {
	s := a.weakest(places, e.Window, e.Need)
	e.Coverage = s.level
	if s.level >= CoverageDeclared {
		e.Verdict = ExpectedAbsent
		return
	}
	e.Verdict, e.Reason = NotObservable, s.reason
}

// reversed finds certain conversations that are the line's with the ends exchanged.
func (a *act) reversed(e *Expectation, from, to []*inventory.Machine) bool {
	for _, i := range a.lineFindings(a.ledger.turned, e.Line, to, from) {
		if a.findings[i].spoke(e.Window.seconds()) {
			e.Evidence = append(e.Evidence, i)
		}
	}
	if len(e.Evidence) > 0 {
		e.Verdict = SeenOtherWay
	}
	return len(e.Evidence) > 0
}

// otherRole finds undocumented conversations on the line's ports of one of its machines with somebody whose role is another.
func (a *act) otherRole(e *Expectation, from, to []*inventory.Machine) bool {
	if e.Line.Need != catalog.Required {
		return false
	}
	for i, f := range a.findings {
		switch f.Verdict {
		case WrongSource, WrongTarget, UnknownEndpoint, WrongVersion:
		default:
			continue
		}
		if !f.spoke(e.Window.seconds()) || !slices.Contains(from, f.i.machine) && !slices.Contains(to, f.r.machine) {
			continue
		}
		if slices.ContainsFunc(e.Rows, func(r *catalog.Row) bool {
			return a.ownPorts(r).Contains(f.Port) && r.Transport.Has(transportOf(f.Proto))
		}) {
			e.Evidence = append(e.Evidence, i)
			e.Inferred = e.Inferred || f.i.inferred || f.r.inferred
		}
	}
	if len(e.Evidence) == 0 {
		return false
	}
	f := a.findings[e.Evidence[0]]
	e.Verdict, e.Detail = WrongRole, fmt.Sprintf("%s -> %s %d/%s is %s", nameOrAddr(f.i, f.Initiator), nameOrAddr(f.r, f.Responder), f.Port, f.Proto, f.Verdict)
	return true
}

func nameOrAddr(e *end, a netip.Addr) string {
	if e.machine != nil {
		return e.machine.Name
	}
	return a.String()
}

// announcement judges a line that asks for a RARP or gratuitous ARP frame. That there was none can never be proven: such
// frames stay in the network of the virtual machine.
func (a *act) announcement(e Expectation) Expectation {
	e.SubjectEnd = catalog.Either
	for i := range a.r.Events {
		ev := &a.r.Events[i]
		if ev.At < e.Window.Start || ev.At > e.Window.End {
			continue
		}
		e.Verdict, e.First = Met, ev.At
		e.Detail = fmt.Sprintf("%s at %s, %s after the operation began", ev.Kind, utc(ev.At), time.Duration(ev.At-a.run.Start).Round(time.Millisecond))
		return e
	}
	if a.unexercised(e.Line) {
		e.Verdict, e.Detail = NotExercised, "the traffic shows no "+string(a.run.Scenario.Event)
		return e
	}
	e.Verdict = NotObservable
	e.Reason = Reason{
		"no-witness-plane", "no RARP and no gratuitous ARP frame; they stay in the network of the virtual machine",
		"capture in the network of the virtual machine as well",
	}
	return e
}

// ofMachines judges a line that asks whether machines speak.
func (a *act) ofMachines(e Expectation) []Expectation {
	list := a.machines(e.Line.From)
	if len(list) != 1 && slices.ContainsFunc(e.Line.From, func(v string) bool { return a.free[v] }) {
		e.Candidates, e.SubjectEnd = MachinesOf(list), catalog.Either
		e.Verdict, e.Detail = ExpectedAbsent, "the traffic shows no "+cmp.Or(string(a.run.Scenario.Event), "such machine")
		if s := a.pointsCover(a.clip(e.Window)); s.Code != "" {
			e.Verdict, e.Reason = NotObservable, s
		}
		return []Expectation{e}
	}
	return a.eachOf(list, func(m *inventory.Machine) Expectation {
		x := e
		x.Subject = m
		if m == nil {
			return a.nowhere(x, nil, nil)
		}
		x.Inferred = a.j.machineEnd(m).inferred
		if e.Line.Kind == catalog.Silence {
			return a.silent(x)
		}
		return a.speaks(x)
	})
}
