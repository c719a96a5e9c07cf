package capture

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestCachedReadsAsTheFileDoes holds reads of what is in memory to those of the file: the bytes, how many, and the error.
func TestCachedReadsAsTheFileDoes(t *testing.T) {
	const size = 3*windowSize + 1234
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(content)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := cached(f)
	same := func(when string, length int, at int64) {
		t.Helper()
		want, got := make([]byte, length), make([]byte, length)
		wantN, wantErr := f.ReadAt(want, at)
		gotN, gotErr := r.ReadAt(got, at)
		if gotN != wantN || (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() || string(got) != string(want) {
			t.Errorf("%s: %d bytes at %d: %d, %v; want %d, %v", when, length, at, gotN, gotErr, wantN, wantErr)
		}
	}
	everywhere := func(when string) {
		t.Helper()
		for _, length := range []int{0, 1, 4096, windowSize - 1, windowSize, windowSize + 1, 2 * size} {
			for _, at := range []int64{-1, 0, 1, 4095, windowSize, size - 1, size, size + 1, 1 << 40} {
				same(when, length, at)
			}
		}
	}
	everywhere("written a moment ago")
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), windowSize, windowSize, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, windowSize)
	if n, err := r.ReadAt(got, windowSize/2); n != len(got) || err != nil || string(got) != string(content[windowSize/2:][:windowSize]) {
		t.Errorf("partly on the disk: %d bytes, %v", n, err)
	}
	everywhere("again in memory")
	if err := os.Truncate(path, windowSize+1); err != nil {
		t.Fatal(err)
	}
	everywhere("shorter than it was")
	f.Close()
	same("closed", 1, 0)
}

// TestCachedReadsNeedNoScheduler holds that the first way is taken at all where the file is in memory.
func TestCachedReadsNeedNoScheduler(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, windowSize), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, windowSize)
	if _, err := unix.Preadv2(int(f.Fd()), [][]byte{b}, 0, unix.RWF_NOWAIT); err != nil {
		t.Skipf("this file system does not say what is in memory: %v", err)
	}
	if n := readCached(f.Fd(), b, 0); n != len(b) {
		t.Errorf("%d of %d bytes", n, len(b))
	}
}
