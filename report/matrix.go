package report

import (
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"
)

// Measures of the role matrix, in pixels.
const (
	matrixLeft  = 190
	matrixCell  = 68
	matrixLine  = 15
	matrixRoles = 12 // per axis; what is rarer is folded
)

// svgText is a text and where its baseline begins, ends or has its middle.
type svgText struct {
	X, Y        int
	Text, Class string
	BX, BY, BW  int // a light ground behind it
}

// svgBox is a rectangle with the texts in it.
type svgBox struct {
	X, Y, W, H int
	Class      string
	Labels     []svgText
	TextX      int
	TextY      int
}

// matrix is the picture of who opened connections to whom, by role.
type matrix struct {
	Width, Height int
	Columns, Rows []svgText
	Cells         []svgBox
	Table         []*pairCount
	Note          string
}

// matrix draws the role matrix; nil when nothing was judged.
func (t *teller) matrix() *matrix {
	all := t.pairs(t.byRole())
	if len(all) == 0 {
		return nil
	}
	shown, left := all.folded(matrixRoles, false)
	from, to, lines := map[string]bool{}, map[string]bool{}, 1
	for _, c := range shown {
		from[c.From], to[c.To] = true, true
		lines = max(lines, len(c.labels()))
	}
	rows, columns := slices.Sorted(maps.Keys(from)), slices.Sorted(maps.Keys(to))
	height := 14 + matrixLine*max(lines, 2)
	longest := 0
	for i := range columns {
		longest = max(longest, utf8.RuneCountInString(cut(columns[i], 26)))
	}
	top := 30 + 9*longest/2 // the labels stand at 38 degrees, 7 pixels a letter
	m := &matrix{Width: matrixLeft + matrixCell*len(columns) + 110, Height: top + height*len(rows) + 8, Table: all.sorted()}
	m.Table = m.Table[:min(len(m.Table), maxPageRows)]
	for i, label := range columns {
		m.Columns = append(m.Columns, svgText{X: matrixLeft + i*matrixCell + matrixCell/2, Y: top - 10, Text: cut(label, 26)})
	}
	for i, label := range rows {
		y := top + i*height
		m.Rows = append(m.Rows, svgText{X: matrixLeft - 10, Y: y + height/2 + 4, Text: cut(label, 28)})
		for k, other := range columns {
			m.Cells = append(m.Cells, matrixBox(shown[[2]string{label, other}], matrixLeft+k*matrixCell, y, height))
		}
	}
	if left > 0 {
		m.Note = count(left, "rarer pair") + " of roles folded into “others”; the table lists each."
	}
	return m
}

func matrixBox(c *pairCount, x, y, height int) svgBox {
	box := svgBox{X: x + 1, Y: y + 1, W: matrixCell - 2, H: height - 2, Class: "empty"}
	if c == nil {
		return box
	}
	box.Class = c.worst()
	labels := c.labels()
	top := y + (height-matrixLine*len(labels))/2
	for i, l := range labels {
		l.X, l.Y = x+matrixCell/2, top+i*matrixLine+12
		l.BW = 8 * len(l.Text)
		l.BX, l.BY = l.X-l.BW/2, l.Y-11
		box.Labels = append(box.Labels, l)
	}
	return box
}

// labels are the lines of a cell: a letter and a number for each bucket that has any.
func (c *pairCount) labels() []svgText {
	var all []svgText
	for _, l := range []struct {
		n             int
		letter, class string
	}{
		{c.Documented, "D", "documented"},
		{c.Undocumented, "U", "undocumented"},
		{c.Indeterminate, "?", "indeterminate"},
		{c.Absent, "A", "absent"},
	} {
		if l.n > 0 {
			all = append(all, svgText{Text: fmt.Sprintf("%s %d", l.letter, l.n), Class: l.class})
		}
	}
	return all
}
