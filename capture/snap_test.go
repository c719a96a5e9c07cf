package capture

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"flowvet/capture/capturetest"
)

// snapTally is what cutting every frame of some captures to one snap length came to.
type snapTally struct {
	length  int
	holding int // frames that still hold the ports
	found   int // of these, frames in which they were found
	marked  int // of these, frames cut behind the ports, all counted truncated
	before  int // frames cut before their ports, all counted for that reason
}

// add cuts one frame.
func (s *snapTally) add(t *testing.T, f *Frame) {
	t.Helper()
	var whole Packet
	if whole.Decode(f) != Kept || whole.depth > 0 || len(f.Data) <= s.length {
		return
	}
	ports := cap(f.Data) - cap(whole.transport)
	frame := *f
	frame.Data = f.Data[:s.length:s.length]
	var p Packet
	why := p.Decode(&frame)
	if s.length < ports+4 {
		s.before++
		if why != BadTruncated {
			t.Errorf("%x cut to %d, before its ports at %d: %s", f.Data, s.length, ports, describe(&p, why))
		}
		return
	}
	s.holding++
	if why == Kept && p.Src() == whole.Src() && p.Dst() == whole.Dst() && p.Proto == whole.Proto {
		s.found++
	}
	if s.length < ports+len(whole.transport) {
		s.marked++
		if p.Signs&Cut == 0 {
			t.Errorf("%x cut to %d: not marked as cut", f.Data, s.length)
		}
	}
}

// TestFault10SnapLengths cuts every frame of our captures and of those made by others: wherever a frame still holds the
// ports they are found, and what was cut is counted. An untagged IPv4 frame holds them from 38 bytes on.
func TestFault10SnapLengths(t *testing.T) {
	tallies := []*snapTally{{length: 38}, {length: 48}, {length: 54}, {length: 64}, {length: 96}}
	add := func(f *Frame) {
		for _, tally := range tallies {
			tally.add(t, f)
		}
	}
	stories, _ := filepath.Glob(filepath.Join("..", "testdata", "pcaps", "*", "story.txt"))
	for _, path := range stories {
		eachFrameTold(t, path, add)
	}
	others, _ := filepath.Glob(filepath.Join(truthFolder, "captures", "*.pcap"))
	for _, path := range others {
		eachFrameRead(t, path, add)
	}
	for _, s := range tallies {
		t.Logf("snap length %d: ports found in %d of %d frames that hold them, %d of them truncated; %d cut before",
			s.length, s.found, s.holding, s.marked, s.before)
		if s.found != s.holding || s.holding == 0 {
			t.Errorf("snap length %d: ports found in %d of %d frames", s.length, s.found, s.holding)
		}
	}
}

// eachFrameTold makes the frames of a story.
func eachFrameTold(t *testing.T, path string, do func(*Frame)) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := capturetest.Parse(path, string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Frames() {
		do(&Frame{Link: LinkEthernet, WireLen: f.WireLen, Data: f.Data})
	}
}

// eachFrameRead reads the frames of a pcap file up to its end or its damage; other formats have none.
func eachFrameRead(t *testing.T, path string, do func(*Frame)) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := newPcapReader(&stream{window: newWindow(bytes.NewReader(data), int64(len(data)))})
	if err != nil {
		return
	}
	for f := new(Frame); r.Next(f) == nil; {
		do(f)
	}
}
