package match

import (
	"cmp"
	"slices"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// watch keeps, while flows become conversations, what scenarios and operations ask of single connections and single
// machines. A nil watch keeps nothing.
type watch struct {
	ports     map[proto]bool // of which single flows are kept
	strands   []strand
	uncounted int // strands beyond maxStrands
	voices    map[*inventory.Machine]*voice
}

// maxStrands caps the flows that a watch keeps: the earliest. A scenario that would need more says so.
const maxStrands = 65536

// strand is one flow of a conversation.
type strand struct {
	c              *conv
	first, last    int64
	sent, received capture.Side // of initiator and responder
	seconds        capture.Seconds
	connections    int
	outcome        Outcome
	oneWay         bool // succeeded after all, where the row is one-way by nature
}

// began reports whether the strand's first packet is the first of its connection: its SYN was seen, or it has none.
func (s *strand) began() bool { return s.c.Proto != capture.TCP || has(&s.sent, capture.SYN) }

// payload returns the bytes of both directions above the transport header.
func (s *strand) payload() uint64 { return s.sent.Content + s.received.Content }

// voice is when a machine spoke: in all its frames, and in those of its management network.
type voice struct{ all, mgmt moments }

// newWatch watches for what the lines of scenarios and the operations ask.
func newWatch(c *catalog.Catalog, g *Grounds) *watch {
	if !g.Operations && len(g.Scenarios) == 0 {
		return nil
	}
	w := &watch{ports: map[proto]bool{}, voices: map[*inventory.Machine]*voice{}}
	for _, r := range c.Rows {
		if r.Class == vmotionClass || r.Class == ftClass {
			w.follow(r, g)
		}
	}
	for _, play := range g.Scenarios {
		for _, l := range play.Scenario.Lines {
			for _, r := range l.Rows {
				w.follow(r, g)
			}
		}
	}
	return w
}

// The classes of the rows by which operations are found.
var (
	vmotionClass = catalog.Class{Kind: catalog.During, Of: "vmotion"}
	ftClass      = catalog.Class{Kind: catalog.IfUsed, Of: "ft"}
)

// follow watches the ports of a row. Of heartbeats every datagram is a flow of its own, and tells no more than their
// conversation; a broad row is evidence of nothing.
func (w *watch) follow(r *catalog.Row, g *Grounds) {
	if r.Ports.Broad() || r.OneWay && r.Period > 0 && r.Class.Kind == catalog.Always {
		return
	}
	ports := r.Ports
	if own, moved := g.Inventory.Ports[r.ID]; moved {
		ports = catalog.Ports{Lo: own, Hi: own}
	}
	for _, t := range []capture.Proto{capture.TCP, capture.UDP} {
		if !r.Transport.Has(transportOf(t)) {
			continue
		}
		for port := int(ports.Lo); port <= int(ports.Hi); port++ {
			w.ports[proto{t, uint16(port)}] = true
		}
	}
}

// see notes a flow of a conversation.
func (w *watch) see(f *capture.Flow, c *conv, i, r *capture.Side, h happening) {
	if w == nil {
		return
	}
	w.hear(c.i, i, f.Seconds)
	w.hear(c.r, r, f.Seconds)
	if !w.ports[proto{c.Proto, c.Port}] || i.Packets+r.Packets == 0 {
		return
	}
	s := strand{
		c: c, sent: *i, received: *r, seconds: slices.Clone(f.Seconds), connections: len(i.ISNs), outcome: h.outcome, oneWay: h.oneWay,
	}
	s.sent.ISNs, s.received.ISNs = nil, nil
	s.first, s.last = span(i, r)
	w.strands = append(w.strands, s)
	if len(w.strands) >= 2*maxStrands {
		w.settle()
	}
}

// span returns the times of the first and last packet of two sides.
func span(a, b *capture.Side) (first, last int64) {
	switch {
	case a.Packets == 0:
		return b.First, b.Last
	case b.Packets == 0:
		return a.First, a.Last
	}
	return min(a.First, b.First), max(a.Last, b.Last)
}

// settle sorts the strands and keeps the earliest.
func (w *watch) settle() {
	slices.SortFunc(w.strands, func(a, b strand) int {
		return cmp.Or(cmp.Compare(a.first, b.first), compareConversations(a.c, b.c), cmp.Compare(a.last, b.last))
	})
	if n := len(w.strands); n > maxStrands {
		w.uncounted += n - maxStrands
		w.strands = w.strands[:maxStrands:maxStrands]
	}
}

func compareConversations(a, b *conv) int {
	return cmp.Or(a.Initiator.Compare(b.Initiator), a.Responder.Compare(b.Responder), cmp.Compare(a.Proto, b.Proto),
		cmp.Compare(a.Port, b.Port), cmp.Compare(a.Segment, b.Segment))
}

// another returns a watch for the same ports, for one share of the flows.
func (w *watch) another() *watch {
	if w == nil {
		return nil
	}
	return &watch{ports: w.ports, voices: map[*inventory.Machine]*voice{}}
}

// merge adds what the watch of a share has seen.
func (w *watch) merge(o *watch) {
	if w == nil {
		return
	}
	w.strands = append(w.strands, o.strands...)
	w.uncounted += o.uncounted
	for m, heard := range o.voices {
		v := w.voice(m)
		v.all.addAll(heard.all.runs)
		v.mgmt.addAll(heard.mgmt.runs)
	}
}

// voice returns what was heard of a machine, to be added to.
func (w *watch) voice(m *inventory.Machine) *voice {
	v := w.voices[m]
	if v == nil {
		v = &voice{}
		w.voices[m] = v
	}
	return v
}

// hear notes when a machine's side of a flow spoke: at most in the flow's seconds between its first and last packet, which
// never makes a machine silent that was not.
func (w *watch) hear(e *end, s *capture.Side, seconds capture.Seconds) {
	if e.machine == nil || s.Packets == 0 {
		return
	}
	w.voice(e.machine).add(e, seconds.Within(Window{s.First, s.Last}.seconds()))
}

// add notes when a machine spoke from one of its addresses.
func (v *voice) add(e *end, runs capture.Seconds) {
	v.all.addAll(runs)
	if !special(e.placed.Plane) {
		v.mgmt.addAll(runs)
	}
}

// others adds the IP packets that make no flow.
func (w *watch) others(j *judge, t *capture.Table) {
	for pair, seconds := range t.Others {
		if e := j.end(pair.From); e.machine != nil {
			w.voice(e.machine).add(e, seconds)
		}
	}
}

// heard returns when a machine spoke: anywhere, and on its management network.
func (w *watch) heard(m *inventory.Machine) (all, mgmt capture.Seconds) {
	v := w.voices[m]
	if v == nil {
		return nil, nil
	}
	return v.all.settle(), v.mgmt.settle()
}

// nanos returns the moment at which a second begins.
func nanos(second int64) int64 { return second * int64(time.Second) }
