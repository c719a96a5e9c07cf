package match

import (
	"fmt"
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/numbering"
)

// end is one end of a conversation, or a whole machine, as the judge sees it. Addresses of which nothing more is known than
// of others have one end together: those of one network, strangers, groups that no row names.
type end struct {
	addr     netip.Addr // of a machine's address, a group that a row names, or one that talks to itself; else none
	placed   *inventory.Placed
	machine  *inventory.Machine
	member   uint32   // of a machine, or its address: the machine's number in the inventory, from 1 on
	station  uint32   // of a machine's address: its number, from 1 on
	planes   []string // of all addresses of the machine, tagged ones
	products []catalog.Deployed
	roles    []inventory.Grant // without low-confidence ones
	client   bool              // declared as a client: may play the whole family
	stranger bool              // without any role
	inferred bool              // has roles, and no person declared any of them
	vmware   bool
	group    bool // a broadcast or multicast destination
	reserved bool // in a network that is there for one purpose
	class    int  // ends of one class are read alike by every row, but for being one machine
	label    string
}

// kind is the same for ends that every row reads alike, but for being one machine.
func (e *end) kind() string {
	if e.label == "" {
		roles := make([]string, 0, len(e.roles))
		for _, g := range e.roles {
			roles = append(roles, fmt.Sprint(g.Role, g.Confidence == inventory.Declared))
		}
		site := ""
		if e.machine != nil {
			site = e.machine.Site
		}
		e.label = fmt.Sprint(roles, e.products, e.stranger, site)
	}
	return e.label
}

// directory holds the ends of all addresses. Once made it does not change, so that many may ask it at a time.
type directory struct {
	inv      *inventory.Inventory
	cat      *catalog.Catalog
	casts    map[netip.Addr]bool // undeclared directed broadcast addresses
	named    register            // addresses of machines, and groups that a row names, broadcast among them
	networks map[*inventory.Network]*end
	group    *end // every other group
	nobody   *end // a stranger that no network holds
	classes  map[string]int
	stations int // addresses of machines
}

// register finds ends by their addresses: a million look-ups among 5,000 take 15 ms, and took 50 in a Go map.
type register struct {
	numbers numbering.Addresses
	ends    []*end // by number
}

// add enters an end by its own address, in place of another.
func (r *register) add(e *end) {
	n, fresh := r.numbers.Add(e.addr)
	if fresh {
		r.ends = append(r.ends, e)
	}
	r.ends[n] = e
}

// end returns the end with an address; nil if there is none.
func (r *register) end(a netip.Addr) *end {
	if n, known := r.numbers.Find(a); known {
		return r.ends[n]
	}
	return nil
}

// stationsOf returns the stations of a flow's ends; 0 is nobody's.
func (d *directory) stationsOf(g *capture.Glance) (a, b uint32) {
	if one, other, ok := g.Fours(); ok {
		return d.named.four(one), d.named.four(other)
	}
	one, other := g.Addrs()
	return d.end(one).station, d.end(other).station
}

// four returns the station of an IPv4 address.
func (r *register) four(a uint32) uint32 {
	if n, known := r.numbers.FindFour(a); known {
		return r.ends[n].station
	}
	return 0
}

func newDirectory(c *catalog.Catalog, inv *inventory.Inventory) *directory {
	d := &directory{
		inv: inv, cat: c, casts: map[netip.Addr]bool{}, named: register{numbers: numbering.Addresses{Hash: numbering.NewHash()}},
		networks: map[*inventory.Network]*end{}, classes: map[string]int{},
	}
	d.group = d.enter(&end{placed: &inventory.Placed{}, group: true})
	d.nobody = d.enter(&end{placed: &inventory.Placed{}, stranger: true})
	for _, n := range inv.Networks {
		p := inventory.Placed{Network: n, Roles: n.Roles, Plane: n.Plane, Line: n.Line}
		e := &end{placed: &p}
		e.grant(c, n.Roles)
		e.vmware = !e.stranger && inv.PlacedVMware(p, c)
		d.networks[n] = d.enter(e)
	}
	for i, m := range inv.Machines {
		d.addMachine(m, uint32(i+1))
	}
	for _, r := range c.Rows {
		if r.Cast.IsValid() && d.named.end(r.Cast) == nil {
			d.named.add(d.enter(&end{addr: r.Cast, placed: &inventory.Placed{}, group: true}))
		}
	}
	return d
}

// addMachine enters the addresses of a machine, with its number.
func (d *directory) addMachine(m *inventory.Machine, number uint32) {
	vmware := d.inv.VMware(m, d.cat)
	var planes []string
	for _, a := range m.Addrs {
		p, ok := d.inv.Place(a.Addr)
		if !ok || p.Machine != m {
			continue
		}
		if p.Plane != "" && !slices.Contains(planes, p.Plane) {
			planes = append(planes, p.Plane)
		}
		d.stations++
		e := &end{addr: a.Addr, placed: &p, machine: m, member: number, station: uint32(d.stations), products: m.Products}
		e.grant(d.cat, p.Roles)
		e.vmware = vmware && !(e.stranger && len(e.products) == 0)
		d.named.add(d.enter(e))
	}
	for _, a := range m.Addrs {
		if e := d.named.end(a.Addr); e != nil && e.machine == m {
			e.planes = planes
		}
	}
}

// enter gives an end its class.
func (d *directory) enter(e *end) *end {
	e.reserved = e.placed.Network != nil && special(e.placed.Network.Plane)
	label := fmt.Sprint(e.kind(), e.vmware, e.group)
	if e.group {
		label += e.addr.String()
	}
	class, known := d.classes[label]
	if !known {
		class = len(d.classes)
		d.classes[label] = class
	}
	e.class = class
	return e
}

// end resolves an address.
func (d *directory) end(a netip.Addr) *end {
	if e := d.named.end(a); e != nil && (!e.group || d.isGroup(a)) {
		return e
	}
	if d.isGroup(a) {
		if e := d.named.end(catalog.Broadcast); e != nil && !a.IsMulticast() {
			return e // a directed broadcast is for those whom a limited one is for
		}
		return d.group
	}
	if a.Is4In6() { // such an address does not belong on a wire (RFC 4942), and is nobody of the inventory
		return d.nobody
	}
	if n := d.inv.NetworkOf(a); n != nil {
		return d.networks[n]
	}
	return d.nobody
}

// isGroup reports whether an address is a group's. No machine has such an address.
func (d *directory) isGroup(a netip.Addr) bool {
	return a.IsMulticast() || len(d.casts) > 0 && d.casts[a] || d.inv.IsBroadcast(a)
}

// itself resolves the address of a flow with itself: it has one end, which is its own.
func (d *directory) itself(a netip.Addr) *end {
	e := d.end(a)
	if e != d.nobody && !e.addr.IsValid() {
		own := *e
		own.addr = a
		return &own
	}
	return e
}

// machineEnd resolves a whole machine: the union of what its addresses play.
func (j *judge) machineEnd(m *inventory.Machine) *end {
	if e, ok := j.machines[m]; ok {
		return e
	}
	e := &end{machine: m, products: m.Products}
	var roles []inventory.Grant
	for _, a := range m.Addrs {
		if p, ok := j.inv.Place(a.Addr); ok {
			for _, g := range p.Roles {
				if !slices.ContainsFunc(roles, func(h inventory.Grant) bool { return h.Role == g.Role }) {
					roles = append(roles, g)
				}
			}
		}
	}
	e.grant(j.cat, roles)
	e.vmware = j.inv.VMware(m, j.cat)
	j.machines[m] = e
	return e
}

// grant gives the end the roles of medium and high confidence, and what follows from them.
func (e *end) grant(c *catalog.Catalog, roles []inventory.Grant) {
	for _, g := range roles {
		if g.Confidence > inventory.Low {
			e.roles = append(e.roles, g)
		}
	}
	e.stranger = len(e.roles) == 0
	e.inferred = !e.stranger
	for _, g := range e.roles {
		if g.Confidence == inventory.Declared {
			e.inferred = false
		}
		if info, ok := c.RoleInfo(g.Role); ok && info.Client {
			e.client = true
		}
	}
}
