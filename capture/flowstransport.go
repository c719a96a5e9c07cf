package capture

import (
	"maps"
	"slices"
)

// tunnels writes what carried packets.
func (f *flowsWriter) tunnels(c *Capture) {
	for _, t := range slices.SortedFunc(maps.Keys(c.Table.Tunnels), Tunnel.Compare) {
		f.section.byte(byte(t.Kind))
		f.section.flag(t.From.Is6())
		f.section.address(0, t.From)
		f.section.address(1, t.To)
		f.section.number(c.Table.Tunnels[t])
		f.flushFull(sectionTunnels)
	}
	f.flushRest(sectionTunnels)
}

// takeTunnel reads one tunnel into t, after the tunnel before.
func (d *decoder) takeTunnel(t *Table, before Tunnel) Tunnel {
	kind, six := TunnelKind(d.byte()), d.flag()
	tunnel := Tunnel{Kind: kind, From: d.address(0, six), To: d.address(1, six)}
	packets := d.number(maxPackets)
	d.must(kind > 0 && kind < tunnelKinds, "an unknown kind of tunnel: written by a newer flowvet?")
	d.must(before.Compare(tunnel) < 0, "the tunnels are out of order")
	d.must(packets > 0, "a tunnel without a packet")
	d.must(len(t.Tunnels) < MaxTunnels, "too many tunnels")
	if d.fault == "" {
		count(&t.Tunnels, tunnel, packets)
	}
	return tunnel
}

// events writes where hosts said they are.
func (f *flowsWriter) events(c *Capture) {
	for i := range c.Table.Events {
		f.section.event(&c.Table.Events[i], c.First)
		f.flushFull(sectionEvents)
	}
	f.flushRest(sectionEvents)
}

func (e *encoder) event(v *Event, base int64) {
	e.byte(byte(v.Kind))
	e.difference(v.At - base)
	e.b = append(e.b, v.MAC[:]...)
	if v.Kind == GratuitousARP {
		e.address(0, v.Addr)
	}
	e.port(v.VLAN)
	e.number(uint64(v.Interface))
	e.number(v.Ref.Frame)
}

// takeEvent reads one event into the capture's, after those before.
func (d *decoder) takeEvent(c *Capture) {
	v := Event{Kind: EventKind(d.byte()), At: d.time(c.First), MAC: [6]byte(d.bytes(6))}
	d.must(v.Kind == ReverseARP || v.Kind == GratuitousARP, "an unknown kind of event: written by a newer flowvet?")
	if v.Kind == GratuitousARP {
		v.Addr = d.address(0, false)
	}
	v.VLAN = d.port()
	v.Interface = int(d.number(maxSection))
	v.Ref = d.ref(0, c.file)
	d.must(v.Interface < len(c.Interfaces), "an event on no interface")
	t := c.Table
	if n := len(t.Events); n > 0 {
		d.must(compareEvents(t.Events[n-1], v) < 0, "the events are out of order")
		d.must(n < MaxEvents, "too many events")
	}
	if d.fault == "" {
		t.Events = append(t.Events, v)
	}
}
