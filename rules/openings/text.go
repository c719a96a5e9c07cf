package openings

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"flowvet/match"
	"flowvet/report"
)

// Options say how a comparison is told.
type Options struct {
	Version string // of flowvet
	Width   int    // columns
	Limit   int    // entries in a section; 0: all
	Verbose bool   // notes too
	Ends    string // how the run ends: "exit 1: 2 findings at or above error"
}

// Columns of the layout: entries stand at indent 2, what explains them at indent 4.
const (
	headColumn  = 11
	entryIndent = 2
	entryColumn = 9
	noteIndent  = 4
)

// mostNames caps the machines and peers that an entry names.
const mostNames = 6

// entry is one finding at all hosts that have it.
type entry struct {
	Finding
	hosts []string
}

// Text writes a comparison for people: what is worst first, hosts that have the same in one entry.
func Text(w io.Writer, c *Comparison, o Options) error {
	t := &teller{Writer: bufio.NewWriter(w), c: c, o: o}
	t.head()
	for k := range kinds {
		t.section(k)
	}
	t.line("")
	t.hang(0, 0, "", fmt.Sprintf("%s compared; %s switched on, documented and used · %s", count(c.Hosts, "host"), count(c.InOrder, "rule set"), o.Ends))
	return t.Flush()
}

type teller struct {
	*bufio.Writer
	c *Comparison
	o Options
}

func (t *teller) line(text string) { fmt.Fprintln(t, text) }

// hang writes text behind a label that stands at an indent, wrapped, further lines under the first word.
func (t *teller) hang(indent, column int, label, text string) {
	line := strings.Repeat(" ", indent) + fmt.Sprintf("%-*s", column, label)
	under, empty := strings.Repeat(" ", indent+column), true
	for word := range strings.FieldsSeq(text) {
		if !empty && t.o.Width > 0 && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > t.o.Width {
			t.line(line)
			line, empty = under, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	t.line(line)
}

func (t *teller) head() {
	r := t.c.Result
	t.line(strings.TrimSpace("flowvet "+report.Terminal(t.o.Version)) + "  documented, opened and used")
	t.line("")
	from := ""
	if t.c.File.Source != "" {
		from = ", from " + report.Terminal(t.c.File.Source)
	}
	t.hang(0, headColumn, "firewalls", count(len(t.c.File.Hosts), "host")+from)
	t.hang(0, headColumn, "inventory", fmt.Sprintf("%s, %s", report.Terminal(r.Inventory.Name), count(len(r.Inventory.Machines), "machine")))
	for _, s := range r.Catalog.Sources {
		t.hang(0, headColumn, "catalogue", fmt.Sprintf("%s (%s)", report.Terminal(s.Name), count(s.Rows, "row")))
	}
	for i := range r.Captures {
		p := &r.Captures[i]
		t.hang(0, headColumn, "capture", fmt.Sprintf("%s: %s, %s", report.Terminal(p.Name), count(int(p.Packets), "packet"), span(p.First, p.Last)))
	}
	t.names("not known", "in the file, but no machine of the inventory", t.c.Unknown)
	t.names("not known", "in the inventory, but not in the file", t.c.Silent)
}

// names writes a list of hosts that could not be compared.
func (t *teller) names(label, why string, hosts []string) {
	if len(hosts) > 0 {
		t.hang(0, headColumn, label, fmt.Sprintf("%s %s: %s", count(len(hosts), "host"), why, listed(hosts)))
	}
}

// title is what a section says it holds.
func (k Kind) title() string {
	return [...]string{"USED THOUGH CLOSED", "OPEN, UNDOCUMENTED", "DOCUMENTED, CLOSED", "OPEN, NEVER USED", "OPEN, NOT SEEN IN USE"}[k]
}

// section writes the entries of a kind.
func (t *teller) section(k Kind) {
	entries, notes := t.entries(k)
	t.line("")
	what := "none"
	if len(entries) > 0 {
		what = fmt.Sprint(len(entries))
	}
	if k == NotJudged && len(entries) > 0 {
		what += "; the captures need not have shown it"
	}
	if notes > 0 {
		what += fmt.Sprintf("; %s not shown (-v)", count(notes, "note"))
	}
	t.line(k.title() + "  " + what)
	fit := len(entries)
	if t.o.Limit > 0 {
		fit = min(fit, t.o.Limit)
	}
	for i := range entries[:fit] {
		t.entry(&entries[i])
	}
	if left := len(entries) - fit; left > 0 {
		t.hang(entryIndent, 0, "", fmt.Sprintf("… and %d more (--limit 0 shows all)", left))
	}
}

// entries gathers the findings of a kind, those of many hosts first, and counts the notes that are not shown.
func (t *teller) entries(k Kind) (all []entry, notes int) {
	at := map[string]int{}
	for _, f := range t.c.Findings {
		if f.Kind != k {
			continue
		}
		key := f.key()
		n, known := at[key]
		if !known {
			n = len(all)
			at[key] = n
			all = append(all, entry{Finding: f})
		} else {
			all[n].merge(&f)
		}
		if !slices.Contains(all[n].hosts, f.Machine.Name) {
			all[n].hosts = append(all[n].hosts, f.Machine.Name)
		}
	}
	if !t.o.Verbose {
		shown := slices.DeleteFunc(slices.Clone(all), func(e entry) bool { return e.Level == match.LevelNote })
		all, notes = shown, len(all)-len(shown)
	}
	slices.SortStableFunc(all, func(a, b entry) int {
		if a.Level != b.Level {
			return int(b.Level) - int(a.Level)
		}
		return len(b.hosts) - len(a.hosts)
	})
	return all, notes
}

// key is the same for findings that are one entry: all but who has it, and with whom.
func (f *Finding) key() string {
	code := ""
	if f.Sight != nil {
		code = f.Sight.Coverage.String() + f.Sight.Reason.Code
	}
	return fmt.Sprint(f.Level, f.Services, f.RuleSets, ids(f), code)
}

// merge adds what another host has to it. Slices are shared with the comparison, and are not written to.
func (e *entry) merge(f *Finding) {
	e.Peers = sorted(slices.Concat(e.Peers, f.Peers))
	e.Used = slices.Concat(e.Used, f.Used)
}

// entry writes one.
func (t *teller) entry(e *entry) {
	level := e.Level.String()
	if e.Kind == NotJudged {
		level = "-"
	}
	t.line("")
	t.hang(entryIndent, entryColumn, level, services(e.Services)+"  at "+listed(e.hosts))
	detail := func(label, text string) {
		if text != "" {
			t.hang(noteIndent, entryColumn, label, text)
		}
	}
	detail("why", e.why())
	detail("rows", t.rows(e))
	detail("seen", t.seen(e))
	if e.Sight != nil {
		detail("coverage", e.coverage())
	}
	if e.Level != match.LevelNote { // a note is for those who want to know, and asks for nothing
		detail("settle", e.settle())
	}
}

// why says what the three say of it.
func (e *entry) why() string {
	switch e.Kind {
	case UsedClosed:
		text := "no rule set that is switched on lets this through"
		if len(e.RuleSets) > 0 {
			text += "; " + ruleSets(e.RuleSets) + " would"
		}
		return text
	case OpenUndocumented:
		if len(e.RuleSets) == 0 {
			return "what no rule set names is let through as well"
		}
		return ruleSets(e.RuleSets) + " lets it through" + peers(" for ", e.Peers) + "; no row documents it"
	case DocumentedClosed:
		text := "documented with " + anybody(e.Peers) + "; no rule set that is switched on lets it through"
		if len(e.RuleSets) > 0 {
			text += "; " + ruleSets(e.RuleSets) + " would"
		}
		return text
	case NeverUsed:
		return ruleSets(e.RuleSets) + " lets it through" + peers(" for ", e.Peers) + ", and nobody used it in " + span(e.Sight.Start, e.Sight.End)
	}
	return ruleSets(e.RuleSets) + " lets it through" + peers(" for ", e.Peers) + "; the captures show nobody who used it"
}

// settle says what would settle it.
func (e *entry) settle() string {
	switch e.Kind {
	case UsedClosed:
		return "read the firewalls again; where they still say so, something passes them by"
	case OpenUndocumented:
		if len(e.RuleSets) == 0 {
			return "let the firewall block what no rule set names"
		}
		return "switch " + ruleSets(e.RuleSets) + " off, or add what documents it with --catalog"
	case DocumentedClosed:
		if len(e.RuleSets) > 0 {
			return "switch " + ruleSets(e.RuleSets) + " on, where it is needed"
		}
		return "open it, where it is needed"
	case NeverUsed:
		if len(e.Rows) > 0 {
			return "switch " + ruleSets(e.RuleSets) + " off, if a longer capture shows the same"
		}
		return "switch " + ruleSets(e.RuleSets) + " off"
	}
	return e.Sight.Reason.Remedy
}

// rows names the rows that document it, with the purpose of the first.
func (t *teller) rows(e *entry) string {
	if len(e.Rows) == 0 {
		return ""
	}
	return listed(ids(&e.Finding)) + ": " + report.Terminal(e.Rows[0].Purpose)
}

// seen says who used what is closed or undocumented, and in which packet that shows first.
func (t *teller) seen(e *entry) string {
	switch {
	case len(e.Used) > 0:
	case e.Kind == OpenUndocumented && len(e.RuleSets) > 0:
		return "nobody was seen to use it"
	default:
		return ""
	}
	first := e.Used[0]
	packets := uint64(0)
	var others []netip.Prefix
	for _, f := range e.Used {
		packets += f.Sent.Packets + f.Received.Packets
		if f.Evidence.Before(first.Evidence) {
			first = f
		}
		peer := f.Initiator
		if e.Services[0].Out {
			peer = f.Responder
		}
		others = append(others, netip.PrefixFrom(peer, peer.BitLen()))
	}
	return fmt.Sprintf("%s, %s, with %s; initiator by %s (%s); %s#%d", count(len(e.Used), "conversation"), count(int(packets), "packet"),
		peers("", sorted(others)), first.Basis, first.Certainty, report.Terminal(t.c.captureOf(first)), first.Evidence.Frame)
}

// sorted returns prefixes in order, each once.
func sorted(all []netip.Prefix) []netip.Prefix {
	slices.SortFunc(all, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.Compact(all)
}

// captureOf names the capture that holds the packet a finding rests on.
func (c *Comparison) captureOf(f *match.Finding) string {
	if i := int(f.Evidence.File); i < len(c.Result.Captures) {
		return c.Result.Captures[i].Name
	}
	return ""
}

// coverage says how far the captures would have shown it; of several hosts, what holds of the first.
func (e *entry) coverage() string {
	if e.Sight.Enough() {
		return e.Sight.Coverage.String() + ": the captures would have shown it"
	}
	text := e.Sight.Reason.Code + ": " + report.Terminal(e.Sight.Reason.Detail)
	if others := len(e.hosts) - 1; others > 0 {
		text += fmt.Sprintf("; likewise of %d more", others)
	}
	return text
}

func services(all []Service) string {
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = s.String()
	}
	return listed(texts)
}

func ruleSets(keys []string) string {
	noun := "rule set "
	if len(keys) > 1 {
		noun = "rule sets "
	}
	return noun + listed(keys)
}

// anybody lists peers; none are everybody.
func anybody(all []netip.Prefix) string {
	if len(all) == 0 {
		return "anybody"
	}
	return peers("", all)
}

func peers(before string, all []netip.Prefix) string {
	if len(all) == 0 {
		return ""
	}
	texts := make([]string, len(all))
	for i, p := range all {
		texts[i] = prefix(p)
	}
	return before + listed(texts)
}

func prefix(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func ids(f *Finding) []string {
	all := make([]string, len(f.Rows))
	for i, r := range f.Rows {
		all[i] = r.ID
	}
	return all
}

// listed names the first few of a list.
func listed(all []string) string {
	shown := make([]string, 0, mostNames)
	for _, s := range all[:min(len(all), mostNames)] {
		shown = append(shown, report.Terminal(s))
	}
	text := strings.Join(shown, ", ")
	if more := len(all) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func span(start, end int64) string {
	from, to := time.Unix(0, start).UTC(), time.Unix(0, end).UTC()
	return fmt.Sprintf("%s to %s (%s)", from.Format(time.RFC3339), to.Format(time.RFC3339), to.Sub(from).Round(time.Second))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
