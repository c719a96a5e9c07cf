package inventory

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"flowvet/capture"
)

// A scanner began short conversations with more than scanWidth hosts, or with more than scanWidth ports, within
// scanWindow. Long conversations do not count: a vCenter holds one with each of its hosts.
const (
	scanWidth  = 20
	scanWindow = int64(10e9)
	scanShort  = 8 // packets, both directions: a handshake, a banner and a farewell
)

// scanner is an address that scans, with what it reached within the window at its widest.
type scanner struct {
	addr         netip.Addr
	hosts, ports int
}

// String says what was seen.
func (s scanner) String() string {
	return fmt.Sprintf("%s began short conversations with %s on %s within 10 s: taken for a scan, nothing is inferred from them",
		s.addr, count(s.hosts, "host"), count(s.ports, "port"))
}

// probe is the beginning of a short conversation, by the numbers of the addresses.
type probe struct {
	at           int64
	client, host uint32
	port         uint16
}

// isProbe reports whether a flow shows the beginning of a short conversation.
func isProbe(g *capture.Glance, o opening) bool {
	up, down := g.From[o.client].Packets, g.From[1-o.client].Packets
	return o.seen && up > 0 && up+down <= scanShort
}

// findScanners returns the scanners among those who began a flow, sorted by address.
func (s *scouts) findScanners() []scanner {
	lists := s.probes()
	found := make([]scanner, len(lists))
	sideBySide(min(len(lists), len(s.all)), func(i int) {
		w := window{hosts: make([]uint32, s.Len()), ports: make([]uint32, 1<<16)}
		for ; i < len(lists); i += len(s.all) {
			found[i] = w.widest(lists[i])
			found[i].addr = s.At(lists[i][0].client)
		}
	})
	found = slices.DeleteFunc(found, func(s scanner) bool { return s.hosts <= scanWidth && s.ports <= scanWidth })
	slices.SortFunc(found, func(a, b scanner) int { return a.addr.Compare(b.addr) })
	return found
}

// probes returns the probes of those who made enough to be scanners, by client.
func (s *scouts) probes() [][]probe {
	counts := make([]int, s.Len())
	for _, x := range s.all {
		for p := range x.probes.all {
			counts[p.client]++
		}
	}
	lists := make([][]probe, 0, 16)
	place := make([]uint32, len(counts)) // in lists, plus 1; 0: not in it
	for client, n := range counts {
		if n > scanWidth {
			lists = append(lists, make([]probe, 0, n))
			place[client] = uint32(len(lists))
		}
	}
	for _, x := range s.all {
		for p := range x.probes.all {
			if at := place[p.client]; at > 0 {
				lists[at-1] = append(lists[at-1], *p)
			}
		}
		x.probes = nil
	}
	return lists
}

// window counts the hosts and ports that somebody's probes within a window reached, each by its number.
type window struct {
	hosts, ports []uint32
	seen         scanner // the distinct ones
}

// widest slides the window over the probes of one address and returns the most hosts and the most ports it ever held.
func (w *window) widest(list []probe) scanner {
	slices.SortFunc(list, func(a, b probe) int { return cmp.Compare(a.at, b.at) })
	var most scanner
	oldest := 0
	for i := range list {
		w.enter(&list[i])
		for ; list[i].at-list[oldest].at > scanWindow; oldest++ {
			w.leave(&list[oldest])
		}
		most.hosts, most.ports = max(most.hosts, w.seen.hosts), max(most.ports, w.seen.ports)
	}
	for ; oldest < len(list); oldest++ {
		w.leave(&list[oldest])
	}
	return most
}

func (w *window) enter(p *probe) {
	if w.hosts[p.host]++; w.hosts[p.host] == 1 {
		w.seen.hosts++
	}
	if w.ports[p.port]++; w.ports[p.port] == 1 {
		w.seen.ports++
	}
}

func (w *window) leave(p *probe) {
	if w.hosts[p.host]--; w.hosts[p.host] == 0 {
		w.seen.hosts--
	}
	if w.ports[p.port]--; w.ports[p.port] == 0 {
		w.seen.ports--
	}
}

// count returns "1 host" or "3 hosts".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
