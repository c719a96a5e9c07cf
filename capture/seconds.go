package capture

import (
	"cmp"
	"slices"
)

// Add puts one second into the set. It is cheapest at the end; in the middle it moves the runs behind it.
func (s *Seconds) Add(second int64) { s.AddRun(Run{second, second}) }

// AddRun puts an interval into the set. A run that ends before it begins is empty.
func (s *Seconds) AddRun(r Run) {
	if r.Last < r.First {
		return
	}
	runs := *s
	i := len(runs)
	if i > 0 && r.First <= runs[i-1].Last+1 {
		i = runs.from(r.First - 1)
	}
	// runs[i:j] are those that overlap r or touch it.
	j := i
	for j < len(runs) && runs[j].First <= r.Last+1 {
		r.First, r.Last = min(r.First, runs[j].First), max(r.Last, runs[j].Last)
		j++
	}
	if j == i+1 {
		runs[i] = r
		return
	}
	*s = slices.Replace(runs, i, j, r)
}

// Union returns the seconds of either set. Neither set is changed.
func (s Seconds) Union(o Seconds) Seconds {
	switch {
	case len(s) == 0:
		return slices.Clone(o)
	case len(o) == 0:
		return slices.Clone(s)
	}
	return joined(slices.Concat(s, o))
}

// joined sorts runs in place and joins those that overlap or touch.
func joined(runs []Run) Seconds {
	slices.SortFunc(runs, func(a, b Run) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last)) })
	out := runs[:0]
	for _, r := range runs {
		if n := len(out); n > 0 && r.First <= out[n-1].Last+1 {
			out[n-1].Last = max(out[n-1].Last, r.Last)
			continue
		}
		out = append(out, r)
	}
	return out
}

// from returns the index of the first run that ends at or after the second.
func (s Seconds) from(second int64) int {
	i, _ := slices.BinarySearchFunc(s, second, func(r Run, v int64) int { return cmp.Compare(r.Last, v) })
	return i
}

// Contains reports whether the second is in the set.
func (s Seconds) Contains(second int64) bool { return s.Intersects(Run{second, second}) }

// Intersects reports whether the set has a second inside the window.
func (s Seconds) Intersects(window Run) bool {
	i := s.from(window.First)
	return i < len(s) && s[i].First <= window.Last && window.First <= window.Last
}

// Within returns the part of the set that lies inside the window.
func (s Seconds) Within(window Run) Seconds { return s.AppendWithin(nil, window) }

// AppendWithin appends to another set, all of whose seconds are earlier, the part of s that lies inside the window.
func (s Seconds) AppendWithin(in Seconds, window Run) Seconds {
	for _, r := range s[s.from(window.First):] {
		if r.First > window.Last {
			break
		}
		in = append(in, Run{max(r.First, window.First), min(r.Last, window.Last)})
	}
	return in
}

// Len returns the number of seconds in the set.
func (s Seconds) Len() int64 {
	var n int64
	for _, r := range s {
		n += r.Last - r.First + 1
	}
	return n
}

// Span returns the interval from the first to the last second of the set; false when the set is empty.
func (s Seconds) Span() (Run, bool) {
	if len(s) == 0 {
		return Run{}, false
	}
	return Run{s[0].First, s[len(s)-1].Last}, true
}

// LongestGap returns the longest interval of the window that holds no second of the set, the earliest of equals; false
// when the set fills the window.
func (s Seconds) LongestGap(window Run) (Run, bool) {
	var longest Run
	found := false
	consider := func(gap Run) {
		if gap.Last >= gap.First && (!found || gap.Last-gap.First > longest.Last-longest.First) {
			longest, found = gap, true
		}
	}
	next := window.First
	for _, r := range s.Within(window) {
		consider(Run{next, r.First - 1})
		next = r.Last + 1
	}
	consider(Run{next, window.Last})
	return longest, found
}

// filled fills, in place, the gaps of fewer seconds than least that end before a second.
func (s Seconds) filled(least, before int64) Seconds {
	kept := s[:0]
	for _, r := range s {
		if n := len(kept); n > 0 && r.First < before && r.First-kept[n-1].Last-1 < least {
			kept[n-1].Last = r.Last
			continue
		}
		kept = append(kept, r)
	}
	return kept
}

// runBag collects runs in any order. Sorting waits until the bag has doubled, so that a shuffled capture costs
// O(log n) a packet where inserting into sorted runs would cost O(n).
type runBag struct {
	runs Seconds // the first tidy of them are sorted and disjoint
	tidy int
}

func (b *runBag) add(r Run) {
	b.runs = append(b.runs, r)
	if len(b.runs) > 2*b.tidy+16 {
		b.settle()
	}
}

// settle sorts the bag and returns the set, which stays valid until the next add.
func (b *runBag) settle() Seconds {
	if b.tidy < len(b.runs) {
		b.runs = joined(b.runs)
		b.tidy = len(b.runs)
	}
	return b.runs
}

// join makes one run of all.
func (b *runBag) join() {
	span, _ := b.settle().Span()
	b.runs, b.tidy = Seconds{span}, 1
}
