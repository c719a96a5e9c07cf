package inventory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
)

// csvColumns are the columns of the CSV form.
func csvColumns() []string {
	return []string{
		"name", "products", "address", "roles", "plane", "cluster", "managed-by", "managed", "site", "uses",
	}
}

// readCSV reads the CSV form of an inventory: a header, then one line per address.
func readCSV(p *problems, text []byte) draft {
	r := csvReader{problems: p, in: csv.NewReader(bytes.NewReader(text)), machines: map[string]*draftMachine{}}
	r.in.Comment = '#'
	r.in.FieldsPerRecord = -1
	r.in.TrimLeadingSpace = true
	if !r.header() {
		return r.draft
	}
	for {
		record, err := r.in.Read()
		if errors.Is(err, io.EOF) {
			return r.draft
		}
		if err != nil {
			r.failed(err)
			return r.draft
		}
		r.record(record)
	}
}

type csvReader struct {
	*problems
	in       *csv.Reader
	columns  []string
	machines map[string]*draftMachine
	draft    draft
}

// failed notes an error of the CSV library: a quote out of place.
func (r *csvReader) failed(err error) {
	var broken *csv.ParseError
	if errors.As(err, &broken) {
		r.addf(broken.Line, "is not CSV: %v", broken.Err)
		return
	}
	r.addf(0, "is not CSV: %v", err)
}

// header reads the line that names the columns.
func (r *csvReader) header() bool {
	record, err := r.in.Read()
	if errors.Is(err, io.EOF) {
		r.addf(0, "is empty: its first line names the columns %s", strings.Join(csvColumns(), ","))
		return false
	}
	if err != nil {
		r.failed(err)
		return false
	}
	line, _ := r.in.FieldPos(0)
	if len(record) == 1 && strings.ContainsAny(record[0], ";\t") {
		r.addf(line, "columns are separated by commas, not %q", string(record[0][strings.IndexAny(record[0], ";\t")]))
		return false
	}
	before := len(r.list)
	for _, name := range record {
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "product" {
			name = "products"
		}
		switch {
		case !slices.Contains(csvColumns(), name):
			r.addf(line, "column %s is not known%s", quote(name), r.hint(name, slices.Values(csvColumns())))
		case slices.Contains(r.columns, name):
			r.addf(line, "column %q is given twice", name)
		}
		r.columns = append(r.columns, name)
	}
	for _, needed := range []string{"name", "address"} {
		if len(r.list) == before && !slices.Contains(r.columns, needed) {
			r.addf(line, "column %q is missing", needed)
		}
	}
	return len(r.list) == before
}

// record reads one line: an address, and what it says of its machine.
func (r *csvReader) record(record []string) {
	line, _ := r.in.FieldPos(0)
	if len(record) != len(r.columns) {
		r.addf(line, "has %d fields, the header has %d", len(record), len(r.columns))
		return
	}
	cells := make(map[string]word, len(record))
	for i, text := range record {
		at, _ := r.in.FieldPos(i)
		if text = strings.TrimSpace(text); text != "" {
			cells[r.columns[i]] = word{text, at}
		}
	}
	name := cells["name"]
	if !name.given() {
		r.addf(line, "has no name")
		return
	}
	m := r.machines[name.text]
	if m == nil {
		m = &draftMachine{name: name, line: line}
		r.machines[name.text] = m
		r.draft.machines = append(r.draft.machines, m)
	}
	r.once(m, "cluster", cells["cluster"], &m.cluster)
	r.once(m, "managed-by", cells["managed-by"], &m.managedBy)
	r.once(m, "managed", cells["managed"], &m.managed)
	r.once(m, "site", cells["site"], &m.site)
	r.onceList(m, "products", cells["products"], &m.products)
	r.onceList(m, "uses", cells["uses"], &m.uses)
	m.addrs = append(m.addrs, draftAddr{
		addr: word{cells["address"].text, line}, plane: cells["plane"], roles: split(cells["roles"]),
	})
}

// once takes a field of the machine, which may stand on several of its lines but must say the same on each.
func (r *csvReader) once(m *draftMachine, column string, cell word, into *word) {
	switch {
	case !cell.given():
	case !into.given():
		*into = cell
	case into.text != cell.text:
		r.addf(cell.line, "machine %s: %s %s, but %s on line %d",
			display(m.name.text), column, quote(cell.text), quote(into.text), into.line)
	}
}

// onceList is once for a list.
func (r *csvReader) onceList(m *draftMachine, column string, cell word, into *[]word) {
	list := split(cell)
	same := func(a, b word) bool { return a.text == b.text }
	switch {
	case len(list) == 0:
	case len(*into) == 0:
		*into = list
	case !slices.EqualFunc(*into, list, same):
		r.addf(cell.line, "machine %s: %s %s differ from those on line %d",
			display(m.name.text), column, quote(cell.text), (*into)[0].line)
	}
}

// split reads a list that is separated by semicolons.
func split(cell word) []word {
	var list []word
	for text := range strings.SplitSeq(cell.text, ";") {
		if text = strings.TrimSpace(text); text != "" {
			list = append(list, word{text, cell.line})
		}
	}
	return list
}
