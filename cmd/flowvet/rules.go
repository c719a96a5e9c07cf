package main

import (
	"io"
	"strings"

	"flowvet/inventory"
	"flowvet/rules"
)

const rulesUsage = `Usage: flowvet rules --inventory FILE --for MACHINE [FLAGS]

Writes the firewall rules for one machine: every port that the catalogue documents between it and the other machines and
networks of the inventory, each with the ids of its rows. Read it before you load it: it lets through what the document
permits, not what is needed; --required leaves out what is optional, and services that the inventory does not say are
used. What check calls documented passes, on the network of its row.

Formats: nftables (for nft -f), iptables (for iptables-restore and ip6tables-restore), cisco (extended access lists of
IOS), csv, markdown.

Examples:
  flowvet rules --inventory lab.yaml --for vcenter01 -o vcenter01.nft
      for nft -f vcenter01.nft
  flowvet rules --inventory lab.yaml --for esx01 --required --format markdown
      what to ask the network team for
`

// rulesFlags is what the user asks of rules.
type rulesFlags struct {
	inventory, machine, format, file string
	catalogs                         []string
	noBuiltin, required              bool
}

// bind registers the flags.
func (f *rulesFlags) bind(flags *flagSet) {
	flags.StringVar(&f.inventory, "inventory", "", "who is who: `FILE` in YAML or CSV")
	flags.StringVar(&f.machine, "for", "", "the `MACHINE` of the inventory whose rules are wanted")
	flags.StringVar(&f.format, "format", "nftables", "`F`, one of "+strings.Join(rules.Names(), ", ")+" (default nftables)")
	flags.BoolVar(&f.required, "required", false, "only what the inventory requires: nothing optional, no service that it does not say is used")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	flags.StringVarP(&f.file, "output", "o", "", "write to `FILE`")
}

// rules writes the rules for one machine.
func (p *program) rules(args []string) (int, error) {
	var f rulesFlags
	flags := newFlagSet("rules", rulesUsage)
	f.bind(flags)
	rest, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	format, known := rules.ByName(f.format)
	switch {
	case len(rest) > 0:
		return statusUsage, usagef("rules: %q: nothing but flags is expected: see flowvet rules --help", rest[0])
	case f.inventory == "":
		return statusUsage, usagef("rules: who is who? Give --inventory FILE")
	case f.machine == "":
		return statusUsage, usagef("rules: for which machine? Give --for MACHINE")
	case !known:
		return statusUsage, oneOf("format", f.format, rules.Names()...)
	}
	policy, err := f.policy()
	if err != nil {
		return statusUsage, err
	}
	if err := freeOutput(f.file, append(f.catalogs, f.inventory)); err != nil {
		return statusUsage, err
	}
	return statusGood, p.writeTo(f.file, func(w io.Writer) error { return format(w, policy) })
}

// policy finds the rules.
func (f *rulesFlags) policy() (*rules.Policy, error) {
	cat, err := loadCatalog(!f.noBuiltin, f.catalogs)
	if err != nil {
		return nil, err
	}
	v, err := inventory.Load(f.inventory, cat)
	if err != nil {
		return nil, usageError{err}
	}
	m := v.Machine(f.machine)
	if m == nil {
		names := make([]string, len(v.Machines))
		for i, n := range v.Machines {
			names[i] = n.Name
		}
		return nil, usagef("rules: --for %s: no machine of %s%s", f.machine, f.inventory, didYouMean(f.machine, names))
	}
	policy := rules.For(cat, v, m, f.required)
	policy.Version = release
	return policy, nil
}
