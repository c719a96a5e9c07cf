package live

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// The names in an archive. Everything else in the folder is left alone.
const (
	reportTime     = "20060102T150405.000Z" // folders of reports: they sort by time
	latestLink     = "latest"
	checkpointName = "checkpoint.flows"
	lockName       = ".lock"
	partSuffix     = ".part" // what is being written, or being removed
)

// Archive is the folder of a session's reports: one folder for each, named by its time (UTC), and a link called latest to the
// newest. It belongs to one session at a time.
//
// A report's folder appears whole or not at all, whenever the process dies: it is written under another name, synced, renamed,
// and the rename is synced. Folders are readable by their owner only: a report is a map of the network.
type Archive struct {
	Keep    int           // reports to keep at most; 0: any number
	KeepFor time.Duration // how long to keep them; 0: for ever

	root *os.Root
	lock *os.File
}

// File is one file of a report.
type File struct {
	Name  string
	Write func(io.Writer) error
}

// OpenArchive makes the folder if it is not there, takes it for this process, and clears away what a run that was killed left
// half done.
func OpenArchive(dir string) (*Archive, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	a := &Archive{root: root}
	if a.lock, err = root.OpenFile(lockName, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	if err := lockFile(a.lock); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: another flowvet writes its reports there", dir), a.Close())
	}
	return a, a.clear()
}

// Close gives the folder free.
func (a *Archive) Close() error { return errors.Join(a.lock.Close(), a.root.Close()) }

// Give makes the folder, and all in it, a user's.
func (a *Archive) Give(uid, gid int) error {
	return fs.WalkDir(a.root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return a.root.Lchown(name, uid, gid)
	})
}

// Probe tries what writing needs: a file in the folder.
func (a *Archive) Probe() error {
	name := "probe" + partSuffix
	return errors.Join(a.writeFile(name, func(io.Writer) error { return nil }), a.remove(name))
}

// CheckpointPath is where the checkpoint is, if there is one.
func (a *Archive) CheckpointPath() string { return filepath.Join(a.root.Name(), checkpointName) }

// clear removes what is half written or half removed.
func (a *Archive) clear() error {
	names, err := a.names()
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, partSuffix) {
			if err := a.root.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// names lists what is in the folder, sorted.
func (a *Archive) names() ([]string, error) {
	entries, err := fs.ReadDir(a.root.FS(), ".")
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, err
}

// Add writes a report, points the link to it, and removes those that are too many or too old. It returns the name of the
// report's folder. After an error the archive is as it was, but for the link or the removal where the error says so.
func (a *Archive) Add(at time.Time, files []File) (string, error) {
	name, err := a.vacant(at)
	if err != nil {
		return "", err
	}
	part := name + partSuffix
	if err := a.write(part, files); err != nil {
		return "", errors.Join(err, a.root.RemoveAll(part))
	}
	if err := a.root.Rename(part, name); err != nil {
		return "", errors.Join(err, a.root.RemoveAll(part))
	}
	return name, errors.Join(a.sync("."), a.link(name), a.retire(at))
}

// vacant returns a name that no report has yet, in the milliseconds from at on.
func (a *Archive) vacant(at time.Time) (string, error) {
	for ; ; at = at.Add(time.Millisecond) {
		name := at.UTC().Format(reportTime)
		_, err := a.root.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
}

// write writes the files into a new folder, all of it synced.
func (a *Archive) write(folder string, files []File) error {
	if err := a.root.Mkdir(folder, 0o700); err != nil {
		return err
	}
	for _, f := range files {
		if err := a.writeFile(filepath.Join(folder, f.Name), f.Write); err != nil {
			return err
		}
	}
	return a.sync(folder)
}

func (a *Archive) writeFile(name string, write func(io.Writer) error) error {
	f, err := a.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(a.root.Name(), name), err)
	}
	return nil
}

// Checkpoint replaces the checkpoint, whole or not at all.
func (a *Archive) Checkpoint(write func(io.Writer) error) error {
	part := checkpointName + partSuffix
	if err := a.writeFile(part, write); err != nil {
		return errors.Join(err, a.remove(part))
	}
	if err := a.root.Rename(part, checkpointName); err != nil {
		return errors.Join(err, a.remove(part))
	}
	return a.sync(".")
}

// Forget removes the checkpoint: what it held stands in a report.
func (a *Archive) Forget() error { return errors.Join(a.remove(checkpointName), a.sync(".")) }

// SetAside keeps a checkpoint that cannot be read under another name, and returns that.
func (a *Archive) SetAside(at time.Time) (string, error) {
	name := checkpointName + ".damaged-" + at.UTC().Format(reportTime)
	return name, a.root.Rename(checkpointName, name)
}

// remove removes a file that need not be there.
func (a *Archive) remove(name string) error {
	if err := a.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// link points the link to a report.
func (a *Archive) link(name string) error {
	part := latestLink + partSuffix
	if err := a.remove(part); err != nil {
		return err
	}
	if err := a.root.Symlink(name, part); err != nil {
		if runtime.GOOS == "windows" { // needs a right there that nobody has
			return nil
		}
		return err
	}
	return errors.Join(a.root.Rename(part, latestLink), a.sync("."))
}

// retire removes the reports that are too many or too old, but for the newest.
func (a *Archive) retire(now time.Time) error {
	names, err := a.names()
	if err != nil {
		return err
	}
	reports := slices.DeleteFunc(names, func(name string) bool {
		_, err := time.Parse(reportTime, name)
		return err != nil
	})
	for i, name := range reports[:max(0, len(reports)-1)] {
		made, _ := time.Parse(reportTime, name) // it was parsed above
		tooMany := a.Keep > 0 && len(reports)-i > a.Keep
		tooOld := a.KeepFor > 0 && now.Sub(made) > a.KeepFor
		if tooMany || tooOld {
			err = errors.Join(err, a.discard(name))
		}
	}
	return err
}

// discard removes a report's folder: under another name, since it is whole as long as it has its own.
func (a *Archive) discard(name string) error {
	if err := a.root.Rename(name, name+partSuffix); err != nil {
		return err
	}
	return a.root.RemoveAll(name + partSuffix)
}

// sync makes what happened in a folder survive a power cut. Windows offers no such thing.
func (a *Archive) sync(folder string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := a.root.Open(folder)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) { // a file system without it
		err = nil
	}
	return errors.Join(err, d.Close())
}
