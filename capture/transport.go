package capture

import (
	"cmp"
	"slices"
)

// MaxTunnels caps the tunnels a table keeps: the first by kind and ends. Stats.TunnelsUncounted says how many packets came
// through the others.
const MaxTunnels = 4096

// conduit is a Tunnel without a pointer.
type conduit struct {
	from, to address
	family   family
	kind     TunnelKind
}

func (c *conduit) tunnel() Tunnel {
	return Tunnel{c.kind, c.from.addrPort(c.family, 0).Addr(), c.to.addrPort(c.family, 0).Addr()}
}

// Compare orders tunnels by kind, then by their ends.
func (t Tunnel) Compare(o Tunnel) int {
	return cmp.Or(cmp.Compare(t.Kind, o.Kind), t.From.Compare(o.From), t.To.Compare(o.To))
}

// addTunnel counts a packet that came through a tunnel. Twice the cap are held at most.
func (t *Table) addTunnel(c conduit) {
	if t.tunnels == nil {
		t.tunnels = make(map[conduit]uint64)
	}
	t.tunnels[c]++
	if len(t.tunnels) >= MaxTunnels {
		t.settleTunnels()
	}
}

// settleTunnels completes Tunnels. What is dropped has a full table of smaller ones before it, now and from now on, so that
// the same are left whatever the order of packets and tables.
func (t *Table) settleTunnels() {
	for c, n := range t.tunnels {
		count(&t.Tunnels, c.tunnel(), n)
	}
	clear(t.tunnels)
	if len(t.Tunnels) <= MaxTunnels {
		return
	}
	all := make([]Tunnel, 0, len(t.Tunnels))
	for tunnel := range t.Tunnels {
		all = append(all, tunnel)
	}
	slices.SortFunc(all, Tunnel.Compare)
	for _, tunnel := range all[MaxTunnels:] {
		t.Stats.TunnelsUncounted += t.Tunnels[tunnel]
		delete(t.Tunnels, tunnel)
	}
}

// mergeTransport adds the tunnels and events of u; both tables are settled.
func (t *Table) mergeTransport(u *Table) {
	for tunnel, n := range u.Tunnels {
		count(&t.Tunnels, tunnel, n)
	}
	t.Events = append(t.Events, u.Events...)
	t.settleTransport()
}

// settleTransport completes Tunnels and Events.
func (t *Table) settleTransport() {
	t.settleTunnels()
	t.settleEvents()
}
