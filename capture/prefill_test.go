package capture

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// TestWindowsFilledByAnotherReadAlike holds that a window gives the bytes of its file in their order, whoever reads them, and however
// much of them it still has when it takes more.
func TestWindowsFilledByAnotherReadAlike(t *testing.T) {
	data := make([]byte, 20*windowSize+12345)
	rng := rand.New(rand.NewPCG(4, 1))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	for _, tt := range []struct {
		name string
		most int // bytes peeked at
	}{
		{"packets of the usual size", 1500},
		{"packets that fill most of the room", prefillRoom},
		{"packets larger than the room", 2 * prefillRoom},
		{"packets larger than a window", 2 * windowSize},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
			w := newWindow(file, file.Size())
			w.next = &prefill{file: file}
			var helped atomic.Int32
			var ended atomic.Bool
			var other sync.WaitGroup
			other.Go(func() {
				for !ended.Load() {
					if w.next.help() {
						helped.Add(1)
					}
				}
			})
			for w.err == nil {
				if rng.IntN(4) == 0 && w.next.help() { // where there is one processor, the other may never run
					helped.Add(1)
				}
				n := 1 + rng.IntN(tt.most)
				at := int(w.offset())
				got := w.peek(n)
				if want := data[at:min(at+n, len(data))]; !bytes.Equal(got, want) {
					t.Fatalf("%d bytes at %d, want %d, or others", len(got), at, len(want))
				}
				w.advance(rng.IntN(len(got) + 1))
			}
			ended.Store(true)
			other.Wait()
			if at := int(w.offset()); !errors.Is(w.err, io.EOF) || at+w.hi-w.lo != len(data) {
				t.Errorf("ended at %d of %d: %v", at, len(data), w.err)
			}
			if helped.Load() == 0 {
				t.Error("nothing was read by the other")
			}
		})
	}
}

// TestWhatCannotBeReadIsLeftToTheWindow holds that an error met by the other is one of the window, where it reads.
func TestWhatCannotBeReadIsLeftToTheWindow(t *testing.T) {
	broken := errors.New("the disk is gone")
	data := bytes.Repeat([]byte("packet"), windowSize/3)
	file := io.NewSectionReader(&breaksAt{bytes.NewReader(data), int64(windowSize + 10), broken}, 0, int64(len(data)))
	w := newWindow(file, file.Size())
	w.next = &prefill{file: file}
	w.advance(len(w.peek(windowSize)))
	if !w.next.help() {
		t.Error("ten bytes could be read, and were not")
	}
	w.advance(len(w.peek(10)))
	if w.next.help() {
		t.Error("behind the break something was read")
	}
	if got := w.peek(1); len(got) > 0 || !errors.Is(w.failure(), broken) || w.offset() != windowSize+10 {
		t.Errorf("%d bytes at %d: %v, want %v", len(got), w.offset(), w.failure(), broken)
	}
}

// breaksAt is a file that cannot be read from some place on.
type breaksAt struct {
	io.ReaderAt
	at  int64
	err error
}

func (r *breaksAt) ReadAt(b []byte, at int64) (int, error) {
	if at >= r.at {
		return 0, r.err
	}
	if n := r.at - at; int64(len(b)) > n {
		got, _ := r.ReaderAt.ReadAt(b[:n], at)
		return got, r.err
	}
	return r.ReaderAt.ReadAt(b, at)
}
