package main

import (
	"io"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

const checkUsage = `Usage: flowvet check [FLAGS] FILE|FOLDER|-...

Judges captures (pcap, pcapng, compressed or not, or what flowvet record kept of them; a folder is read recursively, - is
standard input) and flow records (Zeek's conn.log, Suricata's eve.json, with --exports NetFlow and IPFIX) against the documented ports, and prints what is undocumented, what was expected but absent, what could
not be judged, and what is documented.

Without --inventory the roles are inferred from the captures themselves: a first look, never a pass (exit status 3).

Examples:
  flowvet check lab.pcap --inventory lab.yaml
      judge one capture
  flowvet check monday/ tuesday.pcapng --inventory lab.yaml --exceptions accepted.yaml
      judge many as one, without what was accepted
  flowvet check move.pcap --inventory lab.yaml --during vmotion --window 2015-10-21T10:00:00Z/2015-10-21T10:05:00Z
      was everything there that a vMotion needs, while it ran?
  flowvet check move.pcap --inventory lab.yaml --scenario vmotion --bind SRC=esx01 --bind DST=esx02
      did it go as a vMotion must? flowvet scenario lists what else there is
  flowvet check lab.pcap --inventory lab.yaml --format text --format json=report.json --format csv=report.csv
      several formats in one run
  flowvet check lab.pcap --inventory lab.yaml -f 'host 10.0.0.5 and not port 22'
      judge part of a capture; docs/filters.md says which expressions
  flowvet check lab.pcap --inventory lab.yaml --only undocumented --machine esx01
      narrow the report; the exit status stays that of the whole
  flowvet check lab.pcap --inventory lab.yaml --evidence findings.pcapng
      with the first packets of each finding, to be looked at in Wireshark
  flowvet check conn.log eve.json --inventory lab.yaml
      judge what Zeek and Suricata wrote down: weaker evidence, by which nothing is absent
  flowvet check exports.pcap --exports 2055,4739 --inventory lab.yaml
      judge what the NetFlow and IPFIX datagrams in a capture tell
  tcpdump -w - -i eth1 | flowvet check - --inventory lab.yaml
      judge what arrives; an interrupt ends it with a report of what was read
`

// checkFlags is what the user asks of a check, as written.
type checkFlags struct {
	read          []string
	inventory     string
	catalogs      []string
	noBuiltin     bool
	exceptions    string
	asOf          string
	during        []string
	window        string
	scenario      scenarioFlags
	captureFilter string
	filter        filterFlags
	sees          []string
	sums          bool
	dedup         bool
	maxFlows      int
	segment       string
	inputs        inputFlags
	failOn        string
	output        outputFlags
	evidence      evidenceFlags
	quiet         bool
}

// bind registers the flags.
func (f *checkFlags) bind(flags *flagSet) {
	flags.StringArrayVarP(&f.read, "read", "r", nil, "a capture to read, as the arguments `FILE` are (repeatable)")
	flags.StringVar(&f.inventory, "inventory", "", "who is who: `FILE` in YAML or CSV (default: inferred from the captures)")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	flags.StringVar(&f.exceptions, "exceptions", "", "accepted findings: `FILE` in YAML")
	flags.StringVar(&f.asOf, "as-of", "", "the `TIME` (RFC 3339) at which exceptions are looked at (default now)")
	flags.StringArrayVar(&f.during, "during", nil, "an `OPERATION` that ran, such as vmotion: its rows are required (repeatable)")
	flags.StringVar(&f.window, "window", "", "when it ran: `START/END`, both in RFC 3339 (default: the whole capture)")
	f.scenario.bind(flags)
	f.filter.bind(flags, "judge")
	flags.StringVar(&f.captureFilter, "capture-filter", "", "the filter `EXPR` the captures were made with, where the file does not say")
	flags.StringArrayVar(&f.sees, "sees", nil, "a prefix, address or machine (`WHAT`) that the captures are known to see (repeatable)")
	flags.BoolVar(&f.sums, "sha256", false, "say the SHA-256 of each capture file, as html, jsonl and oscal do anyway (it takes as long as reading does)")
	flags.BoolVar(&f.dedup, "dedup", false, "drop second copies of a packet (two mirrored ports)")
	bindSegment(flags, &f.segment)
	flags.IntVar(&f.maxFlows, "max-flows", byMemory, "tell at most `N` flows apart, 0 for any number; of more, strangers' are only summed up (default: by the memory there is)")
	f.inputs.bind(flags)
	flags.StringVar(&f.failOn, "fail-on", "error", "exit status 1 from this `LEVEL` on: error, warning or none (default error)")
	f.output.bind(flags)
	f.evidence.bind(flags)
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "no progress and no notes on standard error")
	flags.BoolP("numeric", "n", false, "accepted for habit's sake: names are never resolved")
}

// bindGrounds registers the flags that say what a judgement rests on, for commands that judge on the way to something else.
func (f *checkFlags) bindGrounds(flags *flagSet) {
	flags.StringVar(&f.inventory, "inventory", "", "who is who in the captures: `FILE` in YAML or CSV (default: inferred from them)")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	flags.StringVar(&f.exceptions, "exceptions", "", "accepted findings, for the captures: `FILE` in YAML")
	flags.StringVar(&f.asOf, "as-of", "", "the `TIME` (RFC 3339) at which exceptions are looked at (default now)")
	flags.StringArrayVar(&f.during, "during", nil, "an `OPERATION` that ran: its rows are required (repeatable)")
	f.filter.bind(flags, "judge")
	flags.StringVar(&f.captureFilter, "capture-filter", "", "the filter `EXPR` the captures were made with, where the file does not say")
	flags.StringArrayVar(&f.sees, "sees", nil, "a prefix, address or machine (`WHAT`) that the captures are known to see (repeatable)")
	flags.BoolVar(&f.dedup, "dedup", false, "drop second copies of a packet (two mirrored ports)")
	bindSegment(flags, &f.segment)
}

// check is the main job: captures in, a report out.
func (p *program) check(args []string) (int, error) {
	var f checkFlags
	flags := newFlagSet("check", checkUsage)
	f.bind(flags)
	paths, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	return p.judge(&f, append(paths, f.read...))
}

// judge checks everything that the user gave, then reads, judges and reports.
func (p *program) judge(f *checkFlags, paths []string) (int, error) {
	if len(paths) == 0 {
		return statusUsage, usagef("check: no capture named: give a file, a folder, or - for standard input")
	}
	if err := checkSegment(f.segment); err != nil {
		return statusUsage, err
	}
	if err := p.limit(f); err != nil {
		return statusUsage, err
	}
	grounds, err := f.grounds()
	if err != nil {
		return statusUsage, err
	}
	if err := f.output.checkMachine(grounds.Inventory); err != nil {
		return statusUsage, err
	}
	sinks, err := f.output.sinks(p)
	if err != nil {
		return statusUsage, err
	}
	inputs, err := p.openFor(f, paths)
	if err != nil {
		return statusUsage, err
	}
	if err := f.evidence.check(&f.output, sinks, inputs, f.inputs.ports); err != nil {
		return statusUsage, err
	}
	if err := f.prepare(sinks, inputs); err != nil {
		return statusOutput, err
	}
	f.sums = f.sums || vouches(sinks)
	result, err := p.evaluate(f, grounds, inputs)
	if err != nil {
		return statusUsage, err
	}
	status, err := p.show(f, result, grounds, inputs)
	if err != nil {
		return statusUsage, err
	}
	return worse(p.write(f.output.hide(result, sinks), sinks), status), nil
}

// prepare checks, before a packet is read, that everything can be written, and that nothing is that the run reads.
func (f *checkFlags) prepare(sinks []sink, inputs []*capture.Input) error {
	reads := append(f.files(), names(inputs)...)
	if err := f.output.prepare(sinks, reads); err != nil || f.evidence.path == "" {
		return err
	}
	return freeOutput(f.evidence.path, reads)
}

// openFor opens the inputs of a judgement, and holds the flags against them: no packet has been read yet.
func (p *program) openFor(f *checkFlags, paths []string) ([]*capture.Input, error) {
	if err := f.inputs.refuse(&f.filter); err != nil {
		return nil, err
	}
	inputs, err := p.open(paths, f.quiet)
	if err != nil {
		return nil, err
	}
	if err := f.filter.check(inputs); err != nil {
		return nil, err
	}
	if err := f.inputs.apply(inputs); err != nil {
		return nil, err
	}
	return inputs, nil
}

// evaluate reads the inputs and judges them, by inferred roles where no inventory is given.
func (p *program) evaluate(f *checkFlags, grounds match.Grounds, inputs []*capture.Input) (*match.Result, error) {
	options, err := f.reading(&grounds)
	if err != nil {
		return nil, err
	}
	options.Alone = len(inputs) == 1
	captures := p.read(inputs, options, f.quiet)
	runtime.GC() // judged in the memory of parts that were merged, not beside it, 1 M flows take 70 MB less at the peak, and no longer
	if f.sums {
		p.sum(inputs, captures, f.quiet)
	}
	if grounds.Inventory == nil {
		grounds.Inventory = inventory.Suggest(grounds.Catalog, tables(captures)...)
		runtime.GC() // what it took to infer the roles of 1 M flows, 55 MB, is then taken by judging them
	}
	result, err := match.Evaluate(grounds, captures)
	if err != nil {
		return nil, usageError{err}
	}
	return result, nil
}

// reading returns how the inputs are read.
func (f *checkFlags) reading(grounds *match.Grounds) (capture.Options, error) {
	keep, err := keeper(grounds.Filter)
	return capture.Options{
		Dedup: f.dedup, Filter: keep, MaxExpanded: f.inputs.limit, Exports: f.inputs.ports, MaxFlows: f.maxFlows, Keep: machines(grounds.Inventory),
		Segments: f.segment == byVLAN || grounds.Inventory != nil && grounds.Inventory.Overlapping,
	}, err
}

// byVLAN is the value of --segment that tells VLANs apart.
const byVLAN = "vlan"

// bindSegment registers --segment.
func bindSegment(flags *flagSet, segment *string) {
	flags.StringVar(segment, "segment", "none", "`BY` what the same addresses are told apart: vlan, where networks overlap, or none (default none; an inventory can say segments: overlap)")
}

func checkSegment(word string) error { return oneOf("segment", word, byVLAN, "none") }

// byMemory is the value of --max-flows that stands for what the memory of the machine allows.
const byMemory = -1

// limit fixes the cap of the flow table. With -v it tells a person at a terminal what it is: another on every machine.
func (p *program) limit(f *checkFlags) error {
	switch {
	case f.maxFlows < byMemory:
		return usagef("--max-flows: %d: a number of flows, 0 for no limit", f.maxFlows)
	case f.maxFlows == byMemory:
		f.maxFlows = defaultMaxFlows()
		if f.output.verbose && !f.quiet && p.status.is {
			p.say("at most %d flows are told apart, by the memory there is (--max-flows)", f.maxFlows)
		}
	}
	return nil
}

// machines returns a function that tells the addresses of the inventory's machines: their flows are given up last.
func machines(v *inventory.Inventory) func(netip.Addr) bool {
	if v == nil {
		return nil
	}
	return func(a netip.Addr) bool {
		placed, ok := v.Place(a)
		return ok && placed.Machine != nil
	}
}

// grounds loads what the judgement rests on. Nothing has been read of a capture yet.
func (f *checkFlags) grounds() (g match.Grounds, err error) {
	if g.FailOn, err = failLevel(f.failOn); err != nil {
		return g, err
	}
	if g.AsOf, err = asOf(f.asOf); err != nil {
		return g, err
	}
	if g.Window, err = window(f.window, len(f.during) > 0 || f.scenario.given()); err != nil {
		return g, err
	}
	if g.Catalog, err = loadCatalog(!f.noBuiltin, f.catalogs); err != nil {
		return g, err
	}
	g.Further = further(!f.noBuiltin, f.catalogs)
	if g.Filter, err = f.filter.load(); err != nil {
		return g, err
	}
	if f.inventory != "" {
		if g.Inventory, err = inventory.Load(f.inventory, g.Catalog); err != nil {
			return g, usageError{err}
		}
	}
	if f.exceptions != "" {
		if g.Exceptions, err = loadExceptions(f.exceptions, g.Catalog, g.Inventory); err != nil {
			return g, err
		}
	}
	if g.Scenarios, g.Marker, err = f.scenario.load(g.Catalog); err != nil {
		return g, err
	}
	g.Asked = match.Asked{Scenario: f.scenario.name, Bind: f.scenario.binds, Marker: f.scenario.marker, Set: f.scenario.sets}
	g.During, g.CaptureFilter, g.Sees, g.MaxFlows = f.during, f.captureFilter, f.sees, f.maxFlows
	return g, check(g)
}

// check holds the grounds against each other. Machines that are only to be inferred have no names yet, and any operation
// of the catalogue may be one of theirs.
func check(g match.Grounds) error {
	if g.Inventory == nil {
		g.Inventory = &inventory.Inventory{Inferred: true}
	}
	if err := match.Check(g); err != nil {
		return usageError{err}
	}
	return nil
}

// files returns the files of the user's that an output must not overwrite.
func (f *checkFlags) files() []string {
	return slices.Concat(f.catalogs, []string{f.inventory, f.exceptions, f.filter.dump, f.scenario.file()})
}

// exceptionsMax is one byte more than an exceptions file may have: enough to see that it is too large.
const exceptionsMax = 4<<20 + 1

// readAtMost reads the first n bytes of a file, which may be a device without an end.
func readAtMost(path string, n int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, n))
}

// loadExceptions reads the file of accepted findings.
func loadExceptions(path string, c *catalog.Catalog, v *inventory.Inventory) ([]*match.Exception, error) {
	data, err := readAtMost(path, exceptionsMax)
	if err != nil {
		return nil, usageError{err}
	}
	exceptions, err := match.ParseExceptions(path, data, c, v)
	if err != nil {
		return nil, usageError{err}
	}
	return exceptions, nil
}

// failLevel reads --fail-on.
func failLevel(word string) (match.Level, error) {
	switch word {
	case "none":
		return match.LevelNone, nil
	case "warning":
		return match.LevelWarning, nil
	}
	return match.LevelError, oneOf("fail-on", word, "error", "warning", "none")
}

// asOf reads --as-of. It is the only place where the clock is asked.
func asOf(text string) (time.Time, error) {
	if text == "" {
		return time.Now().UTC(), nil
	}
	return instant("as-of", text)
}

// instant reads a time in RFC 3339.
func instant(flag, text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, usagef("--%s: %q is no time: write it as 2015-10-21T10:00:00Z", flag, text)
	}
	return t.UTC(), nil
}

// window reads --window. Its end is inclusive.
func window(text string, ran bool) (w match.Window, err error) {
	if text == "" {
		return w, nil
	}
	if !ran {
		return w, usagef("--window says when an operation ran: name it with --during or --scenario")
	}
	from, to, ok := strings.Cut(text, "/")
	if !ok {
		return w, usagef("--window: %q: write START/END, such as 2015-10-21T10:00:00Z/2015-10-21T10:05:00Z", text)
	}
	start, err := instant("window", from)
	if err != nil {
		return w, err
	}
	end, err := instant("window", to)
	if err != nil {
		return w, err
	}
	if !start.Before(end) {
		return w, usagef("--window: %q ends before it starts", text)
	}
	return match.Window{Start: start.UnixNano(), End: end.UnixNano()}, nil
}

// tables returns the flow tables of the captures.
func tables(captures []*capture.Capture) []*capture.Table {
	all := make([]*capture.Table, len(captures))
	for i, c := range captures {
		all[i] = c.Table
	}
	return all
}
