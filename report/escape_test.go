package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"flowvet/capture"
	"flowvet/inventory"
	"flowvet/match"
	"flowvet/safejson"
)

func TestTerminal(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"mgmt.pcap", "mgmt.pcap"},
		{`C:\caps\a.pcap`, `C:\caps\a.pcap`},
		{"Zürich-東京.pcap", "Zürich-東京.pcap"},
		{"red\x1b[31m", `red\x1b[31m`},
		{"\x1b]52;c;aGk=\a", `\x1b]52;c;aGk=\x07`},
		{"line\r\nbreak\ttab", `line\r\nbreak\ttab`},
		{"c1 \u009b31m del \x7f", `c1 \x9b31m del \x7f`},
		{"bidi \u202e\u2066", `bidi \u202e\u2066`},
		{"zero\u200bwidth\ufeff", `zero\u200bwidth\ufeff`},
		{"soft\u00adhyphen", `soft\xadhyphen`},
		{"lines\u2028\u2029", `lines\u2028\u2029`},
		{"variation\ufe0f filler\u3164", `variation\ufe0f filler\u3164`},
		{"tag\U000e0041", `tag\U000e0041`},
		{"bad utf-8 \xff\xc3(", `bad utf-8 \xff\xc3(`},
		{strings.Repeat("x", 200), strings.Repeat("x", 200)},
		{strings.Repeat("x", 201), strings.Repeat("x", 199) + "…"},
		{strings.Repeat("ü", 201), strings.Repeat("ü", 199) + "…"},
		{strings.Repeat("ü", 200), strings.Repeat("ü", 200)},
		{"", ""},
	} {
		if got := Terminal(tt.in); got != tt.want {
			t.Errorf("Terminal(%q)\n got %q\nwant %q", tt.in, got, tt.want)
		}
	}
	if n := utf8.RuneCountInString(Terminal(strings.Repeat("\x00", 1<<20))); n > maxShown {
		t.Errorf("a megabyte of zeros shows %d characters, want at most %d", n, maxShown)
	}
}

func TestCSVCell(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"esx01", "esx01"},
		{"=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"},
		{"+1", "'+1"},
		{"-1", "'-1"},
		{"@SUM(A1)", "'@SUM(A1)"},
		{"＝1+1", "'＝1+1"},
		{" =1", "' =1"},
		{"\t=1", `'\t=1`},
		{"\r=1", `'\r=1`},
		{"a\nb", `a\nb`},
		{"fe80::1", "fe80::1"},
		{"", ""},
	} {
		if got := CSVCell(tt.in); got != tt.want {
			t.Errorf("CSVCell(%q)\n got %q\nwant %q", tt.in, got, tt.want)
		}
	}
}

// hostileStrings are what a capture, an inventory or a file name can hold.
func hostileStrings() []string {
	all := []string{
		"=cmd|' /C calc'!A0", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "<script>alert(1)</script>", `"><img onerror=x>`, "a,b\"c;d",
		"\x1b[2J\x1b[31m", "\x1b]8;;http://evil\x07x\x1b]8;;\x07", "\x1b]52;c;aGk=\x07", "\u009b31m", "\u202egpj.exe", "\u2066\u2069", "\u2028\u2029",
		"\ufeff\u200b\u200d", "\xff\xfe", "\xc3(", "\xed\xa0\x80", "\U000e0041", "\ufe0f", strings.Repeat("A\x00", 1<<12), "{{.}}", "%s%n", "\u00a0", "", " ",
	}
	for c := range rune(0xa0) {
		if c < ' ' || c >= 0x7f {
			all = append(all, "x"+string(c)+"y")
		}
	}
	return all
}

// poison puts s wherever a result holds a string that somebody else chose.
func poison(s string) *match.Result {
	l := newLab()
	for _, m := range []*inventory.Machine{l.esx1, l.esx2, l.esx3, l.vc, l.dns, l.syslog} {
		m.Name, m.Site, m.Cluster = s, s, s
		m.Products = append(m.Products, m.Products...)
		for i := range m.Products {
			m.Products[i].Family, m.Products[i].Version = s, s
		}
	}
	l.update.Note, l.heartbeat.Purpose, l.resolve.Product, l.resolve.ID = s, s, s, s
	l.heartbeat.SourcePrinted, l.heartbeat.TargetPrinted, l.heartbeat.Origin.Document = s, s, s
	r := l.result()
	r.During, r.Warnings, r.StatusWhy, r.Inventory.Name = []string{s}, []string{s}, s, s
	r.Catalog.Sources[0].Name, r.Catalog.Sources[0].SHA256 = s, s
	for i := range r.Captures {
		c := &r.Captures[i]
		c.Name, c.Format, c.Filter, c.FilterSuspected = s, s, s, s
		c.Damage = &capture.Damage{Reason: s}
		c.Interfaces = []capture.Interface{{Name: s, Filter: s}}
	}
	for _, f := range r.Findings.All() {
		f.Detail = s
		f.From.Network = &inventory.Network{Name: s}
		for j := range f.From.Roles {
			f.From.Roles[j].Evidence = s
		}
	}
	for i := range r.Expectations {
		e := &r.Expectations[i]
		e.ID, e.Filter, e.Class.Of, e.Reason = s, s, s, match.Reason{Code: s, Detail: s, Remedy: s}
	}
	for i := range r.Exceptions {
		e := r.Exceptions[i].Exception
		e.ID, e.Owner, e.Ticket, e.Justification, r.Exceptions[i].TooBroad = s, s, s, s, s
	}
	return r
}

func TestHostileStringsNeverComeOutRaw(t *testing.T) {
	for i, s := range hostileStrings() {
		r := poison(s)
		opts := Options{Version: s, Machine: "", Verbose: i%2 == 0, Files: []string{s}}
		for _, name := range Names() {
			format, _ := ByName(name)
			got := render(t, format, r, opts)
			if at := rawControl(got); at >= 0 {
				t.Errorf("%s report of %q holds a raw character at %d: %q", name, s, at, got[max(0, at-40):min(len(got), at+20)])
			}
		}
		checkJSON(t, render(t, JSON, r, opts))
		checkCells(t, s, render(t, CSV, r, opts))
	}
}

// rawControl returns where a report holds a character that does more than show itself; -1 for nowhere.
func rawControl(report string) int {
	for i := 0; i < len(report); {
		r, size := utf8.DecodeRuneInString(report[i:])
		if r == utf8.RuneError && size == 1 || r != '\n' && safejson.Hidden(r) {
			return i
		}
		i += size
	}
	return -1
}

func checkJSON(t *testing.T, report string) {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(report), &v); err != nil {
		t.Errorf("the JSON report does not decode: %v", err)
	}
}

func checkCells(t *testing.T, s, report string) {
	t.Helper()
	lines, err := csv.NewReader(strings.NewReader(report)).ReadAll()
	if err != nil {
		t.Errorf("the CSV report of %q does not read: %v", s, err)
	}
	for _, line := range lines {
		for i, cell := range line {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
				t.Errorf("%q: column %s holds the formula %q", s, lines[0][i], cell)
			}
		}
	}
}

// What is escaped in JSON decodes to what it was: nothing is lost.
func TestJSONKeepsHostileStrings(t *testing.T) {
	for _, s := range []string{"\x1b[31m\u009b\x7f", "\u202e\u2028", "\U000e0041", "<script>&"} {
		var doc struct {
			StatusWhy string `json:"status_why"`
		}
		r := emptyResult()
		r.StatusWhy = s
		if err := json.Unmarshal([]byte(render(t, JSON, r, Options{})), &doc); err != nil || doc.StatusWhy != s {
			t.Errorf("%q decodes to %q (%v)", s, doc.StatusWhy, err)
		}
	}
}

func TestYAMLScalar(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"esx01", "esx01"},
		{"hypervisor-host", "hypervisor-host"},
		{"yes", `"yes"`},
		{"10", `"10"`},
		{"a: b", `"a: b"`},
		{"-x", `"-x"`},
		{"", `""`},
		{"\x1b[31m", `"\x1b[31m"`},
		{"Zürich", `"Z\u00fcrich"`},
		{"f,g}", `"f,g}"`},
	} {
		if got := yamlScalar(tt.in); got != tt.want {
			t.Errorf("yamlScalar(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
	if got := yamlScalar(fmt.Sprintf("esx%03000d", 1)); len(got) > maxShown+8 {
		t.Errorf("a name of 3000 characters gives %d, want it cut", len(got))
	}
}
