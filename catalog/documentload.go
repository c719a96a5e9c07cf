package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isDocument reports whether a catalogue file is in the JSON form.
func isDocument(data []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\ufeff")), " \t\r\n"), []byte("{"))
}

// readDocument reads the JSON form as the table that it would be in a CSV file, so that both are held to the same rules. It
// reports what keeps data from being one, and returns false then.
func readDocument(name string, data []byte, found *problems) (*table, bool) {
	in := &documentReader{data: bytes.TrimPrefix(data, []byte("\ufeff")), table: &table{name: name, columns: rowColumns, header: 1}}
	err := in.read()
	if err != nil {
		line := 1 + bytes.Count(in.data[:min(int(in.dec.InputOffset()), len(in.data))], []byte("\n"))
		found.add(Problem{File: name, Line: line, Text: err.Error(), Hint: "flowvet catalog export --format json writes one"})
	}
	return in.table, err == nil
}

// documentReader reads one JSON catalogue.
type documentReader struct {
	data  []byte
	dec   *json.Decoder
	table *table
}

func (in *documentReader) read() error {
	in.dec = json.NewDecoder(bytes.NewReader(in.data))
	in.dec.DisallowUnknownFields()
	switch {
	case len(in.data) > maxFileSize:
		return errors.New("is larger than 4 MiB")
	case !utf8.Valid(in.data):
		return errors.New("is no UTF-8 text")
	}
	var d Document
	fields := map[string]any{
		"schema": &d.Schema, "document": &d.Name, "unofficial": &d.Unofficial, "roles": &d.Roles, "products": &d.Products,
	}
	if err := in.object(fields); err != nil {
		return plainJSON(err)
	}
	if d.Schema != DocumentSchema {
		return fmt.Errorf("schema is %s, not %s", quote(d.Schema), DocumentSchema)
	}
	for _, line := range d.remarks() {
		if controlled(line) {
			return errors.New("a declaration holds a control character")
		}
		key, text, _ := strings.Cut(line, ": ")
		in.table.remarks = append(in.table.remarks, remark{line: 1, key: key, text: text})
	}
	return nil
}

// object reads the one object of the file: its fields, and its rows one by one.
func (in *documentReader) object(fields map[string]any) error {
	if _, err := in.dec.Token(); err != nil {
		return err
	}
	for in.dec.More() {
		key, err := in.dec.Token()
		if err != nil {
			return err
		}
		to, known := fields[key.(string)]
		switch {
		case key == "rows":
			err = in.rows()
		case !known:
			return fmt.Errorf("%s is no field of a catalogue", quote(key.(string)))
		default:
			err = in.dec.Decode(to)
		}
		if err != nil {
			return err
		}
	}
	if _, err := in.dec.Token(); err != nil {
		return err
	}
	if _, err := in.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("goes on behind its end")
	}
	return nil
}

// rows reads the array of rows, each with the line on which it begins.
func (in *documentReader) rows() error {
	switch open, err := in.dec.Token(); {
	case err != nil:
		return err
	case open != json.Delim('['):
		return errors.New("rows is no array")
	}
	line, at := 1, 0
	for in.dec.More() {
		next := int(in.dec.InputOffset())
		next += len(in.data[next:]) - len(bytes.TrimLeft(in.data[next:], " \t\r\n,"))
		line += bytes.Count(in.data[at:next], []byte("\n"))
		at = next
		if len(in.table.records) >= maxRows {
			return errors.New("has more than 100,000 rows")
		}
		row := DocumentRow{OnWire: true, Reply: true}
		if err := in.dec.Decode(&row); err != nil {
			return err
		}
		cells, err := row.cells()
		if err != nil {
			return err
		}
		in.table.records = append(in.table.records, record{line: line, cells: cells})
	}
	_, err := in.dec.Token()
	return err
}

// cells returns the row as a catalogue file has it.
func (d *DocumentRow) cells() ([]string, error) {
	if d.PortLow != 0 || d.PortHigh != 0 {
		stated := Ports{d.PortLow, d.PortHigh}.String()
		if d.Ports == "" {
			d.Ports = stated
		}
		if ports, err := parsePorts(d.Ports); err == nil && ports.String() != stated {
			return nil, fmt.Errorf("row %s: ports %s, but port_low and port_high %s", quote(d.ID), quote(d.Ports), stated)
		}
	}
	period := "event"
	if d.PeriodSeconds != 0 {
		period = strconv.FormatFloat(d.PeriodSeconds, 'f', -1, 64)
	}
	line := ""
	if d.Line != 0 {
		line = fmt.Sprint(d.Line)
	}
	onWire := cellOf(d.OnWire, "y", "n")
	if d.OnWire && strings.HasPrefix(d.Class, classes[Internal]) {
		onWire = ""
	}
	cells := []string{
		d.ID, d.Product, d.Ports, d.PortsPrinted, d.Transport, d.TransportPrinted, strings.Join(d.Source, "|"), strings.Join(d.Target, "|"),
		d.SourcePrinted, d.TargetPrinted, d.Listener, d.Ends, d.Relation, d.Class, d.Group, d.Each, period, d.Plane, d.Cast,
		cellOf(d.Reply, "yes", "no"), cellOf(d.Configurable, "y", "n"), onWire, d.Insecure, cellOf(d.Erratum, "y", "n"), d.Alt,
		d.Note, d.Purpose, d.Citation, line,
	}
	for i, cell := range cells {
		if controlled(cell) {
			return nil, fmt.Errorf("row %s: %s holds a control character", quote(d.ID), rowColumns[i])
		}
		cells[i] = strings.TrimSpace(cell)
	}
	return cells, nil
}

// controlled reports whether a text holds a control character, which no cell of a CSV file can.
func controlled(text string) bool { return strings.ContainsFunc(text, unicode.IsControl) }

// plainJSON says what is wrong with the JSON without the words of Go's library.
func plainJSON(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind):
		return fmt.Errorf("field %s: a %s stands where a %s is expected", quote(kind.Field), kind.Value, kind.Type.Kind())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("ends in the middle")
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}
