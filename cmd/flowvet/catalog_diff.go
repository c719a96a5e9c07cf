package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/safejson"
)

const catalogDiffUsage = `Usage: flowvet catalog diff [FLAGS] BEFORE AFTER

Says what an upgrade changes in the firewall: what must be opened, what may be closed, and what is asked for in the other
direction. BEFORE and AFTER are products with their versions ("ESX 4.x", ESX-4.1), catalogues that come along (vsphere7,
vSphere-7), built-in, or files; several are joined by +. The catalogues that come along hold what a source could be cited
for, and no more: what one leaves out may be needed all the same.

Exit status, as of diff(1): 0 nothing changes, 1 something does, 2 an argument cannot be used.

Examples:
  flowvet catalog diff ESX-4.x vSphere-7
  flowvet catalog diff "ESX 4.x+vCenter 4.x" vsphere6+vsphere7
  flowvet catalog diff ours-2014.csv ours.csv --json
      two catalogues of your own, for a program
`

// diffCatalogs holds two parts of catalogues against each other.
func (p *program) diffCatalogs(args []string) (int, error) {
	var files []string
	var noBuiltin, asJSON bool
	flags := newFlagSet("catalog diff", catalogDiffUsage)
	flags.BoolVar(&asJSON, "json", false, "as one JSON document")
	bindCatalogs(flags, &files, &noBuiltin)
	names, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(names) != 2 {
		return statusUsage, usagef("catalog diff: two are wanted, BEFORE and AFTER: %d given", len(names))
	}
	var d catalogDiff
	for i, side := range []*[]catalog.Selection{&d.before, &d.after} {
		if *side, err = selections(!noBuiltin, files, names[i]); err != nil {
			return statusUsage, err
		}
	}
	d.changes, d.same = catalog.Compare(d.before, d.after)
	if asJSON {
		err = p.catalogDiffJSON(&d)
	} else {
		p.catalogDiffText(&d)
	}
	if err == nil && len(d.changes) > 0 {
		return statusFindings, nil
	}
	return statusGood, err
}

// catalogDiff is two sides and what changes between them.
type catalogDiff struct {
	before, after []catalog.Selection
	changes       []catalog.Change
	same          int
}

// selections reads one side: names with + between them. A file may have one in its name.
func selections(builtin bool, files []string, side string) ([]catalog.Selection, error) {
	whole, err := catalog.Select(builtin, files, side)
	if err == nil {
		return []catalog.Selection{whole}, nil
	}
	names := strings.Split(side, "+")
	if len(names) == 1 {
		return nil, usagef("catalog diff: %w", err)
	}
	var all []catalog.Selection
	for _, name := range names {
		s, err := catalog.Select(builtin, files, strings.TrimSpace(name))
		if err != nil {
			return nil, usagef("catalog diff: %w", err)
		}
		all = append(all, s)
	}
	return all, nil
}

// changeKinds are the kinds of changes in the order in which they are told.
func changeKinds() []catalog.ChangeKind {
	return []catalog.ChangeKind{catalog.Opened, catalog.Closed, catalog.Turned}
}

// of counts the changes of a kind.
func (d *catalogDiff) of(kind catalog.ChangeKind) int {
	n := 0
	for i := range d.changes {
		if d.changes[i].Kind == kind {
			n++
		}
	}
	return n
}

// catalogDiffText prints the changes for people.
func (p *program) catalogDiffText(d *catalogDiff) {
	for _, s := range d.before {
		p.hang("before  ", selectionWords(s))
	}
	for _, s := range d.after {
		p.hang("after   ", selectionWords(s))
	}
	var last catalog.ChangeKind
	for i := range d.changes {
		c := &d.changes[i]
		if i == 0 || c.Kind != last {
			fmt.Fprintf(p.stdout, "\n%s  %d\n", strings.ToUpper(c.Kind.String()), d.of(c.Kind))
			last = c.Kind
		}
		p.hang(fmt.Sprintf("  %-20s ", servicePort(c.Ports, c.Transport)), changeWords(c))
	}
	var sums []string
	for _, kind := range changeKinds() {
		sums = append(sums, fmt.Sprintf("%d %s", d.of(kind), kind))
	}
	fmt.Fprintf(p.stdout, "\n%s, %d as before.\n", strings.Join(sums, ", "), d.same)
	if names := d.unofficial(); len(names) > 0 {
		p.hang("", strings.Join(names, ", ")+when(len(names) == 1, " is")+when(len(names) > 1, " are")+
			" unofficial: what is left out there may be needed all the same.")
	}
}

// selectionWords says what a side is made of: "ESX-4.x: 42 rows of built-in".
func selectionWords(s catalog.Selection) string {
	var sources []string
	for _, source := range s.Sources {
		sources = append(sources, source.Name+when(source.Unofficial, " (unofficial)"))
	}
	return fmt.Sprintf("%s: %s of %s", s.Name, count(len(s.Rows), "row"), strings.Join(sources, ", "))
}

// changeWords says who begins with whom, what for, and by which rows.
func changeWords(c *catalog.Change) string {
	words := roles(c.From) + " -> " + roles(c.To)
	if purpose := c.Rows[0].Purpose; purpose != "" {
		words += ": " + purpose
	}
	words += " (" + strings.Join(idsOf(c.Rows), ", ") + ")"
	if len(c.Was) > 0 {
		words += "; was the other way (" + strings.Join(idsOf(c.Was), ", ") + ")"
	}
	return words
}

func idsOf(rows []*catalog.Row) []string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids
}

// unofficial returns the names of the sources that are not the vendor's document.
func (d *catalogDiff) unofficial() []string {
	var names []string
	for _, s := range slices.Concat(d.before, d.after) {
		for _, source := range s.Sources {
			if source.Unofficial && !slices.Contains(names, source.Name) {
				names = append(names, source.Name)
			}
		}
	}
	return names
}

// catalogDiffDocument is the JSON form; docs/formats.md describes it.
type catalogDiffDocument struct {
	Schema  string              `json:"schema"`
	Before  []catalogDiffSide   `json:"before"`
	After   []catalogDiffSide   `json:"after"`
	Counts  map[string]int      `json:"counts"`
	Changes []catalogDiffChange `json:"changes"`
}

type catalogDiffSide struct {
	Name    string              `json:"name"`
	Rows    int                 `json:"rows"`
	Sources []catalogDiffSource `json:"sources"`
}

type catalogDiffSource struct {
	Name       string `json:"name"`
	SHA256     string `json:"sha256"`
	Unofficial bool   `json:"unofficial,omitempty"`
}

type catalogDiffChange struct {
	Change    string                `json:"change"`
	PortLow   uint16                `json:"port_low"`
	PortHigh  uint16                `json:"port_high"`
	Transport string                `json:"transport"`
	From      []catalog.Role        `json:"from"`
	To        []catalog.Role        `json:"to"`
	Rows      []catalog.DocumentRow `json:"rows"`
	Was       []catalog.DocumentRow `json:"was,omitempty"`
}

// catalogDiffJSON writes the changes as one JSON document.
func (p *program) catalogDiffJSON(d *catalogDiff) error {
	document := catalogDiffDocument{
		Schema: "flowvet-catalog-diff/1", Before: jsonSides(d.before), After: jsonSides(d.after),
		Counts: map[string]int{"same": d.same}, Changes: []catalogDiffChange{},
	}
	for _, kind := range changeKinds() {
		document.Counts[kind.String()] = d.of(kind)
	}
	for i := range d.changes {
		c := &d.changes[i]
		document.Changes = append(document.Changes, catalogDiffChange{
			Change: c.Kind.String(), PortLow: c.Ports.Lo, PortHigh: c.Ports.Hi, Transport: c.Transport.String(),
			From: c.From, To: c.To, Rows: documentRows(c.Rows), Was: documentRows(c.Was),
		})
	}
	return p.writeTo("", func(w io.Writer) error { return safejson.WriteIndented(w, document) })
}

// documentRows converts rows.
func documentRows(rows []*catalog.Row) []catalog.DocumentRow {
	all := make([]catalog.DocumentRow, len(rows))
	for i, r := range rows {
		all[i] = r.Document()
	}
	return all
}

func jsonSides(side []catalog.Selection) []catalogDiffSide {
	all := make([]catalogDiffSide, len(side))
	for i, s := range side {
		all[i] = catalogDiffSide{Name: s.Name, Rows: len(s.Rows)}
		for _, source := range s.Sources {
			all[i].Sources = append(all[i].Sources, catalogDiffSource{source.Name, source.SHA256, source.Unofficial})
		}
	}
	return all
}
