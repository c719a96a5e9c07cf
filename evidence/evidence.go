// Package evidence shows the packets of findings: it picks the first of each conversation, and writes them to a pcapng file
// in which the comment of every packet names the findings it belongs to.
//
// Headers only are kept, unless payload is asked for.
package evidence

import (
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/match"
)

// How many packets are kept, and what one costs.
const (
	PerFlow         = 4  // of each flow
	PerConversation = 16 // of all flows of a conversation
	PacketCost      = 96 // bytes of memory that a packet takes besides its own
)

// Packet is a packet as it will stand in the file.
type Packet struct {
	Nanos   int64 // since 1970 UTC
	WireLen int   // bytes on the wire; len(Data) may be less
	Link    capture.Link
	Data    []byte
	From    Flow // the sender first
}

// Flow is a 5-tuple.
type Flow struct {
	A, B  netip.AddrPort
	Proto capture.Proto
}

// Sorted returns the flow with the smaller end first: the same for both directions.
func (f Flow) Sorted() Flow {
	if f.B.Compare(f.A) < 0 {
		f.A, f.B = f.B, f.A
	}
	return f
}

// Same reports whether two packets are one.
func (p Packet) Same(o Packet) bool { return p.Nanos == o.Nanos && p.From == o.From }

// Size is what the packet takes of a bound in bytes.
func (p *Packet) Size() int { return len(p.Data) + PacketCost }

// FlowOf returns the 5-tuple of a packet that was decoded with Kept for an answer, its sender first.
func FlowOf(p *capture.Packet) Flow { return Flow{p.Src(), p.Dst(), p.Proto} }

// Take copies what is shown of a frame, from which p was decoded with Kept for an answer.
func Take(f *capture.Frame, p *capture.Packet, payload bool) Packet {
	data := f.Data
	if !payload {
		data = data[:min(len(data), p.HeaderLen(f))]
	}
	return Packet{f.Nanos, f.WireLen, f.Link, slices.Clone(data), FlowOf(p)}
}

// Exhibit is what is shown of one conversation.
type Exhibit struct {
	Comment string // of each packet: which findings it belongs to
	Packets []Packet
}

// Index tells which finding a flow belongs to.
type Index struct {
	at       map[conversation]int
	segments bool
}

// conversation is what a finding is about.
type conversation struct {
	initiator, responder netip.Addr
	port                 uint16
	proto                capture.Proto
	segment              capture.Segment
}

// NewIndex returns an index of findings. segments says that conversations in different VLANs are told apart.
func NewIndex(findings []*match.Finding, segments bool) *Index {
	x := &Index{at: make(map[conversation]int, len(findings)), segments: segments}
	for i, f := range findings {
		for _, responder := range append(slices.Clip(f.Groups), f.Responder) {
			c := conversation{f.Initiator, responder, f.Port, f.Proto, 0}
			if segments {
				c.segment = f.Segment
			}
			x.at[c] = i
		}
	}
	return x
}

// Find returns the position of the finding that a flow in a segment belongs to, whichever end of it is first; -1 for none.
func (x *Index) Find(f Flow, segment capture.Segment) int {
	if !x.segments {
		segment = 0
	}
	for range 2 {
		if i, ok := x.at[conversation{f.A.Addr(), f.B.Addr(), f.B.Port(), f.Proto, segment}]; ok {
			return i
		}
		f.A, f.B = f.B, f.A
	}
	return -1
}
