package catalog

import (
	"cmp"
	"slices"
)

// compile returns what a row allows on the wire, and what its erratum's other readings would allow.
func compile(r *Row) (printed, alt []*Permission) {
	printed = permissions(*r, r, false)
	for _, a := range r.Alt {
		alt = append(alt, permissions(a.apply(*r), r, true)...)
	}
	return printed, alt
}

// apply returns the row as this reading has it.
func (a Alt) apply(r Row) Row {
	switch {
	case a.Transport != 0:
		r.Transport = a.Transport
	case a.Source != nil:
		r.Source = a.Source
	case a.Target != nil:
		r.Target = a.Target
	case a.Exchange:
		r.Listener = r.Listener.Other()
	}
	return r
}

// permissions returns the permissions of a row as read: one, or two when either end may listen. They cite the row printed.
func permissions(read Row, printed *Row, alt bool) []*Permission {
	to := &Permission{
		Row: printed, From: read.Source, To: read.Target, Initiator: Source,
		Transport: read.Transport, Ports: read.Ports, Alt: alt,
	}
	from := &Permission{
		Row: printed, From: read.Target, To: read.Source, Initiator: Target,
		Transport: read.Transport, Ports: read.Ports, Alt: alt,
	}
	switch read.Listener {
	case Target:
		return []*Permission{to}
	case Source:
		return []*Permission{from}
	}
	return []*Permission{to, from}
}

// specific orders permissions: fewest ports first, then by id, then the printed source before the printed target.
func specific(a, b *Permission) int {
	return cmp.Or(
		cmp.Compare(a.Ports.Len(), b.Ports.Len()),
		cmp.Compare(a.Row.ID, b.Row.ID),
		cmp.Compare(b.Initiator, a.Initiator),
	)
}

// portIndex answers in one step which permissions stand on a port: a table of 65,536 small numbers for each transport
// (256 KiB together) names the set of permissions that stand on each port. Neighbouring ports share a set, so there are
// a few hundred sets in the embedded catalogue, and never more than ports.
type portIndex struct {
	number [2][1 << 16]uint16
	sets   [2][][]*Permission // set 0 is the empty one
}

// maxMembers bounds the members of all sets of an index (32 MiB of pointers): 100,000 ranges that overlap in every way
// would otherwise need gigabytes.
const maxMembers = 4 << 20

// slot returns where a single transport stands in a portIndex, or -1 for a set of transports.
func slot(t Transport) int {
	switch t {
	case TCP:
		return 0
	case UDP:
		return 1
	}
	return -1
}

// newIndex builds the index of a list of permissions; false when they overlap beyond what maxMembers allows.
func newIndex(list []*Permission) (*portIndex, bool) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, specific)
	x := new(portIndex)
	members := 0
	for _, t := range []Transport{TCP, UDP} {
		if members = x.fill(t, list, members); members > maxMembers {
			return nil, false
		}
	}
	return x, true
}

// fill sweeps over the ports of one transport, from one boundary of a range to the next. The list is sorted, and so every
// set is. It returns the members counted so far, and stops where they are too many.
func (x *portIndex) fill(t Transport, list []*Permission, members int) int {
	starts, marks := boundaries(t, list)
	i := slot(t)
	x.sets[i] = append(x.sets[i], nil)
	var standing []int
	for m, port := range marks {
		standing = merge(standing, starts[port], list, port)
		if members += len(standing); members > maxMembers {
			return members
		}
		x.sets[i] = append(x.sets[i], choose(list, standing))
		end := 1 << 16
		if m+1 < len(marks) {
			end = marks[m+1]
		}
		for p := port; p < end; p++ {
			x.number[i][p] = uint16(len(x.sets[i]) - 1)
		}
	}
	return members
}

// boundaries returns which permissions (by number, ascending) begin on a port, and the ports on which any begins or before
// which any ends, ascending.
func boundaries(t Transport, list []*Permission) (starts map[int][]int, marks []int) {
	starts = make(map[int][]int)
	for n, p := range list {
		if !p.Transport.Has(t) {
			continue
		}
		starts[int(p.Ports.Lo)] = append(starts[int(p.Ports.Lo)], n)
		marks = append(marks, int(p.Ports.Lo))
		if p.Ports.Hi < 1<<16-1 {
			marks = append(marks, int(p.Ports.Hi)+1)
		}
	}
	slices.Sort(marks)
	return starts, slices.Compact(marks)
}

// merge returns the numbers of standing that still hold the port together with those of begun, ascending.
func merge(standing, begun []int, list []*Permission, port int) []int {
	merged := make([]int, 0, len(standing)+len(begun))
	for _, n := range standing {
		if !list[n].Ports.Contains(uint16(port)) {
			continue
		}
		for len(begun) > 0 && begun[0] < n {
			merged, begun = append(merged, begun[0]), begun[1:]
		}
		merged = append(merged, n)
	}
	return append(merged, begun...)
}

// choose returns the permissions with these numbers.
func choose(list []*Permission, numbers []int) []*Permission {
	set := make([]*Permission, len(numbers))
	for i, n := range numbers {
		set[i] = list[n]
	}
	return set
}

// on returns the permissions of a port. The caller must not change the slice.
func (x *portIndex) on(t Transport, port uint16) []*Permission {
	i := slot(t)
	if x == nil || i < 0 {
		return nil
	}
	return x.sets[i][x.number[i][port]]
}

// On returns the permissions that stand on a port, most specific first. The transport is TCP or UDP. O(1).
// The slice belongs to the catalogue.
func (c *Catalog) On(t Transport, port uint16) []*Permission { return c.printed.on(t, port) }

// AltOn returns the permissions that an erratum's other reading would put on a port. O(1).
// The slice belongs to the catalogue.
func (c *Catalog) AltOn(t Transport, port uint16) []*Permission { return c.alternative.on(t, port) }

// Permissions returns what a row allows on the wire, the printed source as initiator first.
// The slice belongs to the catalogue.
func (c *Catalog) Permissions(r *Row) []*Permission { return c.permissions[r] }
