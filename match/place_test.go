package match

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// TestKindsAreAskedAsMachinesAre judges the expectations of random sites from random captures, by kinds of machines and by every
// place of every machine for itself: not a word differs.
func TestKindsAreAskedAsMachinesAre(t *testing.T) {
	cases := 200
	if testing.Short() {
		cases = 40
	}
	said := map[string]int{}
	for n := range cases {
		rng := rand.New(rand.NewPCG(uint64(n), 4))
		c := catalog.Default()
		inv := randomSite(t, rng, c)
		g := Grounds{Catalog: c, Inventory: inv, FailOn: LevelError, During: []string{"vmotion", "ftp"}[:rng.IntN(2)]}
		captures := randomCaptures(rng, c, inv)
		switch rng.IntN(5) {
		case 0:
			g.Window = Window{captures[0].First + rng.Int64N(60e9), captures[0].First + 60e9 + rng.Int64N(300e9)}
		case 1:
			g.Sees = []string{"10.0.0.0/29", inv.Machines[rng.IntN(len(inv.Machines))].Name}
		case 2:
			g.CaptureFilter = []string{"tcp port 443", "host 10.0.0.1", "udp"}[rng.IntN(3)]
		}
		if Check(g) != nil { // nobody there can run the operation
			g.During = nil
		}
		x := expecterOf(t, &g, captures)
		got, want := x.expectations(), newPlainWay(x).expectations()
		if diff := cmp.Diff(want, got, sameExpectations); diff != "" {
			t.Fatalf("case %d: -plain +by kinds:\n%.3000s", n, diff)
		}
		for i := range got {
			said[got[i].Verdict.String()+" "+got[i].Reason.Code+" "+got[i].Coverage.String()]++
		}
	}
	t.Logf("%v", said)
	for _, word := range []string{"met  unproven", "absent  proven", "absent  declared", "seen-other-way  unproven", "not-observable no-witness-pair likely", "not-observable no-witness-pair unproven", "not-observable no-witness-plane unproven", "not-observable capture-filter likely", "not-observable window-too-short unproven", "not-observable drops likely", "not-observable filter-suspected likely"} {
		if said[word] == 0 && cases >= 200 {
			t.Errorf("no expectation is %q", word)
		}
	}
}

var sameExpectations = cmp.Options{
	cmp.Comparer(func(a, b *catalog.Row) bool { return a == b }), cmp.Comparer(func(a, b *inventory.Machine) bool { return a == b }),
	cmp.Comparer(func(a, b Machines) bool { return slices.Equal(a.First(a.Len()), b.First(b.Len())) }), cmpopts.EquateEmpty(),
	cmpopts.IgnoreUnexported(Disposition{}),
}

// expecterOf judges as Evaluate does, up to the expectations.
func expecterOf(t *testing.T, g *Grounds, captures []*capture.Capture) *expecter {
	t.Helper()
	j := newJudge(g.Catalog, g.Inventory)
	j.sees, _ = j.view(g.Sees)
	j.findCasts(captures)
	j.prepare()
	points := j.points(*g, captures, new(Result))
	convs, _, _ := j.conversations(j.survey(merged(captures), false), g.Window, ends(points), nil)
	fs, _ := j.findings(convs, g.Window, newExcepter(j, g))
	return newExpecter(j, g, points, fs)
}

// randomSite makes an inventory of few machines in which little is alike: clusters, vCenters, sites, planes, services and views.
func randomSite(t *testing.T, rng *rand.Rand, c *catalog.Catalog) *inventory.Inventory {
	t.Helper()
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	var b strings.Builder
	b.WriteString("machines:\n  - {name: vc, products: [vCenter 4.1], addresses: [10.0.0.1]}\n")
	for i := range 6 + rng.IntN(14) {
		fmt.Fprintf(&b, "  - name: m%d\n    site: %s\n", i, pick("here", "there"))
		addrs := fmt.Sprintf("{address: 10.0.0.%d%s}", i+2, pick("", "", ", plane: mgmt"))
		switch rng.IntN(3) {
		case 0:
			fmt.Fprintf(&b, "    products: [%s]\n", pick("ESX 3.5", "ESX 4.1", "ESXi 4.1", "ESX 4.0"))
			b.WriteString(pick("", "", "    cluster: a\n", "    cluster: b\n") + pick("", "", "", "    managed: false\n", "    managed-by: vc\n"))
			b.WriteString(pick("", "    uses: [-ha]\n", "    uses: [dns]\n", "    uses: [ft, -ntp]\n"))
			if rng.IntN(2) == 0 {
				addrs += fmt.Sprintf(", {address: 10.0.1.%d, plane: %s}", i+2, pick("vmotion", "ft", "storage"))
			}
		case 1:
			fmt.Fprintf(&b, "    products: [%s]\n", pick("vCenter 4.1", "vCenter 2.5", "Update Manager 4.1", "View 4.5", "SRM 4.0"))
		default:
			roles := c.Roles[rng.IntN(len(c.Roles))].Role
			addrs = fmt.Sprintf("{address: 10.0.0.%d, roles: [%s]}", i+2, roles)
		}
		fmt.Fprintf(&b, "    addresses: [%s]\n", addrs)
	}
	if rng.IntN(2) == 0 {
		b.WriteString("networks:\n  - {prefix: 10.9.0.0/16, name: pcs, roles: [client-pc]}\n")
	}
	if rng.IntN(2) == 0 {
		b.WriteString("uses: [dns, ha]\n")
	}
	if rng.IntN(4) == 0 {
		b.WriteString("capture:\n  - {file: 'one*', sees: [10.0.0.0/29, m3]}\n")
	}
	inv, err := inventory.Parse("site.yaml", []byte(b.String()), c)
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	return inv
}

// randomCaptures makes one capture or two of flows between the machines, and a few others.
func randomCaptures(rng *rand.Rand, c *catalog.Catalog, inv *inventory.Inventory) []*capture.Capture {
	const start = int64(1445421600e9)
	var addrs []netip.Addr
	for _, m := range inv.Machines {
		for _, a := range m.Addrs {
			addrs = append(addrs, a.Addr)
		}
	}
	addrs = append(addrs, netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("192.0.2.1"))
	g := &forger{rng: rng}
	var all []*capture.Capture
	for i := range 1 + rng.IntN(2) {
		long := []int64{30, 120, 400}[rng.IntN(3)] * 1e9
		table, honest := new(capture.Table), rng.IntN(2) == 0
		one := func(from, to netip.Addr, port uint16) {
			g.at = start + rng.Int64N(long-6e9)
			f := g.flow(netip.AddrPortFrom(from, 1024+uint16(rng.UintN(60000))), netip.AddrPortFrom(to, port))
			f.Seconds = capture.Seconds{{First: g.at / 1e9, Last: g.at/1e9 + 5}}
			if honest || rng.IntN(3) == 0 {
				answer(&f, g)
			}
			if v := rng.IntN(4); v > 0 {
				f.VLANs = []uint16{uint16(v)}
			}
			table.AddFlow(&f)
		}
		for range rng.IntN(400) {
			from, to := addrs[rng.IntN(len(addrs))], addrs[rng.IntN(len(addrs))]
			if from != to {
				one(from, to, c.Rows[rng.IntN(len(c.Rows))].Ports.Lo)
			}
		}
		if rng.IntN(2) == 0 { // all are seen speaking to all
			for _, from := range addrs {
				for _, to := range addrs {
					if from.Less(to) && rng.IntN(30) > 0 {
						one(from, to, 33333)
						one(to, from, 33333)
					}
				}
			}
		}
		read := &capture.Capture{Name: []string{"one.pcap", "two.pcap"}[i], Format: "pcap", First: start, Last: start + long, Table: table}
		for f := range table.Flows {
			table.Stats.Read += f.FromA.Packets + f.FromB.Packets
		}
		table.Stats.Flowed = table.Stats.Read
		if rng.IntN(4) > 0 {
			table.Stats.Broadcasts = 1
		}
		if rng.IntN(5) == 0 {
			read.Interfaces = []capture.Interface{{Counted: true, Received: table.Stats.Read, Dropped: table.Stats.Read}}
		}
		if rng.IntN(6) == 0 {
			read.Format = "netflow" // told by somebody else, who proves no absence
		}
		all = append(all, read)
	}
	return all
}

// answer gives a flow packets of both sides, as of a whole conversation.
func answer(f *capture.Flow, g *forger) {
	f.FromA, f.FromB = g.side(capture.SYN|capture.ACK|capture.Payload, 5), g.side(capture.SYNACK|capture.ACK|capture.Payload, 5)
	if f.A.Port() < f.B.Port() {
		f.FromA, f.FromB = f.FromB, f.FromA
	}
	f.FromA.AckMin, f.FromA.AckMax, f.FromB.AckMin, f.FromB.AckMax = 0, 0, 0, 0
	for _, s := range []struct{ of, other *capture.Side }{{&f.FromA, &f.FromB}, {&f.FromB, &f.FromA}} {
		s.of.AckMin = s.other.ISNs[0] + 1
		s.of.AckMax = s.of.AckMin + 1
		s.of.Content = 100
	}
	if f.Proto == capture.UDP {
		f.FromA, f.FromB = g.side(capture.Payload, 5), g.side(capture.Payload, 5)
	}
}

// TestWitnessSaysWhatMapsSay holds who was seen speaking to whom, when and where, against Go maps of addresses and seconds.
func TestWitnessSaysWhatMapsSay(t *testing.T) {
	c := catalog.Default()
	for n := range 60 {
		rng := rand.New(rand.NewPCG(uint64(n), 9))
		inv := randomSite(t, rng, c)
		one := randomCaptures(rng, c, inv)[0]
		j := newJudge(c, inv)
		judged := Window{one.First + 10e9, one.First + 20e9}
		p := j.newPoint(one, &Grounds{Catalog: c, Inventory: inv, Window: judged, Scenarios: []Play{{}}})
		pairs, vlans := map[capture.Pair]capture.Seconds{}, map[netip.Addr]map[uint16]bool{}
		for f := range one.Table.Flows {
			plainWitness(&f, pairs, vlans)
		}
		for _, a := range inv.Machines {
			for _, b := range inv.Machines {
				from, to := a.Addrs[0].Addr, b.Addrs[0].Addr
				start := one.First + rng.Int64N(60e9)
				for _, w := range []Window{judged, {one.First, one.Last}, {start, start + rng.Int64N(20e9)}} {
					within := func(from, to netip.Addr) bool { return pairs[capture.Pair{From: from, To: to}].Intersects(w.seconds()) }
					want := vantage{
						saw:      within(from, netip.Addr{}) || within(netip.Addr{}, from),
						bothWays: within(from, netip.Addr{}) && within(netip.Addr{}, from),
					}
					for v := range vlans[from] {
						want.vlans = append(want.vlans, v)
					}
					slices.Sort(want.vlans)
					got := j.vantage(p, a, []netip.Addr{from}, w)
					want.declared = got.declared
					if !slices.Equal(got.label(nil), want.label(nil)) {
						t.Fatalf("case %d: %s is seen as %+v, want %+v", n, from, got, want)
					}
					if got, want := p.sawBoth([]netip.Addr{from}, []netip.Addr{to}, w), within(from, to) && within(to, from); got != want {
						t.Fatalf("case %d: %s and %s met: %v, want %v", n, from, to, got, want)
					}
				}
			}
		}
	}
}

// plainWitness notes when each direction of a flow was seen: from one to the other, from one, to the other.
func plainWitness(f *capture.Flow, pairs map[capture.Pair]capture.Seconds, vlans map[netip.Addr]map[uint16]bool) {
	for _, d := range []struct {
		from, to    netip.Addr
		side, other *capture.Side
	}{{f.A.Addr(), f.B.Addr(), &f.FromA, &f.FromB}, {f.B.Addr(), f.A.Addr(), &f.FromB, &f.FromA}} {
		if d.side.Packets == 0 {
			continue
		}
		active := Window{d.side.First, d.side.Last}.seconds()
		when := f.Seconds.Within(active)
		if f.Proto == capture.UDP && d.other.Packets > 0 {
			when = capture.Seconds{{First: active.First, Last: active.First}}
			when.Add(active.Last)
		}
		for _, pair := range []capture.Pair{{From: d.from, To: d.to}, {From: d.from}, {To: d.to}} {
			pairs[pair] = pairs[pair].Union(when)
		}
		if vlans[d.from] == nil {
			vlans[d.from] = map[uint16]bool{}
		}
		if len(f.VLANs) == 0 {
			vlans[d.from][0] = true
		}
		for _, v := range f.VLANs {
			vlans[d.from][v] = true
		}
	}
}
