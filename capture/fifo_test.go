//go:build unix

package capture

import (
	"context"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"
)

func TestOpenOfAPipeNobodyWritesInto(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Skip(err)
	}
	start := time.Now()
	_, err := Open([]string{"pipe"}, nil)
	if err == nil || err.Error() != "pipe: empty: nobody writes into this pipe" {
		t.Errorf("got %v", err)
	}
	if waited := time.Since(start); waited > 5*pipePatience {
		t.Errorf("waited %v", waited)
	}
}

func TestOpenOfAPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Skip(err)
	}
	written := make(chan error)
	go func() { written <- os.WriteFile("pipe", pcapOf(5000, 3), 0o600) }()
	inputs, err := Open([]string{"pipe"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := inputs[0].Read(context.Background(), Options{})
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if c.Damage != nil || c.Table.Stats.Flowed != 5000 {
		t.Errorf("%d packets, damage %v", c.Table.Stats.Flowed, c.Damage)
	}
}

// TestInterruptOfASilentPipe holds that an interrupt ends reading of a pipe whose writer stays silent, and that nobody goes on
// waiting for it.
func TestInterruptOfASilentPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Skip(err)
	}
	before := runtime.NumGoroutine()
	silent := make(chan struct{})
	go func() {
		w, err := os.OpenFile("pipe", os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer w.Close()
		_, _ = w.Write(pcapOf(5000, 3))
		<-silent
	}()
	inputs, err := Open([]string{"pipe"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	c := inputs[0].Read(ctx, Options{aside: true})
	close(silent)
	if !c.Interrupted || c.Damage != nil || !c.Table.Stats.Balanced() {
		t.Errorf("%d packets, interrupted %v, damage %v", c.Table.Stats.Flowed, c.Interrupted, c.Damage)
	}
	for patience := 1000; runtime.NumGoroutine() > before && patience > 0; patience-- {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestOpenOfADevice(t *testing.T) {
	_, err := Open([]string{"/dev/zero"}, nil)
	if err == nil || err.Error() != "/dev/zero: not a capture: begins with bytes 0000000000000000" {
		t.Errorf("got %v", err)
	}
}
