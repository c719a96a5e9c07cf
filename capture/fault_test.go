package capture

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// TestFault14MalformedFlood holds what frames cost that are broken on purpose against frames of ordinary traffic: twice as
// much at most, so that nobody halves the speed of a capture by sending garbage. A frame that holds five packets, one in
// the other, may cost what five do. The cheapest of several rounds counts.
func TestFault14MalformedFlood(t *testing.T) {
	const rounds, frames = 7, 20_000
	udp := join(t, ether4+udp32+dns)
	cost := func(data []byte) time.Duration {
		least := time.Duration(math.MaxInt64)
		for range rounds {
			g := newGatherer(Options{})
			f := Frame{Link: LinkEthernet, Data: append([]byte(nil), data...), WireLen: len(data)}
			start := time.Now()
			for n := range uint64(frames) {
				f.Number, f.Nanos = n+1, 1445421600e9+int64(n)*1000
				f.Data[len(f.Data)-1] = byte(n) // not a second copy
				g.take(&f)
			}
			least = min(least, time.Since(start))
		}
		return least
	}
	good := max(cost(udp), cost(tcpFrame(1, false)))
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
	for what, data := range map[string][]byte{
		"ARP that is cut":            join(t, macs+"0806 0001 0800 06"),
		"ARP with lengths of 255":    join(t, macs+"0806 0001 0800 ffff 0001"+zeros(40)),
		"GRE with every flag":        join(t, ether4+"4500002c 00010000 402f0000 0a000009 0a000002 ffff 0800"+zeros(20)),
		"GRE in Ethernet, 8 deep":    join(t, deep+"0800"),
		"40 VLAN tags":               join(t, tags+"0800"),
		"TCP with options of 0":      options,
		"TCP with a header of 0":     join(t, ether4+"45000028 00010000 40060000 0a000009 0a000002"+zeros(20)),
		"IPv4 with a header of 0":    join(t, ether4+"40000028 00010000 40060000 0a000009 0a000002"+zeros(20)),
		"IPv6 with 16 extensions":    join(t, ether6+"60000000 0090 3c40"+zeros(32)+extensions(16)),
		"later fragments of nothing": join(t, ether4+"45000028 00010005 40110000 0a000009 0a000002"+zeros(20)),
	} {
		packets := time.Duration(1)
		if strings.HasSuffix(what, "8 deep") {
			packets = maxDepth + 1
		}
		bad := cost(data)
		t.Logf("%s: %.2f of good traffic", what, float64(bad)/float64(good))
		if bad > 2*packets*good && !testing.Short() {
			t.Errorf("%s: %v for %d frames, %v for good ones", what, bad, frames, good)
		}
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
