package main

import (
	"fmt"
	"io"

	"flowvet/match"
	"flowvet/report"
	"flowvet/rules/firewall"
	"flowvet/rules/openings"
)

const openingsUsage = `Usage: flowvet openings --firewall FILE --inventory FILE [FLAGS] FILE|FOLDER|-...

Holds three things against each other, host by host: what is documented, what the host's own firewall lets through, and
what the captures show to be used. It says what was used though it is closed, what is open and undocumented, what is
documented and closed, and what is open and was never used. The firewall file is what flowvet-vcenter --firewall writes;
docs/formats.md has its fields, for those who have the rule sets from elsewhere.

"Never used" is said only where the captures would have shown it: of hosts that the inventory (capture: sees) or --sees
says they see, or where they saw the host speak both ways with everybody who is let in. Everything else that was not seen
in use is listed as such, with what to do next time.

Levels: what is closed is an error where the inventory requires it, a warning where an operation such as vMotion needs it,
else a note; what was never used is a warning, a note where a row requires it. Notes are shown with -v.

Exit status: as check's; 3 also where a host of the file is no machine of the inventory, and, with --fail-on warning, where
it could not be said whether something open is used.

Examples:
  flowvet openings --firewall firewall.json --inventory lab.yaml monday/
      what should be opened, what closed?
  flowvet openings --firewall firewall.json --inventory lab.yaml --sees esx01 esx01.pcap
      the capture was made at esx01's switch port: what was not seen was not there
  flowvet openings --firewall firewall.json --inventory lab.yaml --catalog vsphere6 monday/ --json
      by a newer catalogue, for programs
`

// openingsFlags is what the user asks of openings.
type openingsFlags struct {
	checkFlags
	firewall string
	json     bool
	file     string
	limit    int
	verbose  bool
}

// bind registers the flags.
func (f *openingsFlags) bind(flags *flagSet) {
	flags.StringVar(&f.firewall, "firewall", "", "what the hosts' firewalls let through: `FILE` in JSON")
	flags.StringArrayVarP(&f.read, "read", "r", nil, "a capture to read, as the arguments `FILE` are (repeatable)")
	flags.StringVar(&f.inventory, "inventory", "", "who is who: `FILE` in YAML or CSV")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	f.filter.bind(flags, "judge")
	flags.StringVar(&f.captureFilter, "capture-filter", "", "the filter `EXPR` the captures were made with, where the file does not say")
	flags.StringArrayVar(&f.sees, "sees", nil, "a prefix, address or machine (`WHAT`) that the captures are known to see (repeatable)")
	flags.BoolVar(&f.dedup, "dedup", false, "drop second copies of a packet (two mirrored ports)")
	bindSegment(flags, &f.segment)
	f.inputs.bind(flags)
	flags.StringVar(&f.failOn, "fail-on", "error", "exit status 1 from this `LEVEL` on: error, warning or none (default error)")
	flags.BoolVar(&f.json, "json", false, "as one JSON document")
	flags.StringVarP(&f.file, "output", "o", "", "write to `FILE`")
	flags.IntVar(&f.limit, "limit", report.DefaultLimit, fmt.Sprintf("show at most `N` entries in a section, 0 for all (default %d)", report.DefaultLimit))
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "notes too")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no notes on standard error")
}

// openings compares what is documented, opened and used.
func (p *program) openings(args []string) (int, error) {
	f := openingsFlags{checkFlags: checkFlags{maxFlows: defaultMaxFlows()}}
	flags := newFlagSet("openings", openingsUsage)
	f.bind(flags)
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	compared, status, err := p.compareOpenings(&f, append(paths, f.read...))
	if err != nil {
		return status, err
	}
	status, why := f.conclude(compared)
	return status, p.writeTo(f.file, func(w io.Writer) error {
		if f.json {
			return openings.JSON(w, compared, release, status, why)
		}
		width := p.screen.width
		if f.file != "" && f.file != "-" {
			width = plainWidth
		}
		return openings.Text(w, compared, openings.Options{
			Version: release, Width: width, Limit: f.limit, Verbose: f.verbose, Ends: fmt.Sprintf("exit %d: %s", status, why),
		})
	})
}

// compareOpenings checks everything that the user gave, then reads, judges and compares.
func (p *program) compareOpenings(f *openingsFlags, paths []string) (*openings.Comparison, int, error) {
	switch {
	case len(paths) == 0:
		return nil, statusUsage, usagef("openings: no capture named: give a file, a folder, or - for standard input")
	case f.firewall == "":
		return nil, statusUsage, usagef("openings: what is open? Give --firewall FILE, as flowvet-vcenter --firewall writes it")
	case f.inventory == "":
		return nil, statusUsage, usagef("openings: who is who? Give --inventory FILE")
	}
	if err := checkSegment(f.segment); err != nil {
		return nil, statusUsage, err
	}
	grounds, err := f.grounds()
	if err != nil {
		return nil, statusUsage, err
	}
	file, err := firewall.Load(f.firewall)
	if err != nil {
		return nil, statusUsage, usageError{err}
	}
	survey, err := openings.New(file, grounds.Inventory, grounds.Catalog)
	if err != nil {
		return nil, statusUsage, usageError{fmt.Errorf("%s: %w", f.firewall, err)}
	}
	grounds.Reaches = survey.Reaches()
	inputs, err := p.openFor(&f.checkFlags, paths)
	if err != nil {
		return nil, statusUsage, err
	}
	if err := freeOutput(f.file, append(append(f.files(), f.firewall), names(inputs)...)); err != nil {
		return nil, statusOutput, err
	}
	result, err := p.evaluate(&f.checkFlags, grounds, inputs)
	if err != nil {
		return nil, statusUsage, err
	}
	return survey.Compare(result), statusGood, nil
}

// conclude returns the status of a comparison, and says why in words.
func (f *openingsFlags) conclude(c *openings.Comparison) (status int, why string) {
	level, _ := failLevel(f.failOn) // it was checked with the grounds
	found, notJudged := c.Count(level)
	switch {
	case c.Result.Status == statusInternal || c.Result.Status == statusPartial:
		return c.Result.Status, c.Result.StatusWhy
	case level != match.LevelNone && found > 0:
		return statusFindings, fmt.Sprintf("%s at or above %s", count(found, "finding"), level)
	case len(c.Unknown) > 0:
		return statusUnjudged, count(len(c.Unknown), "host") + " of the file not known to the inventory"
	case level == match.LevelWarning && notJudged > 0:
		return statusUnjudged, fmt.Sprintf("of %s it could not be said whether they are used", count(notJudged, "open rule set"))
	}
	return statusGood, "nothing at or above " + level.String()
}
