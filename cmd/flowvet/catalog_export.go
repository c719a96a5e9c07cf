package main

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"flowvet/catalog"
	"flowvet/catalog/export"
)

const catalogExportUsage = `Usage: flowvet catalog export --format FORMAT [FLAGS] [QUERY...]

Writes rows for others: those that a query finds (flowvet catalog --help), or all of them.

  csv        a catalogue file, to be edited and read again with --no-builtin --catalog FILE
  json       the same for programs; read again, too
  markdown   tables for people, one for each product
  mud        what one kind of device needs, for a network that admits what a device states (RFC 8520): named by --role or
             --product. The other ends are controller classes, urn:flowvet:role:ROLE, which your MUD manager maps to addresses
  oscal      an OSCAL component definition (1.1.3): a component for each product, its protocols are the rows

Examples:
  flowvet catalog export --format csv -o ports.csv
  flowvet catalog export --format mud --product "ESX 4.x" --mud-url https://mud.example.com/esx4.json
      what may an ESX 4 host speak, and with whom?
  flowvet catalog export --format oscal --catalog vsphere8 --product "vCenter 8.x"
`

// exportFlags is what the user asks of an export.
type exportFlags struct {
	catalogFlags
	format, file, asOf, mudURL string
}

// bind registers the flags.
func (f *exportFlags) bind(flags *flagSet) {
	flags.StringVar(&f.format, "format", "", "`FORMAT`: "+strings.Join(export.Names(), ", "))
	flags.StringVarP(&f.file, "output", "o", "", "write to `FILE`")
	flags.StringVar(&f.product, "product", "", "only rows of the product `NAME`; of mud, the device is such a machine")
	flags.StringVar(&f.role, "role", "", "only rows in which the role `NAME` stands; of mud, the device plays it")
	flags.StringVar(&f.mudURL, "mud-url", "", "the https address `URL` at which the MUD file will be published")
	flags.StringVar(&f.asOf, "as-of", "", "the `TIME` (RFC 3339) that mud and oscal state as their own (default: now)")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
}

// exportCatalog writes rows for others.
func (p *program) exportCatalog(args []string) (int, error) {
	var f exportFlags
	flags := newFlagSet("catalog export", catalogExportUsage)
	f.bind(flags)
	words, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if err := oneOf("format", f.format, export.Names()...); err != nil {
		return statusUsage, err
	}
	options := export.Options{Version: release, MUDURL: f.mudURL}
	if options.AsOf, err = asOf(f.asOf); err != nil {
		return statusUsage, err
	}
	if err := freeOutput(f.file, f.catalogs); err != nil {
		return statusUsage, err
	}
	c, err := loadCatalog(!f.noBuiltin, f.catalogs)
	if err != nil {
		return statusUsage, err
	}
	query, err := c.ParseQuery(words)
	if err != nil {
		return statusUsage, usagef("catalog export: %w", err)
	}
	if err := f.narrow(&query, c); err != nil {
		return statusUsage, err
	}
	if options.Device, err = f.device(c, query); err != nil {
		return statusUsage, err
	}
	return p.writeRows(f.format, f.file, c, c.Find(query), options)
}

// writeRows writes rows in a format, to a file or to standard output.
func (p *program) writeRows(format, file string, c *catalog.Catalog, rows []*catalog.Row, o export.Options) (int, error) {
	var encoded bytes.Buffer
	err := export.Write(&encoded, format, c, rows, o)
	var missing export.OptionError
	switch {
	case errors.As(err, &missing):
		return statusUsage, usagef("catalog export: %w", err)
	case err != nil:
		return statusGood, err
	}
	return statusGood, p.writeTo(file, func(w io.Writer) error {
		_, err := encoded.WriteTo(w)
		return err
	})
}

// device returns the role of the one kind of machine that an export is about: that of --role, or what a machine with the
// product of --product plays; empty where neither is given.
func (f *exportFlags) device(c *catalog.Catalog, query catalog.Query) (catalog.Role, error) {
	switch {
	case f.role != "":
		return query.Roles[len(query.Roles)-1], nil
	case f.product == "":
		return "", nil
	}
	d, err := c.Deployed(f.product)
	if err != nil {
		return "", usagef("--product: %w", err)
	}
	role, refined := c.RoleOf(d)
	if refined != "" {
		role = refined
	}
	return role, nil
}
