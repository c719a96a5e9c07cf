package report

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

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
	if len(t.r.Operations) > 0 {
		c := chapter{title: "OPERATIONS", what: count(len(t.r.Operations), "operation") + " shown by the traffic"}
		for i := range t.r.Operations {
			c.lines = append(c.lines, t.operation(&t.r.Operations[i])...)
		}
		all = append(all, c)
	}
	return all
}

// scenarioChapter tells one run of a scenario, line by line in the order of its file.
func (t *teller) scenarioChapter(run *match.ScenarioRun) chapter {
	c := chapter{
		title: "SCENARIO " + Terminal(run.Scenario.Name),
		what:  strings.ToUpper(run.Verdict.String()) + ": " + Terminal(run.Why),
	}
	add := func(label string, body ...span) { c.lines = append(c.lines, remark{label, body}) }
	add("operation", text(Terminal(run.Scenario.Title)+"; "+t.runTime(run)))
	add("machines", text(t.bound(run)))
	for _, e := range t.linesOf(run) {
		add(e.State().String(), t.lineSpans(e)...)
	}
	if run.Remedy != "" {
		add("next time", span{Terminal(run.Remedy), strong})
	}
	if len(run.Scenario.CannotShow) > 0 {
		add("cannot show", span{strings.Join(each(run.Scenario.CannotShow, Terminal), "; "), quiet})
	}
	return c
}

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

// lineSpans tells one line: what it asks for, of whom, and what became of it.
func (t *teller) lineSpans(e *match.Expectation) []span {
	as := map[match.LineState]style{match.LineMet: good, match.LineViolated: bad, match.LineUnjudged: doubt}[e.State()]
	head := Terminal(e.Line.ID)
	if e.Subject != nil && e.Line.Each > 0 {
		head += " of " + Terminal(e.Subject.Name)
	}
	line := []span{{head, strong}, text(": " + Terminal(e.Line.Means) + "  ")}
	if e.Verdict != match.Met && e.Verdict != match.NotApplicable {
		line = append(line, span{e.Verdict.String(), as}, text("  "))
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

// operation tells what the traffic shows of an operation.
func (t *teller) operation(o *match.Operation) []remark {
	lines := []remark{{fmt.Sprintf("%d %s", o.Number, o.Kind), []span{{t.operationParties(o), strong}, text("  " + t.operationTime(o))}}}
	add := func(body string) {
		if body != "" {
			lines = append(lines, remark{"", []span{text(body)}})
		}
	}
	if o.Connections > 0 {
		add(fmt.Sprintf("%s, %s of payload, %s; %s%s", count(o.Connections, "connection"), octets(o.Bytes), throughput(o), o.Outcome, referred(t, o)))
	}
	add(t.switchOver(o))
	if o.Next != nil {
		add(fmt.Sprintf("protected again from %s on, with %s: %s without a double", instant(o.NextAt), Terminal(o.Next.Name), exactly(o.NextAt-o.End)))
	}
	for i := range o.Before {
		b := &o.Before[i]
		add(fmt.Sprintf("before: %s -> %s %s, %s earlier (%s)", shortName(b.Initiator, b.From), shortName(b.Responder, b.To),
			service(b.Proto, b.Port), exactly(o.Start-b.At), some(rowIDs(b.Rows), listed, "and")))
	}
	return lines
}

func referred(t *teller, o *match.Operation) string {
	if ref := reference(t.r, t.o, o.Evidence); ref != "" {
		return "; " + ref
	}
	return ""
}

func (t *teller) operationParties(o *match.Operation) string {
	if o.Target == nil {
		return Terminal(o.Source.Name)
	}
	return Terminal(o.Source.Name) + " -> " + Terminal(o.Target.Name)
}

func (t *teller) operationTime(o *match.Operation) string {
	if o.Open {
		return "from " + instant(o.Start) + " to the end of the captures"
	}
	return between(o.Start, o.End)
}

// switchOver says how the machine was announced at its new host.
func (t *teller) switchOver(o *match.Operation) string {
	if !o.SwitchedOver {
		return ""
	}
	e := &o.SwitchOver
	after, from := e.At-o.End, "the end"
	if o.Target == nil {
		after, from = e.At-o.Start, "the last frame"
	}
	words := fmt.Sprintf("switch-over: %s of %s %s after %s", e.Kind, hardwareAddress(e.MAC), exactly(after), from)
	if after < 0 {
		words = fmt.Sprintf("switch-over: %s of %s %s before %s", e.Kind, hardwareAddress(e.MAC), exactly(-after), from)
	}
	if ref := reference(t.r, t.o, e.Ref); ref != "" {
		words += "; " + ref
	}
	return words
}

// exactly prints a length of time to the millisecond.
func exactly(ns int64) string { return time.Duration(ns).Round(time.Millisecond).String() }

// octets prints an amount of bytes.
func octets(n uint64) string {
	switch {
	case n >= 10e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 10e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return count(n, "byte")
}

// throughput prints how fast an operation's payload went.
func throughput(o *match.Operation) string {
	switch rate := o.Throughput(); {
	case rate == 0:
		return "no time"
	case rate >= 1e9:
		return fmt.Sprintf("%.2f Gbit/s", rate/1e9)
	default:
		return fmt.Sprintf("%.1f Mbit/s", rate/1e6)
	}
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

func jsonOperationOf(r *match.Result, o Options, x *match.Operation) *jsonOperation {
	j := &jsonOperation{
		Operation: x.Number, Kind: string(x.Kind), Start: instantExact(x.Start), End: instantExact(x.End),
		Seconds: time.Duration(x.End - x.Start).Seconds(), Open: x.Open, Source: machineLabel(x.Source), Target: machineLabel(x.Target),
		Next: machineLabel(x.Next), NextAt: instantExact(x.NextAt), Bytes: x.Bytes, Throughput: x.Throughput(),
		Connections: x.Connections, Outcome: x.Outcome.String(), Before: []jsonPrecursor{},
	}
	if x.Evidence.Frame > 0 {
		j.Evidence = &jsonEvidence{captureName(r, o, x.Evidence.File), x.Evidence.Frame}
	}
	if e := &x.SwitchOver; x.SwitchedOver {
		j.SwitchOver = &jsonSwitchOver{
			Kind: e.Kind.String(), Time: instantExact(e.At), MAC: hardwareAddress(e.MAC), After: time.Duration(e.At - x.End).Seconds(),
			Evidence: &jsonEvidence{captureName(r, o, e.Ref.File), e.Ref.Frame},
		}
	}
	for i := range x.Before {
		b := &x.Before[i]
		j.Before = append(j.Before, jsonPrecursor{
			Initiator: jsonEndOf(b.Initiator, b.From), Responder: jsonEndOf(b.Responder, b.To), Transport: b.Proto.String(), Port: b.Port,
			Time: instantExact(b.At), Before: time.Duration(x.Start - b.At).Seconds(), Rows: each(b.Rows, rowID),
		})
	}
	return j
}

// Events writes the operations that the traffic shows, each with what its scenario says of it.
func Events(w io.Writer, r *match.Result, o Options) error {
	t := &reporter{paper: newPaper(w, o.Width, o.Color), teller: newTeller(r, o)}
	t.header()
	if len(r.Operations) == 0 {
		t.blank()
		t.para(0, text("The traffic shows no operation: no vMotion, no host that fell silent, no protected pair."))
	}
	for i := range r.Operations {
		t.blank()
		for _, l := range t.operation(&r.Operations[i]) {
			t.item(0, lineColumn+entryIndent, span{l.label, quiet}, l.body...)
		}
		for k := range r.Scenarios {
			if run := &r.Scenarios[k]; run.Operation == r.Operations[i].Number {
				t.judged(run)
			}
		}
	}
	return t.Flush()
}

// judged tells a run of a scenario shortly: its verdict, and the lines that are not met.
func (t *reporter) judged(run *match.ScenarioRun) {
	as := map[match.ScenarioVerdict]style{match.Pass: good, match.Fail: bad, match.Inconclusive: doubt}[run.Verdict]
	t.item(0, lineColumn+entryIndent, span{"", quiet}, text("judged by "+Terminal(run.Scenario.Name)+": "),
		span{strings.ToUpper(run.Verdict.String()), as}, text(": "+Terminal(run.Why)))
	for _, e := range t.linesOf(run) {
		if e.Required && e.State() != match.LineMet && e.State() != match.LineNotApplicable {
			t.item(entryIndent, lineColumn, span{e.State().String(), quiet}, t.lineSpans(e)...)
		}
	}
}

// EventsSchema names the version of the operations as JSON.
const EventsSchema = "flowvet-events/1"

// EventsJSON writes the same for programs: the operations, the runs of their scenarios, and the lines of these.
func EventsJSON(w io.Writer, r *match.Result, o Options) error {
	s := &stream{w: bufio.NewWriter(w)}
	s.field("schema", EventsSchema)
	s.field("version", o.Version)
	s.array("captures", len(r.Captures), func(i int) any { return jsonCaptureOf(&r.Captures[i]) })
	s.array("operations", len(r.Operations), func(i int) any { return jsonOperationOf(r, o, &r.Operations[i]) })
	s.array("scenarios", len(r.Scenarios), func(i int) any { return jsonScenarioOf(&r.Scenarios[i]) })
	s.array("lines", len(r.Expectations), func(i int) any {
		if e := &r.Expectations[i]; e.Scenario > 0 {
			return jsonExpectationOf(r, e)
		}
		return nil
	})
	return s.close()
}
