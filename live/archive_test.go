package live

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ten is when the reports of these tests begin.
var ten = time.Date(2015, 10, 21, 10, 0, 0, 0, time.UTC)

// text is a file of a report.
func text(name, content string) File {
	return File{name, func(w io.Writer) error { _, err := io.WriteString(w, content); return err }}
}

func openArchive(t *testing.T) *Archive {
	t.Helper()
	a, err := OpenArchive(filepath.Join(t.TempDir(), "reports"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// holds wants exactly these names in the archive.
func (a *Archive) holds(t *testing.T, want ...string) {
	t.Helper()
	names, err := a.names()
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, lockName)
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the archive holds %q, want %q", names, want)
	}
}

func TestAReportIsAFolderAndLatestLeadsToIt(t *testing.T) {
	a := openArchive(t)
	for i, content := range []string{"first", "second"} {
		if _, err := a.Add(ten.Add(time.Duration(i)*time.Hour), []File{text("report.txt", content)}); err != nil {
			t.Fatal(err)
		}
	}
	a.holds(t, "20151021T100000.000Z", "20151021T110000.000Z", latestLink)
	got, err := os.ReadFile(filepath.Join(a.root.Name(), latestLink, "report.txt"))
	if err != nil || string(got) != "second" {
		t.Errorf("latest holds %q, %v; want the second report", got, err)
	}
	info, err := os.Stat(filepath.Join(a.root.Name(), latestLink, "report.txt"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestTwoReportsOfOneMomentAreTwo(t *testing.T) {
	a := openArchive(t)
	for range 2 {
		if _, err := a.Add(ten, nil); err != nil {
			t.Fatal(err)
		}
	}
	a.holds(t, "20151021T100000.000Z", "20151021T100000.001Z", latestLink)
}

func TestReportsAreKeptByNumberAndAge(t *testing.T) {
	for _, test := range []struct {
		what    string
		keep    int
		keepFor time.Duration
		want    []string
	}{
		{"all", 0, 0, []string{"20151021T100000.000Z", "20151021T110000.000Z", "20151021T120000.000Z", "20151021T130000.000Z"}},
		{"the last two", 2, 0, []string{"20151021T120000.000Z", "20151021T130000.000Z"}},
		{"those of the last two hours", 0, 2 * time.Hour, []string{"20151021T110000.000Z", "20151021T120000.000Z", "20151021T130000.000Z"}},
		{"the newest, however old", 0, time.Nanosecond, []string{"20151021T130000.000Z"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			a := openArchive(t)
			if err := a.root.Mkdir("notes", 0o700); err != nil { // somebody else's
				t.Fatal(err)
			}
			a.Keep, a.KeepFor = test.keep, test.keepFor
			for i := range 4 {
				if _, err := a.Add(ten.Add(time.Duration(i)*time.Hour), nil); err != nil {
					t.Fatal(err)
				}
			}
			a.holds(t, append(test.want, latestLink, "notes")...)
		})
	}
}

func TestAReportThatFailsLeavesNothing(t *testing.T) {
	a := openArchive(t)
	if _, err := a.Add(ten, []File{text("report.txt", "whole")}); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	_, err := a.Add(ten.Add(time.Hour), []File{text("report.txt", "new"), {"report.json", func(io.Writer) error { return full }}})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "report.json") {
		t.Errorf("got %v, want %v and the name of the file", err, full)
	}
	a.holds(t, "20151021T100000.000Z", latestLink)
}

func TestWhatAKilledRunLeftHalfDoneIsClearedAway(t *testing.T) {
	a := openArchive(t)
	dir := a.root.Name()
	if err := os.MkdirAll(filepath.Join(dir, "20151021T100000.000Z"+partSuffix, "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := OpenArchive(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.holds(t)
}

func TestAnArchiveIsOneSessionsAtATime(t *testing.T) {
	a := openArchive(t)
	if _, err := OpenArchive(a.root.Name()); err == nil || !strings.Contains(err.Error(), "another flowvet") {
		t.Errorf("opened twice: %v", err)
	}
}

func TestACheckpointIsReplacedWholeAndForgotten(t *testing.T) {
	a := openArchive(t)
	if err := a.Checkpoint(text("", "one").Write); err != nil {
		t.Fatal(err)
	}
	if err := a.Checkpoint(func(io.Writer) error { return errors.New("disk full") }); err == nil {
		t.Error("no error")
	}
	got, err := os.ReadFile(a.CheckpointPath())
	if err != nil || string(got) != "one" {
		t.Errorf("the checkpoint holds %q, %v; want the one that was whole", got, err)
	}
	if err := errors.Join(a.Forget(), a.Forget()); err != nil {
		t.Error(err)
	}
	a.holds(t)
}
