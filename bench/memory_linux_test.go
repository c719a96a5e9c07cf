package main

import (
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
			file, _ := made(b, "small", 256<<20, flows)
			path := filepath.Join(b.TempDir(), "small.pcap")
			if err := os.WriteFile(path, file, 0o600); err != nil {
				b.Fatal(err)
			}
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
