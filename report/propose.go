package report

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"flowvet/catalog"
	"flowvet/match"
)

// selected is the selector of an exception, its parts as YAML has them; an empty one is any.
type selected struct{ verdict, src, dst, transport, port string }

// blanket reports whether it names fewer than two of src, dst and port.
func (s selected) blanket() bool {
	return s.src == "" && s.dst == "" || s.port == "" && (s.src == "" || s.dst == "")
}

// String prints it as a mapping of one line.
func (s selected) String() string {
	fields := []string{"verdicts: [" + s.verdict + "]"}
	for _, f := range []struct{ key, value string }{{"src", s.src}, {"dst", s.dst}, {"transport", s.transport}, {"port", s.port}} {
		if f.value != "" {
			fields = append(fields, f.key+": "+f.value)
		}
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// selected selects the expectations: by the machines that can stand at their ends, or the roles of the row.
func (s *shortfall) selected() selected {
	e := s.members[0]
	row := e.Rows[0]
	x := selected{e.Verdict.String(), s.standing(catalog.Source), s.standing(catalog.Target), rowTransport(row), row.Ports.String()}
	if row.Transport == catalog.TCP|catalog.UDP {
		x.transport = ""
	}
	return x
}

// Proposals writes an exceptions file with an entry for each open finding and absent expectation at least as bad as level,
// for a person to fill in and sign: until then it is refused, because justification, owner, approver and end are missing.
// Scans are only named: an exception for a scan would hide what it found. It returns how many entries it wrote.
func Proposals(w io.Writer, r *match.Result, o Options, level match.Level) (int, error) {
	p := &proposer{Writer: bufio.NewWriter(w), created: r.AsOf.UTC().Format("2006-01-02T15:04:05Z")}
	fmt.Fprintf(p, "# Exceptions proposed by flowvet %s as of %s, from\n", Terminal(o.Version), p.created)
	for i := range r.Captures {
		fmt.Fprintf(p, "#   %s: %s\n", Terminal(r.Captures[i].Name), count(r.Captures[i].Packets, "packet"))
	}
	p.line("# Take out what is to be mended instead. Fill in the rest: the approver is somebody else than the owner, expires is a",
		"# date (2015-12-31), controls say what is done in place of mending. The file is refused until that is done.")
	p.scans(r)
	p.line("exceptions:")
	t := &teller{r: r, o: o}
	for _, f := range r.Findings.All() {
		if f.Level >= level && !f.Disposition.Excepted() && f.Scan == 0 {
			p.propose(f.ID(), f.Level, FindingLine(f), t.meaningOf(f), findingSelected(f))
		}
	}
	for i := range r.Expectations {
		e := &r.Expectations[i]
		if e.Level >= level && !e.Disposition.Excepted() && e.Bucket() == match.Absent && len(e.Rows) > 0 {
			s := &shortfall{members: []*match.Expectation{e}}
			p.propose(e.ID, e.Level, e.Verdict.String()+"  "+ExpectationLine(r, e), rowLine(e.Rows[0]), s.selected())
		}
	}
	if p.entries == 0 {
		p.line("  []")
	}
	return p.entries, p.Flush()
}

// proposer writes entries. Write errors are kept by the bufio.Writer.
type proposer struct {
	*bufio.Writer
	created string
	entries int
}

func (p *proposer) line(lines ...string) {
	for _, l := range lines {
		p.WriteString(l + "\n")
	}
}

func (p *proposer) scans(r *match.Result) {
	for i := range r.Scans {
		s := &r.Scans[i]
		fmt.Fprintf(p, "# Not proposed: a scan by %s, %s on %s.\n", s.Initiator, count(s.Ports, "port"), count(s.Hosts, "host"))
	}
}

func (p *proposer) propose(id string, level match.Level, what, why string, x selected) {
	p.entries++
	p.line("", "  # "+level.String()+": "+what)
	if why != "" {
		p.line("  # " + why)
	}
	p.line("  - id: "+yamlScalar("accept-"+id), "    selector: "+x.String())
	if x.blanket() {
		p.line("    blanket: true")
	}
	p.line("    justification:", "    owner:", "    approver:", "    created: "+p.created, "    expires:", "    ticket:", "    controls: []")
}

// meaningOf says what the verdict of a finding means, and its marks.
func (t *teller) meaningOf(f *match.Finding) string {
	return joined(meaning(f.Verdict), strings.Join(f.Qualifiers.Names(), ", "))
}

// findingSelected selects one finding, and nothing beside it.
func findingSelected(f *match.Finding) selected {
	end := func(pick endFunc) string {
		a, placed := pick(f)
		if placed != nil && placed.Machine != nil {
			return yamlScalar(placed.Machine.Name)
		}
		return yamlAddr(a)
	}
	x := selected{f.Verdict.String(), end(initiator), end(responder), f.Proto.String(), fmt.Sprint(f.Port)}
	if len(f.Groups) > 1 {
		x.dst = ""
	}
	return x
}
