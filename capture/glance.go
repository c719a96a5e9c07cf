package capture

import (
	"iter"
	"net/netip"
)

// Glance is what a walk over all flows looks at of each: what lies in its two cache lines, nearly as it lies there. The clean form,
// with addresses and all that a [Side] says, took three times as long, in each of the three walks of a judgement. Who needs more asks for it.
type Glance struct {
	Number       uint32 // of the flow; see [Table.Numbers]
	PortA, PortB uint16
	Proto        Proto
	Segment      Segment
	From         [2]Glimpse // what A and what B sent

	table *Table
	row   row
	lent  *lent
	whole *Flow // nil: the flow lies in the table
}

// Glimpse is what a [Glance] shows of a [Side].
type Glimpse struct {
	Packets uint64
	First   int64 // nanoseconds since 1970 UTC; valid iff Packets > 0
	Signs   Signs
}

// GlanceIn yields the flows numbered from lo up to hi, without hi, at a glance: each is valid until the next one. Ranges of a
// complete table may be taken side by side: where a share is not needed, they are walked in half the time of two shares.
func (t *Table) GlanceIn(lo, hi uint32) iter.Seq[*Glance] {
	return func(yield func(*Glance) bool) {
		g := Glance{table: t, lent: new(lent)}
		for number := lo; number < hi; number++ {
			if r := t.row(number); r.used() {
				g.look(r)
				if !yield(&g) {
					return
				}
			}
		}
	}
}

// Glancer returns a function that shows the flow with a number, until its next call. Each goroutine that asks a complete table
// needs its own.
func (t *Table) Glancer() func(number uint32) *Glance {
	g := &Glance{table: t, lent: new(lent)}
	return func(number uint32) *Glance {
		g.look(t.row(number))
		return g
	}
}

// Glance returns a flow of its own as a walk would show it, without a number.
func (f *Flow) Glance() Glance {
	g := Glance{PortA: f.A.Port(), PortB: f.B.Port(), Proto: f.Proto, Segment: f.Segment, whole: f}
	for from, s := range [...]*Side{&f.FromA, &f.FromB} {
		g.From[from] = Glimpse{s.Packets, s.First, s.Signs}
	}
	return g
}

// look makes the glance one of a record. Which end the record holds is a number, not a branch: it would be guessed wrong half of
// the time.
func (g *Glance) look(r row) {
	g.Number, g.row = r.number, r
	g.PortA, g.PortB = uint16(r.tail>>48), uint16(r.tail>>32)
	g.Segment, g.Proto = Segment(r.tail>>16), Proto(r.tail>>8)
	from := r.from()
	g.table.glimpse(&r.side, &g.From[from])
	if r.annexed() {
		g.table.glimpse(&g.table.annexes.at(r.number).other, &g.From[1-from])
	} else {
		g.From[1-from] = Glimpse{}
	}
}

func (t *Table) glimpse(s *side, to *Glimpse) {
	if s.wide() {
		h := t.wides.at(uint32(s.first))
		to.Packets, to.First, to.Signs = h.packets, h.first, h.signs
		return
	}
	to.Packets, to.First, to.Signs = uint64(s.packets), s.first, s.signs()
}

// Fours returns the addresses of A and B as numbers; false where they are not of IPv4.
func (g *Glance) Fours() (a, b uint32, ok bool) {
	if g.whole != nil || !g.row.four() {
		return 0, 0, false
	}
	return uint32(g.row.ends >> 32), uint32(g.row.ends), true
}

// Addrs returns the addresses of A and B.
func (g *Glance) Addrs() (a, b netip.Addr) {
	if g.whole != nil {
		return g.whole.A.Addr(), g.whole.B.Addr()
	}
	k := g.table.key(g.row.record)
	return k.a.addrPort(k.family(), 0).Addr(), k.b.addrPort(k.family(), 0).Addr()
}

// four reports whether the addresses of a record are of IPv4.
func (r *record) four() bool { return family(r.tail&^flags) == familyIPv4 }

// Flow lends the flow without its Seconds and VLANs: until the next glance.
func (g *Glance) Flow() *Flow {
	if g.whole != nil {
		return g.whole
	}
	return g.table.brief(g.row, g.table.rareOf(g.row, g.lent), g.lent)
}

// Last returns when the last packet of A (0) or B (1) was seen, as [Side.Last] does.
func (g *Glance) Last(from int) int64 {
	switch {
	case g.whole != nil && from == 0:
		return g.whole.FromA.Last
	case g.whole != nil:
		return g.whole.FromB.Last
	case g.row.annexed():
		s := g.row.at(g.table.annexes.at(g.row.number), from)
		if s.wide() {
			return g.table.wides.at(uint32(s.first)).last
		}
		return s.first + int64(s.mixed>>signsBits)
	case from == g.row.from():
		return g.row.side.first + int64(g.row.side.mixed>>signsBits&(1<<briefBits-1))
	}
	return 0
}

// Seconds lends the seconds in which the flow had packets: until the next glance.
func (g *Glance) Seconds() Seconds {
	if g.whole != nil {
		return g.whole.Seconds
	}
	g.lent.runs = g.table.secondsOf(g.row, g.table.rareOf(g.row, g.lent), g.lent.runs[:0])
	return g.lent.runs
}

// VLANs lends the distinct VLAN ids of the flow, sorted: until the next glance.
func (g *Glance) VLANs() []uint16 {
	if g.whole != nil {
		return g.whole.VLANs
	}
	return g.table.vlansOf(g.row, g.lent)
}

// Joined returns how many flows were joined to this one: see [Joined].
func (g *Glance) Joined() uint64 {
	if g.whole != nil {
		return g.whole.Joined.Flows
	}
	if g.row.tail&flagExtra == 0 {
		return 0
	}
	if rare := g.table.rare(g.row); rare != nil {
		return rare.joined.Flows
	}
	return 0
}

// Acknowledged is [Flow.Acknowledged].
func (g *Glance) Acknowledged() (acked, unseen uint64) {
	switch {
	case g.whole != nil:
		return g.whole.Acknowledged()
	case g.row.tail&(flagAnnex|flagExtra) == 0: // one side spoke
		return 0, 0
	case g.row.tail&flagExtra == 0:
		s, other := &g.row.side, &g.table.annexes.at(g.row.number).other
		if s.wide() || other.wide() {
			break
		}
		acked, unseen = s.acknowledgedBy(other)
		n, missed := other.acknowledgedBy(s)
		return acked + n, unseen + missed
	}
	return g.Flow().Acknowledged()
}

// acknowledgedBy is acknowledged for two small sides of a flow with one initial sequence number of each at most.
func (s *side) acknowledgedBy(other *side) (acked, unseen uint64) {
	if s.packets == 0 || s.signs()&handshake == 0 || other.signs()&ACK == 0 {
		return 0, 0
	}
	return acknowledged(s.isn, uint64(s.content), other.ackMin, other.ackMax)
}
