package main

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"flowvet/capture"
)

// progress is one line on a terminal's standard error that says how far the reading is. It appears after a second,
// changes four times a second, and is erased at the end: a report never finds it in its way.
type progress struct {
	to      io.Writer
	width   int
	total   int64 // bytes of all inputs; 0 where one of them does not know its size
	inputs  []counted
	started time.Time
	done    chan struct{}
	ended   sync.WaitGroup
}

// counted is how far one input has been read.
type counted struct {
	bytes   atomic.Int64
	packets atomic.Uint64
}

// patience is how long a run stays silent: most are over by then.
const (
	patience = time.Second
	redraw   = 250 * time.Millisecond
)

// progress starts the line, if standard error is a terminal and the user wants it.
func (p *program) progress(inputs []*capture.Input, quiet bool) *progress {
	bar := &progress{to: p.stderr, width: p.status.width, total: totalSize(inputs), inputs: make([]counted, len(inputs)), done: make(chan struct{})}
	if quiet || !p.status.is {
		return bar
	}
	bar.started = time.Now()
	bar.ended.Go(bar.draw)
	return bar
}

// totalSize adds up the sizes of the inputs; 0 where one is a stream.
func totalSize(inputs []*capture.Input) (total int64) {
	for _, in := range inputs {
		if in.Size <= 0 {
			return 0
		}
		total += in.Size
	}
	return total
}

// of returns the function that the reader of input i reports to.
func (b *progress) of(i int) func(bytes int64, packets uint64) {
	return func(bytes int64, packets uint64) {
		b.inputs[i].bytes.Store(bytes)
		b.inputs[i].packets.Store(packets)
	}
}

// stop ends the line and erases it.
func (b *progress) stop() {
	close(b.done)
	b.ended.Wait()
}

// draw repaints the line until stop.
func (b *progress) draw() {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	drawn := false
	for {
		select {
		case <-b.done:
			if drawn {
				io.WriteString(b.to, "\r\x1b[K")
			}
			return
		case <-wait.C:
			bytes, packets := b.sum()
			fmt.Fprintf(b.to, "\r\x1b[K%s", fit(progressLine(bytes, b.total, packets, time.Since(b.started)), b.width-1))
			drawn = true
			wait.Reset(redraw)
		}
	}
}

// sum adds up how far the inputs are.
func (b *progress) sum() (bytes int64, packets uint64) {
	for i := range b.inputs {
		bytes += b.inputs[i].bytes.Load()
		packets += b.inputs[i].packets.Load()
	}
	return bytes, packets
}

// progressLine is the line: "reading: 1.2 of 4.0 GB, 30 %, 2,400,000 packets/s, 12 s left".
func progressLine(bytes, total int64, packets uint64, spent time.Duration) string {
	rate := float64(packets) / spent.Seconds()
	if total <= 0 || bytes <= 0 || bytes > total {
		return fmt.Sprintf("reading: %s, %.0f packets/s", size(bytes), rate)
	}
	share := float64(bytes) / float64(total)
	left := time.Duration(float64(spent) * (1 - share) / share).Round(time.Second)
	return fmt.Sprintf("reading: %s of %s, %.0f %%, %.0f packets/s, %s left", size(bytes), size(total), share*100, rate, left)
}

// size writes a number of bytes with a unit (powers of 1000, as disks and networks count).
func size(n int64) string {
	units := [...]string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	value, unit := float64(n), 0
	for value >= 1000 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

// fit cuts a line of ASCII to a width.
func fit(line string, width int) string {
	if width > 0 && len(line) > width {
		return line[:width]
	}
	return line
}
