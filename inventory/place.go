package inventory

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"path/filepath"
	"slices"

	"flowvet/catalog"
)

// index answers the questions that are asked once per conversation.
type index struct {
	addrs      map[netip.Addr]Placed
	machines   map[string]*Machine
	networks   map[netip.Prefix]*Network
	lengths    []int // distinct prefix lengths of networks, longest first
	broadcasts map[netip.Addr]struct{}
}

// build makes the index. The inventory must be complete and free of problems.
func (v *Inventory) build(c *catalog.Catalog) {
	x := index{
		addrs:      make(map[netip.Addr]Placed),
		machines:   make(map[string]*Machine, len(v.Machines)),
		networks:   make(map[netip.Prefix]*Network, len(v.Networks)),
		broadcasts: make(map[netip.Addr]struct{}),
	}
	for _, n := range v.Networks {
		x.networks[n.Prefix] = n
		x.lengths = append(x.lengths, n.Prefix.Bits())
		if b, ok := broadcastOf(n.Prefix); ok {
			x.broadcasts[b] = struct{}{}
		}
	}
	slices.SortFunc(x.lengths, func(a, b int) int { return cmp.Compare(b, a) })
	x.lengths = slices.Compact(x.lengths)
	for _, m := range v.Machines {
		x.machines[m.Name] = m
		for _, a := range m.Addrs {
			p := Placed{
				Addr: a.Addr, Machine: m, Network: x.network(a.Addr), Plane: a.Plane, Line: a.Line,
				Roles: effectiveRoles(m, a, c, v.at(m.Line)),
			}
			if p.Plane == "" && p.Network != nil {
				p.Plane = p.Network.Plane
			}
			x.addrs[a.Addr] = p
		}
	}
	v.index = x
}

// With returns the inventory with further machines, whose names and addresses nobody in it has. It is for questions about
// machines that are not there.
func (v *Inventory) With(c *catalog.Catalog, machines ...*Machine) *Inventory {
	more := *v
	more.Machines = slices.Concat(v.Machines, machines)
	more.build(c)
	return &more
}

// at returns where a declared fact stands: "lab.yaml:12".
func (v *Inventory) at(line int) string { return fmt.Sprintf("%s:%d", v.Name, line) }

// effectiveRoles returns the roles that an address plays: those named for it, else those that its machine's products
// are, refined by the products in either case.
func effectiveRoles(m *Machine, a *Addr, c *catalog.Catalog, evidence string) []Grant {
	roles := slices.Clone(a.Roles)
	add := func(r catalog.Role, g Grant) {
		if r != "" && !slices.ContainsFunc(roles, func(h Grant) bool { return h.Role == r }) {
			roles = append(roles, Grant{Role: r, Confidence: g.Confidence, Evidence: g.Evidence})
		}
	}
	declared := Grant{Confidence: Declared, Evidence: evidence}
	for _, d := range m.Products {
		role, refined := c.RoleOf(d)
		if len(a.Roles) == 0 {
			add(role, declared)
		}
		if i := slices.IndexFunc(roles, func(h Grant) bool { return h.Role == role }); i >= 0 {
			add(refined, roles[i])
		}
	}
	return roles
}

// network returns the network with the longest prefix that holds the address, or nil.
func (x *index) network(a netip.Addr) *Network {
	for _, bits := range x.lengths {
		p, err := a.Prefix(bits)
		if err != nil {
			continue
		}
		if n := x.networks[p]; n != nil {
			return n
		}
	}
	return nil
}

// Place returns what is known of an address; false when neither a machine nor a network names it.
// A machine that has the address wins over every network; among networks the longest prefix wins.
func (v *Inventory) Place(a netip.Addr) (Placed, bool) {
	a = a.Unmap()
	if p, ok := v.index.addrs[a]; ok {
		return p, true
	}
	if n := v.index.network(a); n != nil {
		return Placed{Addr: a, Network: n, Roles: n.Roles, Plane: n.Plane, Line: n.Line}, true
	}
	return Placed{Addr: a}, false
}

// NetworkOf returns the network with the longest prefix that holds an address, or nil. That a machine has the address does
// not matter here.
func (v *Inventory) NetworkOf(a netip.Addr) *Network {
	if len(v.index.lengths) == 0 {
		return nil
	}
	return v.index.network(a.Unmap())
}

// Machine returns the machine with that name, or nil.
func (v *Inventory) Machine(name string) *Machine { return v.index.machines[name] }

// Roles returns the union of what a machine's addresses play, sorted by role; a role known in several ways has its
// strongest grant. For a machine without addresses it is empty.
func (v *Inventory) Roles(m *Machine) []Grant {
	var union []Grant
	for _, a := range m.Addrs {
		for _, g := range v.index.addrs[a.Addr].Roles {
			i := slices.IndexFunc(union, func(h Grant) bool { return h.Role == g.Role })
			switch {
			case i < 0:
				union = append(union, g)
			case g.Confidence > union[i].Confidence:
				union[i] = g
			}
		}
	}
	slices.SortFunc(union, func(a, b Grant) int { return cmp.Compare(a.Role, b.Role) })
	return union
}

// VMware reports whether a machine is a VMware machine: it carries a product, or one of its addresses plays a role that
// the catalogue marks so. A role of low confidence makes none.
func (v *Inventory) VMware(m *Machine, c *catalog.Catalog) bool {
	return len(m.Products) > 0 || anyVMware(v.Roles(m), c)
}

// PlacedVMware reports whether an address belongs to a VMware machine, or to a network with a role that is marked so.
func (v *Inventory) PlacedVMware(p Placed, c *catalog.Catalog) bool {
	if p.Machine != nil {
		return v.VMware(p.Machine, c)
	}
	return anyVMware(p.Roles, c)
}

func anyVMware(grants []Grant, c *catalog.Catalog) bool {
	return slices.ContainsFunc(grants, func(g Grant) bool {
		return g.Confidence > Low && anyLineage(c, g.Role, func(r catalog.RoleInfo) bool { return r.VMware })
	})
}

// RestrictsClients reports whether a networks entry has a client role: then only its addresses, and those of machines
// with a client role, are clients, and an address without any role is none.
func (v *Inventory) RestrictsClients(c *catalog.Catalog) bool {
	return slices.ContainsFunc(v.Networks, func(n *Network) bool {
		return slices.ContainsFunc(n.Roles, func(g Grant) bool {
			return anyLineage(c, g.Role, func(r catalog.RoleInfo) bool { return r.Client })
		})
	})
}

// anyLineage reports whether a role or one of its ancestors has a property.
func anyLineage(c *catalog.Catalog, role catalog.Role, has func(catalog.RoleInfo) bool) bool {
	return slices.ContainsFunc(lineage(c, role), has)
}

// lineage returns a role and its ancestors, each once. The catalogue's hierarchy may be a user's: it is not trusted to
// be free of cycles.
func lineage(c *catalog.Catalog, role catalog.Role) []catalog.RoleInfo {
	var line []catalog.RoleInfo
	seen := map[catalog.Role]bool{}
	for todo := []catalog.Role{role}; len(todo) > 0; todo = todo[1:] {
		info, ok := c.RoleInfo(todo[0])
		if !ok || seen[todo[0]] {
			continue
		}
		seen[todo[0]] = true
		line = append(line, info)
		todo = append(todo, info.Parents...)
	}
	return line
}

// Requires reports whether the inventory declares a service as used: for the whole site, or for the machine (m may be
// nil: the site only). A machine's "-service" takes away what the site declares.
func (v *Inventory) Requires(service string, m *Machine) bool {
	if m != nil && (m.Declines(service) || slices.Contains(m.Uses, service)) {
		return !m.Declines(service)
	}
	return slices.Contains(v.Uses, service)
}

// Declines reports whether the machine takes no part in a service ("-ha"): it is no candidate at either end.
func (m *Machine) Declines(service string) bool { return slices.Contains(m.NotUses, service) }

// Sees says what the inventory declares of a capture's view: declared is whether any view names the capture, inside
// whether one of those that do holds the address, by prefix or by machine.
func (v *Inventory) Sees(captureName string, a netip.Addr) (declared, inside bool) {
	a = a.Unmap()
	owner := v.index.addrs[a].Machine
	for _, w := range v.Views {
		if !w.covers(captureName) {
			continue
		}
		declared = true
		if owner != nil && slices.Contains(w.Names, owner.Name) ||
			slices.ContainsFunc(w.Sees, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return true, true
		}
	}
	return declared, false
}

// covers reports whether the view speaks of the capture. The glob was checked when it was read.
func (w View) covers(captureName string) bool {
	if w.File == "" {
		return true
	}
	name := filepath.ToSlash(captureName)
	whole, err := path.Match(w.File, name)
	base, _ := path.Match(w.File, path.Base(name))
	return err == nil && (whole || base)
}

// IsBroadcast reports whether an address is 255.255.255.255 or the directed broadcast address of a declared network.
// Such an address is no machine.
func (v *Inventory) IsBroadcast(a netip.Addr) bool {
	a = a.Unmap()
	if !a.Is4() || a.As4()[3]&1 == 0 { // a host's bits are all set: asked of every flow, mostly in vain
		return false
	}
	_, directed := v.index.broadcasts[a]
	return directed || a == limitedBroadcast()
}

func limitedBroadcast() netip.Addr { return netip.AddrFrom4([4]byte{255, 255, 255, 255}) }

// broadcastOf returns the directed broadcast address of an IPv4 prefix. A /31 (RFC 3021) and a /32 have none.
func broadcastOf(p netip.Prefix) (netip.Addr, bool) {
	if !p.Addr().Is4() || p.Bits() > 30 {
		return netip.Addr{}, false
	}
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b), true
}
