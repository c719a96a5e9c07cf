package report

import (
	"bytes"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"flowvet/capture"
	"flowvet/match"
)

// No line is wider than asked for, unless it is the indentation and one word.
func TestLinesFitTheWidth(t *testing.T) {
	for _, width := range []int{40, 80, 120} {
		for _, verbose := range []bool{false, true} {
			for _, r := range []*match.Result{newLab().result(), emptyResult()} {
				for line := range strings.Lines(render(t, Text, r, Options{Width: width, Verbose: verbose})) {
					line = strings.TrimRight(line, "\n")
					if n := utf8.RuneCountInString(line); n > width && !unbreakable(line) {
						t.Errorf("width %d: %d columns: %q", width, n, line)
					}
				}
			}
		}
	}
}

// unbreakable reports whether a line is one word, or belongs to the inventory that is there to be copied.
func unbreakable(line string) bool {
	return len(strings.Fields(line)) == 1 || strings.Contains(line, "addresses: [{")
}

func TestNoTrailingSpaces(t *testing.T) {
	for line := range strings.Lines(render(t, Text, newLab().result(), Options{Verbose: true, Width: 60})) {
		if strings.TrimRight(line, " \n") != strings.TrimRight(line, "\n") {
			t.Errorf("trailing space: %q", line)
		}
	}
}

// Colour changes nothing but colour: without its escapes a coloured report is the plain one.
func TestColourIsOnlyColour(t *testing.T) {
	colored := render(t, Text, newLab().result(), Options{Color: true})
	if !strings.Contains(colored, "\x1b[") {
		t.Fatal("a coloured report has no colour")
	}
	if got := stripColour(colored); got != render(t, Text, newLab().result(), Options{}) {
		t.Error("a coloured report without its escapes is not the plain report")
	}
}

func stripColour(s string) string {
	var b strings.Builder
	for s != "" {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			break
		}
		_, s, _ = strings.Cut(after, "m")
	}
	return b.String()
}

func TestWrapping(t *testing.T) {
	for _, tt := range []struct {
		name string
		body []span
		want string
	}{
		{"words that fit stand on one line", []span{text("one two")}, "  label  one two\n"},
		{"a word that does not fit begins a line", []span{text("one two three four five six")}, "  label  one two three four five\n         six\n"},
		{"spans without a space between are one word", []span{text("aaaaaaaaaaaaaaaaaa"), {"bbbb", strong}, text(", c")}, "  label  aaaaaaaaaaaaaaaaaabbbb,\n         c\n"},
		{"a wide gap stays wide", []span{text("one"), text("  two")}, "  label  one  two\n"},
		{"a word that is too long stands alone", []span{text("a " + strings.Repeat("x", 40) + " b")}, "  label  a\n         " + strings.Repeat("x", 40) + "\n         b\n"},
		{"a control character is shown", []span{text("a\nb\x1b")}, "  label  a\\nb\\x1b\n"},
	} {
		var b bytes.Buffer
		p := newPaper(&b, 33, false)
		p.item(2, 7, text("label"), tt.body...)
		p.Flush()
		if b.String() != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, b.String(), tt.want)
		}
	}
}

// A million findings stay a readable report, and take little time and memory.
func TestMillionFindings(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a million findings")
	}
	r := many(1_000_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := render(t, Text, r, Options{Limit: DefaultLimit})
	runtime.ReadMemStats(&after)
	if lines := strings.Count(got, "\n"); lines > 400 {
		t.Errorf("got %d lines", lines)
	}
	if whys := strings.Count(got, "\n    why "); whys != mostExplained {
		t.Errorf("%d entries are explained, want %d", whys, mostExplained)
	}
	if !strings.Contains(got, "… the last 25 are not explained (-v explains them)") {
		t.Error("the report does not say how to have all of it explained")
	}
	if !strings.Contains(got, "more groups (--limit 0 shows all)") {
		t.Error("the report does not say what the limit held back")
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 256<<20 {
		t.Errorf("allocated %d MiB, want at most 256", grown>>20)
	}
}

// many builds n findings of 500 hosts that talk to strangers, of about 2000 causes.
func many(n int) *match.Result {
	l := newLab()
	hosts := make([]*match.Finding, 500)
	for i := range hosts {
		m := machine(fmt.Sprintf("esx%03d", i), "ESX 4.1", netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}).String(), "hypervisor-host")
		hosts[i] = l.unlisted(placed(m))
	}
	r := emptyResult()
	r.Recognised = len(hosts)
	findings := make([]*match.Finding, n)
	for i := range findings {
		f := *hosts[i%len(hosts)]
		f.Initiator = netip.AddrFrom4([4]byte{172, byte(i >> 16), byte(i >> 8), byte(i)})
		f.Port = uint16(i % 2000)
		f.Proto = capture.TCP
		findings[i] = &f
	}
	r.Findings = match.FindingsOf(findings...)
	return r
}
