package capture

import (
	"math"
	"slices"
)

// What a gatherer makes of a packet depends on those before it in four places: the detector of second copies, the latest time,
// the table of first fragments, and the caps of its table. That of a part has seen only a few of those before. At the seam,
// when all of them were read, the first two are compared with what they should have been, the fragments that waited are taken,
// and the caps are held; a part that does not fit is read again from its beginning, with everything known.

// Limits of the fragments that wait in a part for what was before it.
const (
	maxHeld      = 4096
	maxHeldBytes = 4 << 20 // above their headers
)

// held are the fragments of a part.
type held struct {
	packets []heldPacket
	bytes   int
}

// heldPacket is a packet, of which Decode said why, and its frame without its bytes.
type heldPacket struct {
	packet Packet
	frame  Frame
	why    Skip
}

// add keeps a packet.
func (h *held) add(p *Packet, f *Frame, why Skip) {
	kept := heldPacket{*p, *f, why}
	kept.packet.transport, kept.frame.Data = slices.Clone(p.transport), nil
	h.packets = append(h.packets, kept)
	h.bytes += len(p.transport)
}

func (h *held) full() bool { return len(h.packets) >= maxHeld || h.bytes >= maxHeldBytes }

// knowledge is what a gatherer knows of the packets before, that changes what it makes of the next.
type knowledge struct {
	duplicates duplicates
	latest     int64
}

func (g *gatherer) knowledge() knowledge { return knowledge{*g.duplicates, g.good.last} }

// fork returns a gatherer for a part of the same file.
func (g *gatherer) fork() *gatherer {
	return &gatherer{
		table: &Table{Keep: g.table.Keep, Segments: g.table.Segments},
		file:  g.file, drop: g.drop, alone: g.alone, filter: g.filter, shift: g.shift,
		duplicates: g.duplicates.fork(), sampler: newSampler(g.sampler.most), held: new(held),
	}
}

// glance looks at a frame of which only the next ones shall know: nothing is counted.
func (g *gatherer) glance(f *Frame) {
	f.Nanos += g.shift
	g.good.add(f.Nanos)
	g.packet.Decode(f)
	if g.filter == nil || g.filter(f) {
		g.duplicates.seen(&g.packet, f.Nanos)
	}
}

// fits reports whether a part that g has come to would have been read as it was, had it been read after everything before it.
// Flows that were looked up for that are noted in it.
func (g *gatherer) fits(p *filePart) (ok bool) {
	if !g.good.some || g.good.last != p.before.latest || !g.duplicates.agree(&p.before.duplicates, p.gatherer.any.first-dupWindow) {
		return false
	}
	p.found, ok = g.table.fits(p.gatherer.table, len(p.gatherer.held.packets))
	return ok
}

// join adds a part that fits; before is how many packets were read before it.
func (g *gatherer) join(p *filePart, before uint64) {
	o := p.gatherer
	g.table.absorb(o.table, p.found, before)
	g.digest = joinDigests(g.digest, o.digest, p.packets)
	g.any.join(o.any)
	g.good.join(o.good)
	g.sampler.join(&o.sampler)
	o.duplicates.inherit(g.duplicates, &p.before.duplicates)
	g.duplicates = o.duplicates
	for i := range o.held.packets {
		h := &o.held.packets[i]
		h.frame.Number += before
		h.why = g.fragments.take(&h.packet, h.why, h.frame.Nanos, &g.table.Stats)
		g.count(&h.packet, &h.frame, h.why)
	}
}

// fork returns a detector that has seen nothing, and hashes alike.
func (d *duplicates) fork() *duplicates { return &duplicates{seed: d.seed, mix: d.mix} }

// agree reports whether d and o say the same of any packets from a time on: whether each remembers what is so late in the
// same place. What is earlier is in both only in the way, and as long.
func (d *duplicates) agree(o *duplicates, from int64) bool {
	for i := range d.buckets {
		a, b := d.bucket(i), o.bucket(i)
		for j := range a.print {
			if a.print[j] == b.print[j] && a.at[j] == b.at[j] {
				continue
			}
			if a.print[j] != 0 && a.at[j] >= from || b.print[j] != 0 && b.at[j] >= from {
				return false
			}
		}
	}
	return true
}

// inherit makes what d remembered, when it remembered what before does, what it should have: what truth does.
func (d *duplicates) inherit(truth, before *duplicates) {
	for i := range d.buckets {
		b, old, right := d.bucket(i), before.bucket(i), truth.bucket(i)
		n := 0 // remembered since
		for ; n < dupWays && (!slices.Equal(b.print[n:], old.print[:dupWays-n]) || !slices.Equal(b.at[n:], old.at[:dupWays-n])); n++ {
		}
		copy(b.print[n:], right.print[:])
		copy(b.at[n:], right.at[:])
		d.setBucket(i, &b)
	}
}

// join adds another interval.
func (s *span) join(o span) {
	if o.some {
		s.add(o.first)
		s.add(o.last)
	}
}

// join adds the hashes of another part of the packets.
func (s *sampler) join(o *sampler) {
	s.culled = s.culled || o.culled
	for _, h := range o.least {
		s.add(h)
	}
}

// runsApart is how many runs of seconds a flow may have beside those that its table counts.
const runsApart = 64

// fits reports whether t can take all that u holds of later packets, and that many packets more, without coming to a cap. found
// is which flows of u it knows, where they had to be looked up.
func (t *Table) fits(u *Table, more int) (found *matching, ok bool) {
	if u.Stats.PairsRefused > 0 || t.pairsWith(u)+more > MaxPairs {
		return nil, false
	}
	flows := t.Len() + u.Len() + more
	if most := t.mostRuns(); most > 0 && t.runs+u.runs+runsApart*flows > most {
		return nil, false
	}
	room := t.room() - 2*more
	if room >= u.Len() {
		return nil, true
	}
	found = t.match(u)
	return found, room >= int(found.strangers())
}

// pairsWith counts the pairs that t or u has seen.
func (t *Table) pairsWith(u *Table) int {
	n := len(t.others)
	for pair := range u.others {
		if t.others[pair] == nil {
			n++
		}
	}
	return n
}

// room returns how many more flows t may hold before it has to make room.
func (t *Table) room() int {
	if t.MaxFlows <= 0 {
		return math.MaxInt
	}
	lent := 0
	if t.Pool != nil {
		lent = int(max(t.Pool.left.Load(), 0))
	}
	return t.MaxFlows + int(t.granted) + lent - t.Len()
}

// absorb merges u, which holds later packets of the same file, numbered from 1 on: before of them are in front. found is what
// fits said. Unlike after Merge, Others stays open.
func (t *Table) absorb(u *Table, found *matching, before uint64) {
	others := t.others
	if others == nil {
		others = u.others
	} else {
		for pair, bag := range u.others {
			if known := others[pair]; known != nil {
				for _, run := range bag.runs {
					known.add(run)
				}
			} else {
				others[pair] = bag
			}
		}
	}
	t.others, u.others, u.before = nil, nil, before
	for i := range u.Events {
		u.Events[i].Ref.Frame += before
	}
	t.merge(u, found)
	t.others = others
}
