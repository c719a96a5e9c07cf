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
	for _, i := range a.lineFindings(a.met, l, from, to) {
		f := a.findings[i]
		seen.seconds = seen.seconds.Union(f.Seconds)
		if a.watch.ports[proto{f.Proto, f.Port}] {
			wanted[f] = true
			continue
		}
		if l.New || !f.Seconds.Intersects(w.seconds()) {
			continue
		}
		in := f.Seconds.Within(w.seconds())
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

// lineFindings returns the findings of an index that are between a line's machines.
func (a *act) lineFindings(index map[meeting][]int, l *catalog.Line, from, to []*inventory.Machine) []int {
	var all []int
	for _, r := range l.Rows {
		for _, i := range index[meeting{r, catalog.Either, nil}] {
			f := a.findings[i]
			p := place{r, f.i.machine, f.r.machine}
			if f.Qualifiers.Has(Undirected) || r.Listener == catalog.Either {
				p.row = r
				if a.ends(l, p, from, to) || a.ends(l, place{r, p.dst, p.src}, from, to) {
					all = append(all, i)
				}
			} else if a.ends(l, p, from, to) {
				all = append(all, i)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ends reports whether an initiator and a responder are of a line's variables.
func (a *act) ends(l *catalog.Line, p place, from, to []*inventory.Machine) bool {
	if p.src == p.dst && p.src != nil {
		return false
	}
	in := func(m *inventory.Machine, list []*inventory.Machine, variables []string) bool {
		return m != nil && slices.Contains(list, m) || a.anyClient(variables)
	}
	return in(p.src, from, l.From) && in(p.dst, to, l.To)
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
