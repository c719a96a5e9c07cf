package report

// Rules of the Markdown report
//
//  1. GitHub's dialect, for a ticket or a wiki: tables and strike-through, no HTML.
//  2. It says what the text report says, in the same words and order.
//  3. A captured name can make no mark-up: what would is escaped by a backslash, and no line begins with one.

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"flowvet/match"
)

// Markdown writes the report for tickets and wikis.
func Markdown(w io.Writer, r *match.Result, o Options) error {
	m := &markdown{Writer: bufio.NewWriter(w), t: newTeller(r, o)}
	m.t.filters = true
	m.summary()
	m.facts()
	for _, c := range m.t.chapters() {
		m.chapter(&c)
	}
	m.line("---", "")
	m.line(mdSpan(balance(&r.Stats)))
	return m.Flush()
}

// markdown is one report being written. Write errors are kept by the bufio.Writer.
type markdown struct {
	*bufio.Writer
	t *teller
}

func (m *markdown) line(lines ...string) {
	for _, l := range lines {
		m.WriteString(l)
		m.WriteByte('\n')
	}
}

func (m *markdown) summary() {
	c := m.t.r.Counts
	m.line("# flowvet report", "", mdSpans(append(m.t.outcomeOfScenarios(), m.t.outcomeOfRun())...)+".", "")
	if part := m.t.partial(); part != "" {
		m.line("*"+MarkdownText(part)+"*", "")
	}
	m.line("| documented | undocumented | absent | could not be judged | excepted |", "|---:|---:|---:|---:|---:|")
	m.line(fmt.Sprintf("| %d | %d | %d | %d | %d |", c.Documented, c.Undocumented, c.Absent, c.Indeterminate+c.CouldNotJudge, c.Excepted), "")
}

// facts prints the grounds as a table; lines without a label stand in the row of the one before.
func (m *markdown) facts() {
	m.line("## Grounds", "", "| | |", "|---|---|")
	row := ""
	flush := func() {
		if row != "" {
			m.line(row + " |")
		}
	}
	for _, f := range m.t.facts() {
		if f.label == "" {
			row += "; " + mdSpans(f.body...)
			continue
		}
		flush()
		row = "| " + MarkdownText(f.label) + " | " + mdSpans(f.body...)
	}
	flush()
	m.line("")
}

func (m *markdown) chapter(c *chapter) {
	m.line("## "+MarkdownText(c.title), "", MarkdownText(c.what)+".", "")
	for i := range c.items {
		m.item(&c.items[i])
	}
	if c.left > 0 {
		m.line("… and "+count(c.left, "more group")+" (--limit 0 shows all)", "")
	}
	for _, l := range c.lines {
		m.remark(l)
	}
	if len(c.lines) > 0 {
		m.line("")
	}
}

func (m *markdown) item(i *item) {
	m.line("### "+i.level.String()+": "+mdSpans(i.head...), "")
	for _, r := range i.remarks {
		m.remark(r)
	}
	m.line("")
}

func (m *markdown) remark(r remark) {
	if r.label == "" {
		m.line("- " + mdSpans(r.body...))
		return
	}
	m.line("- **" + MarkdownText(r.label) + "** " + mdSpans(r.body...))
}

// mdSpans prints text with its emphasis. Emphasis must not touch the spaces around it.
func mdSpans(body ...span) string {
	var b strings.Builder
	for _, s := range body {
		b.WriteString(mdSpan(s))
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func mdSpan(s span) string {
	mark := map[style]string{strong: "**", bad: "**", struck: "~~"}[s.style]
	word := strings.TrimSpace(s.text)
	if mark == "" || word == "" {
		return MarkdownText(s.text)
	}
	before, after, _ := strings.Cut(s.text, word)
	return before + mark + MarkdownText(word) + mark + after
}

// MarkdownText makes a captured or user-given string safe for Markdown: it escapes what would be read as mark-up, and what
// GitHub would make a link of. What only means something at the beginning of a line needs no escape: no captured text
// stands there.
func MarkdownText(s string) string {
	s = visible(s, 0)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		rest := s[i:]
		switch {
		case strings.IndexByte("\\`*_[]<&|~$", s[i]) >= 0, strings.HasPrefix(rest, "://"):
			b.WriteByte('\\')
		case strings.HasPrefix(strings.ToLower(rest[:min(len(rest), 4)]), "www."):
			b.WriteString(s[i:i+3] + `\`)
			i += 3
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
