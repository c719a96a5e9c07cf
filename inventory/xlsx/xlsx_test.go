package xlsx

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// workbook returns a workbook of the given parts besides those that every one has.
func workbook(t testing.TB, sheets map[string]string, more ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	part := func(name, text string) {
		w, err := archive.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	var list, related strings.Builder
	names := slices.Sorted(func(yield func(string) bool) {
		for name := range sheets {
			if !yield(name) {
				return
			}
		}
	})
	for i, name := range names {
		fmt.Fprintf(&list, `<sheet name="%s" sheetId="%d" r:id="rId%d"/>`, name, i+1, i+1)
		fmt.Fprintf(&related, `<Relationship Id="rId%d" Type="x/worksheet" Target="worksheets/sheet%d.xml"/>`, i+1, i+1)
		part(fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), `<worksheet><sheetData>`+sheets[name]+`</sheetData></worksheet>`)
	}
	related.WriteString(`<Relationship Id="s" Type="x/sharedStrings" Target="/xl/sharedStrings.xml"/>`)
	part("xl/workbook.xml", `<workbook xmlns:r="r"><sheets>`+list.String()+`</sheets></workbook>`)
	part("xl/_rels/workbook.xml.rels", `<Relationships>`+related.String()+`</Relationships>`)
	for i := 0; i+1 < len(more); i += 2 {
		part(more[i], more[i+1])
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rows returns all rows of a sheet, each with its number.
func rows(t testing.TB, data []byte, sheet string) ([]string, error) {
	t.Helper()
	w, err := Open(data)
	if err != nil {
		return nil, err
	}
	var all []string
	err = w.Rows(sheet, func(number int, cells []string) error {
		all = append(all, fmt.Sprintf("%d %q", number, cells))
		return nil
	})
	return all, err
}

func TestEveryKindOfCellIsText(t *testing.T) {
	data := workbook(t, map[string]string{"vHost": `
		<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1" t="s"><v>1</v></c><c t="inlineStr"><is><t>in</t><t>line</t></is></c></row>
		<row r="3"><c r="B3"><v>17.5</v></c><c r="C3" t="b"><v>1</v></c><c r="D3" t="str"><f>A1</f><v>made</v></c></row>
		<row><c t="s"><v>9</v></c><c t="s"><v>-1</v></c><c t="s"><v>x</v></c><c t="e"><v>#N/A</v></c></row><row r="9"/>`},
		"xl/sharedStrings.xml", `<sst><si><t>Host</t></si><si><r><t>ESX </t></r><r><t>Version &amp; &lt;more&gt;</t></r><rPh><t>hint</t></rPh></si></sst>`)
	got, err := rows(t, data, "vHost")
	want := []string{
		`1 ["Host" "" "ESX Version & <more>" "inline"]`,
		`3 ["" "17.5" "1" "made"]`,
		`4 ["" "" "" "#N/A"]`,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v; -want +got\n%s", err, diff)
	}
}

func TestAWorkbookOfAnotherProgramIsRead(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "testdata", "imports", "RVTools_export_all.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := Open(data)
	if err != nil || !slices.Contains(w.Sheets(), "vSC_VMK") {
		t.Fatalf("got the sheets %v, %v", w, err)
	}
	got, err := rows(t, data, "vSC_VMK")
	if err != nil || len(got) != 7 || !strings.Contains(got[1], `"vswif0" "00:50:56:40:00:01" "0" "10.20.0.11"`) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWhatGoesBeyondABoundIsRefused(t *testing.T) {
	row := func(cells string) map[string]string { return map[string]string{"s": cells} }
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for _, c := range []struct {
		what, want string
		data       []byte
	}{
		{"a bomb", "expands to more than 250 times its size", workbook(t, row(many("<row><c><v>1</v></c></row>", 200_000)))},
		{"a bomb of text", "holds a piece of XML of more than 1 MiB", workbook(t, row("<row><c><v>"+noise("%d", 200_000)+"</v></c></row>"))},
		{"a tag without an end", "holds a piece of XML of more than 1 MiB", workbook(t, row("<row "+many(`a="1" `, 2<<18)+"/>"))},
		{"a column behind the last", "more than 16384 columns", workbook(t, row(`<row><c r="ZZZZ1"><v>1</v></c></row>`))},
		{"a row behind the last", "more than 1048576 rows", workbook(t, row(`<row r="1048577"><c><v>1</v></c></row>`))},
		{"rows that are empty but for the last column", "more than 16777216 cells", workbook(t, row(noise(`<row><c r="XFD1"><v>%d</v></c></row>`, 1100)))},
		{"entities that hold each other", "is damaged", workbook(t, map[string]string{"s": "&lol;"})},
		{"no end", "is damaged", workbook(t, row("<row><c>"))},
		{"no sheet", `has no sheet "s"`, workbook(t, nil)},
		{"an archive of something else", `its part "xl/_rels/workbook.xml.rels" is missing`, zipOf(t, "a.txt", "text")},
		{"no archive", "its archive is damaged", []byte("PK\x03\x04 and so on")},
	} {
		if got, err := rows(t, c.data, "s"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %d rows, %v; want %q", c.what, len(got), err, c.want)
		}
	}
}

// noise repeats a text that holds a number, so that it does not compress too well.
func noise(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i*2654435761)
	}
	return b.String()
}

// zipOf returns an archive of one file.
func zipOf(t testing.TB, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	w, err := archive.Create(name)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzSheet reads whatever a sheet and its strings hold: within the bounds, one line of error at most.
func FuzzSheet(f *testing.F) {
	f.Add(`<row r="1"><c r="A1" t="s"><v>0</v></c></row>`, `<si><t>Host</t></si>`)
	f.Add(`<row r="7"><c r="XFD1" t="inlineStr"><is><t>x</t></is></c></row><row/><c/></row>`, `<si><rPh></rPh></rPh><t>`)
	f.Add(`<row r="-1"><c r="A"><c r="1"><v>&#0;</v></c>`, "")
	f.Fuzz(func(t *testing.T, sheet, shared string) {
		data := workbook(t, map[string]string{"s": sheet}, "xl/sharedStrings.xml", "<sst>"+shared+"</sst>")
		w, err := Open(data)
		if err == nil {
			err = w.Rows("s", func(number int, cells []string) error {
				if number < 1 || number > MaxRows || len(cells) < 1 || len(cells) > MaxColumns {
					t.Errorf("row %d has %d cells", number, len(cells))
				}
				return nil
			})
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("the error is several lines: %q", err)
		}
	})
}
