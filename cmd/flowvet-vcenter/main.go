// Command flowvet-vcenter reads from a vCenter, or a single ESX host, who is who: hosts with their versions, addresses and
// networks, clusters and the vCenter itself. It writes that as an inventory for flowvet, and what the hosts' firewalls let
// through as a file for flowvet openings.
//
// It is a program of its own, so that the one that reads captures holds no client of anything. It only reads: a user with
// the role "read-only" is enough. It ends its session, connects to nothing but the address it is given, and trusts that only by
// a certificate or a thumbprint.
//
// Results go to standard output or the files named, everything else to standard error with "flowvet-vcenter: " before it.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/report"
	"flowvet/rules/firewall"
)

// The exit statuses: those of flowvet that apply.
const (
	statusGood    = 0
	statusDiffers = 1 // the vCenter contradicts the inventory that was added to
	statusUsage   = 2 // a flag, a refused certificate or login, no answer: nothing was written
	statusPartial = 4 // what was written leaves hosts or addresses out, each with a line that says why
	statusOutput  = 5 // output could not be written
)

// outputError is output that could not be written.
type outputError struct{ error }

// Unwrap returns the cause.
func (e outputError) Unwrap() error { return e.error }

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run reads one vCenter and returns the exit status.
func run(args []string, stdin *os.File, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{stdin: stdin, stdout: stdout, stderr: stderr}
	status, err := p.run(ctx, args)
	if err == nil {
		return status
	}
	p.say("%v", err)
	var output outputError
	if errors.As(err, &output) {
		return statusOutput
	}
	return statusUsage
}

// program is one run: its streams.
type program struct {
	stdin          *os.File
	stdout, stderr io.Writer
}

// say writes lines to standard error. What a server says is made visible, not obeyed.
func (p *program) say(format string, args ...any) {
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		words := strings.Split(strings.TrimRight(line, "\r\n"), " ")
		for i, w := range words {
			words[i] = report.Terminal(w)
		}
		fmt.Fprintf(p.stderr, "flowvet-vcenter: %s\n", strings.Join(words, " "))
	}
}

// run checks what the user gave, reads, and writes.
func (p *program) run(ctx context.Context, args []string) (int, error) {
	o, err := p.options(args)
	if err != nil || o == nil {
		return statusGood, err
	}
	cat, err := catalog.Load(true, o.catalogs...)
	if err != nil {
		return statusUsage, err
	}
	base, err := o.base()
	if err != nil {
		return statusUsage, err
	}
	password, err := p.password(ctx, o)
	if err != nil {
		return statusUsage, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	found, err := read(ctx, o, password)
	if err != nil {
		return statusUsage, err
	}
	s := newSite(found)
	text, conflicts, err := p.inventory(o, s, base, cat)
	if err != nil {
		return statusUsage, err
	}
	if err := p.write(o, s, text); err != nil {
		return statusOutput, err
	}
	for _, left := range slices.Concat(conflicts, s.leftOut) {
		p.say("%s", left)
	}
	switch {
	case len(s.leftOut) > 0:
		return statusPartial, nil
	case len(conflicts) > 0:
		return statusDiffers, nil
	}
	return statusGood, nil
}

// inventory returns the inventory as text, which has been read back: a new one, or the one that is added to, with what
// contradicts it.
func (p *program) inventory(o *options, s *site, base []byte, cat *catalog.Catalog) (text []byte, conflicts []string, err error) {
	v := &inventory.Inventory{Machines: s.machines}
	if o.into != "" {
		merged, err := inventory.Merge(o.into, base, []*inventory.Source{inventory.AsSource(o.address.Host, v)}, cat)
		if err != nil {
			return nil, nil, err
		}
		for _, c := range merged.Conflicts {
			conflicts = append(conflicts, c.String())
		}
		s.leftOut = append(s.leftOut, merged.Notes...)
		return merged.Text, conflicts, nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Read from %s: %s.\n", report.Terminal(o.address.Host), report.Terminal(s.about))
	if err := v.WriteYAML(&b); err != nil {
		return nil, nil, err
	}
	if _, err := inventory.Parse(o.address.Host, b.Bytes(), cat); err != nil {
		return nil, nil, fmt.Errorf("what it tells makes no inventory: %w", err)
	}
	return b.Bytes(), nil, nil
}

// write writes the firewalls where they are wanted, and the inventory.
func (p *program) write(o *options, s *site, text []byte) error {
	if o.firewall != "" {
		f := &firewall.File{Schema: firewall.Schema, Source: s.name, Hosts: s.firewalls}
		if err := p.writeTo(o.firewall, f.Write); err != nil {
			return err
		}
	}
	return p.writeTo(cmp.Or(o.output, o.into), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// writeTo writes to a file whole or not at all, or to standard output.
func (p *program) writeTo(path string, write func(io.Writer) error) error {
	if err := report.WriteTo(path, p.stdout, write); err != nil {
		return outputError{err}
	}
	return nil
}
