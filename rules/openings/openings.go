// Package openings holds three things against each other, host by host: what the catalogue documents, what the host's own
// firewall lets through, and what captures show to be used.
//
// A [Survey] is made before the captures are read, since it asks of them what they could have shown ([Survey.Reaches]);
// [Survey.Compare] then says what differs. Nothing is called unused that the captures need not have shown: that takes a
// view that somebody declared, or packets both ways with every peer that is let in.
package openings

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
	"flowvet/rules/firewall"
)

// Kind is how documented, opened and used differ.
type Kind uint8

// The kinds, in the order in which they are told.
const (
	UsedClosed       Kind = iota // packets passed where the firewall lets none through
	OpenUndocumented             // the firewall lets through what no row documents
	DocumentedClosed             // a row documents what the firewall does not let through
	NeverUsed                    // open, and the captures would have shown it in use
	NotJudged                    // open, not seen in use, and the captures need not have shown it
	kinds
)

// String returns the kind's stable name.
func (k Kind) String() string {
	return [...]string{"used-closed", "open-undocumented", "documented-closed", "open-unused", "not-judged"}[k]
}

// Service is what a firewall opens or blocks: ports of the responder, and who begins.
type Service struct {
	Out       bool // the host begins
	Transport catalog.Transport
	Ports     catalog.Ports
}

// Finding is one difference at one host.
type Finding struct {
	Kind     Kind
	Level    match.Level
	Machine  *inventory.Machine
	Services []Service
	RuleSets []string         // that open it; of DocumentedClosed: that are disabled and would
	Peers    []netip.Prefix   // UsedClosed: who used it; DocumentedClosed: to whom it is closed; else who is let in. Empty: anybody
	Rows     []*catalog.Row   // that document it, by id
	Used     []*match.Finding // UsedClosed, OpenUndocumented: the conversations that did
	Sight    *match.Sight     // of NeverUsed and NotJudged
}

// bmc is the plane of a host's board controller.
const bmc = "bmc"

// need is how much a documented opening is needed.
type need uint8

const (
	optional   need = iota // the row is optional, or of a service that the inventory does not say is used
	occasional             // an operation needs it
	required
)

// documented is what rows document between a host and others.
type documented struct {
	Service
	peers []netip.Prefix
	any   bool
	rows  []*catalog.Row
	need  need
}

// opened is what one rule of a rule set that is switched on lets through.
type opened struct {
	Service
	set  *firewall.RuleSet
	used []*match.Finding
}

// host is one host with its firewall.
type host struct {
	machine    *inventory.Machine
	firewall   *firewall.Host
	documented []documented
	opened     []*opened
	answers    []*opened // what rules on the sender's ports let through
	sets       []*openSet
}

// openSet is a rule set that opens something, and what was asked of the captures about it.
type openSet struct {
	set    *firewall.RuleSet
	opened []*opened
	reach  int // index into Survey.reaches of the first; one for each opened
	needed need
	rows   []*catalog.Row
}

// Survey is the hosts of a firewall file, as an inventory and a catalogue see them.
type Survey struct {
	file    *firewall.File
	hosts   []*host
	of      map[*inventory.Machine]*host
	unknown []string // hosts of the file that are no machines of the inventory
	silent  []string // hypervisor hosts of the inventory that are not in the file
	reaches []match.Reach
}

// New surveys the hosts of a file. The error says that none of them is a machine of the inventory, or that two are the same.
func New(file *firewall.File, v *inventory.Inventory, c *catalog.Catalog) (*Survey, error) {
	s := &Survey{file: file, of: map[*inventory.Machine]*host{}}
	for i := range file.Hosts {
		f := &file.Hosts[i]
		m := machineOf(f, v)
		switch {
		case m == nil:
			s.unknown = append(s.unknown, f.Name)
			continue
		case s.of[m] != nil:
			return nil, fmt.Errorf("hosts %q and %q are one machine of %s: %s", s.of[m].firewall.Name, f.Name, v.Name, m.Name)
		}
		h := &host{machine: m, firewall: f, documented: documents(c, v, m)}
		s.hosts, s.of[m] = append(s.hosts, h), h
		s.open(h)
	}
	if len(s.hosts) == 0 {
		return nil, fmt.Errorf("none of its %d hosts is a machine of %s, by name or by address: the first is %q", len(file.Hosts), v.Name, file.Hosts[0].Name)
	}
	for _, m := range v.Machines {
		isHost := slices.ContainsFunc(v.Roles(m), func(g inventory.Grant) bool { return c.IsA(g.Role, "hypervisor-host") })
		if isHost && s.of[m] == nil {
			s.silent = append(s.silent, m.Name)
		}
	}
	return s, nil
}

// Reaches returns what is to be asked of the captures, for [match.Grounds].
func (s *Survey) Reaches() []match.Reach { return s.reaches }

// machineOf finds the machine that a host is: by its name, else by an address.
func machineOf(f *firewall.Host, v *inventory.Inventory) *inventory.Machine {
	if m := v.Machine(f.Name); m != nil {
		return m
	}
	for _, a := range f.Addresses {
		if placed, ok := v.Place(a); ok && placed.Machine != nil {
			return placed.Machine
		}
	}
	return nil
}

// documents returns what the catalogue documents for a machine, whatever its address. What its BMC does (plane bmc) passes
// by the host and its firewall.
func documents(c *catalog.Catalog, v *inventory.Inventory, m *inventory.Machine) []documented {
	var all []documented
	at := map[string]int{}
	for _, o := range match.Openings(c, v, m, func(r *catalog.Row) bool { return r.Plane != bmc }) {
		d := documented{Service: Service{o.Out, o.Transport, o.Ports}, peers: o.Peers, any: o.Any, rows: o.Rows, need: needOf(o.Rows, v, m)}
		key := fmt.Sprint(d.Service, d.peers, d.any)
		if known, ok := at[key]; ok {
			all[known].rows = union(all[known].rows, d.rows)
			all[known].need = max(all[known].need, d.need)
			continue
		}
		at[key] = len(all)
		all = append(all, d)
	}
	return all
}

// needOf returns how much the most needed of the rows is needed.
func needOf(rows []*catalog.Row, v *inventory.Inventory, m *inventory.Machine) need {
	most := optional
	for _, r := range rows {
		switch {
		case r.Class.Kind == catalog.Always, r.Class.Kind == catalog.IfUsed && v.Requires(r.Class.Of, m):
			return required
		case r.Class.Kind == catalog.During:
			most = occasional
		}
	}
	return most
}

// open notes what the rule sets of a host let through, and what that asks of the captures.
func (s *Survey) open(h *host) {
	for i := range h.firewall.RuleSets {
		set := &h.firewall.RuleSets[i]
		if !set.Enabled || set.Allowed != nil && len(set.Allowed) == 0 {
			continue
		}
		o := &openSet{set: set, reach: len(s.reaches)}
		for _, r := range set.Rules {
			transport, ok := transportOf(r.Protocol)
			if !ok {
				continue
			}
			x := &opened{Service: Service{r.Direction == firewall.Outbound, transport, catalog.Ports{Lo: r.Port, Hi: r.Last()}}, set: set}
			if !r.Opens() {
				h.answers = append(h.answers, x)
				continue
			}
			o.opened, h.opened = append(o.opened, x), append(h.opened, x)
			s.reaches = append(s.reaches, match.Reach{
				Machine: h.machine, Out: x.Out, Transport: x.Transport, Ports: x.Ports, Plane: h.planeOf(x), Peers: set.Allowed,
			})
		}
		if len(o.opened) > 0 {
			h.sets = append(h.sets, o)
			h.weigh(o)
		}
	}
}

// weigh finds what documents an open rule set.
func (h *host) weigh(o *openSet) {
	for _, x := range o.opened {
		for _, d := range h.documented {
			if d.overlaps(x) {
				o.rows, o.needed = union(o.rows, d.rows), max(o.needed, d.need)
			}
		}
	}
}

// planeOf returns the plane on which the service of a rule is documented; empty where rows differ, or none documents it.
func (h *host) planeOf(x *opened) string {
	plane, first := "", true
	for _, d := range h.documented {
		if !d.overlaps(x) {
			continue
		}
		for _, r := range d.rows {
			if !first && r.Plane != plane {
				return ""
			}
			plane, first = r.Plane, false
		}
	}
	return plane
}

// overlaps reports whether a rule lets some of what is documented through.
func (d *documented) overlaps(x *opened) bool {
	return d.Out == x.Out && d.Transport == x.Transport && d.Ports.Lo <= x.Ports.Hi && x.Ports.Lo <= d.Ports.Hi &&
		(d.any || lets(x.set.Allowed, d.peers...))
}

// lets reports whether a list of networks lets some of the peers in.
func lets(allowed firewall.Allowed, peers ...netip.Prefix) bool {
	return allowed == nil || slices.ContainsFunc(peers, func(p netip.Prefix) bool {
		return slices.ContainsFunc(allowed, p.Overlaps)
	})
}

func transportOf(protocol string) (catalog.Transport, bool) {
	switch strings.ToLower(protocol) {
	case firewall.TCP:
		return catalog.TCP, true
	case firewall.UDP:
		return catalog.UDP, true
	}
	return 0, false
}

// union returns the rows of both, by id.
func union(a, b []*catalog.Row) []*catalog.Row {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y *catalog.Row) int { return cmp.Compare(x.ID, y.ID) })
	return slices.Compact(all)
}
