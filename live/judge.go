package live

import (
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"flowvet/capture"
	"flowvet/inventory"
	"flowvet/match"
)

// judge takes one look at the capture: a snapshot, its checkpoint, the judgement, and its publication if one is due. It runs
// in a goroutine of its own and touches nothing of the session that changes.
func (s *Session) judge(l *look, grounds match.Grounds, due Cause) {
	began := time.Now()
	captures := append(slices.Clone(s.Earlier), s.Source.Snapshot())
	if s.Checkpoint != nil {
		l.checkpoint = s.Checkpoint(captures)
	}
	if grounds.AsOf.IsZero() {
		grounds.AsOf = began.UTC()
	}
	if grounds.Inventory == nil {
		grounds.Inventory = inventory.Suggest(grounds.Catalog, tables(captures)...)
	}
	result, err := match.Evaluate(grounds, captures)
	if err != nil {
		l.err = err
		return
	}
	j := &Judgement{Cause: due, At: began, Result: result, Captures: captures, Standing: standing(result)}
	for _, c := range captures {
		j.Flows += c.Table.Len()
	}
	l.judgement = j
	if due != "" {
		l.published = due
		l.trouble = s.Publish(j)
	}
	j.Took = time.Since(began)
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
