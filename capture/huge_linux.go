package capture

import (
	"syscall"
	"unsafe"
)

// hugePage is the size of the pages that hugePages asks for.
const hugePage = 2 << 20

// hugePages asks the kernel to back a large slice, which is new and not yet written to, with large pages, and returns it.
// Where the kernel does not, nothing else changes.
func hugePages[T any](s []T) []T {
	var one T
	size := uintptr(len(s)) * unsafe.Sizeof(one)
	if size < 2*hugePage {
		return s
	}
	start := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
	skip := -start % hugePage
	whole := (size - skip) / hugePage * hugePage
	inside := unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(s)), skip)), whole)
	_ = syscall.Madvise(inside, syscall.MADV_HUGEPAGE) // advice: a kernel without large pages refuses it
	return s
}
