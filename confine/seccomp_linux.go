//go:build amd64 || arm64

package confine

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data. Of an argument, the lower half comes first on both processors.
const (
	dataCall    = 0
	dataMachine = 4
	dataFirst   = 16 // the first argument
	dataThird   = 32
)

// refused are the system calls that fail from now on: those that run programs, reach into other processes, change who we
// are, what is mounted or loaded, or open up parts of the kernel that nothing here uses.
var refused = []uint32{
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP,
	unix.SYS_PIDFD_GETFD, unix.SYS_PIDFD_SEND_SIGNAL,
	unix.SYS_SETUID, unix.SYS_SETGID, unix.SYS_SETREUID, unix.SYS_SETREGID, unix.SYS_SETRESUID, unix.SYS_SETRESGID,
	unix.SYS_SETFSUID, unix.SYS_SETFSGID, unix.SYS_SETGROUPS, unix.SYS_CAPSET, unix.SYS_PERSONALITY,
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
	unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_FSCONFIG, unix.SYS_FSPICK,
	unix.SYS_MOUNT_SETATTR, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_MKNODAT,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER,
	unix.SYS_IO_URING_REGISTER, unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT,
	unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX, unix.SYS_SETHOSTNAME,
	unix.SYS_SETDOMAINNAME,
}

// families are the sockets that may still be made: for those who are told of findings, and for the page of metrics.
var families = []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6}

// protocols are those of such sockets. Multipath TCP is none of them: Landlock sees TCP only, and Go listens by the other.
var protocols = []uint32{0, unix.IPPROTO_TCP, unix.IPPROTO_UDP}

// narrowCalls refuses system calls, in every thread.
func narrowCalls() Measure {
	code := program(uint32(os.Getpid()))
	filter := unix.SockFprog{Len: uint16(len(code)), Filter: unsafe.SliceData(code)}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return Measure{bySeccomp, false, errno.Error()}
	}
	return Measure{bySeccomp, true, fmt.Sprintf("%d system calls are refused, and sockets of any but %d families", len(refused)+len(others), len(families))}
}

// program returns the filter: what it does not refuse is allowed. Another machine's calls end the process: they have other
// numbers. A process may be signalled by itself only, and makes threads, but no processes; clone3, whose flags no
// filter can see, is as if it were not there, and then clone is used.
func program(self uint32) []unix.SockFilter {
	refuse := returns(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM))
	allow := returns(unix.SECCOMP_RET_ALLOW)
	code := []unix.SockFilter{
		load(dataMachine), jump(unix.BPF_JEQ, machine, 1, 0), returns(unix.SECCOMP_RET_KILL_PROCESS),
		load(dataCall), jump(unix.BPF_JGE, strangeCalls, 0, 1), refuse,
		jump(unix.BPF_JEQ, unix.SYS_CLONE3, 0, 1), returns(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)),
		jump(unix.BPF_JEQ, unix.SYS_CLONE, 0, 4),
		load(dataFirst), jump(unix.BPF_JSET, unix.CLONE_THREAD, 0, 1), allow, refuse,
		jump(unix.BPF_JEQ, unix.SYS_KILL, 0, 4),
		load(dataFirst), jump(unix.BPF_JEQ, self, 0, 1), allow, refuse,
	}
	for _, calls := range [][]uint32{refused, others} {
		for _, call := range calls {
			code = append(code, jump(unix.BPF_JEQ, call, 0, 1), refuse)
		}
	}
	code = append(code, jump(unix.BPF_JEQ, unix.SYS_SOCKET, 1, 0), allow)
	code = append(code, oneOf(dataFirst, families)...)
	code = append(code, oneOf(dataThird, protocols)...)
	return append(code, allow)
}

// oneOf goes on where an argument is one of the values, and refuses the rest.
func oneOf(argument uint32, values []uint32) []unix.SockFilter {
	code := []unix.SockFilter{load(argument)}
	for i, value := range values {
		code = append(code, jump(unix.BPF_JEQ, value, uint8(len(values)-i), 0))
	}
	return append(code, returns(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)))
}

func load(at uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
}

func jump(how uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, K: k, Jt: yes, Jf: no}
}

func returns(k uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k}
}
