package inventory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"flowvet/inventory/xlsx"
)

// grid is a sheet of a workbook or a file of columns, read by the names of its columns.
type grid struct {
	*sourceReader
	sheet   string // empty: a file of its own
	columns map[string]int
	cells   []string // of the current row
	number  int      // of the current row, or its line
}

// at returns the place of the current row.
func (t *grid) at() Where { return Where{File: t.source.Name, Sheet: t.sheet, Line: t.number} }

// cell returns what the current row has in the first of the columns that is there.
func (t *grid) cell(names ...string) said {
	for _, name := range names {
		if i, ok := t.columns[name]; ok && i < len(t.cells) {
			return said{text: strings.TrimSpace(t.cells[i]), at: t.at()}
		}
	}
	return said{}
}

// has reports whether one of the columns is there.
func (t *grid) has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := t.columns[name]; return ok })
}

// header takes the current row as the names of the columns, without case; of two with one name the first counts.
func (t *grid) header() {
	t.columns = make(map[string]int, len(t.cells))
	for i, name := range t.cells {
		if name = fold(name); name != "" {
			if _, twice := t.columns[name]; !twice {
				t.columns[name] = i
			}
		}
	}
}

// needs notes the first column that is missing, by its names.
func (t *grid) needs(what string, columns ...[]string) bool {
	for _, names := range columns {
		if !t.has(names...) {
			t.addf(t.number, "column %q of RVTools' %s is missing", names[0], what)
			return false
		}
	}
	return true
}

// separators are what may stand between columns: a program of Windows takes that of the country.
const separators = ",;\t"

// separator returns what stands between the columns of a header.
func separator(header string) rune {
	best := ','
	for _, s := range separators {
		if strings.Count(header, string(s)) > strings.Count(header, string(best)) {
			best = s
		}
	}
	return best
}

// rows calls f for each row of a text of columns, the header first.
func (t *grid) rows(text []byte, f func()) {
	in := csv.NewReader(bytes.NewReader(text))
	in.Comma = separator(firstLine(text))
	in.FieldsPerRecord, in.LazyQuotes, in.ReuseRecord = -1, true, true
	for len(t.list) == 0 {
		record, err := in.Read()
		var broken *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.As(err, &broken):
			t.addf(broken.Line, "is not CSV: %v", broken.Err)
			return
		case err != nil:
			t.addf(0, "is not CSV: %v", err)
			return
		}
		t.number, _ = in.FieldPos(0)
		t.cells = record
		f()
	}
}

// errStop ends the reading of a sheet in which something is wrong.
var errStop = errors.New("enough is known")

// sheetRows calls f for each row of a sheet, the header first.
func (t *grid) sheetRows(w *xlsx.Workbook, f func()) {
	file := t.file
	defer func() { t.file = file }()
	t.file = file + ":" + display(t.sheet)
	err := w.Rows(t.sheet, func(number int, cells []string) error {
		t.number, t.cells = number, cells
		f()
		if len(t.list) > 0 {
			return errStop
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		t.addf(0, "%v", err)
	}
}
