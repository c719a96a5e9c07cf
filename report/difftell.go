package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// DiffSchema names the version of a diff in JSON.
const DiffSchema = "flowvet-diff/1"

// Text writes the diff for people: what is new, gone and changed, the worse first in each. Of the options it uses Width,
// Color, Limit and Version.
func (d *Diff) Text(w io.Writer, o Options) error {
	t := &diffTeller{paper: newPaper(w, o.Width, o.Color), d: d, limit: o.Limit}
	t.para(0, span{strings.TrimSpace("flowvet " + Terminal(o.Version)), heading}, span{"  what changed between two judgements", quiet})
	t.blank()
	t.judgement("before", d.Before)
	t.judgement("after", d.After)
	for _, warning := range d.Warnings {
		t.item(0, headerColumn, span{"warning", quiet}, span{Terminal(warning), doubt})
	}
	for _, kind := range []string{"new", "gone", "changed"} {
		t.kind(kind)
	}
	t.summary()
	return t.Flush()
}

type diffTeller struct {
	*paper
	d     *Diff
	limit int
}

func (t *diffTeller) judgement(label string, s *Snapshot) {
	t.item(0, headerColumn, span{label, quiet}, span{Terminal(s.Name), strong}, text(fmt.Sprintf(": %s, inventory %s, as of %s, exit %d: %s",
		count(s.Packets, "packet"), Terminal(s.Inventory), Terminal(s.AsOf), s.Status, Terminal(s.StatusWhy))))
}

// kind prints the changes of one kind.
func (t *diffTeller) kind(kind string) {
	var all []*Change
	for i := range t.d.Changes {
		if c := &t.d.Changes[i]; c.Kind() == kind {
			all = append(all, c)
		}
	}
	t.blank()
	what := "none"
	if len(all) > 0 {
		what = fmt.Sprint(len(all))
	}
	t.para(0, span{strings.ToUpper(kind), heading}, span{"  " + what, quiet})
	fit := len(all)
	if t.limit > 0 {
		fit = min(fit, t.limit)
	}
	for _, c := range all[:fit] {
		t.change(c)
	}
	if left := len(all) - fit; left > 0 {
		t.para(entryIndent, span{"… and " + count(left, "more change") + " (--limit 0 shows all)", strong})
	}
}

// change prints one change: what it means, what is said now, of whom, and what was said before.
func (t *diffTeller) change(c *Change) {
	mark := map[Trend]span{Worse: {"worse", bad}, Better: {"better", good}, Neither: {"-", quiet}}[c.Trend]
	e := c.entry()
	line := []span{{Terminal(e.Verdict), strong}, text("  " + Terminal(e.Parties) + "  "), {Terminal(e.Service), strong}}
	if c.After == nil {
		line[0] = text("was " + Terminal(e.Verdict))
	}
	if words := c.words(); words != "" {
		line = append(line, text("  ("+words+")"))
	}
	t.item(entryIndent, entryColumn, mark, append(line, span{"  " + Terminal(e.ID), quiet})...)
}

// words says what changed, in words; empty of what is new or gone without an exception.
func (c *Change) words() string {
	if c.Before == nil || c.After == nil {
		if e := c.entry(); e.Exception != "" {
			return "excepted by " + Terminal(e.Exception)
		}
		return ""
	}
	var all []string
	add := func(what, was, now string) {
		if was != now {
			all = append(all, fmt.Sprintf("%s was %s, is %s", what, none(Terminal(was)), none(Terminal(now))))
		}
	}
	if c.Before.Verdict != c.After.Verdict {
		all = append(all, "was "+Terminal(c.Before.Verdict))
	}
	add("level", c.Before.Level.String(), c.After.Level.String())
	add("exception", c.Before.Exception, c.After.Exception)
	add("outcome", c.Before.Outcome, c.After.Outcome)
	add("rows", strings.Join(c.Before.Rows, " "), strings.Join(c.After.Rows, " "))
	return strings.Join(all, "; ")
}

func none(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func (t *diffTeller) summary() {
	kinds, worse, better := t.d.Count()
	t.blank()
	outcome := span{"exit 0: nothing got worse", good}
	if worse > 0 {
		outcome = span{fmt.Sprintf("exit 1: %d got worse", worse), bad}
	}
	t.para(0, span{fmt.Sprintf("%d new, %d gone, %d changed, %d the same; %d better, %d worse · ",
		kinds["new"], kinds["gone"], kinds["changed"], t.d.Same, better, worse), strong}, outcome)
}

// jsonSide is one of the two judgements of a diff.
type jsonSide struct {
	Name      string   `json:"name"`
	AsOf      string   `json:"as_of"`
	Status    int      `json:"status"`
	StatusWhy string   `json:"status_why"`
	Packets   uint64   `json:"packets"`
	Inventory string   `json:"inventory"`
	Catalogs  []string `json:"catalogs"`
}

type jsonDiffCounts struct {
	New     int `json:"new"`
	Gone    int `json:"gone"`
	Changed int `json:"changed"`
	Same    int `json:"same"`
	Better  int `json:"better"`
	Worse   int `json:"worse"`
}

type jsonChange struct {
	ID      string     `json:"id"`
	Kind    string     `json:"kind"`
	Change  string     `json:"change"`
	Trend   string     `json:"trend"`
	Parties string     `json:"parties"`
	Service string     `json:"service"`
	Before  *jsonEntry `json:"before,omitempty"`
	After   *jsonEntry `json:"after,omitempty"`
}

type jsonEntry struct {
	Bucket    string   `json:"bucket"`
	Verdict   string   `json:"verdict"`
	Level     string   `json:"level"`
	Outcome   string   `json:"outcome,omitempty"`
	Exception string   `json:"exception,omitempty"`
	Rows      []string `json:"rows"`
}

// JSON writes the diff for programs, under the rules of the JSON report.
func (d *Diff) JSON(w io.Writer, o Options) error {
	s := &stream{w: bufio.NewWriter(w)}
	kinds, worse, better := d.Count()
	s.field("schema", DiffSchema)
	s.field("version", o.Version)
	s.field("before", jsonSideOf(d.Before))
	s.field("after", jsonSideOf(d.After))
	s.field("warnings", list(d.Warnings))
	s.field("counts", jsonDiffCounts{kinds["new"], kinds["gone"], kinds["changed"], d.Same, better, worse})
	s.array("changes", len(d.Changes), func(i int) any { return jsonChangeOf(&d.Changes[i]) })
	return s.close()
}

func jsonSideOf(s *Snapshot) jsonSide {
	return jsonSide{s.Name, s.AsOf, s.Status, s.StatusWhy, s.Packets, s.Inventory, list(s.Catalogs)}
}

func jsonChangeOf(c *Change) jsonChange {
	e := c.entry()
	j := jsonChange{
		ID: e.ID, Kind: "conversation", Change: c.Kind(), Trend: c.Trend.String(), Parties: e.Parties, Service: e.Service,
		Before: jsonEntryOf(c.Before), After: jsonEntryOf(c.After),
	}
	if e.Expectation {
		j.Kind = "expectation"
	}
	return j
}

func jsonEntryOf(e *Entry) *jsonEntry {
	if e == nil {
		return nil
	}
	return &jsonEntry{e.Bucket, e.Verdict, e.Level.String(), e.Outcome, e.Exception, list(e.Rows)}
}
