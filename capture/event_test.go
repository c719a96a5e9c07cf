package capture

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/capture/capturetest"
)

// eventLines writes events: second, kind, MAC address, address, VLAN and frame.
func eventLines(events []Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "%d %v %x", e.At/1e9-1445421600, e.Kind, e.MAC)
		if e.Addr.IsValid() {
			fmt.Fprintf(&b, " %v", e.Addr)
		}
		fmt.Fprintf(&b, " vlan %d frame %d\n", e.VLAN, e.Ref.Frame)
	}
	return b.String()
}

// TestEvents: what tells the network that a host has moved is kept, and counted as not IP besides.
func TestEvents(t *testing.T) {
	c := readBytes(t, capturetest.Must(t, `
host E1 10.0.0.11 mac=00:50:56:00:00:11
host V  10.0.0.5  mac=00:50:56:00:00:05
0 arp E1 > V reply
1 garp V
2 rarp E1 vlan=20
3 rarp E1 snap=38
4 garp E1 vlan=30,10
5 garp E1 snap=38
`))
	const want = `1 gratuitous-arp 005056000005 10.0.0.5 vlan 0 frame 3
2 rarp 005056000011 vlan 20 frame 4
3 rarp 005056000011 vlan 0 frame 5
4 gratuitous-arp 005056000011 10.0.0.11 vlan 10 frame 6
`
	if diff := cmp.Diff(want, eventLines(c.Table.Events)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if n := c.Table.Stats.Skipped[IgnoredNotIP]; n != 7 {
		t.Errorf("%d not IP, want 7", n)
	}
}

// TestEventInsideAMirror: a switch-over that ERSPAN shows is that of the mirrored VLAN.
func TestEventInsideAMirror(t *testing.T) {
	const rarp = "0001 0800 06 04 0003 005056000011 00000000 005056000011 00000000"
	table := gathered(t, over4(t, 47, "0000", "1000 88be 00000001 1064 0001 00000000"+frameOf("8035", rarp)))
	if len(table.Events) != 1 || table.Events[0].VLAN != 100 || table.Events[0].MAC != [6]byte{0, 0x50, 0x56, 0, 0, 0x11} {
		t.Errorf("got %+v", table.Events)
	}
}

func TestNoEvents(t *testing.T) {
	for _, tt := range []struct{ name, etherType, arp string }{
		{"a question for another", "0806", "0001 0800 06 04 0001 005056000011 0a000001 000000000000 0a000002"},
		{"a probe: the address is not the sender's yet", "0806", "0001 0800 06 04 0001 005056000011 00000000 000000000000 00000000"},
		{"not of Ethernet", "8035", "0006 0800 06 04 0003 005056000011 00000000 005056000011 00000000"},
		{"cut before the sender", "8035", "0001 0800 06 04 0003 00505600"},
		{"nothing", "8035", ""},
	} {
		p, why := decodeHex(t, LinkEthernet, frameOf(tt.etherType, tt.arp), 0)
		if why != IgnoredNotIP || p.announced.kind != 0 {
			t.Errorf("%s: %v, %v, want none", tt.name, why, p.announced)
		}
	}
}

// TestTheLawOfTunnelsAndEvents: also beyond their caps, any split of the packets into tables, merged in any order, keeps
// the same tunnels and events and counts the others.
func TestTheLawOfTunnelsAndEvents(t *testing.T) {
	const n = 3 * MaxTunnels
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 2))
		var want Table
		parts := make([]Table, 1+rng.IntN(4))
		for range n { // of half as many tunnels
			p := Packet{WireLen: 60, tunnel: carrier{conduit: conduit{
				address{0, mapped4 | rng.Uint64N(n/2)}, address{0, mapped4 | 1}, familyIPv4, VXLAN,
			}}}
			for _, table := range []*Table{&want, &parts[rng.IntN(len(parts))]} {
				table.AddSkipped(&p, IgnoredNotIP, LinkEthernet, 0)
			}
		}
		want.settle()
		var got Table
		for _, i := range rng.Perm(len(parts)) {
			got.Merge(&parts[i])
		}
		if diff := cmp.Diff(want.Tunnels, got.Tunnels, compareNetip); diff != "" {
			t.Fatalf("seed %d: tunnels differ (-one table +merged):\n%s", seed, diff)
		}
		sum := got.Stats.TunnelsUncounted
		for _, packets := range got.Tunnels {
			sum += packets
		}
		if len(got.Tunnels) != MaxTunnels || sum != n || want.Stats.TunnelsUncounted != got.Stats.TunnelsUncounted {
			t.Errorf("seed %d: %d tunnels, %d packets in all, %d beside", seed, len(got.Tunnels), sum, got.Stats.TunnelsUncounted)
		}
	}
}

func TestTheLawOfEvents(t *testing.T) {
	const n = 5 * MaxEvents / 2
	rng := rand.New(rand.NewPCG(0, 3))
	var want Table
	parts := make([]Table, 3)
	p := Packet{announced: announcement{kind: GratuitousARP, addr: [4]byte{10, 0, 0, 1}}}
	for _, i := range rng.Perm(n) {
		f, ref := Frame{Nanos: int64(i) / 2}, Ref{Frame: uint64(i + 1)}
		want.addEvent(&p, &f, ref)
		parts[rng.IntN(len(parts))].addEvent(&p, &f, ref)
	}
	want.settle()
	var got Table
	for _, i := range rng.Perm(len(parts)) {
		got.Merge(&parts[i])
	}
	if diff := cmp.Diff(want.Events, got.Events, compareNetip); diff != "" {
		t.Fatalf("events differ (-one table +merged):\n%s", diff)
	}
	if len(got.Events) != MaxEvents || got.Stats.EventsUncounted != n-MaxEvents || want.Stats.EventsUncounted != n-MaxEvents {
		t.Errorf("%d events, %d and %d beside", len(got.Events), want.Stats.EventsUncounted, got.Stats.EventsUncounted)
	}
	if e := got.Events[0]; e.At != 0 || e.Addr != netip.MustParseAddr("10.0.0.1") {
		t.Errorf("the first is %+v", e)
	}
}
