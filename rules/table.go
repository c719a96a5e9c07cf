package rules

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"flowvet/match"
	"flowvet/report"
)

// columns is the first line of the CSV. Columns are only ever added, at the end; lists are separated by spaces.
func columns() []string {
	return []string{"machine", "direction", "transport", "port_low", "port_high", "own", "peers", "rows", "marks", "purpose"}
}

// CSV writes the policy for spreadsheets, a line an opening.
func CSV(w io.Writer, p *Policy) error {
	t := csv.NewWriter(w)
	t.Write(columns())
	for i := range p.Openings {
		o := &p.Openings[i]
		cells := []string{
			p.Machine.Name, direction(o), transport(o), fmt.Sprint(o.Ports.Lo), fmt.Sprint(o.Ports.Hi), o.Own.String(),
			others(o, " "), allIDs(o), strings.Join(marks(o), "; "), o.Rows[0].Purpose,
		}
		for n, c := range cells {
			cells[n] = report.CSVCell(c)
		}
		t.Write(cells)
	}
	t.Flush()
	return t.Error()
}

func direction(o *match.Opening) string {
	if o.Out {
		return "out"
	}
	return "in"
}

func others(o *match.Opening, between string) string {
	if o.Any {
		return "any"
	}
	return strings.Join(peers(o), between)
}

// Markdown writes the policy for tickets and wikis: what to ask the network team for.
func Markdown(w io.Writer, p *Policy) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# Firewall rules for %s\n\n", report.MarkdownText(p.Machine.Name))
	for _, line := range p.header() {
		fmt.Fprintf(b, "- %s\n", report.MarkdownText(line))
	}
	in, out := p.split()
	markdownTable(b, "To it", "from", in)
	markdownTable(b, "From it", "to", out)
	return b.Flush()
}

func markdownTable(b *bufio.Writer, title, other string, openings []match.Opening) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if len(openings) == 0 {
		b.WriteString("Nothing.\n")
		return
	}
	fmt.Fprintf(b, "| port | own address | %s | rows | for |\n|---|---|---|---|---|\n", other)
	for i := range openings {
		o := &openings[i]
		_, what, _ := strings.Cut(describe(o), " ")
		cells := []string{service(o), o.Own.String(), others(o, ", "), allIDs(o), what}
		for n, c := range cells {
			cells[n] = report.MarkdownText(c)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}
