//go:build !amd64 && !arm64

package capture

import (
	"runtime"
	"unsafe"
)

// fetch loads the cache lines of all addresses, which may be nil: a load that waits for no other waits beside it.
func fetch(lines *[groupSize]unsafe.Pointer) {
	var loaded byte
	for _, line := range lines {
		if line != nil {
			loaded ^= *(*byte)(line)
		}
	}
	runtime.KeepAlive(loaded)
}
