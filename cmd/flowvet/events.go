package main

import (
	"flowvet/catalog"
	"flowvet/match"
	"flowvet/report"
)

const eventsUsage = `Usage: flowvet events [FLAGS] FILE|FOLDER|-...

Finds what the traffic itself shows to have happened, and judges each by its scenario: every vMotion, every host that fell
silent or lost its management network, every protected pair whose log stopped. Of each it says when, between whom, how much
and how fast, by how many connections, when the machine was announced at its new host, and who spoke to the hosts before.

Without --inventory the hosts are inferred from the captures. Exit status: 0, 2, 4 or 5.

Examples:
  flowvet events lab.pcap --inventory lab.yaml
      what happened in this capture?
  flowvet events monday/ --inventory lab.yaml --json
      the same for programs
`

// eventScenarios are the scenarios by which operations are judged.
var eventScenarios = []string{"vmotion", "ha-failover", "ha-isolation", "ft-failover"}

// events finds operations and judges them.
func (p *program) events(args []string) (int, error) {
	f := checkFlags{failOn: "none", maxFlows: defaultMaxFlows()}
	var asJSON bool
	flags := newFlagSet("events", eventsUsage)
	flags.StringArrayVarP(&f.read, "read", "r", nil, "a capture to read, as the arguments `FILE` are (repeatable)")
	flags.StringVar(&f.inventory, "inventory", "", "who is who: `FILE` in YAML or CSV (default: inferred from the captures)")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	f.filter.bind(flags, "judge")
	flags.StringVar(&f.captureFilter, "capture-filter", "", "the filter `EXPR` the captures were made with, where the file does not say")
	flags.StringArrayVar(&f.sees, "sees", nil, "a prefix, address or machine (`WHAT`) that the captures are known to see (repeatable)")
	f.inputs.bind(flags)
	bindSegment(flags, &f.segment)
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no notes on standard error")
	flags.BoolVar(&asJSON, "json", false, "as one JSON document")
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	result, err := p.happened(&f, append(paths, f.read...))
	if err != nil {
		return statusUsage, err
	}
	options := report.Options{Width: p.screen.width, Version: release}
	write := report.Events
	if asJSON {
		write = report.EventsJSON
	}
	if err := write(p.stdout, result, options); err != nil {
		return statusGood, outputError{err}
	}
	if result.Status == statusPartial || result.Status == statusInternal {
		return result.Status, nil
	}
	return statusGood, nil
}

// happened judges captures for their operations alone.
func (p *program) happened(f *checkFlags, paths []string) (*match.Result, error) {
	if len(paths) == 0 {
		return nil, usagef("events: no capture named: give a file, a folder, or - for standard input")
	}
	if err := checkSegment(f.segment); err != nil {
		return nil, err
	}
	grounds, err := f.grounds()
	if err != nil {
		return nil, err
	}
	grounds.Operations = true
	if grounds.Scenarios, err = seenScenarios(grounds.Catalog); err != nil {
		return nil, err
	}
	inputs, err := p.openFor(f, paths)
	if err != nil {
		return nil, err
	}
	return p.evaluate(f, grounds, inputs)
}

// seenScenarios returns the scenarios of operations, to be judged where the traffic shows one.
func seenScenarios(c *catalog.Catalog) ([]match.Play, error) {
	var plays []match.Play
	for _, name := range eventScenarios {
		s, err := c.Scenario(name)
		if err != nil {
			return nil, usageError{err}
		}
		plays = append(plays, match.Play{Scenario: s, OnlySeen: true})
	}
	return plays, nil
}
