package capturetest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// Each capture of testdata/pcaps shows what its story says: every row the story names is documented by some
// conversation, one expectation is absent, and one conversation is undocumented.
func TestCapturesAreJudgedAsToldByTheirStories(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcaps", "*", "capture.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, file := range files {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			r := judged(t, folder, file)
			cited := citedRows(r)
			for _, row := range rowsNamed(t, folder) {
				if !slices.Contains(cited, row) {
					t.Errorf("%s: no documented conversation cites it", row)
				}
			}
			var undocumented, absent []string
			for _, f := range r.Findings.All() {
				if f.Bucket() == match.Undocumented {
					undocumented = append(undocumented, f.Verdict.String()+" "+f.Filter())
				}
			}
			for _, e := range r.Expectations {
				if e.Bucket() == match.Absent {
					absent = append(absent, e.Verdict.String()+" "+e.Rows[0].ID)
				}
			}
			if len(undocumented) != 1 {
				t.Errorf("got undocumented %q, want one", undocumented)
			}
			if len(absent) != 1 || !strings.HasPrefix(absent[0], match.ExpectedAbsent.String()+" ") {
				t.Errorf("got absent %q, want one", absent)
			}
		})
	}
}

// judged evaluates a capture with the inventory and the arguments beside it.
func judged(t *testing.T, folder, file string) *match.Result {
	t.Helper()
	g := match.Grounds{Catalog: catalog.Default(), FailOn: match.LevelError, AsOf: time.Date(2015, 10, 21, 12, 0, 0, 0, time.UTC)}
	var err error
	if g.Inventory, err = inventory.Load(filepath.Join(folder, "inventory.yaml"), g.Catalog); err != nil {
		t.Fatal(err)
	}
	readArgs(t, folder, &g)
	inputs, err := capture.Open([]string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := match.Evaluate(g, []*capture.Capture{inputs[0].Read(t.Context(), capture.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readArgs reads the folder's args file: --during OPERATION and --window START/END, where there is one.
func readArgs(t *testing.T, folder string, g *match.Grounds) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "args"))
	if os.IsNotExist(err) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for words := strings.Fields(string(text)); len(words) > 1; words = words[2:] {
		switch words[0] {
		case "--during":
			g.During = append(g.During, words[1])
		case "--window":
			from, to, _ := strings.Cut(words[1], "/")
			g.Window = match.Window{Start: nanos(t, from), End: nanos(t, to)}
		default:
			t.Fatalf("args: %q is not known here", words[0])
		}
	}
}

func nanos(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixNano()
}

// citedRows returns the rows that document some conversation.
func citedRows(r *match.Result) []string {
	var ids []string
	for _, f := range r.Findings.All() {
		if f.Bucket() != match.Documented {
			continue
		}
		for _, row := range f.Rows {
			ids = append(ids, row.ID)
		}
	}
	return ids
}

// rowsNamed returns the rows that the comments of a story's lines name.
func rowsNamed(t *testing.T, folder string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "story.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(text)) {
		_, comment, _ := strings.Cut(line, "# R")
		for word := range strings.SplitSeq(strings.TrimSpace(comment), ", R") {
			if word != "" {
				rows = append(rows, "R"+word)
			}
		}
	}
	if len(rows) == 0 {
		t.Fatal("the story names no row")
	}
	return rows
}
