package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/match"
)

type htmlCapture struct {
	Name, Format, First, Last, Points, Limits, SHA256 string
	Size                                              int64
	Packets                                           uint64
}

// htmlCaptures lists the captures with what each could see.
func (t *teller) htmlCaptures() (rows []htmlCapture, more string) {
	for i := range t.r.Captures[:min(len(t.r.Captures), maxPageRows)] {
		c := &t.r.Captures[i]
		row := htmlCapture{Name: Terminal(c.Name), Format: Terminal(c.Format), Size: c.Size, Packets: c.Packets, SHA256: c.SHA256}
		if c.Packets > 0 {
			row.First, row.Last = clock(c.First), clock(c.Last)
		}
		var points []string
		for _, n := range c.Interfaces {
			points = append(points, cmp.Or(Terminal(n.Name), "unnamed"))
		}
		row.Points = "not recorded"
		if len(points) > 0 {
			row.Points = some(points, listed, "and")
		}
		limits := lossAndFilter(c)
		if c.HalfCapture {
			limits = append(limits, "ONE DIRECTION ONLY")
		}
		if c.FilterSuspected != "" {
			limits = append(limits, "FILTER SUSPECTED: "+Terminal(c.FilterSuspected))
		}
		if c.Damage != nil {
			limits = append(limits, fmt.Sprintf("PARTIAL: ends early at byte %d: %s", c.Damage.Offset, Terminal(c.Damage.Reason)))
		}
		if n := len(c.Gaps); n > 0 {
			limits = append(limits, fmt.Sprintf("%s, first %s", count(n, "GAP"), gapText(&c.Gaps[0])))
		}
		if c.Interrupted {
			limits = append(limits, "INTERRUPTED")
		}
		row.Limits = joined(limits...)
		rows = append(rows, row)
	}
	return rows, left(len(t.r.Captures)-len(rows), "capture")
}

type htmlExpectation struct {
	Verdict, Style, Service, Between, Class, Required, Coverage, Rows, Exception string
}

// htmlExpectations lists what was expected, what is absent first; what does not apply is left out.
func (t *teller) htmlExpectations() (rows []htmlExpectation, more string) {
	n := 0
	for i := range t.r.Expectations {
		e := &t.r.Expectations[i]
		if e.Verdict == match.NotApplicable || !t.shown.expectation(e) {
			continue
		}
		if n++; n > maxPageRows {
			continue
		}
		row := htmlExpectation{
			Verdict: e.Verdict.String(), Style: bucketStyle(e.Bucket()), Between: t.parties(&shortfall{members: []*match.Expectation{e}}),
			Class: Terminal(e.Class.String()), Required: "yes", Coverage: e.Coverage.String(), Rows: some(rowIDs(e.Rows), listed, "and"),
		}
		if len(e.Rows) > 0 {
			row.Service = rowService(e.Rows[0])
		}
		if !e.Required {
			row.Required = "no"
		}
		if e.Verdict == match.Met {
			row.Coverage = "seen"
		}
		if x := e.Disposition.Exception; x != nil {
			row.Exception = Terminal(x.ID)
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, func(a, b htmlExpectation) int { return cmp.Compare(styleRank(a.Style), styleRank(b.Style)) })
	return rows, left(n-len(rows), "expectation")
}

func bucketStyle(b match.Bucket) string {
	switch b {
	case match.Undocumented, match.Absent:
		return "bad"
	case match.Indeterminate:
		return "doubt"
	case match.Documented:
		return "good"
	}
	return "quiet"
}

func styleRank(style string) int {
	return slices.Index([]string{"bad", "doubt", "good", "quiet"}, style)
}

type htmlDoubt struct {
	Code, Detail, Remedy string
	N                    int
}

// htmlDoubts groups what could not be judged by its reason, the most frequent first.
func (t *teller) htmlDoubts() []htmlDoubt {
	var all []htmlDoubt
	at := map[string]int{}
	for i := range t.r.Expectations {
		e := &t.r.Expectations[i]
		if e.Bucket() != match.Indeterminate || !t.shown.expectation(e) {
			continue
		}
		d := htmlDoubt{Code: e.Verdict.String(), Detail: expectationMeaning(e.Verdict), Remedy: "start the capture earlier, end it later, and mirror both directions"}
		if e.Verdict == match.NotObservable {
			d = htmlDoubt{Code: Terminal(e.Reason.Code), Detail: Terminal(e.Reason.Detail), Remedy: Terminal(e.Reason.Remedy)}
		}
		k, known := at[d.Code]
		if !known {
			k = len(all)
			at[d.Code] = k
			all = append(all, d)
		}
		all[k].N++
	}
	slices.SortStableFunc(all, func(a, b htmlDoubt) int { return cmp.Compare(b.N, a.N) })
	return all
}

type htmlException struct {
	ID, State, Style, TooBroad, Why, Controls, People, Expires string
	Used                                                       int
}

// htmlExceptions lists every exception in use, those that need a look first.
func (t *teller) htmlExceptions() []htmlException {
	var all []htmlException
	for _, u := range t.r.Exceptions[:min(len(t.r.Exceptions), maxPageRows)] {
		e := u.Exception
		row := htmlException{
			ID: Terminal(e.ID), State: u.State, Style: "good", TooBroad: Terminal(u.TooBroad), Why: Terminal(e.Justification),
			Controls: controlsOf(e), Used: u.Used, Expires: e.Expires.UTC().Format("2006-01-02 15:04"),
		}
		people := []string{"owner " + Terminal(e.Owner)}
		if e.Approver != "" {
			people = append(people, "approver "+Terminal(e.Approver))
		}
		row.People = joined(append(people, Terminal(e.Ticket))...)
		switch {
		case u.State == "expired":
			row.Style = "bad"
		case u.State == "expiring":
			row.Style = "doubt"
		case u.Used == 0:
			row.State, row.Style = "unused", "quiet"
		}
		all = append(all, row)
	}
	slices.SortStableFunc(all, func(a, b htmlException) int { return cmp.Compare(styleRank(a.Style), styleRank(b.Style)) })
	return all
}

func controlsOf(e *match.Exception) string {
	return joined(each(e.Controls, Terminal)...)
}

type htmlInsecure struct {
	Kind, Service, From, To, Verdict, Exception string
	Packets                                     uint64
}

// htmlInsecure lists the insecure services that were seen.
func (t *teller) htmlInsecure() (rows []htmlInsecure, more string) {
	kinds, byKind := t.insecureSeen()
	n := 0
	for _, kind := range kinds {
		for _, f := range t.r.Findings.Of(byKind[kind]) {
			if n++; n > maxPageRows {
				continue
			}
			rows = append(rows, htmlInsecure{
				Kind: kind, Service: service(f.Proto, f.Port), From: endName(f.Initiator, f.From), To: endName(f.Responder, f.To),
				Verdict: f.Verdict.String(), Packets: f.Sent.Packets + f.Received.Packets, Exception: accepted(f),
			})
		}
	}
	return rows, left(n-len(rows), "conversation")
}

// htmlNeverUsed lists the insecure rows that nothing used.
func (t *teller) htmlNeverUsed() []string {
	unused := t.neverUsed()
	return each(unused[:min(len(unused), maxPageRows)], func(row *catalog.Row) string {
		return rowLine(row) + " (" + Terminal(row.Insecure) + ")"
	})
}

type htmlConversation struct {
	Bucket, Verdict, Style, Marks, From, To, Service, Outcome, First, Last, Rows, Evidence, ID string
	Port                                                                                       uint16
	Packets, Bytes                                                                             uint64
}

// htmlConversations lists the conversations in the order of the result: what is undocumented comes first, so that the
// rows that are left out are the documented ones.
func (t *teller) htmlConversations() (rows []htmlConversation, more string) {
	n := 0
	for _, f := range t.r.Findings.All() {
		if f.Bucket() == match.NotJudged && f.Level == match.LevelNone || !t.shown.finding(f) {
			continue
		}
		if n++; n > maxPageRows {
			continue
		}
		row := htmlConversation{
			Bucket: f.Bucket().String(), Verdict: f.Verdict.String(), Style: bucketStyle(f.Bucket()),
			From: endName(f.Initiator, f.From), To: endName(f.Responder, f.To), Service: service(f.Proto, f.Port), Port: f.Port,
			Outcome: outcomeOf(f), Rows: strings.Join(rowIDs(f.Rows), " "), Evidence: reference(t.r, t.o, f.Evidence), ID: Terminal(f.ID()),
			Packets: f.Sent.Packets + f.Received.Packets, Bytes: f.Sent.Bytes + f.Received.Bytes,
		}
		if f.First != 0 || f.Last != 0 {
			row.First, row.Last = clock(f.First), clock(f.Last)
		}
		marks := f.Qualifiers.Names()
		if x := f.Disposition.Exception; x != nil {
			marks = append(marks, "excepted by "+Terminal(x.ID))
		}
		row.Marks = strings.Join(marks, ", ")
		rows = append(rows, row)
	}
	return rows, left(n-len(rows), "conversation")
}
