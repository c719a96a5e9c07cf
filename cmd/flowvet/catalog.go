package main

import (
	"fmt"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/catalog/export"
	"flowvet/report"
)

const catalogUsage = `Usage: flowvet catalog [FLAGS] [QUERY...]
       flowvet catalog lint [--no-builtin] [FILE...]
       flowvet catalog diff [FLAGS] BEFORE AFTER
       flowvet catalog export --format FORMAT [FLAGS] [QUERY...]

Says what is documented. A query is a port (902, 902/udp), a row (R100), a role, a product, or several of them: what
fits all of them is listed; no query lists everything. Where the document contradicts itself, the row says how.

lint checks catalogues of your own: rows said twice, rows that another makes needless, broad ones, unknown roles. Of
those that come along (by name; without a file, all) it lists what is known. Exit status: 0 good, 1 findings, 2 unusable.
diff says what an upgrade changes in the firewall, export writes rows as CSV, JSON, Markdown, MUD and OSCAL: flowvet
catalog diff --help and flowvet catalog export --help say more.

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
	flags.StringArrayVar(files, "catalog", nil, "add the catalogue `FILE` (CSV), or one that comes along: "+strings.Join(catalog.Companions(), ", ")+" (repeatable)")
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

// further returns a function that loads the chosen catalogue with the addendum; nil where it is among them.
func further(builtin bool, files []string) func() *catalog.Catalog {
	if slices.Contains(files, catalog.Addendum) {
		return nil
	}
	return func() *catalog.Catalog {
		c, err := catalog.Load(builtin, append(slices.Clone(files), catalog.Addendum)...)
		if err != nil {
			return nil // a file of the user's has its own idea of what the addendum declares
		}
		return c
	}
}

// catalog answers what is documented.
func (p *program) catalog(args []string) (int, error) {
	if len(args) > 0 {
		switch args[0] {
		case "lint":
			return p.lintCatalogs(args[1:])
		case "diff":
			return p.diffCatalogs(args[1:])
		case "export":
			return p.exportCatalog(args[1:])
		}
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
		return p.writeRows("json", "", c, rows, export.Options{})
	case f.csv:
		return p.writeRows("csv", "", c, rows, export.Options{})
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
	var problems []catalog.Problem
	switch {
	case len(files) == 0:
		files = append([]string{catalog.BuiltIn}, catalog.Companions()...)
		for _, name := range files { // each by itself, as it is used
			problems = append(problems, catalog.Lint(name)...)
		}
	case noBuiltin:
		problems = catalog.LintAlone(files...)
	default:
		problems = catalog.Lint(files...)
	}
	status, known := statusGood, 0
	for _, problem := range problems {
		mark := ""
		switch {
		case problem.Known:
			mark = "known: "
			known++
		case problem.Warning:
			status = max(status, statusFindings)
		default:
			status = statusUsage
		}
		fmt.Fprintln(p.stdout, mark+shown(problem.Error()))
	}
	if status == statusGood {
		fmt.Fprintf(p.stdout, "%s: good%s\n", report.Terminal(strings.Join(files, ", ")), when(known > 0, ", but for "+count(known, "known finding")))
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
