package report

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/capture"
	"flowvet/match"
)

// mirrored is a result whose packets came through tunnels, with more of everything than is kept.
func mirrored() *match.Result {
	r := emptyResult()
	tunnel := func(kind capture.TunnelKind, from string, packets uint64) match.Tunnel {
		return match.Tunnel{Tunnel: capture.Tunnel{Kind: kind, From: netip.MustParseAddr(from), To: netip.MustParseAddr("10.0.0.9")}, Packets: packets}
	}
	r.Tunnels = []match.Tunnel{
		tunnel(capture.ERSPAN2, "10.0.0.1", 60), tunnel(capture.VXLAN, "10.0.0.2", 9), tunnel(capture.VXLAN, "10.0.0.3", 8),
		tunnel(capture.VXLAN, "10.0.0.4", 7), tunnel(capture.IPv4InIPv4, "10.0.0.5", 1),
	}
	r.Events = []capture.Event{
		{Kind: capture.ReverseARP, At: morning, MAC: [6]byte{0, 0x50, 0x56, 0, 0, 0x11}, VLAN: 20, Interface: 1, Ref: capture.Ref{Frame: 7}},
		{Kind: capture.GratuitousARP, At: morning + second, MAC: [6]byte{0, 0x50, 0x56, 0, 0, 0x12}, Addr: netip.MustParseAddr("10.0.0.12"), Ref: capture.Ref{Frame: 9}},
	}
	r.Stats.TunnelsUncounted, r.Stats.EventsUncounted, r.Stats.FragmentsEvicted, r.Stats.FragmentsJoined = 5, 3, 1, 2
	return r
}

func TestTransportIsSaid(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    Options
		want []string
	}{
		{"the busiest", Options{Width: 400}, []string{
			"transport  carried in ERSPAN II from 10.0.0.1 to 10.0.0.9 (60 packets), VXLAN from 10.0.0.2 to 10.0.0.9 (9 packets)",
			"(7 packets) and 1 more\n",
			"5 packets came in tunnels beyond the first 4096\n",
			"fragments  1 fragmented packet forgotten before the last fragment, with more than 4096 at a time in one capture\n",
		}},
		{"all, and the events", Options{Verbose: true, Width: 400}, []string{
			"and IPv4 in IPv4 from 10.0.0.5 to 10.0.0.9 (1 packet)\n",
			"events     1 rarp, 1 gratuitous-arp, and 3 later ones not kept\n",
		}},
	} {
		got := render(t, Text, mirrored(), tt.o)
		for _, want := range tt.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s: got no %q in\n%s", tt.name, want, got)
			}
		}
	}
	if got := render(t, Text, emptyResult(), Options{Verbose: true}); strings.Contains(got, "transport") || strings.Contains(got, "events") {
		t.Errorf("got a word of transport and events where there are none:\n%s", got)
	}
}

func TestTransportInJSON(t *testing.T) {
	var got struct {
		Tunnels, Events []map[string]any
		Stats           map[string]any
	}
	if err := json.Unmarshal([]byte(render(t, JSON, mirrored(), Options{Files: []string{"a.pcap"}})), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"kind": "ERSPAN II", "from": "10.0.0.1", "to": "10.0.0.9", "packets": 60.0}, got.Tunnels[0]); diff != "" || len(got.Tunnels) != 5 {
		t.Errorf("%d tunnels, the first (-want +got):\n%s", len(got.Tunnels), diff)
	}
	want := []map[string]any{
		{
			"kind": "rarp", "time": instantExact(morning), "mac": "00:50:56:00:00:11", "vlan": 20.0, "interface": 1.0,
			"evidence": map[string]any{"file": "a.pcap", "frame": 7.0},
		},
		{
			"kind": "gratuitous-arp", "time": instantExact(morning + second), "mac": "00:50:56:00:00:12", "address": "10.0.0.12", "vlan": 0.0, "interface": 0.0,
			"evidence": map[string]any{"file": "a.pcap", "frame": 9.0},
		},
	}
	if diff := cmp.Diff(want, got.Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	for name, n := range map[string]float64{"fragments_joined": 2, "fragments_evicted": 1, "tunnels_uncounted": 5, "events_uncounted": 3} {
		if got.Stats[name] != n {
			t.Errorf("%s: got %v, want %v", name, got.Stats[name], n)
		}
	}
}
