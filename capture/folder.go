package capture

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// notedFiles is how many files of a folder are named that are no captures.
const notedFiles = 10

// folder takes every capture of a folder and the folders in it, in the order of their names. Links to folders are not
// followed: they may lead round in circles.
func (o *opener) folder(root string) {
	before, failed := len(o.inputs), len(o.errs)
	var skipped []string
	skip := func(path, reason string) { skipped = append(skipped, path+" ("+reason+")") }
	_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error { // the function returns no error
		switch {
		case err != nil:
			o.failSystem(path, err)
			return nil
		case entry.IsDir():
			return nil
		}
		o.entry(path, skip)
		return nil
	})
	switch {
	case len(o.inputs) > before:
		if len(skipped) > 0 {
			first := o.inputs[before]
			first.Notes = append(first.Notes, fmt.Sprintf("not read in %s: %s", root, listed(skipped)))
		}
	case len(o.errs) > failed:
	case len(skipped) == 0:
		o.fail(root, "a folder without files", "")
	default:
		o.fail(root, "a folder without captures", listed(skipped))
	}
}

// entry takes one file of a folder if it is a capture.
func (o *opener) entry(path string, skip func(path, reason string)) {
	info, err := os.Stat(path)
	if err != nil {
		if link, lerr := os.Lstat(path); lerr == nil && link.Mode()&fs.ModeSymlink != 0 {
			skip(path, "a link that leads nowhere")
			return
		}
		o.failSystem(path, err)
		return
	}
	switch {
	case info.IsDir():
		skip(path, "a link to a folder")
		return
	case !info.Mode().IsRegular():
		skip(path, "no regular file")
		return
	}
	k, err := recogniseFile(path)
	switch {
	case err != nil:
		o.failSystem(path, err)
	case k.format == "":
		skip(path, k.reason)
	default:
		o.take(path, k, info)
	}
}

// listed names the first few and counts the rest.
func listed(names []string) string {
	if len(names) <= notedFiles {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:notedFiles], ", "), len(names)-notedFiles)
}
