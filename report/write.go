package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// WriteFile writes a report to a path whole or not at all: into a new file beside it, synced, then renamed over it.
// After an error an earlier report is as it was, and nothing half-written is left under any name.
//
// The file is readable by its owner only (0600): a report is a map of the network. A symbolic link at the path is
// replaced, not followed. What cannot be replaced is written in place: pipes, terminals, /dev/null, /dev/stdout.
//
// Every error names the path and the cause.
func WriteFile(path string, write func(io.Writer) error) error {
	var err error
	if inPlace(path) {
		err = writeInPlace(path, write)
	} else {
		err = replace(path, write)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", Terminal(path), cause(err))
	}
	return nil
}

// WriteTo writes to a path as [WriteFile] does, or to standard output where the path is empty or "-".
func WriteTo(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		return write(stdout)
	}
	return WriteFile(path, write)
}

// inPlace reports whether path names something that a rename would destroy or could not reach: an existing file that is
// not regular, or a link of the system's own to an open file (/dev/stdout, /dev/fd/3), whatever that is.
func inPlace(path string) bool {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return true
	}
	abs, err := filepath.Abs(path)
	if err != nil || !strings.HasPrefix(abs, "/dev/") && !strings.HasPrefix(abs, "/proc/") {
		return false
	}
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// writeInPlace appends, so that standard output redirected to a file keeps what it already has.
func writeInPlace(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func replace(path string, write func(io.Writer) error) (err error) {
	dir, base := filepath.Split(path)
	if base == "" {
		return errors.New("names a directory")
	}
	if dir == "" {
		dir = "."
	}
	f, err := os.CreateTemp(dir, ".flowvet-*.tmp")
	if err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	done = true
	return syncDir(dir)
}

// syncDir makes a rename survive a power cut. Windows offers no such thing.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// cause strips the name of the temporary file, which means nothing to the reader, from an error.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Op, path.Err)
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return fmt.Errorf("%s: %w", link.Op, link.Err)
	}
	return err
}
