package match

import (
	"fmt"
	"time"

	"flowvet/capture"
)

// Silence is the longest time between two packets of what should have spoken all the time.
type Silence struct {
	Start, End int64 // of the packets around it, or of the time that was looked at; nanoseconds, to the second
	Allowed    time.Duration
	// Blind is the longest time within it in which the captures heard nobody at all.
	Blind time.Duration
}

// Length returns how long it lasted.
func (s *Silence) Length() time.Duration { return time.Duration(s.End - s.Start) }

// blindFrom is the time without a frame of anybody from which captures count as blind: three heartbeats.
const blindFrom = 30 * time.Second

// mayBeBlindness reports whether packets that nobody captured could have kept the silence within what is allowed: the
// captures were blind for long, or for all of it.
func (s *Silence) mayBeBlindness() bool {
	blind := s.Blind >= blindFrom || s.Blind >= s.Length()-time.Second
	return blind && (s.Length()-s.Blind <= s.Allowed || s.Blind > s.Allowed)
}

// continuity holds the longest silence of a line against what it allows. A silence accuses only where the captures were not
// blind in it, and stand where they see the machines.
func (a *act) continuity(e *Expectation, seen *seenOf, places []place) {
	window := a.clip(e.Window)
	if covered := time.Duration(window.End - window.Start); covered < min(leastWindow, time.Duration(e.Window.End-e.Window.Start)) {
		e.Verdict = NotObservable
		e.Reason = Reason{
			"window-not-covered", fmt.Sprintf("the captures hold %s of the time that counts", duration(max(0, covered))),
			"start the capture a minute before the test, and go on for as long as the line asks",
		}
		return
	}
	e.Silence = a.longest(seen.seconds, window)
	e.Silence.Allowed = e.Line.MaxGap.Duration()
	gap := capture.Run{First: floorSecond(e.Silence.Start), Last: floorSecond(e.Silence.End)}
	if gap.Last-gap.First > 1 {
		e.Silence.Blind = time.Duration(a.blind(gap)) * time.Second
	}
	e.Detail = fmt.Sprintf("longest silence %s, from %s to %s; %s allowed", duration(e.Silence.Length()),
		utc(e.Silence.Start), utc(e.Silence.End), duration(e.Silence.Allowed))
	if e.Silence.Length() <= e.Silence.Allowed {
		return
	}
	switch s := a.weakest(places, Window{}, 0); {
	case e.Silence.mayBeBlindness():
		e.Verdict = NotObservable
		e.Reason = Reason{
			"window-not-covered", fmt.Sprintf("the captures heard nobody for %s of a silence of %s", duration(e.Silence.Blind), duration(e.Silence.Length())),
			"capture without a break, and note when a capture is restarted",
		}
	case s.level < CoverageDeclared:
		e.Verdict, e.Coverage, e.Reason = NotObservable, s.level, s.reason
	default:
		e.Verdict, e.Coverage = GapExceeded, s.level
	}
}

// longest returns the longest silence that touches a window: from packet to packet, or to the ends of the captures. The
// earliest of equals.
func (a *act) longest(spoke capture.Seconds, w Window) *Silence {
	within := w.seconds()
	longest := Silence{Start: w.Start, End: w.Start}
	last := floorSecond(a.first)
	consider := func(first, next int64) {
		if next <= within.First || first >= within.Last {
			return
		}
		if nanos(next-first) > longest.End-longest.Start {
			longest.Start, longest.End = nanos(first), nanos(next)
		}
	}
	for _, run := range spoke {
		consider(last, run.First)
		if second := max(run.First, within.First); second < run.Last {
			consider(second, second+1)
		}
		last = run.Last
	}
	consider(last, floorSecond(a.last))
	return &longest
}

// silent judges a line by which a machine must not speak.
func (a *act) silent(e Expectation) Expectation {
	spoke, _ := a.watch.heard(e.Subject)
	after := capture.Run{First: floorSecond(e.Window.Start) + 1, Last: floorSecond(e.Window.End)}
	again := spoke.Within(after)
	before := spoke.Within(capture.Run{First: floorSecond(a.first), Last: after.First - 1})
	reason := a.pointsCover(e.Window)
	switch {
	case len(again) > 0:
		e.Verdict, e.Detail = ForbiddenSeen, fmt.Sprintf("speaks again at %s", utc(nanos(again[0].First)))
		e.First = nanos(again[0].First)
	case len(before) == 0:
		e.Verdict = NotObservable
		e.Reason = Reason{"no-witness-source", "no frame of " + e.Subject.Name + " before", "start the capture a minute before the test"}
	case reason.Code != "":
		e.Verdict, e.Reason = NotObservable, reason
	case a.blind(capture.Run{First: after.First, Last: after.Last}) >= int64(silentFor/time.Second):
		e.Verdict = NotObservable
		e.Reason = Reason{"window-not-covered", "the captures heard nobody else either", "capture without a break where other hosts are heard as well"}
	default:
		e.Verdict, e.Coverage = Met, Proven
		e.Detail = "last frame at " + utc(nanos(before[len(before)-1].Last))
	}
	return e
}

// pointsCover says why no capture covers a time; the zero Reason where one does.
func (a *act) pointsCover(w Window) Reason {
	var reason Reason
	for _, p := range a.points {
		r, bad := p.timeReason(w, leastWindow)
		if !bad {
			return Reason{}
		}
		reason = r
	}
	return reason
}

// speaks judges a line by which a machine must speak, whatever it says. That it did not can never be proven: a host has
// networks that no capture shows.
func (a *act) speaks(e Expectation) Expectation {
	spoke, _ := a.watch.heard(e.Subject)
	in := spoke.Within(capture.Run{First: floorSecond(e.Window.Start) + 1, Last: floorSecond(e.Window.End)})
	if len(in) > 0 {
		e.Verdict, e.First = Met, nanos(in[0].First)
		e.Detail = "speaks at " + utc(e.First)
		return e
	}
	e.Verdict = NotObservable
	e.Reason = Reason{
		"no-witness-plane", "no frame of " + e.Subject.Name + " on any network that was captured",
		"capture on its storage or vMotion network as well",
	}
	return e
}
