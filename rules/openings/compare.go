package openings

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
	"flowvet/rules/firewall"
)

// Schema names the version of a comparison in JSON.
const Schema = "flowvet-openings/1"

// Comparison is what differs between documented, opened and used.
type Comparison struct {
	File     *firewall.File
	Result   *match.Result // of the captures, by the same inventory and catalogue
	Findings []Finding     // by kind, level (worst first), machine and service
	Hosts    int           // that were compared
	InOrder  int           // rule sets that are switched on, documented and used
	Unknown  []string      // hosts of the file that are no machines of the inventory
	Silent   []string      // hosts of the inventory that are not in the file
}

// Compare says what differs. The result must be of the grounds that [Survey.Reaches] went into.
func (s *Survey) Compare(r *match.Result) *Comparison {
	c := &Comparison{File: s.file, Result: r, Hosts: len(s.hosts), Unknown: s.unknown, Silent: s.silent}
	uses := s.uses(r.Findings)
	for _, h := range s.hosts {
		c.Findings = append(c.Findings, h.usedClosed(uses[h])...)
		c.Findings = append(c.Findings, h.undocumented()...)
		c.Findings = append(c.Findings, h.closed()...)
		unused, inOrder := h.unused(r.Sights)
		c.Findings = append(c.Findings, unused...)
		c.InOrder += inOrder
	}
	slices.SortStableFunc(c.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(b.Level, a.Level), cmp.Compare(a.Machine.Name, b.Machine.Name),
			compareServices(a.Services[0], b.Services[0]))
	})
	return c
}

// Count returns how many findings there are at a level or above it, and at how many open rule sets it could not be said
// whether they are used.
func (c *Comparison) Count(level match.Level) (found, notJudged int) {
	for i := range c.Findings {
		switch f := &c.Findings[i]; {
		case f.Kind == NotJudged:
			notJudged++
		case f.Level >= level:
			found++
		}
	}
	return found, notJudged
}

func compareServices(a, b Service) int {
	out := func(s Service) int {
		if s.Out {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(out(a), out(b)), cmp.Compare(a.Ports.Lo, b.Ports.Lo), cmp.Compare(a.Ports.Hi, b.Ports.Hi), cmp.Compare(a.Transport, b.Transport))
}

// use is a conversation as one host had it.
type use struct {
	*match.Finding
	out       bool
	transport catalog.Transport
	port      uint16
	peer      netip.Addr
}

// uses finds the conversations of the hosts, and marks what was open for them.
func (s *Survey) uses(findings match.Findings) map[*host][]use {
	all := map[*host][]use{}
	note := func(p *inventory.Placed, u use) {
		if p == nil || s.of[p.Machine] == nil || p.Plane == bmc {
			return
		}
		h := s.of[p.Machine]
		all[h] = append(all[h], u)
		h.mark(u)
		if u.Qualifiers.Has(match.Undirected) {
			u.out = !u.out
			h.mark(u)
		}
	}
	for i := range findings.Len() {
		f := findings.At(i)
		transport := catalog.UDP
		if f.Proto == capture.TCP {
			transport = catalog.TCP
		}
		note(f.To, use{f, false, transport, f.Port, f.Initiator})
		note(f.From, use{f, true, transport, f.Port, f.Responder})
		if x := f.Exchanged; x != nil { // who began is not known: the port may be the other's
			note(f.From, use{f, false, transport, x.Port, x.Initiator})
			note(f.To, use{f, true, transport, x.Port, x.Responder})
		}
	}
	return all
}

// mark notes what of the firewall a conversation used.
func (h *host) mark(u use) {
	for _, x := range h.opened {
		if x.passes(u) && !slices.Contains(x.used[max(0, len(x.used)-1):], u.Finding) {
			x.used = append(x.used, u.Finding)
		}
	}
}

// passes reports whether a rule lets the packets of a conversation's initiator through.
func (x *opened) passes(u use) bool {
	return x.Out == u.out && x.Transport == u.transport && x.Ports.Contains(u.port) && letsAddr(x.set.Allowed, u.peer)
}

func letsAddr(allowed firewall.Allowed, a netip.Addr) bool {
	return allowed == nil || slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(a) })
}

// policy returns what becomes of packets of a direction that no rule lets through.
func (h *host) policy(out bool) firewall.Policy {
	if out {
		return h.firewall.Outgoing
	}
	return h.firewall.Incoming
}

// usedClosed finds what passed although the firewall lets it not, one finding a service.
func (h *host) usedClosed(uses []use) []Finding {
	var all []Finding
	at := map[Service]int{}
	for _, u := range uses {
		if !u.proves() || h.open(u) {
			continue
		}
		service := Service{u.out, u.transport, catalog.Ports{Lo: u.port, Hi: u.port}}
		n, known := at[service]
		if !known {
			n = len(all)
			at[service] = n
			all = append(all, Finding{Kind: UsedClosed, Level: match.LevelWarning, Machine: h.machine, Services: []Service{service}, RuleSets: h.disabled(service)})
		}
		f := &all[n]
		f.Used = append(f.Used, u.Finding)
		f.Peers = append(f.Peers, netip.PrefixFrom(u.peer, u.peer.BitLen()))
		if u.Certainty == match.Certain && !u.Qualifiers.Has(match.Companion) {
			f.Level = match.LevelError
		}
		if u.Bucket() == match.Documented {
			f.Rows = union(f.Rows, u.Rows)
		}
	}
	for i := range all {
		all[i].Peers = sorted(all[i].Peers)
	}
	return all
}

// proves reports whether a conversation shows that the firewall let it through: the host sent what it began, and answered
// what others began. A datagram on its way to the host has not met the firewall yet, and a guess accuses nobody.
func (u use) proves() bool {
	switch {
	case u.Certainty == match.Guess, u.Verdict == match.DirectionUnconfirmed, u.Verdict == match.OutOfScope:
		return false
	case u.out:
		return u.Sent.Packets > 0
	}
	return u.Outcome == match.Success && u.Received.Packets > 0
}

// open reports whether the firewall lets a conversation through, or may do so: where both ends use one port, either may have
// begun; and a rule for answers lets whoever sends from its ports in.
func (h *host) open(u use) bool {
	either := u.Qualifiers.Has(match.Undirected)
	if h.policy(u.out) == firewall.Open || either && h.policy(!u.out) == firewall.Open {
		return true
	}
	other := u
	other.out = !u.out
	if slices.ContainsFunc(h.opened, func(x *opened) bool { return x.passes(u) || either && x.passes(other) }) {
		return true
	}
	answer := u
	answer.port = u.EphemeralPort
	return slices.ContainsFunc(h.answers, func(x *opened) bool { return x.passes(answer) })
}

// disabled names the rule sets that would let a service through, were they switched on. One whose rule is broad would let
// far more through: nobody is told to switch on 65,536 ports for the sake of one.
func (h *host) disabled(s Service) []string {
	var keys []string
	for i := range h.firewall.RuleSets {
		set := &h.firewall.RuleSets[i]
		if !set.Enabled && slices.ContainsFunc(set.Rules, func(r firewall.Rule) bool {
			transport, ok := transportOf(r.Protocol)
			ports := catalog.Ports{Lo: r.Port, Hi: r.Last()}
			return ok && r.Opens() && (r.Direction == firewall.Outbound) == s.Out && transport == s.Transport &&
				!ports.Broad() && ports.Lo <= s.Ports.Lo && s.Ports.Hi <= ports.Hi
		}) {
			keys = append(keys, set.Key)
		}
	}
	return keys
}

// undocumented finds what is open without a row: the ports of each rule that no row documents with anybody who is let in.
func (h *host) undocumented() []Finding {
	var all []Finding
	for _, out := range []bool{false, true} {
		if h.policy(out) == firewall.Open {
			everything := catalog.Ports{Lo: 0, Hi: 65535}
			all = append(all, Finding{
				Kind: OpenUndocumented, Level: policyLevel(out), Machine: h.machine,
				Services: []Service{{out, catalog.TCP, everything}, {out, catalog.UDP, everything}},
			})
		}
	}
	for _, o := range h.sets {
		f := Finding{Kind: OpenUndocumented, Level: match.LevelError, Machine: h.machine, RuleSets: []string{o.set.Key}, Peers: o.set.Allowed}
		for _, x := range o.opened {
			left := []catalog.Ports{x.Ports}
			for _, d := range h.documented {
				if d.overlaps(x) {
					left = without(left, d.Ports)
				}
			}
			for _, s := range x.split(left) {
				if !slices.Contains(f.Services, s) {
					f.Services = append(f.Services, s)
					f.Used = append(f.Used, usedOn(x, s.Ports)...)
				}
			}
		}
		if len(f.Services) > 0 {
			all = append(all, f)
		}
	}
	return all
}

// usedOn returns the conversations of a rule on some of its ports.
func usedOn(x *opened, ports catalog.Ports) []*match.Finding {
	var all []*match.Finding
	for _, f := range x.used {
		if ports.Contains(f.Port) {
			all = append(all, f)
		}
	}
	return all
}

// policyLevel is how bad it is that everything is let through. That a host may begin what it likes is how many sites run.
func policyLevel(out bool) match.Level {
	if out {
		return match.LevelWarning
	}
	return match.LevelError
}

// closed finds what is documented and not let through.
func (h *host) closed() []Finding {
	var all []Finding
	for i := range h.documented {
		d := &h.documented[i]
		if h.policy(d.Out) == firewall.Open || d.Ports.Broad() {
			continue
		}
		for _, g := range h.gaps(d) {
			all = append(all, Finding{
				Kind: DocumentedClosed, Level: [...]match.Level{match.LevelNote, match.LevelWarning, match.LevelError}[d.need],
				Machine: h.machine, Services: d.split(g.ports), RuleSets: h.disabled(d.Service), Peers: g.peers, Rows: d.rows,
			})
		}
	}
	return all
}

// gap is ports that are closed to some of those with whom they are documented.
type gap struct {
	ports []catalog.Ports
	peers []netip.Prefix // empty: anybody
}

// gaps returns what of a documented opening is closed. Where anybody may be the other end, a list of networks narrows that
// and closes nothing; where a network may, so does a list of some of it.
func (h *host) gaps(d *documented) []gap {
	if d.any {
		if left := h.left(d, nil); len(left) > 0 {
			return []gap{{ports: left}}
		}
		return nil
	}
	var all []gap
	at := map[string]int{}
	for _, peer := range d.peers {
		left := h.left(d, []netip.Prefix{peer})
		if len(left) == 0 {
			continue
		}
		key := fmt.Sprint(left)
		n, known := at[key]
		if !known {
			n = len(all)
			at[key] = n
			all = append(all, gap{ports: left})
		}
		all[n].peers = append(all[n].peers, peer)
	}
	return all
}

// left returns the ports of a documented opening that no rule opens for one of the peers, or with none of them for somebody.
func (h *host) left(d *documented, peers []netip.Prefix) []catalog.Ports {
	left := []catalog.Ports{d.Ports}
	for _, x := range h.opened {
		if x.Out == d.Out && x.Transport == d.Transport && (len(peers) == 0 || lets(x.set.Allowed, peers...)) {
			left = without(left, x.Ports)
		}
	}
	return left
}

// unused finds the rule sets of which nothing was used, and counts those that are documented and used.
func (h *host) unused(sights []match.Sight) (all []Finding, inOrder int) {
	for _, o := range h.sets {
		if slices.ContainsFunc(o.opened, func(x *opened) bool { return len(x.used) > 0 }) {
			if len(o.rows) > 0 {
				inOrder++
			}
			continue
		}
		f := Finding{
			Kind: NeverUsed, Level: match.LevelWarning, Machine: h.machine, RuleSets: []string{o.set.Key}, Peers: o.set.Allowed,
			Rows: o.rows, Sight: &sights[o.reach],
		}
		for i, x := range o.opened {
			if !slices.Contains(f.Services, x.Service) {
				f.Services = append(f.Services, x.Service)
			}
			if s := &sights[o.reach+i]; s.Coverage < f.Sight.Coverage {
				f.Sight = s
			}
		}
		switch {
		case !f.Sight.Enough():
			f.Kind, f.Level = NotJudged, match.LevelNone
		case o.needed > optional: // documented, and needed another day
			f.Level = match.LevelNote
		}
		all = append(all, f)
	}
	return all, inOrder
}
