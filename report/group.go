package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"flowvet/capture"
	"flowvet/inventory"
	"flowvet/match"
)

// circumstances are what findings of one cause share. They are the key of a group.
type circumstances struct {
	verdict    match.Verdict
	level      match.Level
	proto      capture.Proto
	port       uint16
	segment    capture.Segment
	qualifiers match.Qualifiers
	from, to   string // roles, joined
	expired    string // the expired exception that would have applied
}

// group is an entry of the text report: findings of one cause, or the findings of one scan.
type group struct {
	bucket  match.Bucket
	level   match.Level
	members []int // indices into Result.Findings, ascending
	packets uint64
	scan    *match.Scan // nil: no scan
	rest    match.Rest  // of the scan: members that are no findings
	parties *parties    // once somebody asked for them
}

// size is the number of conversations.
func (g *group) size() int { return len(g.members) + g.rest.Conversations }

// exemplar is the finding that speaks for the group.
func (g *group) exemplar(r *match.Result) *match.Finding {
	if g.scan != nil {
		return r.Findings.At(g.scan.Worst)
	}
	return r.Findings.At(g.members[0])
}

// tally is the findings of a result as the text report needs them: in one pass over any number of them.
type tally struct {
	groups   [match.Documented + 1][]*group // open ones by bucket, in report order
	findings [match.Documented + 1]int      // open ones by bucket
	excepted map[string]int                 // findings by the exception's id
}

func newTally(r *match.Result, s selection) *tally {
	t := &tally{excepted: map[string]int{}}
	causes := causes{groups: map[circumstances]*group{}}
	scans := map[int]*group{}
	roles := roleLabels{}
	for i, f := range r.Findings.All() {
		if !s.finding(f) {
			continue
		}
		if f.Disposition.Excepted() {
			t.excepted[f.Disposition.Exception.ID]++
			continue
		}
		g := t.groupOf(r, f, &causes, scans, roles)
		g.members = append(g.members, i)
		g.packets += f.Sent.Packets + f.Received.Packets
		t.findings[g.bucket]++
	}
	for _, g := range scans {
		if !s.narrows() { // which of the rest would be shown is not known
			g.rest = g.scan.Rest
			g.packets += g.rest.Packets
			t.findings[g.bucket] += g.rest.Conversations
		}
	}
	for _, groups := range t.groups {
		slices.SortFunc(groups, largestFirst)
	}
	return t
}

// groupOf returns the group of an open finding, made if it is the first of its kind.
func (t *tally) groupOf(r *match.Result, f *match.Finding, causes *causes, scans map[int]*group, roles roleLabels) *group {
	if n := f.Scan; n > 0 && n <= len(r.Scans) {
		if scans[n] == nil {
			scan := &r.Scans[n-1]
			worst := r.Findings.At(scan.Worst)
			scans[n] = t.open(&group{bucket: worst.Bucket(), level: worst.Level, scan: scan})
		}
		return scans[n]
	}
	key := circumstances{
		verdict: f.Verdict, level: f.Level, proto: f.Proto, port: f.Port, segment: f.Segment, qualifiers: f.Qualifiers,
		from: roles.of(f.Initiator, f.From), to: roles.of(f.Responder, f.To),
	}
	if e := f.Disposition.Expired; e != nil {
		key.expired = e.ID
	}
	return causes.group(key, func() *group { return t.open(&group{bucket: f.Bucket(), level: f.Level}) })
}

// causes are the groups by their circumstances. Findings that follow each other are mostly of one cause.
type causes struct {
	groups map[circumstances]*group
	key    circumstances // of last
	last   *group
}

// group returns the group of a key, opened if it is the first.
func (c *causes) group(key circumstances, open func() *group) *group {
	if c.last != nil && key == c.key {
		return c.last
	}
	g := c.groups[key]
	if g == nil {
		g = open()
		c.groups[key] = g
	}
	c.key, c.last = key, g
	return g
}

func (t *tally) open(g *group) *group {
	t.groups[g.bucket] = append(t.groups[g.bucket], g)
	return g
}

// largestFirst orders the groups of a section: errors before warnings, then by findings, packets, and place in the result.
func largestFirst(a, b *group) int {
	return cmp.Or(
		cmp.Compare(b.level, a.level),
		cmp.Compare(b.size(), a.size()),
		cmp.Compare(b.packets, a.packets),
		cmp.Compare(a.members[0], b.members[0]),
	)
}

// roleLabels remembers the roles of each address, joined: a million findings have few addresses that play any.
type roleLabels map[netip.Addr]string

func (l roleLabels) of(a netip.Addr, p *inventory.Placed) string {
	if len(p.Roles) == 0 {
		return ""
	}
	label, ok := l[a]
	if !ok {
		label = strings.Join(rolesOf(p.Roles), "+")
		l[a] = label
	}
	return label
}

// shortfall is an entry of the text report: expectations of one cause.
type shortfall struct {
	members []*match.Expectation
}

// shortfalls groups the selected open expectations of a bucket: errors first, then the largest.
func shortfalls(r *match.Result, s selection, b match.Bucket) []*shortfall {
	type cause struct {
		verdict  match.ExpectationVerdict
		level    match.Level
		required bool
		rows     string
		reason   string
		expired  string
	}
	var all []*shortfall
	byCause := map[cause]*shortfall{}
	for i := range r.Expectations {
		e := &r.Expectations[i]
		if e.Bucket() != b || !s.expectation(e) || e.Disposition.Excepted() {
			continue
		}
		key := cause{
			verdict: e.Verdict, level: e.Level, required: e.Required, rows: strings.Join(rowIDs(e.Rows), " "), reason: e.Reason.Code,
		}
		if x := e.Disposition.Expired; x != nil {
			key.expired = x.ID
		}
		if byCause[key] == nil {
			byCause[key] = &shortfall{}
			all = append(all, byCause[key])
		}
		byCause[key].members = append(byCause[key].members, e)
	}
	slices.SortStableFunc(all, func(a, b *shortfall) int {
		return cmp.Or(
			cmp.Compare(b.members[0].Level, a.members[0].Level),
			cmp.Compare(len(b.members), len(a.members)),
		)
	})
	return all
}

// expectationsIn counts the expectations of all groups.
func expectationsIn(all []*shortfall) int {
	n := 0
	for _, s := range all {
		n += len(s.members)
	}
	return n
}

// trailingNotes counts the groups at the end that are notes for want of coverage: nobody has to act on them today.
func trailingNotes(all []*shortfall) int {
	n := 0
	for i := len(all) - 1; i >= 0; i-- {
		if e := all[i].members[0]; e.Level != match.LevelNote || e.Verdict != match.NotObservable {
			break
		}
		n++
	}
	return n
}

// exceptedExpectations counts the selected expectations of a bucket that an exception covers, by its id.
func exceptedExpectations(r *match.Result, s selection, b match.Bucket) map[string]int {
	byID := map[string]int{}
	for i := range r.Expectations {
		if e := &r.Expectations[i]; e.Bucket() == b && e.Disposition.Excepted() && s.expectation(e) {
			byID[e.Disposition.Exception.ID]++
		}
	}
	return byID
}
