package capture

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// ephemeral takes ports from 32768 on for those of clients.
func ephemeral(_ Proto, port uint16) bool { return port >= 32768 }

// idleAt is when the flows of idlers are idle, in seconds.
const idleAt = 1000

// idler is a flow of idlers: client and server by the last byte of their addresses, and the seconds of its packets.
type idler struct {
	client byte
	port   uint16
	server byte
	to     uint16
	proto  Proto
	up     Signs
	down   Signs
	at     []int64
}

// into adds the packets: one up and, where the server answers, one down, in each of its seconds.
func (i *idler) into(t *Table) {
	for n, at := range i.at {
		for _, d := range []struct {
			signs    Signs
			src, dst byte
			from, to uint16
			after    int64
		}{{i.up, i.client, i.server, i.port, i.to, 0}, {i.down, i.server, i.client, i.to, i.port, 1e6}} {
			if d.signs == 0 {
				continue
			}
			p := Packet{
				Proto: i.proto, family: familyIPv4, WireLen: 60, Signs: d.signs, Seq: uint32(i.port), srcPort: d.from, dstPort: d.to,
				src: address{0, mapped4 | 0x0a000000 | uint64(d.src)}, dst: address{0, mapped4 | 0x0a000000 | uint64(d.dst)},
			}
			t.Add(&p, at*1e9+d.after, Ref{Frame: uint64(n + 1)})
		}
	}
}

func TestIdleFlowsOfAClientWithAServiceBecomeOne(t *testing.T) {
	const beat = Payload
	two := func(change func(*idler)) []idler {
		all := []idler{
			{client: 1, port: 40000, server: 2, to: 902, proto: UDP, up: beat, at: []int64{1}},
			{client: 1, port: 40001, server: 2, to: 902, proto: UDP, up: beat, at: []int64{11}},
		}
		change(&all[1])
		return all
	}
	tests := []struct {
		name  string
		flows []idler
		want  int
	}{
		{"heartbeats from one port after the other", two(func(*idler) {}), 1},
		{"one is not idle yet", two(func(i *idler) { i.at = []int64{11, idleAt} }), 2},
		{"to another server", two(func(i *idler) { i.server = 3 }), 2},
		{"of another client", two(func(i *idler) { i.client = 3 }), 2},
		{"to another port", two(func(i *idler) { i.to = 903 }), 2},
		{"one was answered", two(func(i *idler) { i.down = beat }), 2},
		{"from a port that may be a service", two(func(i *idler) { i.port = 902 }), 2},
		{"between two ports that are nobody's service", two(func(i *idler) { i.to = 50000 }), 2},
		{"a long exchange of datagrams", []idler{
			{client: 1, port: 40000, server: 2, to: 53, proto: UDP, up: beat, down: beat, at: []int64{1, 9}},
			{client: 1, port: 40001, server: 2, to: 53, proto: UDP, up: beat, down: beat, at: []int64{11, 19}},
		}, 2},
		{"questions and answers", []idler{
			{client: 1, port: 40000, server: 2, to: 53, proto: UDP, up: beat, down: beat, at: []int64{1}},
			{client: 1, port: 40001, server: 2, to: 53, proto: UDP, up: beat, down: beat, at: []int64{11}},
		}, 1},
		{"connections refused", []idler{
			{client: 1, port: 40000, server: 2, to: 443, proto: TCP, up: SYN, down: RST, at: []int64{1}},
			{client: 1, port: 40001, server: 2, to: 443, proto: TCP, up: SYN, down: RST, at: []int64{11}},
		}, 1},
		{"one refused, one unanswered", []idler{
			{client: 1, port: 40000, server: 2, to: 443, proto: TCP, up: SYN, down: RST, at: []int64{1}},
			{client: 1, port: 40001, server: 2, to: 443, proto: TCP, up: SYN, at: []int64{11}},
		}, 2},
		{"connections whose beginning was not seen", []idler{
			{client: 1, port: 40000, server: 2, to: 443, proto: TCP, up: ACK, down: ACK | Payload, at: []int64{1}},
			{client: 1, port: 40001, server: 2, to: 443, proto: TCP, up: ACK, down: ACK | Payload, at: []int64{11}},
		}, 2},
		{"handshakes that nothing but their numbers shows to be complete", []idler{
			{client: 1, port: 40000, server: 2, to: 443, proto: TCP, up: SYN, down: SYNACK, at: []int64{1}},
			{client: 1, port: 40001, server: 2, to: 443, proto: TCP, up: SYN, down: SYNACK, at: []int64{11}},
		}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var table Table
			for i := range tt.flows {
				tt.flows[i].into(&table)
			}
			table.FoldIdle(idleAt*1e9, ephemeral)
			if table.Len() != tt.want {
				t.Errorf("%d flows are left, want %d", table.Len(), tt.want)
			}
			flows := 0
			for f := range table.Each {
				flows += 1 + int(f.Joined.Flows)
			}
			if flows != len(tt.flows) {
				t.Errorf("they stand for %d flows, want %d", flows, len(tt.flows))
			}
		})
	}
}

// beats returns heartbeats every ten seconds, each from a new port, which a host sends to a server.
func beats(host byte, n int) []idler {
	all := make([]idler, n)
	for i := range all {
		all[i] = idler{
			client: host, port: uint16(32768 + i%32768), server: 2, to: 902, proto: UDP, up: Payload, at: []int64{10 * int64(i)},
		}
	}
	return all
}

// TestWeeksOfHeartbeatsAreOneFlow folds every hour, as a live run does every minute: what is kept does not grow.
func TestWeeksOfHeartbeatsAreOneFlow(t *testing.T) {
	var table Table
	const hour, hours = 360, 14 * 24
	for i, b := range beats(1, hour*hours) {
		b.into(&table)
		if i%hour == hour-1 {
			table.FoldIdle(b.at[0]*1e9, ephemeral)
		}
	}
	if n := table.records.n; n > 2*hour {
		t.Errorf("room for %d flows was made, want that of two hours at most", n)
	}
	if table.Len() != 2 || table.runs > 2 { // the last of the beats is not idle
		t.Errorf("%d flows with %d runs of seconds, want 2 with 2 at most", table.Len(), table.runs)
	}
}

// TestFlowsThatWereJoinedAreJoinedAgain folds questions and answers, refusals and connections twice, with more of each between.
func TestFlowsThatWereJoinedAreJoinedAgain(t *testing.T) {
	kinds := map[string]idler{
		"questions":   {client: 1, server: 2, to: 53, proto: UDP, up: Payload, down: Payload},
		"refusals":    {client: 1, server: 2, to: 443, proto: TCP, up: SYN, down: RST},
		"connections": {client: 1, server: 2, to: 443, proto: TCP, up: SYN | ACK | Payload, down: SYNACK | ACK | Payload},
	}
	for name, i := range kinds {
		var table Table
		for n := range 4 {
			i.port, i.at = uint16(40000+n), []int64{10 * int64(n)}
			i.into(&table)
			table.FoldIdle(idleAt*1e9, ephemeral)
		}
		if table.Len() != 1 {
			t.Errorf("%s: %d flows are left, want 1", name, table.Len())
		}
	}
}

// TestALongSilenceIsNotForgotten leaves out three heartbeats.
func TestALongSilenceIsNotForgotten(t *testing.T) {
	var table Table
	for i, b := range beats(1, 100) {
		if i < 50 || i >= 53 {
			b.into(&table)
		}
	}
	table.FoldIdle(1e15, ephemeral)
	for f := range table.Each {
		if silence, _ := f.Seconds.LongestGap(Run{0, 990}); silence != (Run{491, 529}) || len(f.Seconds) > 9 {
			t.Errorf("silence %v of %d runs, want that from 491 to 529 of a few", silence, len(f.Seconds))
		}
	}
}

// TestFoldingIdleFlowsLosesNothing folds tables of random traffic: what they add up to is the same, whatever is looked for
// is found, and folding again, merging and a flows file change nothing more.
func TestFoldingIdleFlowsLosesNothing(t *testing.T) {
	joined := uint64(0)
	for seed := range uint64(8) {
		rng := rand.New(rand.NewPCG(seed, 17))
		var table Table
		traffic := randomTraffic(rng, 400)
		for _, k := range traffic {
			k.ref.File = 0
			k.packet.srcPort = 32768 + uint16(rng.UintN(200))
			k.into(&table)
		}
		before := sumOf(&table)
		table.FoldIdle(150e9, ephemeral)
		after := sumOf(&table)
		joined += uint64(before.flows - table.Len())
		if diff := cmp.Diff(before, after, cmp.AllowUnexported(tableSum{})); diff != "" {
			t.Fatalf("seed %d: (-before +after):\n%s", seed, diff)
		}
		for f := range table.Flows {
			k := f.key()
			if table.numberOf(&k, table.index.tag(&k)) == 0 {
				t.Fatalf("seed %d: %v %v is lost", seed, f.A, f.B)
			}
		}
		flows := sorted(&table)
		table.FoldIdle(150e9, ephemeral)
		var again Table
		for f := range table.Flows {
			again.AddFlow(&f)
		}
		var merged Table
		merged.Merge(&table)
		_, back := readFlowsFile(flowsOf(t, &Capture{Name: "a", Format: FormatLive, Table: &table, Last: 200e9}))
		for what, other := range map[string]*Table{"folded again": &table, "flow by flow": &again, "merged": &merged, "read back": back[0].Table} {
			if diff := cmp.Diff(flows, sorted(other), compareNetip, comparePorts, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d, %s (-folded +):\n%s", seed, what, diff)
			}
		}
	}
	if joined == 0 {
		t.Error("nothing was joined")
	}
}

// tableSum is what folding must not change.
type tableSum struct {
	flows                                  int
	packets, bytes, content, acked, unseen uint64
	addresses                              map[netip.Addr]bool
}

func sumOf(t *Table) tableSum {
	s := tableSum{addresses: map[netip.Addr]bool{}}
	for f := range t.Each {
		s.flows += 1 + int(f.Joined.Flows)
		acked, unseen := f.Acknowledged()
		s.acked += acked
		s.unseen += unseen
		s.addresses[f.A.Addr()], s.addresses[f.B.Addr()] = true, true
		for _, side := range []*Side{&f.FromA, &f.FromB} {
			s.packets += side.Packets
			s.bytes += side.Bytes
			s.content += side.Content
		}
	}
	return s
}
