package capture

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// malformed lists frames that are broken on purpose, and how many packets each holds, one in the other.
func malformed(t testing.TB) map[string]malformedFrame {
	deep := macs
	for range 8 {
		deep += "0800 45000100 00010000 402f0000 0a000009 0a000002 0000 6558" + macs
	}
	tags := macs
	for range 40 {
		tags += "8100 0064"
	}
	options := tcpFrame(1, false)
	options[14+20+12] = 15 << 4
	copy(options[14+40:], make([]byte, 40)) // options of length 0
	return map[string]malformedFrame{
		"ARP that is cut":            {join(t, macs+"0806 0001 0800 06"), 1},
		"ARP with lengths of 255":    {join(t, macs+"0806 0001 0800 ffff 0001"+zeros(40)), 1},
		"GRE with every flag":        {join(t, ether4+"4500002c 00010000 402f0000 0a000009 0a000002 ffff 0800"+zeros(20)), 1},
		"GRE in Ethernet, 8 deep":    {join(t, deep+"0800"), maxDepth + 1},
		"40 VLAN tags":               {join(t, tags+"0800"), 1},
		"TCP with options of 0":      {options, 1},
		"TCP with a header of 0":     {join(t, ether4+"45000028 00010000 40060000 0a000009 0a000002"+zeros(20)), 1},
		"IPv4 with a header of 0":    {join(t, ether4+"40000028 00010000 40060000 0a000009 0a000002"+zeros(20)), 1},
		"IPv6 with 16 extensions":    {join(t, ether6+"60000000 0090 3c40"+zeros(32)+extensions(16)), 1},
		"later fragments of nothing": {join(t, ether4+"45000028 00010005 40110000 0a000009 0a000002"+zeros(20)), 1},
	}
}

type malformedFrame struct {
	data    []byte
	packets int
}

// repeat takes a frame again and again, a byte of it changed, so that no copy is a second one.
func repeat(g *gatherer, data []byte, frames int) {
	f := Frame{Link: LinkEthernet, Data: data, WireLen: len(data)}
	for range frames {
		f.Number++
		f.Nanos = 1445421600e9 + int64(f.Number)*1000
		f.Data[len(f.Data)-1] = byte(f.Number)
		g.take(&f)
	}
}

// TestFault14MalformedFlood sends frames that are broken on purpose: each is accounted for, and none makes memory grow.
// What they cost beside good ones, [BenchmarkMalformedFlood] says.
func TestFault14MalformedFlood(t *testing.T) {
	for what, bad := range malformed(t) {
		g := newGatherer(Options{})
		repeat(g, bad.data, 1000)
		if allocs := testing.AllocsPerRun(10, func() { repeat(g, bad.data, 1000) }); allocs > 1 { // the Frame itself
			t.Errorf("%s: %v allocations for 1,000 frames", what, allocs)
		}
		if s := &g.finish().Stats; s.Read != 12_000 || !s.Balanced() {
			t.Errorf("%s: %d of 12000 frames read, balanced: %v", what, s.Read, s.Balanced())
		}
	}
}

// BenchmarkMalformedFlood says what a broken frame costs: at most twice a good one for each packet that it holds, so that
// nobody halves the speed of a capture by sending garbage.
func BenchmarkMalformedFlood(b *testing.B) {
	frames := malformed(b)
	frames["good UDP"] = malformedFrame{join(b, ether4+udp32+dns), 1}
	frames["good TCP"] = malformedFrame{tcpFrame(1, false), 1}
	for what, frame := range frames {
		b.Run(what, func(b *testing.B) {
			g := newGatherer(Options{})
			repeat(g, frame.data, b.N)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*frame.packets), "ns/packet")
		})
	}
}

// zeros is n bytes in hexadecimal.
func zeros(n int) string {
	var b []byte
	for range n {
		b = append(b, "00"...)
	}
	return string(b)
}

// extensions is a chain of n destination options.
func extensions(n int) (chain string) {
	for range n {
		chain += "3c00 0104 00000000"
	}
	return chain
}

// TestFault19EverySetIsBounded sends what is different in every packet, and looks at every set that a table keeps: it holds
// no more than its cap, and a counter says what found no room.
func TestFault19EverySetIsBounded(t *testing.T) {
	n := 300_000
	if testing.Short() {
		n = 150_000
	}
	rng := rand.New(rand.NewPCG(19, 0))
	g := newGatherer(Options{MaxFlows: 10_000})
	send := func(text string, set func(data []byte)) {
		f := Frame{Link: LinkEthernet, Data: join(t, text)}
		f.WireLen = len(f.Data)
		for i := range n {
			set(f.Data)
			f.Number, f.Nanos = uint64(i+1), rng.Int64N(1e18)
			g.take(&f)
		}
	}
	random := func(at int) func([]byte) {
		return func(data []byte) { binary.BigEndian.PutUint32(data[at:], rng.Uint32()) }
	}
	const source = 14 + 12
	send(ether4+udp32+dns, random(source))                                                                                      // flows
	send(ether4+"45000020 00010000 40010000 0a000009 0a000002 0800"+zeros(10), random(source))                                  // pings
	send(ether4+"45000020 00010000 40590000 0a000009 0a000002"+zeros(12), random(source-3))                                     // protocols
	send(macs+"88b5"+zeros(46), random(12))                                                                                     // ethertypes
	send(macs+"8100 0064 0800"+udp32+dns, func(data []byte) { data[14], data[15] = byte(rng.Uint32N(16)), byte(rng.Uint32()) }) // VLANs
	send(ether4+tcp40+syn, random(14+20+4))                                                                                     // sequence numbers
	send(ether4+"45000034 00010000 40040000 0a000009 0a000002"+udp32+dns, random(source))                                       // tunnels
	send(macs+"0806 0001 0800 06 04 0001 005056000011 0a000009 000000000000 0a000009"+zeros(18), func(data []byte) {            // gratuitous ARP
		random(24)(data)
		a := rng.Uint32()
		binary.BigEndian.PutUint32(data[28:], a)
		binary.BigEndian.PutUint32(data[38:], a)
	})
	table := g.finish()
	s := &table.Stats
	vlans, isns := 0, 0
	for f := range table.Flows {
		vlans, isns = max(vlans, len(f.VLANs)), max(isns, len(f.FromA.ISNs), len(f.FromB.ISNs))
	}
	for _, set := range []struct {
		what      string
		got, most int
		refused   uint64 // what the counter says; 1 where the set is as large as its values are
	}{
		{"flows", table.Len(), 10_000, s.FoldedFlows},
		{"folds", len(table.Folded), MaxFolds + 2, s.FoldedFlows},
		{"pairs", len(table.Others), MaxPairs, s.PairsRefused},
		{"tunnels", len(table.Tunnels), MaxTunnels, s.TunnelsUncounted},
		{"events", len(table.Events), MaxEvents, s.EventsUncounted},
		{"VLANs of a flow", vlans, maxVLANs, 1},
		{"initial sequence numbers", isns, MaxISNs, 1},
		{"ethertypes", len(s.EtherTypes), 1 << 16, 1},
		{"protocols", len(s.Protocols), 1 << 8, 1},
	} {
		t.Logf("%s: %d of at most %d, %d refused", set.what, set.got, set.most, set.refused)
		if set.got > set.most || set.refused == 0 {
			t.Errorf("%s: %d, at most %d; %d refused", set.what, set.got, set.most, set.refused)
		}
	}
	if !s.Balanced() {
		t.Errorf("not balanced: %+v", s)
	}
}
