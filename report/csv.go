package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// csvHeader is the first line of the CSV report. Columns are only ever added, at the end.
// A list in a cell is separated by spaces.
func csvHeader() []string {
	return []string{
		"kind", "id", "bucket", "verdict", "level", "disposition", "exception", "qualifiers",
		"initiator", "initiator_machine", "initiator_roles", "responder", "responder_machine", "responder_roles",
		"transport", "port", "basis", "certainty", "outcome", "detail", "flows", "connections",
		"packets_sent", "packets_received", "bytes_sent", "bytes_received", "first", "last", "evidence_file", "evidence_frame",
		"rows", "near", "hypotheses", "scan",
		"class", "subject", "subject_end", "candidates", "required", "in_view", "coverage", "reason", "reason_detail", "remedy",
		"filter", "segment", "scenario", "line", "state", "line_detail", "unofficial",
	}
}

// CSV writes the report for spreadsheets: one line per finding (kind "finding"), per expectation ("expectation") and per run
// of a scenario ("scenario").
func CSV(w io.Writer, r *match.Result, o Options) error {
	t := &sheet{w: csv.NewWriter(w), columns: csvHeader()}
	t.w.Write(t.columns)
	shown := newSelection(o)
	for _, f := range r.Findings.All() {
		if shown.finding(f) {
			t.line(csvFinding(r, o, f))
		}
	}
	for i := range r.Expectations {
		if e := &r.Expectations[i]; shown.expectation(e) {
			t.line(csvExpectation(r, e))
		}
	}
	for i := range r.Scenarios {
		t.line(csvScenario(&r.Scenarios[i]))
	}
	t.w.Flush()
	return t.w.Error()
}

// sheet writes lines by column name. Write errors are kept by the csv.Writer.
type sheet struct {
	w       *csv.Writer
	columns []string
	cells   []string
}

func (t *sheet) line(cells map[string]string) {
	t.cells = t.cells[:0]
	for _, column := range t.columns {
		t.cells = append(t.cells, CSVCell(cells[column]))
	}
	t.w.Write(t.cells)
}

func csvFinding(r *match.Result, o Options, f *match.Finding) map[string]string {
	d := jsonDispositionOf(f.Disposition)
	cells := map[string]string{
		"kind": "finding", "id": f.ID(), "bucket": f.Bucket().String(), "verdict": f.Verdict.String(), "level": f.Level.String(),
		"disposition": d.State, "exception": d.Exception, "qualifiers": strings.Join(f.Qualifiers.Names(), " "),
		"initiator": f.Initiator.String(), "initiator_roles": strings.Join(rolesOf(f.From.Roles), " "),
		"responder": f.Responder.String(), "responder_roles": strings.Join(rolesOf(f.To.Roles), " "),
		"transport": f.Proto.String(), "port": strconv.Itoa(int(f.Port)), "basis": f.Basis.String(), "certainty": f.Certainty.String(),
		"outcome": f.Outcome.String(), "detail": f.Detail, "flows": strconv.Itoa(f.Flows), "connections": strconv.Itoa(f.Connections),
		"packets_sent": fmt.Sprint(f.Sent.Packets), "packets_received": fmt.Sprint(f.Received.Packets),
		"bytes_sent": fmt.Sprint(f.Sent.Bytes), "bytes_received": fmt.Sprint(f.Received.Bytes),
		"first": instantExact(f.First), "last": instantExact(f.Last),
		"rows": csvRows(f.Rows), "near": csvNear(f.Near), "hypotheses": csvHypotheses(f), "filter": f.Filter(),
		"unofficial": strings.Join(unofficial(f.Rows), " "),
	}
	if f.From.Machine != nil {
		cells["initiator_machine"] = f.From.Machine.Name
	}
	if f.To.Machine != nil {
		cells["responder_machine"] = f.To.Machine.Name
	}
	if f.Evidence.Frame > 0 {
		cells["evidence_file"] = captureName(r, o, f.Evidence.File)
		cells["evidence_frame"] = strconv.FormatUint(f.Evidence.Frame, 10)
	}
	if id, ok := f.Segment.VLAN(); ok {
		cells["segment"] = strconv.Itoa(int(id))
	}
	if f.Scan > 0 {
		cells["scan"] = strconv.Itoa(f.Scan)
	}
	return cells
}

func csvExpectation(r *match.Result, e *match.Expectation) map[string]string {
	d := jsonDispositionOf(e.Disposition)
	cells := map[string]string{
		"disposition": d.State, "exception": d.Exception,
		"kind": "expectation", "id": e.ID, "bucket": e.Bucket().String(), "verdict": e.Verdict.String(), "level": e.Level.String(),
		"rows": csvRows(e.Rows), "class": e.Class.String(), "subject_end": e.SubjectEnd.String(),
		"required": strconv.FormatBool(e.Required), "in_view": strconv.FormatBool(e.InView), "coverage": e.Coverage.String(),
		"filter": e.Filter, "unofficial": strings.Join(unofficial(e.Rows), " "),
	}
	if len(e.Rows) > 0 {
		cells["transport"], cells["port"] = rowTransport(e.Rows[0]), e.Rows[0].Ports.String()
	}
	if e.Subject != nil {
		cells["subject"] = e.Subject.Name
	}
	if e.Line != nil {
		cells["scenario"], cells["line"] = runID(&r.Scenarios[e.Scenario-1]), e.Line.ID
		cells["state"], cells["line_detail"] = e.State().String(), e.Detail
	}
	if e.Inferred {
		cells["qualifiers"] = match.RoleInferred.Names()[0]
	}
	candidates := each(e.Candidates.First(maxCandidates), func(m *inventory.Machine) string { return m.Name })
	if more := e.Candidates.Len() - maxCandidates; more > 0 {
		candidates = append(candidates, fmt.Sprintf("and %d more", more))
	}
	cells["candidates"] = strings.Join(candidates, " ")
	if e.AnyClient {
		cells["candidates"] = "any-client"
	}
	if e.Verdict == match.NotObservable {
		cells["reason"], cells["reason_detail"], cells["remedy"] = e.Reason.Code, e.Reason.Detail, e.Reason.Remedy
	}
	if len(e.Evidence) > 0 {
		f := r.Findings.At(e.Evidence[0])
		cells["outcome"], cells["detail"] = f.Outcome.String(), f.Detail
	}
	return cells
}

func csvScenario(run *match.ScenarioRun) map[string]string {
	return map[string]string{
		"kind": "scenario", "id": runID(run), "verdict": run.Verdict.String(), "first": instantExact(run.Start), "last": instantExact(run.End),
		"remedy": run.Remedy, "scenario": runID(run), "line_detail": run.Why,
	}
}

func csvRows(rows []*catalog.Row) string { return strings.Join(each(rows, rowID), " ") }

// csvNear prints near rows with the columns that do not match: "R057:source,target R053:port".
func csvNear(near []match.Near) string {
	return strings.Join(each(near, func(n match.Near) string {
		var wrong []string
		for _, c := range columnsOf(&n) {
			if !c.ok {
				wrong = append(wrong, c.name)
			}
		}
		return n.Row.ID + ":" + strings.Join(wrong, ",")
	}), " ")
}

// csvHypotheses prints what would document a finding: "10.1.1.5=dns-server:R053".
func csvHypotheses(finding *match.Finding) string {
	return strings.Join(each(finding.Hypotheses, func(h match.Hypothesis) string {
		return fmt.Sprintf("%s=%s:%s", finding.Supposed(h), h.Role, h.Row.ID)
	}), " ")
}
