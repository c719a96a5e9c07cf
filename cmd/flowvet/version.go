package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"flowvet/catalog"
)

// release is the version of this tree; CHANGELOG.md says what it holds.
const release = "0.1.0-dev"

const versionUsage = `Usage: flowvet version

Prints the version, the commit it was built from and the built-in catalogue with its SHA-256: what a report of it
rests on.

Examples:
  flowvet version
  flowvet --version
`

// version prints what this program is.
func (p *program) version(args []string) (int, error) {
	rest, err := newFlagSet("version", versionUsage).parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if len(rest) > 0 {
		return statusUsage, usagef("version: %q: it takes no argument", rest[0])
	}
	fmt.Fprintf(p.stdout, "flowvet %s (%s, %s %s/%s)\n", release, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	for _, source := range catalog.Default().Sources {
		fmt.Fprintf(p.stdout, "catalogue %s: %d rows, sha256 %s\n", source.Name, source.Rows, source.SHA256)
	}
	return statusGood, nil
}

// commit says which commit the program was built from, as far as the build recorded it.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "commit not recorded"
	}
	settings := make(map[string]string, len(info.Settings))
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	switch {
	case revision == "":
		return "commit not recorded"
	case settings["vcs.modified"] == "true":
		return "commit " + revision + " with changes"
	}
	return "commit " + revision
}

// help prints the overview, or the help of one command.
func (p *program) help(args []string) (int, error) {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		fmt.Fprint(p.stdout, overview())
		return statusGood, nil
	}
	return p.dispatch([]string{args[0], "--help"})
}

// overview is the help of flowvet itself.
func overview() string {
	var b strings.Builder
	b.WriteString(`flowvet holds captured traffic against VMware's published port document: what is documented, what is undocumented,
and what was expected but is absent. It reads pcap and pcapng files, sends nothing and resolves no names.

Usage: flowvet COMMAND [ARGUMENTS]

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-11s %s\n", c.name, c.does)
	}
	b.WriteString(`
Examples:
  flowvet check lab.pcap --inventory lab.yaml       judge a capture
  flowvet inventory suggest lab.pcap -o lab.yaml    a first inventory, from the capture itself
  flowvet catalog 902/udp                           what is documented on a port

Exit status of check: 0 nothing found, 1 findings, 2 a mistake in the arguments or files, 3 something required could not
be judged, 4 an input was cut or interrupted, 5 output could not be written, 6 a live capture failed, 70 a fault of flowvet's own.

flowvet help COMMAND shows the help of a command.
`)
	return b.String()
}
