// Package confine gives up the rights that a long-running process does not need any more, once everything is open, and then
// tries to get them back: what was given up is only believed where the kernel says no.
//
// On Linux it is another user, no capability in any set, no_new_privs, Landlock (which files and TCP ports may be used) and
// seccomp (which system calls). Where a kernel lacks one of them, the list of measures says so. Nothing is given up on
// other systems.
package confine

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
)

// Rules say what a process still needs.
type Rules struct {
	User  Identity // whom to become; the zero value is who we are
	Read  []string // files and folders to read, and all below; what is missing is left out
	Write []string // folders to write in, and all below
	Dial  []uint16 // TCP ports to connect to
}

// Identity is a user to become.
type Identity struct {
	UID, GID int
	Set      bool // false: stay who we are
}

// String names the identity by its numbers.
func (i Identity) String() string {
	if !i.Set {
		return "the user who started"
	}
	return fmt.Sprintf("uid %d, gid %d", i.UID, i.GID)
}

// Measure is one thing that was given up, or could not be.
type Measure struct {
	Name   string
	On     bool
	Detail string // what it does, or why it is not on
}

// Confinement is what became of the rights of this process.
type Confinement struct {
	Measures []Measure
	rules    Rules
}

// The measures.
const (
	byUser     = "user"
	byCaps     = "capabilities"
	byBounding = "bounding set"
	byNoNew    = "no_new_privs"
	byNoCore   = "core dumps"
	byLandlock = "Landlock"
	bySeccomp  = "seccomp"
)

// on reports whether one of the measures is.
func (c *Confinement) on(names ...string) bool {
	return slices.ContainsFunc(c.Measures, func(m Measure) bool { return m.On && slices.Contains(names, m.Name) })
}

// Attempt is one try to get a right back.
type Attempt struct {
	What    string // "run another program"
	Refused bool
	Detail  string // the kernel's words, or what was possible after all
}

// nobody is the user that Linux systems have for those without rights; the system's own idea of it comes first.
const nobody = 65534

// Nobody returns the user without rights.
func Nobody() Identity {
	if id, err := Lookup("nobody"); err == nil {
		return id
	}
	return Identity{nobody, nobody, true}
}

// Lookup returns the user of a name, or of numbers: "flowvet", "997", "997:996".
func Lookup(name string) (Identity, error) {
	if uid, gid, ok := strings.Cut(name, ":"); ok {
		return numbers(name, uid, gid)
	}
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err == nil {
		return numbers(name, u.Uid, u.Gid)
	}
	if id, err := numbers(name, name, name); err == nil {
		return id, nil
	}
	return Identity{}, fmt.Errorf("no user %q: write a name of this system, or numbers as in 997:996", name)
}

// numbers reads the numbers of a user and of a group.
func numbers(name, uid, gid string) (Identity, error) {
	u, err := strconv.ParseUint(uid, 10, 31)
	if err != nil {
		return Identity{}, fmt.Errorf("%q: %q is no number of a user", name, uid)
	}
	g, err := strconv.ParseUint(gid, 10, 31)
	if err != nil {
		return Identity{}, fmt.Errorf("%q: %q is no number of a group", name, gid)
	}
	return Identity{int(u), int(g), true}, nil
}
