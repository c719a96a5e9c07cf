package catalog

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of a catalogue file. The largest port document known has a few thousand rows.
const (
	maxFileSize = 4 << 20
	maxRows     = 100_000
)

// table is a CSV file with a header line, read but not yet understood.
type table struct {
	name    string
	columns []string
	header  int // the line that names the columns
	records []record
	remarks []remark
}

// record is one line of a table: as many cells as the table has columns, without surrounding white space.
type record struct {
	line  int
	cells []string
}

// remark is a comment of the form "# key: text".
type remark struct {
	line      int
	key, text string
}

// readTable splits data into records. It reports what keeps data from being a table of the known columns, and returns
// false when its rows cannot be read for it; a row that cannot be split is reported and left out.
func readTable(name string, data []byte, required, known []string, found *problems) (*table, bool) {
	t := &table{name: name}
	fail := func(line int, text, hint string) {
		found.add(Problem{File: name, Line: line, Text: text, Hint: hint})
	}
	switch {
	case len(data) > maxFileSize:
		fail(0, "is larger than 4 MiB", "split it into several catalogues")
		return t, false
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		fail(0, "is written in UTF-16", "save it as UTF-8")
		return t, false
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if n, text, hint := badText(data); n > 0 {
		fail(n, text, hint)
		return t, false
	}
	t.remarks = remarks(data)
	clean := t.readRecords(data, fail)
	if t.columns == nil {
		if clean {
			fail(0, "has no rows", "the first line names the columns: "+strings.Join(required, ","))
		}
		return t, false
	}
	return t, t.checkColumns(required, known, found)
}

// badText returns the first line (1-based) that is no plain UTF-8 text, with what is wrong and what to do, or 0.
func badText(data []byte) (line int, text, hint string) {
	line = 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			return line, "is no UTF-8 text", "save it as UTF-8"
		case r == 0:
			return line, "holds a NUL byte", "a catalogue is a text file"
		case r == '\n':
			line++
		case r == '\r' && (len(rest) == 1 || rest[1] != '\n'):
			return line, "holds a lone carriage return", "end lines with LF or CRLF"
		case r != '\r' && r != '\t' && unicode.IsControl(r):
			return line, "holds a control character", "a catalogue is a text file"
		}
		rest = rest[size:]
	}
	return 0, "", ""
}

// remarks returns the comments of the form "# key: text"; a key is one word.
func remarks(data []byte) []remark {
	var list []remark
	n := 0
	for text := range strings.Lines(string(data)) {
		n++
		comment, ok := strings.CutPrefix(text, "#")
		if !ok {
			continue
		}
		key, value, ok := strings.Cut(comment, ":")
		key = strings.TrimSpace(key)
		if ok && key != "" && !strings.ContainsAny(key, " \t") {
			list = append(list, remark{line: n, key: key, text: strings.TrimSpace(value)})
		}
	}
	return list
}

// readRecords reads the header and the rows that can be split, and reports whether that was all of them.
func (t *table) readRecords(data []byte, fail func(line int, text, hint string)) (clean bool) {
	clean = true
	r := csv.NewReader(bytes.NewReader(data))
	r.Comment = '#'
	r.FieldsPerRecord = -1
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return clean
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			fail(bad.StartLine, bad.Err.Error(), `a cell with a quote is written "so ""to say"""`)
			clean = false
			continue
		}
		if err != nil {
			fail(0, err.Error(), "")
			return false
		}
		n, _ := r.FieldPos(0)
		if t.columns != nil && len(t.records) >= maxRows {
			fail(n, "is past the 100,000th row", "split the file into several catalogues")
			return false
		}
		clean = t.take(n, cells, fail) && clean
	}
}

// take adds one line of the file, the header first, and reports whether it could.
func (t *table) take(n int, cells []string, fail func(line int, text, hint string)) bool {
	for i, cell := range cells {
		if strings.Contains(cell, "\n") {
			fail(n, "a cell goes on in the next line", "one row is one line")
			return false
		}
		cells[i] = plainCell(strings.TrimSpace(cell))
	}
	switch {
	case t.columns == nil:
		t.columns, t.header = cells, n
	case len(cells) != len(t.columns):
		fail(n, fmt.Sprintf("%d cells under %d columns", len(cells), len(t.columns)), "a cell with a comma is written in quotes")
		return false
	default:
		t.records = append(t.records, record{line: n, cells: cells})
	}
	return true
}

// formulaSigns are the signs with which a spreadsheet lets a formula begin.
const formulaSigns = "=+-@＝＋－＠"

// plainCell takes off the apostrophe that stands before what a spreadsheet would take for a formula.
func plainCell(cell string) string {
	text, marked := strings.CutPrefix(cell, "'")
	if first, _ := utf8.DecodeRuneInString(text); marked && strings.ContainsRune(formulaSigns, first) {
		return text
	}
	return cell
}

// checkColumns reports unknown, doubled and missing columns, and whether there were none.
func (t *table) checkColumns(required, known []string, found *problems) bool {
	good := true
	bad := func(column, text, hint string) {
		good = false
		found.add(Problem{File: t.name, Line: t.header, Column: column, Text: text, Hint: hint})
	}
	if len(t.columns) == 1 && strings.ContainsAny(t.columns[0], ";\t") {
		bad("", "the columns are not separated by commas", "export the table as comma-separated values")
		return good
	}
	for i, column := range t.columns {
		switch {
		case !slices.Contains(known, column):
			bad(column, "is no column of a catalogue", suggest(column, known))
		case slices.Contains(t.columns[:i], column):
			bad(column, "stands here twice", "")
		}
	}
	for _, column := range required {
		if !slices.Contains(t.columns, column) {
			bad(column, "is required and missing", "")
		}
	}
	return good
}

// cell returns the cell of a record under a column, "" where the table has no such column.
func (t *table) cell(r record, column string) string {
	if i := slices.Index(t.columns, column); i >= 0 {
		return r.cells[i]
	}
	return ""
}
