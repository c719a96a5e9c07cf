package match

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"flowvet/catalog"
	"flowvet/inventory"
)

// Reach is traffic of one machine with whoever may be its peers: what it begins, or what they begin with it.
type Reach struct {
	Machine   *inventory.Machine
	Out       bool // the machine begins
	Transport catalog.Transport
	Ports     catalog.Ports  // of the responder
	Plane     string         // of the machine's network it runs on; empty: any
	Peers     []netip.Prefix // empty: anybody
}

// Sight says how far the captures would have shown a [Reach]. What they do not show was not there iff the coverage is
// Declared or Proven.
type Sight struct {
	Coverage   Coverage
	Reason     Reason // valid iff the coverage is less than Declared
	Start, End int64  // of the capture that saw best, nanoseconds since 1970 UTC
}

// Enough reports whether what was not seen was not there.
func (s *Sight) Enough() bool { return s.Coverage >= CoverageDeclared }

// minReach is the least time of capture in which something that has no period is said not to have happened.
const minReach = time.Minute

// sights says how far the points would have shown each reach: the best point counts, of equals the one that ran longest.
func (j *judge) sights(reaches []Reach, points []*point) []Sight {
	all := make([]Sight, len(reaches))
	for i := range reaches {
		best := Sight{Reason: Reason{Code: "interval-unknown", Detail: "no capture", Remedy: "capture something"}}
		for n, p := range points {
			s := j.sightFrom(p, &reaches[i])
			if n == 0 || s.Coverage > best.Coverage || s.Coverage == best.Coverage && s.End-s.Start > best.End-best.Start {
				best = s
			}
		}
		all[i] = best
	}
	return all
}

// sightFrom says how far one point would have shown a reach.
func (j *judge) sightFrom(p *point, reach *Reach) Sight {
	s := Sight{}
	s.Start, s.End, _ = p.interval()
	row := &catalog.Row{Ports: reach.Ports, Transport: reach.Transport, Plane: reach.Plane}
	src, dst := (*inventory.Machine)(nil), reach.Machine
	if reach.Out {
		src, dst = dst, src
	}
	reason, bad := p.timeReason(Window{}, minReach)
	if !bad {
		reason, bad = j.filtered(p, row, src, dst)
	}
	if bad {
		s.Reason = reason
		return s
	}
	s.Coverage, s.Reason = j.inView(p, reach)
	if reason, bad := p.limit(); bad && s.Enough() {
		s.Coverage, s.Reason = CoverageLikely, reason
	}
	return s
}

// inView says whether a point would have seen a machine speak with all its peers. That it saw the machine speak both ways
// with somebody proves nothing of others: a capture at the vCenter's port shows each host, and none of a host's other traffic.
func (j *judge) inView(p *point, reach *Reach) (Coverage, Reason) {
	own := j.onPlane(reach.Machine, reach.Plane)
	if len(own) == 0 {
		own = j.onPlane(reach.Machine, "")
	}
	outside := slices.IndexFunc(own, func(a netip.Addr) bool { return !j.declared(p, []netip.Addr{a}) })
	switch {
	case outside < 0:
		return CoverageDeclared, Reason{}
	case j.provenWithAll(p, own, reach.Peers):
		return Proven, Reason{}
	case !p.sawAny(own, p.whole()):
		return Unproven, Reason{
			"no-witness-target", "no frame of " + reach.Machine.Name, fmt.Sprintf("capture at the switch port of %s", reach.Machine.Name),
		}
	}
	return CoverageLikely, Reason{
		"view-not-declared", fmt.Sprintf("%s shows some traffic of %s; whether it shows all that reaches %s, nobody has declared",
			p.info.Name, reach.Machine.Name, own[outside]),
		fmt.Sprintf("where the capture was made at the switch port of %s, say so with --sees %s", reach.Machine.Name, reach.Machine.Name),
	}
}

// provenWithAll reports whether a point saw frames both ways between one of the addresses and each of the peers, which are
// machines.
func (j *judge) provenWithAll(p *point, own []netip.Addr, peers []netip.Prefix) bool {
	return len(peers) > 0 && !slices.ContainsFunc(peers, func(peer netip.Prefix) bool {
		return !peer.IsSingleIP() || j.end(peer.Addr()).machine == nil || !p.sawBoth(own, []netip.Addr{peer.Addr()}, p.whole())
	})
}

// whole is the time that the point covers.
func (p *point) whole() Window {
	start, end, _ := p.interval()
	return Window{start, end}
}
