package match

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/catalog"
	"flowvet/inventory"
)

// hosts are the names of the vectors' stories.
const hosts = `start 2015-10-21T10:00:00Z
host E1 10.0.0.11
host E1v 10.0.1.11
host E2 10.0.0.12
host E2v 10.0.1.12
host E3 10.0.0.13
host E3b 10.0.0.15
host V 10.0.0.5
host CS 10.0.0.20
host AGENT 10.0.0.21
host U 10.0.0.84
host D 10.0.0.53
host N 10.0.0.23
host S 10.0.0.14
host L 10.0.0.27
host Q 10.0.0.33
host NFS 10.0.0.30
host C 10.0.9.90
host X 10.0.200.1
`

// vector is one block of testdata/vectors/vectors.txt.
type vector struct {
	number, title string
	story         []string
	options       map[string]string
	wants         []string
}

func readVectors(t *testing.T) []*vector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []*vector
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "== "):
			number, title, _ := strings.Cut(line[3:], " ")
			all = append(all, &vector{number: number, title: title, options: map[string]string{}})
		case len(all) == 0 || line == "":
		case strings.HasPrefix(line, "-- "):
			key, value, _ := strings.Cut(line[3:], " ")
			all[len(all)-1].options[key] = value
		case strings.HasPrefix(line, "=> "):
			all[len(all)-1].wants = append(all[len(all)-1].wants, line[3:])
		default:
			all[len(all)-1].story = append(all[len(all)-1].story, line)
		}
	}
	return all
}

// text is the whole story: hosts, an ARP exchange first, a frame at 60 s last.
func (v *vector) text() string {
	var b strings.Builder
	b.WriteString(hosts)
	start := v.options["start"]
	if start == "" {
		start = "0"
	}
	fmt.Fprintf(&b, "%s arp E1 > V reply\n", start)
	ends := false
	for _, line := range v.story {
		if line == "SCAN" {
			for port := range 60 {
				fmt.Fprintf(&b, "%d.5 X:%d > V:%d/tcp refused\n", port/3, 50000+port, 7000+port)
			}
			continue
		}
		ends = ends || strings.HasPrefix(line, "end ")
		b.WriteString(line + "\n")
	}
	if !ends && start == "0" {
		b.WriteString("end 60\n")
	}
	return b.String()
}

// captures reads the story as flowvet reads a file.
func (v *vector) captures(t *testing.T) []*capture.Capture {
	t.Helper()
	story, err := capturetest.Parse("vector "+v.number, v.text())
	if err != nil {
		t.Fatal(err)
	}
	if v.options["files"] == "halves" {
		return halves(t, story)
	}
	return []*capture.Capture{read(t, story.Pcap(), v.options["dedup"] != "")}
}

func read(t testing.TB, data []byte, dedup bool) *capture.Capture {
	t.Helper()
	inputs, err := capture.Open([]string{"-"}, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return inputs[0].Read(context.Background(), capture.Options{Dedup: dedup})
}

// halves splits a story into the frames that C sent and all others, one capture each.
func halves(t *testing.T, story *capturetest.Story) []*capture.Capture {
	t.Helper()
	client := netip.MustParseAddr("10.0.9.90").AsSlice()
	all := story.Pcap()
	files := [2][]byte{bytes.Clone(all[:24]), bytes.Clone(all[:24])}
	for at := 24; at < len(all); {
		n := 16 + int(all[at+8]) + int(all[at+9])<<8
		half := 0
		if bytes.Equal(all[at+16+26:at+16+30], client) {
			half = 1
		}
		files[half] = append(files[half], all[at:at+n]...)
		at += n
	}
	return []*capture.Capture{read(t, files[0], false), read(t, files[1], false)}
}

func vectorCatalog(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Load(false, "testdata/vectors/catalog.csv")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (v *vector) grounds(t *testing.T) Grounds {
	t.Helper()
	g := Grounds{Catalog: vectorCatalog(t), FailOn: LevelError, AsOf: time.Date(2015, 10, 21, 12, 0, 0, 0, time.UTC)}
	file := v.options["inventory"]
	if file == "" {
		file = "inventory.yaml"
	}
	inv, err := inventory.Load(filepath.Join("testdata/vectors", file), g.Catalog)
	if err != nil {
		t.Fatal(err)
	}
	g.Inventory = inv
	g.CaptureFilter = v.options["capture-filter"]
	if op := v.options["during"]; op != "" {
		g.During = []string{op}
	}
	if w := v.options["window"]; w != "" {
		from, to, _ := strings.Cut(w, "/")
		for _, p := range []struct {
			text string
			to   *int64
		}{{from, &g.Window.Start}, {to, &g.Window.End}} {
			at, err := time.Parse(time.RFC3339, p.text)
			if err != nil {
				t.Fatal(err)
			}
			*p.to = at.UnixNano()
		}
	}
	return g
}

func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.number+" "+v.title, func(t *testing.T) {
			r, err := Evaluate(v.grounds(t), v.captures(t))
			if err != nil {
				t.Fatal(err)
			}
			said := newSaid(r)
			for _, want := range v.wants {
				if !said.has(want) {
					t.Errorf("want: %s\nstory:\n\t%s\nsaid:\n\t%s", want, strings.Join(v.story, "\n\t"), said)
				}
			}
		})
	}
}

// TestVectorsAreAllThere counts the numbered vectors: 1 to 44, of which 35 is about dates and stands in exception_test.go.
func TestVectorsAreAllThere(t *testing.T) {
	seen := map[int]bool{35: true}
	for _, v := range readVectors(t) {
		n, err := strconv.Atoi(strings.TrimRight(v.number, "abcdefghij"))
		if err != nil || len(v.wants) == 0 {
			t.Errorf("vector %s: not a number, or nothing is wanted of it", v.number)
		}
		seen[n] = true
	}
	for n := 1; n <= 44; n++ {
		if !seen[n] {
			t.Errorf("vector %02d is missing", n)
		}
	}
}

// TestVectorsDoNotDependOnOrder gives each vector's captures in the other order, and merged beforehand.
func TestVectorsDoNotDependOnOrder(t *testing.T) {
	for _, v := range readVectors(t) {
		there, err := Evaluate(v.grounds(t), v.captures(t))
		if err != nil {
			t.Fatal(err)
		}
		captures := v.captures(t)
		slices.Reverse(captures)
		back, err := Evaluate(v.grounds(t), captures)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := newSaid(there).String(), newSaid(back).String(); a != b {
			t.Errorf("vector %s: one order says\n%s\nthe other\n%s", v.number, a, b)
		}
	}
}

// said is a result in the words of the vectors.
type said []string

func newSaid(r *Result) said {
	names := map[string]string{}
	for line := range strings.Lines(hosts) {
		if f := strings.Fields(line); f[0] == "host" {
			names[f[2]] = f[1]
		}
	}
	name := func(a netip.Addr) string {
		if n := names[a.String()]; n != "" {
			return n
		}
		return a.String()
	}
	var s said
	say := func(format string, args ...any) { s = append(s, fmt.Sprintf(format, args...)) }
	for _, f := range r.Findings.All() {
		outcome := f.Outcome.String()
		if f.Detail != "" {
			outcome += "-" + f.Detail
		}
		ends := fmt.Sprintf("%s > %s %d/%s", name(f.Initiator), name(f.Responder), f.Port, f.Proto)
		say("%s", strings.Join(append([]string{ends, f.Verdict.String(), outcome}, f.Qualifiers.Names()...), " "))
		say("basis %s %s", ends, f.Basis)
		say("packets %s %d", ends, f.Sent.Packets+f.Received.Packets)
		say("connections %s %d", ends, f.Connections)
		for _, h := range f.Hypotheses {
			say("hypothesis %s %s", name(f.Supposed(h)), h.Role)
		}
		for _, role := range f.Allowed {
			say("allowed %s %s", ends, role)
		}
		for _, n := range f.Near {
			say("near %s %s %s", ends, n.Row.ID, strings.Join(wrongColumns(n), " "))
		}
	}
	for i := range r.Expectations {
		e := &r.Expectations[i]
		subject, last := "-", ""
		if e.Subject != nil {
			subject = e.Subject.Name
		}
		for _, row := range e.Rows {
			line := fmt.Sprintf("expect %s %s %s", row.ID, subject, e.Verdict)
			switch e.Verdict {
			case ExpectedAbsent:
				last = " " + e.Coverage.String()
			case NotObservable:
				last = " " + e.Reason.Code
			}
			say("%s%s", line, last)
		}
	}
	for _, skip := range capture.Skips() {
		if n := r.Stats.Skipped[skip]; n > 0 {
			say("count %s %d", skip, n)
		}
	}
	say("out-of-scope %d", r.Counts.OutOfScope)
	say("scans %d", len(r.Scans))
	say("status %d", r.Status)
	return s
}

func wrongColumns(n Near) []string {
	var wrong []string
	for _, c := range []struct {
		ok   bool
		name string
	}{{n.TransportOK, "transport"}, {n.SourceOK, "source"}, {n.TargetOK, "target"}, {n.DirectionOK, "direction"}, {n.ProductOK, "product"}} {
		if !c.ok {
			wrong = append(wrong, c.name)
		}
	}
	return wrong
}

func (s said) has(want string) bool { return slices.Contains(s, want) }

func (s said) String() string { return strings.Join(s, "\n\t") }
