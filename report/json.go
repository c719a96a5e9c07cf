package report

// Rules of the JSON report (described field by field in docs/formats.md)
//
//  1. One document, "schema" first. A field may be added within a version; none changes its meaning or goes away.
//  2. Names are snake_case. Arrays are always there, if empty; a scalar that has nothing to say is left out.
//  3. Times are ISO 8601 in UTC with nanoseconds. Durations are seconds.
//  4. One element of an array per line, so that diff and grep work, and a report of any size is written in little memory.
//  5. Strict UTF-8; what is invalid becomes U+FFFD. Control, bidirectional and invisible characters are \u escapes.

import (
	"bufio"
	"io"

	"flowvet/match"
	"flowvet/safejson"
)

// Schema names the version of the JSON report.
const Schema = "flowvet-report/1"

// JSON writes the report for programs.
func JSON(w io.Writer, r *match.Result, o Options) error {
	s := &stream{w: bufio.NewWriter(w)}
	shown := newSelection(o)
	s.field("schema", Schema)
	s.field("version", o.Version)
	s.field("as_of", instantExact(r.AsOf.UnixNano()))
	s.field("status", r.Status)
	s.field("status_why", r.StatusWhy)
	s.field("counts", jsonCountsOf(r.Counts))
	s.field("recognised", r.Recognised)
	if shown.narrows() {
		s.field("narrowed", jsonNarrowed{o.Machine, list(o.Only)})
	}
	if o.Anonymized {
		s.field("anonymized", true)
	}
	s.field("catalog", jsonCatalogOf(r))
	s.field("inventory", jsonInventoryOf(r))
	s.field("during", list(r.During))
	if !r.Window.IsZero() {
		s.field("window", jsonWindowOf(r.Window))
	}
	s.field("warnings", list(r.Warnings))
	s.array("advice", len(r.Advice), func(i int) any { return jsonAdviceOf(r.Advice[i]) })
	s.array("captures", len(r.Captures), func(i int) any { return jsonCaptureOf(&r.Captures[i]) })
	s.field("stats", jsonStatsOf(&r.Stats))
	s.array("findings", r.Findings.Len(), func(i int) any {
		if f := r.Findings.At(i); shown.finding(f) {
			return jsonFindingOf(r, o, f)
		}
		return nil
	})
	s.array("scans", len(r.Scans), func(i int) any { return jsonScanOf(r, i) })
	s.array("expectations", len(r.Expectations), func(i int) any {
		if e := &r.Expectations[i]; shown.expectation(e) {
			return jsonExpectationOf(r, e)
		}
		return nil
	})
	s.array("exceptions", len(r.Exceptions), func(i int) any { return jsonExceptionOf(&r.Exceptions[i]) })
	s.array("scenarios", len(r.Scenarios), func(i int) any { return jsonScenarioOf(&r.Scenarios[i]) })
	s.array("operations", len(r.Operations), func(i int) any { return jsonOperationOf(r, o, &r.Operations[i]) })
	s.array("segments", len(r.Segments), func(i int) any { return jsonSegmentOf(r, &r.Segments[i]) })
	insecure := (&teller{r: r, o: o, shown: shown}).jsonInsecures()
	s.array("insecure", len(insecure), func(i int) any { return insecure[i] })
	controls := assess(r, o.Controls)
	s.array("controls", len(controls), func(i int) any { return jsonControlOf(&controls[i]) })
	s.array("out_of_scope", len(r.OutOfScope), func(i int) any { return jsonServiceOf(r.OutOfScope[i]) })
	s.array("talkers", len(r.Talkers), func(i int) any { return jsonTalkerOf(r.Talkers[i]) })
	s.array("tunnels", len(r.Tunnels), func(i int) any { return jsonTunnelOf(r.Tunnels[i]) })
	s.array("events", len(r.Events), func(i int) any { return jsonEventOf(r, o, r.Events[i]) })
	if r.Stats.FoldedFlows > 0 { // else it says nothing, and is another on every machine
		s.field("max_flows", r.MaxFlows)
	}
	s.array("folded", len(r.Folded), func(i int) any { return jsonFoldOf(&r.Folded[i]) })
	return s.close()
}

// stream writes one JSON object, field by field. It keeps the first error, which close returns.
type stream struct {
	w       *bufio.Writer
	encoder safejson.Encoder
	fields  int
	err     error
}

// field writes a field whose value is small.
func (s *stream) field(name string, value any) {
	s.name(name)
	s.value(value)
}

// array writes an array of n elements, each made when it is written. An element that is nil is left out.
func (s *stream) array(name string, n int, element func(int) any) {
	s.name(name)
	s.raw("[")
	written := 0
	for i := 0; i < n && s.err == nil; i++ {
		v := element(i)
		if v == nil {
			continue
		}
		if written > 0 {
			s.raw(",")
		}
		written++
		s.raw("\n  ")
		s.value(v)
	}
	if written > 0 {
		s.raw("\n ")
	}
	s.raw("]")
}

func (s *stream) close() error {
	s.raw("\n}\n")
	return s.flush()
}

func (s *stream) flush() error {
	if s.err != nil {
		return s.err
	}
	return s.w.Flush()
}

func (s *stream) name(name string) {
	if s.fields == 0 {
		s.raw("{\n ")
	} else {
		s.raw(",\n ")
	}
	s.fields++
	s.value(name)
	s.raw(": ")
}

func (s *stream) value(v any) {
	if s.err != nil {
		return
	}
	var encoded []byte
	if encoded, s.err = s.encoder.Encode(v); s.err == nil {
		_, s.err = s.w.Write(encoded)
	}
}

func (s *stream) raw(text string) {
	if s.err == nil {
		_, s.err = s.w.WriteString(text)
	}
}

// list makes an empty array of a nil slice.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// each maps a slice, never to nil.
func each[T, U any](items []T, to func(T) U) []U {
	all := make([]U, len(items))
	for i, item := range items {
		all[i] = to(item)
	}
	return all
}
