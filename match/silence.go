package match

import (
	"cmp"
	"slices"
	"time"

	"flowvet/capture"
)

// maxSilence is the longest time without a packet of any machine that still counts as captured. Hosts say every ten
// seconds that they live, so a longer silence is a capture that stood still, or a clock that was set: one set back by an
// hour made an hour's capture of three minutes' packets, and missing traffic of it "absent".
const maxSilence = 5 * time.Minute

// inSeconds is maxSilence as runs count.
const inSeconds = int64(maxSilence / time.Second)

// silences returns the silences of the machines that the point saw: longer than maxSilence, in order, in seconds between
// the packets around them.
func (p *point) silences() []capture.Run {
	var all []capture.Run
	heard := p.seen.lit.runs
	for i := 1; i < len(heard); i++ {
		if before := heard[i-1].Last; heard[i].First-before > inSeconds {
			all = append(all, capture.Run{First: before, Last: heard[i].First})
		}
	}
	return all
}

// blind returns when a live capture saw nothing, or lost too much of what came, in seconds between which it was whole.
func blind(gaps []capture.Gap) []capture.Run {
	var all []capture.Run
	for _, g := range gaps {
		if g.Lost == 0 || float64(g.Lost) > maxDropRate*float64(g.Offered) {
			all = append(all, capture.Run{First: floorSecond(g.From), Last: floorSecond(g.To-1) + 1})
		}
	}
	return all
}

// without joins silences and blind times into runs that overlap nowhere.
func without(silences, gaps []capture.Run) []capture.Run {
	all := slices.Concat(silences, gaps)
	slices.SortFunc(all, func(a, b capture.Run) int { return cmp.Compare(a.First, b.First) })
	joined := all[:0]
	for _, run := range all {
		if n := len(joined); n > 0 && run.First <= joined[n-1].Last {
			joined[n-1].Last = max(joined[n-1].Last, run.Last)
			continue
		}
		joined = append(joined, run)
	}
	return joined
}

// captured returns how much of a time, in nanoseconds, the point captured: all of it but the silences.
func (p *point) captured(start, end int64) time.Duration {
	have := time.Duration(end - start)
	between := Window{start, end}.seconds()
	for _, s := range p.silent {
		have -= time.Duration(max(0, min(between.Last, s.Last)-max(between.First, s.First))) * time.Second
	}
	return max(0, have)
}
