package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
)

const importUsage = `Usage: flowvet inventory import [FLAGS] FILE|-...

Makes an inventory of what is written down elsewhere already, or adds to the one you have. A file's format is
recognised by its content:

  csv      the columns of an inventory: name,address and more (docs/formats.md)
  hosts    /etc/hosts: an address and the names of its machine

With --into nothing that stands in the inventory is changed, moved or taken away, comments included: machines it does
not have are added, and to those it has, what it does not say. A machine is the one with the same name, else the one
with one of its addresses. Where a file says otherwise than the inventory, or than a file before it, both values are
listed with their places, and what was there first stays.

Exit status: 0 all fits together, 1 something contradicts (it is listed, the rest is written), 2 a file cannot be used
and nothing is written.

Examples:
  flowvet inventory import /etc/hosts -o lab.yaml
      a first inventory; give the machines their products, then flowvet inventory lint lab.yaml
  flowvet inventory import machines.csv --into lab.yaml -o -
      what would become of lab.yaml, to read on the screen
`

// importFlags is what the user says of an import.
type importFlags struct {
	into, output, format string
	catalogs             []string
	noBuiltin, quiet     bool
}

// bind registers the flags.
func (f *importFlags) bind(flags *flagSet) {
	flags.StringVar(&f.into, "into", "", "add to the inventory in `FILE`, and write it there (unless -o says where)")
	flags.StringVarP(&f.output, "output", "o", "", "write the inventory to `FILE`, - for standard output; an existing file is never overwritten")
	flags.StringVar(&f.format, "format", "", "read every file as `F`: "+inventory.FormatList()+" (default by its content)")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "on standard error only contradictions and mistakes")
}

// check refuses what cannot be meant.
func (f *importFlags) check() error {
	if f.format != "" {
		if err := oneOf("format", f.format, strings.Split(inventory.FormatList(), ", ")...); err != nil {
			return err
		}
	}
	if strings.EqualFold(filepath.Ext(f.into), ".csv") {
		return usagef("--into %s: an inventory in CSV cannot be added to: its comments and order would be lost; name a YAML file", f.into)
	}
	return free(f.output)
}

// importInventory makes an inventory of other programs' files, or adds to one.
func (p *program) importInventory(args []string) (int, error) {
	var f importFlags
	flags := newFlagSet("inventory import", importUsage)
	f.bind(flags)
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(paths) == 0 {
		return statusUsage, usagef("inventory import: no file named: give what holds your machines, or - for standard input")
	}
	if err := f.check(); err != nil {
		return statusUsage, err
	}
	cat, err := loadCatalog(!f.noBuiltin, f.catalogs)
	if err != nil {
		return statusUsage, err
	}
	base, err := f.base()
	if err != nil {
		return statusUsage, err
	}
	sources, err := p.sources(paths, f, cat)
	if err != nil {
		return statusUsage, err
	}
	merged, err := inventory.Merge(f.target(), base, sources, cat)
	if err != nil {
		return statusUsage, usageError{err}
	}
	return p.writeImport(merged, f)
}

// target is what the inventory is called in messages.
func (f *importFlags) target() string {
	switch {
	case f.into != "":
		return f.into
	case f.output == "" || f.output == "-":
		return "the inventory"
	}
	return f.output
}

// base reads the inventory that is to be added to.
func (f *importFlags) base() ([]byte, error) {
	if f.into == "" {
		return nil, nil
	}
	if f.output == "" {
		if err := writable(f.into); err != nil {
			return nil, outputError{err}
		}
	}
	data, err := readLimited(f.into, nil, inventory.MaxFileSize)
	if err != nil {
		return nil, usagef("%w: --into adds to an inventory there is; -o writes a new one", err)
	}
	return data, nil
}

// sources reads all files that are to be imported.
func (p *program) sources(paths []string, f importFlags, cat *catalog.Catalog) ([]*inventory.Source, error) {
	var sources []*inventory.Source
	for _, path := range paths {
		data, err := readLimited(path, p.stdin, inventory.MaxSourceSize)
		if err != nil {
			return nil, usageError{err}
		}
		name := path
		if path == "-" {
			name = "standard input"
		}
		s, err := inventory.ReadSource(name, data, inventory.SourceOptions{Format: inventory.Format(f.format)}, cat)
		if err != nil {
			return nil, usageError{err}
		}
		sources = append(sources, s)
	}
	return sources, nil
}

// readLimited reads a file, or stdin where the path is -, up to one byte more than the most.
func readLimited(path string, stdin io.Reader, most int64) ([]byte, error) {
	if path == "-" && stdin != nil {
		return io.ReadAll(io.LimitReader(stdin, most+1))
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	return data, nil
}

// writeImport writes the inventory, and says what became of it.
func (p *program) writeImport(merged *inventory.Merged, f importFlags) (int, error) {
	path := f.output
	if path == "" {
		path = f.into
	}
	if err := p.writeEdited(path, merged.Text); err != nil {
		return statusGood, err
	}
	if !f.quiet {
		for _, note := range merged.Notes {
			p.say("%s", note)
		}
	}
	for _, c := range merged.Conflicts {
		p.say("%s", c)
	}
	if !f.quiet {
		p.say("%s", summary(merged))
	}
	if len(merged.Conflicts) > 0 {
		return statusFindings, nil
	}
	return statusGood, nil
}

// writeEdited writes a file that may be there already: through a link to it, and with the rights it had.
func (p *program) writeEdited(path string, text []byte) error {
	before, err := os.Stat(path)
	there := err == nil && before.Mode().IsRegular()
	if there {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return outputError{err}
		}
	}
	err = p.writeTo(path, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil || !there {
		return err
	}
	if err := os.Chmod(path, before.Mode().Perm()); err != nil {
		return outputError{err}
	}
	return nil
}

// summary says in one line what an import did.
func summary(m *inventory.Merged) string {
	parts := []string{count(m.Added, "machine") + " added"}
	for _, part := range []struct {
		n    int
		what string
	}{{m.Completed, "completed"}, {m.Unchanged, "with nothing new"}, {m.Guessed, "guessed (behind a #)"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	if n := len(m.Conflicts); n > 0 {
		parts = append(parts, count(n, "contradiction"))
	}
	return strings.Join(parts, ", ")
}
