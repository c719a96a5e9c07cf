package report

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// Every field that the JSON report has is described in docs, by its name in backquotes.
func TestJSONFieldsAreDocumented(t *testing.T) {
	files, err := filepath.Glob("../docs/formats*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no docs/formats*.md (%v)", err)
	}
	var docs strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		docs.Write(text)
	}
	var doc map[string]any
	if err := json.Unmarshal([]byte(render(t, JSON, newLab().result(), Options{Version: "1.2.3", Only: Words()})), &doc); err != nil {
		t.Fatal(err)
	}
	for _, name := range fieldNames(doc, nil) {
		if !strings.Contains(docs.String(), "`"+name+"`") {
			t.Errorf("field %q is in no docs/formats*.md", name)
		}
	}
}

// fieldNames collects the names of fields, but not the keys of maps whose keys are data.
func fieldNames(v any, names []string) []string {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
			if !slices.Contains([]string{"outcomes", "ignored", "undecodable", "ether_types", "ip_protocols", "unknown_link_types"}, name) {
				names = fieldNames(value, names)
			}
		}
	case []any:
		for _, value := range v {
			names = fieldNames(value, names)
		}
	}
	return names
}

func TestJSONSaysWhatTheResultHolds(t *testing.T) {
	r := newLab().result()
	var doc struct {
		Schema   string
		Status   int
		Findings []struct {
			ID, Verdict, Bucket, Level, Transport string
			Port                                  uint16
			Initiator, Responder                  struct{ Address string }
			Evidence                              struct {
				File  string
				Frame uint64
			}
			Rows []struct{ ID string }
			Scan int
		}
		Expectations []struct {
			Verdict string
			Reason  *struct{ Code, Detail, Remedy string }
		}
		Stats struct {
			Read, Judged         uint64
			Ignored, Undecodable map[string]uint64
		}
	}
	if err := json.Unmarshal([]byte(render(t, JSON, r, Options{})), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Schema != Schema || doc.Status != r.Status {
		t.Errorf("got schema %q and status %d, want %q and %d", doc.Schema, doc.Status, Schema, r.Status)
	}
	if len(doc.Findings) != r.Findings.Len() || len(doc.Expectations) != len(r.Expectations) {
		t.Fatalf("got %d findings and %d expectations, want %d and %d",
			len(doc.Findings), len(doc.Expectations), r.Findings.Len(), len(r.Expectations))
	}
	for i, got := range doc.Findings {
		want := r.Findings.At(i)
		if got.ID != want.ID() || got.Verdict != want.Verdict.String() || got.Bucket != want.Bucket().String() || got.Level != want.Level.String() ||
			got.Transport != want.Proto.String() || got.Port != want.Port || got.Scan != want.Scan || len(got.Rows) != len(want.Rows) ||
			got.Initiator.Address != want.Initiator.String() || got.Responder.Address != want.Responder.String() ||
			got.Evidence.File != "mgmt.pcap" || got.Evidence.Frame != 118 {
			t.Errorf("finding %d: got %+v, want %s", i, got, want.ID())
		}
	}
	for i, got := range doc.Expectations {
		if want := &r.Expectations[i]; got.Verdict != want.Verdict.String() || (got.Reason != nil) != (want.Reason.Code != "") {
			t.Errorf("expectation %d: got %+v, want %s", i, got, want.ID)
		}
	}
	sum := doc.Stats.Judged
	for _, reasons := range []map[string]uint64{doc.Stats.Ignored, doc.Stats.Undecodable} {
		for _, n := range reasons {
			sum += n
		}
	}
	if sum != doc.Stats.Read {
		t.Errorf("packets: got a sum of %d, want %d", sum, doc.Stats.Read)
	}
}

// TestManyCandidatesAreCounted names 100 of 150 machines that an expectation's other end may be, and counts the others.
func TestManyCandidatesAreCounted(t *testing.T) {
	var all []*inventory.Machine
	for i := range 150 {
		all = append(all, &inventory.Machine{Name: fmt.Sprintf("esx%03d", i)})
	}
	e := &match.Expectation{Class: catalog.Class{Kind: catalog.Always}, Rows: catalog.Default().Rows[:1], Candidates: match.MachinesOf(all)}
	j := jsonExpectationOf(&match.Result{}, e)
	if len(j.Candidates) != 100 || j.More != 50 || j.Candidates[99] != "esx099" {
		t.Errorf("%d candidates and %d more", len(j.Candidates), j.More)
	}
	if got, want := entryOfExpectation(j).Parties, "any two of esx000, esx001, esx002 and 147 more"; got != want {
		t.Errorf("a difference names %q, want %q", got, want)
	}
}
