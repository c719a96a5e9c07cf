package capture

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkLive captures a million frames of 64 bytes, sent as fast as they can be, of one flow in a thousand frames and of a flow for each:
// processor time of this process, with the table, and a snapshot at the end or each second. It runs in a network of its own.
func BenchmarkLive(b *testing.B) {
	const inside = "FLOWVET_TEST_NETWORK"
	if os.Getenv(inside) == "" {
		again := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkLive$", "-test.benchtime=1x")
		again.Env = append(os.Environ(), inside+"=1")
		again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
		out, err := again.CombinedOutput()
		if err != nil {
			b.Skipf("%v: %s", err, out)
		}
		fmt.Printf("%s", out)
		return
	}
	cable(b, "mirror", "wire")
	for _, tt := range []struct {
		name   string
		flows  int
		always bool
	}{
		{"1000-flows", 1000, true}, {"1M-flows", 1 << 20, false}, {"1M-flows-a-snapshot-each-second", 1 << 20, true},
	} {
		b.Run(tt.name, func(b *testing.B) {
			for range b.N {
				benchmarkLive(b, tt.flows, tt.always)
			}
		})
	}
}

func benchmarkLive(b *testing.B, flows int, always bool) {
	const packets = 1_000_000
	l := listen(b, LiveOptions{Interface: "mirror"})
	before := processorTime()
	began := time.Now()
	sent := sendMany(b, packets, flows)
	for n := l.Counters(); n.Received < packets || n.Taken+n.KernelDropped < n.Received; n = l.Counters() {
		if time.Since(began) > time.Minute {
			b.Fatalf("after a minute: %d received, %d taken", n.Received, n.Taken)
		}
		time.Sleep(time.Second)
		if always {
			l.Snapshot()
		}
	}
	l.Snapshot()
	used := processorTime() - before
	took := sent()
	balance(b, packets, l.end(), l.Counters())
	b.ReportMetric(used.Seconds(), "CPU-s/Mpkt")
	b.ReportMetric(packets/took.Seconds()/1e6, "Mpkt/s")
	b.ReportMetric(float64(l.Counters().KernelDropped), "dropped")
}

// sendMany begins to send as fast as a process can. The function that it returns waits for the end and says how long it took.
func sendMany(t testing.TB, packets, flows int) (sent func() time.Duration) {
	t.Helper()
	sending := exec.Command(os.Args[0], "-test.run=^TestSendForABenchmark$")
	sending.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", sendVariable, packets, flows))
	var says bytes.Buffer
	sending.Stdout, sending.Stderr = &says, &says
	began := time.Now()
	if err := sending.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	var took time.Duration
	go func() {
		err := sending.Wait()
		took = time.Since(began)
		ended <- err
	}()
	return func() time.Duration {
		if err := <-ended; err != nil {
			t.Fatalf("%v: %s", err, says.String())
		}
		return took
	}
}

// sendVariable holds how many frames TestSendForABenchmark sends, of how many flows.
const sendVariable = "FLOWVET_TEST_SEND"

// TestSendForABenchmark sends frames as fast as it can, from two threads: one cannot fill the other processor. It is a process of
// its own: in one with the readers, the Go runtime spends more on watching threads that are nearly always in a system call than
// the readers do on the frames.
func TestSendForABenchmark(t *testing.T) {
	var packets, flows int
	if _, err := fmt.Sscan(os.Getenv(sendVariable), &packets, &flows); err != nil {
		t.Skip("part of others")
	}
	const threads = 2
	var all sync.WaitGroup
	for i := range threads {
		wire, frame, share := newSender(t, "wire"), datagrams(flows), packets/threads
		all.Go(func() {
			if err := wire.Send(share, 0, func(n int) []byte { return frame(i*share + n) }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// processorTime returns what this process used, in the system and outside.
func processorTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
