package report

import (
	"fmt"
	"net/netip"
	"strings"

	"flowvet/capture"
	"flowvet/match"
)

// manyTunnels is how many tunnels a header names.
const manyTunnels = 4

// transport says how the packets came to the place of the capture, and what was left out of that.
func (t *teller) transport(h *facts) {
	most := manyTunnels
	if t.o.Verbose {
		most = 0
	}
	if len(t.r.Tunnels) > 0 {
		h.add("transport", text("carried in "+some(each(t.r.Tunnels, carriedIn), most, "and")))
	}
	s := &t.r.Stats
	if s.TunnelsUncounted > 0 {
		h.add("", span{fmt.Sprintf("%s came in tunnels beyond the first %d", count(s.TunnelsUncounted, "packet"), capture.MaxTunnels), doubt})
	}
	if s.FragmentsEvicted > 0 {
		h.add("fragments", span{fmt.Sprintf("%s forgotten before the last fragment, with more than %d at a time in one capture",
			count(s.FragmentsEvicted, "fragmented packet"), capture.MaxFragmented), doubt})
	}
	if t.o.Verbose && len(t.r.Events) > 0 {
		h.add("events", text(eventCounts(t.r.Events, s.EventsUncounted)))
	}
}

// carriedIn prints "ERSPAN II from 10.0.0.1 to 10.0.0.9 (60 packets)".
func carriedIn(t match.Tunnel) string {
	return fmt.Sprintf("%v from %v to %v (%s)", t.Kind, t.From, t.To, count(t.Packets, "packet"))
}

// eventCounts prints "2 rarp, 1 gratuitous-arp".
func eventCounts(events []capture.Event, beside uint64) string {
	n := map[capture.EventKind]int{}
	for _, e := range events {
		n[e.Kind]++
	}
	line := fmt.Sprintf("%d %v, %d %v", n[capture.ReverseARP], capture.ReverseARP, n[capture.GratuitousARP], capture.GratuitousARP)
	if beside > 0 {
		line += fmt.Sprintf(", and %d later ones not kept", beside)
	}
	return line
}

type jsonTunnel struct {
	Kind    string     `json:"kind"`
	From    netip.Addr `json:"from"`
	To      netip.Addr `json:"to"`
	Packets uint64     `json:"packets"`
}

func jsonTunnelOf(t match.Tunnel) jsonTunnel {
	return jsonTunnel{t.Kind.String(), t.From, t.To, t.Packets}
}

// hardwareAddress prints 00:50:56:00:00:11.
func hardwareAddress(mac [6]byte) string {
	pairs := make([]string, 0, len(mac))
	for _, b := range mac {
		pairs = append(pairs, fmt.Sprintf("%02x", b))
	}
	return strings.Join(pairs, ":")
}

type jsonEvent struct {
	Kind      string       `json:"kind"`
	Time      string       `json:"time"`
	MAC       string       `json:"mac"`
	Address   string       `json:"address,omitempty"`
	VLAN      uint16       `json:"vlan"`
	Interface int          `json:"interface"`
	Evidence  jsonEvidence `json:"evidence"`
}

func jsonEventOf(r *match.Result, o Options, e capture.Event) jsonEvent {
	j := jsonEvent{
		Kind: e.Kind.String(), Time: instantExact(e.At), MAC: hardwareAddress(e.MAC), VLAN: e.VLAN, Interface: e.Interface,
		Evidence: jsonEvidence{captureName(r, o, e.Ref.File), e.Ref.Frame},
	}
	if e.Addr.IsValid() {
		j.Address = e.Addr.String()
	}
	return j
}
