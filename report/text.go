package report

// Rules of the text report
//
//  1. It is read at two in the morning: what is wrong comes first, in the order undocumented, absent, indeterminate,
//     documented; errors before warnings; the largest group first. The last line says it all in one.
//  2. Findings of one cause are one entry. An entry says who, to whom, on which port, and the verdict; then why; then what
//     was seen and in which packet; then the nearest row; then the line that would settle it, ready to copy.
//  3. Labels stand in a column of their own. Nothing is wider than the width but words that cannot be broken.
//  4. Everything is escaped by paper. Colour repeats what words say; it never says anything alone.
//  5. Indeterminate is never hidden and never a pass; a partial capture and inferred roles are said in capitals.
//  6. Times are UTC. Names are never looked up. The clock appears only as "as of".
//
// The text is for people and free to change. Programs read JSON.

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"flowvet/capture"
	"flowvet/match"
)

// Columns of the layout: entries stand at indent 2, the lines that explain them at indent 4.
const (
	entryIndent  = 2
	entryColumn  = 9
	detailIndent = 4
	detailColumn = 9
	lineColumn   = 17 // of the lines of a scenario
)

// reporter is one text report being written.
type reporter struct {
	*paper
	*teller
}

// teller finds the words for a result: what the text report prints, and other formats lay out in their own way. Its words
// are safe for a terminal; a format escapes them for what it is.
type teller struct {
	r     *match.Result
	o     Options
	shown selection
	tally *tally

	filters  bool // a Wireshark display filter stands with each finding
	proposed bool // an exception was proposed somewhere
}

func newTeller(r *match.Result, o Options) *teller {
	shown := newSelection(o)
	return &teller{r: r, o: o, shown: shown, tally: newTally(r, shown), filters: o.Verbose}
}

// Text writes the report for people.
func Text(w io.Writer, r *match.Result, o Options) error {
	t := &reporter{paper: newPaper(w, o.Width, o.Color), teller: newTeller(r, o)}
	t.header()
	t.nobody()
	t.told(t.scenarioChapters())
	t.findings(match.Undocumented)
	t.expectations(match.Absent)
	t.segments()
	t.indeterminate()
	t.documented()
	t.insecure()
	t.notJudged()
	t.exceptions()
	t.controls()
	t.howToExcept()
	t.told(t.adviceChapters())
	t.conservation()
	t.summary()
	return t.Flush()
}

// told prints chapters that are nothing but lines.
func (t *reporter) told(all []chapter) {
	for _, c := range all {
		t.blank()
		t.para(0, span{c.title, heading}, span{"  " + c.what, cmp.Or(c.as, quiet)})
		for _, l := range c.lines {
			t.item(entryIndent, lineColumn, span{l.label, quiet}, l.body...)
		}
	}
}

// section prints a heading with what stands under it.
func (t *reporter) section(title, what string) {
	t.blank()
	t.para(0, span{title, heading}, span{"  " + what, quiet})
}

// printed prints a chapter that has lines only.
func (t *reporter) printed(c chapter) {
	t.section(strings.ToUpper(c.title), c.what)
	for _, l := range c.lines {
		t.item(entryIndent, headerColumn, span{l.label, quiet}, l.body...)
	}
}

// silent reports whether a section can be left out: the report was narrowed, and not to this.
func (t *reporter) silent(b match.Bucket) bool { return !t.shown.bucket(b) }

func (t *reporter) findings(b match.Bucket) {
	if t.silent(b) {
		return
	}
	t.section(strings.ToUpper(b.String()), t.groupCounts(b))
	t.entries(b)
	t.excepted(t.tally.excepted, "conversation")
}

// groupCounts says how many findings a section has, in how many entries.
func (t *teller) groupCounts(b match.Bucket) string {
	groups := t.tally.groups[b]
	if len(groups) == 0 {
		return t.none()
	}
	if len(groups) == t.tally.findings[b] {
		return count(len(groups), "conversation")
	}
	return count(t.tally.findings[b], "conversation") + " of " + count(len(groups), "cause")
}

// none says that a section is empty, and does not make it sound like a pass where nothing was judged.
func (t *teller) none() string {
	if t.r.Recognised == 0 {
		return "nothing could be judged"
	}
	return "none"
}

func (t *reporter) entries(b match.Bucket) {
	groups := t.tally.groups[b]
	t.list(len(groups), func(i int, explained bool) { t.entry(groups[i], explained) })
}

// mostExplained is how many entries of a section are explained. What comes behind them is smaller, and told in a line each: a
// report of a million conversations stays a few hundred lines.
const mostExplained = 25

// list prints the entries of a section.
func (t *reporter) list(n int, print func(i int, explained bool)) {
	fit := t.fit(n)
	explained := fit
	if t.o.Limit > 0 && !t.o.Verbose {
		explained = min(fit, mostExplained)
	}
	for i := range fit {
		if i <= explained {
			t.blank()
		}
		print(i, i < explained)
	}
	if fit > explained {
		t.blank()
		t.para(entryIndent, span{fmt.Sprintf("… the last %d are not explained (-v explains them)", fit-explained), quiet})
	}
	t.rest(n-fit, "group")
}

// howToExcept completes the exceptions that entries propose.
func (t *reporter) howToExcept() {
	if t.proposed {
		t.blank()
		t.para(0, span{"A proposed exception goes under \"exceptions:\" of the file given with --exceptions; in place of … it needs " +
			"justification, owner, approver, created and expires. It accepts a finding until it expires; it does not make it documented.", quiet})
	}
}

// fit returns how many of n entries the limit lets through.
func (t *reporter) fit(n int) int {
	if t.o.Limit <= 0 {
		return n
	}
	return min(n, t.o.Limit)
}

// rest says what the limit held back.
func (t *reporter) rest(n int, noun string) {
	if n > 0 {
		t.blank()
		t.para(entryIndent, span{"… and " + count(n, "more "+noun) + " (--limit 0 shows all)", strong})
	}
}

// excepted names the exceptions that cover findings of a section, with how many each covers.
func (t *reporter) excepted(byID map[string]int, noun string) {
	if len(byID) == 0 {
		return
	}
	t.blank()
	t.item(entryIndent, entryColumn, span{"excepted", quiet}, text(exceptedBy(byID, noun)))
}

func exceptedBy(byID map[string]int, noun string) string {
	total := 0
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		total += byID[id]
		ids = append(ids, fmt.Sprintf("%s (%d)", Terminal(id), byID[id]))
	}
	return count(total, noun) + " by " + some(ids, 10, "and")
}

func (t *reporter) indeterminate() {
	if t.silent(match.Indeterminate) {
		return
	}
	expected := shortfalls(t.r, t.shown, match.Indeterminate)
	t.section("INDETERMINATE", t.doubtCounts(expected))
	notes := 0
	if !t.o.Verbose {
		notes = trailingNotes(expected)
	}
	t.shortfallEntries(expected[:len(expected)-notes])
	t.notes(expected[len(expected)-notes:])
	t.excepted(exceptedExpectations(t.r, t.shown, match.Indeterminate), "expectation")
	t.entries(match.Indeterminate)
}

// doubtCounts says how many expectations and conversations could not be judged.
func (t *teller) doubtCounts(expected []*shortfall) string {
	var parts []string
	if n := expectationsIn(expected); n > 0 {
		parts = append(parts, count(n, "expectation"))
	}
	if t.tally.findings[match.Indeterminate] > 0 || len(parts) == 0 {
		parts = append(parts, t.groupCounts(match.Indeterminate))
	}
	return strings.Join(parts, ", ")
}

// notJudged sums up what no verdict was given.
func (t *reporter) notJudged() {
	if t.shown.narrows() {
		t.askedFor(match.NotJudged)
		return
	}
	lines := t.unjudged()
	if len(lines) == 0 {
		return
	}
	t.section("NOT JUDGED", unjudgedMeans)
	for _, line := range lines {
		t.para(entryIndent, text(line))
	}
}

// unjudgedMeans says what stands under "not judged".
const unjudgedMeans = "no VMware machine at either end, or one machine at both; or nothing to expect"

// unjudged sums up the conversations and expectations that no verdict was given.
func (t *teller) unjudged() (lines []string) {
	c := t.r.Counts
	if c.OutOfScope > 0 || len(t.r.OutOfScope) > 0 {
		line := count(c.OutOfScope, "conversation") + " out of scope"
		if len(t.r.OutOfScope) > 0 {
			line += ": " + someOf(t.r.OutOfScope, 8, "and", func(s match.Service) string {
				return fmt.Sprintf("%s (%d)", service(s.Proto, s.Port), s.Conversations)
			})
		}
		lines = append(lines, line)
	}
	if c.NotExercised > 0 {
		lines = append(lines, count(c.NotExercised, "expectation")+" not exercised: rows of events that did not happen in this time")
	}
	return lines
}

// askedFor lists what is not judged, of a report that was narrowed to it.
func (t *reporter) askedFor(b match.Bucket) {
	if len(t.o.Only) == 0 || t.silent(b) {
		return
	}
	t.section("NOT JUDGED", t.groupCounts(b))
	t.entries(b)
	t.shortfallEntries(shortfalls(t.r, t.shown, b))
}

// conservation says where every packet went.
func (t *reporter) conservation() {
	s := &t.r.Stats
	if !t.o.Verbose && s.Balanced() {
		return
	}
	t.blank()
	t.para(0, balance(s))
}

// balance says where every packet went, loudly where the sum does not hold.
func balance(s *capture.Stats) span {
	ignored, undecodable := partsOf(s)
	judged := fmt.Sprintf("%d judged", s.Flowed-s.FoldedPackets)
	if s.FoldedPackets > 0 {
		judged += fmt.Sprintf(" + %d folded", s.FoldedPackets)
	}
	line := fmt.Sprintf("packets: %d read = %s + %s + %s", s.Read, judged, sumOf(ignored, "ignored"), sumOf(undecodable, "undecodable"))
	if s.Records.Read > 0 {
		line += "; " + RecordBalance(&s.Records)
	}
	if s.Balanced() {
		return text(line)
	}
	return span{"THE SUM DOES NOT HOLD, do not trust this report: " + line, bad}
}

// part is one reason for which packets are in no flow.
type part struct {
	reason string
	n      uint64
}

func partsOf(s *capture.Stats) (ignored, undecodable []part) {
	for _, skip := range capture.Skips() {
		p := part{skip.String(), s.Skipped[skip]}
		if skip.Ignored() {
			ignored = append(ignored, p)
		} else {
			undecodable = append(undecodable, p)
		}
	}
	return ignored, undecodable
}

// sumOf prints "30 ignored (20 not-ip, 10 icmp)".
func sumOf(parts []part, what string) string {
	var total uint64
	var reasons []string
	for _, p := range parts {
		if p.n > 0 {
			total += p.n
			reasons = append(reasons, fmt.Sprintf("%d %s", p.n, p.reason))
		}
	}
	if total == 0 {
		return "0 " + what
	}
	return fmt.Sprintf("%d %s (%s)", total, what, strings.Join(reasons, ", "))
}

// summary is the last line: the counts of the whole result, however narrow the report.
func (t *reporter) summary() {
	t.blank()
	if t.shown.narrows() {
		t.para(0, span{t.partial(), quiet})
	}
	t.para(0, append(t.outcomeOfScenarios(), span{t.sums() + " · ", strong}, t.outcomeOfRun())...)
}

// partial says that a report was narrowed; empty of one that was not.
func (t *teller) partial() string {
	if !t.shown.narrows() {
		return ""
	}
	return "Only a part is listed (" + t.narrowing() + "); the counts are of everything."
}

// sums are the counts of the whole result, however narrow the report.
func (t *teller) sums() string {
	c := t.r.Counts
	return fmt.Sprintf("%d documented, %d undocumented, %d absent, %d could not be judged, %d excepted",
		c.Documented, c.Undocumented, c.Absent, c.Indeterminate+c.CouldNotJudge, c.Excepted)
}

// outcomeOfRun is the exit status with its reason.
func (t *teller) outcomeOfRun() span {
	mark := good
	switch t.r.Status {
	case 0:
	case 3:
		mark = doubt
	default:
		mark = bad
	}
	why := ""
	if t.r.StatusWhy != "" {
		why = ": " + Terminal(t.r.StatusWhy)
	}
	return span{fmt.Sprintf("exit %d", t.r.Status) + why, mark}
}

func (t *teller) narrowing() string {
	var parts []string
	if t.o.Machine != "" {
		parts = append(parts, "machine "+Terminal(t.o.Machine))
	}
	if len(t.o.Only) > 0 {
		parts = append(parts, "only "+Terminal(strings.Join(t.o.Only, ", ")))
	}
	return strings.Join(parts, "; ")
}

// product is what the text report says of the documented traffic of one product.
type product struct {
	name          string
	conversations int
	packets       uint64
	rows          map[string]bool
	marks         map[string]int // insecure, by a broad row only, refused…
}

// documented sums the documented traffic up by the product of its primary row.
func (t *reporter) documented() {
	if t.silent(match.Documented) {
		return
	}
	t.section("DOCUMENTED", t.metCounts())
	if t.o.Verbose {
		t.entries(match.Documented)
		t.shortfallEntries(shortfalls(t.r, t.shown, match.Documented))
		return
	}
	for _, p := range t.productRemarks() {
		t.item(entryIndent, 23, span{p.label, plain}, p.body...)
	}
}

// productRemarks sums the documented traffic up, a line a product.
func (t *teller) productRemarks() []remark {
	var lines []remark
	for _, p := range t.products() {
		line := fmt.Sprintf("%s, %s, %s", count(p.conversations, "conversation"), count(p.packets, "packet"), count(len(p.rows), "row"))
		var marks []string
		for _, m := range slices.Sorted(maps.Keys(p.marks)) {
			marks = append(marks, fmt.Sprintf("%d %s", p.marks[m], m))
		}
		if len(marks) > 0 {
			line += "; of these " + strings.Join(marks, ", ")
		}
		lines = append(lines, remark{Terminal(p.name), []span{text(line)}})
	}
	return lines
}

func (t *teller) metCounts() string {
	n := t.tally.findings[match.Documented]
	met := 0
	for i := range t.r.Expectations {
		if e := &t.r.Expectations[i]; e.Verdict == match.Met && t.shown.expectation(e) {
			met++
		}
	}
	what := t.none()
	if n > 0 {
		what = count(n, "conversation")
		if !t.o.Verbose {
			what += ", summed by product"
		}
	}
	if met > 0 {
		what += "; " + count(met, "expectation") + " met"
	}
	return what
}

func (t *teller) products() []*product {
	byName := map[string]*product{}
	for _, g := range t.tally.groups[match.Documented] {
		for _, i := range g.members {
			f := t.r.Findings.At(i)
			name := "by no row"
			if len(f.Rows) > 0 {
				name = f.Rows[0].Product
			}
			p := byName[name]
			if p == nil {
				p = &product{name: name, rows: map[string]bool{}, marks: map[string]int{}}
				byName[name] = p
			}
			p.add(f)
		}
	}
	return slices.SortedFunc(maps.Values(byName), func(a, b *product) int {
		return cmp.Or(cmp.Compare(b.conversations, a.conversations), cmp.Compare(a.name, b.name))
	})
}

func (p *product) add(f *match.Finding) {
	p.conversations++
	p.packets += f.Sent.Packets + f.Received.Packets
	if len(f.Rows) > 0 {
		p.rows[f.Rows[0].ID] = true
	}
	if f.Verdict == match.DocumentedBroad {
		p.marks["by a broad row only (no evidence of need)"]++
	}
	if len(f.Rows) > 0 && f.Rows[0].Origin.Unofficial {
		p.marks["by an unofficial row"]++
	}
	if f.Verdict == match.DocumentedOverride {
		p.marks["at the site's own port"]++
	}
	if f.Outcome != match.Success {
		p.marks[f.Outcome.String()]++
	}
	for _, q := range f.Qualifiers.Names() {
		p.marks[q]++
	}
}
