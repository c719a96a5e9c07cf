package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// DocumentSchema names the JSON form of a catalogue, docs/formats.md.
const DocumentSchema = "flowvet-catalog/1"

// Document is the JSON form of rows with what they declare. It is a catalogue file, too: [Load] reads it.
type Document struct {
	Schema     string            `json:"schema"`
	Name       string            `json:"document,omitempty"`
	Unofficial bool              `json:"unofficial,omitempty"`
	Roles      []DocumentRole    `json:"roles,omitempty"`
	Products   []DocumentProduct `json:"products,omitempty"`
	Rows       []DocumentRow     `json:"rows"`
}

// DocumentRole is a role that the built-in catalogue does not know.
type DocumentRole struct {
	Role    string   `json:"role"`
	Parents []string `json:"parents,omitempty"`
}

// DocumentProduct is a product that the built-in catalogue does not know.
type DocumentProduct struct {
	Name     string   `json:"name"`
	Family   string   `json:"family,omitempty"`
	Versions string   `json:"versions,omitempty"` // "7" or "6-7"; empty: every version
	Role     string   `json:"role,omitempty"`
	Refines  string   `json:"refines,omitempty"`
	Inherits string   `json:"inherits,omitempty"`
	Aliases  []string `json:"aliases,omitempty"`
}

// DocumentRow is one row. Its names are those of the catalogue file's columns.
type DocumentRow struct {
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

// Document returns rows of the catalogue in their JSON form, with the roles and products they need.
func (c *Catalog) Document(rows []*Row) *Document {
	d := &Document{Schema: DocumentSchema, Name: documentsOf(rows), Rows: make([]DocumentRow, len(rows))}
	for i, r := range rows {
		d.Rows[i] = r.Document()
		d.Unofficial = d.Unofficial || r.Origin.Unofficial
	}
	need := c.declaredFor(rows)
	for _, p := range need.products {
		d.Products = append(d.Products, DocumentProduct{
			p.Name, p.Family, p.versions(), string(p.Role), string(p.Refines), p.Inherits, p.Aliases,
		})
	}
	for _, info := range need.roles {
		d.Roles = append(d.Roles, DocumentRole{string(info.Role), roleNames(info.Parents)})
	}
	return d
}

// documentsOf names the documents that rows are of.
func documentsOf(rows []*Row) string {
	var names []string
	for _, r := range rows {
		if !slices.Contains(names, r.Origin.Document) {
			names = append(names, r.Origin.Document)
		}
	}
	return strings.Join(names, " + ")
}

// declared is what a file must declare so that its rows can be read beside the built-in roles and products.
type declared struct {
	roles    []RoleInfo
	products []Product
}

// declaredFor returns what rows need that the embedded catalogue does not have.
func (c *Catalog) declaredFor(rows []*Row) declared {
	products, roles := map[string]bool{}, map[Role]bool{}
	needRole := func(r Role) {
		for _, ancestor := range c.lineOf(r) {
			roles[ancestor] = true
		}
	}
	for _, r := range rows {
		for _, name := range c.products.lineage[r.Product] {
			products[name] = true
		}
		for _, role := range slices.Concat(r.Source, r.Target) {
			needRole(role)
		}
	}
	var d declared
	for _, p := range c.Products {
		if _, known := Default().Product(p.Name); products[p.Name] && !known {
			d.products = append(d.products, p)
			needRole(p.Role)
			needRole(p.Refines)
		}
	}
	for _, info := range c.Roles {
		if _, known := Default().RoleInfo(info.Role); roles[info.Role] && !known {
			d.roles = append(d.roles, info)
		}
	}
	return d
}

// versions writes the versions that a product covers as a declaration does; empty: all.
func (p Product) versions() string {
	switch {
	case p.Any():
		return ""
	case p.MinMajor == p.MaxMajor:
		return fmt.Sprint(p.MinMajor)
	}
	return fmt.Sprintf("%d-%d", p.MinMajor, p.MaxMajor)
}

// Declarations returns the comments that a catalogue file of these rows begins with: its document, and the roles and products
// that they need and that are not built in.
func (c *Catalog) Declarations(rows []*Row) []string { return c.Document(rows).remarks() }

// remarks writes a document's declarations as the comments of a catalogue file have them.
func (d *Document) remarks() []string {
	var lines []string
	if d.Name != "" {
		lines = append(lines, "document: "+d.Name)
	}
	if d.Unofficial {
		lines = append(lines, "unofficial: not the vendor's document")
	}
	for _, r := range d.Roles {
		lines = append(lines, "role: "+join(" is-a ", r.Role, strings.Join(r.Parents, "|")))
	}
	for _, p := range d.Products {
		line := "product: " + p.Name
		for _, property := range [][2]string{
			{"family", p.Family},
			{"versions", p.Versions},
			{"role", p.Role},
			{"refines", p.Refines},
			{"inherits", p.Inherits},
			{"aliases", strings.Join(p.Aliases, "|")},
		} {
			if property[1] != "" {
				line += ", " + property[0] + " " + property[1]
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// join joins two words, of which the second may be empty.
func join(between, a, b string) string {
	if b == "" {
		return a
	}
	return a + between + b
}

// Columns returns the columns of a catalogue file, in the order of [Row.Cells].
func Columns() []string { return slices.Clone(rowColumns) }

// Cells returns the row as a catalogue file has it, in the order of [Columns].
func (r *Row) Cells() []string {
	return []string{
		r.ID, r.Product, r.Ports.String(), r.PortsPrinted, r.Transport.String(), r.TransportPrinted,
		bar(r.Source), bar(r.Target), r.SourcePrinted, r.TargetPrinted, r.Listener.String(), r.endsCell(), r.relationCell(),
		r.Class.String(), r.Group, r.Each.String(), r.periodCell(), r.Plane, r.castCell(), cellOf(!r.OneWay, "yes", "no"),
		cellOf(r.Configurable, "y", "n"), cellOf(r.OnWire, "y", "n"), r.Insecure, cellOf(r.Erratum, "y", "n"), altCell(r.Alt),
		r.Note, r.Purpose, r.Citation, fmt.Sprint(r.Origin.Line),
	}
}

// Document returns the row in its JSON form.
func (r *Row) Document() DocumentRow {
	return DocumentRow{
		ID: r.ID, Product: r.Product,
		Ports: r.Ports.String(), PortLow: r.Ports.Lo, PortHigh: r.Ports.Hi, PortsPrinted: r.PortsPrinted,
		Transport: r.Transport.String(), TransportPrinted: r.TransportPrinted,
		Source: roleNames(r.Source), Target: roleNames(r.Target), SourcePrinted: r.SourcePrinted, TargetPrinted: r.TargetPrinted,
		Listener: r.Listener.String(), Ends: r.endsCell(), Relation: r.relationCell(),
		Class: r.Class.String(), Group: r.Group, Each: r.Each.String(), PeriodSeconds: r.Period.Seconds(),
		Plane: r.Plane, Cast: r.castCell(), Reply: !r.OneWay, Configurable: r.Configurable, OnWire: r.OnWire,
		Insecure: r.Insecure, Erratum: r.Erratum, Alt: altCell(r.Alt), Note: r.Note, Purpose: r.Purpose,
		Citation: r.Citation, Unofficial: r.Origin.Unofficial,
		Document: r.Origin.Document, Line: r.Origin.Line,
	}
}

func cellOf(holds bool, yes, no string) string {
	if holds {
		return yes
	}
	return no
}

// roleNames converts a role column.
func roleNames(column []Role) []string {
	names := make([]string, len(column))
	for i, r := range column {
		names[i] = string(r)
	}
	return names
}

// bar writes roles as a|b.
func bar(column []Role) string { return strings.Join(roleNames(column), "|") }

// endsCell writes the versions that the ends need.
func (r *Row) endsCell() string {
	var parts []string
	if r.SourceMin > 0 {
		parts = append(parts, fmt.Sprintf("source>=%d", r.SourceMin))
	}
	if r.TargetMin > 0 {
		parts = append(parts, fmt.Sprintf("target>=%d", r.TargetMin))
	}
	return strings.Join(parts, "|")
}

// relationCell writes how the two ends belong together; empty where they need not.
func (r *Row) relationCell() string {
	if r.Relation == Unrelated {
		return ""
	}
	return relations[r.Relation]
}

// periodCell writes the period in seconds.
func (r *Row) periodCell() string {
	if r.Period == 0 {
		return "event"
	}
	return fmt.Sprint(int64(r.Period / time.Second))
}

// castCell writes the multicast group.
func (r *Row) castCell() string {
	switch {
	case !r.Cast.IsValid():
		return ""
	case r.Cast == Broadcast:
		return "broadcast"
	}
	return r.Cast.String()
}

// altCell writes the other readings of an erratum.
func altCell(readings []Alt) string {
	parts := make([]string, len(readings))
	for i, a := range readings {
		switch {
		case a.Transport != 0:
			parts[i] = "transport=" + a.Transport.String()
		case len(a.Source) > 0:
			parts[i] = "source=" + bar(a.Source)
		case len(a.Target) > 0:
			parts[i] = "target=" + bar(a.Target)
		default:
			parts[i] = "exchange"
		}
	}
	return strings.Join(parts, ";")
}
