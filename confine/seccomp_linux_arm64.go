package confine

import "golang.org/x/sys/unix"

const (
	machine      = unix.AUDIT_ARCH_AARCH64
	strangeCalls = 0x40000000 // there are none
)

// others are calls of this processor alone that are refused.
var others = []uint32{unix.SYS_KEXEC_FILE_LOAD}
