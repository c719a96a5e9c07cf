package report

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"flowvet/match"
)

// junitElement is an element of junit-10.xsd (Jenkins' xUnit plugin) as far as flowvet writes it: its attributes, the
// required ones with an exclamation mark, and its children.
type junitElement struct{ attributes, children string }

func junitSchema() map[string]junitElement {
	return map[string]junitElement{
		"":           {"", "testsuites"},
		"testsuites": {"name time tests failures errors", "testsuite"},
		"testsuite": {
			"name! tests! failures! errors! group time skipped timestamp hostname id package file log url",
			"testsuite properties testcase system-out system-err",
		},
		"properties": {"", "property"},
		"property":   {"name! value!", ""},
		"testcase":   {"name! time classname group", "skipped error failure system-out system-err"},
		"skipped":    {"type message", ""},
		"error":      {"type message", ""},
		"failure":    {"type message", ""},
		"system-out": {"", ""},
	}
}

// checkJUnit holds a report against the schema, element by element.
func checkJUnit(t *testing.T, report string) {
	t.Helper()
	schema := junitSchema()
	d := xml.NewDecoder(strings.NewReader(report))
	path := []string{""}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("the JUnit report is no XML: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			parent := schema[path[len(path)-1]]
			if !wordSet(parent.children)[e.Name.Local] {
				t.Errorf("<%s> stands in <%s>", e.Name.Local, path[len(path)-1])
			}
			checkAttributes(t, e, schema[e.Name.Local].attributes)
			path = append(path, e.Name.Local)
		case xml.EndElement:
			path = path[:len(path)-1]
		}
	}
}

func checkAttributes(t *testing.T, e xml.StartElement, allowed string) {
	t.Helper()
	has := map[string]bool{}
	for _, a := range e.Attr {
		has[a.Name.Local] = true
		if !wordSet(strings.ReplaceAll(allowed, "!", ""))[a.Name.Local] {
			t.Errorf("<%s> has the attribute %s", e.Name.Local, a.Name.Local)
		}
	}
	for name := range wordSet(allowed) {
		if need, required := strings.CutSuffix(name, "!"); required && !has[need] {
			t.Errorf("<%s> has no %s", e.Name.Local, need)
		}
	}
}

func wordSet(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

func TestJUnitIsOfItsSchema(t *testing.T) {
	checkJUnit(t, render(t, JUnit, newLab().result(), Options{}))
	checkJUnit(t, render(t, JUnit, emptyResult(), Options{}))
	for _, s := range hostileStrings() {
		checkJUnit(t, render(t, JUnit, poison(s), Options{Version: s}))
	}
}

// The counts of a suite are those of its cases, and an open error is the only failure.
func TestJUnitFailsForOpenErrorsOnly(t *testing.T) {
	r := newLab().result()
	var got junitReport
	if err := xml.Unmarshal([]byte(render(t, JUnit, r, Options{})), &got); err != nil {
		t.Fatal(err)
	}
	failures := 0
	for _, s := range got.Suites {
		counted := (&teller{r: r}).junitSuite(s.Name, s.Cases)
		if counted.Tests != s.Tests || counted.Failures != s.Failures || counted.Errors != s.Errors || counted.Skipped != s.Skipped {
			t.Errorf("suite %s counts %+v, and holds %+v", s.Name, s, counted)
		}
		failures += s.Failures
	}
	want := 0
	for i := range r.Expectations {
		if e := &r.Expectations[i]; e.Level == match.LevelError && !e.Disposition.Excepted() {
			want++
		}
	}
	for _, groups := range newTeller(r, Options{}).tally.groups {
		for _, g := range groups {
			if g.level == match.LevelError {
				want++
			}
		}
	}
	if failures != want || got.Failures != want {
		t.Errorf("%d failures (%d by the root), want the %d open errors", failures, got.Failures, want)
	}
	if got.Errors != 1 || got.Suites[0].Cases[1].Error == nil {
		t.Errorf("%d errors, want one: san.pcapng is damaged", got.Errors)
	}
	if n := got.Suites[2].Tests; n != len(r.Expectations) {
		t.Errorf("%d cases of expectations, want %d", n, len(r.Expectations))
	}
}
