package main

import (
	"fmt"
	"io"
	"time"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
	"flowvet/report"
)

const exceptionsUsage = `Usage: flowvet exceptions propose [FLAGS] FILE|FOLDER|-... -o FILE
       flowvet exceptions lint [FLAGS] FILE...

propose judges captures as check does, and writes an exceptions file with an entry for each open finding: what it is, and
the selector that covers it and nothing else. A person takes out what is to be mended, fills in justification, owner,
approver and end, and signs. Until then the file is refused.

lint checks exceptions files. Exit status: 0 good, 1 expired, expiring within 30 days, not yet created or too broad, 2
unusable: line by line what is missing or wrong. Give the inventory where selectors name machines.

Examples:
  flowvet exceptions propose lab.pcap --inventory lab.yaml -o proposed.yaml
      a file to fill in
  flowvet exceptions lint accepted.yaml --inventory lab.yaml
      is it whole, and how long does it hold?
`

// exceptions dispatches the two verbs on exceptions.
func (p *program) exceptions(args []string) (int, error) {
	if len(args) > 0 {
		switch args[0] {
		case "propose":
			return p.propose(args[1:])
		case "lint":
			return p.lintExceptions(args[1:])
		}
	}
	rest, err := newFlagSet("exceptions", exceptionsUsage).parse(p, args)
	switch {
	case err != nil:
		return statusGood, err
	case len(rest) == 0:
		return statusUsage, usagef("exceptions: propose or lint? See flowvet exceptions --help")
	}
	return statusUsage, usagef("exceptions: %q is neither propose nor lint%s", rest[0], didYouMean(rest[0], []string{"propose", "lint"}))
}

// propose writes an exceptions file for a person to fill in.
func (p *program) propose(args []string) (int, error) {
	f := checkFlags{maxFlows: byMemory}
	var output string
	flags := newFlagSet("exceptions propose", exceptionsUsage)
	f.bindGrounds(flags)
	flags.StringVar(&f.failOn, "fail-on", "error", "propose from this `LEVEL` on: error or warning (default error)")
	flags.StringVarP(&output, "output", "o", "", "write to `FILE`; an existing file is never overwritten")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no notes on standard error")
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(paths) == 0 {
		return statusUsage, usagef("exceptions propose: no capture named: give a file, a folder, or - for standard input")
	}
	for _, check := range []error{oneOf("fail-on", f.failOn, "error", "warning"), checkSegment(f.segment), p.limit(&f), free(output)} {
		if check != nil {
			return statusUsage, check
		}
	}
	grounds, err := f.grounds()
	if err != nil {
		return statusUsage, err
	}
	inputs, err := p.openFor(&f, paths)
	if err != nil {
		return statusUsage, err
	}
	result, err := p.evaluate(&f, grounds, inputs)
	if err != nil {
		return statusUsage, err
	}
	return p.writeProposals(result, grounds.FailOn, output, f.quiet)
}

// writeProposals writes them, and returns the status: that of the captures they rest on.
func (p *program) writeProposals(result *match.Result, level match.Level, output string, quiet bool) (int, error) {
	proposed := 0
	err := p.writeTo(output, func(w io.Writer) (err error) {
		proposed, err = report.Proposals(w, result, report.Options{Version: release}, level)
		return err
	})
	if err == nil && output != "" && output != "-" && !quiet {
		p.say("%s: %d proposed; flowvet exceptions lint refuses them until somebody fills them in", output, proposed)
	}
	switch result.Status {
	case statusPartial, statusInternal:
		p.say("%s", result.StatusWhy)
		return result.Status, err
	}
	return statusGood, err
}

// lintExceptions checks exceptions files.
func (p *program) lintExceptions(args []string) (int, error) {
	var f checkFlags
	flags := newFlagSet("exceptions lint", exceptionsUsage)
	flags.StringVar(&f.inventory, "inventory", "", "the machines that selectors name: `FILE` in YAML or CSV")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	flags.StringVar(&f.asOf, "as-of", "", "the `TIME` (RFC 3339) at which exceptions are looked at (default now)")
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(paths) == 0 {
		return statusUsage, usagef("exceptions lint: no file named")
	}
	at, err := asOf(f.asOf)
	if err != nil {
		return statusUsage, err
	}
	c, v, err := f.people()
	if err != nil {
		return statusUsage, err
	}
	status := statusGood
	for _, path := range paths {
		all, err := loadExceptions(path, c, v)
		if err != nil {
			return statusUsage, err
		}
		status = max(status, p.lintedExceptions(path, all, at))
	}
	return status, nil
}

// people loads the catalogue and, if one is given, the inventory.
func (f *checkFlags) people() (*catalog.Catalog, *inventory.Inventory, error) {
	c, err := loadCatalog(!f.noBuiltin, f.catalogs)
	if err != nil || f.inventory == "" {
		return c, nil, err
	}
	v, err := inventory.Load(f.inventory, c)
	if err != nil {
		return nil, nil, usageError{err}
	}
	return c, v, nil
}

// lintedExceptions prints what is to be said of the exceptions of a file.
func (p *program) lintedExceptions(path string, all []*match.Exception, at time.Time) int {
	status := statusGood
	say := func(x *match.Exception, format string, args ...any) {
		status = statusFindings
		fmt.Fprintf(p.stdout, "%s:%d: %s: %s\n", report.Terminal(path), x.Line, report.Terminal(x.ID), fmt.Sprintf(format, args...))
	}
	for _, x := range all {
		switch state := x.State(at); state {
		case "expired", "expiring":
			say(x, "%s: ends %s", state, x.Expires.Format(time.RFC3339))
		case "not-yet":
			say(x, "holds from %s on", x.Created.Format(time.RFC3339))
		}
		if broad := x.TooBroad(); broad != "" {
			say(x, "too broad: %s", report.Terminal(broad))
		}
	}
	if status == statusGood {
		fmt.Fprintf(p.stdout, "%s: good: %s\n", report.Terminal(path), count(len(all), "exception"))
	}
	return status
}
