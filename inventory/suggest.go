package inventory

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
)

// Suggest infers who is who from the flows of the tables: an inventory with one machine per address, sorted by address,
// in which every role has its confidence and its evidence in words. The tables are one network: two may hold one side
// each of a flow. They are not changed.
//
// Roles of low confidence are hints for a person and are kept; whoever judges uses Medium and High. Products are left
// empty: headers show what a host does, not which version it runs.
//
// # What is never evidence
//
// A single packet, a TCP flow without a handshake or data both ways, a UDP flow without an answer (heartbeats, syslog
// and traps are one-way by nature: they need three datagrams, and the two latter a sender that was seen in a dialogue),
// traffic to a group, and whatever a scanner began: an address that begins short conversations with more than 20 hosts
// or 20 ports within 10 s.
//
// # Contradictions
//
// Where two roles of one address exclude each other, the one of higher confidence stays and Inventory.Warnings says
// what was dropped and why; of two equals neither stays. A hint that a role excludes is left out; hints that exclude
// each other both stay.
func Suggest(c *catalog.Catalog, tables ...*capture.Table) *Inventory {
	e := gather(c, newNetwork(tables))
	v := &Inventory{Name: "inferred", Inferred: true, Ports: map[string]uint16{}}
	for _, s := range e.scanners {
		v.Warnings = append(v.Warnings, s.String())
	}
	in := settled(e, v)
	managers := in.managers()
	for _, addr := range slices.SortedFunc(maps.Keys(in.claims), netip.Addr.Compare) {
		m := in.machine(addr)
		if known := managers[addr]; len(known) == 1 {
			m.ManagedBy = hostName(known[0])
		}
		v.Machines = append(v.Machines, m)
	}
	v.build(c)
	return v
}

// settled applies the rules until they agree with each other: when roles of one address exclude each other, everything
// is inferred again without the weaker ones, so that nothing rests on a role that was dropped.
func settled(e *evidence, v *Inventory) *inference {
	banned := map[ban]bool{}
	for {
		in := &inference{evidence: e, banned: banned, claims: map[netip.Addr][]claim{}}
		in.run()
		dropped := in.contradictions()
		if len(dropped) == 0 {
			return in
		}
		for _, d := range dropped {
			banned[d.ban] = true
			if d.why != "" {
				v.Warnings = append(v.Warnings, d.why)
			}
		}
	}
}

// claim is a role that a rule infers for an address.
type claim struct {
	Grant
	plane string
}

// ban keeps a role from an address.
type ban struct {
	addr netip.Addr
	role catalog.Role
}

// inference is what the rules have inferred so far.
type inference struct {
	*evidence
	banned  map[ban]bool
	claims  map[netip.Addr][]claim
	changed bool
}

// run applies every rule until none infers anything new, then adds the hints that ask what is not known. Each round
// adds a role, a plane or confidence, so it ends.
func (in *inference) run() {
	for in.changed = true; in.changed; {
		in.changed = false
		for _, rule := range rules() {
			rule(in)
		}
	}
	in.clients()
}

// claim notes a role. Of several claims for one role the most confident stays, the first among equals; its plane is
// that of the first claim that had one.
func (in *inference) claim(addr netip.Addr, role catalog.Role, c Confidence, plane, format string, args ...any) {
	if in.barred(addr, role) {
		return
	}
	list := in.claims[addr]
	i := slices.IndexFunc(list, func(k claim) bool { return k.Role == role })
	if i < 0 {
		in.claims[addr] = append(list, claim{Grant{role, c, fmt.Sprintf(format, args...)}, plane})
		in.changed = true
		return
	}
	k := &list[i]
	if c > k.Confidence {
		k.Grant = Grant{role, c, fmt.Sprintf(format, args...)}
		in.changed = true
	}
	if k.plane == "" && plane != "" {
		k.plane = plane
		in.changed = true
	}
}

// barred reports whether a contradiction took a role from an address.
func (in *inference) barred(addr netip.Addr, role catalog.Role) bool {
	return in.banned[ban{addr, role}]
}

// is reports whether an address plays a role with medium or high confidence.
func (in *inference) is(addr netip.Addr, role catalog.Role) bool {
	return slices.ContainsFunc(in.claims[addr], func(k claim) bool { return k.Role == role && k.Confidence > Low })
}

// drop is a role that a contradiction takes from an address, and why; a hint goes without saying.
type drop struct {
	ban
	why string
}

// contradictions returns the weaker of each two roles of one address that exclude each other; of two equals both.
func (in *inference) contradictions() []drop {
	var dropped []drop
	for _, addr := range slices.SortedFunc(maps.Keys(in.claims), netip.Addr.Compare) {
		list := slices.SortedFunc(slices.Values(in.claims[addr]), strongest)
		for _, weak := range list {
			i := slices.IndexFunc(list, func(strong claim) bool {
				return strong.Confidence >= max(weak.Confidence, Medium) && exclusive(in.catalog, strong.Role, weak.Role)
			})
			if i >= 0 {
				dropped = append(dropped, drop{ban{addr, weak.Role}, dropReason(addr, weak, list[i])})
			}
		}
	}
	return dropped
}

func dropReason(addr netip.Addr, weak, strong claim) string {
	if weak.Confidence == Low {
		return ""
	}
	return fmt.Sprintf("%s: role %s (%s: %s) is dropped: it excludes %s (%s: %s)", addr,
		weak.Role, weak.Confidence, weak.Evidence, strong.Role, strong.Confidence, strong.Evidence)
}

// strongest orders claims by confidence, highest first, then by role.
func strongest(a, b claim) int {
	return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(a.Role, b.Role))
}

// machine makes the machine of one address.
func (in *inference) machine(addr netip.Addr) *Machine {
	a := &Addr{Addr: addr}
	var planes []string
	for _, k := range slices.SortedFunc(slices.Values(in.claims[addr]), strongest) {
		a.Roles = append(a.Roles, k.Grant)
		if k.plane != "" && k.Confidence > Low && !slices.Contains(planes, k.plane) {
			planes = append(planes, k.plane)
		}
	}
	if len(planes) == 1 {
		a.Plane = planes[0]
	}
	return &Machine{Name: hostName(addr), Addrs: []*Addr{a}}
}

// hostName is the name of the machine that has an address and nothing else is known of.
func hostName(addr netip.Addr) string { return inferredName + addr.String() }

// inferredName begins the name of a machine of which only the address is known.
const inferredName = "host-"

// managers returns the vCenters that each host sends its heartbeats to. Two of them are two vCenters, or a move.
func (in *inference) managers() map[netip.Addr][]netip.Addr {
	managers := map[netip.Addr][]netip.Addr{}
	for _, s := range in.beats {
		if in.is(s.from, hypervisor) && in.is(s.to, vCenter) {
			managers[s.from] = append(managers[s.from], s.to)
		}
	}
	return managers
}

// Recognised reports whether any machine of a suggestion is more than guessed: has a role of medium or high confidence.
func (v *Inventory) Recognised() bool {
	return slices.ContainsFunc(v.Machines, func(m *Machine) bool { return !m.guessed() })
}

// guessed reports whether all that is known of a machine is roles of low confidence.
func (m *Machine) guessed() bool {
	roles := 0
	for _, a := range m.Addrs {
		if slices.ContainsFunc(a.Roles, func(g Grant) bool { return g.Confidence > Low }) {
			return false
		}
		roles += len(a.Roles)
	}
	return roles > 0 && len(m.Products) == 0
}
