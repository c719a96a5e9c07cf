package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkCheck answers how long a whole check takes, of the captures that FLOWVET_CAPTURES names, separated like a PATH. With
// -cpuprofile default.pgo it says to the compiler where the time goes.
func BenchmarkCheck(b *testing.B) {
	captures := filepath.SplitList(os.Getenv("FLOWVET_CAPTURES"))
	if len(captures) == 0 {
		captures = []string{"../../testdata/pcaps/vmotion/capture.pcapng"}
	}
	for _, name := range captures {
		b.Run(filepath.Base(name), func(b *testing.B) {
			for b.Loop() {
				var told strings.Builder
				if status := run([]string{"check", "--format", "text", name}, strings.NewReader(""), io.Discard, &told); status == statusUsage || status > statusUnjudged {
					b.Fatalf("exit status %d: %s", status, told.String())
				}
			}
		})
	}
}
