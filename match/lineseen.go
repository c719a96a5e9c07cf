package match

import (
	"fmt"
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// seenOf is what the captures hold of a line within its window.
type seenOf struct {
	findings []int
	best     Outcome
	strands  []*strand
	packets  uint64
	payload  uint64
	first    int64           // the earliest packet; 0: none
	began    bool            // and it is known to begin a connection
	seconds  capture.Seconds // of all conversations, also outside the window
}

// collectLine gathers what the captures hold of a line within a window.
func (a *act) collectLine(l *catalog.Line, from, to []*inventory.Machine, w Window) seenOf {
	var seen seenOf
	wanted := map[*conv]bool{}
	log := slices.ContainsFunc(l.Rows, func(r *catalog.Row) bool { return r.Class == ftClass })
	for _, i := range a.lineFindings(a.ledger.met, l, from, to) {
		f := a.findings[i]
		seen.seconds = seen.seconds.Union(f.seconds())
		if a.watch.ports[proto{f.Proto, f.Port}] {
			wanted[f] = true
			continue
		}
		if l.New || !f.spoke(w.seconds()) {
			continue
		}
		in := f.seconds().Within(w.seconds())
		seen.add(i, f.outcome(), max(nanos(in[0].First), w.Start, f.First), true)
		seen.packets += f.Sent.Packets + f.Received.Packets
	}
	for i := range a.watch.strands {
		st := &a.watch.strands[i]
		if !wanted[st.c] {
			continue
		}
		if log {
			st = st.together()
		}
		if !st.within(w, l.New) {
			continue
		}
		outcome := st.became()
		if st.c.Verdict == DirectionUnconfirmed {
			outcome = min(outcome, OneSided)
		}
		seen.add(a.at[st.c], outcome, max(st.first, w.Start), st.began() && st.first >= w.Start)
		seen.strands = append(seen.strands, st)
		seen.packets += st.sent.Packets + st.received.Packets
		seen.payload += st.payload()
	}
	slices.Sort(seen.findings)
	seen.findings = slices.Compact(seen.findings)
	return seen
}

// outcome is that of the whole conversation; one whose direction is not confirmed is never a pass.
func (f *conv) outcome() Outcome {
	if f.Verdict == DirectionUnconfirmed {
		return min(f.Outcome, OneSided)
	}
	return f.Outcome
}

// within reports whether a strand has packets in a window, and where it must be new, begins there.
func (s *strand) within(w Window, fresh bool) bool {
	if fresh && (!s.began() || s.first < w.Start || s.first > w.End) {
		return false
	}
	return s.first <= w.End && s.last >= w.Start && s.seconds.Intersects(w.seconds())
}

func (s *seenOf) add(finding int, o Outcome, at int64, began bool) {
	s.findings = append(s.findings, finding)
	s.best = max(s.best, o)
	if s.first == 0 || at < s.first {
		s.first, s.began = at, began
	}
}

// lineFindings returns the findings of rows that are between a line's machines.
func (a *act) lineFindings(of accounts, l *catalog.Line, from, to []*inventory.Machine) []int {
	begins, listens := a.cast(l.From, from), a.cast(l.To, to)
	between := func(i, r *inventory.Machine) bool {
		return (begins[i] || begins[nil]) && (listens[r] || listens[nil]) && (i != r || i == nil)
	}
	var all []int
	for _, r := range l.Rows {
		if of[r] == nil {
			continue
		}
		for _, n := range of[r].all {
			f := a.findings[n]
			either := f.Qualifiers.Has(Undirected) || r.Listener == catalog.Either
			if between(f.i.machine, f.r.machine) || either && between(f.r.machine, f.i.machine) {
				all = append(all, int(n))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// order finds lines that began before one that they come after, where the headers show when both began.
func (a *act) order(judged []Expectation) {
	began := map[string]*Expectation{}
	for i := range judged {
		e := &judged[i]
		if first := began[e.Line.ID]; e.First != 0 && (first == nil || e.First < first.First) {
			began[e.Line.ID] = e
		}
	}
	for i := range judged {
		e := &judged[i]
		if e.Verdict != Met || e.First == 0 {
			continue
		}
		for _, id := range e.Line.After {
			before := began[id]
			if before == nil || before.First <= e.First || !a.startShown(before) || !a.startShown(e) {
				continue
			}
			e.Verdict = OutOfOrder
			e.Detail = fmt.Sprintf("began at %s, before %s at %s", utc(e.First), id, utc(before.First))
			break
		}
	}
}

// startShown reports whether the captures show the beginning of everything that a line rests on: no session of it was there
// before, in which the first word may have been said.
func (a *act) startShown(e *Expectation) bool {
	for _, i := range e.Evidence {
		f := a.findings[i]
		if f.Proto != capture.TCP {
			continue
		}
		for n := range a.watch.strands {
			st := &a.watch.strands[n]
			if st.c == f && !st.began() && st.within(e.Window, false) {
				return false
			}
		}
	}
	return true
}

// alternatives lets the best line of each group decide: the others do not apply.
func (a *act) alternatives(judged []Expectation) {
	best := map[string]*Expectation{}
	for i := range judged {
		e := &judged[i]
		if e.Line.OneOf != "" && (best[e.Line.OneOf] == nil || rankOf(e) > rankOf(best[e.Line.OneOf])) {
			best[e.Line.OneOf] = e
		}
	}
	for i := range judged {
		e := &judged[i]
		if decides := best[e.Line.OneOf]; decides != nil && decides.Line != e.Line {
			e.Verdict, e.Required = NotApplicable, false
			e.Detail = "its alternative " + decides.Line.ID + " decides"
		}
	}
}

// rankOf ranks the members of a group: what is met decides, then what could not be judged, then what was tried.
func rankOf(e *Expectation) int {
	switch {
	case e.Verdict == NotApplicable:
		return 0
	case e.Verdict == ExpectedAbsent:
		return 1
	case e.Bucket() == Absent:
		return 2
	case e.Bucket() == Documented:
		return 4
	}
	return 3
}
