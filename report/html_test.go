package report

import (
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/match"
)

func TestHTMLPolicyAllowsItsOwnStyleAndScriptOnly(t *testing.T) {
	got := render(t, HTML, newLab().result(), Options{})
	style := enclosed(t, got, "<style>", "</style>")
	script := enclosed(t, got, "<script>", "</script>")
	want := policy([]byte(style), []byte(script))
	if !strings.Contains(html.UnescapeString(got), `content="`+want+`"`) {
		t.Errorf("the page's policy is not %s", want)
	}
	for _, word := range []string{"unsafe", "http:", "https:", "*;"} {
		if strings.Contains(want, word) {
			t.Errorf("the policy holds %q: %s", word, want)
		}
	}
}

// enclosed returns what stands between two marks that occur once.
func enclosed(t *testing.T, text, from, to string) string {
	t.Helper()
	if strings.Count(text, from) != 1 || strings.Count(text, to) != 1 {
		t.Fatalf("%s occurs %d times, %s %d times", from, strings.Count(text, from), to, strings.Count(text, to))
	}
	_, rest, _ := strings.Cut(text, from)
	inner, _, _ := strings.Cut(rest, to)
	return inner
}

// tagPattern is an HTML tag with its attributes; text between tags holds no "<" of its own.
var tagPattern = regexp.MustCompile(`<[^>]*>`)

// Whatever a capture holds, the page has the same elements and attributes: none of it becomes mark-up.
func TestHTMLHostileStringsAreText(t *testing.T) {
	elements := func(page string) []string {
		var names []string
		for _, tag := range tagPattern.FindAllString(page, -1) {
			name := strings.TrimLeft(strings.Fields(strings.Trim(tag, "<>"))[0], "/")
			names = append(names, name)
			lower := strings.ToLower(tag)
			for _, attribute := range []string{" on", " style=", " src=", "javascript:", "http"} {
				if strings.Contains(lower, attribute) && name != "meta" {
					t.Errorf("the tag %s holds %q", tag, attribute)
				}
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	tame := elements(render(t, HTML, poison("tame"), Options{Verbose: true}))
	for _, s := range hostileStrings() {
		page := render(t, HTML, poison(s), Options{Verbose: true, Version: s, Files: []string{s}})
		page = strings.Replace(page, enclosed(t, page, "<script>", "</script>"), "", 1)
		for _, name := range elements(page) {
			if !slices.Contains(tame, name) {
				t.Errorf("%q makes an element <%s>", s, name)
			}
		}
	}
}

func TestHTMLFetchesNothing(t *testing.T) {
	page := render(t, HTML, newLab().result(), Options{})
	for _, word := range []string{"http://", "https://", "//cdn", "@import", "url(http", "<link", "<img", "<iframe", "<form"} {
		if strings.Contains(page, word) {
			t.Errorf("the page holds %q", word)
		}
	}
}

func TestHTMLSaysWhatTheTextSays(t *testing.T) {
	page := html.UnescapeString(render(t, HTML, newLab().result(), Options{}))
	for _, want := range []string{
		"Partial: the captures are not whole", "exit 4: san.pcapng is cut", "R262 documents 1433/tcp from vc01 to sql01, not this way",
		"if 10.1.1.5 were a dns-server, R084 would document this", "not one packet of it was seen", "capture at the switch port of vc01",
		"EX-telnet", "until the switch is replaced", "mgmt.pcap#118", "1254 read = 1220 judged", "PARTIAL: ends early at byte 4000",
		"No row documents this port between these roles.", "Accepted by: name, date, signature",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// A page of any size stays one that a browser opens: every table ends, and says so.
func TestHTMLOfManyConversationsIsBounded(t *testing.T) {
	r := newLab().result()
	var all []*match.Finding
	for i := range r.Findings.Len() {
		all = append(all, r.Findings.At(i))
	}
	one := all[0]
	for i := range 60_000 {
		f := *one
		f.Port = uint16(i)
		f.Scan = 0
		all = append(all, &f)
	}
	r.Findings = match.FindingsOf(all...)
	began := time.Now()
	page := render(t, HTML, r, Options{Limit: DefaultLimit})
	if n := strings.Count(page, "<tr data-bucket="); n != maxPageRows {
		t.Errorf("%d conversations, want %d", n, maxPageRows)
	}
	if !strings.Contains(page, "more conversations not shown: this page lists 5000, the JSON report of the same run has all.") {
		t.Error("the page does not say what it leaves out")
	}
	if len(page) > 5<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	t.Logf("%d bytes in %v", len(page), time.Since(began).Round(time.Millisecond))
}

func TestTimelineShowsSilences(t *testing.T) {
	l := newLab()
	r := l.result()
	beat := l.between(match.VerdictDocumented, placed(l.esx1), placed(l.vc), capture.UDP, 902, l.heartbeat)
	start := morning / second
	beat.Seconds = capture.Seconds{{First: start, Last: start}, {First: start + 10, Last: start + 10}, {First: start + 51, Last: start + 60}}
	r.Findings = match.FindingsOf(beat)
	r.Scans, r.Expectations = nil, nil
	got := newTeller(r, Options{}).timeline()
	if len(got.Silences) != 1 || len(got.Lanes) != 1 || len(got.Lanes[0].Gaps) != 1 {
		t.Fatalf("got %d silences in %d lanes, want one", len(got.Silences), len(got.Lanes))
	}
	want := silence{
		Who: "esx01 (10.0.0.11) -> vc01 (10.0.0.5)", Service: "902/udp", From: "2010-05-03 04:00:11", To: "2010-05-03 04:00:50",
		Blind: "yes", Seconds: 40, Period: "10s",
	}
	if got.Silences[0] != want {
		t.Errorf("got %+v\nwant %+v", got.Silences[0], want)
	}
	// The same silence, with the captures running for its first 20 seconds only.
	r.Captures = []match.CaptureInfo{{Packets: 1, First: morning, Last: morning + 30*second}, {Packets: 1, First: morning + 51*second, Last: morning + 60*second}}
	if got := newTeller(r, Options{}).timeline().Silences[0].Blind; got != "20 seconds of it not" {
		t.Errorf("half blind: got %q", got)
	}
	// One second less is three periods, and nothing is said.
	beat.Seconds = capture.Seconds{{First: start, Last: start}, {First: start + 31, Last: start + 60}}
	r.Findings = match.FindingsOf(beat)
	if got := newTeller(r, Options{}).timeline().Silences; len(got) != 0 {
		t.Errorf("three periods are a silence: %+v", got)
	}
}

// However long the capture, a lane has at most a bar for every other pixel.
func TestTimelineBarsAreBounded(t *testing.T) {
	l := newLab()
	r := l.result()
	f := l.between(match.UnlistedPort, placed(l.esx1), placed(l.vc), capture.TCP, 9)
	f.Seconds = nil
	for i := range int64(200_000) {
		f.Seconds = append(f.Seconds, capture.Run{First: morning/second + 2*i, Last: morning/second + 2*i})
	}
	r.Last = morning + 400_000*second
	r.Findings = match.FindingsOf(f)
	r.Expectations, r.Scans = nil, nil
	got := newTeller(r, Options{}).timeline()
	if n := len(got.Lanes[0].Bars); n > timeWidth {
		t.Errorf("%d bars on %d pixels", n, timeWidth)
	}
}

func TestMatrixCountsEveryPairOnce(t *testing.T) {
	r := newLab().result()
	tl := newTeller(r, Options{})
	m := tl.matrix()
	var d, u, i, a int
	for _, c := range m.Table {
		d, u, i, a = d+c.Documented, u+c.Undocumented, i+c.Indeterminate, a+c.Absent
	}
	var want [match.Documented + 1]int
	for k := range r.Findings.Len() {
		want[r.Findings.At(k).Bucket()]++
	}
	absent := 0
	for k := range r.Expectations {
		if r.Expectations[k].Bucket() == match.Absent {
			absent++
		}
	}
	if d != want[match.Documented] || u != want[match.Undocumented] || i != want[match.Indeterminate] || a != absent {
		t.Errorf("the matrix counts %d, %d, %d, %d; the result %v and %d absent", d, u, i, a, want, absent)
	}
}

func TestRarePairsAreFolded(t *testing.T) {
	all := pairCounts{}
	for i := range 40 {
		all.add(fmt.Sprintf("role-%02d", i), "server", match.Documented, i+1)
	}
	all.add("rare", "server", match.Undocumented, 1)
	shown, left := all.folded(5, false)
	if left != 36 || len(shown) != 6 {
		t.Errorf("%d folded, %d shown; want 36 and 6", left, len(shown))
	}
	if shown[[2]string{"rare", "server"}] == nil {
		t.Error("the one pair with something against it was folded away")
	}
	total := 0
	for _, c := range shown {
		total += c.total()
	}
	if total != 40*41/2+1 {
		t.Errorf("folding lost something: %d of %d", total, 40*41/2+1)
	}
}
