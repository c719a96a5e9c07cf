package capture

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestInterruptBeforeTheFirstByteIsSaid(t *testing.T) {
	silent, feed := io.Pipe()
	defer feed.Close()
	done := make(chan struct{})
	close(done)
	_, err := Open([]string{"-"}, Patient(silent, done))
	if err == nil || err.Error() != "standard input: interrupted before it said what it is" {
		t.Errorf("got %v", err)
	}
}

func TestInterruptEndsReadingOfASilentPipe(t *testing.T) {
	silent, feed := io.Pipe()
	defer feed.Close()
	done := make(chan struct{})
	r := Patient(silent, done)
	go func() {
		io.WriteString(feed, "what was sent")
		close(done)
	}()
	got, err := io.ReadAll(r)
	if !errors.Is(err, os.ErrDeadlineExceeded) || (string(got) != "what was sent" && len(got) > 0) {
		t.Errorf("read %q, %v; want what was sent, or nothing, and %v", got, err, os.ErrDeadlineExceeded)
	}
}

func TestReadAheadDeliversEveryByteAndTheError(t *testing.T) {
	want := strings.Repeat("0123456789", aheadChunks*aheadChunk/5)
	broken := errors.New("broken")
	r := newAhead(&endsReader{Reader: strings.NewReader(want), left: len(want), then: func() error { return broken }}, nil)
	got, err := io.ReadAll(r)
	if string(got) != want || !errors.Is(err, broken) {
		t.Errorf("read %d bytes and %v, want %d and %v", len(got), err, len(want), broken)
	}
}

// TestFilesNeedNoPatience holds that a regular file is read by whoever wants it, and a pipe is not.
func TestFilesNeedNoPatience(t *testing.T) {
	f, err := os.Open("ahead_test.go")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if got := Patient(f, nil); got != io.Reader(f) {
		t.Errorf("a file is read through %T", got)
	}
	if _, ok := Patient(r, nil).(*ahead); !ok {
		t.Error("a pipe is not read ahead")
	}
}
