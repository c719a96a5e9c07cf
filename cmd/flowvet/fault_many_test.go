package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flowvet/capture/capturetest"
)

// TestFault09ManyFiles judges folders of 1,000 captures (10,000 where FLOWVET_FULL is set): one after the other, all of one
// time, or all the same. Every packet is read, and no more descriptors are open than workers need.
func TestFault09ManyFiles(t *testing.T) {
	files := 1000
	if os.Getenv("FLOWVET_FULL") != "" {
		files = 10_000
	}
	frames := heartbeats(t)
	for what, shift := range map[string]time.Duration{"one after the other": 200 * time.Second, "at one time": time.Millisecond, "all the same": 0} {
		t.Run(what, func(t *testing.T) {
			folder := t.TempDir()
			for n := range files {
				path := filepath.Join(folder, fmt.Sprintf("%05d.pcap", n))
				if err := os.WriteFile(path, pcapOf(later(frames, time.Duration(n)*shift)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := openDescriptors()
			most, stop, done := before, make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
						most = max(most, openDescriptors())
					}
				}
			}()
			start := time.Now()
			var stdout bytes.Buffer
			run([]string{"check", folder, "--json"}, strings.NewReader(""), &stdout, io.Discard)
			took := time.Since(start)
			close(stop)
			<-done
			var j judged
			if err := json.Unmarshal(stdout.Bytes(), &j); err != nil {
				t.Fatal(err)
			}
			if want := uint64(files * len(frames)); j.Stats.Read != want || !j.Stats.Balanced {
				t.Errorf("%d packets read, want %d", j.Stats.Read, want)
			}
			if most > before+32 {
				t.Errorf("%d descriptors at most, %d before", most, before)
			}
			if took > 2*time.Minute {
				t.Errorf("took %v", took)
			}
			t.Logf("%d files in %v, %d descriptors at most, %d before", files, took.Round(time.Millisecond), most, before)
		})
	}
}

// later moves frames in time.
func later(frames []capturetest.Frame, d time.Duration) []capturetest.Frame {
	all := make([]capturetest.Frame, len(frames))
	for i, f := range frames {
		f.Time = f.Time.Add(d)
		all[i] = f
	}
	return all
}
