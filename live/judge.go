package live

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"flowvet/capture"
	"flowvet/inventory"
	"flowvet/match"
)

// look is one look at the capture: what it is to do, and what came out.
type look struct {
	grounds match.Grounds
	reloads int        // of grounds
	keep    bool       // a checkpoint
	judge   bool       // and publish, where due is not empty
	due     Cause      // of the publication that is due
	last    *Judgement // made before; nil where none may be published again

	judgement  *Judgement
	err        error // of the judgement
	trouble    error // of its publication
	checkpoint error
	kept, took time.Duration // for the checkpoint; for the judgement and its publication; both with the snapshot
	fault      string        // a panic
}

// sight is what a snapshot shows of whether anything came since another one.
type sight struct {
	read, dropped uint64
	gaps          int
	gap           capture.Gap // the last one
}

func sightOf(c *capture.Capture) (s sight) {
	s.read, s.gaps = c.Table.Stats.Read, len(c.Gaps)
	for i := range c.Interfaces {
		s.dropped += c.Interfaces[i].Dropped
	}
	if s.gaps > 0 {
		s.gap = c.Gaps[s.gaps-1]
	}
	return s
}

// run takes the look: a snapshot, its checkpoint, the judgement, and its publication if one is due. It runs in a goroutine of
// its own and touches nothing of the session that changes.
func (l *look) run(s *Session) {
	began := time.Now()
	captures := append(slices.Clone(s.Earlier), s.Source.Snapshot())
	shown := time.Since(began)
	if l.keep {
		l.checkpoint = s.Checkpoint(captures)
		l.kept = time.Since(began)
	}
	if !l.judge {
		return
	}
	judging := time.Now().Add(-shown)
	if !l.repeat(captures, began) {
		l.letGo()
		l.make(captures, began)
	}
	if l.err == nil && l.due != "" {
		l.trouble = s.Publish(l.judgement)
	}
	l.took = time.Since(judging)
}

// repeat takes the last judgement for another one, where that would say the same: nothing came since, and no time passed that
// could make a silence longer.
func (l *look) repeat(captures []*capture.Capture, now time.Time) bool {
	if l.last == nil || l.due == "" || now.Sub(l.last.Standing.At) >= pulse || l.last.sight != sightOf(captures[len(captures)-1]) {
		return false
	}
	again := *l.last
	again.Cause, again.Captures = l.due, captures
	l.judgement = &again
	return true
}

// manyFindings are worth the collector's time: that of what is left without them, which is little, as tables hold no pointers.
const manyFindings = 16384

// letGo frees the last judgement before another one is made, so that they are never in memory together.
func (l *look) letGo() {
	many := l.last != nil && l.last.Result.Findings.Len() >= manyFindings
	l.last = nil
	if many {
		runtime.GC()
	}
}

// make judges.
func (l *look) make(captures []*capture.Capture, now time.Time) {
	began := time.Now()
	g := l.grounds
	if g.AsOf.IsZero() {
		g.AsOf = now.UTC()
	}
	if g.Inventory == nil {
		g.Inventory = inventory.Suggest(g.Catalog, tables(captures)...)
	}
	result, err := match.Evaluate(g, captures)
	if err != nil {
		l.err = err
		return
	}
	at := standing(result)
	at.At, at.Took = now, time.Since(began)
	for _, c := range captures {
		at.Flows += c.Table.Len()
	}
	l.judgement = &Judgement{
		Cause: l.due, Result: result, Captures: captures, Standing: at,
		reloads: l.reloads, sight: sightOf(captures[len(captures)-1]),
	}
}

// tables returns the flow tables of the captures.
func tables(captures []*capture.Capture) []*capture.Table {
	all := make([]*capture.Table, len(captures))
	for i, c := range captures {
		all[i] = c.Table
	}
	return all
}

// describe makes the text of a panic, with where it happened.
func describe(fault any) string { return fmt.Sprintf("%v\n%s", fault, debug.Stack()) }
