package xlsx

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// readShared reads the strings that cells share. A workbook need not have any.
func (w *Workbook) readShared(part string) error {
	if part == "" || w.parts[strings.ToLower(part)] == nil {
		return nil
	}
	var t text
	size := 0
	return w.read(part, func(token xml.Token) error {
		t.token(token)
		end, ok := token.(xml.EndElement)
		if !ok || end.Name.Local != "si" {
			return nil
		}
		s := t.take()
		const header = 16 // bytes that an empty string costs
		if size += len(s) + header; size > MaxShared {
			return limitf("holds more than %d MiB of text", MaxShared>>20)
		}
		w.shared = append(w.shared, s)
		return nil
	})
}

// text gathers the text of a string or a cell: what stands in elements t and v, phonetic hints (rPh) aside.
type text struct {
	b        strings.Builder
	inside   bool
	phonetic int
}

// token takes a token of the XML.
func (t *text) token(token xml.Token) {
	switch e := token.(type) {
	case xml.StartElement:
		switch e.Name.Local {
		case "t", "v":
			t.inside = t.phonetic == 0
		case "rPh":
			t.phonetic++
		}
	case xml.EndElement:
		switch e.Name.Local {
		case "t", "v":
			t.inside = false
		case "rPh":
			t.phonetic--
		}
	case xml.CharData:
		if t.inside && t.b.Len() < MaxCell {
			t.b.Write(e[:min(len(e), MaxCell-t.b.Len())])
		}
	}
}

// take returns the text and begins anew.
func (t *text) take() string {
	s := t.b.String()
	t.b.Reset()
	t.inside, t.phonetic = false, 0
	return strings.ToValidUTF8(s, "\ufffd")
}

// rowReader gathers the cells of a row.
type rowReader struct {
	workbook *Workbook
	f        func(int, []string) error
	cells    []string
	number   int // of the current row
	column   int // of the current cell, from 0
	kind     string
	inCell   bool
	text     text
}

// element takes a token of a sheet's XML.
func (r *rowReader) element(token xml.Token) error {
	if r.inCell {
		r.text.token(token)
	}
	switch e := token.(type) {
	case xml.StartElement:
		switch e.Name.Local {
		case "row":
			return r.row(attribute(e, "r"))
		case "c":
			return r.cell(e)
		}
	case xml.EndElement:
		switch e.Name.Local {
		case "c":
			r.endCell()
		case "row":
			return r.endRow()
		}
	}
	return nil
}

// row begins a row, whose number may be left out.
func (r *rowReader) row(number string) error {
	r.number++
	if n, err := strconv.Atoi(number); err == nil && n >= r.number {
		r.number = n
	}
	if r.number > MaxRows {
		return limitf("has more than %d rows in a sheet", MaxRows)
	}
	clear(r.cells)
	r.cells, r.column = r.cells[:0], -1
	return nil
}

// cell begins a cell, whose place may be left out.
func (r *rowReader) cell(e xml.StartElement) error {
	r.column++
	if column, ok := columnOf(attribute(e, "r")); ok {
		r.column = column
	}
	if r.column >= MaxColumns {
		return limitf("has more than %d columns in a sheet", MaxColumns)
	}
	r.kind, r.inCell = attribute(e, "t"), true
	return nil
}

// endCell keeps the cell's text.
func (r *rowReader) endCell() {
	if !r.inCell {
		return
	}
	r.inCell = false
	s := r.text.take()
	if r.kind == "s" {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		s = ""
		if err == nil && n >= 0 && n < len(r.workbook.shared) {
			s = r.workbook.shared[n]
		}
	}
	for len(r.cells) <= r.column {
		r.cells = append(r.cells, "")
	}
	r.cells[r.column] = s
}

// endRow hands the row on, if it has cells.
func (r *rowReader) endRow() error {
	if r.workbook.cells += len(r.cells); r.workbook.cells > MaxCells {
		return limitf("has more than %d cells", MaxCells)
	}
	if len(r.cells) == 0 {
		return nil
	}
	return r.f(r.number, r.cells)
}

// columnOf returns the column of a place such as BC12, from 0.
func columnOf(place string) (int, bool) {
	n := 0
	for i := range len(place) {
		c := place[i] &^ 0x20
		if c < 'A' || c > 'Z' {
			return n - 1, i > 0
		}
		if n = n*26 + int(c-'A') + 1; n > MaxColumns {
			return MaxColumns, true
		}
	}
	return 0, false
}
