package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

const importUsage = `Usage: flowvet inventory import [FLAGS] FILE|-...

Makes an inventory of what is written down elsewhere already, or adds to the one you have. A file's format is
recognised by its content:

  csv      the columns of an inventory: name,address and more (docs/formats.md)
  rvtools  an export of RVTools, whole (xlsx) or sheet by sheet (csv): hosts with version, cluster, vCenter and the
           addresses of their adapters, from vHost, vSC_VMK, vNetwork and vSource
  hosts    /etc/hosts: an address and the names of its machine
  ansible  an inventory of Ansible, INI or YAML; --group says what its groups are
  names    the names that a capture (pcapng) has for addresses

What a machine does is taken from the file only where it knows. What its name, or that of a port group, suggests is
marked as a guess: planes by a comment, machines as a whole behind a #.

With --into nothing that stands in the inventory is changed, moved or taken away, comments included: machines it does
not have are added, and to those it has, what it does not say. A machine is known by its name, with or without domain;
one address under two names is a contradiction. Where a file says otherwise than the inventory, or than a file before
it, both values are listed with their places, and what was there first stays.

Exit status: 0 all fits together, 1 something contradicts (it is listed, the rest is written), 2 a file cannot be used
and nothing is written.

Examples:
  flowvet inventory import RVTools_export_all.xlsx -o lab.yaml
      a first inventory; read it, then flowvet check lab.pcap --inventory lab.yaml
  flowvet inventory import RVTools_export_all.xlsx --into lab.yaml
      a month later: what is new
  flowvet inventory import hosts.ini /etc/hosts --group "esx=ESX 4.1" --group dns=dns-server --into lab.yaml -o -
      groups from one file, addresses from another; to read on the screen, lab.yaml stays as it is
`

// importFlags is what the user says of an import.
type importFlags struct {
	into, output, format string
	groups               []string
	meant                map[string]string // what groups are, by name; valid after check
	catalogs             []string
	noBuiltin, quiet     bool
}

// bind registers the flags.
func (f *importFlags) bind(flags *flagSet) {
	flags.StringVar(&f.into, "into", "", "add to the inventory in `FILE`, and write it there (unless -o says where)")
	flags.StringVarP(&f.output, "output", "o", "", "write the inventory to `FILE`, - for standard output; an existing file is never overwritten")
	flags.StringVar(&f.format, "format", "", "read every file as `F`: "+inventory.FormatList()+" (default by its content)")
	flags.StringArrayVar(&f.groups, "group", nil, "the machines of an Ansible group have a role, or run a product: `NAME=WHAT` (repeatable)")
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
	f.meant = map[string]string{}
	for _, text := range f.groups {
		name, what, ok := strings.Cut(text, "=")
		if _, twice := f.meant[name]; !ok || name == "" || what == "" || twice {
			return usagef("--group: %q: write NAME=ROLE or \"NAME=ESX 4.1\", each name once", text)
		}
		f.meant[name] = what
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
	if err := inventory.CheckGroups(f.meant, cat); err != nil {
		return statusUsage, usagef("--group: %w", err)
	}
	base, err := f.base()
	if err != nil {
		return statusUsage, err
	}
	sources, err := p.sources(paths, f, cat)
	if err != nil {
		return statusUsage, err
	}
	if err := f.grouped(sources); err != nil {
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
	file, err := os.Open(f.into)
	if err != nil {
		return nil, usagef("%s: %w: --into adds to an inventory there is; -o writes a new one", f.into, cause(err))
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, inventory.MaxFileSize+1))
	if err != nil {
		return nil, usagef("%s: %w", f.into, cause(err))
	}
	return data, nil
}

// grouped refuses a group that no file has.
func (f *importFlags) grouped(sources []*inventory.Source) error {
	var known []string
	for _, s := range sources {
		known = append(known, s.Groups...)
	}
	for _, name := range slices.Sorted(maps.Keys(f.meant)) {
		if !slices.Contains(known, name) {
			return usagef("--group: no file has a group %q%s", name, didYouMean(name, known))
		}
	}
	return nil
}

// sources reads all files that are to be imported.
func (p *program) sources(paths []string, f importFlags, cat *catalog.Catalog) ([]*inventory.Source, error) {
	var sources []*inventory.Source
	for _, path := range paths {
		s, err := p.source(path, f, cat)
		if err != nil {
			return nil, usageError{err}
		}
		for _, note := range s.Notes {
			if !f.quiet {
				p.say("%s", note)
			}
		}
		sources = append(sources, s)
	}
	return sources, nil
}

// source reads one file that is to be imported.
func (p *program) source(path string, f importFlags, cat *catalog.Catalog) (*inventory.Source, error) {
	name, file := path, p.stdin
	if path == "-" {
		name = "standard input"
	} else {
		opened, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, cause(err))
		}
		defer opened.Close()
		file = opened
	}
	in := bufio.NewReader(file)
	if head, _ := in.Peek(captureHead); f.format == string(inventory.FormatNames) || f.format == "" && isCapture(head) {
		return p.captureNames(path, in)
	}
	data, err := io.ReadAll(io.LimitReader(in, inventory.MaxSourceSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	return inventory.ReadSource(name, data, inventory.SourceOptions{Format: inventory.Format(f.format), Groups: f.meant}, cat)
}

// captureHead is how many bytes tell a capture, or what it is compressed by.
const captureHead = 4

// isCapture reports whether a file begins as captures and compressed ones do.
func isCapture(head []byte) bool {
	return slices.ContainsFunc([]string{
		"\x0a\x0d\x0d\x0a", "\xa1\xb2\xc3\xd4", "\xd4\xc3\xb2\xa1", "\xa1\xb2\x3c\x4d", "\x4d\x3c\xb2\xa1",
		"\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd7zX",
	}, func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) })
}

// captureNames reads a capture for the names that it has for addresses. Standard input is what is left of it.
func (p *program) captureNames(path string, stdin io.Reader) (*inventory.Source, error) {
	inputs, err := capture.Open([]string{path}, stdin)
	if err != nil {
		return nil, err
	}
	merged := &inventory.Source{Name: path, Format: inventory.FormatNames}
	for _, c := range p.read(inputs, capture.Options{MaxFlows: defaultMaxFlows()}, true) {
		if c.Damage != nil || c.Interrupted {
			p.say("%s: %s: names behind that were not read", c.Name, ending(c))
		}
		merged.AddNames(c.Name, c.Names, c.Named)
	}
	return merged, nil
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
