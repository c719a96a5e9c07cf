package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flowvet/match"
)

// standing is how an entry stands, best first. Indeterminate is worse than any pass.
type standing uint8

const (
	standsWell standing = iota // documented, met, not judged, or not there at all
	standsExcepted
	standsUnjudged
	standsWarned
	standsWrong
)

// standing returns how the entry stands.
func (e *Entry) standing() standing {
	switch {
	case e == nil || e.Level < match.LevelWarning && e.Bucket != match.Indeterminate.String():
		return standsWell
	case e.Exception != "":
		return standsExcepted
	case e.Bucket == match.Indeterminate.String():
		return standsUnjudged
	case e.Level == match.LevelWarning:
		return standsWarned
	}
	return standsWrong
}

// Change is a finding or an expectation that two judgements say different things of.
type Change struct {
	Before, After *Entry // nil: not there then, not there now
	Trend         Trend
}

// Trend is what a change means.
type Trend int8

// The trends.
const (
	Better Trend = iota - 1
	Neither
	Worse
)

// String returns better, neither or worse.
func (t Trend) String() string { return [...]string{"better", "neither", "worse"}[t+1] }

// Kind returns new, gone or changed.
func (c *Change) Kind() string {
	switch {
	case c.Before == nil:
		return "new"
	case c.After == nil:
		return "gone"
	}
	return "changed"
}

// entry returns the entry as it is now, or as it was.
func (c *Change) entry() *Entry {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// Diff is how two judgements differ.
type Diff struct {
	Before, After *Snapshot
	Changes       []Change // new, gone, changed; the worse ones first in each
	Same          int      // entries that did not change
	Warnings      []string // why the two may not be comparable, in words
}

// Compare holds two judgements against each other, by the ids of their findings and expectations. What rose to failOn or
// above, or was met, is required and cannot be judged any more, got worse; [match.LevelNone]: nothing does.
func Compare(before, after *Snapshot, failOn match.Level) *Diff {
	d := &Diff{Before: before, After: after, Warnings: incomparable(before, after)}
	for id := range after.entries {
		now := after.entries[id]
		was, known := before.entries[id]
		switch {
		case !known:
			d.add(nil, &now, failOn)
		case sameEntry(&was, &now):
			d.Same++
		default:
			d.add(&was, &now, failOn)
		}
	}
	for id := range before.entries {
		if _, still := after.entries[id]; !still {
			was := before.entries[id]
			d.add(&was, nil, failOn)
		}
	}
	slices.SortFunc(d.Changes, func(a, b Change) int {
		return cmp.Or(kindRank(&a)-kindRank(&b), -cmp.Compare(a.Trend, b.Trend), -cmp.Compare(a.entry().standing(), b.entry().standing()),
			cmp.Compare(a.entry().Verdict, b.entry().Verdict), strings.Compare(a.entry().Parties, b.entry().Parties),
			strings.Compare(a.entry().ID, b.entry().ID))
	})
	return d
}

func kindRank(c *Change) int { return slices.Index([]string{"new", "gone", "changed"}, c.Kind()) }

// add notes a change, and what it means.
func (d *Diff) add(was, now *Entry, failOn match.Level) {
	d.Changes = append(d.Changes, Change{Before: was, After: now, Trend: trend(was, now, failOn)})
}

func trend(was, now *Entry, failOn match.Level) Trend {
	a, b := was.standing(), now.standing()
	switch {
	case b < a:
		return Better
	case b == a || failOn == match.LevelNone:
		return Neither
	case b == standsWrong || failOn == match.LevelWarning && b > standsExcepted:
		return Worse
	case was != nil && was.Verdict == match.Met.String() && b == standsUnjudged && now.Required:
		return Worse
	}
	return Neither
}

// sameEntry reports whether two entries say the same. How much was sent, and when, plays no part.
func sameEntry(a, b *Entry) bool {
	return a.Verdict == b.Verdict && a.Level == b.Level && a.Exception == b.Exception && a.Outcome == b.Outcome && slices.Equal(a.Rows, b.Rows)
}

// incomparable says what besides the traffic may have changed the verdicts.
func incomparable(before, after *Snapshot) []string {
	var all []string
	if !slices.Equal(before.Catalogs, after.Catalogs) {
		all = append(all, "the two rest on different catalogues: what changed may be the document, not the network")
	}
	if before.Inventory != after.Inventory {
		all = append(all, "the two rest on different inventories ("+before.Inventory+", "+after.Inventory+"): what changed may be who is who")
	}
	if before.Anonymized || after.Anonymized {
		all = append(all, "pseudonyms are the same in two reports only if both were written with one --anonymize-key")
	}
	if before.Status == 4 || after.Status == 4 {
		all = append(all, "one of the two covers its captures only in part: what is gone may be in the other part")
	}
	return all
}

// Count returns how many changes are of a kind, and how many got worse or better.
func (d *Diff) Count() (kinds map[string]int, worse, better int) {
	kinds = map[string]int{}
	for i := range d.Changes {
		c := &d.Changes[i]
		kinds[c.Kind()]++
		switch c.Trend {
		case Worse:
			worse++
		case Better:
			better++
		}
	}
	return kinds, worse, better
}

// Comparable reports why two judgements cannot be held against each other: one of them lists less than the other.
func Comparable(before, after *Snapshot) error {
	if before.Narrowed == after.Narrowed {
		return nil
	}
	part := before
	if part.Narrowed == "" {
		part = after
	}
	return fmt.Errorf("%s lists only a part (%s): write both reports without --only and --machine, or both with the same", part.Name, Terminal(part.Narrowed))
}
