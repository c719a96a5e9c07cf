package capture

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var compareNetip = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

var comparePorts = cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })

// sorted returns a table's flows in the order of their 5-tuples.
func sorted(t *Table) []Flow {
	flows := slices.Collect(t.Flows)
	slices.SortFunc(flows, func(a, b Flow) int {
		if c := a.A.Compare(b.A); c != 0 {
			return c
		}
		if c := a.B.Compare(b.B); c != 0 {
			return c
		}
		return int(a.Proto)<<16 + int(a.Segment) - int(b.Proto)<<16 - int(b.Segment)
	})
	return flows
}

// taken is a packet as it reached a table.
type taken struct {
	packet Packet
	why    Skip
	quote  *Quote
	ns     int64
	ref    Ref
}

func (k *taken) into(t *Table) {
	if k.why == Kept {
		t.Add(&k.packet, k.ns, k.ref)
		return
	}
	t.AddSkipped(&k.packet, k.why, LinkEthernet, k.ns)
	if k.quote != nil {
		t.Quote(*k.quote, k.ns, k.ref)
	}
}

// randomTraffic makes packets of few flows, so that everything a flow keeps has something to combine.
func randomTraffic(rng *rand.Rand, n int) []taken {
	all := make([]taken, n)
	for i := range all {
		k := &all[i]
		k.ns = rng.Int64N(200)*1e9 + rng.Int64N(1e9)
		k.ref = Ref{File: rng.Uint32N(4), Frame: uint64(i + 1)}
		k.packet = randomPacket(rng)
		switch rng.IntN(10) {
		case 0:
			k.why = []Skip{IgnoredNotIP, IgnoredICMP, IgnoredProtocol, BadLaterFragment, BadLinkType, BadHeader}[rng.IntN(6)]
		case 1:
			k.why = IgnoredICMP
			k.quote = &Quote{Packet: randomPacket(rng), Kind: QuotedPort<<rng.IntN(3) | QuotedSYN*Signs(rng.IntN(2))}
		}
	}
	return all
}

func randomPacket(rng *rand.Rand) Packet {
	p := Packet{
		Proto: TCP, family: familyIPv4, WireLen: 60 + rng.Uint32N(1400), Content: rng.Uint32N(70000),
		src: address{0, mapped4 | 0x0a000000 | rng.Uint64N(3)}, dst: address{0, mapped4 | 0x0a000000 | rng.Uint64N(3)},
		srcPort: 1 + uint16(rng.UintN(2)), dstPort: 1 + uint16(rng.UintN(2)), EtherType: uint16(rng.UintN(3)),
	}
	if rng.IntN(3) == 0 {
		p.Proto = UDP
		return p
	}
	switch rng.IntN(5) {
	case 0:
		p.Signs, p.Seq = SYN, rng.Uint32N(40)
	case 1:
		p.Signs, p.Seq = SYNACK, rng.Uint32N(40)
	case 2:
		p.Signs, p.Ack = ACK|Payload, rng.Uint32()
	case 3:
		p.Signs = RST
	default:
		p.Signs, p.Ack = ACK|FIN|Cut, rng.Uint32()
	}
	if rng.IntN(2) == 0 {
		p.HasVLAN, p.VLAN = true, uint16(1+rng.UintN(30))
	}
	return p
}

// TestTheLaw is the one law: any split of the packets into tables, each filled in any order, merged in any order, gives
// the same flows and counts.
func TestTheLaw(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		traffic := randomTraffic(rng, 1+rng.IntN(400))
		want := Table{Segments: seed%2 == 1}
		for i := range traffic {
			traffic[i].into(&want)
		}
		want.settle()

		parts := make([]Table, 1+rng.IntN(6))
		for i := range parts {
			parts[i].Segments = want.Segments
		}
		for _, i := range rng.Perm(len(traffic)) {
			traffic[i].into(&parts[rng.IntN(len(parts))])
		}
		var got Table
		for _, i := range rng.Perm(len(parts)) {
			got.Merge(&parts[i])
		}

		options := cmp.Options{compareNetip, comparePorts, cmpopts.EquateEmpty()}
		if diff := cmp.Diff(sorted(&want), sorted(&got), options); diff != "" {
			t.Fatalf("seed %d: %d packets in %d tables: flows differ (-one table +merged):\n%s", seed, len(traffic), len(parts), diff)
		}
		if diff := cmp.Diff(want.Stats, got.Stats, options); diff != "" {
			t.Fatalf("seed %d: counts differ (-one table +merged):\n%s", seed, diff)
		}
		if diff := cmp.Diff(want.Others, got.Others, options); diff != "" {
			t.Fatalf("seed %d: others differ (-one table +merged):\n%s", seed, diff)
		}
		if !got.Stats.Balanced() {
			t.Fatalf("seed %d: not balanced: %+v", seed, got.Stats)
		}
	}
}

// plainTable is the table without a trick: a map of flows, every field by the words of its comment.
type plainTable map[string]*Flow

func (m plainTable) add(k *taken) {
	p := &k.packet
	if k.why != Kept {
		if k.quote == nil {
			return
		}
		p = &k.quote.Packet
	}
	src, dst := p.Src(), p.Dst()
	a, b := src, dst
	if dst.Compare(src) < 0 {
		a, b = dst, src
	}
	name := fmt.Sprint(a, b, p.Proto)
	f := m[name]
	if f == nil {
		f = &Flow{A: a, B: b, Proto: p.Proto}
		m[name] = f
	}
	side := &f.FromA
	if src != a {
		side = &f.FromB
	}
	if k.why != Kept {
		if side.Signs&Quoted == 0 || k.ns < side.QuotedAt {
			side.QuotedAt = k.ns
		}
		side.QuoteRef = plainEarlier(side.QuoteRef, k.ref)
		side.Signs |= k.quote.Kind
		return
	}
	f.Seconds.Add(k.ns / 1e9)
	if p.HasVLAN {
		f.VLANs = plainSet(f.VLANs, p.VLAN, maxVLANs)
	}
	plainSide(side, k)
}

func plainEarlier(a, b Ref) Ref {
	if a.Frame == 0 || b.File < a.File || b.File == a.File && b.Frame < a.Frame {
		return b
	}
	return a
}

func plainSet[T uint16 | uint32](set []T, v T, limit int) []T {
	set = append(set, v)
	slices.Sort(set)
	set = slices.Compact(set)
	return set[:min(len(set), limit)]
}

func plainSide(s *Side, k *taken) {
	p := &k.packet
	payload := uint16(min(p.Content, 65535))
	if s.Packets == 0 || k.ns < s.First {
		s.First = k.ns
	}
	if s.Packets == 0 || k.ns > s.Last {
		s.Last = k.ns
	}
	if s.Packets == 0 || payload < s.PayloadMin {
		s.PayloadMin = payload
	}
	s.PayloadMax = max(s.PayloadMax, payload)
	s.Packets++
	s.Bytes += uint64(p.WireLen)
	s.Content += uint64(p.Content)
	s.FirstRef = plainEarlier(s.FirstRef, k.ref)
	for _, x := range []struct {
		sign Signs
		at   *int64
	}{{SYN, &s.SYNAt}, {SYNACK, &s.SYNACKAt}, {RST, &s.RSTAt}} {
		if p.Signs&x.sign != 0 && (s.Signs&x.sign == 0 || k.ns < *x.at) {
			*x.at = k.ns
		}
	}
	if p.Signs&(SYN|SYNACK) != 0 {
		s.ISNs = plainSet(s.ISNs, p.Seq, MaxISNs)
		s.SYNRef = plainEarlier(s.SYNRef, k.ref)
	}
	if p.Signs&ACK != 0 {
		if s.Signs&ACK == 0 {
			s.LastACK, s.AckMin, s.AckMax = k.ns, p.Ack, p.Ack
		}
		s.LastACK, s.AckMin, s.AckMax = max(s.LastACK, k.ns), min(s.AckMin, p.Ack), max(s.AckMax, p.Ack)
	}
	s.Signs |= p.Signs
}

func TestTableEqualsItsPlainForm(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var got Table
		plain := plainTable{}
		for _, k := range randomTraffic(rng, 300) {
			k.into(&got)
			plain.add(&k)
		}
		if got.Len() != len(plain) {
			t.Fatalf("seed %d: %d flows, want %d", seed, got.Len(), len(plain))
		}
		for _, f := range sorted(&got) {
			want := *plain[fmt.Sprint(f.A, f.B, f.Proto)]
			if diff := cmp.Diff(want, f, compareNetip, comparePorts, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d: %v %v-%v (-plain +table):\n%s", seed, f.Proto, f.A, f.B, diff)
			}
		}
	}
}

func TestTableOfManyFlows(t *testing.T) {
	const flows = 100_000
	var table Table
	for round := range uint64(2) {
		for i := range flows {
			p := Packet{Proto: UDP, family: familyIPv4, src: address{0, mapped4 | uint64(i)}, dst: address{0, mapped4 | 1<<24}, srcPort: 1, dstPort: 2}
			table.Add(&p, 0, Ref{Frame: round*flows + uint64(i) + 1})
		}
	}
	if got := table.Len(); got != flows {
		t.Fatalf("Len() = %d, want %d", got, flows)
	}
	seen := map[netip.AddrPort]bool{}
	for f := range table.Flows {
		if seen[f.A] || f.FromA.Packets != 2 {
			t.Fatalf("flow %v: seen %v, %d packets, want 2", f.A, seen[f.A], f.FromA.Packets)
		}
		seen[f.A] = true
	}
}

func TestFlowsCanBeBrokenOff(t *testing.T) {
	var table Table
	for i := range uint16(5) {
		table.Add(&Packet{Proto: UDP, family: familyIPv4, srcPort: i, dstPort: 9}, 0, Ref{})
	}
	n := 0
	for range table.Flows {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("yielded %d flows, want 2", n)
	}
}

// TestAddAllocatesNothing is the promise of the hot path: a packet of a known flow costs no allocation.
func TestAddAllocatesNothing(t *testing.T) {
	f := Frame{Link: LinkEthernet, Data: tcpFrame(1, false), WireLen: 154, Nanos: 1445421600e9}
	g := newGatherer(Options{})
	g.take(&f)
	if n := testing.AllocsPerRun(1000, func() {
		f.Number++
		f.Nanos += 1000
		g.take(&f)
	}); n != 0 {
		t.Errorf("%v allocations a packet, want 0", n)
	}
}

func TestRefsInOrder(t *testing.T) {
	order := []Ref{{0, 1}, {0, 2}, {1, 1}, {1, 9}, {2, 1}}
	for i, a := range order {
		for j, b := range order {
			if got, want := a.Before(b), i < j; got != want {
				t.Errorf("%v before %v = %v, want %v", a, b, got, want)
			}
		}
	}
}
