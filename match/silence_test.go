package match

import (
	"testing"
	"time"

	"flowvet/capture"
)

// TestGapsAreNotCaptured holds what a live capture says of its gaps against how long it counts as captured.
func TestGapsAreNotCaptured(t *testing.T) {
	const second = int64(time.Second)
	gap := func(from, to float64, lost, offered uint64) capture.Gap {
		return capture.Gap{From: int64(from * 1e9), To: int64(to * 1e9), Lost: lost, Offered: offered}
	}
	for _, tt := range []struct {
		name     string
		gaps     []capture.Gap
		silences []capture.Run
		seconds  int64 // captured, of a hundred
	}{
		{"none", nil, nil, 100},
		{"the interface was down for ten seconds", []capture.Gap{gap(20, 30, 0, 0)}, nil, 90},
		{"a gap counts in whole seconds, around it", []capture.Gap{gap(20.5, 21.5, 0, 0)}, nil, 98},
		{"one packet of ten thousand was lost", []capture.Gap{gap(20, 30, 1, 10_000)}, nil, 100},
		{"one of a hundred was", []capture.Gap{gap(20, 30, 100, 10_000)}, nil, 90},
		{"a gap in a silence counts once", []capture.Gap{gap(20, 30, 0, 0)}, []capture.Run{{First: 10, Last: 40}}, 70},
		{"a gap that begins in a silence", []capture.Gap{gap(30, 50, 0, 0)}, []capture.Run{{First: 10, Last: 40}}, 60},
		{"two that overlap", []capture.Gap{gap(20, 30, 0, 0), gap(25, 35, 5, 9)}, nil, 85},
		{"one that began before", []capture.Gap{gap(-50, 10, 0, 0)}, nil, 90},
	} {
		p := point{silent: without(tt.silences, blind(tt.gaps))}
		if got := p.captured(0, 100*second); got != time.Duration(tt.seconds*second) {
			t.Errorf("%s: %s captured; want %ds", tt.name, got, tt.seconds)
		}
	}
}
