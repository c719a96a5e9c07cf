package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"flowvet/match"
)

// Snapshot is what one judgement said, as far as another can be held against it. It comes from a result ([SnapshotOf]) or
// from the JSON report of one ([ReadSnapshot]), and is the same either way.
type Snapshot struct {
	Name       string // what the user calls it: a file
	AsOf       string // RFC 3339
	Status     int    // exit status by the findings
	StatusWhy  string
	Packets    uint64
	Catalogs   []string // SHA-256 of the catalogues in use, hexadecimal
	Inventory  string   // name of the file; "inferred": none
	Anonymized bool     // ids are pseudonyms too
	Narrowed   string   // what the report was narrowed to, in words; empty: it lists everything

	entries map[string]Entry
}

// Entry is a finding or an expectation of a snapshot. Its texts are as captured: not yet safe to print.
type Entry struct {
	ID          string
	Expectation bool // else a conversation
	Bucket      string
	Verdict     string
	Level       match.Level
	Parties     string // "203.0.113.99 -> esx01 (10.20.0.11)"
	Service     string // "23/tcp"
	Outcome     string // of a conversation
	Rows        []string
	Exception   string // that covers it
	Required    bool   // of an expectation: asked for, and inside the declared view
}

// MaxSnapshot is how many findings and expectations of one report are compared: about a gigabyte of memory.
const MaxSnapshot = 2_000_000

// SnapshotOf returns the snapshot of a result.
func SnapshotOf(name string, r *match.Result) *Snapshot {
	s := newSnapshot(name)
	s.AsOf, s.Status, s.StatusWhy = instantExact(r.AsOf.UnixNano()), r.Status, r.StatusWhy
	s.Packets = r.Stats.Read
	s.takeCatalog(jsonCatalogOf(r))
	s.Inventory = jsonInventoryOf(r).Name
	for i := range r.Findings.Len() {
		e := entryOfFinding(jsonFindingOf(r, Options{}, r.Findings.At(i)))
		s.entries[e.ID] = e
	}
	for i := range r.Expectations {
		e := entryOfExpectation(jsonExpectationOf(r, &r.Expectations[i]))
		s.entries[e.ID] = e
	}
	return s
}

func newSnapshot(name string) *Snapshot { return &Snapshot{Name: name, entries: map[string]Entry{}} }

func (s *Snapshot) takeCatalog(c jsonCatalog) {
	for _, source := range c.Sources {
		s.Catalogs = append(s.Catalogs, source.SHA256)
	}
}

// ReadSnapshot reads the snapshot of a JSON report. The error says what about it is no report, or not whole.
func ReadSnapshot(name string, r io.Reader) (*Snapshot, error) {
	s := newSnapshot(name)
	d := json.NewDecoder(r)
	if err := s.read(d); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("the end of the file was cut off")
		}
		return nil, fmt.Errorf("%s: no JSON report of flowvet's, at byte %d: %w", name, d.InputOffset(), err)
	}
	return s, nil
}

// read reads the report field by field, so that only what is compared is kept.
func (s *Snapshot) read(d *json.Decoder) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for first := true; d.More(); first = false {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if first && key != "schema" {
			return fmt.Errorf("the first field is not %q", "schema")
		}
		if err := s.field(d, key.(string)); err != nil { // of an object, every other token is a string
			return err
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something stands behind the report")
	}
	return nil
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%q is expected", want.String())
	}
	return nil
}

// field reads the value of one field.
func (s *Snapshot) field(d *json.Decoder, name string) error {
	var catalog jsonCatalog
	var inventory jsonInventory
	var narrowed jsonNarrowed
	var stats jsonStats
	switch name {
	case "schema":
		var schema string
		if err := d.Decode(&schema); err != nil {
			return err
		}
		return knownSchema(schema)
	case "as_of":
		return d.Decode(&s.AsOf)
	case "status":
		return d.Decode(&s.Status)
	case "status_why":
		return d.Decode(&s.StatusWhy)
	case "anonymized":
		return d.Decode(&s.Anonymized)
	case "catalog":
		err := d.Decode(&catalog)
		s.takeCatalog(catalog)
		return err
	case "inventory":
		err := d.Decode(&inventory)
		s.Inventory = inventory.Name
		return err
	case "narrowed":
		err := d.Decode(&narrowed)
		s.Narrowed = strings.TrimSpace(narrowed.Machine + " " + strings.Join(narrowed.Only, ","))
		return err
	case "stats":
		err := d.Decode(&stats)
		s.Packets = stats.Read
		return err
	case "findings":
		return readEntries(s, d, entryOfFinding)
	case "expectations":
		return readEntries(s, d, entryOfExpectation)
	}
	return d.Decode(new(json.RawMessage))
}

// knownSchema says of what is no report what it is.
func knownSchema(schema string) error {
	switch schema {
	case Schema:
		return nil
	case EvidenceSchema:
		return errors.New("it is evidence; a report is written with --format json")
	}
	return fmt.Errorf("its schema is %q, and %q is what this version reads", schema, Schema)
}

// readEntries reads an array, an element at a time.
func readEntries[T any](s *Snapshot, d *json.Decoder, to func(*T) Entry) error {
	if err := expect(d, json.Delim('[')); err != nil {
		return err
	}
	for d.More() {
		j := new(T)
		if err := d.Decode(j); err != nil {
			return err
		}
		e := to(j)
		if err := s.add(&e); err != nil {
			return err
		}
	}
	return expect(d, json.Delim(']'))
}

// add keeps an entry that a report lists.
func (s *Snapshot) add(e *Entry) error {
	switch _, twice := s.entries[e.ID]; {
	case e.ID == "":
		return errors.New("a finding has no id")
	case twice:
		return fmt.Errorf("%q is listed twice", e.ID)
	case !slices.Contains(Words(), e.Verdict) || !slices.Contains(Words(), e.Bucket):
		return fmt.Errorf("%q: %q in %q is no verdict", e.ID, e.Verdict, e.Bucket)
	case len(s.entries) == MaxSnapshot:
		return fmt.Errorf("more than %d findings and expectations: write reports of a part, with --machine", MaxSnapshot)
	}
	s.entries[e.ID] = *e
	return nil
}

func entryOfFinding(j *jsonFinding) Entry {
	responder := partyOf(&j.Responder)
	if len(j.Groups) > 0 {
		responder = some(j.Groups, listed, "and")
	}
	return Entry{
		ID: j.ID, Bucket: j.Bucket, Verdict: j.Verdict, Level: levelOf(j.Level), Parties: partyOf(&j.Initiator) + " -> " + responder,
		Service: fmt.Sprintf("%d/%s", j.Port, j.Transport), Outcome: j.Outcome, Rows: each(j.Rows, jsonRowID), Exception: j.Disposition.Exception,
	}
}

func entryOfExpectation(j *jsonExpectation) Entry {
	others := "any client"
	if !j.AnyClient {
		others = someMore(j.Candidates, listed, j.More, "or")
	}
	e := Entry{
		ID: j.ID, Expectation: true, Bucket: j.Bucket, Verdict: j.Verdict, Level: levelOf(j.Level), Rows: each(j.Rows, jsonRowID),
		Exception: j.Disposition.Exception, Required: j.Required && j.InView,
	}
	switch {
	case j.Subject == "":
		e.Parties = "any two of " + others
	case j.SubjectEnd == "target":
		e.Parties = others + " -> " + j.Subject
	default:
		e.Parties = j.Subject + " -> " + others
	}
	if len(j.Rows) > 0 {
		e.Service = j.Rows[0].Ports + "/" + strings.ReplaceAll(j.Rows[0].Transport, "/", "+")
	}
	return e
}

func partyOf(e *jsonEnd) string {
	if e.Machine == "" {
		return e.Address
	}
	return e.Machine + " (" + e.Address + ")"
}

func jsonRowID(r jsonRow) string { return r.ID }

// levelOf reads the name of a level; one that is not known counts as an error, never as a pass.
func levelOf(name string) match.Level {
	for l := match.LevelNone; l < match.LevelError; l++ {
		if l.String() == name {
			return l
		}
	}
	return match.LevelError
}
