package live

import (
	"cmp"
	"slices"
	"time"

	"flowvet/match"
	"flowvet/report"
)

// Standing is what a judgement comes to, in the words of somebody who waits for it. It is small however much was judged, but for
// the heartbeats.
type Standing struct {
	At   time.Time     // when the judgement began: it knows of what came before
	Took time.Duration // without its publication

	Met, Wanted int      // required expectations inside the view
	Waiting     []string // those that are not met, a line each
	Heartbeats  []Heartbeat

	Status        int    // the exit status that the run would have
	Packets       uint64 // judged
	Bytes         uint64 // of these, on the wire
	Flows         int    // told apart
	Folded        uint64 // flows that the table had no room for
	Counts        match.Counts
	Conversations [match.UnlistedPort + 1]int  // by match.Verdict
	Expectations  [match.NotObservable + 1]int // by match.ExpectationVerdict
}

// Heartbeat is a conversation that a periodic row documents.
type Heartbeat struct {
	Finding *match.Finding
	Period  time.Duration
	Since   time.Duration // from its last packet to the end of the capture
}

// silentPeriods is after how many periods without a packet a heartbeat is lost: as many as absence needs.
const silentPeriods = 3

// Lost reports whether the heartbeat should have been there by now.
func (h *Heartbeat) Lost() bool { return h.Since > silentPeriods*h.Period }

// standing sums a result up.
func standing(r *match.Result) *Standing {
	s := &Standing{
		Status: r.Status, Counts: r.Counts, Packets: r.Stats.Read, Bytes: r.Stats.Bytes, Folded: r.Stats.FoldedFlows,
	}
	for i := range r.Expectations {
		s.Expectations[r.Expectations[i].Verdict]++
		s.expect(r, &r.Expectations[i])
	}
	for i := range r.Findings.Len() {
		s.Conversations[r.Findings.Verdict(i)]++
	}
	for i, f := range r.Findings.In(match.Documented) {
		if len(f.Rows) > 0 && f.Rows[0].Period > 0 && f.Last > 0 {
			s.Heartbeats = append(s.Heartbeats, Heartbeat{r.Findings.At(i), f.Rows[0].Period, time.Duration(r.Last - f.Last)})
		}
	}
	slices.SortStableFunc(s.Heartbeats, func(a, b Heartbeat) int {
		return -cmp.Compare(float64(a.Since)/float64(a.Period), float64(b.Since)/float64(b.Period))
	})
	return s
}

// expect counts one expectation.
func (s *Standing) expect(r *match.Result, e *match.Expectation) {
	if !e.Required || !e.InView || e.Bucket() == match.NotJudged || e.Disposition.Excepted() {
		return
	}
	s.Wanted++
	if e.Verdict == match.Met {
		s.Met++
		return
	}
	s.Waiting = append(s.Waiting, report.ExpectationLine(r, e))
}

// AllMet reports whether something was required, and all of it is there.
func (s *Standing) AllMet() bool { return s.Wanted > 0 && s.Met == s.Wanted }

// conversation names the ends of a heartbeat.
func conversation(h *Heartbeat) string { return report.ConversationLine(h.Finding) }
