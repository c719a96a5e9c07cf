package capture

import "net/netip"

// Table is a set of flows and what was counted besides. The zero value is ready. One goroutine at a time.
type Table struct {
	Stats Stats
	// Others is who was seen sending to whom in IP packets that make no flow (ICMP and other protocols): evidence that
	// the capture sees that direction.
	Others map[Pair]Seconds
}

// Merge adds everything u holds to t. The order of merges does not matter. u must not be used afterwards.
func (t *Table) Merge(u *Table) {}

// Len returns the number of flows.
func (t *Table) Len() int { return 0 }

// Flows yields every flow in no particular order.
func (t *Table) Flows(yield func(Flow) bool) {}

var _ = netip.Addr{}
