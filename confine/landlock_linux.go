//go:build amd64 || arm64

package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fence is a Landlock ruleset (landlock(7)): everything it handles is refused, but for what its rules name.
type fence struct {
	ruleset int // -1: this kernel has no Landlock
	version int // of Landlock in this kernel
	reason  error
}

// The rights of Landlock that a version of it knows, and those that the two kinds of rules give.
const (
	landRead  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	landWrite = landRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_SYM |
		unix.LANDLOCK_ACCESS_FS_REFER | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	landFileOnly = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE

	landAll1 = 1<<13 - 1 // version 1: execute to make symbolic link
	landNet  = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP

	landReferSince, landTruncateSince, landNetSince, landDeviceSince = 2, 3, 4, 5

	ruleOfPort = 2 // LANDLOCK_RULE_NET_PORT
)

// portRule is struct landlock_net_port_attr.
type portRule struct{ access, port uint64 }

// newFence makes the ruleset, while what it names can still be opened. A kernel without Landlock is no error.
func newFence(r Rules) (*fence, error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return &fence{ruleset: -1, reason: errno}, nil
	}
	f := &fence{version: int(version)}
	attributes := unix.LandlockRulesetAttr{Handled_access_fs: f.files()}
	if f.version >= landNetSince {
		attributes.Handled_access_net = landNet
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attributes)), unsafe.Sizeof(attributes), 0)
	if errno != 0 {
		return &fence{ruleset: -1, reason: errno}, nil
	}
	f.ruleset = int(fd)
	if err := f.open(r); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// files returns the rights to files that this version handles.
func (f *fence) files() uint64 {
	all := uint64(landAll1)
	if f.version >= landReferSince {
		all |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if f.version >= landTruncateSince {
		all |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if f.version >= landDeviceSince {
		all |= unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
	}
	return all
}

// open lets through what the rules name.
func (f *fence) open(r Rules) error {
	for _, name := range r.Read {
		if err := f.beneath(name, landRead); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range r.Write {
		if err := f.beneath(name, landWrite); err != nil {
			return err
		}
	}
	// Package psx lists our threads while the first of them are restricted already, where the program was built with cgo.
	if err := f.beneath("/proc/self/task", unix.LANDLOCK_ACCESS_FS_READ_DIR); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f.version < landNetSince {
		return nil
	}
	for _, port := range r.Dial {
		rule := portRule{unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, uint64(port)}
		if err := f.rule(ruleOfPort, unsafe.Pointer(&rule)); err != nil {
			return fmt.Errorf("letting port %d through Landlock: %w", port, err)
		}
	}
	return nil
}

// beneath lets through a file, or a folder and all below it.
func (f *fence) beneath(name string, rights uint64) error {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("letting %s through Landlock: %w", name, err)
	}
	defer unix.Close(fd)
	var about unix.Stat_t
	if err := unix.Fstat(fd, &about); err != nil {
		return fmt.Errorf("letting %s through Landlock: %w", name, err)
	}
	if about.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= landFileOnly
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights & f.files(), Parent_fd: int32(fd)}
	if err := f.rule(unix.LANDLOCK_RULE_PATH_BENEATH, unsafe.Pointer(&rule)); err != nil {
		return fmt.Errorf("letting %s through Landlock: %w", name, err)
	}
	return nil
}

// rule adds a rule.
func (f *fence) rule(kind uintptr, attributes unsafe.Pointer) error {
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(f.ruleset), kind, uintptr(attributes), 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// enforce puts the fence around every thread.
func (f *fence) enforce() Measure {
	m := Measure{Name: byLandlock}
	if f.ruleset < 0 {
		m.Detail = "this kernel has none: " + f.reason.Error()
		return m
	}
	if err := everyThread(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(f.ruleset), 0, 0); err != nil {
		m.Detail = err.Error()
		return m
	}
	m.On = true
	m.Detail = fmt.Sprintf("version %d: files", f.version)
	if f.version >= landNetSince {
		m.Detail += ", TCP ports"
	}
	return m
}

// close gives the ruleset back, which holds whether it is open or not.
func (f *fence) close() {
	if f.ruleset >= 0 {
		unix.Close(f.ruleset)
		f.ruleset = -1
	}
}
