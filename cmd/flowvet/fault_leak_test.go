package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestFault45NothingLeaks judges and records captures a thousand times: whole, cut, compressed, missing, by standard input,
// from a folder. Goroutines and descriptors are as many at the end as after the first fifty.
func TestFault45NothingLeaks(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 100
	}
	whole := pcapOf(heartbeats(t))
	t.Chdir(t.TempDir())
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"whole.pcap": whole, "folder/cut.pcap": whole[:len(whole)-7], "folder/other.pcap": whole, "text": []byte("no capture\n"),
		"whole.pcap.gz": gzipped(t, whole), "cut.pcap.gz": gzipped(t, whole)[:300], "text.gz": gzipped(t, []byte("no capture\n")),
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	commands := [][]string{
		{"check", "whole.pcap"},
		{"check", "folder"},
		{"check", "-"},
		{"check", "missing"},
		{"check", "text"},
		{"check", "whole.pcap", "text"},
		{"check", "whole.pcap.gz"},
		{"check", "cut.pcap.gz"},
		{"check", "text.gz"},
		{"check", "folder", "--format", "json=report.json"},
		{"record", "folder", "-o", "a.flows"},
		{"check", "a.flows"},
		{"inventory", "suggest", "folder"},
	}
	var goroutines, descriptors int
	for n := range rounds {
		run(commands[n%len(commands)], bytes.NewReader(whole), io.Discard, io.Discard)
		if n == 50 {
			goroutines, descriptors = settled(runtime.NumGoroutine, 0), openDescriptors()
		}
	}
	if got := settled(runtime.NumGoroutine, goroutines); got > goroutines {
		t.Errorf("%d goroutines after %d runs, %d after 50:\n%s", got, rounds, goroutines, stacks())
	}
	if got := openDescriptors(); got > descriptors {
		t.Errorf("%d descriptors after %d runs, %d after 50", got, rounds, descriptors)
	}
	t.Logf("%d runs: %d goroutines, %d descriptors", rounds, runtime.NumGoroutine(), openDescriptors())
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// settled waits up to two seconds for a count to fall to want.
func settled(count func() int, want int) int {
	for range 200 {
		if count() <= want {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return count()
}

// openDescriptors counts the process's open files; 0 where the system does not say.
func openDescriptors() int {
	entries, err := os.ReadDir(filepath.Join("/proc", "self", "fd"))
	if err != nil {
		return 0
	}
	return len(entries)
}

func stacks() string {
	buffer := make([]byte, 1<<16)
	return strings.TrimSpace(string(buffer[:runtime.Stack(buffer, true)]))
}
