package capture

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// variant changes one frame into what another mirror port saw of it.
func variant(frame []byte, change func(b []byte)) []byte {
	b := bytes.Clone(frame)
	change(b)
	return b
}

func tagged(frame []byte, vlan byte) []byte {
	return bytes.Join([][]byte{frame[:12], {0x81, 0, 0, vlan}, frame[12:]}, nil)
}

func TestDuplicates(t *testing.T) {
	tcp := tcpFrame(1, false)
	udp := join(t, ether4, udp32, dns)
	udp6 := join(t, ether6, ip6(12, 17), dns)
	arp := join(t, toAll, "0806 0001")
	hop := func(b []byte) { b[22], b[24], b[25] = b[22]-1, 0x12, 0x34 } // TTL and header checksum
	tests := []struct {
		name          string
		first, second []byte
		after         int64 // nanoseconds
		want          bool
	}{
		{"the same frame", tcp, tcp, 1000, true},
		{"the same frame at the same time", tcp, tcp, 0, true},
		{"the same frame, written in the wrong order", tcp, tcp, -1000, true},
		{"the same frame more than a millisecond later", tcp, tcp, 1_000_001, false},
		{"on another VLAN", tagged(tcp, 1), tagged(tcp, 2), 1000, true},
		{"without its tag", tagged(tcp, 1), tcp, 1000, true},
		{"behind a router", tcp, variant(tcp, hop), 1000, true},
		{"behind a router that marks it", tcp, variant(tcp, func(b []byte) { b[15] = 0xb8 }), 1000, true},
		{"between other cards", tcp, variant(tcp, func(b []byte) { b[5], b[11] = 9, 9 }), 1000, true},
		{"with padding", udp, append(bytes.Clone(udp), 0, 0, 0, 0), 1000, true},
		{"a datagram", udp, udp, 1000, true},
		{"an IPv6 datagram with another hop limit", udp6, variant(udp6, func(b []byte) { b[21]-- }), 1000, true},
		{"another identification: sent again", tcp, variant(tcp, func(b []byte) { b[19]++ }), 1000, false},
		{"another sequence number", tcp, variant(tcp, func(b []byte) { b[41]++ }), 1000, false},
		{"another acknowledgement", tcp, variant(tcp, func(b []byte) { b[45]++ }), 1000, false},
		{"another port", tcp, variant(tcp, func(b []byte) { b[35]++ }), 1000, false},
		{"the reply", tcp, tcpFrame(1, true), 1000, false},
		{"another payload without a checksum", udp, variant(udp, func(b []byte) { b[len(b)-1]++ }), 1000, false},
		{"another fragment", variant(udp, func(b []byte) { b[20], b[21] = 0x20, 1 }), variant(udp, func(b []byte) { b[20], b[21] = 0x20, 2 }), 1000, false},
		{"frames that are not IP are not compared", arp, arp, 1000, false},
	}
	for _, tt := range tests {
		for _, drop := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, dropped %v", tt.name, drop), func(t *testing.T) {
				g := newGatherer(Options{Dedup: drop})
				for i, b := range [][]byte{tt.first, tt.second} {
					g.take(&Frame{Link: LinkEthernet, Data: b, WireLen: len(b), Nanos: 1445421600e9 + int64(i)*tt.after, Number: uint64(i + 1)})
				}
				s := &g.finish().Stats
				if got := s.Duplicates == 1; got != tt.want {
					t.Errorf("a duplicate: %v, want %v", got, tt.want)
				}
				if got, want := s.Skipped[IgnoredDuplicate] == 1, tt.want && drop; got != want {
					t.Errorf("left out: %v, want %v", got, want)
				}
				if !s.Balanced() || s.Read != 2 {
					t.Errorf("not balanced: %+v", s)
				}
			})
		}
	}
}

// TestDuplicatesOfIPv6 holds that the packet between two copies is nothing to them. IPv6 packets, which have no
// identification, once had that of the IPv4 packet before.
func TestDuplicatesOfIPv6(t *testing.T) {
	g := newGatherer(Options{})
	for i, b := range [][]byte{tcpFrame(1, false), join(t, ether6, ip6(12, 17), dns), join(t, ether4, udp32, dns), join(t, ether6, ip6(12, 17), dns)} {
		g.take(&Frame{Link: LinkEthernet, Data: b, WireLen: len(b), Nanos: int64(i), Number: uint64(i + 1)})
	}
	if n := g.finish().Stats.Duplicates; n != 1 {
		t.Errorf("%d second copies, want 1", n)
	}
}

// TestDuplicatesOfACutCapture holds that a tag of four bytes, which pushes four bytes out of a cut frame, hides nothing.
func TestDuplicatesOfACutCapture(t *testing.T) {
	const snap = 64
	a, b := tcpFrame(1, false), tagged(tcpFrame(1, false), 7)
	g := newGatherer(Options{})
	g.take(&Frame{Link: LinkEthernet, Data: a[:snap], WireLen: len(a), Nanos: 0})
	g.take(&Frame{Link: LinkEthernet, Data: b[:snap], WireLen: len(b), Nanos: 10})
	if got := g.table.Stats.Duplicates; got != 1 {
		t.Errorf("%d duplicates, want 1", got)
	}
}

// TestEveryPacketTwice is fault 22: a mirror that shows each packet twice, the copy up to 200 microseconds later.
func TestEveryPacketTwice(t *testing.T) {
	const packets, ahead = 50_000, 20 // packets between the copies: 200 µs at 100,000 a second
	g := newGatherer(Options{Dedup: true})
	plain := newGatherer(Options{})
	frame := func(i int) *Frame {
		b := tcpFrame(i%500, i%3 == 0)
		b[18], b[19] = byte(i>>8), byte(i)
		return &Frame{Link: LinkEthernet, Data: b, WireLen: len(b), Number: uint64(i + 1)}
	}
	for i := range packets + ahead {
		if i < packets {
			f := frame(i)
			f.Nanos = int64(i) * 10_000
			g.take(f)
			plain.take(f)
		}
		if i >= ahead {
			f := frame(i - ahead)
			f.Data = tagged(f.Data, 9)
			f.Data[26]-- // TTL
			f.Nanos = int64(i)*10_000 + 1
			g.take(f)
		}
	}
	s := g.table.Stats
	if got := float64(s.Duplicates) / packets; got < 0.999 || got > 1.001 {
		t.Errorf("duplicates of %.4f of the packets, want 1", got)
	}
	if s.Flowed != packets+packets-s.Skipped[IgnoredDuplicate] || !s.Balanced() {
		t.Errorf("not balanced: %+v", s)
	}
	if got := plain.table.Stats.Duplicates; got != 0 {
		t.Errorf("%d duplicates where there are none", got)
	}
}

func TestTimesAreOfGoodStamps(t *testing.T) {
	w := newFileWriter(false)
	w.pcapHeader(magicMicros, 0, 1)
	w.record(100, 4e9, tcpFrame(1, false)) // bad
	w.record(300, 0, tcpFrame(2, false))
	w.record(200, 0, tcpFrame(3, false)) // out of order
	w.record(300, 0, tcpFrame(4, false)) // equal to the latest: in order
	c := readBytes(t, w.Bytes())
	if c.First != 200e9 || c.Last != 300e9 {
		t.Errorf("from %d to %d, want 200e9 to 300e9", c.First, c.Last)
	}
	if s := c.Table.Stats; s.BadTimestamps != 1 || s.OutOfOrder != 1 || s.Flowed != 4 {
		t.Errorf("%d bad, %d out of order, %d kept, want 1, 1, 4", s.BadTimestamps, s.OutOfOrder, s.Flowed)
	}
}

func TestTimesWithoutAnyGoodStamp(t *testing.T) {
	w := newFileWriter(false)
	w.pcapHeader(magicMicros, 0, 1)
	w.record(100, 4e9, tcpFrame(1, false))
	if c := readBytes(t, w.Bytes()); c.First != 100e9 || c.Last != 100e9 {
		t.Errorf("from %d to %d, want 100e9", c.First, c.Last)
	}
}

// TestQuotesReachTheFlowTheyQuote reads a SYN, the unreachable that answers it, one that answers an unseen datagram, and
// one that is no evidence.
func TestQuotesReachTheFlowTheyQuote(t *testing.T) {
	const icmp = "4500%04x 00020000 40010000 0a000009 0a000001 0301 0000 00000000"
	w := newFileWriter(false)
	w.pcapHeader(magicMicros, 0, uint32(LinkRaw))
	w.record(1, 0, join(t, tcp40, syn))
	w.record(2, 0, join(t, fmt.Sprintf(icmp, 68), tcp40, syn))
	w.record(3, 0, join(t, fmt.Sprintf(icmp, 60), udp32, dns))
	w.record(4, 0, join(t, fmt.Sprintf(icmp, 68), tcp40, ack))
	c := readBytes(t, w.Bytes())
	var got []string
	for _, f := range sorted(c.Table) {
		got = append(got, fmt.Sprintf("%v %v-%v: %d packets, signs %d, quoted at %d by frame %d, in %d s",
			f.Proto, f.A, f.B, f.FromA.Packets, f.FromA.Signs, f.FromA.QuotedAt, f.FromA.QuoteRef.Frame, f.Seconds.Len()))
	}
	want := []string{
		fmt.Sprintf("udp 10.0.0.1:50000-10.0.0.2:53: 0 packets, signs %d, quoted at 3000000000 by frame 3, in 0 s", QuotedHost),
		fmt.Sprintf("tcp 10.0.0.1:50000-10.0.0.2:443: 1 packets, signs %d, quoted at 2000000000 by frame 2, in 1 s", SYN|QuotedHost|QuotedSYN),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := c.Table.Stats; s.QuotesRejected != 1 || s.Skipped[IgnoredICMP] != 3 || s.Protocols[1] != 3 {
		t.Errorf("%d rejected, %d ICMP, by protocol %v", s.QuotesRejected, s.Skipped[IgnoredICMP], s.Protocols)
	}
	if len(c.Table.Others) != 1 {
		t.Errorf("others %v, want one pair", c.Table.Others)
	}
}
