package export

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"

	"flowvet/catalog"
	"flowvet/report"
	"flowvet/safejson"
)

// CSV writes rows as a catalogue file, with what it must declare. A spreadsheet will open it: no cell is a formula.
func CSV(w io.Writer, c *catalog.Catalog, rows []*catalog.Row, _ Options) error {
	var b bytes.Buffer
	for _, line := range c.Declarations(rows) {
		fmt.Fprintf(&b, "# %s\n", report.CSVCell(line))
	}
	t := csv.NewWriter(&b)
	t.Write(catalog.Columns())
	for _, r := range rows {
		cells := r.Cells()
		for i, text := range cells {
			cells[i] = report.CSVCell(text)
		}
		t.Write(cells)
	}
	t.Flush()
	_, err := w.Write(b.Bytes())
	return err
}

// JSON writes rows as a catalogue file in the JSON form.
func JSON(w io.Writer, c *catalog.Catalog, rows []*catalog.Row, _ Options) error {
	return safejson.WriteIndented(w, c.Document(rows))
}
