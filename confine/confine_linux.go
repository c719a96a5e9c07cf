//go:build amd64 || arm64

package confine

import (
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// Drop gives up what the rules do not name, in every thread and for good. The measures say what was done; the error is of one that
// must not fail: another user, and no capabilities.
func Drop(r Rules) (*Confinement, error) {
	_, _ = time.Now().Zone() // reads the time zone, while that file can be read
	fence, err := newFence(r)
	if err != nil {
		return nil, err
	}
	defer fence.close()
	if err := threadsCanBeListed(); err != nil {
		return nil, err
	}
	bounding := dropBounding()
	if err := become(r.User); err != nil {
		return nil, err
	}
	if err := dropCapabilities(); err != nil {
		return nil, err
	}
	user := Measure{byUser, unix.Getuid() != 0, fmt.Sprintf("uid %d, gid %d", unix.Getuid(), unix.Getgid())}
	none := Measure{byCaps, true, "none, effective, permitted, inheritable or ambient"}
	return &Confinement{[]Measure{user, none, bounding, noNewRights(), noCoreDumps(), fence.enforce(), narrowCalls()}, r}, nil
}

// threadsCanBeListed tries what psx ends the process for where it fails, as it does without a descriptor to spare.
func threadsCanBeListed() error {
	dir, err := os.Open("/proc/self/task")
	if err != nil {
		return err
	}
	return dir.Close()
}

// everyThread makes a system call in every thread of the process.
func everyThread(call, a, b, c uintptr) error {
	if _, _, errno := psx.Syscall6(call, a, b, c, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// become changes the user, the group and the other groups, where that is asked for.
func become(i Identity) error {
	if !i.Set || i.UID == unix.Getuid() && i.GID == unix.Getgid() {
		return nil
	}
	if err := everyThread(unix.SYS_SETGROUPS, 0, 0, 0); err != nil {
		return fmt.Errorf("leaving all groups: %w", err)
	}
	gid, uid := uintptr(i.GID), uintptr(i.UID)
	if err := everyThread(unix.SYS_SETRESGID, gid, gid, gid); err != nil {
		return fmt.Errorf("becoming group %d: %w", i.GID, err)
	}
	if err := everyThread(unix.SYS_SETRESUID, uid, uid, uid); err != nil {
		return fmt.Errorf("becoming user %d: %w", i.UID, err)
	}
	return nil
}

// dropBounding empties the bounding set: what no program that we ran could ever get. Who is not root may not, and needs
// not, since no program gains rights.
func dropBounding() Measure {
	m := Measure{Name: byBounding, Detail: "empty"}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		err := everyThread(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0)
		if err == unix.EINVAL {
			break // the kernel knows no more
		}
		if err != nil {
			m.Detail = "stays: " + err.Error() + "; no_new_privs makes it useless"
			return m
		}
	}
	m.On = true
	return m
}

// dropCapabilities empties the other sets.
func dropCapabilities() error {
	// Kernels before 4.3 have no ambient set to be emptied.
	_ = everyThread(unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := everyThread(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	return nil
}

// noNewRights has no program that we run gain rights, and is what Landlock and seccomp ask for.
func noNewRights() Measure {
	if err := everyThread(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0); err != nil {
		return Measure{byNoNew, false, err.Error()}
	}
	return Measure{byNoNew, true, "no program gains rights"}
}

// noCoreDumps keeps what was captured out of files that a crash leaves.
func noCoreDumps() Measure {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return Measure{byNoCore, false, err.Error()}
	}
	return Measure{byNoCore, true, "none"}
}
