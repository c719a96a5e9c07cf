package report

import (
	"strings"
	"testing"
)

func TestMarkdownText(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"esx01 (10.0.0.11) -> vc01 902/udp", "esx01 (10.0.0.11) -> vc01 902/udp"},
		{"a|b", `a\|b`},
		{"[click](javascript:alert)", `\[click\](javascript:alert)`},
		{"<img src=x onerror=y>", `\<img src=x onerror=y>`},
		{"*bold* _it_ `code` ~~gone~~", "\\*bold\\* \\_it\\_ \\`code\\` \\~\\~gone\\~\\~"},
		{"http://evil.example", `http\://evil.example`},
		{"WWW.evil.example", `WWW\.evil.example`},
		{"&lt;", `\&lt;`},
		{"line\n# heading", `line\n# heading`},
		{"$x$", `\$x\$`},
	} {
		want := strings.ReplaceAll(tt.want, `\n#`, `\\n#`)
		if got := MarkdownText(tt.in); got != want {
			t.Errorf("MarkdownText(%q)\n got %s\nwant %s", tt.in, got, want)
		}
	}
}

// No captured text begins a line, and every line begins with one of our own marks.
func TestMarkdownLinesBeginWithOurOwnMarks(t *testing.T) {
	for _, s := range hostileStrings() {
		for line := range strings.Lines(render(t, Markdown, poison(s), Options{Version: s, Verbose: true})) {
			line = strings.TrimSuffix(line, "\n")
			ours := line == "" || line == "---"
			for _, mark := range []string{"# ", "## ", "### ", "- ", "| ", "|---", "…", "**exit", "packets: "} {
				ours = ours || strings.HasPrefix(line, mark)
			}
			if !ours && (line[0] < '0' || line[0] > '9') && !strings.HasPrefix(line, "no") {
				t.Errorf("%q begins a line: %q", s, line)
			}
			if strings.Contains(line, "<script") && !strings.Contains(line, `\<script`) {
				t.Errorf("%q makes mark-up: %q", s, line)
			}
		}
	}
}

// The Markdown report says everything the text report says.
func TestMarkdownSaysWhatTheTextSays(t *testing.T) {
	r := newLab().result()
	got := strings.ReplaceAll(render(t, Markdown, r, Options{}), `\`, "")
	for _, g := range newTeller(r, Options{}).tally.groups[1] {
		f := g.exemplar(r)
		if !strings.Contains(got, f.Verdict.String()) {
			t.Errorf("no %s", f.Verdict)
		}
	}
	for _, want := range []string{"if 10.1.1.5 were a dns-server, R084 would document this", "EX-telnet", "packets: 1254 read = 1220 judged", "not one packet of it was seen"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}
