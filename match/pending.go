package match

import (
	"flowvet/capture"
	"flowvet/numbering"
)

// pending is what other flows are to tell of those that tell nothing by themselves: whether one of their ports is a responder's,
// and which ports the flows of a pair share. Every flow of a share is asked for both: with Go maps that took a quarter of what comes after the
// table for 200,000 flows of which every twentieth was pending.
type pending struct {
	*numbering.Hash
	tcp    bool                          // some of them are of TCP
	udp    bool                          // of UDP
	ports  numbering.Of[numbering.Words] // of pending flows, at either address
	serves []bool                        // by number of the port: a flow shows that it is a responder's
	pairs  numbering.Of[numbering.Words] // ports that flows of a pair use
	shared []uint32                      // by number of these: by how many flows
}

// portAt names a port of an address.
func portAt(addr uint32, s capture.Segment, p capture.Proto, port uint16) numbering.Words {
	return numbering.Words{uint64(addr)<<32 | uint64(s)<<16 | uint64(port), uint64(p)}
}

// portBetween names a port used between two addresses, by either.
func portBetween(pair uint32, p capture.Proto, port uint16) numbering.Words {
	return numbering.Words{uint64(pair)<<32 | uint64(port), uint64(p)}
}

// add takes a flow that is pending.
func (x *pending) add(t *traits) {
	x.tcp, x.udp = x.tcp || t.proto == capture.TCP, x.udp || t.proto == capture.UDP
	x.addPort(portAt(t.a, t.segment, t.proto, t.portA))
	x.addPort(portAt(t.b, t.segment, t.proto, t.portB))
}

func (x *pending) addPort(k numbering.Words) { x.ports.Number(k, x.Words(k)) }

// asks reports whether flows over a transport are asked anything.
func (x *pending) asks(p capture.Proto) bool {
	return p == capture.TCP && x.tcp || p == capture.UDP && x.udp
}

// none reports whether no flow is pending.
func (x *pending) none() bool { return len(x.ports.All) == 0 }

// serve notes that a flow shows a port to be a responder's.
func (x *pending) serve(k numbering.Words) {
	if n, asked := x.ports.Find(k, x.Words(k)); asked {
		x.serves[n] = true
	}
}

// isServed reports whether a port is known to be a responder's.
func (x *pending) isServed(k numbering.Words) bool {
	n, asked := x.ports.Find(k, x.Words(k))
	return asked && x.serves[n]
}

// share counts a flow of a pair that uses a port.
func (x *pending) share(k numbering.Words) {
	n, fresh := x.pairs.Number(k, x.Words(k))
	if fresh {
		x.shared = numbering.Push(x.shared, 0)
	}
	x.shared[n]++
}

// sharedBy returns how many flows of a pair use a port.
func (x *pending) sharedBy(k numbering.Words) uint32 {
	if n, known := x.pairs.Find(k, x.Words(k)); known {
		return x.shared[n]
	}
	return 0
}

// askAll asks the flows of all shares what pending ones of any share want to know.
func askAll(all []*gather) {
	asked := *all[0].pending
	for _, g := range all[1:] {
		for _, k := range g.pending.ports.All {
			asked.addPort(k)
		}
		asked.tcp, asked.udp = asked.tcp || g.pending.tcp, asked.udp || g.pending.udp
	}
	if asked.none() {
		return
	}
	sideBySide(len(all), func(i int) {
		g := all[i]
		weak := !g.pending.none()
		g.pending = &pending{
			Hash: asked.Hash, ports: asked.ports, tcp: asked.tcp, udp: asked.udp, serves: make([]bool, len(asked.ports.All)),
		}
		g.look(weak)
	})
	serves := all[0].pending.serves
	for _, g := range all[1:] {
		for n, is := range g.pending.serves {
			serves[n] = serves[n] || is
		}
		g.pending.serves = serves
	}
}

// look asks every flow of the share. It says nothing of pairs where no flow of the share is pending.
func (g *gather) look(weak bool) {
	for n := range g.flows {
		t := &g.flows[n]
		if !g.pending.asks(t.proto) || !g.mine(t) {
			continue
		}
		if weak {
			g.noteShared(t)
		}
		if t.certainty == Certain {
			g.pending.serve(portAt(t.responder(), t.segment, t.proto, t.port))
		}
	}
}

// noteShared counts the ports of a flow of a pair some of whose flows tell nothing by themselves.
func (g *gather) noteShared(t *traits) {
	n, known := g.pairs.find(t, &g.Hash)
	if !known || !g.pairs.all[n].weak {
		return
	}
	g.pending.share(portBetween(n, t.proto, t.portA))
	if t.portB != t.portA {
		g.pending.share(portBetween(n, t.proto, t.portB))
	}
}

// settled returns the orientation of a flow; of one that told nothing by itself with the common-port basis, where other flows
// share one of its ports.
func (g *gather) settled(t *traits, pair uint32) orientation {
	if !t.pending {
		return t.orientation
	}
	weight := func(end uint32, port uint16) uint32 {
		if g.pending.isServed(portAt(end, t.segment, t.proto, port)) {
			return 1 << 31
		}
		return g.pending.sharedBy(portBetween(pair, t.proto, port))
	}
	atA, atB := weight(t.a, t.portA), weight(t.b, t.portB)
	if atA == atB || max(atA, atB) < 2 {
		return t.orientation
	}
	o := orientation{basis: BasisCommonPort, certainty: Likely, fromA: atB > atA, port: t.portA, foreign: t.foreign}
	if o.fromA {
		o.port = t.portB
	}
	return o
}
