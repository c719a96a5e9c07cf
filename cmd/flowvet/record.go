package main

import (
	"fmt"
	"io"

	"flowvet/capture"
	"flowvet/capture/filter"
	"flowvet/report"
)

const recordUsage = `Usage: flowvet record [FLAGS] FILE|FOLDER|-... -o FILE
       flowvet record --ipfix HOST:PORT -o FILE

Writes what captures showed into one flows file: who sent how much to whom and when, without a byte of payload. It is a
small part of the captures' size, and flowvet check reads it as it reads them, with the same report.

Captures and flows files may be mixed, in any order. A recording that is among them twice is written once. With --ipfix the file
is written when the run ends, by --duration or an interrupt, and not before: a run that is killed leaves none.

Examples:
  flowvet record monday/ -o monday.flows
      keep what a day's captures showed, and not the captures
  flowvet check monday.flows tuesday.pcapng --inventory lab.yaml
      judge it later, together with others
  flowvet record site-a.flows site-b.flows -o all.flows
      merge
  flowvet record monday/ -f 'net 10.20.0.0/16' -o lab.flows
      keep a part; what the filter keeps out is never called absent
  flowvet record --ipfix :4739 --duration 24h -o site.flows
      keep a day of what a vSphere Distributed Switch or a router exports (IPFIX, NetFlow 9 and 5)
  ssh sensor 'tcpdump -w - -i eth1' | flowvet record - -o sensor.flows
      record what arrives; an interrupt ends it, and what was read is written

Exit status: 0 written, 2 nothing was read, 4 a capture is cut, damaged or interrupted: what was read is written, 5 the
file could not be written.
`

// recordFlags is what the user asks of a recording, as written.
type recordFlags struct {
	read    []string
	output  string
	filter  filterFlags
	dedup   bool
	segment string
	inputs  inputFlags
	listen  listenFlags
	quiet   bool
}

// bind registers the flags.
func (f *recordFlags) bind(flags *flagSet) {
	flags.StringVarP(&f.output, "output", "o", "", "write the flows to `FILE`, - for standard output")
	flags.StringArrayVarP(&f.read, "read", "r", nil, "a capture to read, as the arguments `FILE` are (repeatable)")
	f.filter.bind(flags, "record")
	flags.BoolVar(&f.dedup, "dedup", false, "drop second copies of a packet (two mirrored ports)")
	bindSegment(flags, &f.segment)
	f.inputs.bind(flags)
	f.listen.bind(flags)
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no notes on standard error")
}

// record writes what captures showed into a flows file.
func (p *program) record(args []string) (int, error) {
	var f recordFlags
	flags := newFlagSet("record", recordUsage)
	f.bind(flags)
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	paths = append(paths, f.read...)
	if err := f.listen.check(&f, paths); err != nil {
		return statusUsage, err
	}
	switch {
	case len(paths) == 0 && f.listen.at == "":
		return statusUsage, usagef("record: no capture named: give a file, a folder, or - for standard input")
	case f.output == "":
		return statusUsage, usagef("record: no file to write: name it with -o FILE")
	case f.output == "-" && p.screen.is:
		return statusUsage, usagef("record: standard output is a terminal, and a flows file is no text: write -o FILE")
	}
	if err := checkSegment(f.segment); err != nil {
		return statusUsage, err
	}
	if f.listen.at != "" {
		return p.listen(&f)
	}
	if err := f.inputs.refuse(&f.filter); err != nil {
		return statusUsage, err
	}
	kept, err := f.filter.load()
	if err != nil {
		return statusUsage, err
	}
	inputs, err := p.open(paths, f.quiet)
	if err != nil {
		return statusUsage, err
	}
	if err := f.filter.check(inputs); err != nil {
		return statusUsage, err
	}
	if err := f.prepare(inputs); err != nil {
		return statusOutput, err
	}
	if err := f.inputs.apply(inputs); err != nil {
		return statusUsage, err
	}
	captures, err := p.readFiltered(&f, kept, inputs)
	if err != nil {
		return statusUsage, err
	}
	return p.writeFlows(captures, f.output)
}

// readFiltered reads what a filter keeps, all where it is nil, and notes the filter with each capture.
func (p *program) readFiltered(f *recordFlags, kept *filter.Filter, inputs []*capture.Input) ([]*capture.Capture, error) {
	keep, err := keeper(kept)
	if err != nil {
		return nil, err
	}
	captures := p.read(inputs, capture.Options{
		Dedup: f.dedup, Filter: keep, MaxExpanded: f.inputs.limit, Exports: f.inputs.ports, MaxFlows: defaultMaxFlows(), Segments: f.segment == byVLAN,
	}, f.quiet)
	if kept != nil {
		for _, c := range captures {
			c.Filter = kept.Source()
		}
	}
	return captures, nil
}

// prepare checks, before a packet is read, that the file can be written and is none that is read.
func (f *recordFlags) prepare(inputs []*capture.Input) error {
	if f.output == "-" {
		return nil
	}
	if err := overwrites(f.output, append(names(inputs), f.filter.dump)); err != nil {
		return err
	}
	if err := writable(f.output); err != nil {
		return outputError{err}
	}
	return nil
}

// writeFlows writes the file and returns the status: that of the captures it holds.
func (p *program) writeFlows(captures []*capture.Capture, path string) (int, error) {
	status := statusGood
	for _, c := range captures {
		if c.Damage != nil || c.Interrupted {
			p.say("%s: %s: recorded as far as it was read", c.Name, ending(c))
			status = statusPartial
		}
	}
	write := func(w io.Writer) error { return capture.WriteFlows(w, captures) }
	if path != "-" {
		if err := report.WriteFile(path, write); err != nil {
			return status, outputError{err}
		}
		return status, nil
	}
	if err := write(p.stdout); err != nil {
		return status, outputError{fmt.Errorf("standard output: %w", err)}
	}
	return status, nil
}
