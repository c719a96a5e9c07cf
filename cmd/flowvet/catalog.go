package main

import (
	"fmt"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/report"
)

const catalogUsage = `Usage: flowvet catalog [FLAGS] [QUERY...]
       flowvet catalog lint [--no-builtin] FILE...

Says what is documented. A query is a port (902, 902/udp), a row (R100), a role, a product, or several of them: what
fits all of them is listed; no query lists everything. Where the document contradicts itself, the row says how.

lint checks catalogues of your own. Exit status: 0 good, 1 findings, 2 unusable.

Examples:
  flowvet catalog 902/udp
      who may send to that port, and for which product
  flowvet catalog R100
      one row whole, with the line of the document it is printed on
  flowvet catalog --product "ESX 4.x"
      what one product needs
  flowvet catalog --role vcenter-server 443
      what a role does on one port
  flowvet catalog --csv > ports.csv
      everything, to be edited and read again with --no-builtin --catalog ports.csv
  flowvet catalog lint ours.csv
      is our own catalogue well-formed?
`

// catalogFlags is what the user asks of the catalogue.
type catalogFlags struct {
	catalogs      []string
	noBuiltin     bool
	product, role string
	json, csv     bool
}

// bindCatalogs registers the flags that choose the catalogue, the same for every command.
func bindCatalogs(flags *flagSet, files *[]string, noBuiltin *bool) {
	flags.StringArrayVar(files, "catalog", nil, "add the catalogue `FILE` (CSV, repeatable)")
	flags.BoolVar(noBuiltin, "no-builtin", false, "leave the built-in catalogue away")
}

// loadCatalog loads the catalogue that those flags choose.
func loadCatalog(builtin bool, files []string) (*catalog.Catalog, error) {
	if !builtin && len(files) == 0 {
		return nil, usagef("--no-builtin leaves no catalogue: add one with --catalog")
	}
	c, err := catalog.Load(builtin, files...)
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// catalog answers what is documented.
func (p *program) catalog(args []string) (int, error) {
	if len(args) > 0 && args[0] == "lint" {
		return p.lintCatalogs(args[1:])
	}
	var f catalogFlags
	flags := newFlagSet("catalog", catalogUsage)
	flags.StringVar(&f.product, "product", "", "only rows of the product `NAME`")
	flags.StringVar(&f.role, "role", "", "only rows in which the role `NAME` stands")
	flags.BoolVar(&f.json, "json", false, "as one JSON document")
	flags.BoolVar(&f.csv, "csv", false, "as a catalogue file")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	words, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if f.json && f.csv {
		return statusUsage, usagef("catalog: --json or --csv, not both")
	}
	c, err := loadCatalog(!f.noBuiltin, f.catalogs)
	if err != nil {
		return statusUsage, err
	}
	query, err := c.ParseQuery(words)
	if services := servicesNamed(c, words); err != nil && len(services) > 0 {
		p.listServices(services)
		return statusGood, nil
	}
	if err != nil {
		return statusUsage, usagef("catalog: %w; see flowvet catalog --help", err)
	}
	if err := f.narrow(&query, c); err != nil {
		return statusUsage, err
	}
	switch rows := c.Find(query); {
	case f.json:
		return statusGood, p.catalogJSON(rows)
	case f.csv:
		return statusGood, p.catalogCSV(rows)
	case len(rows) == 0:
		fmt.Fprintf(p.stdout, "No row documents that.%s\n", marked(c, query))
	case len(rows) == 1:
		p.wholeRow(c, rows[0])
	default:
		p.list(rows)
	}
	return statusGood, nil
}

// narrow adds --product and --role to a query.
func (f *catalogFlags) narrow(query *catalog.Query, c *catalog.Catalog) error {
	if f.product != "" {
		if _, err := c.Deployed(f.product); err != nil {
			return usagef("--product: %w", err)
		}
		query.Product = f.product
	}
	if f.role != "" {
		role, err := c.RoleNamed(f.role)
		if err != nil {
			return usagef("--role: %w", err)
		}
		query.Roles = append(query.Roles, role)
	}
	return nil
}

// lintCatalogs checks catalogues of the user's.
func (p *program) lintCatalogs(args []string) (int, error) {
	var noBuiltin bool
	flags := newFlagSet("catalog lint", catalogUsage)
	flags.BoolVar(&noBuiltin, "no-builtin", false, "the files stand alone, without the built-in catalogue")
	files, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(files) == 0 {
		return statusUsage, usagef("catalog lint: no catalogue named")
	}
	lint := catalog.Lint
	if noBuiltin {
		lint = catalog.LintAlone
	}
	status := statusGood
	for _, problem := range lint(files...) {
		fmt.Fprintln(p.stdout, report.Terminal(problem.Error()))
		if !problem.Warning {
			status = statusUsage
		}
		status = max(status, statusFindings)
	}
	if status == statusGood {
		fmt.Fprintf(p.stdout, "%s: good\n", report.Terminal(strings.Join(files, ", ")))
	}
	return status, nil
}

// servicesNamed returns the services of the document's opening list that have the words in their names: telnet and NIS
// stand there and have no row.
func servicesNamed(c *catalog.Catalog, words []string) (named []catalog.Service) {
	text := strings.ToLower(strings.Join(words, " "))
	for _, s := range c.Services {
		if text != "" && strings.Contains(strings.ToLower(s.Name), text) {
			named = append(named, s)
		}
	}
	return named
}

// listServices prints services that no row names.
func (p *program) listServices(services []catalog.Service) {
	for _, s := range services {
		ports := make([]string, len(s.Ports))
		for i, r := range s.Ports {
			ports[i] = servicePort(r, s.Transport)
		}
		p.hang(fmt.Sprintf("%-14s ", s.Name), strings.Join(ports, ", ")+when(s.Insecure, ", marked insecure")+": "+s.Means)
	}
	fmt.Fprintln(p.stdout, "\nNamed in the document's opening list. No row documents it.")
}

// marked names the insecure service that owns the port of a query: the document marks telnet, and has no row for it.
func marked(c *catalog.Catalog, q catalog.Query) string {
	for _, t := range []catalog.Transport{catalog.TCP, catalog.UDP} {
		if q.Ports.Lo != q.Ports.Hi || q.Transport != 0 && !q.Transport.Has(t) {
			continue
		}
		if name := c.Insecure(t, q.Ports.Lo); name != "" {
			return fmt.Sprintf(" The document marks %s as insecure.", name)
		}
	}
	return ""
}

// list prints a line or two for each row, under a heading for each product.
func (p *program) list(rows []*catalog.Row) {
	product, errata := "", 0
	for _, r := range rows {
		if r.Product != product {
			if product != "" {
				fmt.Fprintln(p.stdout)
			}
			product = r.Product
			fmt.Fprintln(p.stdout, report.Terminal(product))
		}
		p.hang(fmt.Sprintf("  %-6s %-16s ", r.ID, service(r)), ends(r)+": "+r.Purpose)
		if r.Erratum {
			p.hang("         erratum: ", r.Note)
			errata++
		}
	}
	fmt.Fprintf(p.stdout, "\n%s, %d with an erratum.\n", count(len(rows), "row"), errata)
}

// service is the row's port with its transport: "902/udp", "2050-2250/tcp+udp".
func service(r *catalog.Row) string {
	return servicePort(r.Ports, r.Transport)
}

// servicePort writes ports with their transport.
func servicePort(ports catalog.Ports, t catalog.Transport) string {
	return ports.String() + "/" + strings.ToLower(strings.ReplaceAll(t.String(), "/", "+"))
}

// ends says who speaks to whom, as the document prints it; the arrow points to the end that listens.
func ends(r *catalog.Row) string {
	switch r.Listener {
	case catalog.Source:
		return r.TargetPrinted + " -> " + r.SourcePrinted
	case catalog.Either:
		return r.SourcePrinted + " <-> " + r.TargetPrinted
	}
	return r.SourcePrinted + " -> " + r.TargetPrinted
}

// wholeRow prints everything that is known of a row.
func (p *program) wholeRow(c *catalog.Catalog, r *catalog.Row) {
	fmt.Fprintf(p.stdout, "%s  %s  %s\n", report.Terminal(r.ID), report.Terminal(r.Product), service(r))
	for _, line := range rowFacts(r) {
		if line.text != "" {
			p.hang(fmt.Sprintf("  %-11s ", line.name), line.text)
		}
	}
	if r.OnWire {
		for _, text := range permits(c, r) {
			p.hang(fmt.Sprintf("  %-11s ", "permits"), text)
		}
	}
}

// permits says who may speak to whom by a row, each pair of roles once.
func permits(c *catalog.Catalog, r *catalog.Row) []string {
	var texts []string
	for _, permission := range c.Permissions(r) {
		text := fmt.Sprintf("%s -> %s, port %s", roles(permission.From), roles(permission.To), service(r))
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// fact is one line of what is known of a row.
type fact struct{ name, text string }

// rowFacts lists what is known of a row, in the order of print.
func rowFacts(r *catalog.Row) []fact {
	return []fact{
		{"purpose", r.Purpose},
		{"source", fmt.Sprintf("%s (%s)", r.SourcePrinted, roles(r.Source))},
		{"target", fmt.Sprintf("%s (%s)", r.TargetPrinted, roles(r.Target))},
		{"listens", listens(r)},
		{"printed", fmt.Sprintf("port %s, transport %s", r.PortsPrinted, r.TransportPrinted)},
		{"expected", expected(r)},
		{"runs on", planeWords(r.Plane)},
		{"also to", castWords(r)},
		{"reply", when(r.OneWay, "none, by its nature (over UDP)")},
		{"port", when(r.Configurable, "can be changed at the site")},
		{"on the wire", when(!r.OnWire, "never: both ends are one machine")},
		{"insecure", when(r.Insecure != "", "the document marks "+r.Insecure+" as insecure")},
		{"erratum", erratum(r)},
		{"note", when(!r.Erratum, r.Note)},
		{"document", fmt.Sprintf("%s, line %d", r.Origin.Document, r.Origin.Line)},
	}
}

// when returns the text if it holds.
func when(holds bool, text string) string {
	if holds {
		return text
	}
	return ""
}

// roles writes a role column: "hypervisor-host or vcenter-server".
func roles(column []catalog.Role) string {
	return strings.Join(roleNames(column), " or ")
}

// listens says which end listens.
func listens(r *catalog.Row) string {
	if r.Listener == catalog.Either {
		return "either end"
	}
	return "the " + r.Listener.String()
}

// expected says when the row is to be expected, and how often.
func expected(r *catalog.Row) string {
	var text string
	switch r.Class.Kind {
	case catalog.Optional:
		return "never: it may be there or not"
	case catalog.Internal:
		return "never: it stays inside one machine (" + r.Class.Of + ")"
	case catalog.Always:
		text = "always"
	case catalog.IfUsed:
		text = "where " + r.Class.Of + " is used"
	case catalog.During:
		text = "while " + r.Class.Of + " runs"
	}
	switch r.Each {
	case catalog.EachSource:
		text += ", of every source"
	case catalog.EachTarget:
		text += ", of every target"
	case catalog.EachAny:
		text += ", of any pair"
	}
	if r.Period > 0 {
		text += ", every " + r.Period.String()
	}
	if r.Group != "" {
		text += "; one of the group " + r.Group + " is enough"
	}
	return text
}

// planeWords says on which of a host's networks a row runs.
func planeWords(plane string) string {
	if plane == "" {
		return ""
	}
	return "the host's " + plane + " network"
}

// castWords names the multicast group a row is documented for.
func castWords(r *catalog.Row) string {
	if !r.Cast.IsValid() {
		return ""
	}
	return "the group " + r.Cast.String()
}

// erratum says how the document contradicts itself, and how else the row can be read.
func erratum(r *catalog.Row) string {
	if !r.Erratum {
		return ""
	}
	readings := make([]string, 0, len(r.Alt))
	for _, a := range r.Alt {
		readings = append(readings, reading(a))
	}
	if len(readings) == 0 {
		return r.Note
	}
	return r.Note + "; other reading: " + strings.Join(readings, ", or ")
}

// reading says one other way to read a row.
func reading(a catalog.Alt) string {
	switch {
	case a.Transport != 0:
		return "transport " + a.Transport.String()
	case len(a.Source) > 0:
		return "source " + roles(a.Source)
	case len(a.Target) > 0:
		return "target " + roles(a.Target)
	}
	return "the two ends exchanged"
}

// hang prints text after a label, wrapped at the width of the screen, further lines under the first word.
func (p *program) hang(label, text string) {
	indent := strings.Repeat(" ", len(label))
	line, empty := label, true
	for _, word := range strings.Fields(report.Terminal(text)) {
		if !empty && len(line)+1+len(word) > p.screen.width {
			fmt.Fprintln(p.stdout, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	fmt.Fprintln(p.stdout, line)
}
