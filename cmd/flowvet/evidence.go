package main

import (
	"path/filepath"

	"flowvet/capture"
	"flowvet/evidence"
	"flowvet/match"
	"flowvet/report"
)

// evidenceFlags say which packets of findings are kept.
type evidenceFlags struct {
	path    string
	size    string
	payload bool
	limit   int // what size means; valid after prepare
}

// bind registers the flags.
func (f *evidenceFlags) bind(flags *flagSet) {
	flags.StringVar(&f.path, "evidence", "", "keep the first packets of each open finding in `FILE` (pcapng), headers only, each with a comment that names it")
	flags.StringVar(&f.size, "evidence-size", "16MiB", "keep at most `SIZE` of them, those of the first findings of the report")
	flags.BoolVar(&f.payload, "evidence-payload", false, "keep their payload too")
}

// check refuses inputs whose packets cannot be looked at a second time, and what would tell who the pseudonyms are.
func (f *evidenceFlags) check(o *outputFlags, sinks []sink, inputs []*capture.Input, ports []uint16) (err error) {
	if f.path == "" {
		return nil
	}
	if f.limit, err = evidenceSize(f.size); err != nil {
		return err
	}
	switch {
	case f.path == "-":
		return usagef("--evidence: packets are no text to stand beside a report: name a file")
	case o.anonymize || o.anonymizeKey != "":
		return usagef("--evidence holds packets with their addresses: leave out --anonymize, or --evidence")
	}
	for _, s := range sinks {
		if s.path != "" && filepath.Clean(s.path) == filepath.Clean(f.path) {
			return usagef("--evidence and --format %s both go to %s", s.name, s.path)
		}
	}
	if len(ports) > 0 {
		return usagef("--evidence: with --exports no packet of a finding is in the captures: capture the packets themselves")
	}
	for _, in := range inputs {
		switch {
		case in.FlowRecords():
			return usagef("--evidence: %s holds flow records, and no packets: capture those of the findings", in.Name)
		case !in.HoldsFrames():
			return usagef("--evidence: %s holds no packets any more: give the capture it was made from", in.Name)
		case !in.Repeatable():
			return usagef("--evidence: %s can be read once, and its packets are looked for when they have been judged: write it to a file first", in.Name)
		}
	}
	return nil
}

// evidenceSize reads --evidence-size.
func evidenceSize(text string) (int, error) {
	size, ok := parseSize(text)
	if !ok || size > maxEvidence {
		return 0, usagef("--evidence-size: %q is no size up to 1GiB: write bytes, or a number with KiB, MiB or GiB", text)
	}
	return int(size), nil
}

// maxEvidence bounds what is held in memory for the evidence.
const maxEvidence = 1 << 30

// show reads the captures again and writes the first packets of the findings, if that was asked for. It returns the exit
// status of that.
func (p *program) show(f *checkFlags, result *match.Result, grounds match.Grounds, inputs []*capture.Input) (int, error) {
	if f.evidence.path == "" {
		return statusGood, nil
	}
	options, err := f.reading(&grounds)
	if err != nil {
		return statusUsage, err
	}
	collector := evidence.NewCollector(result, f.evidence.limit, f.evidence.payload, options.Segments)
	if collector.Findings() > 0 {
		p.visit(inputs, options, f.quiet, collector.Take)
	}
	if err := report.WriteFile(f.evidence.path, collector.Write); err != nil {
		p.say("%v", err)
		return statusOutput, nil
	}
	if n := collector.GivenUp(); n > 0 && !f.quiet {
		p.say("%s: no room for the packets of %d of %d findings (--evidence-size)", f.evidence.path, n, collector.Findings())
	}
	return statusGood, nil
}

// visit shows every frame of the inputs, in their order. What ends an input early was said when it was judged.
func (p *program) visit(inputs []*capture.Input, options capture.Options, quiet bool, take func(*capture.Frame)) {
	bar := p.progress(inputs, quiet)
	defer bar.stop()
	for i, in := range inputs {
		options.Progress = bar.of(i)
		if err := in.Visit(p.ctx, options, take); err != nil && !quiet {
			p.say("%s: its packets are shown as far as it could be read again: %v", in.Name, err)
		}
	}
}
