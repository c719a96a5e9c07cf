package capture

import (
	"math"
	"math/bits"
)

// recent is the part of a flow's set of seconds that grows, in 16 bytes: a run, and the 64 seconds behind it one by one.
// What it cannot say goes to the runs in the flow's rare part. A flow of less than a minute, or one that has a packet at
// least every minute with no gaps but in the last, has no others.
type recent struct {
	mask       uint64 // bit i: the second base+i
	head, base uint32 // every second from head up to base is in the set; seconds since 1970
}

// latestRecent is the last second, less a window, that recent can say: in the year 2106.
const latestRecent = math.MaxUint32 - 128

// empty reports whether there is no second in it.
func (r *recent) empty() bool { return r.mask == 0 && r.head == r.base }

// add puts a second into the set, and reports whether it could.
func (r *recent) add(second int64) bool {
	if after := uint64(second) - uint64(r.base); after < 64 {
		r.mask |= 1 << after
		return true
	}
	switch {
	case second < 0 || second > latestRecent:
		return false
	case r.empty():
		*r = recent{mask: 1, head: uint32(second), base: uint32(second)}
		return true
	case second < int64(r.base):
		return r.addBefore(uint32(second))
	}
	return r.slide(uint32(second))
}

// addBefore puts in a second before the window.
func (r *recent) addBefore(second uint32) bool {
	if second >= r.head {
		return true
	}
	by := r.base - second
	if r.head != r.base || by >= 64 || bits.LeadingZeros64(r.mask) < int(by) {
		return false
	}
	*r = recent{mask: r.mask<<by | 1, head: second, base: second}
	return true
}

// slide puts in a second behind the window: where it has no gap at its beginning, that becomes part of the run.
func (r *recent) slide(second uint32) bool {
	n := bits.TrailingZeros64(^r.mask)
	by := second - r.base - uint32(n)
	if by >= 64 {
		return false
	}
	r.base += uint32(n)
	r.mask = r.mask>>n | 1<<by
	return true
}

// join puts the seconds of another set into this one, and reports whether it could without leaving its window: as it can where
// two parts of a file met the flow within a minute.
func (r *recent) join(o *recent) bool {
	switch by := o.base - r.base; {
	case o.empty():
	case r.empty():
		*r = *o
	case o.head != o.base || by >= 64 || o.mask<<by>>by != o.mask:
		return false
	default:
		r.mask |= o.mask << by
	}
	return true
}

// runs appends the seconds to sorted runs before them that they do not touch.
func (r *recent) runs(to []Run) []Run {
	at, run := int64(r.base), Run{int64(r.head), int64(r.base) - 1}
	for mask := r.mask; mask != 0; {
		gap := bits.TrailingZeros64(mask)
		mask >>= gap
		n := bits.TrailingZeros64(^mask)
		mask >>= n
		at += int64(gap)
		if at > run.Last+1 && run.Last >= run.First {
			to = append(to, run)
			run.First = at
		} else if run.Last < run.First {
			run.First = at
		}
		at += int64(n)
		run.Last = at - 1
	}
	if run.Last >= run.First {
		to = append(to, run)
	}
	return to
}

// RunsPerFlow is how many runs of seconds, or minutes of such, a capped table may hold for each flow that it may: together, since a
// flow that is seen every ten seconds for a day has 1,350 and most have none. The flow that would have one more keeps a single run
// from its first to its last second instead; Stats.SecondsJoined says how often.
const RunsPerFlow = 128

// leastRuns is what a table may hold in any case, 64 KiB: of many captures each begins with a small share of the flows, and
// how small depends on whether they come as files or in one flows file.
const leastRuns = 4096

// mostRuns returns how many runs of seconds the table may hold; 0 = no cap.
func (t *Table) mostRuns() int {
	if t.MaxFlows <= 0 {
		return 0
	}
	return max(leastRuns, t.mostFlows()*RunsPerFlow)
}

// addSecond notes that the flow, whose annex is given, had a packet in that second.
func (t *Table) addSecond(r row, a *annex, second int64) {
	if a.seconds.add(second) {
		return
	}
	if second < int64(a.seconds.base) || second > latestRecent {
		t.addRun(r, Run{second, second})
		return
	}
	t.addPast(r, a.seconds)
	a.seconds = recent{}
	a.seconds.add(second)
}

// addRun puts a run of seconds into the rare part of the flow.
func (t *Table) addRun(r row, run Run) {
	rare := t.rarity(r)
	before := len(rare.seconds.runs)
	rare.seconds.add(run)
	t.runs += len(rare.seconds.runs) - before
	t.capSeconds(rare)
}

// addPast puts seconds as they were in an annex into the rare part of the flow. As up to 65 runs they took 1.2 KB of a flow with a
// packet now and then for two minutes.
func (t *Table) addPast(r row, past recent) {
	rare := t.rarity(r)
	rare.past = append(rare.past, past)
	t.runs++
	t.capSeconds(rare)
}

// capSeconds makes one run of all seconds in the rare part of a flow, if the table holds more runs than it may.
func (t *Table) capSeconds(rare *rarity) {
	if most := t.mostRuns(); most == 0 || t.runs <= most {
		return
	}
	before := rare.runs()
	rare.unpack()
	rare.seconds.join()
	t.runs += rare.runs() - before
	t.Stats.SecondsJoined++
}

// runs returns how much of what a table may hold the flow has.
func (rare *rarity) runs() int { return len(rare.seconds.runs) + len(rare.past) }

// unpack makes runs of all seconds.
func (rare *rarity) unpack() {
	for _, past := range rare.past {
		rare.seconds.runs = past.runs(rare.seconds.runs)
	}
	rare.past = nil
}

// addSeconds adds the seconds of a flow of another table, with those of its rare part.
func (t *Table) addSeconds(r row, o *recent, rare *rarity) {
	if a := t.annex(r); !a.seconds.join(o) {
		var few [65]Run
		for _, run := range o.runs(few[:0]) {
			t.joinRun(r, a, run)
		}
	}
	for _, run := range rare.seconds.runs {
		t.addRun(r, run)
	}
	for _, past := range rare.past {
		t.addPast(r, past)
	}
}

// joinRun adds a run of seconds: a short one as a packet in each would.
func (t *Table) joinRun(r row, a *annex, run Run) {
	if run.Last-run.First >= 64 {
		t.addRun(r, run)
		return
	}
	for second := run.First; second <= run.Last; second++ {
		t.addSecond(r, a, second)
	}
}

// secondsOf appends the flow's set of seconds to the runs given, which are none.
func (t *Table) secondsOf(r row, rare *rarity, to []Run) Seconds {
	seconds := t.secondsIn(r)
	if rare.runs() == 0 {
		return seconds.runs(to)
	}
	to = append(to, rare.seconds.runs...)
	for _, past := range rare.past {
		to = past.runs(to)
	}
	return joined(seconds.runs(to))
}
