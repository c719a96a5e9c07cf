package inventory

import (
	"fmt"
	"iter"
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

// probe is the beginning of a short conversation.
type probe struct {
	at   int64
	host netip.Addr
	port uint16
}

// findScanners returns the scanners among those who began a flow, sorted by address.
func (e *evidence) findScanners(flows iter.Seq[*capture.Flow]) []scanner {
	probes := map[netip.Addr][]probe{}
	for f := range flows {
		r, known := e.read(f)
		if known && r.began && r.up.Packets > 0 && r.up.Packets+r.down.Packets <= scanShort {
			from := r.client.Addr()
			probes[from] = append(probes[from], probe{r.up.First, r.server.Addr(), r.server.Port()})
		}
	}
	var found []scanner
	for addr, list := range probes {
		if s := widest(list); s.hosts > scanWidth || s.ports > scanWidth {
			s.addr = addr
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b scanner) int { return a.addr.Compare(b.addr) })
	return found
}

// widest slides the window over the probes of one address and returns the most hosts and the most ports it ever held.
func widest(list []probe) scanner {
	var s scanner
	if len(list) <= scanWidth {
		return s
	}
	slices.SortFunc(list, func(a, b probe) int { return int(min(max(a.at-b.at, -1), 1)) })
	hosts, ports := map[netip.Addr]int{}, map[uint16]int{}
	oldest := 0
	for _, p := range list {
		hosts[p.host]++
		ports[p.port]++
		for ; p.at-list[oldest].at > scanWindow; oldest++ {
			leave(hosts, list[oldest].host)
			leave(ports, list[oldest].port)
		}
		s.hosts, s.ports = max(s.hosts, len(hosts)), max(s.ports, len(ports))
	}
	return s
}

// leave takes one from a count, and the key with the last.
func leave[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

// count returns "1 host" or "3 hosts".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
