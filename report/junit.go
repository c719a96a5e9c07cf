package report

// Rules of the JUnit report
//
//  1. The schema meant is junit-10.xsd of Jenkins' xUnit plugin, which the Ant and Surefire dialects agree with.
//  2. One suite each of the captures, the conversations and the expectations. A test case of the second is a cause, as in
//     the text report; of the third one expectation.
//  3. A failure is an open error. What is only a warning, could not be judged, is excepted or did not apply is skipped, with
//     its words: it is no pass. An error is a capture that is not whole, or a sum that does not hold.

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"flowvet/match"
)

type junitReport struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property,omitempty"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string     `xml:"name,attr"`
	Class   string     `xml:"classname,attr"`
	Skipped *junitWhy  `xml:"skipped,omitempty"`
	Error   *junitWhy  `xml:"error,omitempty"`
	Failure *junitWhy  `xml:"failure,omitempty"`
	Out     *junitText `xml:"system-out,omitempty"`
}

type junitWhy struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type junitText struct {
	Text string `xml:",chardata"`
}

// JUnit writes the report for build servers.
func JUnit(w io.Writer, r *match.Result, o Options) error {
	t := newTeller(r, o)
	t.filters = true
	report := junitReport{Name: "flowvet", Suites: []junitSuite{
		t.junitSuite("flowvet.captures", t.junitCaptures()),
		t.junitSuite("flowvet.conversations", t.junitConversations()),
		t.junitSuite("flowvet.expectations", t.junitExpectations()),
	}}
	if len(r.Scenarios) > 0 {
		report.Suites = append(report.Suites, t.junitSuite("flowvet.scenarios", t.junitScenarios()))
	}
	report.Suites[0].Properties = t.junitProperties()
	for _, s := range report.Suites {
		report.Tests += s.Tests
		report.Failures += s.Failures
		report.Errors += s.Errors
	}
	b := bufio.NewWriter(w)
	b.WriteString(xml.Header)
	e := xml.NewEncoder(b)
	e.Indent("", " ")
	if err := e.Encode(report); err != nil {
		return err
	}
	b.WriteByte('\n')
	return b.Flush()
}

func (t *teller) junitSuite(name string, cases []junitCase) junitSuite {
	s := junitSuite{Name: name, Tests: len(cases), Cases: cases, Timestamp: t.r.AsOf.UTC().Format("2006-01-02T15:04:05")}
	for _, c := range cases {
		switch {
		case c.Error != nil:
			s.Errors++
		case c.Failure != nil:
			s.Failures++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
	return s
}

// junitProperties are the facts of the header, and the outcome.
func (t *teller) junitProperties() []junitProperty {
	all := []junitProperty{{"outcome", t.outcomeOfRun().text}, {"counts", t.sums()}}
	for _, f := range t.facts() {
		if last := len(all) - 1; f.label == "" {
			all[last].Value += "; " + plainText(f.body)
			continue
		}
		all = append(all, junitProperty{f.label, plainText(f.body)})
	}
	if part := t.partial(); part != "" {
		all = append(all, junitProperty{"narrowed", part})
	}
	return all
}

// junitCaptures has a case for each capture, and one for the sum of the packets.
func (t *teller) junitCaptures() []junitCase {
	var cases []junitCase
	for i := range t.r.Captures {
		c := junitCase{Name: Terminal(t.r.Captures[i].Name), Class: "flowvet.capture"}
		if broken := t.r.Captures[i].Damage; broken != nil {
			c.Error = &junitWhy{"damaged", fmt.Sprintf("ends early at byte %d: %s", broken.Offset, Terminal(broken.Reason)), ""}
		} else if t.r.Captures[i].Interrupted {
			c.Error = &junitWhy{"interrupted", "reading was stopped; what came before is judged", ""}
		}
		cases = append(cases, c)
	}
	sum := junitCase{Name: "every packet is accounted for", Class: "flowvet.capture"}
	words := balance(&t.r.Stats).text
	if t.r.Stats.Balanced() {
		sum.Out = &junitText{words}
	} else {
		sum.Error = &junitWhy{"conservation", words, ""}
	}
	return append(cases, sum)
}

// junitConversations has a case for each cause, open ones first, and one for each exception that covers findings.
func (t *teller) junitConversations() []junitCase {
	var cases []junitCase
	for _, b := range []match.Bucket{match.Undocumented, match.Indeterminate, match.Documented} {
		for _, g := range t.tally.groups[b] {
			f := g.exemplar(t.r)
			words := t.junitWords(t.remarks(g))
			c := junitCase{Name: plainText(t.headline(g, f)), Class: "flowvet.conversation." + b.String()}
			why := &junitWhy{f.Verdict.String(), t.sentenceOf(g, f), words}
			switch {
			case g.level == match.LevelError:
				c.Failure = why
			case g.level != match.LevelPass:
				c.Skipped = why
			default:
				c.Out = &junitText{words}
			}
			cases = append(cases, c)
		}
	}
	for _, u := range t.r.Exceptions {
		if n := t.tally.excepted[u.Exception.ID]; n > 0 {
			cases = append(cases, junitCase{
				Name: "excepted by " + Terminal(u.Exception.ID), Class: "flowvet.conversation.excepted",
				Skipped: &junitWhy{"excepted", count(n, "conversation") + ": " + Terminal(u.Exception.Justification), ""},
			})
		}
	}
	return cases
}

// junitExpectations has a case for each expectation.
func (t *teller) junitExpectations() []junitCase {
	var cases []junitCase
	for i := range t.r.Expectations {
		e := &t.r.Expectations[i]
		if !t.shown.expectation(e) {
			continue
		}
		one := &shortfall{members: []*match.Expectation{e}}
		c := junitCase{Name: t.junitExpectationName(one), Class: "flowvet.expectation." + Terminal(e.Class.String())}
		words := t.junitWords(t.shortfallRemarks(one))
		why := &junitWhy{e.Verdict.String(), t.became(one), words}
		switch x := e.Disposition.Exception; {
		case x != nil:
			c.Skipped = &junitWhy{"excepted", "excepted by " + Terminal(x.ID) + ": " + Terminal(x.Justification), words}
		case e.Level == match.LevelError:
			c.Failure = why
		case e.Verdict == match.Met:
			c.Out = &junitText{words}
		default:
			c.Skipped = why
		}
		cases = append(cases, c)
	}
	return cases
}

// junitExpectationName names an expectation without its verdict, so that a build server sees the same case in every run.
func (t *teller) junitExpectationName(s *shortfall) string {
	e := s.members[0]
	name := t.parties(s)
	if e.Line != nil {
		name += ", " + lineTitle(e)
	}
	if len(e.Rows) > 0 {
		name = rowService(e.Rows[0]) + " " + name + " (" + some(rowIDs(e.Rows), listed, "and") + ")"
	}
	return Terminal(e.ID) + " " + name
}

// junitWords prints remarks a line each, but for what only a person at a terminal would copy.
func (t *teller) junitWords(remarks []remark) string {
	var b strings.Builder
	for _, m := range remarks {
		if m.label != "settle" {
			b.WriteString(m.label + ": " + plainText(m.body) + "\n")
		}
	}
	return b.String()
}

// sentenceOf says in one sentence why a group has its verdict.
func (t *teller) sentenceOf(g *group, f *match.Finding) string {
	if g.scan != nil {
		return scanned(g)
	}
	return t.sentence(g, f)
}

// plainText joins spans without their styles.
func plainText(body []span) string {
	var b strings.Builder
	for _, s := range body {
		b.WriteString(s.text)
	}
	return strings.Join(strings.Fields(visible(b.String(), 0)), " ")
}
