//go:build !linux

package capture

// hugePages returns the slice: this system is not asked for large pages.
func hugePages[T any](s []T) []T { return s }
