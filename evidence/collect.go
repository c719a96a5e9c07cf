package evidence

import (
	"cmp"
	"io"
	"slices"

	"flowvet/capture"
	"flowvet/match"
	"flowvet/report"
)

// Collector picks the first packets of findings out of captures that are read again. What it keeps is the earliest packets,
// whatever the order in which they come.
type Collector struct {
	index    *Index
	exhibits []exhibit // of each finding, in the order of the report
	payload  bool
	limit    int
	size     int // bytes kept
	open     int // from here on exhibits are given up
	taken    uint64
	decoder  capture.Packet
}

// exhibit is an Exhibit while it is filled: at most PerFlow packets of a flow, and PerConversation of all.
type exhibit struct {
	comment string
	packets []ranked
}

// ranked is a packet and how many came before it.
type ranked struct {
	Packet
	number uint64
}

// NewCollector returns a collector for a result: for what is undocumented or could not be judged, and for the attempts at what is
// absent, each unless an exception covers it. It keeps at most limit bytes, beyond which the last findings of the report are
// given up. segments is capture.Options.Segments.
func NewCollector(r *match.Result, limit int, payload, segments bool) *Collector {
	findings, comments := subjects(r)
	c := &Collector{
		index: NewIndex(findings, segments), exhibits: make([]exhibit, len(findings)), payload: payload, limit: limit, open: len(findings),
	}
	for i := range c.exhibits {
		c.exhibits[i].comment = comments[i]
	}
	return c
}

// Comment names a finding, in one line.
func Comment(f *match.Finding) string { return "flowvet " + f.ID() + ": " + report.FindingLine(f) }

// subjects returns the findings that are shown, each with what is said of it.
func subjects(r *match.Result) (findings []*match.Finding, comments []string) {
	attempts := attempts(r)
	for i, f := range r.Findings.All() {
		b := f.Bucket()
		listed := (b == match.Undocumented || b == match.Indeterminate) && !f.Disposition.Excepted()
		if !listed && attempts[i] == "" {
			continue
		}
		findings = append(findings, r.Findings.At(i))
		comments = append(comments, Comment(f)+attempts[i])
	}
	return findings, comments
}

// attempts says of which expectations, that are not met, a finding was an attempt: a line for each, by the finding's index.
func attempts(r *match.Result) map[int]string {
	lines := map[int]string{}
	for i := range r.Expectations {
		e := &r.Expectations[i]
		if b := e.Bucket(); b != match.Absent && b != match.Indeterminate || e.Disposition.Excepted() {
			continue
		}
		for _, at := range e.Evidence {
			if len(lines[at]) < maxComment {
				lines[at] += "\nflowvet " + e.ID + ": " + e.Verdict.String() + "  " + report.ExpectationLine(r, e)
			}
		}
	}
	return lines
}

// Findings is how many findings packets are sought of.
func (c *Collector) Findings() int { return len(c.exhibits) }

// Given up is how many of them were given up for want of room.
func (c *Collector) GivenUp() int { return len(c.exhibits) - c.open }

// Take looks at a frame. Its Data may change when it returns.
func (c *Collector) Take(f *capture.Frame) {
	p := &c.decoder
	if p.Decode(f) != capture.Kept {
		return
	}
	segment := capture.Segment(0)
	if p.HasVLAN {
		segment = capture.Segment(p.VLAN + 1)
	}
	flow := FlowOf(p)
	i := c.index.Find(flow, segment)
	if i < 0 || i >= c.open {
		return
	}
	e := &c.exhibits[i]
	c.taken++
	place, ok := e.place(flow.Sorted(), f.Nanos)
	if !ok {
		return
	}
	kept := ranked{Take(f, p, c.payload), c.taken}
	if place == len(e.packets) {
		e.packets = append(e.packets, kept)
	} else {
		c.size -= e.packets[place].Size()
		e.packets[place] = kept
	}
	c.size += kept.Size()
	c.makeRoom()
}

// place returns where a packet of a flow is kept: at the end, or in place of a later one; false where it is not among the
// first. The packets kept are the earliest that both bounds allow, in whatever order they come: each time the latest of
// those that are one too many goes.
func (e *exhibit) place(flow Flow, nanos int64) (int, bool) {
	ofFlow, latest, latestOfFlow := 0, -1, -1
	for i := range e.packets {
		if e.later(i, latest) {
			latest = i
		}
		if e.packets[i].From.Sorted() != flow {
			continue
		}
		ofFlow++
		if e.later(i, latestOfFlow) {
			latestOfFlow = i
		}
	}
	switch {
	case ofFlow == PerFlow:
		return latestOfFlow, nanos < e.packets[latestOfFlow].Nanos
	case len(e.packets) == PerConversation:
		return latest, nanos < e.packets[latest].Nanos
	}
	return len(e.packets), true
}

// later reports whether packet i is later than packet j; any is later than none.
func (e *exhibit) later(i, j int) bool {
	return j < 0 || cmp.Or(cmp.Compare(e.packets[i].Nanos, e.packets[j].Nanos), cmp.Compare(e.packets[i].number, e.packets[j].number)) > 0
}

// makeRoom gives up the last findings of the report where all are too much, the first never.
func (c *Collector) makeRoom() {
	for c.size > c.limit && c.open > 1 {
		c.open--
		e := &c.exhibits[c.open]
		for i := range e.packets {
			c.size -= e.packets[i].Size()
		}
		e.packets = nil
	}
}

// Write writes what was kept as pcapng; without any packet it is a file that holds none.
func (c *Collector) Write(w io.Writer) error {
	var shown []Exhibit
	for i := range c.exhibits[:c.open] {
		e := &c.exhibits[i]
		slices.SortFunc(e.packets, func(a, b ranked) int {
			return cmp.Or(cmp.Compare(a.Nanos, b.Nanos), cmp.Compare(a.number, b.number))
		})
		one := Exhibit{Comment: e.comment}
		for _, p := range e.packets {
			one.Packets = append(one.Packets, p.Packet)
		}
		shown = append(shown, one)
	}
	return Write(w, shown)
}
