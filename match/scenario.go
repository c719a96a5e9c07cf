package match

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// Play is a scenario that is to be judged.
type Play struct {
	Scenario *catalog.Scenario
	Bind     map[string][]string // machines by variable, as the user says
	// OnlySeen leaves a scenario out whose event the traffic does not show.
	OnlySeen bool
}

// Asked is a scenario as the user named it, so that evidence can be judged again.
type Asked struct {
	Scenario string   // a name or a file; empty: none
	Bind     []string // VARIABLE=MACHINE
	Marker   string   // RFC 3339; empty: none
	Set      []string // LINE.LIMIT=VALUE
}

// ScenarioVerdict is what became of a scenario.
type ScenarioVerdict uint8

// The verdicts on a scenario.
const (
	Inconclusive ScenarioVerdict = iota // a required line could not be judged: never a pass
	Pass
	Fail
)

// String returns inconclusive, pass or fail.
func (v ScenarioVerdict) String() string { return [...]string{"inconclusive", "pass", "fail"}[v] }

// LineState is what became of a line of a scenario, in the scenario's own words.
type LineState uint8

// The states of a line.
const (
	LineNotApplicable LineState = iota // nobody it could concern, or another line of its group decides
	LineMet
	LineViolated
	LineMissing // optional, and absent
	LineUnjudged
)

// String returns met, violated, missing, could not judge or not applicable.
func (s LineState) String() string {
	return [...]string{"not applicable", "met", "violated", "missing", "could not judge"}[s]
}

// Binding is the machine, or machines, that a variable stood for in a run of a scenario.
type Binding struct {
	Variable string
	Machines []*inventory.Machine // none: nobody is known
	By       string               // "user", "traffic" or "inventory" (all that could be)
}

// ScenarioRun is a scenario held against one operation. Its lines are the expectations that name it.
type ScenarioRun struct {
	Scenario  *catalog.Scenario
	Number    int // from 1: index+1 into Result.Scenarios
	Operation int // number of the operation that began it; 0: the traffic shows none
	// Start and End are when the operation ran: as the traffic shows, as the operator noted, or the whole of the captures.
	Start, End int64
	Known      bool // Start is known
	Bindings   []Binding
	Verdict    ScenarioVerdict
	Why        string // one line
	Remedy     string // of what could not be judged: what to do next time; empty: nothing
}

// State returns what an expectation is in the words of scenarios.
func (e *Expectation) State() LineState {
	switch e.Bucket() {
	case Documented:
		return LineMet
	case Indeterminate:
		return LineUnjudged
	case Absent:
		if !e.Required && e.Line != nil && e.Line.Need == catalog.Welcome && e.Verdict == ExpectedAbsent {
			return LineMissing
		}
		return LineViolated
	}
	if e.Verdict == NotExercised {
		return LineUnjudged
	}
	return LineNotApplicable
}

// stage is where scenarios are played: what the judgement knows, by connections, machines and seconds.
type stage struct {
	*expecter
	watch       *watch
	r           *Result
	at          map[*conv]int   // of a strand's: index into Result.Findings
	lit         capture.Seconds // when any capture heard any machine
	first, last int64           // of the captures
}

func newStage(x *expecter, w *watch, r *Result) *stage {
	s := &stage{expecter: x, watch: w, r: r, at: map[*conv]int{}, lit: lit(x.points), first: r.First, last: r.Last}
	w.settle()
	watched := map[*conv]bool{}
	for i := range w.strands {
		watched[w.strands[i].c] = true
	}
	for i, f := range x.findings {
		if watched[f] {
			s.at[f] = i
		}
	}
	return s
}

// play finds the operations and judges every scenario against each of those that it is about.
func (s *stage) play() {
	found := s.operations()
	s.r.Operations = found
	if n := s.watch.uncounted; n > 0 {
		s.r.Warnings = append(s.r.Warnings, fmt.Sprintf("scenarios rest on the earliest %d connections; %d more were not looked at one by one", maxStrands, n))
	}
	for i := range s.g.Scenarios {
		p := &s.g.Scenarios[i]
		chosen := s.choose(p, found)
		for _, o := range chosen {
			s.run(p, o)
		}
		if len(chosen) == 0 && !p.OnlySeen {
			s.run(p, nil)
		}
	}
}

// choose returns the operations that a scenario is about: of its kind, of the machines that the user names, and begun in
// the time that he names.
func (s *stage) choose(p *Play, found []Operation) []*Operation {
	var chosen []*Operation
	for i := range found {
		o := &found[i]
		begun := beginning(o)
		switch {
		case o.Kind != p.Scenario.Event, o.Kind == catalog.EventFTPair && o.Open:
		case !s.g.Window.IsZero() && (begun < s.g.Window.Start || begun > s.g.Window.End):
		case s.g.Marker != 0 && begun < s.g.Marker-p.Scenario.Lead.N:
		case !s.named(p, o):
		default:
			chosen = append(chosen, o)
		}
	}
	return chosen
}

// beginning is when the test of an operation begins: of a pair, behind the last packet of its log.
func beginning(o *Operation) int64 {
	if o.Kind == catalog.EventFTPair {
		return o.End + 1
	}
	return o.Start
}

// named reports whether an operation is of the machines that the user names for the scenario's first variables.
func (s *stage) named(p *Play, o *Operation) bool {
	for variable, m := range seenBindings(p.Scenario, o) {
		if names := p.Bind[variable]; len(names) > 0 && !slices.Contains(names, m.Name) {
			return false
		}
	}
	return true
}

// seenBindings returns the machines of an operation by the scenario's variables: the first one or two.
func seenBindings(c *catalog.Scenario, o *Operation) map[string]*inventory.Machine {
	bound := map[string]*inventory.Machine{}
	for i, m := range []*inventory.Machine{o.Source, o.Target} {
		if m != nil && i < len(c.Variables) {
			bound[c.Variables[i].Name] = m
		}
	}
	return bound
}

// run judges a scenario against one operation, or against the captures as they are.
func (s *stage) run(p *Play, o *Operation) {
	run := ScenarioRun{Scenario: p.Scenario, Number: len(s.r.Scenarios) + 1, Start: s.first, End: s.last}
	switch {
	case o != nil:
		run.Operation, run.Start, run.End, run.Known = o.Number, beginning(o), o.End, true
	case s.g.Marker != 0:
		run.Start, run.Known = s.g.Marker, true
	case !s.g.Window.IsZero():
		run.Start, run.End, run.Known = s.g.Window.Start, s.g.Window.End, true
	}
	a := &act{stage: s, run: &run, operation: o, bound: map[string][]*inventory.Machine{}, free: map[string]bool{}}
	a.bind(p)
	var judged []Expectation
	for _, l := range p.Scenario.Lines {
		judged = append(judged, a.line(l)...)
	}
	a.order(judged)
	a.alternatives(judged)
	for i := range judged {
		judged[i].Scenario = run.Number
		judged[i] = s.finish(judged[i])
	}
	s.r.Expectations = append(s.r.Expectations, distinct(judged, s.r.Expectations)...)
	s.r.Scenarios = append(s.r.Scenarios, run)
}

// distinct gives lines of runs that differ in nothing but the time ids of their own.
func distinct(judged, known []Expectation) []Expectation {
	taken := map[string]bool{}
	for i := range known {
		taken[known[i].ID] = true
	}
	for i := range judged {
		id := judged[i].ID
		for n := 2; taken[judged[i].ID]; n++ {
			judged[i].ID = fmt.Sprintf("%s-%d", id, n)
		}
		taken[judged[i].ID] = true
	}
	return judged
}

// lineID names a line by its scenario and machines, so that two runs can be compared.
func lineID(e *Expectation) string {
	text := fmt.Appendf(nil, "%s|%s|%s|%s", e.Class, e.Line.ID, subjectName(e), e.SubjectEnd)
	for m := range e.Candidates.All() {
		text = fmt.Appendf(text, "|%s", m.Name)
	}
	sum := sha256.Sum256(text)
	return "E" + hex.EncodeToString(sum[:6])
}

// closeScenarios gives each run its verdict, once exceptions have been applied.
func (r *Result) closeScenarios() {
	for i := range r.Scenarios {
		r.closeScenario(&r.Scenarios[i])
	}
}

func (r *Result) closeScenario(run *ScenarioRun) {
	var violated, unjudged, inferred []string
	applied := 0
	for i := range r.Expectations {
		e := &r.Expectations[i]
		if e.Scenario != run.Number || !e.Required {
			continue
		}
		state := e.State()
		if state != LineNotApplicable {
			applied++
		}
		words := fmt.Sprintf("%s (%s)", e.Line.ID, e.Verdict)
		switch {
		case state == LineUnjudged:
			unjudged = append(unjudged, words)
			run.Remedy = cmp.Or(run.Remedy, e.Reason.Remedy)
		case state != LineViolated || e.Disposition.Excepted():
		case e.Inferred:
			inferred = append(inferred, words)
		default:
			violated = append(violated, words)
		}
	}
	switch {
	case len(violated) > 0:
		run.Verdict, run.Why = Fail, "violated: "+strings.Join(violated, ", ")
	case len(unjudged) > 0:
		run.Verdict, run.Why = Inconclusive, "could not be judged: "+strings.Join(unjudged, ", ")
	case len(inferred) > 0:
		run.Verdict, run.Why = Inconclusive, "violated, by roles that are only inferred: "+strings.Join(inferred, ", ")
		run.Remedy = "declare the machines in an inventory"
	case applied == 0:
		run.Verdict, run.Why = Inconclusive, "none of its lines applies to these machines"
		run.Remedy = "give the machines their products and roles in the inventory"
	default:
		run.Verdict, run.Why = Pass, fmt.Sprintf("all %s met", plural(applied, "required line"))
	}
	if run.Verdict != Inconclusive {
		run.Remedy = ""
	}
}

func (r *Result) failed() bool { return r.worstScenario(Fail) != "" }

func (r *Result) inconclusive() bool { return r.worstScenario(Inconclusive) != "" }

// worstScenario says, in words, which run of a scenario first had a verdict; empty where none had.
func (r *Result) worstScenario(v ScenarioVerdict) string {
	for i := range r.Scenarios {
		if run := &r.Scenarios[i]; run.Verdict == v {
			return fmt.Sprintf("%s: %s: %s", run.Scenario.Name, v, run.Why)
		}
	}
	return ""
}

// act is one run of a scenario while it is judged.
type act struct {
	*stage
	run       *ScenarioRun
	operation *Operation
	bound     map[string][]*inventory.Machine
	free      map[string]bool // variables that nothing binds: one machine of several, or any client
}

// bind finds the machines that each variable stands for.
func (a *act) bind(p *Play) {
	seen := map[string]*inventory.Machine{}
	if a.operation != nil {
		seen = seenBindings(p.Scenario, a.operation)
	}
	for _, v := range p.Scenario.Variables {
		b := Binding{Variable: v.Name, By: "inventory"}
		switch {
		case len(p.Bind[v.Name]) > 0:
			b.By = "user"
			for _, name := range p.Bind[v.Name] {
				b.Machines = append(b.Machines, a.j.inv.Machine(name))
			}
		case seen[v.Name] != nil:
			b.By, b.Machines = "traffic", []*inventory.Machine{seen[v.Name]}
		default:
			b.Machines = a.everybody(v)
			a.free[v.Name] = !v.Many
		}
		a.bound[v.Name] = b.Machines
		a.run.Bindings = append(a.run.Bindings, b)
	}
	for i := range a.run.Bindings { // a variable may leave out machines of one that is declared after it
		b := &a.run.Bindings[i]
		if b.By == "inventory" {
			b.Machines = a.without(b.Machines, p.Scenario.Variable(b.Variable).Except)
			a.bound[b.Variable] = b.Machines
		}
	}
}

// everybody returns the machines that play a variable's roles.
func (a *act) everybody(v *catalog.Variable) []*inventory.Machine {
	return a.roster.holding(v.Roles).list
}

// without leaves out the machines of variables that are bound.
func (a *act) without(list []*inventory.Machine, except []string) []*inventory.Machine {
	return slices.DeleteFunc(slices.Clone(list), func(m *inventory.Machine) bool {
		return slices.ContainsFunc(except, func(name string) bool { return !a.free[name] && slices.Contains(a.bound[name], m) })
	})
}

// window returns the time in which a line is judged.
func (a *act) window(l *catalog.Line) Window {
	lead := a.run.Scenario.Lead.N
	w := Window{a.first, a.last}
	if a.run.Known {
		switch l.Phase {
		case catalog.Baseline:
			w.End = a.run.Start
		case catalog.Trigger:
			w = Window{a.run.Start - lead, a.run.Start}
		case catalog.Operation:
			w = Window{a.run.Start, a.run.End}
		case catalog.Around:
			w = Window{a.run.Start - lead, a.run.End + lead}
		case catalog.Aftermath:
			w.Start = a.run.Start
		}
	}
	switch {
	case !l.Within.Given():
	case a.run.Known && l.Phase == catalog.Aftermath:
		w.End = w.Start + l.Within.N // also where the captures end before
	default:
		w.End = min(w.End, w.Start+l.Within.N)
	}
	return w
}

// checkPlay reports what of a scenario and its bindings cannot be used.
func (x *expecter) checkPlay(p *Play) error {
	for _, name := range sortedKeys(p.Bind) {
		v := p.Scenario.Variable(name)
		if v == nil {
			var known []string
			for _, v := range p.Scenario.Variables {
				known = append(known, v.Name)
			}
			return fmt.Errorf("--bind %s: no variable of scenario %s: %s", name, p.Scenario.Name, suggestion(name, known))
		}
		if err := x.checkBinding(v, p.Bind[name]); err != nil {
			return err
		}
	}
	if x.j.inv.Inferred || p.OnlySeen || slices.ContainsFunc(p.Scenario.Lines, x.concernsSomebody) {
		return nil
	}
	return fmt.Errorf("--scenario %s: none of its required lines applies to the machines of %s", p.Scenario.Name, x.j.inv.Name)
}

// checkBinding reports a machine that is not there, or does not play the variable's role.
func (x *expecter) checkBinding(v *catalog.Variable, names []string) error {
	if x.j.inv.Inferred {
		return fmt.Errorf("--bind %s: machines have names only in an inventory: give one with --inventory", v.Name)
	}
	if len(names) > 1 && !v.Many {
		return fmt.Errorf("--bind %s: one machine is expected, not %d", v.Name, len(names))
	}
	able := x.roster.holding(v.Roles).list
	known := make([]string, len(able))
	for i, m := range able {
		known[i] = m.Name
	}
	for _, name := range names {
		if m := x.j.inv.Machine(name); m == nil || !slices.Contains(able, m) {
			return fmt.Errorf("--bind %s=%s: no machine of %s that plays %s: %s", v.Name, name, x.j.inv.Name, v.Roles[0], suggestion(name, known))
		}
	}
	return nil
}

// concernsSomebody reports whether a required line has two machines that it can concern.
func (x *expecter) concernsSomebody(l *catalog.Line) bool {
	return l.Need == catalog.Required && slices.ContainsFunc(l.Rows, func(r *catalog.Row) bool {
		return x.roster.anywhere(r)
	})
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// duration prints a length of time for a person, to the second.
func duration(d time.Duration) string { return d.Round(time.Second).String() }
