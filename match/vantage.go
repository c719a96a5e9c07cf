package match

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"time"

	"flowvet/catalog"
	"flowvet/inventory"
)

// vantage is how a point stands to a machine on a plane, or to any client.
type vantage struct {
	anyone   bool // any client
	noPlane  bool // the machine has no address on the plane
	declared bool // somebody declares that the point sees it
	saw      bool // in the window
	bothWays bool // saw it send and receive
	vlans    []uint16
}

// vantage looks at a machine's addresses within a window; nil is any client.
func (j *judge) vantage(p *point, m *inventory.Machine, addrs []netip.Addr, w Window) vantage {
	if m == nil {
		return vantage{anyone: true}
	}
	v := vantage{noPlane: len(addrs) == 0, declared: j.declared(p, addrs)}
	for _, a := range addrs {
		s := p.station(a)
		v.saw = v.saw || s.speaks(w)
		v.bothWays = v.bothWays || s.from.runs.Intersects(w.seconds()) && s.to.runs.Intersects(w.seconds())
		v.vlans = append(v.vlans, s.vlans...)
	}
	slices.Sort(v.vlans)
	v.vlans = slices.Compact(v.vlans)
	return v
}

// sees returns how far the place of a point lets it see two machines on a plane; met is whether it saw them speak to each other.
// Any client is met by who speaks both ways with anybody.
func (v *vantage) sees(o *vantage, plane string, met bool) Coverage {
	switch noPlane := v.noPlane || o.noPlane; {
	case !noPlane && (met || v.anyone && o.bothWays || o.anyone && v.bothWays):
		return Proven
	case v.declared || o.declared:
		return CoverageDeclared
	case noPlane, special(plane) && !v.saw && !o.saw, !v.saw && !v.anyone, !o.saw && !o.anyone:
		return Unproven
	case v.anyone || o.anyone || v.sharesVLAN(o):
		return CoverageLikely
	}
	return Unproven
}

// label appends what tells vantages apart.
func (v *vantage) label(to []byte) []byte {
	for _, said := range []bool{v.anyone, v.noPlane, v.declared, v.saw, v.bothWays} {
		to = appendBool(to, said)
	}
	to = binary.BigEndian.AppendUint16(to, uint16(len(v.vlans)))
	for _, vlan := range v.vlans {
		to = binary.BigEndian.AppendUint16(to, vlan)
	}
	return to
}

// sharesVLAN reports whether two machines were seen in one VLAN, or both without a tag.
func (v *vantage) sharesVLAN(o *vantage) bool {
	return slices.ContainsFunc(v.vlans, func(vlan uint16) bool {
		_, shared := slices.BinarySearch(o.vlans, vlan)
		return shared
	})
}

// outlook is how all points stand to a machine on a plane. Machines to which they stand alike have one outlook together.
type outlook struct{ of []vantage }

// declared reports whether somebody declares that some point sees the machine.
func (o *outlook) declared() bool {
	return slices.ContainsFunc(o.of, func(v vantage) bool { return v.declared })
}

// lookouts says how far the points can see places within one window. Once prepared for a plane and a crew it does not change, so that
// many may ask it at a time.
//
// A place is looked at by itself only where machines met: 2,000 hosts that were all seen and did not speak make four million
// places between hosts for each row.
type lookouts struct {
	j       *judge
	points  []*point
	windows []Window // by point: the window, or all that the point covers
	limited []bool   // by point: it must not call anything absent
	blind   bool     // some point has a filter, of which only the addresses of a place say what it keeps out

	preparing sync.Mutex // guards what follows until all is prepared
	planes    map[string]*planeView
	sights    map[crewOn][]sightGroup
}

// planeView is a plane as the points stand to it, by the machine's number; that of any client is first.
type planeView struct {
	addrs    [][]netip.Addr
	outlooks []*outlook
	stations [][]uint32
}

// crewOn is a crew on a plane.
type crewOn struct {
	*crew
	plane string
}

// sightGroup is the machines of a crew, by their place in crew.list, that have one outlook.
type sightGroup struct {
	*outlook
	members []int32
}

func newLookouts(j *judge, points []*point, w Window) *lookouts {
	l := &lookouts{j: j, points: points, planes: map[string]*planeView{}, sights: map[crewOn][]sightGroup{}}
	for _, p := range points {
		within := w
		if w.IsZero() {
			within.Start, within.End, _ = p.interval()
		}
		_, limited := p.limit()
		l.windows, l.limited = append(l.windows, within), append(l.limited, limited)
		l.blind = l.blind || len(p.sieves) > 0
	}
	return l
}

// openViews makes the views of planes side by side.
func (l *lookouts) openViews(planes []string) {
	views := make([]*planeView, len(planes))
	inParts(len(planes), func(i int) { views[i] = l.view(planes[i]) })
	for i, v := range views {
		l.planes[planes[i]], l.j.views[planes[i]] = v, v.addrs
	}
}

// on returns the view of a plane.
func (l *lookouts) on(plane string) *planeView {
	if l.planes[plane] == nil {
		l.openViews([]string{plane})
	}
	return l.planes[plane]
}

// view looks at all machines on a plane.
func (l *lookouts) view(plane string) *planeView {
	n := len(l.j.inv.Machines) + 1
	v := &planeView{addrs: make([][]netip.Addr, n), outlooks: make([]*outlook, n), stations: make([][]uint32, n)}
	alike := map[string]*outlook{}
	v.outlooks[anyone] = l.outlook(nil, nil, alike)
	for i, m := range l.j.inv.Machines {
		addrs := l.j.findOnPlane(m, plane)
		v.addrs[i+1], v.outlooks[i+1] = addrs, l.outlook(m, addrs, alike)
		stations := make([]uint32, len(addrs))
		for i, a := range addrs {
			stations[i] = l.j.end(a).station
		}
		v.stations[i+1] = stations
	}
	return v
}

// outlook returns how the points stand to a machine: the one of those alike, if there is one.
func (l *lookouts) outlook(m *inventory.Machine, addrs []netip.Addr, alike map[string]*outlook) *outlook {
	o := &outlook{of: make([]vantage, 0, len(l.points))}
	var label []byte
	for i, p := range l.points {
		v := l.j.vantage(p, m, addrs, l.windows[i])
		o.of, label = append(o.of, v), v.label(label)
	}
	if known := alike[string(label)]; known != nil {
		return known
	}
	alike[string(label)] = o
	return o
}

// sight returns a crew by the outlooks on it, in the order of their first machines.
func (l *lookouts) sight(c *crew, plane string) []sightGroup {
	groups, known := l.sights[crewOn{c, plane}]
	if known {
		return groups
	}
	view := l.on(plane)
	at := map[*outlook]int{}
	for i, m := range c.list {
		o := view.outlooks[l.j.machineEnd(m).member]
		n, some := at[o]
		if !some {
			n = len(groups)
			at[o] = n
			groups = append(groups, sightGroup{outlook: o})
		}
		groups[n].members = append(groups[n].members, int32(i))
	}
	l.sights[crewOn{c, plane}] = groups
	return groups
}

// sightline is lookouts on the places of a row.
type sightline struct {
	*lookouts
	row     *catalog.Row
	plane   string
	window  Window
	need    time.Duration
	covered []bool // by point: it saw packets itself, in the time that is needed
}

// sightline prepares to look at the places of a row in a window, of which so much must be captured.
func (l *lookouts) sightline(row *catalog.Row, w Window, need time.Duration) *sightline {
	s := &sightline{lookouts: l, row: row, plane: row.Plane, window: w, need: need}
	for _, p := range l.points {
		_, told := p.secondHand()
		_, late := p.timeReason(w, need)
		s.covered = append(s.covered, !told && !late)
	}
	return s
}

// prepare makes what looking at a crew asks for, so that many may look at a time.
func (s *sightline) prepare(c *crew) {
	if len(s.points) > 0 {
		s.preparing.Lock()
		defer s.preparing.Unlock()
		s.on(s.plane)
		s.sight(c, s.plane)
	}
}

// declared reports whether somebody declares that a point sees a machine, or one of a crew but itself.
func (s *sightline) declared(self int, c *crew) bool {
	if len(s.points) == 0 {
		return false
	}
	if s.on(s.plane).outlooks[self].declared() {
		return true
	}
	return slices.ContainsFunc(s.sight(c, s.plane), func(g sightGroup) bool {
		alone := len(g.members) == 1 && int(s.j.machineEnd(c.list[g.members[0]]).member) == self
		return g.declared() && !alone
	})
}

// level returns how far the best point sees two machines; met says whether a point saw them speak to each other.
func (s *sightline) level(a, b *outlook, met func(n int) bool) Coverage {
	best := Unproven
	for n, p := range s.points {
		v, o := &a.of[n], &b.of[n]
		switch {
		case !s.covered[n]:
		case p.info.FilterSuspected != "" && !v.noPlane && !o.noPlane:
			best = max(best, CoverageLikely)
		case s.limited[n]:
			best = max(best, min(CoverageLikely, v.sees(o, s.plane, met != nil && met(n))))
		default:
			best = max(best, v.sees(o, s.plane, met != nil && met(n)))
		}
	}
	return best
}

// weakest is the first of the places that are seen worst: of a machine and each of a crew.
type weakest struct {
	level Coverage
	at    int // in crew.list, or anyClientAt
	found bool
}

// weakest looks at the places between a machine, which stands at a side of the row, and each of a crew but itself.
func (s *sightline) weakest(self int, side catalog.End, c *crew) weakest {
	if s.blind {
		return s.weakestPlainly(self, side, c)
	}
	view := s.on(s.plane)
	mine := view.outlooks[self]
	var is weakest
	consider := func(level Coverage, at int) {
		if !is.found || level < is.level || level == is.level && at < is.at {
			is = weakest{level, at, true}
		}
	}
	if c.kinds[anyone] {
		consider(s.level(mine, view.outlooks[anyone], nil), anyClientAt)
	}
	for _, g := range s.sight(c, s.plane) {
		unmet := s.level(mine, g.outlook, nil)
		if is.found && unmet > is.level {
			continue
		}
		for _, at := range g.members {
			other := int(s.j.machineEnd(c.list[at]).member)
			if other == self {
				continue
			}
			level := s.level(mine, g.outlook, func(n int) bool { return s.met(n, view, self, other) })
			consider(level, int(at))
			if level == unmet {
				break
			}
		}
	}
	return is
}

// weakestPlainly looks at every place by itself.
func (s *sightline) weakestPlainly(self int, side catalog.End, c *crew) weakest {
	var is weakest
	consider := func(at int) {
		p := placeOf(s.row, side, s.machine(self), c.at(at))
		level := s.j.look(s.points, s.row, p.src, p.dst, s.window, s.need).level
		if !is.found || level < is.level {
			is = weakest{level, at, true}
		}
	}
	if c.kinds[anyone] {
		consider(anyClientAt)
	}
	for at := 0; at < len(c.list) && !(is.found && is.level == Unproven); at++ {
		if int(s.j.machineEnd(c.list[at]).member) != self {
			consider(at)
		}
	}
	return is
}

// machine returns the machine with a number; nil for any client.
func (l *lookouts) machine(number int) *inventory.Machine {
	if number == anyone {
		return nil
	}
	return l.j.inv.Machines[number-1]
}

// met reports whether a point saw two machines speak to each other.
func (s *sightline) met(n int, view *planeView, a, b int) bool {
	p, within := s.points[n], s.windows[n].seconds()
	for _, from := range view.stations[a] {
		for _, to := range view.stations[b] {
			if p.met(from, to, within) {
				return true
			}
		}
	}
	return false
}
