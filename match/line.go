package match

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"flowvet/capture"
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

// seenOf is what the captures hold of a line within its window.
type seenOf struct {
	findings []int
	best     Outcome
	strands  []*strand
	packets  uint64
	payload  uint64
	first    int64           // the earliest packet; 0: none
	began    bool            // and it is known to begin a connection
	seconds  capture.Seconds // of all conversations, also outside the window
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
	e.Candidates = slices.Clone(others)
	if len(subject) == 1 {
		e.Subject = subject[0]
	} else {
		e.SubjectEnd = catalog.Either
		e.Candidates = append(e.Candidates, subject...)
	}
	e.Candidates = slices.DeleteFunc(e.Candidates, func(m *inventory.Machine) bool { return m == nil || m == e.Subject })
	slices.SortFunc(e.Candidates, func(x, y *inventory.Machine) int { return strings.Compare(x.Name, y.Name) })
	e.Candidates = slices.Compact(e.Candidates)
	for _, p := range places {
		e.Inferred = e.Inferred || p.src != nil && a.j.machineEnd(p.src).inferred || p.dst != nil && a.j.machineEnd(p.dst).inferred
	}
	e.InView = len(places) == 0 || a.inView(places)
}

// places returns the pairs of machines between which a line's rows can be seen: begun by from, or by either where the row
// says so.
func (a *act) places(l *catalog.Line, from, to []*inventory.Machine) []place {
	var all []place
	for _, r := range l.Rows {
		for _, p := range a.roster.places(r, nil, catalog.Either) {
			if a.between(l, r, p, from, to) {
				all = append(all, p)
			}
		}
	}
	return all
}

// between reports whether a pair is one of from and to. The source of a row is who begins, unless it listens.
func (a *act) between(l *catalog.Line, r *catalog.Row, p place, from, to []*inventory.Machine) bool {
	begins, listens := p.src, p.dst
	if r.Listener == catalog.Source {
		begins, listens = listens, begins
	}
	stands := func(m *inventory.Machine, list []*inventory.Machine, variables []string) bool {
		return m != nil && slices.Contains(list, m) || m == nil && a.anyClient(variables)
	}
	forward := stands(begins, from, l.From) && stands(listens, to, l.To)
	return forward || r.Listener == catalog.Either && stands(listens, from, l.From) && stands(begins, to, l.To)
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

// collectLine gathers what the captures hold of a line within a window.
func (a *act) collectLine(l *catalog.Line, from, to []*inventory.Machine, w Window) seenOf {
	var seen seenOf
	wanted := map[*conv]bool{}
	for _, i := range a.lineFindings(a.met, l, from, to) {
		f := a.findings[i]
		seen.seconds = seen.seconds.Union(f.Seconds)
		if a.watch.ports[proto{f.Proto, f.Port}] {
			wanted[f] = true
			continue
		}
		if l.New || !f.Seconds.Intersects(w.seconds()) {
			continue
		}
		in := f.Seconds.Within(w.seconds())
		seen.add(i, f.outcome(), max(nanos(in[0].First), w.Start, f.First), true)
		seen.packets += f.Sent.Packets + f.Received.Packets
	}
	for i := range a.watch.strands {
		st := &a.watch.strands[i]
		if !wanted[st.c] || !st.within(w, l.New) {
			continue
		}
		outcome := st.became()
		if st.c.Verdict == DirectionUnconfirmed {
			outcome = min(outcome, OneSided)
		}
		seen.add(a.at[st.c], outcome, max(st.first, w.Start), st.began() && st.first >= w.Start)
		seen.strands = append(seen.strands, st)
		seen.packets += st.sent.Packets + st.received.Packets
		seen.payload += st.payload()
	}
	slices.Sort(seen.findings)
	seen.findings = slices.Compact(seen.findings)
	return seen
}

// outcome is that of the whole conversation; one whose direction is not confirmed is never a pass.
func (f *conv) outcome() Outcome {
	if f.Verdict == DirectionUnconfirmed {
		return min(f.Outcome, OneSided)
	}
	return f.Outcome
}

// within reports whether a strand has packets in a window, and where it must be new, begins there.
func (s *strand) within(w Window, fresh bool) bool {
	if fresh && (!s.began() || s.first < w.Start || s.first > w.End) {
		return false
	}
	return s.first <= w.End && s.last >= w.Start && s.seconds.Intersects(w.seconds())
}

func (s *seenOf) add(finding int, o Outcome, at int64, began bool) {
	s.findings = append(s.findings, finding)
	s.best = max(s.best, o)
	if s.first == 0 || at < s.first {
		s.first, s.began = at, began
	}
}

// lineFindings returns the findings of an index that are between a line's machines.
func (a *act) lineFindings(index map[meeting][]int, l *catalog.Line, from, to []*inventory.Machine) []int {
	var all []int
	for _, r := range l.Rows {
		for _, i := range index[meeting{r, catalog.Either, nil}] {
			f := a.findings[i]
			p := place{r, f.i.machine, f.r.machine}
			if f.Qualifiers.Has(Undirected) || r.Listener == catalog.Either {
				p.row = r
				if a.ends(l, p, from, to) || a.ends(l, place{r, p.dst, p.src}, from, to) {
					all = append(all, i)
				}
			} else if a.ends(l, p, from, to) {
				all = append(all, i)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ends reports whether an initiator and a responder are of a line's variables.
func (a *act) ends(l *catalog.Line, p place, from, to []*inventory.Machine) bool {
	if p.src == p.dst && p.src != nil {
		return false
	}
	in := func(m *inventory.Machine, list []*inventory.Machine, variables []string) bool {
		return m != nil && slices.Contains(list, m) || a.anyClient(variables)
	}
	return in(p.src, from, l.From) && in(p.dst, to, l.To)
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
	for _, i := range a.lineFindings(a.turned, e.Line, to, from) {
		if a.findings[i].Seconds.Intersects(e.Window.seconds()) {
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
		if !f.Seconds.Intersects(e.Window.seconds()) || !slices.Contains(from, f.i.machine) && !slices.Contains(to, f.r.machine) {
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

// order finds lines that began before one that they come after, where the headers show when both began.
func (a *act) order(judged []Expectation) {
	began := map[string]*Expectation{}
	for i := range judged {
		e := &judged[i]
		if first := began[e.Line.ID]; e.First != 0 && (first == nil || e.First < first.First) {
			began[e.Line.ID] = e
		}
	}
	for i := range judged {
		e := &judged[i]
		if e.Verdict != Met || e.First == 0 {
			continue
		}
		for _, id := range e.Line.After {
			before := began[id]
			if before == nil || before.First <= e.First || !a.startShown(before) || !a.startShown(e) {
				continue
			}
			e.Verdict = OutOfOrder
			e.Detail = fmt.Sprintf("began at %s, before %s at %s", utc(e.First), id, utc(before.First))
			break
		}
	}
}

// startShown reports whether the captures show the beginning of everything that a line rests on: no session of it was there
// before, in which the first word may have been said.
func (a *act) startShown(e *Expectation) bool {
	for _, i := range e.Evidence {
		f := a.findings[i]
		if f.Proto != capture.TCP {
			continue
		}
		for n := range a.watch.strands {
			st := &a.watch.strands[n]
			if st.c == f && !st.began() && st.within(e.Window, false) {
				return false
			}
		}
	}
	return true
}

// alternatives lets the best line of each group decide: the others do not apply.
func (a *act) alternatives(judged []Expectation) {
	best := map[string]*Expectation{}
	for i := range judged {
		e := &judged[i]
		if e.Line.OneOf != "" && (best[e.Line.OneOf] == nil || rankOf(e) > rankOf(best[e.Line.OneOf])) {
			best[e.Line.OneOf] = e
		}
	}
	for i := range judged {
		e := &judged[i]
		if decides := best[e.Line.OneOf]; decides != nil && decides.Line != e.Line {
			e.Verdict, e.Required = NotApplicable, false
			e.Detail = "its alternative " + decides.Line.ID + " decides"
		}
	}
}

// rankOf ranks the members of a group: what is met decides, then what could not be judged, then what was tried.
func rankOf(e *Expectation) int {
	switch {
	case e.Verdict == NotApplicable:
		return 0
	case e.Verdict == ExpectedAbsent:
		return 1
	case e.Bucket() == Absent:
		return 2
	case e.Bucket() == Documented:
		return 4
	}
	return 3
}

// ofMachines judges a line that asks whether machines speak.
func (a *act) ofMachines(e Expectation) []Expectation {
	list := a.machines(e.Line.From)
	if len(list) != 1 && slices.ContainsFunc(e.Line.From, func(v string) bool { return a.free[v] }) {
		e.Candidates, e.SubjectEnd = list, catalog.Either
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
