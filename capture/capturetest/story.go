package capturetest

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

// Frame is one frame of a story.
type Frame struct {
	Time    time.Time
	WireLen int    // bytes on the wire; len(Data) is less where the frame was cut
	Data    []byte // from the link header on, in the link type of the story's file line
}

// Story is a parsed story. It never changes once parsed.
type Story struct {
	start  time.Time
	file   fileFormat
	hosts  map[string]host
	frames []Frame
}

// Parse reads a story. The name stands before the line number in errors: "name:12: ...".
func Parse(name, text string) (*Story, error) {
	p := newParser(name)
	if err := p.parse(text); err != nil {
		return nil, err
	}
	s := &Story{start: p.start, file: p.file, hosts: p.hosts}
	w := newWire(p)
	slices.SortStableFunc(p.events, byTime)
	size := 0
	for _, e := range p.events {
		frames, err := w.frames(e)
		for _, f := range frames {
			size += f.WireLen
		}
		if err == nil && size > maxBytes {
			err = fmt.Errorf("a story holds at most %d bytes", maxBytes)
		}
		if err != nil {
			return nil, &lineError{name, e.line, err}
		}
		s.frames = append(s.frames, frames...)
	}
	slices.SortStableFunc(s.frames, func(a, b Frame) int { return a.Time.Compare(b.Time) })
	return s, nil
}

// Frames returns the frames in the order of their times, those of one time in the order of their lines.
func (s *Story) Frames() []Frame { return slices.Clone(s.frames) }

// Addr returns the address of a host the story declares, and the zero Addr for a name it does not.
func (s *Story) Addr(name string) netip.Addr { return s.hosts[name].addr }

// Start returns the time of second 0.
func (s *Story) Start() time.Time { return s.start }

// Pcap returns the story as a capture file, in the format of its file line.
func (s *Story) Pcap() []byte {
	if s.file.pcapng {
		return s.pcapng()
	}
	return s.pcap()
}

// WriteFile writes the capture file to path.
func (s *Story) WriteFile(path string) error { return os.WriteFile(path, s.Pcap(), 0o644) }

// Must returns the capture file of a story and fails the test where the text is no story.
func Must(t testing.TB, text string) []byte {
	t.Helper()
	s, err := Parse("story", text)
	if err != nil {
		t.Fatal(err)
	}
	return s.Pcap()
}
