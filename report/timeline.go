package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"flowvet/capture"
	"flowvet/match"
)

// Measures of the timeline, in pixels.
const (
	timeLeft   = 290
	timeWidth  = 640
	timeTop    = 30
	timeLane   = 24
	timeBar    = 14
	timeLanes  = 30 // what is rarer is only counted
	timeTicks  = 6
	silentFrom = 3 // periods: the same as absence needs
)

// lane is one class of conversations: a service with one bucket.
type lane struct {
	Label, Class        string
	Y, H, LabelX, TextY int
	Bars, Gaps          []svgBox
	N                   int
	Seconds             int64
	First, Last         string

	seconds capture.Seconds
	bucket  match.Bucket
	silent  capture.Seconds // in which some conversation of the class should have spoken
}

// silence is the longest time without a packet of a conversation that should have one every period.
type silence struct {
	Who, Service, From, To, Blind string
	Seconds                       int64
	Period                        string
}

type tick struct {
	X, Y, TextY int
	Text        string
}

// timeline is the picture of what was there when.
type timeline struct {
	Width, Height, Floor int
	From, To             string
	Window               *svgBox
	Ticks                []tick
	Stages               []*stageLane
	Lanes                []*lane
	Marks                []timeMark
	Silences             []silence
	Note                 string

	span capture.Run
}

// timeline draws when each class of conversation had packets; nil when no time is known.
func (t *teller) timeline() *timeline {
	second := time.Second.Nanoseconds()
	l := &timeline{
		Width: timeLeft + timeWidth + 30, From: clock(t.r.First), To: clock(t.r.Last),
		span: capture.Run{First: t.r.First / second, Last: t.r.Last / second},
	}
	if t.r.Last <= t.r.First {
		return nil
	}
	lanes := t.lanes(l)
	if len(lanes) == 0 {
		return nil
	}
	l.Lanes = lanes[:min(len(lanes), timeLanes)]
	if left := len(lanes) - len(l.Lanes); left > 0 {
		l.Note = count(left, "rarer class") + " not drawn."
	}
	l.staged(t)
	top := timeTop + timeLane*len(l.Stages)
	l.Floor = top + timeLane*len(l.Lanes)
	l.Height = l.Floor + 10 + l.foot()
	for i, lane := range l.Lanes {
		l.draw(lane, top+i*timeLane)
	}
	l.ticks()
	if w := t.r.Window; !w.IsZero() {
		box := l.box(capture.Run{First: w.Start / second, Last: w.End / second})
		box.Y, box.H = timeTop, l.Floor-timeTop
		l.Window = &box
	}
	return l
}

// lanes unites the seconds of the findings by service and bucket, those with most against them first.
func (t *teller) lanes(l *timeline) []*lane {
	type class struct {
		bucket  match.Bucket
		service string
	}
	running := t.running()
	all := map[class]*lane{}
	for _, f := range t.r.Findings.All() {
		if f.Bucket() == match.NotJudged || len(f.Seconds) == 0 || !t.shown.finding(f) {
			continue
		}
		key := class{f.Bucket(), service(f.Proto, f.Port)}
		if f.Scan > 0 {
			key.service = "scan-like"
		}
		if all[key] == nil {
			all[key] = &lane{Label: key.service, Class: f.Bucket().String(), bucket: key.bucket}
			if len(f.Rows) > 0 && f.Bucket() == match.Documented {
				all[key].Label += " " + Terminal(f.Rows[0].Purpose)
			}
		}
		all[key].N++
		for _, run := range f.Seconds {
			all[key].seconds.AddRun(run)
		}
		if gap, silent := longestSilence(f, l.span); silent {
			all[key].silent.AddRun(gap)
			l.Silences = append(l.Silences, silenceOf(f, gap, running))
		}
	}
	slices.SortStableFunc(l.Silences, func(a, b silence) int { return cmp.Compare(b.Seconds, a.Seconds) })
	l.Silences = l.Silences[:min(len(l.Silences), maxSilences)]
	return slices.SortedFunc(maps.Values(all), func(a, b *lane) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(b.N, a.N), cmp.Compare(a.Label, b.Label))
	})
}

// maxSilences bounds the table of silences.
const maxSilences = 200

// running is when any capture was running, by its packets and statistics.
func (t *teller) running() capture.Seconds {
	second := time.Second.Nanoseconds()
	var on capture.Seconds
	for i := range t.r.Captures {
		c := &t.r.Captures[i]
		if c.Packets > 0 {
			on.AddRun(capture.Run{First: c.First / second, Last: c.Last / second})
		}
		for _, n := range c.Interfaces {
			if n.Start != 0 && n.End >= n.Start {
				on.AddRun(capture.Run{First: n.Start / second, Last: n.End / second})
			}
		}
	}
	return on
}

// longestSilence returns the longest silence of a conversation that is documented by a periodic row, if it is longer than
// three periods.
func longestSilence(f *match.Finding, span capture.Run) (capture.Run, bool) {
	if f.Bucket() != match.Documented || len(f.Rows) == 0 || f.Rows[0].Period == 0 {
		return capture.Run{}, false
	}
	gap, found := f.Seconds.LongestGap(span)
	return gap, found && time.Duration(length(gap))*time.Second > silentFrom*f.Rows[0].Period
}

func length(r capture.Run) int64 { return r.Last - r.First + 1 }

func silenceOf(f *match.Finding, gap capture.Run, running capture.Seconds) silence {
	s := silence{
		Who: endName(f.Initiator, f.From) + " -> " + endName(f.Responder, f.To), Service: service(f.Proto, f.Port),
		From: clock(gap.First * 1e9), To: clock(gap.Last * 1e9), Seconds: length(gap), Period: seconds(f.Rows[0].Period), Blind: "yes",
	}
	switch seen := running.Within(gap).Len(); {
	case seen == 0:
		s.Blind = "no: the silence is the captures' own"
	case seen < length(gap):
		s.Blind = count(uint64(length(gap)-seen), "second") + " of it not"
	}
	return s
}

// draw places a lane and its bars. Neighbouring pixels are one bar: however long the capture, a lane has few.
func (l *timeline) draw(n *lane, y int) {
	n.Y, n.H, n.LabelX, n.TextY = y+4, timeBar, timeLeft-8, y+15
	n.Label, n.Seconds = cut(n.Label, 46), n.seconds.Len()
	if span, ok := n.seconds.Span(); ok {
		n.First, n.Last = clock(span.First*1e9), clock(span.Last*1e9)
	}
	for _, run := range n.seconds {
		box := l.box(run)
		if last := len(n.Bars) - 1; last >= 0 && box.X <= n.Bars[last].X+n.Bars[last].W {
			n.Bars[last].W = max(n.Bars[last].W, box.X+box.W-n.Bars[last].X)
			continue
		}
		n.Bars = append(n.Bars, box)
	}
	for _, run := range n.silent {
		box := l.box(run)
		box.TextX, box.TextY = box.X+box.W/2, y+15
		if box.W >= leastGap {
			n.Gaps = append(n.Gaps, box)
		}
	}
}

// leastGap is the width from which the word "gap" has room; shorter silences stand in the table only.
const leastGap = 24

// ticks divides the axis evenly.
func (l *timeline) ticks() {
	layout := "15:04:05"
	if length(l.span) > 24*60*60 {
		layout = "01-02 15:04"
	}
	for i := range timeTicks + 1 {
		second := l.span.First + int64(i)*length(l.span)/timeTicks
		l.Ticks = append(l.Ticks, tick{
			X: timeLeft + i*timeWidth/timeTicks, Y: timeTop - 6, TextY: timeTop - 12, Text: time.Unix(second, 0).UTC().Format(layout),
		})
	}
}
