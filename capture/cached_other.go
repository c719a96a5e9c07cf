//go:build !linux

package capture

import (
	"io"
	"os"
)

// cached returns the file: this system cannot be asked for what is in memory alone.
func cached(f *os.File) io.ReaderAt { return f }
