package capture

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWidenPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	size := func() int {
		n, err := unix.FcntlInt(r.Fd(), unix.F_GETPIPE_SZ, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	widenPipe(r)
	if got := size(); got != pipeSize {
		t.Errorf("a pipe of %d bytes, want %d", got, pipeSize)
	}
	if _, err := unix.FcntlInt(r.Fd(), unix.F_SETPIPE_SZ, 2*pipeSize); err == nil { // as root
		widenPipe(r)
		if got := size(); got != 2*pipeSize {
			t.Errorf("a pipe of 2 MiB was made one of %d bytes", got)
		}
	}
	file, err := os.Open("pipe_linux_test.go")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	widenPipe(file)
	file.Close()
	widenPipe(file)
}
