// Package report tells what was judged: as text for people, as JSON for programs, as CSV for spreadsheets.
//
// A [Format] turns a [match.Result] into bytes. It judges nothing and changes nothing: two formats of one result say the
// same in different words, and the same result gives the same bytes.
//
// # Hostile input
//
// Names come from captures and from files, and a report ends in somebody's terminal, parser or spreadsheet. No format
// ever emits a control, bidirectional or invisible character as it came: the text shows it as \x1b, JSON escapes it,
// and CSV does both and disarms formulas. The escaping is done where bytes leave a format, not where strings enter it.
package report

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"flowvet/inventory"
	"flowvet/match"
)

// Format writes a result. The error is the writer's; a format itself cannot fail.
type Format func(w io.Writer, r *match.Result, o Options) error

// Names returns the names of the formats, the default first.
func Names() []string {
	return []string{"text", "json", "csv", "markdown", "junit", "sarif", "jsonl", "html", "oscal"}
}

// ByName returns the format with that name.
func ByName(name string) (Format, bool) {
	switch name {
	case "sarif":
		return SARIF, true
	case "jsonl":
		return JSONL, true
	case "html":
		return HTML, true
	case "oscal":
		return OSCAL, true
	case "text":
		return Text, true
	case "json":
		return JSON, true
	case "csv":
		return CSV, true
	case "junit":
		return JUnit, true
	case "markdown":
		return Markdown, true
	}
	return nil, false
}

// DefaultWidth is the width of a text report whose terminal is not known, in columns.
const DefaultWidth = 100

// DefaultLimit is how many entries of a section a person is expected to read in one go: the proposed Options.Limit.
const DefaultLimit = 50

// Options narrow and shape a report. The zero value is everything, without colour, [DefaultWidth] wide.
type Options struct {
	Version string   // of flowvet, for the header
	Files   []string // what references call the captures, by file index; nil: the captures' own names

	Anonymized bool // the result went through [Anonymize]: said where a format can say it

	// Machine and Only narrow what is listed, in every format. Counts and exit status stay those of the whole result.
	Machine string   // a machine's name, an address or a prefix; empty: all
	Only    []string // words of [Words]; empty: all

	Controls []string // frameworks of [catalog.Frameworks] to group by, in text, Markdown, HTML and JSON; empty: no such section

	// Of the reports for people: text, Markdown, HTML.
	Verbose bool // list documented traffic, every nearest row, display filters, and where each packet went
	Limit   int  // entries per section; 0 = no limit

	// Of the text report only.
	Width int  // columns; 0 = DefaultWidth
	Color bool // emit ANSI colours
}

// Words returns what Options.Only understands: the buckets, the flow verdicts and the expectation verdicts.
func Words() []string {
	var words []string
	for b := match.NotJudged; b <= match.Documented; b++ {
		words = append(words, b.String())
	}
	for v := match.OutOfScope; v <= match.UnlistedPort; v++ {
		words = append(words, v.String())
	}
	for _, v := range match.ExpectationVerdicts() {
		words = append(words, v.String())
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// CheckOnly reports the first of the words that is none of [Words].
func CheckOnly(only []string) error {
	known := Words()
	for _, word := range only {
		if !slices.Contains(known, word) {
			return fmt.Errorf("%s is no bucket and no verdict: use one of %s", Terminal(word), strings.Join(known, ", "))
		}
	}
	return nil
}

// selection is what Options.Machine and Options.Only let through.
type selection struct {
	name   string       // empty: any machine
	prefix netip.Prefix // valid iff the machine was given as an address or a prefix
	only   []string
}

func newSelection(o Options) selection {
	s := selection{name: o.Machine, only: o.Only}
	if p, err := netip.ParsePrefix(o.Machine); err == nil {
		s.prefix = p.Masked()
	} else if a, err := netip.ParseAddr(o.Machine); err == nil {
		a = a.Unmap().WithZone("")
		s.prefix = netip.PrefixFrom(a, a.BitLen())
	}
	return s
}

func (s selection) narrows() bool { return s.name != "" || len(s.only) > 0 }

func (s selection) finding(f *match.Finding) bool {
	return s.word(f.Bucket().String(), f.Verdict.String()) &&
		(s.end(f.Initiator, f.From.Machine) || s.end(f.Responder, f.To.Machine))
}

func (s selection) expectation(e *match.Expectation) bool {
	if !s.word(e.Bucket().String(), e.Verdict.String()) {
		return false
	}
	return s.machine(e.Subject) || e.Candidates.Contains(s.machine)
}

// bucket reports whether anything of a bucket can be let through.
func (s selection) bucket(b match.Bucket) bool {
	if len(s.only) == 0 || slices.Contains(s.only, b.String()) {
		return true
	}
	for v := match.OutOfScope; v <= match.UnlistedPort; v++ {
		if v.Bucket() == b && slices.Contains(s.only, v.String()) {
			return true
		}
	}
	for _, v := range match.ExpectationVerdicts() {
		if v.Bucket() == b && slices.Contains(s.only, v.String()) {
			return true
		}
	}
	return false
}

func (s selection) word(bucket, verdict string) bool {
	return len(s.only) == 0 || slices.Contains(s.only, bucket) || slices.Contains(s.only, verdict)
}

func (s selection) end(a netip.Addr, m *inventory.Machine) bool {
	switch {
	case s.name == "":
		return true
	case s.prefix.IsValid():
		return s.prefix.Contains(a)
	}
	return m != nil && strings.EqualFold(m.Name, s.name)
}

func (s selection) machine(m *inventory.Machine) bool {
	switch {
	case s.name == "":
		return true
	case m == nil:
		return false
	case s.prefix.IsValid():
		return slices.ContainsFunc(m.Addrs, func(a *inventory.Addr) bool { return s.prefix.Contains(a.Addr) })
	}
	return strings.EqualFold(m.Name, s.name)
}
