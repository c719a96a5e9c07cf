package match

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"time"

	"flowvet/catalog"
	"flowvet/inventory"
)

// setting is a demand as it stands to all machines of a kind: what is expected of each, and of whom else. Only what the captures
// showed is asked of each machine by itself.
type setting struct {
	end   catalog.End
	rows  []*catalog.Row // those that make it expected first; of one without a place, the first of all
	parts []placing      // none: there is no place
	peers *crew          // of all parts, and whoever stands at their own end where it is any machine

	class    catalog.Class
	required bool
	inferred bool
	need     time.Duration
	id       string // what the ids of its expectations are made of, but for the subject
	filter   string
}

// placing is the places of one row: a machine of a kind at one end, anybody of a crew at the other.
type placing struct {
	row   *catalog.Row
	side  catalog.End // where the kind stands
	kind  int
	crew  *crew
	sight *sightline
}

// ask is an expectation to be judged: of a subject, or of any two machines.
type ask struct {
	*setting
	subject *inventory.Machine
}

// settingFor returns what a demand asks of each machine of a kind that stands at an end; nil where it asks nothing.
func (x *expecter) settingFor(d *demand, end catalog.End, kind int) *setting {
	s := &setting{end: end}
	for _, r := range d.rows {
		sides := []catalog.End{end}
		if r.Listener == catalog.Either {
			sides = append(sides, end.Other())
		}
		if !x.roster.stands(kind, r, end) {
			continue
		}
		for _, side := range sides {
			if x.roster.standing(r).at[side].kinds[kind] {
				x.add(s, r, side, kind)
			}
		}
	}
	m := x.roster.kinds[kind].members[0]
	var ok bool
	if s.class, s.required, ok = x.class(d.rows, s.rows, m); !ok {
		return nil
	}
	s.inferred = len(s.rows) > 0 && x.roster.kinds[kind].end.inferred
	return x.complete(s, d.rows)
}

// settingForAny returns what a demand asks where one conversation, between whichever machines, is enough; nil where it asks
// nothing.
func (x *expecter) settingForAny(d *demand, wanted []*catalog.Row) *setting {
	s := &setting{end: catalog.Either, class: wanted[0].Class, required: true}
	for _, r := range d.rows {
		for kind := range x.roster.at(r, catalog.Source) {
			x.add(s, r, catalog.Source, kind)
		}
	}
	if len(s.rows) > 0 {
		var ok bool
		if s.class, s.required, ok = x.class(wanted, s.rows, nil); !ok {
			return nil
		}
	}
	return x.complete(s, wanted)
}

// add adds the places of a row, if there are any.
func (x *expecter) add(s *setting, r *catalog.Row, side catalog.End, kind int) {
	c := x.roster.crewFor(r, side, kind)
	if c.empty(kind) {
		return
	}
	s.parts = append(s.parts, placing{row: r, side: side, kind: kind, crew: c})
	if !slices.Contains(s.rows, r) {
		s.rows = append(s.rows, r)
	}
}

// complete fills in what follows from the rows and the places.
func (x *expecter) complete(s *setting, all []*catalog.Row) *setting {
	if len(s.rows) == 0 {
		s.rows = all[:1]
	} else {
		slices.SortStableFunc(s.rows, func(a, b *catalog.Row) int { return cmp.Compare(x.rank(a), x.rank(b)) })
		s.need = need(s.rows)
		x.crowd(s)
	}
	s.id = fmt.Sprintf("%s|%s|", demandKey(s.rows[0]), s.class)
	s.filter = rowsFilter(s.rows, x.ownPorts)
	return s
}

// crowd finds who takes part, and prepares to look at them.
func (x *expecter) crowd(s *setting) {
	kinds := make([]bool, len(x.roster.kinds))
	for i := range s.parts {
		p := &s.parts[i]
		for n, in := range p.crew.kinds {
			kinds[n] = kinds[n] || in
		}
		if s.end == catalog.Either {
			kinds[p.kind] = true
		}
		p.sight = x.sightline(p.row, s.need)
		p.sight.prepare(p.crew)
	}
	s.peers = x.roster.crew(kinds)
	for n, in := range kinds {
		s.inferred = s.inferred || in && x.roster.kinds[n].end.inferred
	}
}

// sightline returns how the places of a row are looked at, once for all who need as much time.
func (x *expecter) sightline(r *catalog.Row, need time.Duration) *sightline {
	k := sightKey{r, need}
	s := x.sightlines[k]
	if s == nil {
		s = x.lookouts.sightline(r, x.g.Window, need)
		x.sightlines[k] = s
	}
	return s
}

// sightKey is a row of which so much time must be captured.
type sightKey struct {
	row  *catalog.Row
	need time.Duration
}

// anyClient reports whether any client is a peer.
func (s *setting) anyClient() bool { return s.peers != nil && s.peers.kinds[anyone] }

// candidates returns the peers of a subject.
func (s *setting) candidates(subject *inventory.Machine) Machines {
	if s.peers == nil {
		return Machines{}
	}
	return s.peers.without(subject)
}

// worst is the first of the places that are seen worst.
type worst struct {
	weakest
	*placing
	self int // the number of the machine that stands at its side
}

// worst looks at all places of an expectation. Places come in the order of the rows, in each of the machines at one end and then
// those at the other.
func (x *expecter) worst(a *ask) worst {
	var is worst
	for i := range a.parts {
		p := &a.parts[i]
		if is.found && is.level == Unproven && p.row != is.row {
			break
		}
		for self := range x.selves(a, p) {
			w := p.sight.weakest(self, p.side, p.crew)
			if w.found && (!is.found || w.level < is.level || w.level == is.level && p.row == is.row && self < is.self) {
				is = worst{w, p, self}
			}
		}
	}
	return is
}

// selves yields the numbers of the machines that are asked about at the side of a placing.
func (x *expecter) selves(a *ask, p *placing) iter.Seq[int] {
	return func(yield func(int) bool) {
		if a.subject != nil {
			yield(x.roster.number(a.subject))
			return
		}
		members := x.roster.kinds[p.kind].members
		if p.kind == anyone {
			yield(anyone)
		}
		for _, m := range members {
			if !yield(x.roster.number(m)) {
				return
			}
		}
	}
}

// place returns the pair of machines.
func (w *worst) place() place {
	return placeOf(w.row, w.side, w.sight.machine(w.self), w.crew.at(w.weakest.at))
}

// inView reports whether one of the places lies inside the declared view; without a declared view every place does.
func (x *expecter) inView(a *ask) bool {
	if len(x.j.inv.Views) == 0 && x.j.sees.empty() {
		return true
	}
	for i := range a.parts {
		p := &a.parts[i]
		for self := range x.selves(a, p) {
			if p.sight.declared(self, p.crew) {
				return true
			}
		}
	}
	return false
}
