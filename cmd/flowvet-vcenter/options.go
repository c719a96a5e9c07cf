package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"flowvet/inventory"
)

const usage = `Usage: flowvet-vcenter ADDRESS --user NAME [FLAGS]

Reads from a vCenter who is who, and writes an inventory for flowvet: hosts with product and version, their addresses with
the network each is for, clusters, who uses HA, Fault Tolerance, NFS and iSCSI, and the vCenter itself. It only reads; a
user with the role "read-only" is enough. ADDRESS is a name or an address, with a port where it is not 443; an ESX host
by itself does as well.

An address that carries one service (management, vMotion, Fault Tolerance logging, vSAN or NVMe) gets the plane of that
service; one that carries none, in a network with an NFS or iSCSI server of the host, gets plane storage; one that
carries several gets none.

With --into nothing that stands in the inventory is changed, moved or taken away, as with flowvet inventory import: hosts
it does not have are added, and to those it has, what it does not say. Where the vCenter says otherwise, both are listed.

The certificate is checked against the system's authorities, those of --ca-file, or --thumbprint. The password comes
from --password-file, from FLOWVET_VCENTER_PASSWORD, or is asked for at the terminal; there is no flag for it, since
everybody on a machine can read the arguments of its programs.

Exit status: 0 read, 1 something contradicts the inventory (it is listed, the rest is written), 2 a mistake, no trust,
no login or no answer, 4 something was left out (each with a line that says why), 5 output could not be written.

Examples:
  flowvet-vcenter vcenter01.example.net --user auditor@vsphere.local -o lab.yaml
      an inventory of everything
  flowvet-vcenter vcenter01.example.net --user auditor@vsphere.local --into lab.yaml
      a month later: what is new
  flowvet-vcenter 10.20.0.5 --user auditor --thumbprint 5E:FF:…:0A -o lab.yaml --firewall firewall.json
      and what the hosts' firewalls let through, for flowvet openings
  flowvet-vcenter 10.20.0.5 --user auditor --password-file secret --ca-file ca.pem | flowvet inventory lint /dev/stdin
      from a job
`

// passwordVariable is the environment's place for the password, userVariable for the name.
const (
	passwordVariable = "FLOWVET_VCENTER_PASSWORD"
	userVariable     = "FLOWVET_VCENTER_USER"
)

// options is what the user gave.
type options struct {
	address      *url.URL // https, with the path of the API
	user         string
	passwordFile string
	thumbprint   []byte // SHA-256 of the certificate; nil: the certificate is verified
	caFile       string
	output       string
	into         string
	firewall     string
	catalogs     []string
	timeout      time.Duration
}

// options reads the arguments; nil where help or version was asked for, and printed.
func (p *program) options(args []string) (*options, error) {
	var o options
	var thumbprint string
	var help, version bool
	flags := pflag.NewFlagSet("flowvet-vcenter", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.SortFlags = false
	flags.StringVarP(&o.user, "user", "u", os.Getenv(userVariable), "who logs in: `NAME` (default: what "+userVariable+" says)")
	flags.StringVar(&o.passwordFile, "password-file", "", "the password is the first line of `FILE`")
	flags.StringVar(&thumbprint, "thumbprint", "", "trust the one certificate whose SHA-256 is `HEX`, whoever signed it")
	flags.StringVar(&o.caFile, "ca-file", "", "trust the authorities in `FILE` (PEM) in place of the system's")
	flags.StringVarP(&o.output, "output", "o", "", "write the inventory to `FILE`; an existing file is never overwritten")
	flags.StringVar(&o.into, "into", "", "add to the inventory in `FILE`, and write it there (unless -o says where)")
	flags.StringArrayVar(&o.catalogs, "catalog", nil, "a catalogue that the inventory of --into needs: `FILE`, or one that comes along (repeatable)")
	flags.StringVar(&o.firewall, "firewall", "", "write what the hosts' firewalls let through to `FILE`, as JSON")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "give up after this `TIME`")
	flags.BoolVarP(&version, "version", "V", false, "print the version")
	flags.BoolVarP(&help, "help", "h", false, "print this help")
	if err := flags.Parse(args); err != nil {
		return nil, fmt.Errorf("%w; see flowvet-vcenter --help", err)
	}
	switch {
	case help:
		fmt.Fprintf(p.stdout, "%s\nFlags:\n%s", usage, strings.ReplaceAll(flags.FlagUsages(), "[=true|false]", ""))
		return nil, nil
	case version:
		fmt.Fprintln(p.stdout, "flowvet-vcenter "+built())
		return nil, nil
	case flags.NArg() != 1:
		return nil, fmt.Errorf("one ADDRESS is wanted, %d given; see flowvet-vcenter --help", flags.NArg())
	}
	return &o, o.complete(flags.Arg(0), thumbprint)
}

// complete checks what was given.
func (o *options) complete(address, thumbprint string) (err error) {
	if o.address, err = readAddress(address); err != nil {
		return err
	}
	if thumbprint != "" {
		if o.thumbprint, err = readThumbprint(thumbprint); err != nil {
			return err
		}
	}
	switch {
	case o.user == "":
		return fmt.Errorf("who logs in? Name a user with --user")
	case o.timeout <= 0:
		return fmt.Errorf("--timeout: %s: a time such as 2m is wanted", o.timeout)
	case o.thumbprint != nil && o.caFile != "":
		return fmt.Errorf("--thumbprint and --ca-file: one of them says what is trusted")
	case o.firewall != "" && (o.firewall == o.output || o.firewall == o.into), o.firewall == "-" && o.output == "" && o.into == "":
		return fmt.Errorf("--firewall and --output: two files are wanted")
	}
	return free(o.output)
}

// readAddress reads where the API is. A password in it is refused before it comes to be a habit.
func readAddress(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is no address: write vcenter01.example.net or 10.20.0.5:443", text)
	case u.User != nil:
		return nil, errors.New("a user and a password have no place in the address: use --user and --password-file")
	case u.Scheme != "https":
		return nil, fmt.Errorf("%s: only https is spoken", text)
	case u.Hostname() == "" || u.Path != "" && u.Path != "/" && u.Path != "/sdk":
		return nil, fmt.Errorf("%s is no address: write vcenter01.example.net or 10.20.0.5:443", text)
	}
	return &url.URL{Scheme: "https", Host: u.Host, Path: "/sdk"}, nil
}

// readThumbprint reads 32 bytes in hexadecimal, with or without colons.
func readThumbprint(text string) ([]byte, error) {
	sum, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(sum) != sha256.Size {
		return nil, fmt.Errorf("--thumbprint: %q: the SHA-256 of the certificate is wanted, %d pairs of hexadecimal digits", text, sha256.Size)
	}
	return sum, nil
}

// free checks that the inventory is not there yet: it is work of the user's, edited by hand.
func free(path string) error {
	if path == "" || path == "-" {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s: there is such a file already: what people edit is never overwritten", path)
	}
	return nil
}

// base reads the inventory that is to be added to.
func (o *options) base() ([]byte, error) {
	if o.into == "" {
		return nil, nil
	}
	if strings.EqualFold(filepath.Ext(o.into), ".csv") {
		return nil, fmt.Errorf("--into %s: an inventory in CSV cannot be added to: its comments and order would be lost; name a YAML file", o.into)
	}
	f, err := os.Open(o.into)
	if err != nil {
		return nil, fmt.Errorf("%w: --into adds to an inventory there is; -o writes a new one", err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, inventory.MaxFileSize+1))
}

// maxPassword is the length in bytes above which the first line of a file is taken for no password.
const maxPassword = 1024

// password returns the password: from the file, the environment, or whoever sits at the terminal.
func (p *program) password(ctx context.Context, o *options) (string, error) {
	if o.passwordFile != "" {
		return readPassword(o.passwordFile)
	}
	if secret, given := os.LookupEnv(passwordVariable); given {
		return secret, nil
	}
	if !term.IsTerminal(int(p.stdin.Fd())) {
		return "", fmt.Errorf("no password: give it with --password-file or %s, or sit at a terminal", passwordVariable)
	}
	fmt.Fprintf(p.stderr, "Password of %s at %s: ", o.user, o.address.Host)
	secret, err := ask(ctx, int(p.stdin.Fd()))
	fmt.Fprintln(p.stderr)
	if err != nil {
		return "", fmt.Errorf("password: %w", err)
	}
	return secret, nil
}

// ask reads a line from a terminal without echo. An interrupt ends it and leaves the terminal as it was; the read goes on
// until the process ends, since nothing else can end it.
func ask(ctx context.Context, terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	type answer struct {
		secret []byte
		err    error
	}
	given := make(chan answer, 1)
	go func() {
		secret, err := term.ReadPassword(terminal)
		given <- answer{secret, err}
	}()
	select {
	case a := <-given:
		return string(a.secret), a.err
	case <-ctx.Done():
		return "", errors.Join(errors.New("interrupted"), term.Restore(terminal, before))
	}
}

// readPassword reads the first line of a file.
func readPassword(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxPassword+1)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" || len(line) > maxPassword {
		return "", fmt.Errorf("%s: its first line is no password", path)
	}
	return line, nil
}

// built says which commit the program was built from, as far as the build recorded it.
func built() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of an unknown build"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "commit " + s.Value
		}
	}
	return "commit not recorded"
}
