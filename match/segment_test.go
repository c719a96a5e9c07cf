package match

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/catalog"
)

// judgedBySegment judges a story with VLANs told apart or not.
func judgedBySegment(t *testing.T, story string, segments bool) *Result {
	t.Helper()
	s, err := capturetest.Parse("segments", story)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "segments.pcap")
	if err := os.WriteFile(name, s.Pcap(), 0o600); err != nil {
		t.Fatal(err)
	}
	inputs, err := capture.Open([]string{name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := inputs[0].Read(context.Background(), capture.Options{Segments: segments})
	r, err := Evaluate(Grounds{Catalog: catalog.Default(), Inventory: esxHosts(t), FailOn: LevelError, AsOf: time.Unix(0, 0)}, []*capture.Capture{c})
	if err != nil {
		t.Fatal(err)
	}
	if r.Status == 70 {
		t.Fatal(r.StatusWhy)
	}
	return r
}

const twoVLANs = `
0 10.1.1.1:50001 > 10.1.0.7:23/tcp refused vlan=10
1 10.1.1.1:50002 > 10.1.0.7:23/tcp session 20 20 vlan=20
2 10.1.1.1:50003 > 10.1.0.7:23/tcp session 20 20 vlan=20
3 10.1.0.7:50000 > 10.1.1.1:902/udp 300 vlan=10
4 10.1.0.7:50000 > 10.1.1.1:902/udp 300
90 arp 10.1.1.1 > 10.1.0.7
`

// TestSegmentsAreConversationsOfTheirOwn sends the same telnet in two VLANs. It is refused in one of them, and that is
// lost where the VLANs are not told apart.
func TestSegmentsAreConversationsOfTheirOwn(t *testing.T) {
	type telnet struct {
		segment capture.Segment
		outcome Outcome
		flows   int
		filter  string
	}
	const pair = "ip.addr == 10.1.1.1 && ip.addr == 10.1.0.7 && tcp.port == 23"
	tests := []struct {
		segments bool
		want     []telnet
	}{
		{false, []telnet{{0, Success, 3, pair}}},
		{true, []telnet{{11, Refused, 1, "vlan.id == 10 && " + pair}, {21, Success, 2, "vlan.id == 20 && " + pair}}},
	}
	for _, tt := range tests {
		r := judgedBySegment(t, twoVLANs, tt.segments)
		var got []telnet
		seen := map[string]bool{}
		for _, f := range r.Findings.All() {
			if seen[f.ID()] {
				t.Errorf("two findings have the id %s", f.ID())
			}
			seen[f.ID()] = true
			if f.Port == 23 {
				got = append(got, telnet{f.Segment, f.Outcome, f.Flows, f.Filter()})
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("segments %v: %v, want %v", tt.segments, got, tt.want)
		}
	}
}

// TestFindingWithoutSegmentKeepsItsID holds that telling VLANs apart renames nothing that has no tag.
func TestFindingWithoutSegmentKeepsItsID(t *testing.T) {
	heartbeat := func(r *Result) (ids []string) {
		for _, f := range r.Findings.All() {
			if f.Port == 902 && f.Segment == 0 {
				ids = append(ids, f.ID())
			}
		}
		return ids
	}
	one, two := heartbeat(judgedBySegment(t, twoVLANs, false)), heartbeat(judgedBySegment(t, twoVLANs, true))
	if len(one) != 1 || !slices.Equal(one, two) {
		t.Errorf("ids %v and %v, want the same one", one, two)
	}
}

// TestAnswersOfAnotherSegmentProveNothing: that frames of a host are seen in one VLAN does not show that its answer would
// have been seen in another.
func TestAnswersOfAnotherSegmentProveNothing(t *testing.T) {
	const story = `
0 10.1.1.1:50001 > 10.1.0.7:23/tcp S vlan=10
1 10.1.1.1:50002 > 10.1.0.7:443/tcp session 20 20 vlan=20
90 arp 10.1.1.1 > 10.1.0.7
`
	for segments, want := range map[bool]Outcome{false: Unanswered, true: OneSided} {
		r := judgedBySegment(t, story, segments)
		for _, f := range r.Findings.All() {
			if f.Port == 23 && f.Outcome != want {
				t.Errorf("segments %v: %v, want %v", segments, f.Outcome, want)
			}
		}
	}
}
