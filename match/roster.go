package match

import (
	"slices"

	"flowvet/catalog"
	"flowvet/inventory"
)

// roster says which machines can stand at which end of a row. It remembers what it found: 500 hosts make 250,000 pairs.
type roster struct {
	j        *judge
	hosts    machines
	vcenters machines
	rows     map[*catalog.Row]*standing
	kinds    map[string]int
	kindOf   map[*inventory.Machine]int
	covered  map[coverKey]bool
}

// machines is a set.
type machines map[*inventory.Machine]bool

// standing is who plays the roles of a row's columns; both arrays are indexed by catalog.Target and catalog.Source.
type standing struct {
	at        [2][]*inventory.Machine
	set       [2]machines
	anyClient [2]bool // a client role that no machine declares: any address that may play it does
}

// coverKey is a row between two kinds of machine: machines of one kind hold the same roles and products.
type coverKey struct {
	row      *catalog.Row
	src, dst int
}

func newRoster(j *judge) *roster {
	x := &roster{
		j: j, rows: map[*catalog.Row]*standing{}, kinds: map[string]int{}, kindOf: map[*inventory.Machine]int{},
		covered: map[coverKey]bool{},
	}
	_, x.hosts = x.holding([]catalog.Role{"hypervisor-host"})
	_, x.vcenters = x.holding([]catalog.Role{"vcenter-server"})
	return x
}

// holding returns the machines that play one of the roles, in the inventory's order.
func (x *roster) holding(roles []catalog.Role) ([]*inventory.Machine, machines) {
	var list []*inventory.Machine
	set := machines{}
	for _, m := range x.j.inv.Machines {
		if x.j.fits(x.j.machineEnd(m), roles, false).kind == fitDeclared {
			list = append(list, m)
			set[m] = true
		}
	}
	return list, set
}

func (x *roster) standing(r *catalog.Row) *standing {
	if s := x.rows[r]; s != nil {
		return s
	}
	s := &standing{}
	for end, roles := range map[catalog.End][]catalog.Role{catalog.Source: r.Source, catalog.Target: r.Target} {
		s.at[end], s.set[end] = x.holding(roles)
		s.anyClient[end] = len(s.at[end]) == 0 && slices.ContainsFunc(roles, x.j.clientRole)
	}
	x.rows[r] = s
	return s
}

// stands reports whether a machine can stand at an end of a row; for a row that either end opens, wherever it stands.
func (x *roster) stands(m *inventory.Machine, r *catalog.Row, end catalog.End) bool {
	s := x.standing(r)
	return !declines(m, r) && (s.set[end][m] || r.Listener == catalog.Either && s.set[end.Other()][m])
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

// places returns the pairs of a row in which subject stands at end, or every pair for a nil subject.
func (x *roster) places(r *catalog.Row, subject *inventory.Machine, end catalog.End) []place {
	var all []place
	add := func(src, dst *inventory.Machine) {
		if x.possible(r, src, dst) {
			all = append(all, place{r, src, dst})
		}
	}
	s := x.standing(r)
	at := func(end catalog.End) []*inventory.Machine {
		if s.anyClient[end] {
			return []*inventory.Machine{nil}
		}
		return s.at[end]
	}
	if subject == nil {
		for _, src := range at(catalog.Source) {
			for _, dst := range at(catalog.Target) {
				add(src, dst)
			}
		}
		return all
	}
	sides := []catalog.End{end}
	if r.Listener == catalog.Either {
		sides = append(sides, end.Other())
	}
	for _, side := range sides {
		if !s.set[side][subject] {
			continue
		}
		for _, other := range at(side.Other()) {
			if side == catalog.Source {
				add(subject, other)
			} else {
				add(other, subject)
			}
		}
	}
	return all
}

// possible reports whether a row can be expected between two machines that play its roles.
func (x *roster) possible(r *catalog.Row, src, dst *inventory.Machine) bool {
	if src == dst || src != nil && declines(src, r) || dst != nil && declines(dst, r) {
		return false
	}
	if src != nil && dst != nil && !x.belong(src, dst) {
		return false
	}
	k := coverKey{r, x.kind(src), x.kind(dst)}
	ok, cached := x.covered[k]
	if !cached {
		ok = x.covers(r, src, dst)
		x.covered[k] = ok
	}
	return ok
}

// kind numbers the kinds of machines.
func (x *roster) kind(m *inventory.Machine) int {
	if n, ok := x.kindOf[m]; ok {
		return n
	}
	label := x.end(m).kind()
	n, ok := x.kinds[label]
	if !ok {
		n = len(x.kinds)
		x.kinds[label] = n
	}
	x.kindOf[m] = n
	return n
}

// end resolves a machine, or any client for nil.
func (x *roster) end(m *inventory.Machine) *end {
	if m == nil {
		return &end{stranger: true, client: true}
	}
	return x.j.machineEnd(m)
}

// covers reports whether the row's product is there in its version, whichever end opens the connection.
func (x *roster) covers(r *catalog.Row, src, dst *inventory.Machine) bool {
	from, to := x.end(src), x.end(dst)
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
