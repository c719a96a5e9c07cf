package main

import (
	"encoding/csv"
	"fmt"
	"strings"
	"time"

	"flowvet/catalog"
	"flowvet/report"
)

// catalogColumns is the header of the export: the columns of a catalogue file, so that an export can be read again.
var catalogColumns = [...]string{
	"id", "product", "ports", "ports_printed", "transport", "transport_printed", "source", "target", "source_printed",
	"target_printed", "listener", "ends", "relation", "class", "group", "each", "period", "plane", "cast", "reply",
	"configurable", "on_wire", "insecure", "erratum", "alt", "note", "purpose", "citation", "line",
}

// catalogCSV writes rows as a catalogue file. A spreadsheet will open it: cells of a user's catalogue must not be formulas.
func (p *program) catalogCSV(rows []*catalog.Row) error {
	if len(rows) > 0 {
		fmt.Fprintf(p.stdout, "# document: %s\n", shown(rows[0].Origin.Document))
	}
	w := csv.NewWriter(p.stdout)
	if err := w.Write(catalogColumns[:]); err != nil {
		return outputError{err}
	}
	for _, r := range rows {
		cells := catalogCells(r)
		for i, text := range cells {
			cells[i] = report.CSVCell(text)
		}
		if err := w.Write(cells); err != nil {
			return outputError{err}
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return outputError{err}
	}
	return nil
}

// catalogCells returns a row's cells in the order of catalogColumns.
func catalogCells(r *catalog.Row) []string {
	return []string{
		r.ID, r.Product, r.Ports.String(), r.PortsPrinted, r.Transport.String(), r.TransportPrinted,
		bar(r.Source), bar(r.Target), r.SourcePrinted, r.TargetPrinted, r.Listener.String(), endsCell(r), relationCell(r.Relation),
		r.Class.String(), r.Group, r.Each.String(), periodCell(r.Period), r.Plane, castCell(r), yes(!r.OneWay, "yes", "no"),
		yes(r.Configurable, "y", "n"), yes(r.OnWire, "y", "n"), r.Insecure, yes(r.Erratum, "y", "n"), altCell(r.Alt),
		r.Note, r.Purpose, r.Citation, fmt.Sprint(r.Origin.Line),
	}
}

// bar writes roles as a|b.
func bar(column []catalog.Role) string {
	return strings.Join(roleNames(column), "|")
}

// endsCell writes the versions that the ends need.
func endsCell(r *catalog.Row) string {
	var parts []string
	if r.SourceMin > 0 {
		parts = append(parts, fmt.Sprintf("source>=%d", r.SourceMin))
	}
	if r.TargetMin > 0 {
		parts = append(parts, fmt.Sprintf("target>=%d", r.TargetMin))
	}
	return strings.Join(parts, "|")
}

// relationCell writes how the two ends belong together.
func relationCell(r catalog.Relation) string {
	switch r {
	case catalog.Linked:
		return "linked"
	case catalog.Remote:
		return "remote"
	}
	return ""
}

// periodCell writes a period in seconds.
func periodCell(period time.Duration) string {
	if period == 0 {
		return "event"
	}
	return fmt.Sprint(int64(period / time.Second))
}

// castCell writes the multicast group.
func castCell(r *catalog.Row) string {
	if !r.Cast.IsValid() {
		return ""
	}
	if r.Cast == catalog.Broadcast {
		return "broadcast"
	}
	return r.Cast.String()
}

// altCell writes the other readings of an erratum.
func altCell(readings []catalog.Alt) string {
	parts := make([]string, 0, len(readings))
	for _, a := range readings {
		switch {
		case a.Transport != 0:
			parts = append(parts, "transport="+a.Transport.String())
		case len(a.Source) > 0:
			parts = append(parts, "source="+bar(a.Source))
		case len(a.Target) > 0:
			parts = append(parts, "target="+bar(a.Target))
		default:
			parts = append(parts, "exchange")
		}
	}
	return strings.Join(parts, ";")
}

// yes chooses one of two words.
func yes(holds bool, yes, no string) string {
	if holds {
		return yes
	}
	return no
}

// catalogDocument is the JSON form of an answer; docs/formats.md describes it.
type catalogDocument struct {
	Schema string       `json:"schema"`
	Rows   []catalogRow `json:"rows"`
}

// catalogRow is one row in JSON. Its names are those of the catalogue file's columns.
type catalogRow struct {
	ID               string   `json:"id"`
	Product          string   `json:"product"`
	Ports            string   `json:"ports"`
	PortLow          uint16   `json:"port_low"`
	PortHigh         uint16   `json:"port_high"`
	PortsPrinted     string   `json:"ports_printed"`
	Transport        string   `json:"transport"`
	TransportPrinted string   `json:"transport_printed"`
	Source           []string `json:"source"`
	Target           []string `json:"target"`
	SourcePrinted    string   `json:"source_printed"`
	TargetPrinted    string   `json:"target_printed"`
	Listener         string   `json:"listener"`
	Ends             string   `json:"ends,omitempty"`
	Relation         string   `json:"relation,omitempty"`
	Class            string   `json:"class"`
	Group            string   `json:"group,omitempty"`
	Each             string   `json:"each"`
	PeriodSeconds    float64  `json:"period_seconds"`
	Plane            string   `json:"plane,omitempty"`
	Cast             string   `json:"cast,omitempty"`
	Reply            bool     `json:"reply"`
	Configurable     bool     `json:"configurable"`
	OnWire           bool     `json:"on_wire"`
	Insecure         string   `json:"insecure,omitempty"`
	Erratum          bool     `json:"erratum"`
	Alt              string   `json:"alt,omitempty"`
	Note             string   `json:"note,omitempty"`
	Purpose          string   `json:"purpose"`
	Citation         string   `json:"citation,omitempty"`
	Unofficial       bool     `json:"unofficial,omitempty"`
	Document         string   `json:"document"`
	Line             int      `json:"line"`
}

// catalogJSON writes rows as one JSON document.
func (p *program) catalogJSON(rows []*catalog.Row) error {
	return p.writeJSON(catalogDocument{Schema: "flowvet-catalog/1", Rows: jsonRows(rows)})
}

// jsonRows converts rows.
func jsonRows(rows []*catalog.Row) []catalogRow {
	all := make([]catalogRow, len(rows))
	for i, r := range rows {
		all[i] = jsonRow(r)
	}
	return all
}

// jsonRow converts one row.
func jsonRow(r *catalog.Row) catalogRow {
	return catalogRow{
		ID: r.ID, Product: r.Product,
		Ports: r.Ports.String(), PortLow: r.Ports.Lo, PortHigh: r.Ports.Hi, PortsPrinted: r.PortsPrinted,
		Transport: r.Transport.String(), TransportPrinted: r.TransportPrinted,
		Source: roleNames(r.Source), Target: roleNames(r.Target), SourcePrinted: r.SourcePrinted, TargetPrinted: r.TargetPrinted,
		Listener: r.Listener.String(), Ends: endsCell(r), Relation: relationCell(r.Relation),
		Class: r.Class.String(), Group: r.Group, Each: r.Each.String(), PeriodSeconds: r.Period.Seconds(),
		Plane: r.Plane, Cast: castCell(r), Reply: !r.OneWay, Configurable: r.Configurable, OnWire: r.OnWire,
		Insecure: r.Insecure, Erratum: r.Erratum, Alt: altCell(r.Alt), Note: r.Note, Purpose: r.Purpose,
		Citation: r.Citation, Unofficial: r.Origin.Unofficial,
		Document: r.Origin.Document, Line: r.Origin.Line,
	}
}

// roleNames converts a role column.
func roleNames(column []catalog.Role) []string {
	names := make([]string, len(column))
	for i, r := range column {
		names[i] = string(r)
	}
	return names
}
