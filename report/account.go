package report

import (
	"strings"

	"flowvet/match"
)

// chapter is one section of a report for people, in words, before any layout.
type chapter struct {
	bucket match.Bucket
	title  string
	what   string // how much stands under it
	as     style  // of what; plain: not set off

	scenario bool // a run of a scenario: the page has a section for them
	items    []item
	left     int      // items that the limit held back
	lines    []remark // beside or in place of items
}

// item is one entry of a chapter: findings or expectations of one cause.
type item struct {
	ids     []string // of its members
	level   match.Level
	verdict string
	head    []span // verdict, parties, service, marks
	remarks []remark
}

// chapters tells a result in report order: undocumented, absent, indeterminate, documented, not judged, exceptions.
func (t *teller) chapters() []chapter {
	all := t.scenarioChapters()
	for _, b := range []match.Bucket{match.Undocumented, match.Absent, match.Indeterminate, match.Documented} {
		if t.shown.bucket(b) {
			all = append(all, t.chapter(b))
		}
		if c, declared := t.segmentChapter(); declared && b == match.Absent {
			all = append(all, c)
		}
	}
	if t.shown.narrows() {
		return all
	}
	if t.r.Recognised > 0 {
		all = append(all, t.insecureChapter())
	}
	if lines := t.unjudged(); len(lines) > 0 {
		c := chapter{title: "Not judged", what: unjudgedMeans}
		for _, line := range lines {
			c.lines = append(c.lines, remark{"", []span{text(line)}})
		}
		all = append(all, c)
	}
	if lines := t.exceptionRemarks(); len(lines) > 0 {
		all = append(all, chapter{title: "Exceptions", what: count(len(t.r.Exceptions), "exception") + " in use", lines: lines})
	}
	if c, asked := t.controlsChapter(); asked {
		all = append(all, c)
	}
	return all
}

// chapter tells one bucket.
func (t *teller) chapter(b match.Bucket) chapter {
	title := b.String()
	c := chapter{bucket: b, title: strings.ToUpper(title[:1]) + title[1:]}
	expected := shortfalls(t.r, t.shown, b)
	excepted, noun := exceptedExpectations(t.r, t.shown, b), "expectation"
	switch b {
	case match.Undocumented:
		c.what, excepted, noun = t.groupCounts(b), t.tally.excepted, "conversation"
	case match.Absent:
		c.what = t.shortfallCounts(expected)
	case match.Indeterminate:
		c.what = t.doubtCounts(expected)
	case match.Documented:
		c.what = t.metCounts()
		if !t.o.Verbose {
			c.lines = t.productRemarks()
			return c
		}
	}
	groups := t.tally.groups[b]
	all := len(expected) + len(groups)
	expected = expected[:t.most(len(expected))]
	groups = groups[:t.most(all)-len(expected)]
	c.items = append(t.shortfallItems(expected), t.groupItems(groups)...)
	c.left = all - len(c.items)
	if len(excepted) > 0 {
		c.lines = append(c.lines, remark{"excepted", []span{text(exceptedBy(excepted, noun))}})
	}
	return c
}

// groupItems tells groups of findings.
func (t *teller) groupItems(groups []*group) []item {
	items := make([]item, 0, len(groups))
	for _, g := range groups {
		f := g.exemplar(t.r)
		items = append(items, item{
			ids:   each(g.members, func(i int) string { return t.r.Findings.ID(i) }),
			level: g.level, verdict: f.Verdict.String(), head: t.headline(g, f), remarks: t.remarks(g),
		})
	}
	return items
}

// shortfallItems tells groups of expectations.
func (t *teller) shortfallItems(all []*shortfall) []item {
	items := make([]item, 0, len(all))
	for _, s := range all {
		e := s.members[0]
		items = append(items, item{
			ids:   each(s.members, func(e *match.Expectation) string { return e.ID }),
			level: e.Level, verdict: e.Verdict.String(), head: t.expected(s), remarks: t.shortfallRemarks(s),
		})
	}
	return items
}

// most returns how many of n entries are worth telling: the rest is only counted.
func (t *teller) most(n int) int {
	if t.o.Limit <= 0 {
		return n
	}
	return min(n, t.o.Limit)
}
