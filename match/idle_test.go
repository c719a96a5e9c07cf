package match

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/catalog"
	"flowvet/inventory"
)

// readScene reads the packets of a story of testdata/pcaps, the same ones each time.
func readScene(t *testing.T, path string) *capture.Capture {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	story, err := capturetest.Parse(path, regexp.MustCompile(`(?m)^file .*$`).ReplaceAllString(string(text), ""))
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := capture.Open([]string{"-"}, bytes.NewReader(story.Pcap()))
	if err != nil {
		t.Fatal(err)
	}
	return inputs[0].Read(context.Background(), capture.Options{})
}

// saidOf is what a judgement says, a line for each conversation and expectation, but for the port of a client.
func saidOf(t *testing.T, g Grounds, c *capture.Capture) []string {
	t.Helper()
	r, err := Evaluate(g, []*capture.Capture{c})
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{fmt.Sprintf("%+v, %d", r.Counts, r.Status)}
	for _, f := range r.Findings.All() {
		lines = append(lines, fmt.Sprint(
			f.ID(), f.Verdict, f.Outcome, f.Detail, f.Outcomes, f.Flows, f.Connections, f.ConnectionsCapped, f.Sent, f.Received,
			f.First, f.Last, f.Basis, f.Certainty, f.Qualifiers, f.Level,
		))
	}
	for i := range r.Expectations {
		e := &r.Expectations[i]
		lines = append(lines, fmt.Sprint(e.ID, e.Verdict, e.Coverage, e.Reason, e.Required, e.InView))
	}
	return lines
}

// TestIdleFlowsAreJudgedAsTheyWere judges every scene as it is, and with all flows joined that can be.
func TestIdleFlowsAreJudgedAsTheyWere(t *testing.T) {
	stories, err := filepath.Glob(filepath.Join("..", "testdata", "pcaps", "*", "story.txt"))
	if err != nil || len(stories) < 20 {
		t.Fatalf("%d scenes (%v), want 20 at least", len(stories), err)
	}
	cat := catalog.Default()
	joined := 0
	for _, path := range stories {
		inv, err := inventory.Load(filepath.Join(filepath.Dir(path), "inventory.yaml"), cat)
		if err != nil {
			t.Fatal(err)
		}
		g := Grounds{Catalog: cat, Inventory: inv, AsOf: time.Date(2015, 10, 21, 12, 0, 0, 0, time.UTC)}
		c := readScene(t, path)
		before, flows := saidOf(t, g, c), c.Table.Len()
		c = readScene(t, path)
		c.Table.FoldIdle(math.MaxInt64, ClientPorts(cat))
		joined += flows - c.Table.Len()
		if diff := cmp.Diff(before, saidOf(t, g, c)); diff != "" {
			t.Errorf("%s (-as it is +joined):\n%s", path, diff)
		}
	}
	if joined == 0 {
		t.Error("no flows were joined")
	}
	t.Logf("%d flows were joined to others", joined)
}
