package catalog

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// seed returns a file of the document's transcription, which is kept outside the repository.
func seed(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "shared", "seed", name))
	if err != nil {
		t.Skip("the transcription of the document is not here: ", err)
	}
	return string(data)
}

// TestRowsAreTheTranscription compares every fact of ports.csv with the table it was made from.
func TestRowsAreTheTranscription(t *testing.T) {
	r := csv.NewReader(strings.NewReader(seed(t, "rows.tsv")))
	r.Comma, r.LazyQuotes = '\t', true
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	header, lines := lines[0], lines[1:]
	if len(lines) != len(Default().Rows) {
		t.Fatalf("got %d rows, the transcription has %d", len(Default().Rows), len(lines))
	}
	for i, row := range Default().Rows {
		for column, got := range facts(row) {
			at := slices.Index(header, column)
			if at < 0 {
				t.Fatalf("the transcription has no column %q", column)
			}
			if want := lines[i][at]; got != want {
				t.Errorf("%s: %s: got %q, want %q", row.ID, column, got, want)
			}
		}
	}
}

// facts spells a row in the words of the transcription.
func facts(r *Row) map[string]string {
	return map[string]string{
		"row": r.ID, "product": r.Product,
		"port": r.PortsPrinted, "proto": r.TransportPrinted,
		"source_raw": r.SourcePrinted, "target_raw": r.TargetPrinted,
		"source_role": inOrder(r.Source), "target_role": inOrder(r.Target),
		"listener": r.Listener.String(), "ends": endsOf(r),
		"expectation": r.Class.String(), "group": prefixed("any-of:", r.Group),
		"each": r.Each.String(), "period": periodOf(r), "plane": r.Plane, "cast": castOf(r),
		"reply":        map[bool]string{true: "no", false: "yes"}[r.OneWay],
		"configurable": map[bool]string{true: "y"}[r.Configurable],
		"on_wire":      map[bool]string{true: "y", false: "n"}[r.OnWire],
		"insecure":     r.Insecure,
		"erratum":      map[bool]string{true: "y"}[r.Erratum],
		"alt":          altOf(r),
	}
}

func inOrder(list []Role) string {
	var names []string
	for _, role := range list {
		names = append(names, string(role))
	}
	return strings.Join(names, "|")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

func endsOf(r *Row) string {
	var ends []string
	if r.SourceMin == 4 {
		ends = append(ends, "source>=4")
	}
	if r.TargetMin == 4 {
		ends = append(ends, "target>=4")
	}
	return strings.Join(ends, ",")
}

func castOf(r *Row) string {
	if !r.Cast.IsValid() {
		return ""
	}
	return r.Cast.String()
}

func periodOf(r *Row) string {
	if r.Period == 0 {
		return "event"
	}
	return strconv.Itoa(int(r.Period.Seconds()))
}

func altOf(r *Row) string {
	var parts []string
	for _, a := range r.Alt {
		switch {
		case a.Transport != 0:
			parts = append(parts, "transport="+a.Transport.String())
		case a.Source != nil:
			parts = append(parts, "source="+inOrder(a.Source))
		case a.Target != nil:
			parts = append(parts, "target="+inOrder(a.Target))
		case a.Exchange:
			parts = append(parts, "exchange")
		}
	}
	return strings.Join(parts, ";")
}

// TestPurposesAreOurOwnWords looks for each purpose in the document, whose sentences are not ours to copy.
func TestPurposesAreOurOwnWords(t *testing.T) {
	document := fold(seed(t, "vmware-ports-kb.txt"))
	for _, r := range Default().Rows {
		if strings.Contains(document, fold(r.Purpose)) {
			t.Errorf("%s: the document prints %q", r.ID, r.Purpose)
		}
	}
}

// TestRowsBeginWhereTheySay looks at the line of the document for the product's first word.
func TestRowsBeginWhereTheySay(t *testing.T) {
	lines := strings.Split(seed(t, "vmware-ports-kb.txt"), "\n")
	for _, r := range Default().Rows {
		line := strings.TrimSpace(lines[r.Origin.Line-1])
		if first, _, _ := strings.Cut(r.Product, " "); !strings.HasPrefix(line, first) {
			t.Errorf("%s: line %d is %q, want one that begins with %s", r.ID, r.Origin.Line, line, r.Product)
		}
	}
}
