package report

import (
	"fmt"
	"slices"
	"strings"

	"flowvet/inventory"
	"flowvet/match"
)

// scenarioChapters tells each scenario that was judged, in the order asked for, and the operations that the traffic shows.
func (t *teller) scenarioChapters() []chapter {
	if t.shown.narrows() {
		return nil
	}
	var all []chapter
	for i := range t.r.Scenarios {
		all = append(all, t.scenarioChapter(&t.r.Scenarios[i]))
	}
	if others := t.unplayed(); len(others) > 0 {
		c := chapter{title: "OTHER OPERATIONS", what: count(len(others), "operation") + " shown by the traffic and judged by no scenario here"}
		for _, o := range others {
			c.lines = append(c.lines, t.operation(o)...)
		}
		all = append(all, c)
	}
	return all
}

// runFacts says what was judged: what happened, when, and between whom.
func (t *teller) runFacts(run *match.ScenarioRun) []remark {
	facts := []remark{{"operation", []span{text(Terminal(run.Scenario.Title) + "; " + t.runTime(run))}}}
	if o := t.operationOf(run); o != nil {
		facts = append(facts, t.operation(o)[1:]...)
	}
	facts = append(facts, remark{"machines", []span{text(t.bound(run))}})
	if words := t.unofficialWords(run); words != "" {
		facts = append(facts, remark{"rests on", []span{text(words)}})
	}
	return facts
}

// operationOf returns the operation that began a run; nil where the traffic shows none.
func (t *teller) operationOf(run *match.ScenarioRun) *match.Operation {
	if n := run.Operation; n > 0 && n <= len(t.r.Operations) {
		return &t.r.Operations[n-1]
	}
	return nil
}

// unplayed returns the operations that no run of a scenario is about.
func (t *teller) unplayed() []*match.Operation {
	var others []*match.Operation
	for i := range t.r.Operations {
		o := &t.r.Operations[i]
		if !slices.ContainsFunc(t.r.Scenarios, func(run match.ScenarioRun) bool { return run.Operation == o.Number }) {
			others = append(others, o)
		}
	}
	return others
}

// verdictStyle is how the verdict on a scenario is set.
func verdictStyle(v match.ScenarioVerdict) style {
	return map[match.ScenarioVerdict]style{match.Pass: good, match.Fail: bad, match.Inconclusive: doubt}[v]
}

// stateStyle is how the state of a line is set.
func stateStyle(s match.LineState) style {
	return map[match.LineState]style{match.LineMet: good, match.LineViolated: bad, match.LineUnjudged: doubt}[s]
}

// unhurried is the urgency of the lines that decide nothing against a scenario.
const unhurried = 2

// urgency orders the lines of a scenario by what they ask of a reader.
func urgency(e *match.Expectation) int {
	switch state := e.State(); {
	case e.Required && state == match.LineViolated:
		return 0
	case e.Required && state == match.LineUnjudged:
		return 1
	}
	return unhurried
}

// outcomeOfScenarios says the verdict on each scenario, the worst where it was judged more than once; empty without any.
func (t *teller) outcomeOfScenarios() []span {
	var all []span
	for i := range t.r.Scenarios {
		name := t.r.Scenarios[i].Scenario.Name
		if slices.ContainsFunc(t.r.Scenarios[:i], func(run match.ScenarioRun) bool { return run.Scenario.Name == name }) {
			continue
		}
		var n [match.Fail + 1]int
		for k := range t.r.Scenarios {
			if run := &t.r.Scenarios[k]; run.Scenario.Name == name {
				n[run.Verdict]++
			}
		}
		worst, words := t.r.Scenarios[i].Verdict, ""
		if runs := n[match.Fail] + n[match.Inconclusive] + n[match.Pass]; runs > 1 {
			words = fmt.Sprintf(" (%s: %d fail, %d inconclusive, %d pass)", count(runs, "operation"), n[match.Fail], n[match.Inconclusive], n[match.Pass])
			for _, v := range []match.ScenarioVerdict{match.Pass, match.Inconclusive, match.Fail} {
				if n[v] > 0 {
					worst = v
				}
			}
		}
		all = append(all, text("scenario "+Terminal(name)+": "), span{strings.ToUpper(worst.String()), verdictStyle(worst)}, text(words+" · "))
	}
	return all
}

// scenarioChapter tells one run of a scenario: first the required lines that fail it or leave it open, with what to do, then
// what happened, then the other lines in the order of its file.
func (t *teller) scenarioChapter(run *match.ScenarioRun) chapter {
	c := chapter{
		title: "SCENARIO " + Terminal(run.Scenario.Name),
		what:  strings.ToUpper(run.Verdict.String()) + ": " + Terminal(run.Why),
		as:    verdictStyle(run.Verdict), scenario: true,
	}
	add := func(label string, body ...span) { c.lines = append(c.lines, remark{label, body}) }
	lines := t.linesByUrgency(run)
	urgent, remedied := 0, run.Remedy == ""
	for urgent < len(lines) && urgency(lines[urgent]) < unhurried {
		c.lines = append(c.lines, t.lineRemarks(lines[urgent])...)
		remedied = remedied || lines[urgent].Reason.Remedy == run.Remedy
		urgent++
	}
	if !remedied {
		add("to do", span{Terminal(run.Remedy), strong})
	}
	c.lines = append(c.lines, t.runFacts(run)...)
	for _, e := range lines[urgent:] {
		c.lines = append(c.lines, t.lineRemarks(e)...)
	}
	if len(run.Scenario.CannotShow) > 0 {
		add("cannot show", span{strings.Join(each(run.Scenario.CannotShow, Terminal), "; "), quiet})
	}
	return c
}

// runID names a run within its report: the scenario and the number of the run.
func runID(run *match.ScenarioRun) string { return fmt.Sprintf("%s:%d", run.Scenario.Name, run.Number) }

// runTime says when an operation ran, and by whose word.
func (t *teller) runTime(run *match.ScenarioRun) string {
	switch {
	case run.Operation > 0:
		return between(run.Start, run.End) + ", as the traffic shows"
	case run.Known:
		return between(run.Start, run.End) + ", as the operator says"
	}
	return "when it ran is not known: judged over the whole of the captures"
}

// bound says which machine each variable stands for.
func (t *teller) bound(run *match.ScenarioRun) string {
	var parts []string
	for _, b := range run.Bindings {
		names := some(each(b.Machines, func(m *inventory.Machine) string { return Terminal(m.Name) }), listed, "and")
		switch b.By {
		case "inventory":
			names += " (all that could be)"
		case "traffic":
			names += " (seen)"
		}
		parts = append(parts, Terminal(b.Variable)+" = "+names)
	}
	return strings.Join(parts, ", ")
}

// boundMachines returns the machines that the user or the traffic bound to the variables of a run, each once.
func boundMachines(run *match.ScenarioRun) []*inventory.Machine {
	var all []*inventory.Machine
	for _, b := range run.Bindings {
		for _, m := range b.Machines {
			if b.By != "inventory" && m != nil && !slices.Contains(all, m) && len(all) < maxLogical {
				all = append(all, m)
			}
		}
	}
	return all
}

// runSentence tells a run in one sentence or two: which scenario, between whom, when, its verdict and what to do.
func (t *teller) runSentence(run *match.ScenarioRun) string {
	sentence := fmt.Sprintf("Scenario %s (%s): %s: %s. %s; %s.", Terminal(run.Scenario.Name), Terminal(run.Scenario.Title), run.Verdict,
		Terminal(run.Why), t.bound(run), t.runTime(run))
	if words := t.unofficialWords(run); words != "" {
		sentence += " It rests on " + words + "."
	}
	if run.Remedy != "" {
		sentence += " Next time: " + Terminal(run.Remedy) + "."
	}
	return sentence
}

// linesOf returns the lines of a run in the order of its file.
func (t *teller) linesOf(run *match.ScenarioRun) []*match.Expectation {
	var lines []*match.Expectation
	for i := range t.r.Expectations {
		if e := &t.r.Expectations[i]; e.Scenario == run.Number {
			lines = append(lines, e)
		}
	}
	slices.SortStableFunc(lines, func(a, b *match.Expectation) int { return a.Line.Number - b.Line.Number })
	return lines
}

// lineRemarks tells one line: what it asks for, what became of it, and, where it fails or leaves the scenario open, what to do.
func (t *teller) lineRemarks(e *match.Expectation) []remark {
	head := []span{{t.lineHead(e), strong}, text(": " + Terminal(e.Line.Means))}
	became := t.lineBecame(e)
	if urgency(e) == unhurried {
		return []remark{{e.State().String(), append(append(head, text("  ")), became...)}}
	}
	all := []remark{{e.State().String(), head}, {"", became}}
	if todo := t.lineRemedy(e); todo != "" {
		all = append(all, remark{"to do", []span{{todo, strong}}})
	}
	return all
}

// lineHead names a line, with the machine it is about where it is about each of several.
func (t *teller) lineHead(e *match.Expectation) string {
	head := Terminal(e.Line.ID)
	if e.Subject != nil && e.Line.Each > 0 {
		head += " of " + Terminal(e.Subject.Name)
	}
	if !e.Required {
		head += " (optional)"
	}
	return head
}

// lineBecame says what became of a line.
func (t *teller) lineBecame(e *match.Expectation) []span {
	as := stateStyle(e.State())
	var line []span
	if e.Verdict != match.Met && e.Verdict != match.NotApplicable {
		line = append(line, span{e.Verdict.String(), as}, text(": "))
	}
	line = append(line, text(t.lineWhy(e)))
	if e.Line.CannotShow != "" {
		line = append(line, span{"; cannot show " + Terminal(e.Line.CannotShow), quiet})
	}
	if x := e.Disposition.Exception; x != nil {
		line = append(line, text("; excepted by "+Terminal(x.ID)))
	}
	return line
}

// lineRemedy says what to look at where a line is violated, and what would let it be judged where it could not; empty where
// nothing is to be done.
func (t *teller) lineRemedy(e *match.Expectation) string {
	switch {
	case e.Disposition.Excepted():
		return ""
	case e.State() == match.LineUnjudged:
		return Terminal(e.Reason.Remedy)
	case e.State() != match.LineViolated:
		return ""
	}
	set := func(limit string) string { return "if that is right here: --set " + Terminal(e.Line.ID) + "." + limit }
	switch e.Verdict {
	case match.GapExceeded:
		return "find what stopped these packets in that time, or kept them from the capture; " + set("max-gap="+e.Silence.Length().String())
	case match.TooLittle:
		words := "find out whether it broke off, or whether less was to be done"
		if e.Line.MinBytes.Given() {
			words += "; " + set("min-bytes=N")
		}
		return words
	case match.AttemptedRefused:
		return "the port is closed, or a firewall rejects: start the service, or open the port"
	case match.AttemptedUnanswered, match.ExpectedHalfOpen:
		return "a firewall drops it, a route is missing, or the machine is down: flowvet rules writes what must be open"
	case match.ExpectedAbsent:
		return "nobody tried: find out whether the operation came to this point, and whether the sender is set up for it"
	case match.SeenOtherWay:
		return "it went the other way: hold --bind and the inventory against what was done"
	case match.WrongRole:
		return "another machine took this part: correct its role in the inventory, or find out why it did"
	case match.ForbiddenSeen:
		return "find out whose it is; where it belongs to another operation, judge one of them with --bind or --window"
	case match.OutOfOrder:
		return "what should have come first came later: find out who began the operation, and by which way"
	}
	return ""
}

// lineWhy says what was seen of a line.
func (t *teller) lineWhy(e *match.Expectation) string {
	switch e.Verdict {
	case match.NotApplicable, match.NotExercised:
		return Terminal(e.Detail)
	case match.NotObservable:
		return Terminal(e.Reason.Code) + ": " + Terminal(e.Reason.Detail)
	case match.ExpectedAbsent:
		if e.Detail != "" {
			return Terminal(e.Detail)
		}
		return "not one packet in " + between(e.Window.Start, e.Window.End) + ", and it would have been seen"
	}
	why := Terminal(e.Detail)
	if tried := strings.TrimPrefix(t.tried(e), ": "); tried != "" {
		why = joined(why, tried)
	}
	return why
}

// lineTitle names a line of a scenario beside an expectation.
func lineTitle(e *match.Expectation) string {
	return fmt.Sprintf("line %s of scenario %s", Terminal(e.Line.ID), Terminal(e.Class.Of))
}

// junitScenarios has a case for each run of a scenario.
func (t *teller) junitScenarios() []junitCase {
	var cases []junitCase
	for i := range t.r.Scenarios {
		run := &t.r.Scenarios[i]
		c := junitCase{Name: fmt.Sprintf("%s %d: %s", Terminal(run.Scenario.Name), run.Number, t.bound(run)), Class: "flowvet.scenario"}
		words := t.junitWords(t.scenarioChapter(run).lines)
		why := &junitWhy{run.Verdict.String(), Terminal(run.Why), words}
		switch run.Verdict {
		case match.Fail:
			c.Failure = why
		case match.Inconclusive:
			c.Skipped = why
		default:
			c.Out = &junitText{words}
		}
		cases = append(cases, c)
	}
	return cases
}

func jsonScenarioOf(run *match.ScenarioRun) *jsonScenario {
	return &jsonScenario{
		Scenario: run.Number, Name: run.Scenario.Name, Title: run.Scenario.Title, File: run.Scenario.File,
		Verdict: run.Verdict.String(), Why: run.Why, Remedy: run.Remedy, Operation: run.Operation,
		Start: instantExact(run.Start), End: instantExact(run.End), Known: run.Known,
		Bindings: each(run.Bindings, func(b match.Binding) jsonBinding {
			return jsonBinding{b.Variable, each(b.Machines, machineLabel), b.By}
		}),
		CannotShow: list(run.Scenario.CannotShow),
	}
}

func jsonAskedOf(a *match.Asked) *jsonAsked {
	if a.Scenario == "" {
		return nil
	}
	return &jsonAsked{a.Scenario, list(a.Bind), a.Marker, list(a.Set)}
}

func machineLabel(m *inventory.Machine) string {
	if m == nil {
		return ""
	}
	return m.Name
}
