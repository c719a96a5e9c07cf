package capture

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// truthFolder holds captures made by others, and what tshark says of them. It is no part of the repository.
const truthFolder = "../../shared/pcaps"

// expectedDifferences says, for each capture of the folder that tshark counts otherwise, how many of its conversations, of
// the packets read and of the later fragments that concerns, and why.
var expectedDifferences = map[string]difference{
	"derived__modified-magic.pcap":     {refused: true, why: "modified pcap, refused by name"},
	"derived__zero-length.pcap":        {refused: true, why: "an empty file, refused"},
	"gopacket__be_test102.pcapng":      {packets: true, why: "tshark counts three custom blocks as packets"},
	"gopacket__le_test202.pcapng":      {packets: true, why: "tshark counts three custom blocks as packets"},
	"zeek__radiotap.pcap":              {conversations: 2, why: "link type IEEE 802.11 radiotap has no decoder"},
	"tcpdump__vxlan_port_8472.pcap":    {conversations: 4, why: "ICMP and ARP in VXLAN on Linux's port: tshark counts the datagrams around them"},
	"tcpdump__geneve.pcap":             {conversations: 2, why: "ICMP in GENEVE: tshark counts the datagrams around it"},
	"ndpi__ip_fragmented_garbage.pcap": {conversations: 1, why: "the flags of a TCP header of impossible length, which tshark believes"},
}

// difference is how a capture differs from its truth.
type difference struct {
	conversations int  // that differ in packets or initiator
	packets       bool // the number of packets read
	refused       bool // it is not read at all
	why           string
}

// truth is what tshark says of a capture. It joins no fragments.
type truth struct {
	packets, laterFragments uint64
	conversations           map[string]*exchange
	tunnelled               uint64 // packets with ports in tunnels
}

// exchange is a conversation's packets each way, A being the end that sorts first, and who began it: "A", "B" or "?".
type exchange struct {
	ab, ba    uint64
	initiator string
}

func readTruth(t *testing.T, path string) truth {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := truth{conversations: map[string]*exchange{}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		switch field := strings.Split(lines.Text(), "\t"); {
		case field[0] == "FACT" && field[1] == "packets":
			want.packets = parseCount(t, field[2])
		case field[0] == "FACT" && field[1] == "frag_later":
			want.laterFragments = parseCount(t, field[2])
		case field[0] == "FLOW":
			want.add(t, field)
		}
	}
	return want
}

// add reads a FLOW row: proto, address and port of A and of B, packets each way … initiator, basis, streams, tunnel.
func (w *truth) add(t *testing.T, field []string) {
	t.Helper()
	a, b := endOf(t, field[2], field[3]), endOf(t, field[4], field[5])
	x := exchange{parseCount(t, field[6]), parseCount(t, field[7]), field[19]}
	if field[1] == "udp" {
		x.initiator = "?"
	}
	if b.Compare(a) < 0 {
		a, b = b, a
		x.ab, x.ba = x.ba, x.ab
		x.initiator = strings.NewReplacer("A", "B", "B", "A").Replace(x.initiator)
	}
	w.conversations[fmt.Sprintf("%s %v %v", field[1], a, b)] = &x
	if isTunnel(field[22]) {
		w.tunnelled += x.ab + x.ba
	}
}

// isTunnel reports whether tshark's layers around a conversation are a tunnel between addresses: two IP headers, or GRE.
func isTunnel(layers string) bool {
	ips := 0
	for layer := range strings.SplitSeq(layers, ">") {
		switch layer {
		case "ip", "ipv6":
			ips++
		case "gre", "vxlan", "geneve", "gtp", "teredo", "erspan":
			return true
		}
	}
	return ips > 1
}

func endOf(t *testing.T, addr, port string) netip.AddrPort {
	t.Helper()
	a, err := netip.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	return netip.AddrPortFrom(a, uint16(parseCount(t, port)))
}

func parseCount(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// initiatorOf reads who began a TCP conversation off its handshake.
func initiatorOf(f *Flow) string {
	a, b := f.FromA.Signs, f.FromB.Signs
	switch {
	case f.Proto != TCP:
		return "?"
	case a&b&SYN != 0:
		if f.FromA.SYNRef.Before(f.FromB.SYNRef) {
			return "A"
		}
		return "B"
	case a&SYN != 0:
		return "A"
	case b&SYN != 0:
		return "B"
	case a&b&SYNACK != 0:
		if f.FromA.SYNRef.Before(f.FromB.SYNRef) {
			return "B"
		}
		return "A"
	case a&SYNACK != 0:
		return "B"
	case b&SYNACK != 0:
		return "A"
	}
	return "?"
}

// TestCapturesOfOthers holds real captures against tshark: for each conversation the packets each way and the initiator,
// and the packets read, the later fragments and the tunnels of each capture. With -v it prints the table.
func TestCapturesOfOthers(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(truthFolder, "captures", "*"))
	if err != nil || len(files) == 0 {
		t.Skipf("%s: not on this machine", truthFolder)
	}
	agree, conversations, same := 0, 0, 0
	t.Logf("%-52s %13s %11s %7s  %s", "", "conversations", "packets", "later", "tunnels, and what differs")
	for _, file := range files {
		name := filepath.Base(file)
		want := readTruth(t, filepath.Join(truthFolder, "truth", name+".tsv"))
		conversations += len(want.conversations)
		expected := expectedDifferences[name]
		inputs, err := Open([]string{file}, nil)
		if err != nil {
			if !expected.refused {
				t.Errorf("%s: %v", name, err)
			}
			t.Logf("%-52s %s", name, expected.why)
			continue
		}
		if expected.refused {
			t.Errorf("%s: read, want it refused: %s", name, expected.why)
		}
		c := inputs[0].Read(context.Background(), Options{})
		got := compareWithTruth(t, c, &want)
		for _, line := range got.lines {
			t.Logf("%s: %s", name, line)
		}
		if got.difference.conversations != expected.conversations || got.difference.packets != expected.packets {
			t.Errorf("%s: got %d conversations that differ and %d packets of %d, want %+v:\n%s", name,
				got.difference.conversations, c.Table.Stats.Read, want.packets, expected, strings.Join(got.lines, "\n"))
		}
		if got.difference == (difference{}) {
			agree++
		}
		same += got.same
		t.Logf("%-52s %5d of %5d %5d/%5d %3d/%3d  %s %s", name, got.same, len(want.conversations),
			c.Table.Stats.Read, want.packets, c.Table.Stats.FragmentsJoined, want.laterFragments, got.tunnels, expected.why)
	}
	t.Logf("%d of %d captures agree with tshark in everything, %d of %d conversations", agree, len(files), same, conversations)
}

// comparison is what came of comparing one capture with its truth.
type comparison struct {
	difference difference
	same       int
	tunnels    string
	lines      []string
}

func compareWithTruth(t *testing.T, c *Capture, want *truth) (got comparison) {
	t.Helper()
	s := &c.Table.Stats
	if !s.Balanced() {
		t.Errorf("%s: not balanced: %+v", c.Name, s)
	}
	got.difference.packets = s.Read != want.packets
	seen := map[string]*exchange{}
	for f := range c.Table.Flows {
		if f.FromA.Packets+f.FromB.Packets > 0 {
			seen[fmt.Sprintf("%v %v %v", f.Proto, f.A, f.B)] = &exchange{f.FromA.Packets, f.FromB.Packets, initiatorOf(&f)}
		}
	}
	var joined uint64
	for name, w := range want.conversations {
		g := cmp.Or(seen[name], &exchange{})
		delete(seen, name)
		more, less := g.ab+g.ba > w.ab+w.ba, g.ab < w.ab || g.ba < w.ba
		if less || more && want.laterFragments == 0 || g.initiator != w.initiator {
			got.lines = append(got.lines, fmt.Sprintf("%s: got %+v, want %+v", name, *g, *w))
			continue
		}
		joined += g.ab + g.ba - w.ab - w.ba
		got.same++
	}
	for name, g := range seen {
		got.lines = append(got.lines, fmt.Sprintf("%s: got %+v, which tshark has not", name, *g))
	}
	got.difference.conversations = len(got.lines)
	slices.Sort(got.lines)
	if joined > s.FragmentsJoined {
		t.Errorf("%s: %d packets more than tshark counts, of which %d are later fragments", c.Name, joined, s.FragmentsJoined)
	}
	got.compareTunnels(t, c, want)
	return got
}

// compareTunnels holds the packets that came through tunnels against those that tshark finds ports in.
func (got *comparison) compareTunnels(t *testing.T, c *Capture, want *truth) {
	t.Helper()
	kinds := map[TunnelKind]uint64{}
	var packets uint64
	for tunnel, n := range c.Table.Tunnels {
		kinds[tunnel.Kind] += n
		packets += n
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		got.tunnels += fmt.Sprintf("%v %d; ", kind, kinds[kind])
	}
	if packets < want.tunnelled {
		t.Errorf("%s: %d packets in tunnels, want %d at least", c.Name, packets, want.tunnelled)
	}
}
