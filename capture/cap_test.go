package capture

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// datagram returns a UDP packet between two numbered IPv4 addresses.
func datagram(from, to uint32, fromPort, toPort uint16) Packet {
	return Packet{
		Proto: UDP, family: familyIPv4, WireLen: 60, src: address{0, mapped4 | uint64(from)}, dst: address{0, mapped4 | uint64(to)},
		srcPort: fromPort, dstPort: toPort,
	}
}

// key returns the packet's 5-tuple, and which end of it the sender is.
func (p *Packet) key() (k key, from int) {
	from = p.keyInto(&k)
	return k, from
}

// segment returns a TCP packet of the same kind.
func segment(from, to uint32, fromPort, toPort uint16, signs Signs) Packet {
	p := datagram(from, to, fromPort, toPort)
	p.Proto, p.Signs = TCP, signs
	return p
}

// addr is the number as an address, the way round that datagram has it.
func addr(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// total sums the flows of a table and what was folded.
func total(t *Table) Fold {
	var sum Fold
	for f := range t.Flows {
		for _, s := range []*Side{&f.FromA, &f.FromB} {
			if s.Packets > 0 {
				sum.merge(&Fold{Packets: s.Packets, Bytes: s.Bytes, First: s.First, Last: s.Last})
			}
		}
		sum.Flows++
	}
	for _, f := range t.Folded {
		sum.merge(f)
	}
	return sum
}

// checkTotals holds that every packet is in a flow or folded.
func checkTotals(t *testing.T, table *Table) {
	t.Helper()
	sum, s := total(table), &table.Stats
	if sum.Packets != s.Flowed || !s.Balanced() {
		t.Fatalf("%d packets in flows and folds, %d taken", sum.Packets, s.Flowed)
	}
	if s.Flowed == s.Read && sum.Bytes != s.Bytes {
		t.Fatalf("%d bytes in flows and folds, %d taken", sum.Bytes, s.Bytes)
	}
	var folded Fold
	for _, f := range table.Folded {
		folded.merge(f)
	}
	if folded.Flows != s.FoldedFlows || folded.Packets != s.FoldedPackets {
		t.Fatalf("folded %d flows, %d packets; counted %d, %d", folded.Flows, folded.Packets, s.FoldedFlows, s.FoldedPackets)
	}
	if table.MaxFlows > 0 && table.Pool == nil && table.Len() > table.MaxFlows {
		t.Fatalf("%d flows, the cap is %d", table.Len(), table.MaxFlows)
	}
}

// TestFullTableFoldsStrangersFirst fills a table with one flow of every rank and looks who is left.
func TestFullTableFoldsStrangersFirst(t *testing.T) {
	kept := func(a netip.Addr) bool { return a.As4()[0] == 10 }
	const known1, known2, other1, other2 = 10<<24 | 1, 10<<24 | 2, 20<<24 | 1, 20<<24 | 2
	ends := map[string][2]uint32{"strangers": {other1, other2}, "half known": {known1, other1}, "known": {known1, known2}}
	order := []string{"strangers 1", "strangers 9", "half known 1", "half known 9", "known 1", "known 9"}
	for gone := range len(order) + 1 {
		table := Table{MaxFlows: len(order), Keep: kept}
		port := uint16(0)
		for name, pair := range ends {
			for _, packets := range []int{9, 1} {
				port++
				for range packets {
					p := datagram(pair[0], pair[1], uint16(packets), 7)
					table.Add(&p, 0, Ref{Frame: uint64(port)})
				}
			}
			_ = name
		}
		table.flush()
		for range gone {
			table.evict()
		}
		var left []string
		for f := range table.Flows {
			name := "half known"
			switch a, b := kept(f.A.Addr()), kept(f.B.Addr()); {
			case a && b:
				name = "known"
			case !a && !b:
				name = "strangers"
			}
			left = append(left, fmt.Sprintf("%s %d", name, f.FromA.Packets+f.FromB.Packets))
		}
		for _, name := range order[gone:] {
			if !strings.Contains(strings.Join(left, ","), name) {
				t.Errorf("%d evicted: %s is gone; left are %v", gone, name, left)
			}
		}
		if len(left) != len(order)-gone {
			t.Errorf("%d evicted: left are %v", gone, left)
		}
		checkTotals(t, &table)
	}
}

// TestIdleFlowsGoBeforeActiveOnes keeps one flow of strangers alive while new ones come and fall silent. The first time
// that room is made nothing tells it from the others; from then on it stays.
func TestIdleFlowsGoBeforeActiveOnes(t *testing.T) {
	table := Table{MaxFlows: 64}
	active := datagram(1, 2, 3, 4)
	for i := range uint32(2000) {
		idle := datagram(100+i, 2, 3, 4)
		for range 2 {
			table.Add(&active, 0, Ref{})
			table.Add(&idle, 0, Ref{})
		}
	}
	checkTotals(t, &table)
	for f := range table.Flows {
		if f.A.Addr() == addr(1) && f.FromA.Packets > 3800 {
			return
		}
	}
	t.Error("the active flow was evicted")
}

// TestCapHoldsWhateverComes adds random traffic to small tables: totals are exact, and what is left is what a map says.
func TestCapHoldsWhateverComes(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 3))
		table := Table{MaxFlows: 1 + rng.IntN(40), Keep: func(a netip.Addr) bool { return a == addr(0x0a000001) }}
		for _, k := range randomTraffic(rng, 2000) {
			k.into(&table)
			for n := rng.IntN(40); n == 0; n++ {
				p := segment(rng.Uint32(), rng.Uint32(), uint16(rng.Uint32()), 80, SYN)
				table.Add(&p, 5, Ref{Frame: 1})
			}
		}
		checkTotals(t, &table)
		var sum Table
		sum.Merge(&table)
		checkTotals(t, &sum)
		for f := range sum.Flows {
			k, _ := (&Packet{
				Proto: f.Proto, family: familyIPv4, src: address{0, mapped4 | number(f.A.Addr())}, dst: address{0, mapped4 | number(f.B.Addr())},
				srcPort: f.A.Port(), dstPort: f.B.Port(),
			}).key()
			if n := sum.Len(); sum.key(sum.rowOf(&k, 0).record) != k || sum.Len() != n {
				t.Fatalf("seed %d: %v-%v cannot be found", seed, f.A, f.B)
			}
		}
	}
}

func number(a netip.Addr) uint64 {
	b := a.As4()
	return uint64(b[0])<<24 | uint64(b[1])<<16 | uint64(b[2])<<8 | uint64(b[3])
}

func TestFolds(t *testing.T) {
	const client, server = 0x14010107, 0x0a000001
	v6 := segment(0, 0, 50000, 443, SYN)
	v6.family, v6.src, v6.dst = familyIPv6, address{0x20010db800010002, 3}, address{0x20010db8ffff0000, 1}
	tests := []struct {
		name    string
		packets []Packet
		quoted  Signs
		want    string
	}{
		{"a SYN", []Packet{segment(client, server, 50000, 80, SYN)}, 0, "20.1.1.0/24 tcp 80 syn-only"},
		{"a SYN of IPv6", []Packet{v6}, 0, "2001:db8:1:2::/64 tcp 443 syn-only"},
		{"a reset answers", []Packet{segment(client, server, 50000, 80, SYN), segment(server, client, 80, 50000, RST)}, 0, "20.1.1.0/24 tcp 80 refused"},
		{
			"a connection that ends in a reset",
			[]Packet{segment(server, client, 80, 50000, SYNACK), segment(server, client, 80, 50000, RST)},
			0, "20.1.1.0/24 tcp 80 one-sided",
		},
		{"a connection", []Packet{segment(client, server, 50000, 80, SYN), segment(server, client, 80, 50000, SYNACK)}, 0, "20.1.1.0/24 tcp 80 answered"},
		{"an acknowledgement out of nowhere", []Packet{segment(client, server, 50000, 80, ACK)}, 0, "20.1.1.0/24 tcp 80 one-sided"},
		{"a datagram", []Packet{datagram(client, server, 50000, 53)}, 0, "20.1.1.0/24 udp 53 datagram"},
		{"a datagram and its answer", []Packet{datagram(client, server, 50000, 53), datagram(server, client, 53, 50000)}, 0, "20.1.1.0/24 udp 53 answered"},
		{"a datagram to a closed port", []Packet{datagram(client, server, 50000, 53)}, QuotedPort, "20.1.1.0/24 udp 53 refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := Table{MaxFlows: 1}
			for i := range tt.packets {
				table.Add(&tt.packets[i], int64(i), Ref{Frame: uint64(i + 1)})
			}
			if tt.quoted != 0 {
				table.Quote(Quote{Packet: tt.packets[0], Kind: tt.quoted}, 9, Ref{Frame: 9})
			}
			table.evict()
			for k, f := range table.Folded {
				got := fmt.Sprintf("%v %v %d %v", k.From, k.Proto, k.Port, k.Sign)
				if got != tt.want {
					t.Errorf("folded into %s, want %s", got, tt.want)
				}
				if f.Flows != 1 || f.Packets != uint64(len(tt.packets)) || f.First != 0 || f.Last != int64(len(tt.packets)-1) {
					t.Errorf("folded %+v", *f)
				}
			}
			checkTotals(t, &table)
		})
	}
}

// TestFoldsAreCapped folds flows of more prefixes than there is room for, in two tables, and merges them both ways.
func TestFoldsAreCapped(t *testing.T) {
	fill := func(from uint32) *Table {
		table := &Table{MaxFlows: 16}
		for i := range uint32(MaxFolds) {
			p := datagram((from+i)<<8, 1, 5, 6)
			table.Add(&p, int64(i), Ref{})
		}
		return table
	}
	var sum Table
	sum.Merge(fill(1 << 20))
	sum.Merge(fill(1 << 21))
	checkTotals(t, &sum)
	if got := len(sum.Folded); got != MaxFolds+1 {
		t.Errorf("%d keys, want %d and one for the rest", got, MaxFolds)
	}
	if rest := sum.Folded[FoldKey{Proto: UDP}]; rest == nil || rest.Flows == 0 {
		t.Errorf("nothing is in the key for the rest: %v", rest)
	}
}

// TestPoolLendsWhatThereIs fills tables that share a pool: together they hold no more than the pool and their own.
func TestPoolLendsWhatThereIs(t *testing.T) {
	pool := NewPool(10_000)
	var flows int
	for n := range uint32(4) {
		table := Table{MaxFlows: 100, Pool: pool}
		for i := range uint32(9000) {
			p := datagram(i, 1<<30+n, 5, 6)
			table.Add(&p, 0, Ref{})
		}
		checkTotals(t, &table)
		if table.Len() < 80 {
			t.Errorf("table %d holds %d flows: less than its own", n, table.Len())
		}
		flows += table.Len()
	}
	if flows > 10_000+4*100 {
		t.Errorf("%d flows in all", flows)
	}
}

func TestPairsAreCapped(t *testing.T) {
	known := func(a netip.Addr) bool { return a.As4()[0] == 10 }
	table := Table{Keep: known}
	ping := func(from, to uint32) {
		p := datagram(from, to, 0, 0)
		p.Proto = protoICMP
		table.AddSkipped(&p, IgnoredICMP, LinkEthernet, 1e9)
	}
	const forged = 3 * MaxPairs
	for i := range uint32(forged) {
		ping(1<<30+i, 10<<24)
	}
	ping(10<<24|1, 10<<24|2)
	table.settle()
	if got := table.Others[Pair{addr(10<<24 | 1), addr(10<<24 | 2)}].Len(); got != 1 {
		t.Error("the pair of known addresses found no room")
	}
	if got := table.Stats.PairsRefused; len(table.Others) != MaxPairs+1 || got != forged-MaxPairs {
		t.Errorf("%d pairs, %d refused", len(table.Others), got)
	}
}

// TestFloodOfForgedFlows is fault 15: flows of one packet from addresses that do not exist, against a table that holds a
// million, while 10,000 flows between known machines live on. FLOWVET_FLOOD=100000000 makes it the whole figure.
func TestFloodOfForgedFlows(t *testing.T) {
	forged := 5_000_000
	if n, err := strconv.Atoi(os.Getenv("FLOWVET_FLOOD")); err == nil {
		forged = n
	} else if testing.Short() {
		t.Skip("takes seconds")
	}
	f := flood(forged, 1_000_000)
	checkTotals(t, f.table)
	if f.whole*100 < f.legitimate*99 {
		t.Errorf("%d of %d flows between known machines are whole", f.whole, f.legitimate)
	}
	t.Logf("%d forged flows: %.2f M packets/s, longest stall %v, %d evictions, %d of %d known flows whole, %d MiB resident",
		forged, float64(f.table.Stats.Flowed)/f.took.Seconds()/1e6, f.stall, f.table.Stats.Evictions, f.whole, f.legitimate, f.resident>>20)
	if f.resident > 512<<20 {
		t.Errorf("%d MiB resident, at most 512 are promised", f.resident>>20)
	}
}

// flooded is what a flood came to.
type flooded struct {
	table             *Table
	took, stall       time.Duration
	legitimate, whole int
	resident          uint64
}

// flood sends forged packets at a table. After every hundredth comes a packet of one of 10,000 flows between known
// machines.
func flood(forged, limit int) flooded {
	const every, legitimate, block = 100, 10_000, 64
	forgetPeak()
	f := flooded{table: &Table{MaxFlows: limit, Keep: func(a netip.Addr) bool { return a.As4()[0] == 10 }}}
	rng := rand.New(rand.NewPCG(1, 2))
	packets := make(map[int]uint64, legitimate)
	start := time.Now()
	last := start
	for i := range forged {
		p := segment(0x20000000|rng.Uint32()>>2, 10<<24|1, uint16(rng.Uint32()), 443, SYN)
		f.table.Add(&p, int64(i), Ref{Frame: uint64(i + 1)})
		if i%every == 0 {
			n := i / every % legitimate
			packets[n]++
			p := segment(10<<24|uint32(2+n%200), 10<<24|1, uint16(1024+n), 902, ACK)
			f.table.Add(&p, int64(i), Ref{Frame: uint64(i + 1)})
		}
		if i%block == 0 {
			now := time.Now()
			f.stall = max(f.stall, now.Sub(last))
			last = now
		}
	}
	f.took = time.Since(start)
	f.legitimate = len(packets)
	for flow := range f.table.Flows {
		n := int(max(flow.A.Port(), flow.B.Port())) - 1024
		if flow.A.Addr().As4()[0] == 10 && flow.B.Addr().As4()[0] == 10 && flow.FromA.Packets+flow.FromB.Packets == packets[n] {
			f.whole++
		}
	}
	f.resident = resident()
	return f
}

// forgetPeak makes resident speak of what comes: the peak begins anew (proc(5), clear_refs), where the system can.
func forgetPeak() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // where it cannot, the peak of the tests before counts too
}

// resident returns the peak of this process's resident memory where the system tells it, else what Go asked of it.
func resident() uint64 {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, ok := strings.Cut(string(status), "VmHWM:")
	if fields := strings.Fields(rest); ok && len(fields) > 0 {
		if kib, err := strconv.ParseUint(fields[0], 10, 64); err == nil {
			return kib << 10
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

func BenchmarkFlood(b *testing.B) {
	for b.Loop() {
		f := flood(4_000_000, 1_000_000)
		b.ReportMetric(float64(f.took.Nanoseconds())/float64(f.table.Stats.Flowed), "ns/packet")
		b.ReportMetric(float64(f.stall.Milliseconds()), "ms-stall")
	}
}
