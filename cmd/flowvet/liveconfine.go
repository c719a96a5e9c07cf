package main

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"flowvet/confine"
	"flowvet/live"
)

// rightsFlags say what a live run may do once everything is open.
type rightsFlags struct {
	user     string
	selfTest bool
}

// bind registers the flags.
func (f *rightsFlags) bind(flags *flagSet) {
	flags.StringVar(&f.user, "user", "", "become `USER` (a name, or UID:GID) once everything is open; root stays root, without its rights (default: nobody, where root starts it)")
	flags.BoolVar(&f.selfTest, "selftest", false, "open everything, give up all rights, try to get them back, print what came of it, and exit")
}

// identity returns whom to become.
func (f *rightsFlags) identity() (confine.Identity, error) {
	switch root := os.Geteuid() == 0; {
	case f.user == "" && root:
		return confine.Nobody(), nil
	case f.user == "", f.user == "root" && root:
		return confine.Identity{}, nil
	case !root:
		return confine.Identity{}, usagef("--user %s: only root can become somebody else", f.user)
	}
	id, err := confine.Lookup(f.user)
	if err != nil {
		return id, usagef("--user: %v", err)
	}
	return id, nil
}

// confine gives up every right that the run does not need any more, and tries to get them back.
func (p *program) confine(f *liveFlags, archive *live.Archive, sinks []sink, log *slog.Logger) error {
	user, err := f.rights.identity()
	if err != nil {
		return err
	}
	if archive != nil && os.Geteuid() == 0 {
		if err := archive.Give(user.UID, user.GID); err != nil {
			return outputError{err}
		}
	}
	rules := confine.Rules{User: user, Read: f.reads(), Write: f.writes(sinks), Dial: f.tell.ports()}
	if rules.Dial != nil {
		rules.Read = append(rules.Read, forNames...)
	}
	given, err := confine.Drop(rules)
	if err != nil {
		return fmt.Errorf("rights could not be given up: %w", err)
	}
	if f.rights.selfTest {
		return p.printConfinement(given)
	}
	for _, m := range given.Measures {
		if !m.On {
			log.Warn("not confined by "+m.Name, "reason", m.Detail)
		}
	}
	for _, a := range given.Try() {
		if !a.Refused {
			return fmt.Errorf("rights were given up, and yet it is possible to %s: not going on", a.What)
		}
	}
	return f.probe(archive, sinks, user)
}

// forNames is what the system reads to find a host by its name, and to believe its certificate.
var forNames = []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/ssl", "/etc/pki", "/usr/share/ca-certificates"}

// printConfinement is the self-test: what was given up, and what happened to the tries to get it back.
func (p *program) printConfinement(given *confine.Confinement) error {
	for _, m := range given.Measures {
		fmt.Fprintf(p.stdout, "%-14s %-3s  %s\n", m.Name, map[bool]string{true: "on", false: "OFF"}[m.On], m.Detail)
	}
	possible := 0
	for _, a := range given.Try() {
		word := "refused"
		if !a.Refused {
			word = "POSSIBLE"
			possible++
		}
		fmt.Fprintf(p.stdout, "%-34s %-8s  %s\n", "try to "+a.What, word, a.Detail)
	}
	if possible > 0 {
		return fmt.Errorf("%s could be got back", count(possible, "right"))
	}
	return nil
}

// reads lists the folders of the files that a reload reads: an editor that saves a file puts another one in its place.
func (f *liveFlags) reads() (folders []string) {
	for _, name := range f.check.files() {
		if name != "" {
			folders = append(folders, filepath.Dir(name))
		}
	}
	return folders
}

// writes lists the folders that are written in.
func (f *liveFlags) writes(sinks []sink) []string {
	var folders []string
	if f.run.folder != "" {
		folders = append(folders, f.run.folder)
	}
	for _, s := range sinks {
		if s.path != "" {
			folders = append(folders, filepath.Dir(s.path))
		}
	}
	if f.tell.evidence != "" {
		folders = append(folders, filepath.Dir(f.tell.evidence))
	}
	for _, text := range f.tell.alerts {
		if path, ok := strings.CutPrefix(text, "file:"); ok {
			folders = append(folders, filepath.Dir(path))
		}
	}
	return folders
}

// ports lists the TCP ports that alerts go to, and that of names, where there are such.
func (f *tellFlags) ports() (ports []uint16) {
	const names = 53
	usual := map[string]string{"http": "80", "https": "443"}
	for _, text := range f.alerts {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			continue
		}
		port := u.Port()
		if port == "" {
			port = usual[u.Scheme]
		}
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			ports = append(ports, uint16(n), names)
		}
	}
	return ports
}

// probe tries, as whom it has become, what writing the files will need.
func (f *liveFlags) probe(archive *live.Archive, sinks []sink, user confine.Identity) error {
	paths := []string{f.tell.evidence}
	for _, s := range sinks {
		paths = append(paths, s.path)
	}
	if archive != nil {
		if err := archive.Probe(); err != nil {
			return unwritable(err, user)
		}
	}
	for _, path := range paths {
		if path == "" {
			continue
		}
		if err := writable(path); err != nil {
			return unwritable(err, user)
		}
	}
	return nil
}

// unwritable says what can be done where the one it has become may not write.
func unwritable(err error, user confine.Identity) error {
	return outputError{fmt.Errorf("%w, by %s: --user names another, --user root stays", err, user)}
}
