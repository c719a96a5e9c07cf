package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
	"flowvet/report"
)

// outputFlags is what the user says of the report: which formats, where to, how much.
type outputFlags struct {
	formats []string
	file    string
	json    bool
	machine string
	only    []string
	limit   int
	verbose bool
	color   string

	anonymize    bool
	anonymizeKey string
	controls     []string
}

// bind registers the flags.
func (f *outputFlags) bind(flags *flagSet) {
	flags.StringArrayVar(&f.formats, "format", nil, "`F[=FILE]`, F one of "+strings.Join(report.Names(), ", ")+" (default text); repeatable, each but one with a file of its own")
	flags.StringVarP(&f.file, "output", "o", "", "write the format that has no file of its own to `FILE`")
	flags.BoolVar(&f.json, "json", false, "short for --format json")
	flags.StringVar(&f.machine, "machine", "", "show only what touches a machine, an address or a prefix (`WHAT`)")
	flags.StringSliceVar(&f.only, "only", nil, "show only a bucket or a verdict, such as undocumented or wrong-target: `WORD`, or words with commas (repeatable)")
	flags.IntVar(&f.limit, "limit", report.DefaultLimit, fmt.Sprintf("show at most `N` entries in a section of the text report, 0 for all (default %d)", report.DefaultLimit))
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "each documented conversation, and where every packet went")
	flags.BoolVar(&f.anonymize, "anonymize", false, "hide addresses, names, paths and what people wrote, in every format; networks and roles stay")
	flags.StringVar(&f.anonymizeKey, "anonymize-key", "", "the same, with pseudonyms made from `KEY`: the same ones in every run (default random)")
	flags.StringSliceVar(&f.controls, "controls", nil, "add what the traffic says of the controls of a standard: `NAME`, or names with commas, of "+strings.Join(catalog.Frameworks(), ", "))
	flags.StringVar(&f.color, "color", "auto", "`WHEN` to colour the text report: auto, always or never (default auto)")
}

// hide replaces a result, and what the sinks say of it, by pseudonyms, if that was asked for: once, so that every format
// has the same ones.
func (f *outputFlags) hide(result *match.Result, sinks []sink) *match.Result {
	if !f.anonymize && f.anonymizeKey == "" || len(sinks) == 0 {
		return result
	}
	hidden, options := report.Anonymize(result, sinks[0].options, f.anonymizeKey)
	for i := range sinks {
		o := &sinks[i].options
		o.Anonymized, o.Machine, o.Files = options.Anonymized, options.Machine, options.Files
	}
	return hidden
}

// sink is one format and where it goes.
type sink struct {
	name    string // of the format
	format  report.Format
	options report.Options
	path    string // empty: standard output
}

// sinks checks the flags and returns what is to be written where, files first: they are written whatever becomes of
// standard output.
func (f *outputFlags) sinks(p *program) ([]sink, error) {
	if err := oneOf("color", f.color, "auto", "always", "never"); err != nil {
		return nil, err
	}
	if f.limit < 0 {
		return nil, usagef("--limit: %d: a number of entries, 0 for all", f.limit)
	}
	if err := report.CheckOnly(f.only); err != nil {
		return nil, usagef("--only: %w", err)
	}
	for _, name := range f.controls {
		if err := oneOf("controls", name, catalog.Frameworks()...); err != nil {
			return nil, err
		}
	}
	var files []sink
	var bare []string
	for _, text := range f.asked() {
		name, path, toFile := strings.Cut(text, "=")
		format, ok := report.ByName(name)
		switch {
		case !ok:
			return nil, oneOf("format", name, report.Names()...)
		case !toFile:
			bare = append(bare, name)
		case path == "":
			return nil, usagef("--format %s: no file after the =", text)
		default:
			files = append(files, f.sink(p, name, format, path))
		}
	}
	switch {
	case len(bare) > 1:
		return nil, usagef("--format %s and --format %s both want standard output: give one a file: --format %s=FILE", bare[0], bare[1], bare[1])
	case len(bare) == 0 && f.file != "":
		return nil, usagef("-o %s: every format has a file of its own already", f.file)
	case len(bare) == 1:
		format, _ := report.ByName(bare[0])
		files = append(files, f.sink(p, bare[0], format, f.file))
	}
	return files, f.distinct(files)
}

// checkMachine refuses a --machine that would show nothing: neither an address nor a machine of the inventory. Names of
// inferred machines are not known before the captures are read.
func (f *outputFlags) checkMachine(v *inventory.Inventory) error {
	_, notAddress := netip.ParseAddr(f.machine)
	_, notPrefix := netip.ParsePrefix(f.machine)
	if v == nil || f.machine == "" || notAddress == nil || notPrefix == nil {
		return nil
	}
	names := make([]string, len(v.Machines))
	for i, m := range v.Machines {
		if strings.EqualFold(m.Name, f.machine) {
			return nil
		}
		names[i] = m.Name
	}
	return usagef("--machine: %q is neither an address nor a machine of %s%s", f.machine, v.Name, didYouMean(f.machine, names))
}

// asked returns the formats as written; text when none is.
func (f *outputFlags) asked() []string {
	asked := f.formats
	if f.json {
		asked = append(asked, "json")
	}
	if len(asked) == 0 {
		return []string{"text"}
	}
	return asked
}

// sink makes one sink. Colour and width are those of the stream it goes to; "-" is standard output.
func (f *outputFlags) sink(p *program, name string, format report.Format, path string) sink {
	where := p.screen
	if path == "-" {
		path = ""
	}
	if path != "" {
		where = terminal{width: plainWidth}
	}
	return sink{name: name, format: format, path: path, options: report.Options{
		Width:   where.width,
		Color:   where.colour(f.color),
		Verbose: f.verbose,
		Machine: f.machine,
		Only:    f.only,
		Limit:   f.limit,
		Version: release, Controls: f.controls,
	}}
}

// distinct refuses two formats for one file.
func (f *outputFlags) distinct(sinks []sink) error {
	seen := make(map[string]string, len(sinks))
	for _, s := range sinks {
		path := filepath.Clean(s.path)
		if other, twice := seen[path]; twice {
			return usagef("--format %s and --format %s both go to %s", other, s.name, s.where())
		}
		seen[path] = s.name
	}
	return nil
}

// where names the sink in a message.
func (s sink) where() string {
	if s.path == "" {
		return "standard output"
	}
	return s.path
}

// prepare checks, before a packet is read, that every file can be written, and that none is a file the run reads.
func (f *outputFlags) prepare(sinks []sink, reads []string) error {
	for _, s := range sinks {
		if s.path == "" {
			continue
		}
		if err := overwrites(s.path, reads); err != nil {
			return err
		}
		if err := writable(s.path); err != nil {
			return outputError{err}
		}
	}
	return nil
}

// overwrites refuses an output that is one of the files the run reads.
func overwrites(path string, reads []string) error {
	out, err := os.Stat(path)
	if err != nil || !out.Mode().IsRegular() {
		return nil
	}
	for _, name := range reads {
		if in, err := os.Stat(name); err == nil && os.SameFile(in, out) {
			return usagef("%s is read in this run: writing the report there would destroy it", path)
		}
	}
	return nil
}

// writable tries what writing the file will need: a new file in its folder. What is written in place (a pipe, a device)
// is not tried: opening a pipe and closing it again would be the end of the report for whoever reads it.
func writable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s: is a folder", path)
	case err == nil && !info.Mode().IsRegular(), strings.HasPrefix(path, "/dev/"), strings.HasPrefix(path, "/proc/"):
		return nil
	}
	probe, err := os.CreateTemp(filepath.Dir(path), ".flowvet-*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", path, cause(err))
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// cause strips the name of a temporary file, which means nothing to the user, off an error.
func cause(err error) error {
	if pathError, ok := err.(*os.PathError); ok {
		return pathError.Err
	}
	return err
}

// write writes every sink, also when one fails, and returns the exit status.
func (p *program) write(result *match.Result, sinks []sink) int {
	status := result.Status
	for _, s := range sinks {
		err := p.writeOne(result, s)
		if err == nil {
			continue
		}
		if !closedPipe(err) {
			p.say("%v", err)
		}
		status = worse(status, statusOutput)
	}
	return status
}

// writeOne writes one sink.
func (p *program) writeOne(result *match.Result, s sink) error {
	if s.path != "" {
		return report.WriteFile(s.path, func(w io.Writer) error { return s.format(w, result, s.options) })
	}
	err := s.format(p.stdout, result, s.options)
	if err == nil {
		err = p.stdout.Flush()
	}
	if err != nil {
		p.stdout.Reset(io.Discard)
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// freeOutput checks that an output can be written, and is none of the files that the run reads.
func freeOutput(path string, reads []string) error {
	if path == "" || path == "-" {
		return nil
	}
	if err := overwrites(path, reads); err != nil {
		return err
	}
	if err := writable(path); err != nil {
		return outputError{err}
	}
	return nil
}

// writeTo writes to a file whole or not at all, or to standard output.
func (p *program) writeTo(path string, write func(io.Writer) error) error {
	if err := report.WriteTo(path, p.stdout, write); err != nil {
		return outputError{err}
	}
	return nil
}
