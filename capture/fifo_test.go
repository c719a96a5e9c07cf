//go:build unix

package capture

import (
	"context"
	"os"
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

func TestOpenOfADevice(t *testing.T) {
	_, err := Open([]string{"/dev/zero"}, nil)
	if err == nil || err.Error() != "/dev/zero: not a capture: begins with bytes 0000000000000000" {
		t.Errorf("got %v", err)
	}
}
