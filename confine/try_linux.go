//go:build amd64 || arm64

package confine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Try tries to get rights back that were given up: those that a measure which is on must refuse. What is possible after all
// is undone at once.
func (c *Confinement) Try() []Attempt {
	var attempts []Attempt
	for _, one := range []struct {
		what string
		by   []string
		try  func() error
	}{
		{"become root", []string{byUser, bySeccomp}, func() error { return unix.Setresuid(0, 0, 0) }},
		{"take a capability", []string{byCaps}, takeCapability},
		{"open a packet socket", []string{byCaps}, func() error { return openSocket(unix.AF_PACKET, 0) }},
		{"open a raw socket", []string{byCaps}, func() error { return openSocket(unix.AF_INET, unix.IPPROTO_ICMP) }},
		{"run another program", []string{byLandlock, bySeccomp}, runProgram},
		{"trace another process", []string{byLandlock, bySeccomp}, traceParent},
		{"read /etc/shadow", []string{byUser, byLandlock}, func() error { return readFile("/etc/shadow") }},
		{"write outside of the report folder", []string{byLandlock}, func() error { return writeOutside(c.rules.Write) }},
	} {
		if c.on(one.by...) {
			attempts = append(attempts, attempt(one.what, one.try))
		}
	}
	return attempts
}

// attempt says what became of a try.
func attempt(what string, try func() error) Attempt {
	if err := try(); err != nil {
		return Attempt{what, true, err.Error()}
	}
	return Attempt{what, false, "possible"}
}

// takeCapability tries to take the capability that makes packet sockets.
func takeCapability() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var now [2]unix.CapUserData
	if err := unix.Capget(&header, &now[0]); err != nil {
		return err
	}
	if now != ([2]unix.CapUserData{}) {
		return nil
	}
	now[0].Permitted, now[0].Effective = 1<<unix.CAP_NET_RAW, 1<<unix.CAP_NET_RAW
	return unix.Capset(&header, &now[0])
}

func openSocket(family, protocol int) error {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// runProgram tries to run ourselves, who are surely there. Should it run, it is ended.
func runProgram() error {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"flowvet", "version"}, nil)
	if err != nil {
		return err
	}
	_ = unix.Kill(pid, unix.SIGKILL)
	_, _ = unix.Wait4(pid, nil, 0, nil)
	return nil
}

// traceParent tries to trace the process that started us.
func traceParent() error {
	parent := os.Getppid()
	if parent <= 1 {
		parent = os.Getpid()
	}
	if err := unix.PtraceSeize(parent); err != nil {
		return err
	}
	return unix.PtraceDetach(parent)
}

func readFile(name string) error {
	f, err := os.Open(name)
	if err == nil {
		f.Close()
	}
	return err
}

// writeOutside tries to write where everybody may, unless that is where we may, too.
func writeOutside(within []string) error {
	err := errors.New("nowhere is outside")
	for _, folder := range []string{"/tmp", "/var/tmp", "/dev/shm", "/"} {
		if inside(folder, within) {
			continue
		}
		var f *os.File
		if f, err = os.CreateTemp(folder, ".flowvet-try-*"); err == nil {
			f.Close()
			return os.Remove(f.Name())
		}
	}
	return err
}

// inside reports whether a folder is one of those, or below.
func inside(folder string, folders []string) bool {
	for _, one := range folders {
		full, err := filepath.Abs(one)
		if err != nil {
			return true
		}
		rest, err := filepath.Rel(full, folder)
		if err == nil && rest != ".." && !strings.HasPrefix(rest, "../") {
			return true
		}
	}
	return false
}
