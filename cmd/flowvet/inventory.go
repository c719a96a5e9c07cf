package main

import (
	"fmt"
	"os"

	"flowvet/capture"
	"flowvet/inventory"
	"flowvet/report"
)

const inventoryUsage = `Usage: flowvet inventory suggest [FLAGS] FILE|FOLDER|-...
       flowvet inventory import [FLAGS] FILE...
       flowvet inventory lint [FLAGS] FILE...

suggest infers from captures which address plays which role, each with its evidence in words, and writes an inventory
ready to edit. Nothing is inferred from a packet that nobody answered.

import makes an inventory of what is written down elsewhere already (RVTools, CSV, /etc/hosts, Ansible), or adds to the
one you have; see flowvet inventory import --help. Exit status: 0 good, 1 something contradicts, 2 unusable.

lint checks inventories. Exit status: 0 good, 1 warnings, 2 unusable.

Examples:
  flowvet inventory suggest lab.pcap -o lab.yaml
      a first inventory of what the capture shows
  flowvet inventory suggest monday/ tuesday.pcapng
      from many captures, to read on the screen
  flowvet inventory import RVTools_export_all.xlsx --into lab.yaml
      add what lab.yaml does not have; also from CSV, /etc/hosts, Ansible and captures with names
  flowvet inventory lint lab.yaml
      is it well-formed, are its roles and products known?
`

// inventory dispatches the verbs on inventories.
func (p *program) inventory(args []string) (int, error) {
	if len(args) > 0 {
		switch args[0] {
		case "suggest":
			return p.suggest(args[1:])
		case "import":
			return p.importInventory(args[1:])
		case "lint":
			return p.lintInventories(args[1:])
		}
	}
	rest, err := newFlagSet("inventory", inventoryUsage).parse(p, args)
	switch {
	case err != nil:
		return statusGood, err
	case len(rest) == 0:
		return statusUsage, usagef("inventory: suggest, import or lint? See flowvet inventory --help")
	}
	return statusUsage, usagef("inventory: %q is none of suggest, import, lint%s", rest[0], didYouMean(rest[0], subcommands("inventory")))
}

// suggest writes the inventory that captures suggest.
func (p *program) suggest(args []string) (int, error) {
	var read, catalogs []string
	var output string
	var noBuiltin, quiet bool
	flags := newFlagSet("inventory suggest", inventoryUsage)
	flags.StringArrayVarP(&read, "read", "r", nil, "a capture to read, as the arguments `FILE` are (repeatable)")
	flags.StringVarP(&output, "output", "o", "", "write the inventory to `FILE`; an existing file is never overwritten")
	bindCatalogs(flags, &catalogs, &noBuiltin)
	flags.BoolVarP(&quiet, "quiet", "q", false, "no progress and no notes on standard error")
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if paths = append(paths, read...); len(paths) == 0 {
		return statusUsage, usagef("inventory suggest: no capture named: give a file, a folder, or - for standard input")
	}
	cat, err := loadCatalog(!noBuiltin, catalogs)
	if err != nil {
		return statusUsage, err
	}
	if err := free(output); err != nil {
		return statusUsage, err
	}
	inputs, err := p.open(paths, quiet)
	if err != nil {
		return statusUsage, err
	}
	captures := p.read(inputs, capture.Options{MaxFlows: defaultMaxFlows(), Alone: len(inputs) == 1}, quiet)
	suggested := inventory.Suggest(cat, tables(captures)...)
	if !suggested.Recognised() && !quiet {
		p.say("no machine was recognised: the inventory holds only comments, and cannot be used before you name one")
	}
	return p.writeSuggestion(suggested, output, captures)
}

// free checks that a file to be written is not there yet: an inventory, or a file of exceptions, is work of the user's, edited by hand.
func free(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return usagef("%s: there is such a file already: what people edit is never overwritten", path)
	}
	if err := writable(path); err != nil {
		return outputError{err}
	}
	return nil
}

// writeSuggestion writes the inventory and returns the status: that of the captures it rests on.
func (p *program) writeSuggestion(v *inventory.Inventory, path string, captures []*capture.Capture) (int, error) {
	status := statusGood
	for _, c := range captures {
		if c.Damage != nil || c.Interrupted {
			p.say("%s: %s: the suggestion rests on what was read before", c.Name, ending(c))
			status = statusPartial
		}
	}
	if err := p.writeTo(path, v.WriteYAML); err != nil {
		return status, err
	}
	return status, nil
}

// ending says how the reading of a capture ended early.
func ending(c *capture.Capture) string {
	if c.Damage != nil {
		return c.Damage.Error()
	}
	return "interrupted"
}

// lintInventories checks inventories.
func (p *program) lintInventories(args []string) (int, error) {
	var catalogs []string
	var noBuiltin bool
	flags := newFlagSet("inventory lint", inventoryUsage)
	bindCatalogs(flags, &catalogs, &noBuiltin)
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(paths) == 0 {
		return statusUsage, usagef("inventory lint: no inventory named")
	}
	cat, err := loadCatalog(!noBuiltin, catalogs)
	if err != nil {
		return statusUsage, err
	}
	status := statusGood
	for _, path := range paths {
		v, err := inventory.Load(path, cat)
		if err != nil {
			return statusUsage, usageError{err}
		}
		status = max(status, p.lintResult(v))
	}
	return status, nil
}

// lintResult prints what is to be said of one inventory.
func (p *program) lintResult(v *inventory.Inventory) int {
	name := report.Terminal(v.Name)
	for _, warning := range v.Warnings {
		fmt.Fprintln(p.stdout, shown(warning))
	}
	if len(v.Warnings) > 0 {
		return statusFindings
	}
	addresses := 0
	for _, m := range v.Machines {
		addresses += len(m.Addrs)
	}
	fmt.Fprintf(p.stdout, "%s: good: %s, %s, %s\n", name,
		count(len(v.Machines), "machine"), count(addresses, "address"), count(len(v.Networks), "network"))
	return statusGood
}

// count writes a number with its noun.
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case noun == "address" || noun == "match":
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
