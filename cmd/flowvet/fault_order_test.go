package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"flowvet/capture/capturetest"
)

// differ returns the conversations of which two reports say something else, and of those how many say so unmarked.
func differ(before, after *judged) (lines []string, silent int) {
	was, is := before.conversations(), after.conversations()
	keys := maps.Clone(was)
	maps.Copy(keys, is)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		a, had := was[key]
		b, has := is[key]
		if a.verdict == b.verdict {
			continue
		}
		mark := "marked"
		if has && !b.marked {
			mark = "SILENT"
			silent++
		}
		lines = append(lines, fmt.Sprintf("%s: %s, was %s (%v, %v): %s", key, b.verdict, a.verdict, had, has, mark))
	}
	return lines, silent
}

// TestFault20ClockJumps sets the clock of 23 captures back by an hour and forward by 50 years in the middle, and stops it:
// no flow is lost, and every conversation is judged as before. What needs time to be absent may become unknown, never met
// or absent.
func TestFault20ClockJumps(t *testing.T) {
	const year = 365 * 24 * time.Hour
	compared, marked := 0, 0
	for _, s := range scenes(t) {
		before := s.judge(t, s.frames)
		for what, frames := range map[string][]capturetest.Frame{
			"an hour back":     jumped(s.frames, -time.Hour),
			"50 years forward": jumped(s.frames, 50*year),
			"stopped":          stopped(s.frames),
		} {
			after := s.judge(t, frames)
			if got, want := after.Stats.Judged, before.Stats.Judged; got != want || after.Stats.Read != before.Stats.Read {
				t.Errorf("%s, %s: %d packets judged, want %d", s.name, what, got, want)
			}
			lines, silent := differ(before, after)
			if silent > 0 {
				t.Errorf("%s, %s:\n\t%s", s.name, what, strings.Join(lines, "\n\t"))
			}
			marked += len(lines)
			wantNoNewAbsence(t, s.name+", "+what, before, after)
			compared += len(after.conversations())
		}
	}
	t.Logf("%d conversations, none judged otherwise without a mark, %d with one", compared, marked)
}

// wantNoNewAbsence wants nothing absent that was not absent before.
func wantNoNewAbsence(t *testing.T, what string, before, after *judged) {
	t.Helper()
	was := before.expectations()
	for _, e := range after.Expectations {
		if e.Bucket == "absent" && was[e.ID] != e.Verdict {
			t.Errorf("%s: %s is %s with coverage %s, was %s", what, e.ID, e.Verdict, e.Coverage, was[e.ID])
		}
	}
}

// TestFault21PacketsOutOfOrder shuffles 23 captures: conversations and expectations are judged as before, and how many
// packets were out of order is counted.
func TestFault21PacketsOutOfOrder(t *testing.T) {
	for _, s := range scenes(t) {
		before, after := s.judge(t, s.frames), s.judge(t, shuffled(s.frames))
		if lines, _ := differ(before, after); len(lines) > 0 {
			t.Errorf("%s:\n\t%s", s.name, strings.Join(lines, "\n\t"))
		}
		for id, verdict := range after.expectations() {
			if was := before.expectations()[id]; was != verdict {
				t.Errorf("%s: expectation %s is %s, was %s", s.name, id, verdict, was)
			}
		}
		if len(s.frames) > 10 && after.Stats.OutOfOrder == 0 {
			t.Errorf("%s: nothing is out of order", s.name)
		}
	}
}

// TestFault22EveryPacketTwice doubles 23 captures: judged as before, with and without --dedup.
func TestFault22EveryPacketTwice(t *testing.T) {
	for _, s := range scenes(t) {
		before := s.judge(t, s.frames)
		for _, more := range [][]string{nil, {"--dedup"}} {
			after := s.judge(t, doubled(s.frames), more...)
			if lines, _ := differ(before, after); len(lines) > 0 {
				t.Errorf("%s %v:\n\t%s", s.name, more, strings.Join(lines, "\n\t"))
			}
			for id, verdict := range after.expectations() {
				if was := before.expectations()[id]; was != verdict {
					t.Errorf("%s %v: expectation %s is %s, was %s", s.name, more, id, verdict, was)
				}
			}
		}
	}
}

// oneWay returns the frames that are not IP, and of each pair of addresses those of one direction: of the lower one, the
// higher one, or by chance.
func oneWay(frames []capturetest.Frame, choose func(pair string) bool) []capturetest.Frame {
	return without(frames, func(f capturetest.Frame) bool {
		src, dst, ok := hostsOf(f)
		if !ok || dst.IsMulticast() {
			return false
		}
		up := src.Less(dst)
		if !up {
			src, dst = dst, src
		}
		return up != choose(src.String()+" "+dst.String())
	})
}

// TestFault23OneDirection leaves of 23 captures one direction of each pair of hosts, or no packet that opens a connection:
// nothing is turned round without saying so.
func TestFault23OneDirection(t *testing.T) {
	inverted, compared := 0, 0
	for _, s := range scenes(t) {
		before := s.judge(t, s.frames)
		was := before.conversations()
		rng := rand.New(rand.NewPCG(23, 0))
		chance := map[string]bool{}
		for what, frames := range map[string][]capturetest.Frame{
			"the lower address only":  oneWay(s.frames, func(string) bool { return true }),
			"the higher address only": oneWay(s.frames, func(string) bool { return false }),
			"one direction by chance": oneWay(s.frames, func(pair string) bool {
				if _, known := chance[pair]; !known {
					chance[pair] = rng.IntN(2) == 0
				}
				return chance[pair]
			}),
			"no SYN":            without(s.frames, opening),
			"from the 2nd half": s.frames[len(s.frames)/2:],
		} {
			after := s.judge(t, frames)
			for key, is := range after.conversations() {
				compared++
				if _, known := was[key]; known || is.marked {
					continue
				}
				inverted++
				t.Errorf("%s, %s: %s is %s without a mark, and was not said of the whole", s.name, what, key, is.verdict)
			}
			if lines, silent := differ(before, after); silent > 0 {
				t.Errorf("%s, %s:\n\t%s", s.name, what, strings.Join(lines, "\n\t"))
			}
			wantNoNewAbsence(t, s.name+", "+what, before, after)
		}
	}
	t.Logf("%d conversations, %d inverted", compared, inverted)
}
