package main

import (
	"fmt"
	"os"
	"slices"

	"flowvet/match"
	"flowvet/report"
)

const verifyUsage = `Usage: flowvet verify [FLAGS] EVIDENCE [FILE|FOLDER...]

Checks evidence that check wrote with --format jsonl: that no line was changed, left out, added or moved. With the
captures, judges them again, as of the time, operations and window that the evidence names, and compares every verdict.
Exit status 0: all is well; 1: something differs; 2: the evidence or an input cannot be used.

Examples:
  flowvet check lab.pcap --inventory lab.yaml --format jsonl=evidence.jsonl
      write evidence
  flowvet verify evidence.jsonl
      is it as it was written? Prints the hash that vouches for all of it
  flowvet verify evidence.jsonl lab.pcap --inventory lab.yaml
      do the same captures still give the same verdicts?
`

// shownDifferences is how many differences are listed before the rest is counted.
const shownDifferences = 50

// bindVerify registers those flags of a check that say what a judgement rests on; the evidence itself names the others.
func (f *checkFlags) bindVerify(flags *flagSet) {
	flags.StringVar(&f.inventory, "inventory", "", "the inventory that the evidence rests on: `FILE` in YAML or CSV")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	f.filter.bind(flags, "judge")
	flags.StringVar(&f.captureFilter, "capture-filter", "", "the filter `EXPR` the captures were made with, as given to check")
	flags.StringArrayVar(&f.sees, "sees", nil, "what the captures are known to see (`WHAT`), as given to check (repeatable)")
	flags.BoolVar(&f.dedup, "dedup", false, "drop second copies of a packet, as given to check")
	f.inputs.bind(flags)
	bindSegment(flags, &f.segment)
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no notes on standard error")
}

// verify checks evidence, and judges the captures again where they are given.
func (p *program) verify(args []string) (int, error) {
	f := checkFlags{failOn: "none", maxFlows: defaultMaxFlows()}
	flags := newFlagSet("verify", verifyUsage)
	f.bindVerify(flags)
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(paths) == 0 {
		return statusUsage, usagef("verify: no evidence named: give a file that check wrote with --format jsonl")
	}
	if err := checkSegment(f.segment); err != nil {
		return statusUsage, err
	}
	e, err := readEvidence(paths[0])
	if err != nil {
		return statusUsage, usageError{err}
	}
	status := p.sayChain(paths[0], e)
	if len(paths) == 1 {
		return status, nil
	}
	again, err := p.judgeAgain(&f, paths[0], e, paths[1:])
	if err != nil {
		return statusUsage, err
	}
	return max(status, again), nil
}

// readEvidence opens and reads the evidence.
func readEvidence(path string) (*report.Evidence, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	e, err := report.ReadEvidence(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// sayChain says whether the chain holds, and prints the hash that vouches for all of it.
func (p *program) sayChain(path string, e *report.Evidence) int {
	name := report.Terminal(path)
	if len(e.Faults) == 0 {
		fmt.Fprintf(p.stdout, "%s: %d lines, the chain is whole; sha256 of the last line %s\n", name, e.Lines, e.Hash)
		return statusGood
	}
	for _, fault := range e.Faults {
		fmt.Fprintf(p.stdout, "%s: %s\n", name, fault)
	}
	fmt.Fprintf(p.stdout, "%s: %d lines, THE CHAIN IS BROKEN: it is not as it was written\n", name, e.Lines)
	return statusFindings
}

// judgeAgain judges the captures as the evidence says it was done, and compares the verdicts.
func (p *program) judgeAgain(f *checkFlags, path string, e *report.Evidence, paths []string) (int, error) {
	result, err := p.resultAgain(f, path, e, paths)
	if err != nil {
		return statusUsage, err
	}
	if !sameCatalogs(e, result) {
		fmt.Fprintln(p.stdout, "the catalogue in use is another one than that of the evidence")
	}
	differences, compared := compare(e, result)
	differences = append(otherFiles(e, result), differences...)
	for _, line := range differences[:min(len(differences), shownDifferences)] {
		fmt.Fprintln(p.stdout, line)
	}
	if left := len(differences) - shownDifferences; left > 0 {
		fmt.Fprintf(p.stdout, "… and %d more\n", left)
	}
	fmt.Fprintf(p.stdout, "judged again: %d verdicts compared, %d differ\n", compared, len(differences))
	if len(differences) > 0 {
		return statusFindings, nil
	}
	return statusGood, nil
}

// resultAgain judges the captures by the grounds that the evidence names.
func (p *program) resultAgain(f *checkFlags, path string, e *report.Evidence, paths []string) (*match.Result, error) {
	switch {
	case e.Anonymized:
		return nil, usagef("%s holds pseudonyms: captures cannot be compared with it", path)
	case e.Inventory != "" && f.inventory == "":
		return nil, usagef("%s rests on the inventory %s: give it with --inventory", path, e.Inventory)
	}
	f.asOf, f.during, f.sums = e.AsOf, e.During, len(e.Captures) > 0
	f.scenario = scenarioFlags{e.Asked.Scenario, e.Asked.Bind, e.Asked.Marker, e.Asked.Set}
	if e.Start != "" {
		f.window = e.Start + "/" + e.End
	}
	grounds, err := f.grounds()
	if err != nil {
		return nil, err
	}
	inputs, err := p.openFor(f, paths)
	if err != nil {
		return nil, err
	}
	return p.evaluate(f, grounds, inputs)
}

// otherFiles lists the captures that are not the files of the evidence.
func otherFiles(e *report.Evidence, r *match.Result) (lines []string) {
	if len(e.Captures) == 0 {
		return nil
	}
	for i := range r.Captures {
		if c := &r.Captures[i]; c.SHA256 != "" && !slices.Contains(e.Captures, c.SHA256) {
			lines = append(lines, fmt.Sprintf("%s: not a file that the evidence names: sha256 %s", report.Terminal(c.Name), c.SHA256))
		}
	}
	return lines
}

// sameCatalogs reports whether the result rests on the catalogues that the evidence names.
func sameCatalogs(e *report.Evidence, r *match.Result) bool {
	var sums []string
	for _, s := range r.Catalog.Sources {
		sums = append(sums, s.SHA256)
	}
	return slices.Equal(sums, e.Catalogs)
}

// compare lists how a result differs from the evidence, a line each, and how many verdicts were compared. Narrowed
// evidence says nothing of what it does not list.
func compare(e *report.Evidence, r *match.Result) (differences []string, compared int) {
	then := make(map[string]string, len(e.Verdicts))
	for _, v := range e.Verdicts {
		then[v.ID] = v.Verdict
	}
	now := report.EvidenceOf(r)
	found := make(map[string]bool, len(now))
	for _, v := range now {
		found[v.ID] = true
		was, known := then[v.ID]
		switch {
		case !known && e.Narrowed:
			continue
		case !known:
			differences = append(differences, fmt.Sprintf("%s: %s, and not in the evidence", v.ID, v.Verdict))
		case was != v.Verdict:
			differences = append(differences, fmt.Sprintf("%s: %s, was %s", v.ID, v.Verdict, report.Terminal(was)))
		}
		compared++
	}
	for _, v := range e.Verdicts {
		if !found[v.ID] {
			compared++
			differences = append(differences, fmt.Sprintf("%s: was %s, and is not there any more", report.Terminal(v.ID), report.Terminal(v.Verdict)))
		}
	}
	return differences, compared
}
