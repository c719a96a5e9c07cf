package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"flowvet/match"
)

// operation tells what the traffic shows of an operation.
func (t *teller) operation(o *match.Operation) []remark {
	lines := []remark{{fmt.Sprintf("%d %s", o.Number, o.Kind), []span{{t.operationParties(o), strong}, text("  " + t.operationTime(o))}}}
	add := func(body string) {
		if body != "" {
			lines = append(lines, remark{"", []span{text(body)}})
		}
	}
	if o.Connections > 0 {
		add(fmt.Sprintf("%s, %s of payload from source to target, %s; %s%s", count(o.Connections, "connection"), octets(o.Bytes), throughput(o), o.Outcome, referred(t, o)))
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
	case rate >= 1e6:
		return fmt.Sprintf("%.1f Mbit/s", rate/1e6)
	default:
		return fmt.Sprintf("%.1f kbit/s", rate/1e3)
	}
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
	t.item(0, lineColumn+entryIndent, span{"", quiet}, text("judged by "+Terminal(run.Scenario.Name)+": "),
		span{strings.ToUpper(run.Verdict.String()), verdictStyle(run.Verdict)}, text(": "+Terminal(run.Why)))
	for _, e := range t.linesOf(run) {
		if e.Required && e.State() != match.LineMet && e.State() != match.LineNotApplicable {
			for _, l := range t.lineRemarks(e) {
				t.item(entryIndent, lineColumn, span{l.label, quiet}, l.body...)
			}
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
