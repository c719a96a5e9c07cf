package report

import (
	"slices"
	"strings"

	"flowvet/match"
)

// maxPlays bounds the runs of scenarios on the page, each of which has a table of its own.
const maxPlays = 100

// htmlPlay is one run of a scenario.
type htmlPlay struct {
	Name, Verdict, Style, Why, Remedy, Cannot string
	Facts                                     []htmlRemark
	Lines                                     []htmlLine
}

type htmlLine struct {
	State, Style, Name, Means, Became, Remedy string
}

// htmlPlays tells the runs of scenarios in the order asked for, their lines by what they ask of a reader.
func (t *teller) htmlPlays() (plays []htmlPlay, more string) {
	if t.shown.narrows() {
		return nil, ""
	}
	for i := range t.r.Scenarios[:min(len(t.r.Scenarios), maxPlays)] {
		plays = append(plays, t.htmlPlay(&t.r.Scenarios[i]))
	}
	if n := len(t.r.Scenarios) - len(plays); n > 0 {
		more = count(n, "more run") + " not shown: the JSON report of the same run has all."
	}
	return plays, more
}

func (t *teller) htmlPlay(run *match.ScenarioRun) htmlPlay {
	p := htmlPlay{
		Name: Terminal(run.Scenario.Name), Verdict: strings.ToUpper(run.Verdict.String()), Style: htmlStyle(verdictStyle(run.Verdict)),
		Why: Terminal(run.Why), Remedy: Terminal(run.Remedy), Cannot: strings.Join(each(run.Scenario.CannotShow, Terminal), "; "),
	}
	for _, m := range t.runFacts(run) {
		p.Facts = append(p.Facts, htmlRemarkOf(m))
	}
	for _, e := range t.linesByUrgency(run) {
		p.Lines = append(p.Lines, htmlLine{
			State: e.State().String(), Style: htmlStyle(stateStyle(e.State())), Name: t.lineHead(e), Means: Terminal(e.Line.Means),
			Became: plainText(t.lineBecame(e)), Remedy: t.lineRemedy(e),
		})
	}
	return p
}

// linesByUrgency returns the lines of a run, those that decide against it first, else in the order of its file.
func (t *teller) linesByUrgency(run *match.ScenarioRun) []*match.Expectation {
	lines := t.linesOf(run)
	slices.SortStableFunc(lines, func(a, b *match.Expectation) int { return urgency(a) - urgency(b) })
	return lines
}
