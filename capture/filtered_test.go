package capture

import (
	"bytes"
	"context"
	"testing"

	"flowvet/capture/capturetest"
)

// TestFilterCountsWhatItDoesNotKeep: what a filter leaves out is read, and ignored as filtered; what it is by its link header
// is known all the same, and so is the time that the capture covers.
func TestFilterCountsWhatItDoesNotKeep(t *testing.T) {
	story, err := capturetest.Parse("filtered", `start 2015-10-21T10:00:00Z
host A 10.0.0.1
host B 10.0.0.2
0 arp A > B reply
1 A:40000 > B:443/tcp session 100 100
2 A:40001 > B:53/udp 40 answer 90
60 ping A > B
`)
	if err != nil {
		t.Fatal(err)
	}
	read := func(filter func(*Frame) bool) *Capture {
		inputs, err := Open([]string{"-"}, bytes.NewReader(story.Pcap()))
		if err != nil {
			t.Fatal(err)
		}
		return inputs[0].Read(context.Background(), Options{Filter: filter})
	}
	whole := read(nil)
	isUDP := func(f *Frame) bool { return len(f.Data) > 23 && f.Data[12] == 8 && f.Data[13] == 0 && f.Data[23] == 17 }
	c := read(isUDP)
	s := &c.Table.Stats
	if s.Flowed != 2 || s.Skipped[IgnoredFiltered] != s.Read-2 || s.Read != whole.Table.Stats.Read || !s.Balanced() {
		t.Errorf("read %d, judged %d, filtered %d, balanced %t; want 2 judged of %d, the rest filtered",
			s.Read, s.Flowed, s.Skipped[IgnoredFiltered], s.Balanced(), whole.Table.Stats.Read)
	}
	if s.Broadcasts != whole.Table.Stats.Broadcasts || c.First != whole.First || c.Last != whole.Last {
		t.Errorf("%d broadcasts from %d to %d; want those of the whole: %d from %d to %d",
			s.Broadcasts, c.First, c.Last, whole.Table.Stats.Broadcasts, whole.First, whole.Last)
	}
	if len(c.Table.Others) != 0 {
		t.Errorf("%v witnessed by what the filter left out", c.Table.Others)
	}
}

func TestFilterCutForRoomIsNoOtherFilter(t *testing.T) {
	r := &pcapngReader{}
	recorded := append([]byte{0}, "not port 22 and host 10.0.0.5"...)
	if got := r.filterText(recorded); got != "not port 22 and host 10.0.0.5" {
		t.Errorf("%q", got)
	}
	r.notes.size = maxNotes
	if got := r.filterText(recorded); got != "not port 22 and …" {
		t.Errorf("cut for room: %q, want it marked", got)
	}
}
