package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// BenchmarkMemory answers how much memory a whole check needs at its peak, by the number of flows: resident, as the kernel
// counts it, in MiB, on as many processors as there are.
func BenchmarkMemory(b *testing.B) {
	flowvet := filepath.Join(b.TempDir(), "flowvet")
	if out, err := exec.Command("go", "build", "-o", flowvet, "flowvet/cmd/flowvet").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, flows := range []int{1, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(flows), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "small.pcap")
			writeMade(b, path, "small", 256<<20, flows)
			var peak int64 // KiB: getrusage(2)
			for b.Loop() {
				check := exec.Command(flowvet, "check", "-q", path)
				_ = check.Run() // status 3: nobody is a VMware machine
				if code := check.ProcessState.ExitCode(); code != 3 {
					b.Fatalf("exit status %d", code)
				}
				peak = max(peak, check.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
			}
			b.ReportMetric(float64(peak)/1024, "MiB-peak")
		})
	}
}

// writeMade writes a capture that is never in memory: a child's peak counts from what its parent held when it began.
func writeMade(b *testing.B, path, name string, size int64, flows int) {
	b.Helper()
	s, err := shapeNamed(name)
	if err != nil {
		b.Fatal(err)
	}
	s.flows = flows
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := s.write(w, size); err != nil {
		b.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
}
