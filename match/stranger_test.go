package match

import (
	order "cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/numbering"
)

// TestStrangersAreCountedAsAnybodyIs judges random flows twice: without a declared VLAN, and with one that none of them is in,
// where strangers are judged the long way.
func TestStrangersAreCountedAsAnybodyIs(t *testing.T) {
	apart := 0
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 4))
		machines := ""
		if rng.IntN(3) > 0 {
			machines = "machines:\n  - {name: esx, products: [ESX 4.1], addresses: [10.0.0.1]}\n  - {name: nfs, addresses: [{address: 10.0.0.2, roles: [nfs-server]}]}\n"
		}
		table := new(capture.Table)
		for range rng.IntN(80) {
			f := randomFlow(rng)
			table.AddFlow(&f)
		}
		machines += "networks: [{prefix: 10.0.0.4/31, roles: [client-pc]}]\n"
		short := judgedBy(t, machines, table)
		long := judgedBy(t, machines+"vlans: {4000: vmotion}\n", table)
		if diff := cmp.Diff(long, short, cmpopts.EquateComparable(netip.Addr{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d: -the long way +strangers:\n%s", seed, diff)
		}
		apart += short.Counts.OutOfScope
	}
	if apart < 1000 {
		t.Errorf("only %d conversations were between strangers", apart)
	}
}

// verdictOf is what a judgement says, without what it says of networks.
type verdictOf struct {
	OutOfScope []Service
	Talkers    []Talker
	Counts     Counts
	Recognised int
	Findings   []foundOf
	Status     int
}

type foundOf struct {
	ID, Detail string
	Verdict    Verdict
	Basis      Basis
	Outcome    Outcome
	Flows      int
	Evidence   capture.Ref
}

func judgedBy(t *testing.T, declared string, table *capture.Table) verdictOf {
	t.Helper()
	inv, err := inventory.Parse("lab.yaml", []byte(declared), catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	r, err := Evaluate(Grounds{Catalog: catalog.Default(), Inventory: inv, AsOf: time.Unix(0, 0)}, []*capture.Capture{{Name: "lab.pcap", Table: table}})
	if err != nil {
		t.Fatal(err)
	}
	v := verdictOf{OutOfScope: r.OutOfScope, Talkers: r.Talkers, Counts: r.Counts, Recognised: r.Recognised, Status: r.Status}
	for _, f := range r.Findings.All() {
		v.Findings = append(v.Findings, foundOf{f.ID(), f.Detail, f.Verdict, f.Basis, f.Outcome, f.Flows, f.Evidence})
	}
	return v
}

// randomFlow makes a flow among few addresses and ports, groups and machines among them.
func randomFlow(rng *rand.Rand) capture.Flow {
	addrs := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.255", "255.255.255.255", "224.0.0.1", "::ffff:10.0.0.1", "::1", "2001:db8::2"}
	ports := []uint16{80, 111, 443, 902, 2050, 2051, 5989, 8000, 33333, 40000}
	end := func(n int) netip.AddrPort {
		return netip.AddrPortFrom(netip.MustParseAddr(addrs[n]), ports[rng.IntN(len(ports))])
	}
	m := rng.IntN(len(addrs))
	n := m + rng.IntN(len(addrs)-m)
	if is4 := func(n int) bool { return netip.MustParseAddr(addrs[n]).Is4() }; is4(m) != is4(n) {
		n = m // a flow is of one family
	}
	g := &forger{rng: rng, at: int64(rng.IntN(100)) * 1e9}
	f := g.flow(end(m), end(n))
	if rng.IntN(2) == 0 {
		f = g.flow(end(n), end(m))
	}
	if f.A.Compare(f.B) > 0 { // as in any table
		f.A, f.B, f.FromA, f.FromB = f.B, f.A, f.FromB, f.FromA
	}
	switch rng.IntN(8) {
	case 0:
		f.FromA.Signs |= capture.Cast
	case 1:
		f.FromA = capture.Side{Signs: capture.QuotedPort | capture.QuotedSYN, QuotedAt: 1, QuoteRef: capture.Ref{Frame: 1}}
	}
	return f
}

// TestNamesCountWhatWordsDo counts the conversations of random flows by names of one word, over several bins and goroutines, and by two words.
func TestNamesCountWhatWordsDo(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 13))
		addresses := 2 + rng.IntN(1<<(1+seed%16))
		s := &survey{
			flows: make([]traits, rng.IntN(20_000)), speakers: make([]speaker, addresses), parts: 1 + rng.IntN(3), Hash: numbering.NewHash(),
		}
		for i := range s.flows {
			f := &s.flows[i]
			f.a, f.b, f.segment = rng.Uint32N(uint32(addresses)), rng.Uint32N(uint32(addresses)), capture.Segment(rng.IntN(3))
			f.proto, f.port = []capture.Proto{capture.TCP, capture.UDP}[rng.IntN(2)], uint16(rng.IntN(1<<(1+seed%16)))
			f.fromA, f.foreign = rng.IntN(2) == 0, rng.IntN(5) > 0
		}
		n, _ := s.naming()
		if !n.fits() {
			t.Fatalf("seed %d: %d addresses do not fit into %+v", seed, addresses, n)
		}
		var named, plain services
		for _, counted := range s.countNamed(n) {
			named.merge(counted)
		}
		for _, counted := range s.countPlainly() {
			plain.merge(counted)
		}
		if diff := cmp.Diff(plain.list(), named.list()); diff != "" {
			t.Fatalf("seed %d: -by words +by names:\n%s", seed, diff)
		}
	}
}

// TestServicesHoldWhateverPacketsAreClaimed adds numbers of packets of all sizes, as flow records claim them.
func TestServicesHoldWhateverPacketsAreClaimed(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 14))
	want := map[proto]uint64{}
	var s services
	for range 20_000 {
		var other services
		p := proto{[]capture.Proto{capture.TCP, capture.UDP}[rng.IntN(2)], uint16(rng.IntN(600))}
		packets := rng.Uint64() >> (10 + rng.IntN(54))
		want[p] += packets
		if rng.IntN(50) > 0 {
			s.add(p.p, p.port, 1, packets)
			continue
		}
		other.add(p.p, p.port, 1, packets)
		s.merge(&other)
	}
	all := s.list()
	if len(all) != len(want) {
		t.Errorf("%d services, want %d", len(all), len(want))
	}
	for i, service := range all {
		if p := (proto{service.Proto, service.Port}); service.Packets != want[p] {
			t.Errorf("%v: %d packets, want %d", p, service.Packets, want[p])
		}
		if i > 0 && all[i-1].Packets < service.Packets {
			t.Errorf("%v stands behind %v", service, all[i-1])
		}
	}
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b Service) int {
		return order.Or(-order.Compare(a.Packets, b.Packets), order.Compare(a.Proto, b.Proto), order.Compare(a.Port, b.Port))
	})
	if diff := cmp.Diff(sorted, all); diff != "" {
		t.Errorf("-sorted by words +digit by digit:\n%s", diff)
	}
}
