package report

// Rules of the HTML report
//
//  1. One file that fetches nothing: style, script and pictures are in it, and its Content-Security-Policy lets the browser
//     run these two and nothing else. It says everything without its script, which sorts and filters tables.
//  2. Everything goes through html/template, after the words went through Terminal: a captured name is text.
//  3. No colour says anything alone: pictures have patterns, letters and a table beside them; it prints to A4 and Letter.
//  4. It is read by people who sign it: verdict and scope first, what could not be judged never last and never small.

import (
	"bufio"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"flowvet/match"
)

//go:embed assets
var assets embed.FS

// maxPageRows bounds every table of the page: a browser sorts 5,000 rows in less than half a second, and prints them.
const maxPageRows = 5000

// page is everything that the template shows.
type page struct {
	Style         template.CSS
	Script        template.JS
	Policy        string
	Version, AsOf string

	Verdict, Outcome, Class, Partial string
	Tiles                            []htmlTile
	Scope, Grounds, Glossary         []htmlRemark
	Balance                          []htmlSpan
	Summary                          []string
	Worst                            []htmlItem

	Captures     []htmlCapture
	CapturesLeft string

	Plays     []htmlPlay
	PlaysLeft string

	Matrix   *matrix
	Timeline *timeline
	Map      *netmap

	Findings, Open    []htmlChapter
	Expectations      []htmlExpectation
	ExpectationsLeft  string
	Doubts            []htmlDoubt
	Unjudged          []string
	Exceptions        []htmlException
	Insecure          []htmlInsecure
	InsecureLeft      string
	NeverUsed         []string
	Controls          []htmlControl
	Conversations     []htmlConversation
	ConversationsLeft string
}

type htmlTile struct {
	Label, Class string
	N            int
}

type htmlSpan struct {
	Text, Class    string
	Strong, Struck bool
}

type htmlRemark struct {
	Label string
	Body  []htmlSpan
}

type htmlItem struct {
	Anchor, Level string
	Head          []htmlSpan
	Remarks       []htmlRemark
}

type htmlChapter struct {
	Title, What, Left string
	Items             []htmlItem
	Lines             []htmlRemark
}

// HTML writes the report as one page that is complete in itself.
func HTML(w io.Writer, r *match.Result, o Options) error {
	layout, err := template.ParseFS(assets, "assets/page.html", "assets/pictures.html")
	if err != nil {
		return err
	}
	style, err := assets.ReadFile("assets/style.css")
	if err != nil {
		return err
	}
	script, err := assets.ReadFile("assets/script.js")
	if err != nil {
		return err
	}
	t := newTeller(r, o)
	t.filters = true
	p := newPage(t)
	p.Style, p.Script, p.Policy = template.CSS(style), template.JS(script), policy(style, script)
	b := bufio.NewWriter(w)
	if err := layout.ExecuteTemplate(b, "page.html", p); err != nil {
		return err
	}
	return b.Flush()
}

// policy is a Content-Security-Policy (W3C CSP 3) that allows one style sheet and one script, by their hashes.
func policy(style, script []byte) string {
	hash := func(data []byte) string {
		sum := sha256.Sum256(data)
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(style) + "; script-src " + hash(script) + "; img-src data:; base-uri 'none'; form-action 'none'"
}

func newPage(t *teller) *page {
	p := &page{Version: Terminal(t.o.Version), AsOf: t.r.AsOf.UTC().Format("2006-01-02 15:04:05 UTC"), Partial: t.partial()}
	p.cover(t)
	p.chapters(t)
	p.Summary = t.summarised()
	p.Captures, p.CapturesLeft = t.htmlCaptures()
	sum := balance(&t.r.Stats)
	sum.text = strings.TrimPrefix(sum.text, "packets: ")
	p.Balance = htmlSpans([]span{sum})
	p.Matrix, p.Timeline, p.Map = t.matrix(), t.timeline(), t.netmap()
	p.Plays, p.PlaysLeft = t.htmlPlays()
	p.Expectations, p.ExpectationsLeft = t.htmlExpectations()
	p.Doubts = t.htmlDoubts()
	p.Unjudged = t.unjudged()
	p.Exceptions = t.htmlExceptions()
	p.Insecure, p.InsecureLeft = t.htmlInsecure()
	p.NeverUsed = t.htmlNeverUsed()
	p.Controls = t.htmlControls()
	p.Conversations, p.ConversationsLeft = t.htmlConversations()
	p.Glossary = t.glossary()
	return p
}

// cover says the verdict, the counts and the scope.
func (p *page) cover(t *teller) {
	p.Verdict, p.Class = verdictWords(t.r)
	p.Outcome = plainText(append(t.outcomeOfScenarios(), t.outcomeOfRun()))
	c := t.r.Counts
	p.Tiles = []htmlTile{
		{"documented", "good", c.Documented},
		{"undocumented", "bad", c.Undocumented},
		{"expected but absent", "doubt", c.Absent},
		{"could not be judged", "open", c.Indeterminate + c.CouldNotJudge},
		{"excepted", "", c.Excepted},
	}
	for _, f := range t.facts() {
		switch f.label {
		case "capture", "":
			continue // each has its line in the table of captures
		case "catalogue", "warning":
		default:
			p.Scope = append(p.Scope, htmlRemarkOf(f))
		}
		p.Grounds = append(p.Grounds, htmlRemarkOf(f))
	}
	if t.r.Inventory != nil && t.r.Inventory.Inferred {
		p.Scope = append(p.Scope, htmlRemark{"roles", []htmlSpan{{Text: "inferred from the traffic itself: nothing here can be more than a warning", Class: "doubt"}}})
	}
	if len(t.r.Captures) == 1 {
		p.Scope = append([]htmlRemark{{"capture", []htmlSpan{{Text: Terminal(t.r.Captures[0].Name) + ", " + t.captureTotal()}}}}, p.Scope...)
	}
}

// verdictWords is the exit status in words for somebody who signs it.
func verdictWords(r *match.Result) (words, class string) {
	switch r.Status {
	case 0:
		return "Nothing open", "good"
	case 1:
		return "Findings are open", "bad"
	case 3:
		return "Inconclusive", "doubt"
	case 4:
		return "Partial: the captures are not whole", "doubt"
	}
	return "Not to be trusted", "bad"
}

// chapters sorts the chapters into those that accuse and those that could not be judged.
func (p *page) chapters(t *teller) {
	n := 0
	for _, c := range t.chapters() {
		if c.scenario || c.title == "Exceptions" || c.title == "Not judged" || c.title == insecureTitle || c.title == controlsTitle {
			continue // they have tables of their own
		}
		h := htmlChapter{Title: c.title, What: c.what}
		for i := range c.items {
			n++
			item := htmlItemOf(&c.items[i], fmt.Sprintf("entry-%d", n))
			h.Items = append(h.Items, item)
			if c.bucket == match.Undocumented || c.bucket == match.Absent {
				p.attend(item)
			}
		}
		if c.left > 0 {
			h.Left = "… and " + count(c.left, "more group") + " (--limit 0 shows all)"
		}
		for _, l := range c.lines {
			h.Lines = append(h.Lines, htmlRemarkOf(l))
		}
		if c.bucket == match.Indeterminate {
			p.Open = append(p.Open, h)
		} else {
			p.Findings = append(p.Findings, h)
		}
	}
}

// worstFirst is how many entries the summary names.
const worstFirst = 5

// attend lists an entry in the summary, if it is an error and there is room.
func (p *page) attend(i htmlItem) {
	if i.Level == match.LevelError.String() && len(p.Worst) < worstFirst {
		p.Worst = append(p.Worst, i)
	}
}

// summarised tells the result in a few sentences.
func (t *teller) summarised() []string {
	c := t.r.Counts
	if t.r.Recognised == 0 {
		return []string{"No address in these captures is known to be a VMware machine, so nothing could be held against the document. This is no pass: an inventory is needed that says who is who."}
	}
	all := []string{fmt.Sprintf("%s of %s in %s were held against the document: %d documented, %d undocumented, %d that could not be judged. A scan counts once.",
		count(c.Documented+c.Undocumented+c.Indeterminate, "conversation"), count(t.r.Recognised, "VMware machine"),
		count(len(t.r.Captures), "capture"), c.Documented, c.Undocumented, c.Indeterminate)}
	all = append(all, fmt.Sprintf("Of what the document expects of these machines: %d met, %d absent although the captures would have shown it, %d that could not be judged.",
		c.Met, c.Absent, c.CouldNotJudge))
	open := fmt.Sprintf("Open are %s and %s.", count(c.Errors, "error"), count(c.Warnings, "warning"))
	if c.Excepted > 0 {
		open += " " + count(c.Excepted, "finding") + " more are accepted by an exception, until it expires."
	}
	return append(all, open)
}

func htmlItemOf(i *item, anchor string) htmlItem {
	h := htmlItem{Anchor: anchor, Level: i.level.String(), Head: htmlSpans(i.head)}
	for _, r := range i.remarks {
		h.Remarks = append(h.Remarks, htmlRemarkOf(r))
	}
	return h
}

func htmlRemarkOf(r remark) htmlRemark { return htmlRemark{r.label, htmlSpans(r.body)} }

// htmlSpans translates styles into what the style sheet knows.
func htmlSpans(body []span) []htmlSpan {
	all := make([]htmlSpan, len(body))
	for i, s := range body {
		h := htmlSpan{Text: visible(s.text, 0), Class: htmlStyle(s.style)}
		switch s.style {
		case strong, heading:
			h.Strong = true
		case struck:
			h.Struck = true
		}
		all[i] = h
	}
	return all
}

// htmlStyle is the class of a style that the style sheet sets in colour; empty for others.
func htmlStyle(s style) string {
	return map[style]string{bad: "bad", doubt: "doubt", good: "good"}[s]
}

// left says what a table has no room for.
func left(n int, noun string) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("%s not shown: this page lists %d, the JSON report of the same run has all.", count(n, "more "+noun), maxPageRows)
}

// glossary explains every verdict that occurs.
func (t *teller) glossary() []htmlRemark {
	var all []htmlRemark
	seen := map[string]bool{}
	add := func(word, means string) {
		if !seen[word] {
			seen[word] = true
			all = append(all, htmlRemark{word, []htmlSpan{{Text: means}}})
		}
	}
	used := map[match.Verdict]bool{}
	for i := range t.r.Findings.Len() {
		used[t.r.Findings.Verdict(i)] = true
	}
	for v := match.VerdictDocumented; v <= match.UnlistedPort; v++ {
		if used[v] {
			add(v.String(), meaning(v))
		}
	}
	became := map[match.ExpectationVerdict]bool{}
	for i := range t.r.Expectations {
		became[t.r.Expectations[i].Verdict] = true
	}
	for _, v := range match.ExpectationVerdicts() {
		if became[v] {
			add(v.String(), expectationMeaning(v))
		}
	}
	return all
}

// clock prints a time of a capture in UTC as a table has room for it: with a place to break the line.
func clock(nanos int64) string { return time.Unix(0, nanos).UTC().Format("2006-01-02 15:04:05") }

// joined joins what is not empty.
func joined(parts ...string) string {
	var all []string
	for _, p := range parts {
		if p != "" {
			all = append(all, p)
		}
	}
	return strings.Join(all, "; ")
}
