package live

import (
	"context"

	"flowvet/capture"
)

// Source is a capture that goes on; [capture.Live] is one.
type Source interface {
	// Run captures until the context is done, which returns nil, or nothing more can be captured.
	Run(ctx context.Context) error
	// Snapshot returns everything since the start, as reading a file of it would. It is valid until the next call.
	Snapshot() *capture.Capture
	// Counters may be called at any time, also while Run does.
	Counters() capture.Counters
}

var _ Source = (*capture.Live)(nil)

// Lost is the part of the packets that did not reach the reader, 0 to 1, and how many they are.
func Lost(c *capture.Counters) (part float64, packets uint64) {
	packets = c.KernelDropped + c.InterfaceDropped
	if packets == 0 {
		return 0, 0
	}
	return float64(packets) / float64(c.Taken+packets), packets
}
