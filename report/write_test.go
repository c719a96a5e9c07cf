package report

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func saying(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	for _, text := range []string{"first", "second, over the first", ""} {
		if err := WriteFile(path, saying(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, want 0600", info.Mode().Perm())
	}
	onlyFile(t, path)
}

// onlyFile fails if anything but path is in its folder, or path is not where it should be.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("the folder holds %v, want %s alone", entries, filepath.Base(path))
	}
}

func TestAFailedReportLeavesTheEarlierOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.txt")
	if err := WriteFile(path, saying("earlier")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left on device")
	err := WriteFile(path, func(w io.Writer) error {
		io.WriteString(w, "half a rep")
		return full
	})
	if !errors.Is(err, full) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want the path and %v", err, full)
	}
	func() {
		defer func() { recover() }()
		WriteFile(path, func(io.Writer) error { panic("bug") })
	}()
	if got, _ := os.ReadFile(path); string(got) != "earlier" {
		t.Errorf("the earlier report is now %q", got)
	}
	onlyFile(t, path)
}

func TestWriteFileErrorsNameThePath(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"a folder that is not there": filepath.Join(dir, "none", "report.txt"),
		"a file as a folder":         filepath.Join(file, "report.txt"),
		"a folder":                   dir,
		"a folder, with a slash":     filepath.Join(dir, "none") + string(filepath.Separator),
	} {
		err := WriteFile(path, saying("x"))
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, path)
		}
		if err != nil && strings.Contains(err.Error(), ".tmp") {
			t.Errorf("%s: %v names the temporary file", name, err)
		}
	}
	onlyFile(t, file)
}

func TestWriteFileToAFolderThatIsReadOnly(t *testing.T) {
	if os.Getuid() <= 0 {
		t.Skip("permissions do not bind this user")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	err := WriteFile(filepath.Join(dir, "report.txt"), saying("x"))
	if !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v, want permission denied", err)
	}
}

func TestDevicesAreWrittenInPlace(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("/dev/full is Linux's")
	}
	if err := WriteFile("/dev/null", saying("x")); err != nil {
		t.Errorf("/dev/null: %v", err)
	}
	err := WriteFile("/dev/full", saying("x"))
	if err == nil || !strings.Contains(err.Error(), "/dev/full") || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("/dev/full: got %v", err)
	}
	for _, device := range []string{"/dev/null", "/dev/full"} {
		if info, err := os.Stat(device); err != nil || info.Mode().IsRegular() {
			t.Fatalf("%s was replaced", device)
		}
	}
}

func TestALinkIsReplacedNotFollowed(t *testing.T) {
	target := filepath.Join(t.TempDir(), "precious")
	link := filepath.Join(t.TempDir(), "report.txt")
	if err := os.WriteFile(target, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip(err)
	}
	if err := WriteFile(link, saying("report")); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(target); string(got) != "precious" {
		t.Errorf("the file behind the link is now %q", got)
	}
	if got, _ := os.ReadFile(link); string(got) != "report" {
		t.Errorf("got %q, want the report", got)
	}
}
