package live

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"flowvet/capture"
)

// Screen is the cockpit on a terminal: a block of lines that is painted anew once a second, below whatever is written to it.
type Screen struct {
	to     io.Writer
	size   func() (width, height int)
	lock   sync.Mutex
	block  []string // as painted
	closed bool
}

// NewScreen returns a screen on a terminal that has so many columns and lines.
func NewScreen(to io.Writer, size func() (width, height int)) *Screen {
	return &Screen{to: to, size: size}
}

// Write puts whole lines above the block. It implements io.Writer, for a log.
func (s *Screen) Write(b []byte) (int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	var out bytes.Buffer
	s.erase(&out)
	out.Write(b)
	s.paint(&out)
	_, err := s.to.Write(out.Bytes())
	return len(b), err
}

// Judged implements Watcher: the next tick shows it.
func (s *Screen) Judged(*Judgement) {}

// Tick implements Watcher.
func (s *Screen) Tick(status *Status) {
	width, height := s.size()
	s.lock.Lock()
	defer s.lock.Unlock()
	var out bytes.Buffer
	s.erase(&out)
	s.block = cockpit(status, width-1, height)
	s.paint(&out)
	_, _ = s.to.Write(out.Bytes()) // a terminal that is gone is nobody's loss
}

// Close erases the block: a report never finds it in its way.
func (s *Screen) Close() {
	s.lock.Lock()
	defer s.lock.Unlock()
	var out bytes.Buffer
	s.erase(&out)
	s.block, s.closed = nil, true
	_, _ = s.to.Write(out.Bytes())
}

// erase goes back to the beginning of the block and clears what is below.
func (s *Screen) erase(out *bytes.Buffer) {
	if n := len(s.block); n > 0 {
		fmt.Fprintf(out, "\x1b[%dA\r\x1b[J", n)
	}
}

func (s *Screen) paint(out *bytes.Buffer) {
	if s.closed {
		return
	}
	for _, line := range s.block {
		out.WriteString(line)
		out.WriteByte('\n')
	}
}

// How many lines of each kind the cockpit has at most.
const (
	shownWaiting    = 6
	shownHeartbeats = 4
)

// worthSaying is how old the judgement that is shown must be for its age to be shown too: judging comes every second else.
const worthSaying = 3 * time.Second

// cockpit returns the block: what is captured, what is met and what is waited for, what is undocumented, the heartbeats that
// have been silent longest, and how old all that is.
func cockpit(s *Status, width, height int) []string {
	lines := []string{captured(s)}
	if s.Trouble != nil {
		lines = append(lines, fmt.Sprintf("REPORT NOT WRITTEN, %d missed: %v", s.Missed, s.Trouble))
	}
	if s.Last == nil {
		return fitted(append(lines, "nothing judged yet"), width, height)
	}
	lines = append(lines, waiting(s.Last)...)
	if n := s.Last.Counts.Undocumented; n > 0 {
		lines = append(lines, fmt.Sprintf("%d undocumented", n))
	}
	aged := s.Now.Sub(s.Last.At)
	for i := range min(len(s.Last.Heartbeats), shownHeartbeats) {
		lines = append(lines, pulseLine(&s.Last.Heartbeats[i], aged))
	}
	if aged >= worthSaying {
		lines = append(lines, fmt.Sprintf("judged %v ago, which took %v", aged.Round(time.Second), s.Last.Took.Round(10*time.Millisecond)))
	}
	return fitted(lines, width, height)
}

// captured is the line of the capture itself.
func captured(s *Status) string {
	c := &s.Counters
	line := fmt.Sprintf("%s  %d packets", clock(s.Now.Sub(s.Started)), c.Taken)
	if n := len(c.History); n > 0 {
		line += fmt.Sprintf(", %d in the last second", c.History[n-1].Received)
	}
	if part, lost := Lost(c); lost > 0 {
		line += fmt.Sprintf(", %d LOST (%.3f %%)", lost, 100*part)
	} else {
		line += ", none lost"
	}
	if c.Link != capture.LinkUp {
		line += ", BLIND: " + c.Link.String()
	}
	return line
}

// waiting says how many expectations are met, and which are not.
func waiting(s *Standing) []string {
	if s.Wanted == 0 {
		return []string{"nothing is expected"}
	}
	lines := []string{fmt.Sprintf("%d of %d met", s.Met, s.Wanted)}
	if s.Met < s.Wanted {
		lines[0] += ", still waiting for"
	}
	for _, w := range s.Waiting[:min(len(s.Waiting), shownWaiting)] {
		lines = append(lines, "  "+w)
	}
	if more := len(s.Waiting) - shownWaiting; more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines
}

// pulseLine says how long ago a heartbeat was; aged is how long ago that was judged.
func pulseLine(h *Heartbeat, aged time.Duration) string {
	mark := "  "
	if h.Lost() {
		mark = "! "
	}
	return fmt.Sprintf("%severy %v, last %v ago: %s", mark, h.Period, (h.Since + aged).Round(time.Second), conversation(h))
}

// clock writes a duration as hours, minutes and seconds.
func clock(d time.Duration) string {
	s := int(d / time.Second)
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// fitted cuts the lines to the terminal: a line that wraps could not be erased.
func fitted(lines []string, width, height int) []string {
	if height > 1 && len(lines) > height-1 {
		lines = lines[:height-1]
	}
	for i, line := range lines {
		lines[i] = cut(line, width)
	}
	return lines
}

// cut shortens a line to a number of characters.
func cut(line string, width int) string {
	if width <= 0 || len(line) <= width {
		return line
	}
	runes := []rune(line)
	if len(runes) <= width {
		return line
	}
	return strings.TrimRight(string(runes[:width-1]), " ") + "…"
}
