package capture

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// TestAGlanceShowsWhatAFlowSays holds every flow at a glance against the clean form: flows of one
// side and of two, small and wide ones, of several files, of either family, joined ones.
func TestAGlanceShowsWhatAFlowSays(t *testing.T) {
	one, two, sixes := 0, 0, 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 11))
		var table Table
		for i, k := range randomTraffic(rng, 10+rng.IntN(300)) {
			if seed%2 == 0 { // as in a file: most sides stay small
				k.ns, k.ref.File = int64(i)*1e8, 0
			}
			if seed%3 == 0 {
				k.packet.family, k.packet.src.hi, k.packet.dst.hi = familyIPv6, 0xfd<<56, 0xfd<<56
			}
			k.into(&table)
		}
		if seed%5 == 0 {
			table.settle()
			table.FoldIdle(1<<40, func(_ Proto, port uint16) bool { return port == 1 })
		}
		next, flows, lend := uint32(0), 0, table.Lender()
		glance := table.Glancer()
		for g := range table.GlanceIn(0, table.Numbers()) {
			if g.Number < next {
				t.Fatalf("seed %d: flow %d comes after flow %d", seed, g.Number, next-1)
			}
			next = g.Number + 1
			flows++
			f := lend(g.Number).Clone()
			plain := f.Glance()
			if got, want := seenAt(g), seenAt(&plain); got != want {
				t.Fatalf("seed %d, flow %v %v:\ngot  %+v\nwant %+v", seed, f.A, f.B, got, want)
			}
			if got, want := seenAt(glance(g.Number)), seenAt(g); got != want {
				t.Fatalf("seed %d, flow %v %v: asked for by number it is %+v, want %+v", seed, f.A, f.B, got, want)
			}
			a, b, four := g.Fours()
			if four != f.A.Addr().Is4() || four && (netip.AddrFrom4(bytesOf(a)) != f.A.Addr() || netip.AddrFrom4(bytesOf(b)) != f.B.Addr()) {
				t.Fatalf("seed %d, flow %v %v: numbers %x and %x, %v", seed, f.A, f.B, a, b, four)
			}
			switch {
			case !four:
				sixes++
			case f.FromA.Packets > 0 && f.FromB.Packets > 0:
				two++
			default:
				one++
			}
		}
		if flows != table.Len() {
			t.Fatalf("seed %d: %d of %d flows are shown", seed, flows, table.Len())
		}
	}
	if min(one, two, sixes) < 100 {
		t.Errorf("only %d flows of one side, %d of two, %d of IPv6", one, two, sixes)
	}
}

// sightOf is all that a glance says.
type sightOf struct {
	a, b          netip.Addr
	portA, portB  uint16
	proto         Proto
	segment       Segment
	from          [2]Glimpse
	joined        uint64
	acked, unseen uint64
	last          [2]int64
	seconds       string
	vlans         string
}

func seenAt(g *Glance) sightOf {
	s := sightOf{portA: g.PortA, portB: g.PortB, proto: g.Proto, segment: g.Segment, from: g.From, joined: g.Joined()}
	s.a, s.b = g.Addrs()
	s.acked, s.unseen = g.Acknowledged()
	s.last = [...]int64{g.Last(0), g.Last(1)}
	s.seconds, s.vlans = fmt.Sprint(g.Seconds()), fmt.Sprint(g.VLANs())
	return s
}

func bytesOf(four uint32) [4]byte {
	return [4]byte{byte(four >> 24), byte(four >> 16), byte(four >> 8), byte(four)}
}
