package match

import "testing"

// TestLostPausesProveNothing holds that a capture whose table lost when flows paused proves no absence.
func TestLostPausesProveNothing(t *testing.T) {
	for joined, want := range map[uint64]bool{0: false, 1: true} {
		p := point{info: CaptureInfo{Name: "long.pcap", DropsRecorded: true, SecondsJoined: joined}}
		if why, limited := p.limit(); limited != want {
			t.Errorf("%d pauses lost: %v (%v), want %v", joined, limited, why, want)
		}
	}
}
