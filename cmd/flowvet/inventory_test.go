package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestSuggestionsPassTheirOwnLint suggests an inventory for every example and lints it as written. Where nobody was
// recognised there is nothing to use: suggest says so, and lint refuses the file for that.
func TestSuggestionsPassTheirOwnLint(t *testing.T) {
	captures, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcaps", "*", "capture.pcap*"))
	if err != nil || len(captures) < 22 {
		t.Fatalf("got %d captures, %v; want those of 22 scenes", len(captures), err)
	}
	for _, path := range captures {
		scene := filepath.Base(filepath.Dir(path))
		t.Run(scene, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), scene+".yaml")
			suggested, said := ran(t, statusGood, "inventory", "suggest", path, "-o", file)
			nobody := strings.Contains(said, "no machine was recognised")
			if suggested != "" || said != "" && !nobody {
				t.Errorf("suggest printed %q and said %q", suggested, said)
			}
			if !nobody {
				ran(t, statusGood, "inventory", "lint", file)
			} else if _, refusal := ran(t, statusUsage, "inventory", "lint", file); !strings.Contains(refusal, "holds only comments") {
				t.Errorf("lint said %q, want that the file holds only comments", refusal)
			}
		})
	}
}

// ran runs a command, wants an exit status of it, and returns what it printed and what it said on standard error.
func ran(t *testing.T, want int, args ...string) (printed, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := run(args, strings.NewReader(""), &stdout, &stderr); status != want {
		t.Errorf("%s: exit status %d, want %d\n%s%s", strings.Join(args, " "), status, want, stdout.String(), stderr.String())
	}
	return stdout.String(), stderr.String()
}
