package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestKeepsReportsToBeDisturbed is a process of its own, which keeps four reports in the folder that disturbedFolder names: each of
// two files that hold its number, with a checkpoint before it.
func TestKeepsReportsToBeDisturbed(t *testing.T) {
	dir := os.Getenv(disturbedFolder)
	if dir == "" {
		t.Skip("part of the tests that disturb it")
	}
	runtime.LockOSThread() // strace counts the calls of each thread by themselves
	a, err := OpenArchive(dir)
	if err != nil {
		t.Fatal(err)
	}
	a.Keep = 2
	var failed []error
	for n := range 4 {
		failed = append(failed, a.Checkpoint(numbered(n)))
		at := time.Date(2026, 11, 23, 12, n, 0, 0, time.UTC)
		_, err := a.Add(at, []File{{"report.txt", numbered(n)}, {"capture.flows", numbered(n)}})
		failed = append(failed, err)
	}
	if err := errors.Join(append(failed, a.Forget(), a.Close())...); err != nil {
		t.Fatal(err)
	}
}

const disturbedFolder = "FLOWVET_TEST_DISTURBED"

// numberedLines is how long the files are: 80 KB, two writes.
const numberedLines = 10000

// numbered writes lines of a number.
func numbered(n int) func(io.Writer) error {
	return func(to io.Writer) error {
		line := []byte(fmt.Sprintf("%07d\n", n))
		for range 2 {
			if _, err := to.Write(bytes.Repeat(line, numberedLines/2)); err != nil {
				return err
			}
		}
		return nil
	}
}

// numberIn returns the number of a file; false where it is not whole.
func numberIn(path string) (int, bool) {
	text, err := os.ReadFile(path)
	if err != nil || len(text) != numberedLines*8 {
		return 0, false
	}
	n, err := strconv.Atoi(string(text[:7]))
	return n, err == nil && bytes.Equal(text, bytes.Repeat(text[:8], numberedLines))
}

// disturbable are the system calls of the write path.
var disturbable = []string{"openat", "mkdirat", "write", "fsync", "close", "renameat", "renameat2", "symlinkat", "unlinkat", "newfstatat", "flock"}

// disturbed runs the process under strace, which injects into its calls about the folder, and returns what it and strace printed.
func disturbed(t *testing.T, dir string, inject ...string) (says, calls string, err error) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "calls")
	args := []string{"-f", "-o", log, "-P", dir, "-e", "trace=" + strings.Join(disturbable, ",")}
	for n := range 4 { // strace follows a path and no folder: every one that is used is named
		name := time.Date(2026, 11, 23, 12, n, 0, 0, time.UTC).Format(reportTime)
		for _, folder := range []string{name, name + partSuffix} {
			for _, file := range []string{"", "report.txt", "capture.flows"} {
				args = append(args, "-P", filepath.Join(dir, folder, file))
			}
		}
	}
	for _, name := range []string{latestLink, latestLink + partSuffix, checkpointName, checkpointName + partSuffix, lockName} {
		args = append(args, "-P", filepath.Join(dir, name))
	}
	args = append(append(args, inject...), os.Args[0], "-test.run=^TestKeepsReportsToBeDisturbed$")
	cmd := exec.Command("strace", args...)
	cmd.Env = append(os.Environ(), disturbedFolder+"="+dir)
	out, err := cmd.CombinedOutput()
	text, _ := os.ReadFile(log) // none is seen by who looks for its lines
	return string(out), string(text), err
}

// callsOfOne counts the system calls of a run that nothing disturbs, by name.
func callsOfOne(t *testing.T) map[string]int {
	t.Helper()
	if testing.Short() {
		t.Skip("runs a process for every system call")
	}
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not there (Debian: strace)")
	}
	dir := filepath.Join(t.TempDir(), "reports")
	says, calls, err := disturbed(t, dir)
	if err != nil {
		t.Skipf("strace does not run here: %v\n%s", err, says)
	}
	count := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^\d+ +(\w+)\(`).FindAllStringSubmatch(calls, -1) {
		count[m[1]]++
	}
	if count["fsync"] < 20 || count["write"] < 20 {
		t.Fatalf("the calls are not seen: %v\n%s", count, calls)
	}
	return count
}

// holdsWholeReports wants every report under a final name to be whole, of one run, and the link to lead to one, and that the next
// run clears up and keeps on.
func holdsWholeReports(t *testing.T, what, dir string) {
	t.Helper()
	a, err := OpenArchive(dir)
	if err != nil {
		t.Errorf("%s: the next run: %v", what, err)
		return
	}
	defer a.Close()
	names, err := a.names()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(dir, name)
		switch _, err := time.Parse(reportTime, name); {
		case err == nil:
			n, whole := numberIn(filepath.Join(path, "report.txt"))
			if m, same := numberIn(filepath.Join(path, "capture.flows")); !whole || !same || n != m {
				t.Errorf("%s: report %s is not whole", what, name)
			}
		case name == latestLink:
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s: the link leads nowhere: %v", what, err)
			}
		case name == checkpointName:
			if _, whole := numberIn(path); !whole {
				t.Errorf("%s: the checkpoint is not whole", what)
			}
		case name != lockName:
			t.Errorf("%s: %s is left behind", what, name)
		}
	}
	if _, err := a.Add(time.Now(), []File{{"report.txt", numbered(9)}}); err != nil {
		t.Errorf("%s: the next report: %v", what, err)
	}
}

// full reports whether every case is tried, not a sample.
func full() bool { return os.Getenv("FLOWVET_FULL") != "" }

// TestFault32KilledAtEverySystemCall kills a process that keeps reports as it enters each of its system calls.
func TestFault32KilledAtEverySystemCall(t *testing.T) {
	t.Parallel()
	count := callsOfOne(t)
	tried := 0
	for call, times := range count {
		for n := 1; n <= times; n++ {
			if !full() && n%8 != 1 {
				continue
			}
			what := fmt.Sprintf("killed at %s %d of %d", call, n, times)
			dir := filepath.Join(t.TempDir(), "reports")
			if says, _, err := disturbed(t, dir, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n)); err == nil {
				t.Errorf("%s: it was not:\n%s", what, says)
			}
			holdsWholeReports(t, what, dir)
			tried++
		}
	}
	t.Logf("killed at %d of the calls %v", tried, count)
}

// TestFault33EveryWriteFails fails each of the system calls that write: it is said with its name, nothing half-written has a
// final name, and what was there stays.
func TestFault33EveryWriteFails(t *testing.T) {
	t.Parallel()
	count := callsOfOne(t)
	tried := 0
	for _, call := range []string{"openat", "mkdirat", "write", "fsync", "close", "renameat", "symlinkat"} {
		for n := 1; n <= count[call]; n++ {
			for i, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EROFS} {
				if !full() && (n+i)%16 != 1 {
					continue
				}
				what := fmt.Sprintf("%v at %s %d of %d", errno, call, n, count[call])
				dir := filepath.Join(t.TempDir(), "reports")
				says, _, err := disturbed(t, dir, "-e", fmt.Sprintf("inject=%s:error=%d:when=%d", call, errno, n))
				if err == nil && call != "close" || err != nil && !strings.Contains(says, errno.Error()) {
					t.Errorf("%s: %v:\n%s", what, err, says)
				}
				holdsWholeReports(t, what, dir)
				tried++
			}
		}
	}
	t.Logf("%d failures of the calls %v", tried, count)
}
