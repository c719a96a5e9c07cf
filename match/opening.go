package match

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"flowvet/catalog"
	"flowvet/inventory"
)

// Opening is a service that the catalogue documents between a machine and others: what a firewall before the machine has
// to let through. All addresses of an opening are of one family.
type Opening struct {
	Out       bool              // the machine initiates; else the others do
	Transport catalog.Transport // TCP or UDP, not both
	Ports     catalog.Ports     // of the responder
	Own       netip.Addr        // the machine's address, or the group that it listens to
	Peers     []netip.Prefix    // of the others; sorted, none within another; empty iff Any
	Any       bool              // the others are any address: no network of the inventory has a client role
	Rows      []*catalog.Row    // that document it, by id
}

// Replies reports whether the responder answers: not where every row is one-way by nature.
func (o *Opening) Replies() bool {
	return o.Transport == catalog.TCP || slices.ContainsFunc(o.Rows, func(r *catalog.Row) bool { return !r.OneWay })
}

// Openings returns what the rows document between m and the other machines and networks of its inventory: what [Evaluate]
// would call documented on the plane of the row. Rows within one machine are left out, and a row whose port the site has
// moved is opened where it has moved to. They are sorted: in before out, by port and transport.
func Openings(c *catalog.Catalog, inv *inventory.Inventory, m *inventory.Machine, wanted func(*catalog.Row) bool) []Opening {
	o := newOpener(newJudge(c, inv), m)
	for _, row := range c.Rows {
		if row.OnWire && row.Class.Kind != catalog.Internal && wanted(row) {
			for _, p := range c.Permissions(row) {
				o.open(p)
			}
		}
	}
	slices.SortFunc(o.all, compareOpenings)
	openings := make([]Opening, len(o.all))
	for i, x := range o.all {
		slices.SortFunc(x.Rows, func(a, b *catalog.Row) int { return cmp.Compare(a.ID, b.ID) })
		openings[i] = *x
	}
	return openings
}

func compareOpenings(a, b *Opening) int {
	if a.Out != b.Out {
		if b.Out {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.Ports.Lo, b.Ports.Lo), cmp.Compare(a.Ports.Hi, b.Ports.Hi), cmp.Compare(a.Transport, b.Transport),
		a.Own.Compare(b.Own), slices.CompareFunc(a.Peers, b.Peers, comparePrefixes))
}

func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

// party is an address, or a network, at one end of an opening.
type party struct {
	*end
	prefix netip.Prefix // invalid: any address without a role
	plane  string
}

// opener collects the openings of one machine.
type opener struct {
	j      *judge
	own    []party
	peers  [][]party                       // those of one class together: what documents one documents all of them
	planes map[*inventory.Machine][]string // the planes of a machine's addresses
	known  map[glance]bool
	all    []*Opening
	at     map[string]*Opening
}

// glance is what decides whether a permission documents two ends: what is asked once need not be asked of a thousand
// hosts that are alike.
type glance struct {
	perm *catalog.Permission
	i, r int // classes of the ends
}

func newOpener(j *judge, m *inventory.Machine) *opener {
	o := &opener{
		j: j, planes: map[*inventory.Machine][]string{}, known: map[glance]bool{}, at: map[string]*Opening{},
	}
	at := map[int]int{}
	meets := func(p party) {
		n, known := at[p.class]
		if !known {
			n, at[p.class] = len(o.peers), len(o.peers)
			o.peers = append(o.peers, nil)
		}
		o.peers[n] = append(o.peers[n], p)
	}
	for _, n := range j.inv.Machines {
		for _, a := range n.Addrs {
			e := j.end(a.Addr)
			p := party{end: e, prefix: netip.PrefixFrom(a.Addr, a.Addr.BitLen()), plane: e.placed.Plane}
			o.planes[n] = append(o.planes[n], p.plane)
			if n == m {
				o.own = append(o.own, p)
			} else {
				meets(p)
			}
		}
	}
	for _, n := range j.inv.Networks {
		meets(party{end: j.networks[n], prefix: n.Prefix, plane: n.Plane})
	}
	meets(party{end: j.nobody})
	return o
}

// on reports whether a row of a plane runs on the party's address: on those tagged so where its machine has any, else on
// those that are not tagged, else on those for management, else on all.
func (o *opener) on(p party, plane string) bool {
	has := func(plane string) bool { return slices.Contains(o.planes[p.machine], plane) }
	switch {
	case plane == "" || p.plane == plane:
		return true
	case p.machine == nil:
		return p.plane == ""
	case has(plane):
		return false
	case has(""):
		return p.plane == ""
	case has("mgmt"):
		return p.plane == "mgmt"
	}
	return true
}

// open adds what one permission opens, in both roles that the machine may play.
func (o *opener) open(p *catalog.Permission) {
	for _, out := range []bool{false, true} {
		for _, own := range o.own {
			if !o.on(own, p.Row.Plane) {
				continue
			}
			peers, anybody := o.meet(p, own, out)
			if len(peers) > 0 || anybody {
				o.add(p.Row, out, own.addr, peers, anybody)
			}
		}
	}
}

// meet returns whom a permission lets an address of the machine speak with.
func (o *opener) meet(p *catalog.Permission, own party, out bool) (peers []netip.Prefix, anybody bool) {
	for _, alike := range o.peers {
		i, r := alike[0].end, own.end
		if out {
			i, r = r, i
		}
		if !o.documents(p, i, r) {
			continue
		}
		for _, peer := range alike {
			switch {
			case peer.prefix.IsValid() && peer.prefix.Addr().Is4() != own.addr.Is4(), !o.on(peer, p.Row.Plane):
			case !peer.prefix.IsValid():
				return nil, true
			default:
				peers = append(peers, peer.prefix)
			}
		}
	}
	return outermost(peers), false
}

// outermost sorts prefixes and leaves out those that lie within another.
func outermost(all []netip.Prefix) []netip.Prefix {
	slices.SortFunc(all, comparePrefixes)
	kept := all[:0]
	for _, p := range all {
		if last := len(kept) - 1; last < 0 || !kept[last].Contains(p.Addr()) {
			kept = append(kept, p)
		}
	}
	return kept
}

func (o *opener) documents(p *catalog.Permission, i, r *end) bool {
	k := glance{p, i.class, r.class}
	yes, asked := o.known[k]
	if !asked {
		x := o.j.read(p, i, r)
		yes = x.documents()
		o.known[k] = yes
	}
	return yes
}

// add adds an opening for each transport of a row, and one for the group that it is documented for as well.
func (o *opener) add(row *catalog.Row, out bool, own netip.Addr, peers []netip.Prefix, anybody bool) {
	ports := row.Ports
	if moved, ok := o.j.inv.Ports[row.ID]; ok {
		ports = catalog.Ports{Lo: moved, Hi: moved}
	}
	for _, t := range []catalog.Transport{catalog.TCP, catalog.UDP} {
		if !row.Transport.Has(t) {
			continue
		}
		x := Opening{Out: out, Transport: t, Ports: ports, Own: own, Peers: peers, Any: anybody}
		o.merge(x, row)
		switch {
		case !row.Cast.IsValid() || row.Cast.Is4() != own.Is4():
		case out:
			x.Peers, x.Any = []netip.Prefix{netip.PrefixFrom(row.Cast, row.Cast.BitLen())}, false
			o.merge(x, row)
		default:
			x.Own = row.Cast
			o.merge(x, row)
		}
	}
}

// merge adds a row to the opening that is alike in everything else.
func (o *opener) merge(x Opening, row *catalog.Row) {
	k := fmt.Sprint(x.Out, x.Transport, x.Ports, x.Own, x.Peers, x.Any)
	known := o.at[k]
	if known == nil {
		known = &x
		o.at[k] = known
		o.all = append(o.all, known)
	}
	if !slices.Contains(known.Rows, row) {
		known.Rows = append(known.Rows, row)
	}
}
