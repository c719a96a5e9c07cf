package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestTheWorstStatusWins(t *testing.T) {
	order := []int{statusInternal, statusOutput, statusPartial, statusFindings, statusUnjudged, statusGood}
	for i, high := range order {
		for _, low := range order[i:] {
			if got := worse(high, low); got != high {
				t.Errorf("worse(%d, %d) = %d, want %d", high, low, got, high)
			}
			if got := worse(low, high); got != high {
				t.Errorf("worse(%d, %d) = %d, want %d", low, high, got, high)
			}
		}
	}
}

// brokenWriter fails as a full disk or a closed pipe does.
type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestOutputThatCannotBeWritten(t *testing.T) {
	for _, test := range []struct {
		what string
		err  error
		says string
	}{
		{"a full disk is said", syscall.ENOSPC, "flowvet: standard output: no space left on device\n"},
		{"a closed pipe is not", syscall.EPIPE, ""},
		{"nor a closed pipe inside another error", fmt.Errorf("write: %w", syscall.EPIPE), ""},
	} {
		t.Run(test.what, func(t *testing.T) {
			var stderr bytes.Buffer
			status := run([]string{"version"}, strings.NewReader(""), brokenWriter{test.err}, &stderr)
			if status != statusOutput || stderr.String() != test.says {
				t.Errorf("got status %d and %q, want %d and %q", status, stderr.String(), statusOutput, test.says)
			}
		})
	}
}

func TestMessagesShowControlCharacters(t *testing.T) {
	var stderr bytes.Buffer
	run([]string{"check", "no\x1b]52;c;Y2F0\x07such.pcap"}, strings.NewReader(""), io.Discard, &stderr)
	if strings.ContainsAny(stderr.String(), "\x1b\x07") {
		t.Errorf("a control character reached the terminal: %q", stderr.String())
	}
}

func TestEveryInputIsVisitedOnce(t *testing.T) {
	const n = 1000
	var visits [n]atomic.Int32
	each(n, 7, func(i int) { visits[i].Add(1) })
	for i := range visits {
		if got := visits[i].Load(); got != 1 {
			t.Errorf("item %d: visited %d times, want 1", i, got)
		}
	}
}

func TestPanicOfAWorkerIsOneOfTheCaller(t *testing.T) {
	defer func() {
		if fault := recover(); fault == nil || !strings.Contains(fmt.Sprint(fault), "item 3") {
			t.Errorf("recovered %v, want the panic of item 3", fault)
		}
	}()
	each(100, 2, func(i int) {
		if i == 3 {
			panic("item 3")
		}
	})
}

func TestProgressLine(t *testing.T) {
	for _, test := range []struct {
		bytes, total int64
		packets      uint64
		spent        time.Duration
		want         string
	}{
		{0, 4e9, 0, time.Second, "reading: 0 B, 0 packets/s"},
		{1e9, 4e9, 10e6, 2 * time.Second, "reading: 1.0 GB of 4.0 GB, 25 %, 5000000 packets/s, 6s left"},
		{999, 0, 10, time.Second, "reading: 999 B, 10 packets/s"},
		{5e9, 4e9, 10, time.Second, "reading: 5.0 GB, 10 packets/s"},
	} {
		if got := progressLine(test.bytes, test.total, test.packets, test.spent); got != test.want {
			t.Errorf("progressLine(%d, %d, %d, %v) = %q, want %q", test.bytes, test.total, test.packets, test.spent, got, test.want)
		}
	}
}

func TestColour(t *testing.T) {
	for _, test := range []struct {
		what          string
		is            bool
		mode          string
		noColor, term string
		want          bool
	}{
		{"a terminal is coloured", true, "auto", "", "xterm", true},
		{"a pipe is not", false, "auto", "", "xterm", false},
		{"NO_COLOR is heard", true, "auto", "1", "xterm", false},
		{"a dumb terminal is not coloured", true, "auto", "", "dumb", false},
		{"always is always", false, "always", "1", "dumb", true},
		{"never is never", true, "never", "", "xterm", false},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Setenv("NO_COLOR", test.noColor)
			t.Setenv("TERM", test.term)
			if got := (terminal{is: test.is}).colour(test.mode); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestWidthWithoutATerminal(t *testing.T) {
	for columns, want := range map[string]int{"": plainWidth, "60": 60, "-3": plainWidth, "wide": plainWidth} {
		t.Setenv("COLUMNS", columns)
		if got := terminalOf(io.Discard).width; got != want {
			t.Errorf("COLUMNS=%q: width %d, want %d", columns, got, want)
		}
	}
}
