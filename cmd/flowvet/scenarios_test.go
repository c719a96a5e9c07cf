package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flowvet/capture/capturetest"
	"flowvet/catalog"
)

// scenarioCase is one story of testdata/pcaps/scenarios with what must be said of it.
type scenarioCase struct {
	scenario, name string
	text           string
	flags          []string
	want           string            // pass, fail or inconclusive
	lines          map[string]string // "state verdict-or-reason words…" by line
}

// scenarioFolder holds a folder for each built-in scenario.
var scenarioFolder = filepath.Join("..", "..", "testdata", "pcaps", "scenarios")

// TestScenariosAreJudgedAsToldByTheirStories holds every made capture of testdata/pcaps/scenarios against its scenario: the
// verdict, and the state and reason of each line that its story names; every other required line must be met.
func TestScenariosAreJudgedAsToldByTheirStories(t *testing.T) {
	for _, name := range catalog.ScenarioNames() {
		cases := scenarioCases(t, name)
		if len(cases) < 3 {
			t.Errorf("%s: %d stories, want one that passes and several that do not", name, len(cases))
		}
		for _, c := range cases {
			t.Run(name+"/"+c.name, c.judge)
		}
	}
}

// scenarioCases reads the stories of a scenario.
func scenarioCases(t *testing.T, scenario string) []scenarioCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(scenarioFolder, scenario, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var all []scenarioCase
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		if name == "hosts" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c := scenarioCase{scenario: scenario, name: name, text: string(text), lines: map[string]string{}}
		for _, want := range c.directives("want") {
			line, rest, more := strings.Cut(want, " ")
			if more {
				c.lines[line] = rest
			} else {
				c.want = want
			}
		}
		for _, flags := range c.directives("flags") {
			c.flags = append(c.flags, strings.Fields(flags)...)
		}
		all = append(all, c)
	}
	return all
}

// inventory returns the file that says who is who: inventory.yaml, or the one that the story names.
func (c *scenarioCase) inventory() string {
	name := "inventory.yaml"
	for _, other := range c.directives("inventory") {
		name = other
	}
	return filepath.Join(scenarioFolder, c.scenario, name)
}

// directives returns the values of "# KEY: VALUE" comments.
func (c *scenarioCase) directives(key string) []string {
	var values []string
	for line := range strings.Lines(c.text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "# "+key+": "); ok {
			values = append(values, value)
		}
	}
	return values
}

// capture makes the case's capture: its own story and that of hosts.txt, but for lines with the words of "without", and for
// the seconds in which it is "standing" still.
func (c *scenarioCase) capture(t *testing.T) []byte {
	t.Helper()
	base, err := os.ReadFile(filepath.Join(scenarioFolder, c.scenario, "hosts.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var story strings.Builder
	for line := range strings.Lines(string(base)) {
		drop := slices.ContainsFunc(c.directives("without"), func(word string) bool { return strings.Contains(line, word) })
		if !drop || strings.HasPrefix(line, "host ") {
			story.WriteString(line)
		}
	}
	parsed, err := capturetest.Parse(c.scenario+"/"+c.name, story.String()+c.text)
	if err != nil {
		t.Fatal(err)
	}
	frames := parsed.Frames()
	begin := frames[0].Time.Truncate(time.Second)
	for _, text := range c.directives("standing") {
		var from, to float64
		if _, err := fmt.Sscan(text, &from, &to); err != nil {
			t.Fatalf("standing: %s: %v", text, err)
		}
		frames = without(frames, func(f capturetest.Frame) bool {
			at := f.Time.Sub(begin).Seconds()
			return at >= from && at < to
		})
	}
	for i := range frames {
		frames[i].Data = frames[i].Data[:min(len(frames[i].Data), scenarioSnap)]
	}
	return pcapOf(frames)
}

// scenarioSnap is how much of each frame the captures hold: the headers.
const scenarioSnap = 96

// zipped compresses a capture: payload is zeros, and a tenth is left.
func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unzipped reads a compressed capture.
func unzipped(t *testing.T, file string) []byte {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// played is what the tests want to know of a JSON report on a scenario.
type played struct {
	Status    int
	Scenarios []struct {
		Name, Verdict, Why, Remedy string
		Operation                  int
		Bindings                   []struct {
			Variable, By string
			Machines     []string
		}
	}
	Expectations []struct {
		Line, State, Verdict, Detail, Subject string
		Required                              bool
		Reason                                *struct{ Code, Remedy string }
	}
}

// judge judges the committed capture, which must be what the story makes.
func (c *scenarioCase) judge(t *testing.T) {
	file := filepath.Join(scenarioFolder, c.scenario, c.name+".pcap.gz")
	made := c.capture(t)
	if *update {
		if err := os.WriteFile(file, zipped(t, made), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept := unzipped(t, file); !bytes.Equal(kept, made) {
		t.Errorf("%s is not what its story makes: run this test with -update", file)
	}
	c.hold(t, file)
}

// hold judges a capture of the case.
func (c *scenarioCase) hold(t *testing.T, file string) {
	t.Helper()
	args := append([]string{
		"check", file, "--inventory", c.inventory(), "--scenario", c.scenario,
		"--json", "--as-of", "2015-10-21T12:00:00Z", "-q",
	}, c.flags...)
	var stdout, stderr bytes.Buffer
	status := run(args, strings.NewReader(""), &stdout, &stderr)
	var r played
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("flowvet %s: status %d, %v: %s", strings.Join(args, " "), status, err, stderr.String())
	}
	if len(r.Scenarios) == 0 {
		t.Fatal("no scenario in the report")
	}
	c.compare(t, &r)
	if want := map[string]int{"fail": 1, "inconclusive": 3}[c.want]; c.want != "pass" && status != want {
		t.Errorf("exit status %d, want %d", status, want)
	}
}

// compare holds the report against what the story wants.
func (c *scenarioCase) compare(t *testing.T, r *played) {
	t.Helper()
	s := r.Scenarios[0]
	if s.Verdict != c.want {
		t.Errorf("%s: %s, want %s", s.Verdict, s.Why, c.want)
	}
	if s.Verdict == "inconclusive" && s.Remedy == "" {
		t.Error("inconclusive without a remedy")
	}
	found := map[string]bool{}
	for _, e := range r.Expectations {
		if e.Line == "" {
			continue
		}
		want, named := c.lines[e.Line]
		words := lineTold(e.State, e.Verdict, e.Detail, e.Subject)
		if e.Reason != nil {
			words += " " + e.Reason.Code
		}
		switch {
		case named && hasWords(words, want):
			found[e.Line] = true
		case !named && e.Required && e.State != "met" && e.State != "not applicable":
			t.Errorf("line %s of %s: %s, want met", e.Line, e.Subject, words)
		}
	}
	for line, want := range c.lines {
		if !found[line] {
			t.Errorf("line %s: not %q", line, want)
			for _, e := range r.Expectations {
				if e.Line == line {
					t.Logf("it is: %s %+v", lineTold(e.State, e.Verdict, e.Detail, e.Subject), e.Reason)
				}
			}
		}
	}
}

// lineTold is what a report says of a line, in the words that stories use.
func lineTold(state, verdict, detail, subject string) string {
	if state == "could not judge" {
		state = "unjudged"
	}
	return strings.Join([]string{strings.ReplaceAll(state, " ", "-"), verdict, subject, detail}, " ")
}

// hasWords reports whether words hold all of the wanted ones; "70s" stands for a silence of that length.
func hasWords(words, want string) bool {
	for _, w := range strings.Fields(want) {
		if n, ok := strings.CutSuffix(w, "s"); ok {
			if seconds, err := strconv.Atoi(n); err == nil {
				w = (time.Duration(seconds) * time.Second).String()
			}
		}
		if !strings.Contains(words, w) {
			return false
		}
	}
	return true
}
