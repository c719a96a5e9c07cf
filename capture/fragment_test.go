package capture

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"flowvet/capture/capturetest"
)

const fragmentCast = `
host E1 10.0.0.11
host N  10.0.0.30
host E6 fd00::11
host N6 fd00::30
`

// flowLines writes the flows of a table: ends, packets and payload each way.
func flowLines(t *Table) string {
	var b strings.Builder
	for _, f := range sorted(t) {
		fmt.Fprintf(&b, "%v %v>%v %d+%d packets %d+%d bytes\n", f.Proto, f.A, f.B, f.FromA.Packets, f.FromB.Packets, f.FromA.Content, f.FromB.Content)
	}
	return b.String()
}

// TestFault11FragmentsFollowTheirFirst: a later fragment is a packet of its first fragment's flow, and one whose first was
// not seen before it is counted.
func TestFault11FragmentsFollowTheirFirst(t *testing.T) {
	tests := []struct {
		name, story, flows string
		joined, later      uint64
	}{
		{
			"IPv4", "1 E1:800 > N:2049/udp 4000",
			"udp 10.0.0.11:800>10.0.0.30:2049 3+0 packets 4000+0 bytes\n", 2, 0,
		},
		{
			"IPv6", "1 E6:800 > N6:2049/udp 4000",
			"udp [fd00::11]:800>[fd00::30]:2049 3+0 packets 4000+0 bytes\n", 2, 0,
		},
		{
			"a question and an answer", "1 E1:800 > N:2049/udp 3000 answer 3000",
			"udp 10.0.0.11:800>10.0.0.30:2049 3+3 packets 3000+3000 bytes\n", 4, 0,
		},
		{"only later ones", "1 E1:800 > N:2049/udp 4000 frag=later", "", 0, 2},
		{
			"the first comes last", "1 E1:800 > N:2049/udp 4000 frag=later\n2 E1:800 > N:2049/udp 4000 frag=first",
			"udp 10.0.0.11:800>10.0.0.30:2049 1+0 packets 1472+0 bytes\n", 0, 2,
		},
		{
			"the same packet in two VLANs", "1 E1:800 > N:2049/udp 4000 vlan=10 dup=routed",
			"udp 10.0.0.11:800>10.0.0.30:2049 6+0 packets 8000+0 bytes\n", 4, 0,
		},
		{
			"cut by the snap length", "1 E1:800 > N:2049/udp 4000 snap=64",
			"udp 10.0.0.11:800>10.0.0.30:2049 3+0 packets 4000+0 bytes\n", 2, 0,
		},
		{"of a ping, they are ICMP", "1 ip E1 > N 1 4000", "", 0, 0},
	}
	for _, tt := range tests {
		c := readBytes(t, capturetest.Must(t, fragmentCast+tt.story))
		s := &c.Table.Stats
		if got := flowLines(c.Table); got != tt.flows || s.FragmentsJoined != tt.joined || s.Skipped[BadLaterFragment] != tt.later {
			t.Errorf("%s: got %d joined, %d later fragments, flows\n%swant %d, %d\n%s", tt.name,
				s.FragmentsJoined, s.Skipped[BadLaterFragment], got, tt.joined, tt.later, tt.flows)
		}
		if !s.Balanced() || s.FragmentsEvicted != 0 {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
}

// gathered takes IP packets, one a second, and returns the table.
func gathered(t *testing.T, packets ...string) *Table {
	t.Helper()
	g := newGatherer(Options{})
	for i, packet := range packets {
		data := join(t, packet)
		g.take(&Frame{Link: LinkRaw, Data: data, WireLen: len(data), Nanos: int64(i) * 1e9, Number: uint64(i + 1)})
	}
	return g.finish()
}

// fragmentOf is an IPv4 fragment from 10.0.0.1 to 10.0.0.2; field is its flags and offset.
func fragmentOf(t *testing.T, id, field uint16, proto byte, payload string) string {
	t.Helper()
	return fmt.Sprintf("4500%04x%04x%04x40%02x0000 0a000001 0a000002", 20+len(join(t, payload)), id, field, proto) + payload
}

const (
	more   = 0x2000
	filler = "0000000000000000"
)

// TestFragmentsThatAttack (RFC 1858, RFC 3128): no fragment changes whose another packet is, and none shows flags that
// were not in a first fragment.
func TestFragmentsThatAttack(t *testing.T) {
	tiny := "c350 01bb 00000001" // ports and sequence number, the flags are in the next fragment
	tests := []struct {
		name    string
		packets []string
		flows   string
		signs   Signs
		skipped map[Skip]uint64
	}{
		{
			"a tiny first fragment hides the flags: no SYN is believed",
			[]string{fragmentOf(t, 7, more, 6, tiny), fragmentOf(t, 7, 1, 6, "00000000 5002 ffff 0000 0000")},
			"tcp 10.0.0.1:50000>10.0.0.2:443 2+0 packets 12+0 bytes\n", Fragment | Payload, nil,
		},
		{
			"a later fragment overlaps the flags",
			[]string{fragmentOf(t, 7, more, 6, ack+filler), fragmentOf(t, 7, 1, 6, "00000000 5002 ffff 0000 0000")},
			"tcp 10.0.0.1:50000>10.0.0.2:443 2+0 packets 20+0 bytes\n", Fragment | Payload | ACK, nil,
		},
		{
			"a first fragment without ports is undecodable, and so is what follows",
			[]string{fragmentOf(t, 7, more, 6, "c350"), fragmentOf(t, 7, 1, 6, "01bb0000")},
			"", 0,
			map[Skip]uint64{BadLength: 1, BadLaterFragment: 1},
		},
		{
			"two first fragments are two flows; the rest goes to the newer",
			[]string{
				fragmentOf(t, 7, more, 17, "c350 0035 0100 0000"+filler), fragmentOf(t, 7, more, 17, "c350 0045 0100 0000"+filler),
				fragmentOf(t, 7, 2, 17, filler),
			},
			"udp 10.0.0.1:50000>10.0.0.2:53 1+0 packets 8+0 bytes\nudp 10.0.0.1:50000>10.0.0.2:69 2+0 packets 16+0 bytes\n",
			Fragment | Payload, nil,
		},
		{
			"another protocol is another packet",
			[]string{fragmentOf(t, 7, more, 17, "c350 0035 0100 0000"+filler), fragmentOf(t, 7, 2, 6, filler)},
			"udp 10.0.0.1:50000>10.0.0.2:53 1+0 packets 8+0 bytes\n", Fragment | Payload,
			map[Skip]uint64{BadLaterFragment: 1},
		},
	}
	for _, tt := range tests {
		table := gathered(t, tt.packets...)
		if got := flowLines(table); got != tt.flows {
			t.Errorf("%s: got\n%swant\n%s", tt.name, got, tt.flows)
		}
		for f := range table.Flows {
			if f.FromA.Signs&^tt.signs != 0 {
				t.Errorf("%s: signs %b, want %b", tt.name, f.FromA.Signs, tt.signs)
			}
		}
		for _, why := range Skips() {
			if got := table.Stats.Skipped[why]; got != tt.skipped[why] {
				t.Errorf("%s: %d %v, want %d", tt.name, got, why, tt.skipped[why])
			}
		}
	}
}

// TestFragmentsOfTunnels: a tunnel's packets are fragmented inside of it, or it is itself.
func TestFragmentsOfTunnels(t *testing.T) {
	vxlan := "c34f 12b5 0100 0000 08000000 00002a00" + frameOf("0800", inner4)
	carrier := func(field, payload string) string { return over4(t, 17, field, payload) }
	const said = "udp 10.0.0.1:50000>10.0.0.2:53 2+0 packets "
	for _, tt := range []struct {
		name    string
		packets []string
		flows   string
		tunnels string
	}{
		{
			"the tunnel is fragmented: its later fragments are the flow inside",
			[]string{carrier("2000", vxlan+"0000"), carrier("0009", filler)},
			said + "12+0 bytes\n", "VXLAN 10.9.0.1>10.9.0.2 2",
		},
		{
			"what is inside is fragmented",
			[]string{
				over4(t, 4, "0000", fragmentOf(t, 7, more, 17, "c350 0035 0100 0000"+filler)),
				over4(t, 4, "0000", fragmentOf(t, 7, 2, 17, filler)),
			},
			said + "16+0 bytes\n", "IPv4 in IPv4 10.9.0.1>10.9.0.2 2",
		},
		{
			"GRE of garbage, fragmented: all of it is another protocol",
			[]string{over4(t, 47, "2000", "0000 0800 deadbeef"), over4(t, 47, "0001", filler)},
			"", "",
		},
	} {
		table := gathered(t, tt.packets...)
		tunnels := ""
		for tunnel, n := range table.Tunnels {
			tunnels += fmt.Sprintf("%v %v>%v %d", tunnel.Kind, tunnel.From, tunnel.To, n)
		}
		if got := flowLines(table); got != tt.flows || tunnels != tt.tunnels || table.Stats.FragmentsJoined != 1 || !table.Stats.Balanced() {
			t.Errorf("%s: got tunnels %q, flows\n%swant %q\n%s%+v", tt.name, tunnels, got, tt.tunnels, tt.flows, table.Stats)
		}
	}
}

// TestFragmentsHavePatience: 30 seconds either way, for clocks jump.
func TestFragmentsHavePatience(t *testing.T) {
	for _, tt := range []struct {
		after int64
		want  Skip
	}{{30e9, Kept}, {30e9 + 1, BadLaterFragment}, {-30e9, Kept}, {-30e9 - 1, BadLaterFragment}} {
		var g fragments
		var s Stats
		first, why := decodeHex(t, LinkRaw, fragmentOf(t, 7, more, 17, "c350 0035 0100 0000"+filler), 0)
		g.take(first, why, 0, &s)
		later, why := decodeHex(t, LinkRaw, fragmentOf(t, 7, 2, 17, filler), 0)
		if got := g.take(later, why, tt.after, &s); got != tt.want {
			t.Errorf("%d ns after its first: %v, want %v", tt.after, got, tt.want)
		}
	}
}

// TestFault11FragmentFlood: a million packets that never become whole take no more memory than the table's cap, and
// every fragmented packet that is forgotten is counted. Those that became whole are not.
func TestFault11FragmentFlood(t *testing.T) {
	const flood = 1_000_000
	data := join(t, fragmentOf(t, 0, more, 17, "c350 0035 0100 0000"+filler))
	last := join(t, fragmentOf(t, 0, 2, 17, filler))
	f := Frame{Link: LinkRaw, Data: data, WireLen: len(data)}
	var g fragments
	var s Stats
	var p Packet
	send := func(data []byte, i int) Skip {
		data[4], data[5], data[14], data[15] = byte(i>>8), byte(i), byte(i>>24), byte(i>>16)
		f.Data = data
		return g.take(&p, p.Decode(&f), int64(i), &s)
	}
	for i := range MaxFragmented {
		send(data, i)
		send(last, i)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range flood {
		send(data, MaxFragmented+i)
	}
	runtime.ReadMemStats(&after)
	if want := uint64(flood - MaxFragmented); s.FragmentsEvicted != want || s.FragmentsJoined != MaxFragmented {
		t.Errorf("%d evicted, %d joined, want %d, %d", s.FragmentsEvicted, s.FragmentsJoined, want, MaxFragmented)
	}
	if n := len(g.ring); n != MaxFragmented || len(g.index) != n {
		t.Errorf("%d packets remembered by %d keys, want %d", n, len(g.index), MaxFragmented)
	}
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 8<<20 {
		t.Errorf("%d bytes more after the flood", grown)
	}
	t.Logf("%d incomplete packets, %d forgotten, %d allocations", flood, s.FragmentsEvicted, after.Mallocs-before.Mallocs)
}
