package match

import (
	"fmt"
	"net/netip"

	"flowvet/capture"
)

// Question is a conversation that nobody has seen: would it be documented?
type Question struct {
	From, To netip.Addr
	Proto    capture.Proto // TCP or UDP
	Port     uint16        // of the responder
	Cast     bool          // To is a broadcast address or a group
}

// askingPort is the port the initiator of a Question is taken to use: any would do, it is no row's alone.
const askingPort = 50000

// Explain judges conversations that nobody has seen as [Evaluate] judges those of a capture: each is taken for one that
// its initiator certainly began and that succeeded. Of the result only the findings mean something; a question out of
// scope has none. The error is one of [Check]'s.
func Explain(g Grounds, questions []Question) (*Result, error) {
	c := &capture.Capture{Name: "question", Table: new(capture.Table)}
	for _, q := range questions {
		c.Table.AddFlow(q.flow())
		if q.Cast {
			c.Table.Stats.Broadcasts++
		}
	}
	r, err := Evaluate(g, []*capture.Capture{c})
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	return r, nil
}

// flow returns the question as a flow of a packet each way.
func (q Question) flow() *capture.Flow {
	asks := capture.Side{Packets: 1, Signs: capture.Payload}
	if q.Cast {
		asks.Signs |= capture.Cast
	}
	answers := capture.Side{Packets: 1, First: 1, Last: 1, Signs: capture.Payload}
	if q.Proto == capture.TCP {
		asks.Signs |= capture.SYN | capture.ACK
		answers.Signs |= capture.SYNACK | capture.ACK
		answers.SYNACKAt = 1
	}
	if q.Cast {
		answers = capture.Side{}
	}
	f := &capture.Flow{
		A: netip.AddrPortFrom(q.From, askingPort), B: netip.AddrPortFrom(q.To, q.Port), Proto: q.Proto,
		FromA: asks, FromB: answers, Seconds: capture.Seconds{{}},
	}
	if f.B.Compare(f.A) < 0 {
		f.A, f.B, f.FromA, f.FromB = f.B, f.A, f.FromB, f.FromA
	}
	return f
}
