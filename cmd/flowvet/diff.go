package main

import (
	"bufio"
	"bytes"
	"io"
	"os"

	"flowvet/capture"
	"flowvet/report"
)

const diffUsage = `Usage: flowvet diff [FLAGS] BEFORE AFTER

Holds two judgements against each other: which conversations and expectations are new, gone or judged otherwise, by the
ids that findings have in every report. BEFORE and AFTER are JSON reports, or captures, flows files or folders of them,
which are then judged by the flags below, as check would.

Exit status 1: something got worse: an error that was none before, or a required expectation that was met and cannot be
judged any more; with --fail-on warning also warnings and what could not be judged. 0: nothing did. 2: an input cannot
be used. What is gone is worse only where it was expected, and then it is an expectation's verdict that says so.

Examples:
  flowvet check monday.pcap --inventory lab.yaml --json -o monday.json
  flowvet diff monday.json tuesday.pcap --inventory lab.yaml
      what changed since Monday's report?
  flowvet diff before.flows after.flows --inventory lab.yaml --json
      two recordings, for a program
`

// diffFlags is what the user asks of a diff.
type diffFlags struct {
	checkFlags
	json  bool
	file  string
	limit int
	color string
}

// bind registers the flags.
func (f *diffFlags) bind(flags *flagSet) {
	f.bindGrounds(flags)
	flags.StringVar(&f.failOn, "fail-on", "error", "what counts as worse, from this `LEVEL` on: error, warning or none (default error)")
	flags.BoolVar(&f.json, "json", false, "for programs: JSON, as docs/formats.md describes it")
	flags.StringVarP(&f.file, "output", "o", "", "write to `FILE`")
	flags.IntVar(&f.limit, "limit", report.DefaultLimit, "show at most `N` changes of a kind, 0 for all (default 50)")
	flags.StringVar(&f.color, "color", "auto", "`WHEN` to colour the text: auto, always or never (default auto)")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no notes on standard error")
}

// check checks the flags.
func (f *diffFlags) check() error {
	if f.limit < 0 {
		return usagef("--limit: %d: a number of changes, 0 for all", f.limit)
	}
	if err := oneOf("color", f.color, "auto", "always", "never"); err != nil {
		return err
	}
	return checkSegment(f.segment)
}

// diff holds two judgements against each other.
func (p *program) diff(args []string) (int, error) {
	var f diffFlags
	flags := newFlagSet("diff", diffUsage)
	f.bind(flags)
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(paths) != 2 {
		return statusUsage, usagef("diff: two inputs are wanted, BEFORE and AFTER: %d given", len(paths))
	}
	if err := f.check(); err != nil {
		return statusUsage, err
	}
	failOn, err := failLevel(f.failOn)
	if err != nil {
		return statusUsage, err
	}
	if err := freeOutput(f.file, append(f.files(), paths...)); err != nil {
		return statusUsage, err
	}
	both, err := p.snapshots(&f, paths)
	if err != nil {
		return statusUsage, err
	}
	if err := report.Comparable(both[0], both[1]); err != nil {
		return statusUsage, usageError{err}
	}
	return p.writeDiff(&f, report.Compare(both[0], both[1], failOn))
}

// snapshots returns what each input says. Reports are read first: an hour of reading captures must not end in a report
// that cannot be used.
func (p *program) snapshots(f *diffFlags, paths []string) (both [2]*report.Snapshot, err error) {
	for i, path := range paths {
		if both[i], err = readReport(path); err != nil {
			return both, usageError{err}
		}
	}
	if both[0] != nil && both[1] != nil {
		return both, nil
	}
	f.maxFlows = byMemory
	if err := p.limit(&f.checkFlags); err != nil {
		return both, err
	}
	grounds, err := f.grounds()
	if err != nil {
		return both, err
	}
	inputs, err := p.openBoth(f, paths, both)
	if err != nil {
		return both, err
	}
	for i, path := range paths {
		if both[i] == nil {
			result, err := p.evaluate(&f.checkFlags, grounds, inputs[i])
			if err != nil {
				return both, err
			}
			both[i] = report.SnapshotOf(path, result)
		}
	}
	return both, nil
}

// openBoth opens the captures of what is no report.
func (p *program) openBoth(f *diffFlags, paths []string, known [2]*report.Snapshot) (inputs [2][]*capture.Input, err error) {
	for i, path := range paths {
		if known[i] != nil {
			continue
		}
		if inputs[i], err = p.openFor(&f.checkFlags, []string{path}); err != nil {
			return inputs, err
		}
	}
	return inputs, nil
}

// readReport reads a JSON report; nil where the path names none, as its first bytes say.
func readReport(path string) (*report.Snapshot, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil, nil // standard input, a folder, or what opening it as a capture will say
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content := bufio.NewReader(file)
	begin, err := content.Peek(16)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.HasPrefix(bytes.TrimLeft(begin, " \t\r\n"), []byte("{")) {
		return nil, nil
	}
	return report.ReadSnapshot(path, content)
}

// writeDiff writes the diff and returns the status.
func (p *program) writeDiff(f *diffFlags, d *report.Diff) (int, error) {
	status := statusGood
	if _, worse, _ := d.Count(); worse > 0 {
		status = statusFindings
	}
	if d.Before.Status == statusInternal || d.After.Status == statusInternal {
		status = statusInternal
	}
	where := p.screen
	if f.file != "" && f.file != "-" {
		where = terminal{width: plainWidth}
	}
	options := report.Options{Version: release, Width: where.width, Color: where.colour(f.color), Limit: f.limit}
	write := func(w io.Writer) error { return d.Text(w, options) }
	if f.json {
		write = func(w io.Writer) error { return d.JSON(w, options) }
	}
	return status, p.writeTo(f.file, write)
}
