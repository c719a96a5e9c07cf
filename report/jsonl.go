package report

// Rules of the evidence (flowvet-evidence/1, described in docs/formats.md)
//
//  1. JSON Lines: a header, a line per finding, per expectation and per run of a scenario, a trailer. The fields are those of the JSON report.
//  2. Every line begins with prev, the SHA-256 of the line before it without its line end; the header's is all zeros. So no
//     line can be changed, left out, added or moved without every later line changing, the trailer's included.
//  3. The chain shows damage and carelessness by itself. Against somebody who writes the whole file anew it protects only
//     where the hash of the trailer is kept elsewhere: signed, mailed, or printed in the report that was signed.

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"flowvet/match"
	"flowvet/safejson"
)

// EvidenceSchema names the version of the evidence.
const EvidenceSchema = "flowvet-evidence/1"

type evidenceHeader struct {
	Prev       string        `json:"prev"`
	Type       string        `json:"type"`
	Schema     string        `json:"schema"`
	Version    string        `json:"version"`
	AsOf       string        `json:"as_of"`
	Status     int           `json:"status"`
	StatusWhy  string        `json:"status_why"`
	Counts     jsonCounts    `json:"counts"`
	Narrowed   *jsonNarrowed `json:"narrowed,omitempty"`
	Anonymized bool          `json:"anonymized"`
	Catalog    jsonCatalog   `json:"catalog"`
	Inventory  jsonInventory `json:"inventory"`
	During     []string      `json:"during"`
	Window     *jsonWindow   `json:"window,omitempty"`
	Asked      *jsonAsked    `json:"asked,omitempty"`
	Captures   []jsonCapture `json:"captures"`
	Stats      jsonStats     `json:"stats"`
}

type evidenceFinding struct {
	Prev      string `json:"prev"`
	Type      string `json:"type"`
	Reference string `json:"reference,omitempty"`
	*jsonFinding
}

type evidenceExpectation struct {
	Prev       string   `json:"prev"`
	Type       string   `json:"type"`
	References []string `json:"references"`
	*jsonExpectation
}

type evidenceScenario struct {
	Prev string `json:"prev"`
	Type string `json:"type"`
	*jsonScenario
}

type evidenceTrailer struct {
	Prev  string `json:"prev"`
	Type  string `json:"type"`
	Lines int    `json:"lines"`
}

// JSONL writes the evidence: a line per finding, expectation and run of a scenario, with the packets they rest on, chained by hashes.
func JSONL(w io.Writer, r *match.Result, o Options) error {
	c := &chain{w: bufio.NewWriter(w), prev: noLine}
	shown := newSelection(o)
	header := evidenceHeader{
		Prev: c.prev, Type: "header", Schema: EvidenceSchema, Version: o.Version, AsOf: instantExact(r.AsOf.UnixNano()),
		Status: r.Status, StatusWhy: r.StatusWhy, Counts: jsonCountsOf(r.Counts), Anonymized: o.Anonymized,
		Catalog: jsonCatalogOf(r), Inventory: jsonInventoryOf(r), During: list(r.During), Window: jsonWindowOf(r.Window), Asked: jsonAskedOf(&r.Asked),
		Captures: []jsonCapture{}, Stats: jsonStatsOf(&r.Stats),
	}
	if shown.narrows() {
		header.Narrowed = &jsonNarrowed{o.Machine, list(o.Only)}
	}
	for i := range r.Captures {
		header.Captures = append(header.Captures, jsonCaptureOf(&r.Captures[i]))
	}
	c.line(header)
	for _, f := range r.Findings.All() {
		if shown.finding(f) {
			c.line(evidenceFinding{c.prev, "finding", reference(r, o, f.Evidence), jsonFindingOf(r, o, f)})
		}
	}
	for i := range r.Expectations {
		if e := &r.Expectations[i]; shown.expectation(e) {
			refs := each(e.Evidence, func(i int) string { return reference(r, o, r.Findings.At(i).Evidence) })
			c.line(evidenceExpectation{c.prev, "expectation", refs, jsonExpectationOf(r, e)})
		}
	}
	for i := range r.Scenarios {
		c.line(evidenceScenario{c.prev, "scenario", jsonScenarioOf(&r.Scenarios[i])})
	}
	c.line(evidenceTrailer{c.prev, "trailer", c.lines + 1})
	if c.err != nil {
		return c.err
	}
	return c.w.Flush()
}

// noLine is the prev of the first line.
const noLine = "0000000000000000000000000000000000000000000000000000000000000000"

// chain writes lines of which each names the hash of the one before. It keeps the first error.
type chain struct {
	w       *bufio.Writer
	prev    string // of the next line
	lines   int
	encoder safejson.Encoder
	err     error
}

func (c *chain) line(v any) {
	if c.err != nil {
		return
	}
	var line []byte
	if line, c.err = c.encoder.Encode(v); c.err != nil {
		return
	}
	c.prev = lineHash(line)
	c.lines++
	_, c.err = c.w.Write(append(line, '\n'))
}

func lineHash(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// Evidence is what a file of evidence says, as far as it is needed to judge again.
type Evidence struct {
	AsOf       string   // RFC 3339
	During     []string // operations
	Start, End string   // of the window, RFC 3339; empty: none
	Asked      match.Asked
	Inventory  string   // the name of the file; empty: roles were inferred
	Anonymized bool     // addresses and names are pseudonyms
	Narrowed   bool     // only a part was written
	Captures   []string // SHA-256 of the capture files, hexadecimal, as far as they are known
	Catalogs   []string // SHA-256 of the catalogues in use, hexadecimal
	Verdicts   []EvidenceVerdict
	Lines      int
	Hash       string   // SHA-256 of the last line, hexadecimal
	Faults     []string // where the chain is broken, in words; empty: whole
}

// EvidenceVerdict is the verdict of one finding or expectation.
type EvidenceVerdict struct{ ID, Verdict string }

// EvidenceOf returns the verdicts of a result, in the order in which they are written.
func EvidenceOf(r *match.Result) []EvidenceVerdict {
	all := make([]EvidenceVerdict, 0, r.Findings.Len()+len(r.Expectations))
	for i := range r.Findings.Len() {
		all = append(all, EvidenceVerdict{r.Findings.ID(i), r.Findings.Verdict(i).String()})
	}
	for i := range r.Expectations {
		all = append(all, EvidenceVerdict{r.Expectations[i].ID, r.Expectations[i].Verdict.String()})
	}
	return all
}

// maxEvidenceLine and maxFaults bound what hostile evidence can cost: a header holds every capture's name, a broken chain
// can be broken in every line.
const (
	maxEvidenceLine = 64 << 20
	maxFaults       = 10
)

// evidenceLine is what any line can hold, as far as it is read.
type evidenceLine struct {
	Prev       string        `json:"prev"`
	Type       string        `json:"type"`
	Schema     string        `json:"schema"`
	AsOf       string        `json:"as_of"`
	Narrowed   *jsonNarrowed `json:"narrowed"`
	Anonymized bool          `json:"anonymized"`
	Captures   []jsonCapture `json:"captures"`
	Catalog    jsonCatalog   `json:"catalog"`
	Inventory  jsonInventory `json:"inventory"`
	During     []string      `json:"during"`
	Window     *jsonWindow   `json:"window"`
	Asked      *jsonAsked    `json:"asked"`
	ID         string        `json:"id"`
	Verdict    string        `json:"verdict"`
	Lines      int           `json:"lines"`
}

// ReadEvidence reads evidence and follows its chain. A chain that is broken is in Faults; the error is for what is no
// evidence at all, or cannot be read.
func ReadEvidence(r io.Reader) (*Evidence, error) {
	e := &Evidence{}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, 64<<10), maxEvidenceLine)
	prev, ended := noLine, false
	for s.Scan() {
		e.Lines++
		var line evidenceLine
		err := json.Unmarshal(s.Bytes(), &line)
		switch {
		case e.Lines == 1 && (err != nil || line.Schema != EvidenceSchema):
			return nil, fmt.Errorf("no evidence of flowvet's: the first line does not say %q", EvidenceSchema)
		case err != nil:
			e.fault("line %d is no JSON", e.Lines)
		case line.Prev != prev:
			e.fault("line %d was changed, or does not belong behind line %d", e.Lines-1, e.Lines)
		}
		if ended {
			e.fault("line %d stands behind the trailer", e.Lines)
		}
		ended = ended || line.Type == "trailer"
		e.take(&line)
		prev = lineHash(s.Bytes())
	}
	switch err := s.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("line %d is longer than %d bytes", e.Lines+1, maxEvidenceLine)
	case err != nil:
		return nil, err
	case e.Lines == 0:
		return nil, errors.New("no evidence of flowvet's: the file is empty")
	case !ended:
		e.fault("the trailer is missing: the end of the file was cut off")
	}
	e.Hash = prev
	return e, nil
}

// take keeps what a line says.
func (e *Evidence) take(line *evidenceLine) {
	switch line.Type {
	case "header":
		e.AsOf, e.During, e.Anonymized, e.Narrowed = line.AsOf, line.During, line.Anonymized, line.Narrowed != nil
		if line.Window != nil {
			e.Start, e.End = line.Window.Start, line.Window.End
		}
		if a := line.Asked; a != nil {
			e.Asked = match.Asked{Scenario: a.Scenario, Bind: a.Bind, Marker: a.Marker, Set: a.Set}
		}
		if !line.Inventory.Inferred {
			e.Inventory = line.Inventory.Name
		}
		for _, c := range line.Captures {
			if c.SHA256 != "" {
				e.Captures = append(e.Captures, c.SHA256)
			}
		}
		for _, source := range line.Catalog.Sources {
			e.Catalogs = append(e.Catalogs, source.SHA256)
		}
	case "finding", "expectation":
		e.Verdicts = append(e.Verdicts, EvidenceVerdict{line.ID, line.Verdict})
	case "trailer":
		if line.Lines != e.Lines {
			e.fault("the trailer counts %d lines, and is line %d", line.Lines, e.Lines)
		}
	}
}

func (e *Evidence) fault(format string, args ...any) {
	if len(e.Faults) < maxFaults {
		e.Faults = append(e.Faults, fmt.Sprintf(format, args...))
	}
}
