//go:build amd64 || arm64

package capture

import "unsafe"

// fetch asks for the cache lines of all addresses, which may be nil, and waits for none.
//
//go:noescape
func fetch(lines *[groupSize]unsafe.Pointer)
