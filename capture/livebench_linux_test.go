package capture

import (
	"fmt"
	"os"
	"os/exec"
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
	sending := exec.Command(os.Args[0], "-test.run=^TestSendForABenchmark$")
	sending.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", sendVariable, packets, flows))
	if err := sending.Start(); err != nil {
		b.Fatal(err)
	}
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
	if err := sending.Wait(); err != nil {
		b.Fatal(err)
	}
	balance(b, packets, l.end(), l.Counters())
	b.ReportMetric(used.Seconds(), "CPU-s/Mpkt")
	b.ReportMetric(float64(l.Counters().KernelDropped), "dropped")
}

// sendVariable holds how many frames TestSendForABenchmark sends, of how many flows.
const sendVariable = "FLOWVET_TEST_SEND"

// TestSendForABenchmark sends frames as fast as it can. It is a process of its own: in one with the readers, the Go runtime spends
// more on watching a thread that is nearly always in a system call than the readers do on the frames.
func TestSendForABenchmark(t *testing.T) {
	var packets, flows int
	if _, err := fmt.Sscan(os.Getenv(sendVariable), &packets, &flows); err != nil {
		t.Skip("part of BenchmarkLive")
	}
	newSender(t, "wire").send(packets, 0, datagrams(flows))
}

// processorTime returns what this process used, in the system and outside.
func processorTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
