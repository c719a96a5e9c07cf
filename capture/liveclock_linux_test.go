package capture

import (
	"testing"
	"time"
)

// TestTheClockOfACardIsBelievedWithinBounds gives frames the stamps of a network card: one that is right, and one that is wrong,
// after which the machine's clock is taken for good.
func TestTheClockOfACardIsBelievedWithinBounds(t *testing.T) {
	const noSocket = -1
	for _, tt := range []struct {
		name     string
		off      time.Duration
		believed bool
	}{
		{"as the machine's", 0, true},
		{"a frame that waited in the ring", -30 * time.Second, true},
		{"half a second ahead", time.Second / 2, true},
		{"an hour ahead", time.Hour, false},
		{"never set", -50 * 365 * 24 * time.Hour, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var clock hardwareClock
			stamp := time.Now().Add(tt.off).UnixNano()
			if got := clock.check(noSocket, stamp) == stamp; got != tt.believed || clock.disbelieved.Load() == tt.believed {
				t.Errorf("believed: %v, want %v", got, tt.believed)
			}
			now := time.Now().UnixNano()
			if got := clock.check(noSocket, now); !tt.believed && got < now {
				t.Errorf("after a wrong stamp the frame is of %d, before %d", got, now)
			}
		})
	}
}
