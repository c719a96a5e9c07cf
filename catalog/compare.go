package catalog

import (
	"cmp"
	"slices"
	"strings"
)

// ChangeKind says what became of what a firewall must let pass.
type ChangeKind uint8

// What became of it.
const (
	Opened ChangeKind = iota // passes now
	Closed                   // passes no more
	Turned                   // passes in the other direction only
)

// String returns opened, closed or turned.
func (k ChangeKind) String() string { return [...]string{"opened", "closed", "turned"}[k] }

// Change is something that passes between two kinds of machines by one of two selections only.
type Change struct {
	Kind      ChangeKind
	From, To  []Role // who begins, and who listens: as it is now, or was where it is closed
	Transport Transport
	Ports     Ports
	Rows      []*Row // that let it pass
	Was       []*Row // that let it pass the other way; of Turned only
}

// Compare returns what passes by some of the selections before or by some of those after only, by port, and how many openings
// of those after were there before. Rows that never are on a wire play no part, nor do other readings of an erratum. A role
// stands for its descendants, and the kind of host that a product's version is (esx-classic, esxi) for the host, so that an
// upgrade is no change of role.
func Compare(before, after []Selection) (changes []Change, same int) {
	was, is := doorsOf(before), doorsOf(after)
	closed, _ := missing(was, is)
	opened, same := missing(is, was)
	turned := turn(&opened, &closed)
	for kind, doors := range map[ChangeKind][]door{Opened: opened, Closed: closed, Turned: turned} {
		changes = append(changes, joinDoors(kind, doors)...)
	}
	slices.SortFunc(changes, func(a, b Change) int {
		return cmp.Or(
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Ports.Lo, b.Ports.Lo), cmp.Compare(a.Ports.Hi, b.Ports.Hi),
			cmp.Compare(a.Transport, b.Transport), strings.Compare(joinRoles(a.From), joinRoles(b.From)),
			strings.Compare(joinRoles(a.To), joinRoles(b.To)),
		)
	})
	return changes, same
}

// way is who may begin with whom, in one transport.
type way struct {
	from, to  Role
	transport Transport
}

func (w way) back() way { return way{w.to, w.from, w.transport} }

// door is the smallest thing that can be open: a way on some ports.
type door struct {
	way
	ports     Ports
	rows, was []*Row
	catalog   *Catalog // that knows the roles
}

func (d door) id() doorID { return doorID{d.way, d.ports} }

type doorID struct {
	way
	ports Ports
}

// doorsOf returns what the rows open, each once.
func doorsOf(selections []Selection) []door {
	at := map[doorID]int{}
	var all []door
	for _, s := range selections {
		plain := s.Catalog.plainRoles()
		s.ways(func(w way, ports Ports, r *Row) {
			w.from, w.to = plain(w.from), plain(w.to)
			i, known := at[doorID{w, ports}]
			switch {
			case !known:
				at[doorID{w, ports}] = len(all)
				all = append(all, door{way: w, ports: ports, rows: []*Row{r}, catalog: s.Catalog})
			case all[i].rows[len(all[i].rows)-1] != r: // both ends of a row may be one role
				all[i].rows = append(all[i].rows, r)
			}
		})
	}
	return all
}

// ways calls a function with everything that the rows open on a wire.
func (s Selection) ways(add func(way, Ports, *Row)) {
	for _, r := range s.Rows {
		if !r.OnWire {
			continue
		}
		for _, p := range permissions(*r, r, false) {
			for _, from := range p.From {
				for _, to := range p.To {
					for _, t := range p.Transport.each() {
						add(way{from, to, t}, p.Ports, r)
					}
				}
			}
		}
	}
}

// each returns the single transports of a set.
func (t Transport) each() []Transport {
	return slices.DeleteFunc([]Transport{TCP, UDP}, func(one Transport) bool { return !t.Has(one) })
}

// plainRoles returns a function that gives for the kind of host that some product refines the role that every one of the
// product's family plays.
func (c *Catalog) plainRoles() func(Role) Role {
	plain := map[Role]Role{}
	for _, p := range c.Products {
		if p.Refines != "" {
			plain[p.Refines] = p.Role
		}
	}
	return func(r Role) Role { return cmp.Or(plain[r], r) }
}

// missing returns what of the doors the others do not open as well, and how many doors they open whole.
func missing(doors, others []door) (rest []door, whole int) {
	open := map[way]portSet{}
	for _, d := range others {
		open[d.way] = append(open[d.way], d.ports)
	}
	for w, ports := range open {
		open[w] = ports.joined()
	}
	for _, d := range doors {
		left := portSet{d.ports}
		for _, from := range d.catalog.lineOf(d.from) {
			for _, to := range d.catalog.lineOf(d.to) {
				left = left.without(open[way{from, to, d.transport}])
			}
		}
		if len(left) == 0 {
			whole++
		}
		for _, ports := range left {
			rest = append(rest, door{way: d.way, ports: ports, rows: d.rows, catalog: d.catalog})
		}
	}
	return rest, whole
}

// lineOf returns a role and its ancestors.
func (c *Catalog) lineOf(r Role) []Role {
	if c.roles == nil || c.roles.ancestors[r] == nil {
		return []Role{r}
	}
	return c.roles.ancestors[r]
}

// portSet is a set of ports: ranges in order that do not overlap, once joined.
type portSet []Ports

// joined sorts ranges, and joins those that overlap or touch.
func (s portSet) joined() portSet {
	slices.SortFunc(s, func(a, b Ports) int { return cmp.Compare(a.Lo, b.Lo) })
	var all portSet
	for _, p := range s {
		if n := len(all); n > 0 && int(p.Lo) <= int(all[n-1].Hi)+1 {
			all[n-1].Hi = max(all[n-1].Hi, p.Hi)
			continue
		}
		all = append(all, p)
	}
	return all
}

// without returns what of s is not in another set. Both are joined, and so is what is left.
func (s portSet) without(o portSet) portSet {
	var left portSet
	for _, p := range s {
		lo := int(p.Lo)
		first, _ := slices.BinarySearchFunc(o, p.Lo, func(q Ports, port uint16) int { return cmp.Compare(q.Hi, port) })
		for _, q := range o[first:] {
			if q.Lo > p.Hi {
				break
			}
			if int(q.Lo) > lo {
				left = append(left, Ports{uint16(lo), q.Lo - 1})
			}
			lo = int(q.Hi) + 1
		}
		if lo <= int(p.Hi) {
			left = append(left, Ports{uint16(lo), p.Hi})
		}
	}
	return left
}

// turn takes out what is closed one way and opened the other.
func turn(opened, closed *[]door) []door {
	shut := map[doorID]door{}
	for _, d := range *closed {
		shut[d.id()] = d
	}
	var turned []door
	gone := map[doorID]bool{}
	*opened = slices.DeleteFunc(*opened, func(d door) bool {
		was, found := shut[doorID{d.back(), d.ports}]
		if found {
			d.was = was.rows
			turned = append(turned, d)
			gone[was.id()] = true
		}
		return found
	})
	*closed = slices.DeleteFunc(*closed, func(d door) bool { return gone[d.id()] })
	return turned
}

// joinDoors joins doors that differ in who begins, then in who listens, then in the transport.
func joinDoors(kind ChangeKind, doors []door) []Change {
	all := make([]Change, len(doors))
	for i, d := range doors {
		all[i] = Change{kind, []Role{d.from}, []Role{d.to}, d.transport, d.ports, d.rows, d.was}
	}
	type shape struct {
		from, to  string
		transport Transport
		ports     Ports
	}
	for _, but := range []func(*shape){
		func(s *shape) { s.from = "" }, func(s *shape) { s.to = "" }, func(s *shape) { s.transport = 0 },
	} {
		at := map[shape]int{}
		var joined []Change
		for _, c := range all {
			s := shape{joinRoles(c.From), joinRoles(c.To), c.Transport, c.Ports}
			but(&s)
			if i, known := at[s]; known {
				joined[i].join(c)
				continue
			}
			at[s] = len(joined)
			joined = append(joined, c)
		}
		all = joined
	}
	return all
}

// join adds a change that differs from c in one respect.
func (c *Change) join(other Change) {
	c.From, c.To = union(c.From, other.From), union(c.To, other.To)
	c.Transport |= other.Transport
	c.Rows, c.Was = union(c.Rows, other.Rows), union(c.Was, other.Was)
}

// union returns a with what of b is not in it; a itself is not changed.
func union[T comparable](a, b []T) []T {
	all := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(all, x) {
			all = append(all, x)
		}
	}
	return all
}
