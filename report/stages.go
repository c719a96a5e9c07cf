package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"flowvet/capture"
	"flowvet/match"
)

// Measures of the stages and marks above the timeline, in pixels.
const (
	maxStages  = 12
	maxMarks   = 24
	leastStage = 4  // width of an operation that is shorter than a pixel
	wordWidth  = 60 // from which a stage has room for its name
	markApart  = 14 // letters nearer than this stand above each other
	markRow    = 13
)

// stageLane is one operation above the timeline: the phases of its scenario, one beside the other.
type stageLane struct {
	Label, Words        string
	LabelX, TextY, Y, H int
	Boxes               []svgBox
}

// timeMark is a moment that the picture points at by a letter, and its table names.
type timeMark struct {
	X, Top, Bottom, TextY int
	Letter, At, What      string

	nanos int64
}

// staged draws the runs of scenarios, and the operations that none is about.
func (l *timeline) staged(t *teller) {
	for i := range t.r.Scenarios {
		run := &t.r.Scenarios[i]
		if run.Known {
			l.play(t, run)
		}
	}
	for _, o := range t.unplayed() {
		l.stage(fmt.Sprintf("%d %s", o.Number, o.Kind), []svgBox{l.phase("operation", o.Start, o.End)})
		l.happened(t, fmt.Sprintf("operation %d", o.Number), o)
	}
	if n := len(l.Stages) - maxStages; n > 0 {
		l.Note += " " + count(n, "more operation") + " not drawn."
		l.Stages = l.Stages[:maxStages]
	}
	l.lettered()
}

// play draws the phases of one run: the lead, the operation, the lead after it, and what follows.
func (l *timeline) play(t *teller, run *match.ScenarioRun) {
	lead := run.Scenario.Lead.N
	name := Terminal(runID(run))
	boxes := []svgBox{
		l.phase("baseline", t.r.First, run.Start-lead), l.phase("lead", run.Start-lead, run.Start),
		l.phase("lead", run.End, run.End+lead), l.phase("aftermath", run.End+lead, t.r.Last), l.phase("operation", run.Start, run.End),
	}
	l.stage(name, slices.DeleteFunc(boxes, func(b svgBox) bool { return b.W == 0 }))
	if o := t.operationOf(run); o != nil {
		l.happened(t, name, o)
		return
	}
	l.mark(run.Start, name+" begins, as the operator says")
}

// phase is the time of one phase; without width where it is none.
func (l *timeline) phase(class string, from, to int64) svgBox {
	if to < from || class != "operation" && to == from {
		return svgBox{}
	}
	left, right := l.at(from), l.at(to)
	box := svgBox{Class: class, X: left, W: right - left}
	if class == "operation" {
		box.W = max(box.W, leastStage)
	}
	return box
}

// at is where a moment stands on the axis, within it.
func (l *timeline) at(nanos int64) int {
	begin := l.span.First * int64(time.Second)
	whole := float64(length(l.span)) * float64(time.Second)
	share := float64(nanos-begin) / whole
	return timeLeft + int(min(max(share, 0), 1)*timeWidth)
}

// stage adds a lane, and names each phase that has room for a word.
func (l *timeline) stage(label string, boxes []svgBox) {
	y := timeTop + timeLane*len(l.Stages)
	for i := range boxes {
		b := &boxes[i]
		b.Y, b.H, b.TextX, b.TextY = y+4, timeBar, b.X+b.W/2, y+15
		if b.W >= wordWidth {
			b.Labels = []svgText{{Text: b.Class, X: b.TextX, Y: b.TextY}}
		}
	}
	l.Stages = append(l.Stages, &stageLane{Label: cut(label, 46), LabelX: timeLeft - 8, TextY: y + 15, Y: y + 4, H: timeBar, Boxes: boxes})
}

// happened marks the moments of an operation.
func (l *timeline) happened(t *teller, name string, o *match.Operation) {
	began := name + ": " + string(o.Kind) + " " + t.operationParties(o) + " begins"
	if o.Connections > 0 {
		began += fmt.Sprintf(": %s of payload in %s, %s", octets(o.Bytes), exactly(o.End-o.Start), throughput(o))
	}
	l.mark(o.Start, began+referred(t, o))
	if !o.Open {
		l.mark(o.End, name+": ends")
	}
	if o.SwitchedOver {
		l.mark(o.SwitchOver.At, name+": "+t.switchOver(o))
	}
	if o.Next != nil {
		l.mark(o.NextAt, name+": protected again, with "+Terminal(o.Next.Name))
	}
}

// mark points at a moment of the captures.
func (l *timeline) mark(nanos int64, what string) {
	if second := nanos / int64(time.Second); second < l.span.First || second > l.span.Last {
		return
	}
	l.Marks = append(l.Marks, timeMark{nanos: nanos, X: l.at(nanos), At: time.Unix(0, nanos).UTC().Format("2006-01-02 15:04:05.000"), What: what})
}

// lettered gives the marks their letters in the order of time.
func (l *timeline) lettered() {
	slices.SortStableFunc(l.Marks, func(a, b timeMark) int { return cmp.Compare(a.nanos, b.nanos) })
	if n := len(l.Marks) - maxMarks; n > 0 {
		l.Note += " " + count(n, "later mark") + " not drawn."
		l.Marks = l.Marks[:maxMarks]
	}
	for i := range l.Marks {
		l.Marks[i].Letter = string(rune('A' + i))
	}
}

// foot places the letters under the lanes, those too near to each other one above the other, and returns how high they are.
func (l *timeline) foot() int {
	row, most := 0, 0
	for i := range l.Marks {
		m := &l.Marks[i]
		if i > 0 && m.X-l.Marks[i-1].X < markApart {
			row++
		} else {
			row = 0
		}
		most = max(most, row+1)
		m.Top, m.Bottom = timeTop, l.Floor
		m.TextY = l.Floor + markRow*(row+1)
	}
	return most * markRow
}

// box is where a run of seconds stands on the axis, at least one pixel wide.
func (l *timeline) box(r capture.Run) svgBox {
	second := int64(time.Second)
	left, right := l.at(r.First*second), l.at((r.Last+1)*second)
	return svgBox{X: left, W: max(right-left, 1)}
}
