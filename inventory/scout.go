package inventory

import (
	"flowvet/capture"
	"flowvet/numbering"
)

// scouts have walked the flows of a network once, at a glance and side by side. They know who began what, and which flows are
// worth a second look.
type scouts struct {
	numbering.Addresses
	all []*scout
}

// scout walks one range of flows. Until its addresses are renumbered they have numbers of its own.
type scout struct {
	numbering.Addresses
	probes blocks[probe]
	later  blocks[candidate]
}

// blocks is a list that is never copied to grow: of a million probes that took a tenth of the time, and four times the memory.
type blocks[T any] [][]T

// blockSize is how many elements a block has.
const blockSize = 1 << 12

func (b *blocks[T]) add(v T) {
	n := len(*b)
	if n == 0 || len((*b)[n-1]) == blockSize {
		*b = append(*b, make([]T, 0, blockSize))
		n++
	}
	(*b)[n-1] = append((*b)[n-1], v)
}

// all lends each element, to be changed.
func (b blocks[T]) all(yield func(*T) bool) {
	for _, block := range b {
		for i := range block {
			if !yield(&block[i]) {
				return
			}
		}
	}
}

// candidate is a flow that is evidence if no scanner began it.
type candidate struct {
	flow   uint32
	client uint32 // the number of its address, or unknown
}

// unknown is the number of no address: which end is the client cannot be said.
const unknown = 1<<32 - 1

// scout walks a network.
func (e *evidence) scout(n *network) *scouts {
	s := &scouts{all: make([]*scout, n.parts())}
	h := numbering.NewHash()
	total, parts := uint64(n.numbers()), uint64(len(s.all))
	sideBySide(len(s.all), func(i int) {
		x := &scout{Addresses: numbering.Addresses{Hash: h}}
		lo, hi := total*uint64(i)/parts, total*uint64(i+1)/parts
		for g := range n.glanceIn(uint32(lo), uint32(hi)) {
			x.look(e, g)
		}
		s.all[i] = x
	})
	s.Addresses = s.all[0].Addresses
	renamed := make([][]uint32, len(s.all))
	for i, x := range s.all[1:] {
		for n := range uint32(x.Len()) {
			number, _ := s.Add(x.At(n))
			renamed[i+1] = append(renamed[i+1], number)
		}
	}
	sideBySide(len(s.all), func(i int) {
		if i > 0 {
			s.all[i].rename(renamed[i])
		}
	})
	return s
}

// look reads one flow.
func (x *scout) look(e *evidence, g *capture.Glance) {
	o, known := e.opening(g)
	probes, later := known && isProbe(g, o), e.mayTell(g, o, known)
	client, host := uint32(unknown), uint32(unknown)
	if probes || later && known {
		client, host = o.order(x.enter(g))
	}
	if probes {
		_, port := o.order(uint32(g.PortA), uint32(g.PortB))
		x.probes.add(probe{g.From[o.client].First, client, host, uint16(port)})
	}
	if later {
		x.later.add(candidate{g.Number, client})
	}
}

// mayTell reports whether a flow is evidence if no scanner began it.
func (e *evidence) mayTell(g *capture.Glance, o opening, known bool) bool {
	_, used := useOf(g.Proto, g.PortA, g.PortB)
	return (used || inSeries(g) || known && mayBeAnswered(g, o)) && ofMachines(g)
}

// enter returns the numbers of the addresses of A and B.
func (x *scout) enter(g *capture.Glance) (a, b uint32) {
	if one, other, ok := g.Fours(); ok {
		a, _ = x.AddFour(one)
		b, _ = x.AddFour(other)
		return a, b
	}
	one, other := g.Addrs()
	a, _ = x.Add(one)
	b, _ = x.Add(other)
	return a, b
}

// rename gives the addresses the numbers that all scouts have for them.
func (x *scout) rename(to []uint32) {
	for p := range x.probes.all {
		p.client, p.host = to[p.client], to[p.host]
	}
	for c := range x.later.all {
		if c.client != unknown {
			c.client = to[c.client]
		}
	}
}
