package report

import (
	"fmt"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/match"
)

// assessment is what the traffic says of one control: how much of it is satisfied, how much is not, and how much nobody can
// judge. It is never one figure: a percentage would make a pass of what was not seen.
type assessment struct {
	catalog.Control
	satisfied, not, unjudged int
	open                     []string // ids of what is not satisfied
}

// weigh counts one piece of evidence. An exception that is in force satisfies: somebody approved it.
func (a *assessment) weigh(id string, b match.Bucket, l match.Level, d match.Disposition) {
	switch {
	case b == match.Indeterminate:
		a.unjudged++
	case d.Excepted(), l < match.LevelWarning, b == match.Documented && l == match.LevelWarning:
		a.satisfied++
	default:
		a.fail(id)
	}
}

func (a *assessment) fail(id string) {
	a.not++
	if id != "" {
		a.open = append(a.open, id)
	}
}

// assess holds the result against the controls of the frameworks asked for.
func assess(r *match.Result, frameworks []string) []assessment {
	if len(frameworks) == 0 {
		return nil
	}
	var all []assessment
	for _, c := range catalog.Controls() {
		if !slices.Contains(frameworks, c.Framework) {
			continue
		}
		a := assessment{Control: c}
		for _, m := range c.Measures {
			a.measure(r, m)
		}
		all = append(all, a)
	}
	return all
}

// measure adds the evidence of one measure of controls.csv.
func (a *assessment) measure(r *match.Result, measure string) {
	name, plane, _ := strings.Cut(measure, ":")
	switch name {
	case "conversations":
		for _, f := range r.Findings.All() {
			if f.Bucket() != match.NotJudged {
				a.weigh(f.ID(), f.Bucket(), f.Level, f.Disposition)
			}
		}
	case "insecure":
		for _, f := range r.Findings.All() {
			if f.Qualifiers.Has(match.Insecure) {
				a.insecure(f)
			}
		}
	case "expectations":
		for i := range r.Expectations {
			if e := &r.Expectations[i]; e.Bucket() != match.NotJudged {
				a.weigh(e.ID, e.Bucket(), e.Level, e.Disposition)
			}
		}
	case "scenarios":
		for i := range r.Scenarios {
			a.scenario(r.Scenarios[i].Verdict)
		}
	case "segments":
		a.segments(r, plane)
	case "blocked":
		for _, f := range r.Findings.All() {
			a.blocked(f)
		}
	case "captures":
		for i := range r.Captures {
			a.capture(&r.Captures[i])
		}
	}
}

func (a *assessment) scenario(v match.ScenarioVerdict) {
	switch v {
	case match.Pass:
		a.satisfied++
	case match.Fail:
		a.fail("")
	default:
		a.unjudged++
	}
}

// insecure is satisfied by an exception that says what is done in place of closing the service.
func (a *assessment) insecure(f *match.Finding) {
	switch x := f.Disposition.Exception; {
	case x != nil && len(x.Controls) > 0:
		a.satisfied++
	case f.Bucket() == match.Indeterminate:
		a.unjudged++
	default:
		a.fail(f.ID())
	}
}

// segments counts the conversations that touch segments of a plane, or of any; a segment in which nothing was seen, or that
// nobody declared, is not judged.
func (a *assessment) segments(r *match.Result, plane string) {
	declared := false
	for i := range r.Segments {
		s := &r.Segments[i]
		if plane != "" && s.Plane != plane {
			continue
		}
		declared = true
		if s.Conversations == 0 {
			a.unjudged++
		}
		a.satisfied += s.Conversations - len(s.Foreign)
		for _, n := range s.Foreign {
			f := r.Findings.At(n)
			b := f.Bucket()
			if b != match.Indeterminate {
				b = match.Undocumented
			}
			a.weigh(f.ID(), b, max(f.Level, match.LevelWarning), f.Disposition)
		}
	}
	if !declared {
		a.unjudged++
	}
}

// blocked looks at undocumented attempts: one that was refused or not answered was kept out, by whomever.
func (a *assessment) blocked(f *match.Finding) {
	switch {
	case f.Bucket() != match.Undocumented || len(f.Groups) > 0:
	case f.Outcome == match.Refused || f.Outcome == match.Unanswered || f.Disposition.Excepted():
		a.satisfied++
	case f.Outcome == match.Success || f.Outcome == match.HalfOpen:
		a.fail(f.ID())
	default:
		a.unjudged++
	}
}

// mostLoss is the fraction of packets that a capture may lose and still prove absence (docs/verdicts.md).
const mostLoss = 0.001

// capture is satisfied by one that is whole; whether one lost packets that does not say so, nobody knows.
func (a *assessment) capture(c *match.CaptureInfo) {
	switch {
	case c.Damage != nil || c.Interrupted || c.HalfCapture || c.DropsRecorded && float64(c.Drops) > mostLoss*float64(c.Received):
		a.fail("")
	case !c.DropsRecorded || c.FilterSuspected != "":
		a.unjudged++
	default:
		a.satisfied++
	}
}

// verdict says how a control stands, in the words of a scenario.
func (a *assessment) verdict() (words string, as style) {
	switch {
	case a.not > 0:
		return "not satisfied", bad
	case a.unjudged > 0 || a.satisfied == 0:
		return "no judgement", doubt
	}
	return "satisfied", good
}

func (a *assessment) counts() string {
	return fmt.Sprintf("%d satisfied, %d not satisfied, %d without judgement", a.satisfied, a.not, a.unjudged)
}

// controlsChapter tells the controls that were asked for; false where none was.
func (t *teller) controlsChapter() (chapter, bool) {
	c := chapter{title: controlsTitle, what: "what this traffic says of each, and what it cannot say; not an audit"}
	for _, a := range assess(t.r, t.o.Controls) {
		words, as := a.verdict()
		line := []span{{words, as}, text(fmt.Sprintf(": %s (%s). Shows %s. Cannot show %s.", a.Title, a.counts(), a.Shows, a.Cannot))}
		if len(a.open) > 0 {
			line = append(line, text(" Open: "+some(each(a.open, Terminal), listed, "and")+"."))
		}
		c.lines = append(c.lines, remark{a.Name, line})
	}
	return c, len(c.lines) > 0
}

const controlsTitle = "Controls"

// controls prints the section of the controls.
func (t *reporter) controls() {
	if c, asked := t.controlsChapter(); asked {
		t.section(strings.ToUpper(c.title), c.what)
		for _, l := range c.lines {
			t.para(entryIndent, span{l.label, strong})
			t.para(detailIndent, l.body...)
		}
	}
}

// jsonControl is what the traffic says of one control.
type jsonControl struct {
	Framework    string   `json:"framework"`
	Control      string   `json:"control"`
	Title        string   `json:"title"`
	Verdict      string   `json:"verdict"`
	Satisfied    int      `json:"satisfied"`
	NotSatisfied int      `json:"not_satisfied"`
	NoJudgement  int      `json:"no_judgement"`
	Open         []string `json:"open"`
	Shows        string   `json:"shows"`
	CannotShow   string   `json:"cannot_show"`
}

func jsonControlOf(a *assessment) jsonControl {
	words, _ := a.verdict()
	return jsonControl{a.Framework, a.Name, a.Title, words, a.satisfied, a.not, a.unjudged, list(a.open), a.Shows, a.Cannot}
}

type htmlControl struct {
	Name, Title, Verdict, Style, Shows, Cannot string
	Satisfied, Not, Unjudged                   int
}

func (t *teller) htmlControls() []htmlControl {
	return each(assess(t.r, t.o.Controls), func(a assessment) htmlControl {
		words, as := a.verdict()
		return htmlControl{
			a.Name, a.Title, words, map[style]string{bad: "bad", doubt: "doubt", good: "good"}[as], a.Shows, a.Cannot, a.satisfied, a.not, a.unjudged,
		}
	})
}
