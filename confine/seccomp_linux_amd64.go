package confine

import "golang.org/x/sys/unix"

const (
	machine      = unix.AUDIT_ARCH_X86_64
	strangeCalls = 0x40000000 // from here on the calls of x32, which do the same by other numbers
)

// others are calls of this processor alone that are refused.
var others = []uint32{
	unix.SYS_FORK, unix.SYS_VFORK, unix.SYS_IOPL, unix.SYS_IOPERM, unix.SYS_MKNOD, unix.SYS_USELIB, unix.SYS_KEXEC_FILE_LOAD,
	unix.SYS_MODIFY_LDT,
}
