package match

import (
	"cmp"
	"slices"

	"flowvet/capture"
)

// Tunnel is what carried judged and other packets to the place of the capture: how they came, no traffic of a host.
type Tunnel struct {
	capture.Tunnel
	Packets uint64
}

// tunnelsOf lists the tunnels of a table, busiest first.
func tunnelsOf(table *capture.Table) []Tunnel {
	all := make([]Tunnel, 0, len(table.Tunnels))
	for t, n := range table.Tunnels {
		all = append(all, Tunnel{t, n})
	}
	slices.SortFunc(all, func(a, b Tunnel) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), a.Compare(b.Tunnel))
	})
	return all
}
