package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"flowvet/match"
)

// said is an entry as the tests write it: "error undocumented unlisted-port", with "excepted" or "required" behind it.
func said(text string) *Entry {
	if text == "" {
		return nil
	}
	words := strings.Fields(text)
	e := &Entry{ID: "F1", Level: levelOf(words[0]), Bucket: words[1], Verdict: words[2], Parties: "a -> b", Service: "23/tcp"}
	for _, mark := range words[3:] {
		switch mark {
		case "excepted":
			e.Exception = "EX-1"
		case "required":
			e.Required = true
		}
	}
	return e
}

func holding(e *Entry) *Snapshot {
	s := newSnapshot("lab.json")
	if e != nil {
		s.entries[e.ID] = *e
	}
	return s
}

func TestWhatGotWorse(t *testing.T) {
	for _, tt := range []struct {
		before, after string
		failOn        match.Level
		want          Trend
	}{
		{"", "error undocumented unlisted-port", match.LevelError, Worse},
		{"error undocumented unlisted-port", "", match.LevelError, Better},
		{"pass documented documented", "", match.LevelError, Neither},
		{"", "pass documented documented", match.LevelError, Neither},
		{"", "warning undocumented group-cast", match.LevelError, Neither},
		{"", "warning undocumented group-cast", match.LevelWarning, Worse},
		{"", "warning indeterminate direction-unconfirmed", match.LevelError, Neither},
		{"", "warning indeterminate direction-unconfirmed", match.LevelWarning, Worse},
		{"warning indeterminate direction-unconfirmed", "pass documented documented", match.LevelError, Better},
		{"error undocumented unlisted-port", "error undocumented wrong-source", match.LevelError, Neither},
		{"error undocumented unlisted-port", "error undocumented unlisted-port excepted", match.LevelError, Better},
		{"error undocumented unlisted-port excepted", "error undocumented unlisted-port", match.LevelError, Worse},
		{"pass documented met required", "error absent absent required", match.LevelError, Worse},
		{"pass documented met required", "warning indeterminate not-observable required", match.LevelError, Worse},
		{"pass documented met", "note indeterminate not-observable", match.LevelError, Neither},
		{"note not-judged not-exercised required", "warning indeterminate not-observable required", match.LevelError, Neither},
		{"pass documented met required", "error absent absent required", match.LevelNone, Neither},
	} {
		d := Compare(holding(said(tt.before)), holding(said(tt.after)), tt.failOn)
		if len(d.Changes) != 1 {
			t.Fatalf("%q, then %q: %d changes, want 1", tt.before, tt.after, len(d.Changes))
		}
		if got := d.Changes[0].Trend; got != tt.want {
			t.Errorf("%q, then %q, from %v on: %v, want %v", tt.before, tt.after, tt.failOn, got, tt.want)
		}
	}
}

// numbered is the lab with an id of its own for each finding and expectation, as match gives them.
func numbered() *match.Result {
	r := newLab().result()
	r.Status = 1
	for i := range r.Expectations {
		r.Expectations[i].ID = fmt.Sprint("E", i)
	}
	return r
}

// TestReportReadBackSaysWhatTheResultSaid holds the two ways to a snapshot against each other.
func TestReportReadBackSaysWhatTheResultSaid(t *testing.T) {
	r := numbered()
	var b bytes.Buffer
	if err := JSON(&b, r, Options{}); err != nil {
		t.Fatal(err)
	}
	read, err := ReadSnapshot("lab.json", &b)
	if err != nil {
		t.Fatal(err)
	}
	d := Compare(SnapshotOf("lab.pcap", r), read, match.LevelWarning)
	if len(d.Changes) > 0 || len(d.Warnings) > 0 || d.Same != r.Findings.Len()+len(r.Expectations) {
		t.Errorf("%d changes, %q, %d the same, want all of %d", len(d.Changes), d.Warnings, d.Same, r.Findings.Len()+len(r.Expectations))
	}
}

func TestWhatIsNoReportIsRefused(t *testing.T) {
	const begin = `{"schema": "flowvet-report/1", "findings": [`
	finding := func(id, bucket, verdict string) string {
		return fmt.Sprintf(`{"id": %q, "bucket": %q, "verdict": %q}`, id, bucket, verdict)
	}
	good := finding("F1", "documented", "documented")
	for text, want := range map[string]string{
		begin + good + `]}`:                                    "",
		`{"schema": "flowvet-evidence/1"}`:                     "it is evidence",
		begin + finding("", "documented", "documented") + `]}`: "no id",
		begin + good + "," + good + `]}`:                       "listed twice",
		begin + finding("F1", "documented", "splendid") + `]}`: "no verdict",
		begin + `{"id": 7}]}`:                                  "number",
		begin + good + `]} {}`:                                 "behind the report",
		begin + good:                                           "cut off",
		`{"schema": "flowvet-report/1", "findings": {}}`:       `"[" is expected`,
		`[]`: `"{" is expected`,
		`{"schema": "flowvet-report/1", "captures": ` + strings.Repeat("[", 20_000) + `}`: "depth",
	} {
		_, err := ReadSnapshot("x.json", strings.NewReader(text))
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%.80s: %v, want %q", text, err, want)
		}
	}
}

func TestDiffShowsHostileTextHarmless(t *testing.T) {
	e := said("error undocumented unlisted-port")
	e.Parties = "\x1b[2Jevil -> \u202eb"
	var b bytes.Buffer
	if err := Compare(holding(nil), holding(e), match.LevelError).Text(&b, Options{}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\u202e") || !strings.Contains(b.String(), `\x1b[2Jevil`) {
		t.Errorf("printed %q", b.String())
	}
}

func FuzzReadSnapshot(f *testing.F) {
	f.Add([]byte(`{"schema": "flowvet-report/1", "findings": [{"id": "F1", "bucket": "documented", "verdict": "documented"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ReadSnapshot("x.json", bytes.NewReader(data))
		if err != nil {
			return
		}
		if d := Compare(s, s, match.LevelWarning); len(d.Changes) > 0 || d.Same != len(s.entries) {
			t.Errorf("a report differs from itself: %d changes", len(d.Changes))
		}
	})
}
