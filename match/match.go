// Package match holds conversations against the catalogue: what is documented, what is not, and what was expected but
// absent. [Evaluate] is its one function: the same captures, in any order, make the same [Result].
package match

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"flowvet/capture"
	"flowvet/capture/filter"
	"flowvet/catalog"
	"flowvet/inventory"
)

// Grounds is what a judgement rests on besides the captures.
type Grounds struct {
	Catalog       *catalog.Catalog
	Inventory     *inventory.Inventory
	Exceptions    []*Exception
	AsOf          time.Time
	During        []string                // operations whose during: rows are required
	Window        Window                  // when the operations ran; zero: the whole of each capture
	CaptureFilter string                  // the filter the captures were made with, as the user says
	Filter        *filter.Filter          // what was applied while reading: capture.Options.Filter; nil for none
	FailOn        Level                   // LevelError, LevelWarning; LevelNone: never fail on findings
	MaxFlows      int                     // the cap of the flow tables, for the report; 0: none
	Sees          []string                // prefixes and machines that every capture sees, as the user says
	Further       func() *catalog.Catalog // the catalogue with the addendum, for advice; nil: none is wanted
	Warnings      []string                // what the report is to say besides, such as that a run was cut off
	Scenarios     []Play                  // what ran, as scenarios say it must look
	Asked         Asked                   // the same as the user wrote it, for the report
	Marker        int64                   // when it began, as the operator noted it: nanoseconds since 1970 UTC; 0: not noted
	Operations    bool                    // find the operations that the traffic shows, also without a scenario
	Reaches       []Reach                 // what is asked of, whether the captures would have shown it
}

// Check reports what of the grounds cannot be used, before a packet is read: an operation that no row names or that no
// machines of the inventory can run, a view of nobody.
func Check(g Grounds) error {
	j := newJudge(g.Catalog, g.Inventory)
	if _, err := j.view(g.Sees); err != nil {
		return err
	}
	if len(g.During)+len(g.Scenarios) == 0 {
		return nil
	}
	operations := operations(g.Catalog)
	x := newExpecter(j, &g, nil, nil)
	for _, op := range g.During {
		if !slices.Contains(operations, op) {
			return fmt.Errorf("--during %s: no row of the catalogue names it: %s", op, suggestion(op, operations))
		}
		if !g.Inventory.Inferred && !x.applicable(op) {
			return fmt.Errorf("--during %s: none of its rows applies to the machines of %s", op, g.Inventory.Name)
		}
	}
	for i := range g.Scenarios {
		if err := x.checkPlay(&g.Scenarios[i]); err != nil {
			return err
		}
	}
	return nil
}

// operations lists the operations that the rows of a catalogue name.
func operations(c *catalog.Catalog) []string {
	var ops []string
	for _, r := range c.Rows {
		if r.Class.Kind == catalog.During && !slices.Contains(ops, r.Class.Of) {
			ops = append(ops, r.Class.Of)
		}
	}
	slices.Sort(ops)
	return ops
}

// view reads what the user says every capture sees.
func (j *judge) view(sees []string) (view, error) {
	var v view
	for _, text := range sees {
		if p, err := netip.ParsePrefix(text); err == nil {
			v.prefixes = append(v.prefixes, p.Masked())
			continue
		}
		if a, err := netip.ParseAddr(text); err == nil {
			v.prefixes = append(v.prefixes, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
			continue
		}
		if j.inv.Machine(text) == nil {
			var names []string
			for _, m := range j.inv.Machines {
				names = append(names, m.Name)
			}
			hint := "name a machine of the inventory, an address or a prefix"
			if near := catalog.Nearest(text, names); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			return view{}, fmt.Errorf("--sees %s: not a prefix and not a machine: %s", text, hint)
		}
		v.machines = append(v.machines, text)
	}
	return v, nil
}

// Evaluate judges every conversation and every expectation. The error is one of [Check]'s.
func Evaluate(g Grounds, captures []*capture.Capture) (*Result, error) {
	if err := Check(g); err != nil {
		return nil, err
	}
	j := newJudge(g.Catalog, g.Inventory)
	j.sees, _ = j.view(g.Sees)
	r := &Result{
		AsOf: g.AsOf, Catalog: g.Catalog, Inventory: g.Inventory, During: g.During, Window: g.Window, Asked: g.Asked,
		Warnings: slices.Concat(g.Inventory.Warnings, g.Warnings),
	}
	r.warnInapplicable(j, &g)
	r.warnOverlaps(captures)
	j.findCasts(captures)
	j.prepare()
	points := j.points(g, captures, r)
	r.Sights = j.sights(g.Reaches, points)
	table := merged(captures)
	r.Stats = table.Stats
	r.Tunnels, r.Events = tunnelsOf(table), table.Events

	r.MaxFlows, r.Folded = g.MaxFlows, folded(table)

	w := newWatch(g.Catalog, &g)
	survey := j.survey(table, w != nil)
	convs, judged, outside := j.conversations(survey, g.Window, ends(points), w)
	r.Recognised = j.recognised(survey)
	if r.Recognised == 0 {
		r.Talkers = survey.talkers()
	}
	_, apart := outside.total()
	judged += apart
	x := newExcepter(j, &g)
	fs, out := j.findings(convs, g.Window, x)
	outside.merge(out)
	r.OutOfScope = outside.list()
	r.Counts.OutOfScope, _ = outside.total()
	demanded := newExpecter(j, &g, points, fs)
	r.Expectations = demanded.expectations()
	if w != nil {
		w.others(j, table)
		newStage(demanded, w, r).play()
	}
	r.Expectations = sortedExpectations(r.Expectations)
	r.except(x, fs)
	r.closeScenarios()
	r.Scans = scans(fs)
	r.Findings = Findings{judged: fs}
	r.Segments = segmentUses(g.Inventory, fs)
	r.count(fs)
	r.advise(&g, fs)
	r.conclude(&g, judged)
	return r, nil
}

// except applies the exceptions to findings and expectations.
func (r *Result) except(x *excepter, fs []*conv) {
	if len(x.uses) > 0 {
		for _, f := range fs {
			x.finding(f)
		}
	}
	for i := range r.Expectations {
		x.expectation(&r.Expectations[i])
	}
	r.Exceptions = x.uses
}

// folded lists the totals of evicted flows, most flows first.
func folded(t *capture.Table) []Folded {
	all := make([]Folded, 0, len(t.Folded))
	for k, sum := range t.Folded {
		all = append(all, Folded{k, *sum})
	}
	slices.SortFunc(all, func(a, b Folded) int {
		return cmp.Or(-cmp.Compare(a.Flows, b.Flows), a.FoldKey.Compare(b.FoldKey))
	})
	return all
}

// warnInapplicable says which operations the inferred machines cannot have run: with a declared inventory that is an error
// of [Check], an inferred one is known only now.
func (r *Result) warnInapplicable(j *judge, g *Grounds) {
	if len(g.During) == 0 {
		return
	}
	x := newExpecter(j, g, nil, nil)
	for _, op := range g.During {
		if !x.applicable(op) {
			r.Warnings = append(r.Warnings, fmt.Sprintf("--during %s: none of its rows applies to the machines that are recognised", op))
		}
	}
}

// points reads every capture as a witness, and fills in the header's part of the result.
func (j *judge) points(g Grounds, captures []*capture.Capture, r *Result) []*point {
	var points []*point
	any := false
	for _, c := range captures {
		p := j.newPoint(c, &g)
		points = append(points, p)
		r.Captures = append(r.Captures, p.info)
		start, end, known := p.interval()
		if !known {
			continue
		}
		if !any {
			r.First, r.Last, any = start, end, true
		}
		r.First, r.Last = min(r.First, start), max(r.Last, end)
	}
	return points
}

// ends returns a function that says when the capturing that was going on at a moment ended: captures that touch or overlap
// are one, so that a rotated file does not end what the next one continues.
func ends(points []*point) func(int64) int64 {
	var covered capture.Seconds
	for _, p := range points {
		if start, end, known := p.interval(); known {
			covered.AddRun(Window{start, end}.seconds())
		}
	}
	return func(ns int64) int64 {
		second := floorSecond(ns)
		i, _ := slices.BinarySearchFunc(covered, second, func(r capture.Run, s int64) int { return cmp.Compare(r.Last, s) })
		if i == len(covered) || covered[i].First > second {
			return ns
		}
		return covered[i].Last * int64(time.Second)
	}
}

// merged returns one table of all captures. With a single capture it is that capture's own.
func merged(captures []*capture.Capture) *capture.Table {
	if len(captures) == 1 {
		return captures[0].Table
	}
	t := &capture.Table{}
	for _, c := range captures {
		t.Merge(c.Table)
	}
	return t
}

// recognised counts the VMware machines that took part in a conversation, or sent other IP packets: of one of their flows
// nothing is out of scope.
func (j *judge) recognised(s *survey) int {
	machines, apart := map[*inventory.Machine]bool{}, map[netip.Addr]bool{}
	count := func(e *end, a netip.Addr) {
		switch {
		case !e.vmware:
		case e.machine != nil:
			machines[e.machine] = true
		default:
			apart[a] = true
		}
	}
	for n := range s.speakers {
		if e := s.speakers[n].end; e != nil && e.vmware {
			count(e, s.At(uint32(n)))
		}
	}
	for p := range s.table.Others {
		count(j.end(p.From), p.From)
		count(j.end(p.To), p.To)
	}
	return len(machines) + len(apart)
}

// count sums the result up, ranges of the findings side by side.
func (r *Result) count(fs []*conv) {
	c := &r.Counts
	counts := make([]Counts, sharesOf(len(fs)))
	inRanges(len(fs), len(counts), func(i, lo, hi int) { counts[i] = r.countFindings(fs, lo, hi) })
	for _, n := range counts {
		c.Documented += n.Documented
		c.Undocumented += n.Undocumented
		c.Indeterminate += n.Indeterminate
		c.Excepted += n.Excepted
		c.Errors += n.Errors
		c.Warnings += n.Warnings
	}
	for i := range r.Expectations {
		e := &r.Expectations[i]
		switch e.Bucket() {
		case Documented:
			c.Met++
		case Absent:
			c.Absent++
		case Indeterminate:
			c.CouldNotJudge++
		}
		if e.Verdict == NotExercised {
			c.NotExercised++
		}
		if e.Bucket() == Absent {
			c.weigh(e.Level, e.Disposition)
		}
	}
}

// countFindings counts a range of the findings. A scan counts once, as its worst member.
func (r *Result) countFindings(fs []*conv, lo, hi int) (c Counts) {
	for i := lo; i < hi; i++ {
		f := fs[i]
		if f.scan > 0 && r.Scans[f.scan-1].Worst != i {
			continue
		}
		switch f.Bucket() {
		case Documented:
			c.Documented++
		case Undocumented:
			c.Undocumented++
		case Indeterminate:
			c.Indeterminate++
		}
		c.weigh(f.Level, f.disposition())
	}
	return c
}

// weigh counts an open finding by its level, an excepted one apart.
func (c *Counts) weigh(l Level, d Disposition) {
	switch {
	case l < LevelWarning:
	case d.Excepted():
		c.Excepted++
	case l == LevelError:
		c.Errors++
	default:
		c.Warnings++
	}
}

// conclude sets the exit status by the first of 70, 4, 1, 3, 0 that holds, and the line that explains it.
// judged is the number of packets in conversations.
func (r *Result) conclude(g *Grounds, judged uint64) {
	failing := 0
	switch g.FailOn {
	case LevelError:
		failing = r.Counts.Errors
	case LevelWarning:
		failing = r.Counts.Errors + r.Counts.Warnings
	}
	unjudged := 0
	for i := range r.Expectations {
		if r.Expectations[i].Unjudged() {
			unjudged++
		}
	}
	say := func(status int, format string, args ...any) {
		r.Status, r.StatusWhy = status, fmt.Sprintf(format, args...)
	}
	switch damaged := r.partial(); {
	case !r.Stats.Balanced() || judged+r.Stats.FoldedPackets != r.Stats.Flowed || !r.foldsAddUp():
		say(70, "packets are not all accounted for: %d read, %d in flows, %d judged, %d folded; the report is not to be trusted",
			r.Stats.Read, r.Stats.Flowed, judged, r.Stats.FoldedPackets)
	case damaged != "":
		say(4, "%s", damaged)
	case failing > 0:
		say(1, "%s at or above %s", plural(failing, "open finding"), g.FailOn)
	case r.failed() && g.FailOn != LevelNone:
		say(1, "scenario %s", r.worstScenario(Fail))
	case r.Recognised == 0:
		say(3, "no VMware machine was recognised")
	case g.Inventory.Inferred:
		say(3, "every role is inferred: declare the machines in an inventory")
	case r.inconclusive():
		say(3, "scenario %s", r.worstScenario(Inconclusive))
	case unjudged > 0:
		say(3, "%s could not be judged", plural(unjudged, "required expectation"))
	default:
		say(0, "nothing at or above %s", max(g.FailOn, LevelWarning))
	}
}

// foldsAddUp reports whether the totals of evicted flows are those of the counters.
func (r *Result) foldsAddUp() bool {
	var sum FlowCount
	for i := range r.Folded {
		sum.Flows += r.Folded[i].Flows
		sum.Packets += r.Folded[i].Packets
	}
	return sum == FlowCount{r.Stats.FoldedFlows, r.Stats.FoldedPackets}
}

// partial says, in words, which captures the report does not cover whole.
func (r *Result) partial() string {
	var cut []string
	for i := range r.Captures {
		switch c := &r.Captures[i]; {
		case c.Damage != nil:
			cut = append(cut, fmt.Sprintf("%s is damaged %v", c.Name, c.Damage))
		case c.Interrupted:
			cut = append(cut, c.Name+" was interrupted")
		}
	}
	if n := r.Stats.FoldedFlows; n > 0 {
		cut = append(cut, fmt.Sprintf("%s found no room in the flow table (--max-flows)", plural(int(n), "flow")))
	}
	if n := r.Stats.Skipped[capture.BadLinkType]; n > 0 {
		cut = append(cut, fmt.Sprintf("%s of an unsupported link type", plural(int(n), "packet")))
	}
	if len(cut) == 0 {
		return ""
	}
	return "the report is partial: " + strings.Join(cut, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
