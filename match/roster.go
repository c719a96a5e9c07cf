package match

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"flowvet/catalog"
	"flowvet/inventory"
)

// roster says which machines can stand at which end of a row. It asks of kinds of machines, not of machines: 2,000 hosts make
// four million pairs, and their kinds a few thousand.
type roster struct {
	j        *judge
	hosts    machines
	vcenters machines
	kinds    []*kind
	kindOf   []int               // by the machine's number; of 0, any client, the first kind
	players  map[string]*players // by roles
	rows     map[*catalog.Row]*standing
	covered  map[coverKey]bool
	others   map[partKey]*crew
	crews    *crews
}

// crews holds the crews of a roster by their kinds.
type crews struct {
	sync.Mutex
	known map[string]*crew
}

// machines is a set.
type machines map[*inventory.Machine]bool

// kind is machines that no row tells apart: they hold the same roles and products, use and decline the same services, and
// belong to the same cluster and vCenter. The first kind is any client, which has no members.
type kind struct {
	members []*inventory.Machine
	end     *end // of the first
	number  int  // of those that differ at most in services, clusters and vCenters
}

// standing is who plays the roles of a row's columns; both arrays are indexed by catalog.Target and catalog.Source.
type standing struct {
	at        [2]*players
	anyClient [2]bool // a client role that no machine declares: any address that may play it does
}

// players is who plays one of several roles.
type players struct {
	list  []*inventory.Machine // in the inventory's order
	kinds []bool               // by kind
}

// coverKey is a row between two numbers of kinds.
type coverKey struct {
	row      *catalog.Row
	src, dst int
}

// partKey is a kind at one end of a row.
type partKey struct {
	row  *catalog.Row
	end  catalog.End
	kind int
}

// crew is machines of certain kinds.
type crew struct {
	kinds  []bool
	list   []*inventory.Machine // in the inventory's order
	byName []*inventory.Machine
}

// anyone is the kind of any client, and the number of a machine that is none.
const anyone = 0

func newRoster(j *judge) *roster {
	x := &roster{
		j: j, hosts: machines{}, vcenters: machines{}, kinds: []*kind{{end: &end{stranger: true, client: true}}},
		kindOf: make([]int, len(j.inv.Machines)+1), players: map[string]*players{}, rows: map[*catalog.Row]*standing{},
		covered: map[coverKey]bool{}, others: map[partKey]*crew{}, crews: &crews{known: map[string]*crew{}},
	}
	x.sort()
	return x
}

// another returns a roster that may be asked beside this one, of rows that this one is not asked about and whose standing is known.
func (x *roster) another() *roster {
	y := *x
	y.covered, y.others = map[coverKey]bool{}, map[partKey]*crew{}
	return &y
}

// sort puts every machine to its kind.
func (x *roster) sort() {
	plays := func(e *end, role catalog.Role) bool {
		return x.j.fits(e, []catalog.Role{role}, false).kind == fitDeclared
	}
	known, numbers := map[string]int{}, map[string]int{"": 0}
	for i, m := range x.j.inv.Machines {
		e := x.j.machineEnd(m)
		e.member = uint32(i + 1)
		label := e.kind()
		var belongs string
		if plays(e, "hypervisor-host") {
			x.hosts[m] = true
			belongs = fmt.Sprintf("%t %q %q", m.Unmanaged, m.Cluster, m.ManagedBy)
		}
		if plays(e, "vcenter-server") {
			x.vcenters[m] = true
			belongs += fmt.Sprintf(" %q", m.Name)
		}
		whole := fmt.Sprintf("%s %s %q %q", label, belongs, m.Uses, m.NotUses)
		n, found := known[whole]
		if !found {
			if _, some := numbers[label]; !some {
				numbers[label] = len(numbers)
			}
			n = len(x.kinds)
			known[whole] = n
			x.kinds = append(x.kinds, &kind{end: e, number: numbers[label]})
		}
		x.kinds[n].members = append(x.kinds[n].members, m)
		x.kindOf[i+1] = n
	}
}

// holding returns who plays one of the roles.
func (x *roster) holding(roles []catalog.Role) *players {
	label := fmt.Sprint(roles)
	if p := x.players[label]; p != nil {
		return p
	}
	p := &players{kinds: make([]bool, len(x.kinds))}
	for n, k := range x.kinds {
		p.kinds[n] = n != anyone && x.j.fits(k.end, roles, false).kind == fitDeclared
	}
	p.list = x.list(p.kinds)
	x.players[label] = p
	return p
}

// list returns the machines of kinds, in the inventory's order.
func (x *roster) list(kinds []bool) []*inventory.Machine {
	var list []*inventory.Machine
	for i, m := range x.j.inv.Machines {
		if kinds[x.kindOf[i+1]] {
			list = append(list, m)
		}
	}
	return list
}

func (x *roster) standing(r *catalog.Row) *standing {
	if s := x.rows[r]; s != nil {
		return s
	}
	s := &standing{}
	for end, roles := range map[catalog.End][]catalog.Role{catalog.Source: r.Source, catalog.Target: r.Target} {
		s.at[end] = x.holding(roles)
		s.anyClient[end] = len(s.at[end].list) == 0 && slices.ContainsFunc(roles, x.j.clientRole)
	}
	x.rows[r] = s
	return s
}

// number returns the number of a machine in the inventory, from 1 on.
func (x *roster) number(m *inventory.Machine) int { return int(x.j.machineEnd(m).member) }

// kind returns the kind of a machine; nil is any client.
func (x *roster) kind(m *inventory.Machine) int {
	if m == nil {
		return anyone
	}
	return x.kindOf[x.number(m)]
}

// stands reports whether machines of a kind can stand at an end of a row; for a row that either end opens, wherever they stand.
func (x *roster) stands(kind int, r *catalog.Row, end catalog.End) bool {
	s := x.standing(r)
	return !x.declines(kind, r) && (s.at[end].kinds[kind] || r.Listener == catalog.Either && s.at[end.Other()].kinds[kind])
}

// declines reports whether machines of a kind take no part in the row's service.
func (x *roster) declines(kind int, r *catalog.Row) bool {
	return kind != anyone && declines(x.kinds[kind].members[0], r)
}

// declines reports whether a machine takes no part in the row's service.
func declines(m *inventory.Machine, r *catalog.Row) bool {
	return r.Class.Kind == catalog.IfUsed && m.Declines(r.Class.Of)
}

// place is a possible pair of machines for a row. A nil machine is any client.
type place struct {
	row      *catalog.Row
	src, dst *inventory.Machine
}

// placeOf returns the place of a machine at one side of a row, and another at the other.
func placeOf(r *catalog.Row, side catalog.End, one, other *inventory.Machine) place {
	if side == catalog.Source {
		return place{r, one, other}
	}
	return place{r, other, one}
}

// crewFor returns who can stand at the other end of a row from a machine of a kind; a machine is not its own other end.
func (x *roster) crewFor(r *catalog.Row, end catalog.End, kind int) *crew {
	k := partKey{r, end, kind}
	c := x.others[k]
	if c == nil {
		kinds := make([]bool, len(x.kinds))
		for other := range x.at(r, end.Other()) {
			kinds[other] = x.possible(r, end, kind, other)
		}
		c = x.crew(kinds)
		x.others[k] = c
	}
	return c
}

// at yields the kinds that stand at an end of a row: any client where its role is nobody's.
func (x *roster) at(r *catalog.Row, end catalog.End) func(yield func(int) bool) {
	s := x.standing(r)
	return func(yield func(int) bool) {
		if s.anyClient[end] {
			yield(anyone)
			return
		}
		for kind, plays := range s.at[end].kinds {
			if plays && !yield(kind) {
				return
			}
		}
	}
}

// crew returns the machines of kinds, once for all who ask.
func (x *roster) crew(kinds []bool) *crew {
	label := make([]byte, len(kinds))
	for n, in := range kinds {
		if in {
			label[n] = 1
		}
	}
	x.crews.Lock()
	defer x.crews.Unlock()
	c := x.crews.known[string(label)]
	if c == nil {
		c = &crew{kinds: kinds, list: x.list(kinds)}
		c.byName = slices.Clone(c.list)
		slices.SortFunc(c.byName, func(a, b *inventory.Machine) int { return strings.Compare(a.Name, b.Name) })
		x.crews.known[string(label)] = c
	}
	return c
}

// anyClientAt is the place of any client in the list of a crew.
const anyClientAt = -1

// at returns a machine of the list; nil for any client.
func (c *crew) at(i int) *inventory.Machine {
	if i == anyClientAt {
		return nil
	}
	return c.list[i]
}

// without returns the machines but one, by name.
func (c *crew) without(m *inventory.Machine) Machines {
	all := Machines{all: c.byName}
	if m == nil {
		return all
	}
	at, in := slices.BinarySearchFunc(c.byName, m, func(a, b *inventory.Machine) int { return strings.Compare(a.Name, b.Name) })
	if in {
		all.but = at + 1
	}
	return all
}

// empty reports whether a machine of a kind has nobody to speak to in the crew.
func (c *crew) empty(kind int) bool {
	own := 0
	if kind != anyone && c.kinds[kind] {
		own = 1
	}
	return len(c.list) <= own && !c.kinds[anyone]
}

// anywhere reports whether a row can be expected between any two machines.
func (x *roster) anywhere(r *catalog.Row) bool {
	for kind := range x.at(r, catalog.Source) {
		if !x.crewFor(r, catalog.Source, kind).empty(kind) {
			return true
		}
	}
	return false
}

// between reports whether a row can be expected between two machines that stand at its ends; nil is any client.
func (x *roster) between(r *catalog.Row, src, dst *inventory.Machine) bool {
	return src != dst && x.possible(r, catalog.Source, x.kind(src), x.kind(dst))
}

// possible reports whether a row can be expected between two machines, of a kind at an end and of another at the other end.
func (x *roster) possible(r *catalog.Row, end catalog.End, kind, other int) bool {
	src, dst := kind, other
	if end == catalog.Target {
		src, dst = other, kind
	}
	a, b := x.two(src, dst)
	if src == dst && b == nil || x.declines(src, r) || x.declines(dst, r) || a != nil && b != nil && !x.belong(a, b) {
		return false
	}
	k := coverKey{r, x.kinds[src].number, x.kinds[dst].number}
	ok, cached := x.covered[k]
	if !cached {
		ok = x.covers(r, x.kinds[src].end, x.endOf(b))
		x.covered[k] = ok
	}
	return ok
}

// two returns different machines of two kinds, nil where there is none.
func (x *roster) two(a, b int) (m, n *inventory.Machine) {
	first := func(kind, nth int) *inventory.Machine {
		if members := x.kinds[kind].members; nth < len(members) {
			return members[nth]
		}
		return nil
	}
	if a == b {
		return first(a, 0), first(b, 1)
	}
	return first(a, 0), first(b, 0)
}

// endOf resolves a machine, or any client for nil.
func (x *roster) endOf(m *inventory.Machine) *end {
	if m == nil {
		return x.kinds[anyone].end
	}
	return x.j.machineEnd(m)
}

// covers reports whether the row's product is there in its version, whichever end opens the connection.
func (x *roster) covers(r *catalog.Row, from, to *end) bool {
	return slices.ContainsFunc(x.j.cat.Permissions(r), func(p *catalog.Permission) bool {
		i, t := from, to
		if p.Initiator == catalog.Target {
			i, t = to, from
		}
		y := x.j.read(p, i, t)
		return y.from.plays() && (y.to.plays() || t.machine == nil) && y.related && y.cover >= catalog.CoverUnknown
	})
}

// belong reports whether two machines belong together: a host to its vCenter, hosts of one cluster to each other.
func (x *roster) belong(a, b *inventory.Machine) bool {
	switch {
	case x.hosts[a] && x.hosts[b]:
		return !a.Unmanaged && !b.Unmanaged && (a.Cluster == "" || b.Cluster == "" || a.Cluster == b.Cluster)
	case x.hosts[a] && x.vcenters[b]:
		return managedBy(a, b)
	case x.hosts[b] && x.vcenters[a]:
		return managedBy(b, a)
	}
	return true
}

func managedBy(host, vcenter *inventory.Machine) bool {
	return !host.Unmanaged && (host.ManagedBy == "" || host.ManagedBy == vcenter.Name)
}
