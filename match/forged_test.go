package match

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/inventory"
)

// forger makes flows of two machines such as a third one can make that sends with any address and sees no answer: its own
// packets, and what the two, who know nothing of it, reply by themselves.
type forger struct {
	rng *rand.Rand
	at  int64
}

// side is the packets that one end sent, from the moment at on.
func (g *forger) side(signs capture.Signs, packets uint64) capture.Side {
	s := capture.Side{
		Packets: packets, Bytes: 60 * packets, First: g.at, Last: g.at + 5e9, Signs: signs, FirstRef: capture.Ref{Frame: 1},
		SYNAt: g.at, SYNACKAt: g.at + 1e6, RSTAt: g.at + 2e6, LastACK: g.at + 3e6,
	}
	if signs&(capture.SYN|capture.SYNACK) != 0 {
		s.ISNs = []uint32{g.rng.Uint32()}
	}
	if signs&capture.ACK != 0 {
		s.AckMin = g.rng.Uint32()
		s.AckMax = s.AckMin
	}
	if signs&capture.Payload != 0 {
		s.Content, s.PayloadMax = 40*packets, 1460
	}
	return s
}

// flow returns one forged flow from a to b.
func (g *forger) flow(a, b netip.AddrPort) capture.Flow {
	const syn, synack, ack, fin, rst, payload = capture.SYN, capture.SYNACK, capture.ACK, capture.FIN, capture.RST, capture.Payload
	n := 1 + g.rng.Uint64N(50)
	proto, to, back := capture.TCP, capture.Side{}, capture.Side{}
	switch g.rng.IntN(9) {
	case 0: // a SYN, and nothing
		to = g.side(syn, n)
	case 1: // refused
		to, back = g.side(syn, n), g.side(rst, n)
	case 2: // the SYN+ACK goes to whom the address belongs, who resets it
		to, back = g.side(syn|rst, n), g.side(synack, n)
	case 3: // or is not there
		to, back = g.side(syn, n), g.side(synack, n)
	case 4: // and is acknowledged blindly, with data: the number is wrong
		to, back = g.side(syn|ack|payload, n+1), g.side(synack|rst, n)
		to.AckMin = back.ISNs[0] + 1<<20 + g.rng.Uint32N(1<<31)
		to.AckMax = to.AckMin
	case 5: // a conversation in full, of one side
		to = g.side(syn|ack|fin|payload, n+3)
	case 6: // the middle of one, reset
		to, back = g.side(ack|payload, n), g.side(rst, n)
	case 7: // an answer to nothing, acknowledged by the forger, reset by the other
		to, back = g.side(rst, n), g.side(synack|ack|payload, n+1)
	default: // a datagram that nobody answers
		proto, to = capture.UDP, g.side(payload, n)
	}
	if b.Compare(a) < 0 {
		return capture.Flow{A: b, B: a, Proto: proto, FromA: back, FromB: to}
	}
	return capture.Flow{A: a, B: b, Proto: proto, FromA: to, FromB: back}
}

// witnesses says that each direction between any two addresses was seen in every second.
func witnesses(v *inventory.Inventory, first, last int64) map[capture.Pair]capture.Seconds {
	all := map[capture.Pair]capture.Seconds{}
	for _, from := range v.Machines {
		for _, to := range v.Machines {
			for _, a := range from.Addrs {
				for _, b := range to.Addrs {
					all[capture.Pair{From: a.Addr, To: b.Addr}] = capture.Seconds{{First: first, Last: last}}
				}
			}
		}
	}
	return all
}

// TestFault17ForgedPacketsMeetNoExpectation judges 10,000 captures of forged flows between the machines of the vectors, on
// the ports that are documented there: no expectation is met by them, but for rows that are one-way by nature. Of those
// one datagram is all there is to see, forged or not (docs/reliability.md).
func TestFault17ForgedPacketsMeetNoExpectation(t *testing.T) {
	cases := 10_000
	if testing.Short() {
		cases = 500
	}
	v := &vector{options: map[string]string{}}
	grounds := v.grounds(t)
	start := time.Date(2015, 10, 21, 10, 0, 0, 0, time.UTC).UnixNano()
	seen := witnesses(grounds.Inventory, start/1e9, start/1e9+120)
	ports := []uint16{21, 22, 53, 123, 443, 514, 902, 1433, 2049, 8000, 8100, 9084, 27000, 40000}
	g := &forger{rng: rand.New(rand.NewPCG(17, 0))}
	met, oneWay := 0, 0
	for n := range cases {
		table := &capture.Table{Others: map[capture.Pair]capture.Seconds{}}
		for pair, seconds := range seen {
			table.Others[pair] = seconds
		}
		for range 1 + g.rng.IntN(6) {
			g.at = start + g.rng.Int64N(60e9)
			end := func() netip.Addr {
				m := grounds.Inventory.Machines[g.rng.IntN(len(grounds.Inventory.Machines))]
				return m.Addrs[g.rng.IntN(len(m.Addrs))].Addr
			}
			from, to := end(), end()
			if from == to {
				continue
			}
			f := g.flow(netip.AddrPortFrom(from, 1024+uint16(g.rng.UintN(60000))), netip.AddrPortFrom(to, ports[g.rng.IntN(len(ports))]))
			table.AddFlow(&f)
		}
		for f := range table.Flows {
			table.Stats.Read += f.FromA.Packets + f.FromB.Packets
		}
		table.Stats.Flowed = table.Stats.Read
		r, err := Evaluate(grounds, []*capture.Capture{{Name: "forged", Format: "pcap", First: start, Last: start + 120e9, Table: table}})
		if err != nil || r.Status == 70 {
			t.Fatalf("case %d: %v, %s", n, err, r.StatusWhy)
		}
		for i := range r.Expectations {
			e := &r.Expectations[i]
			switch {
			case e.Verdict != Met:
			case e.Rows[0].OneWay:
				oneWay++
			default:
				met++
				t.Errorf("case %d: %s is met by %v", n, e.Rows[0].ID, newSaid(r))
			}
		}
		if met > 5 {
			t.Fatal("and so on")
		}
	}
	t.Logf("%d cases: %d expectations met, besides %d of rows that are one-way by nature", cases, met, oneWay)
}
