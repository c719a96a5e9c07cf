package capture

import (
	"errors"
	"io"
)

// window reads a stream through a buffer in which a record can be looked at whole before any of it is consumed. The buffer
// grows only when it is full of bytes that were really there, never to the measure of a length that the input states.
type window struct {
	r      io.Reader
	buf    []byte
	lo, hi int      // unread bytes are buf[lo:hi]
	base   int64    // offset in the stream of buf[0]
	err    error    // of the last read; io.EOF at the end
	next   *prefill // what another goroutine reads of the same file; nil: nothing
}

const (
	windowSize    = 256 << 10 // a processor's own cache holds this much beside the flows: with 1 MiB 200,000 flows took a quarter longer (November 2026)
	windowSizeMin = 4 << 10
)

// newWindow returns a window over r. size is the number of bytes expected, or less than 0; it only saves memory.
func newWindow(r io.Reader, size int64) *window {
	n := int64(windowSize)
	if size >= 0 {
		n = min(n, max(size, windowSizeMin))
	}
	return &window{r: r, buf: make([]byte, n)}
}

// offset is where the next byte to be consumed lies in the stream.
func (w *window) offset() int64 { return w.base + int64(w.lo) }

// peek returns the next n bytes without consuming them, or fewer when the stream ends before; then err says why. They are
// valid until the next call of peek or skip.
func (w *window) peek(n int) []byte {
	if w.hi-w.lo < n {
		w.fill(n)
	}
	return w.buf[w.lo:min(w.lo+n, w.hi)]
}

// advance consumes n bytes that peek returned.
func (w *window) advance(n int) { w.lo += n }

// fill reads until n bytes are there or the stream ends.
func (w *window) fill(n int) {
	for w.hi-w.lo < n && w.err == nil {
		if w.next != nil && w.next.exchange(w) {
			continue
		}
		if w.lo > 0 {
			w.base += int64(w.lo)
			w.hi = copy(w.buf, w.buf[w.lo:w.hi])
			w.lo = 0
		}
		if w.hi == len(w.buf) {
			w.buf = append(w.buf, make([]byte, len(w.buf))...)
		}
		w.read()
	}
}

// read reads once. A reader that returns nothing a hundred times in a row is broken.
func (w *window) read() {
	for range 100 {
		n, err := w.r.Read(w.buf[w.hi:])
		w.hi += n
		w.err = err
		if n > 0 || err != nil {
			return
		}
	}
	w.err = io.ErrNoProgress
}

// skip consumes n bytes and reports whether that many were there.
func (w *window) skip(n int64) bool {
	for n > 0 {
		step := int(min(n, int64(len(w.buf))))
		got := len(w.peek(step))
		w.advance(got)
		if got < step {
			return false
		}
		n -= int64(got)
	}
	return true
}

// failure returns the error that ended the stream unless it was its end.
func (w *window) failure() error {
	if w.err == nil || errors.Is(w.err, io.EOF) {
		return nil
	}
	return w.err
}
