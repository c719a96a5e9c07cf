package capture

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
)

// join puts headers written as hex, with spaces for the eye, into one frame.
func join(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(strings.Join(parts, "")), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The headers that the frames of the tests are put together from.
const (
	macs    = "005056000001 005056000002"
	toAll   = "ffffffffffff 005056000002"
	toGroup = "01005e000001 005056000002"

	ether4 = macs + "0800"
	ether6 = macs + "86dd"

	// 10.0.0.1 to 10.0.0.2, 40 bytes: 20 of header, 20 of TCP.
	tcp40  = "45000028 00014000 40060000 0a000001 0a000002"
	syn    = "c350 01bb 00000064 00000000 5002 ffff 0000 0000" // 50000 to 443
	synAck = "c350 01bb 00000064 00000000 5012 ffff 0000 0000"
	ack    = "c350 01bb 00000064 000000c8 5010 ffff 0000 0000"
	rst    = "c350 01bb 00000064 00000000 5014 ffff 0000 0000"
	finAck = "c350 01bb 00000064 000000c8 5011 ffff 0000 0000"

	// 10.0.0.1 to 10.0.0.2, 32 bytes: 20 of header, 8 of UDP, 4 of payload.
	udp32 = "45000020 00010000 40110000 0a000001 0a000002"
	dns   = "c350 0035 000c 0000 00000000" // 50000 to 53

	// fd00::1 to fd00::2 without its first 8 bytes.
	addresses6 = "fd000000000000000000000000000001 fd000000000000000000000000000002"
)

// ip6 is the start of an IPv6 header with that payload length and next header.
func ip6(payload uint16, next byte) string {
	var b [4]byte
	binary.BigEndian.PutUint16(b[:], payload)
	b[2], b[3] = next, 64
	return "60000000" + hex.EncodeToString(b[:]) + addresses6
}

func TestDecode(t *testing.T) {
	vlan := func(id string) string { return macs + "8100" + id }
	tests := []struct {
		name  string
		link  Link
		frame string
		wire  int    // 0: as long as the frame
		want  string // as described below
	}{
		{"a SYN", LinkEthernet, ether4 + tcp40 + syn, 0, "tcp 10.0.0.1:50000>10.0.0.2:443 syn seq=100"},
		{"a SYN+ACK", LinkEthernet, ether4 + tcp40 + synAck, 0, "tcp 10.0.0.1:50000>10.0.0.2:443 synack seq=100"},
		{"an ACK", LinkEthernet, ether4 + tcp40 + ack, 0, "tcp 10.0.0.1:50000>10.0.0.2:443 ack ack=200"},
		{"a RST with ACK shows no ACK", LinkEthernet, ether4 + tcp40 + rst, 0, "tcp 10.0.0.1:50000>10.0.0.2:443 rst"},
		{"a FIN with ACK", LinkEthernet, ether4 + tcp40 + finAck, 0, "tcp 10.0.0.1:50000>10.0.0.2:443 ack fin ack=200"},
		{"a datagram", LinkEthernet, ether4 + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"padding is no payload", LinkEthernet, ether4 + tcp40 + syn + "000000000000", 0, "tcp 10.0.0.1:50000>10.0.0.2:443 syn seq=100"},
		{"to broadcast", LinkEthernet, toAll + "0800" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload cast content=4"},
		{"to a group", LinkEthernet, toGroup + "0800" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload cast content=4"},
		{"port 0", LinkEthernet, ether4 + udp32 + "0000 0000 000c 0000 00000000", 0, "udp 10.0.0.1:0>10.0.0.2:0 payload content=4"},
		{"IPv4 options", LinkEthernet, ether4 + "4600002c 00014000 40060000 0a000001 0a000002 01010101" + syn, 0, "tcp 10.0.0.1:50000>10.0.0.2:443 syn seq=100"},

		{"a VLAN tag", LinkEthernet, vlan("0064 0800") + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload vlan=100 content=4"},
		{"a priority tag is no VLAN", LinkEthernet, vlan("a000 0800") + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"two tags", LinkEthernet, macs + "88a8 0064 8100 00c8 0800" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload vlan=200 content=4"},
		{"five tags of every kind", LinkEthernet, macs + "9100 0001 9200 0002 88a8 0003 8100 0004 8100 0005 0800" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload vlan=5 content=4"},
		{"cut inside a tag", LinkEthernet, vlan("00"), 60, "truncated-before-ports"},
		{"SNAP", LinkEthernet, macs + "0028 aaaa03 000000 0800" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"SNAP in a VLAN", LinkEthernet, vlan("0007 0028 aaaa03 000000 0800") + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload vlan=7 content=4"},
		{"LLC without SNAP", LinkEthernet, macs + "0026 424203" + "00000000", 0, "not-ip ethertype=0000"},
		{"SNAP in SNAP ends", LinkEthernet, macs + "0028 aaaa03 000000 0008 aaaa03 000000 0800", 0, "not-ip ethertype=0008"},
		{"ARP to all", LinkEthernet, toAll + "0806 0001", 0, "not-ip ethertype=0806 cast"},
		{"an Ethernet header cut short", LinkEthernet, "0050560000", 60, "truncated-before-ports"},
		{"an empty frame", LinkEthernet, "", 0, "truncated-before-ports"},

		{"cooked", LinkCooked, "0000 0001 0006 0050560000010000 0800" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"cooked, broadcast", LinkCooked, "0001 0001 0006 0050560000010000 0800" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload cast content=4"},
		{"cooked with a tag", LinkCooked, "0000 0001 0006 0050560000010000 8100 0009 0800" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload vlan=9 content=4"},
		{"cooked netlink", LinkCooked, "0000 0338 0006 0050560000010000 0800" + udp32, 0, "not-ip ethertype=0000"},
		{"cooked header cut", LinkCooked, "0000 0001", 60, "truncated-before-ports"},
		{"cooked 2", LinkCooked2, "0800 0000 00000002 0001 00 06 0050560000010000" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"cooked 2, multicast", LinkCooked2, "0800 0000 00000002 0001 02 06 0050560000010000" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload cast content=4"},
		{"raw IPv4", LinkRaw, udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"raw IPv6", LinkRaw, ip6(12, 17) + dns, 0, "udp [fd00::1]:50000>[fd00::2]:53 payload content=4"},
		{"raw as OpenBSD numbers it", 14, udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"raw of another version", LinkRaw, "25000020", 0, "bad-header"},
		{"IPv6 under the IPv4 link type", LinkIPv4, ip6(12, 17) + dns, 0, "bad-header"},
		{"null, little-endian", LinkNull, "02000000" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"null, big-endian", LinkNull, "00000002" + udp32 + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"null, IPv6 of macOS", LinkNull, "1e000000" + ip6(12, 17) + dns, 0, "udp [fd00::1]:50000>[fd00::2]:53 payload content=4"},
		{"loop, IPv6 of OpenBSD", LinkLoop, "00000018" + ip6(12, 17) + dns, 0, "udp [fd00::1]:50000>[fd00::2]:53 payload content=4"},
		{"null, another family", LinkNull, "07000000 00", 0, "not-ip ethertype=0000"},
		{"a link type without a decoder", 160, "0800", 0, "unknown-link-type"},

		{"cut right after the ports", LinkEthernet, ether4 + tcp40 + "c350 01bb", 54, "tcp 10.0.0.1:50000>10.0.0.2:443 cut"},
		{"cut inside the ports", LinkEthernet, ether4 + tcp40 + "c350 01", 54, "truncated-before-ports"},
		{"cut inside the IP header", LinkEthernet, ether4 + "45000028 0001", 54, "truncated-before-ports"},
		{"cut inside the IP options", LinkEthernet, ether4 + "4600002c 00014000 40060000 0a000001 0a000002", 58, "truncated-before-ports"},
		{"cut right after the flags", LinkEthernet, ether4 + tcp40 + "c350 01bb 00000064 00000000 5002", 54, "tcp 10.0.0.1:50000>10.0.0.2:443 syn cut seq=100"},
		{"cut, the header length not captured: options are not taken for payload", LinkEthernet, ether4 + "45000040 00014000 40060000 0a000001 0a000002 c350 01bb", 78, "tcp 10.0.0.1:50000>10.0.0.2:443 cut"},
		{"cut, more than any header holds is payload", LinkEthernet, ether4 + "45000051 00014000 40060000 0a000001 0a000002 c350 01bb", 95, "tcp 10.0.0.1:50000>10.0.0.2:443 payload cut content=1"},
		{"cut by a tool that also shortened the length", LinkEthernet, ether4 + "450003e8 00010000 40110000 0a000001 0a000002" + "c350 0035 03d4 0000", 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload cut content=972"},
		{"IPv4 length 0 is left to the network card", LinkEthernet, ether4 + "45000000 00014000 40060000 0a000001 0a000002" + ack + "00000000", 0, "tcp 10.0.0.1:50000>10.0.0.2:443 ack payload ack=200 content=4"},
		{"IPv6 length 0 too", LinkEthernet, ether6 + ip6(0, 6) + ack + "00000000", 0, "tcp [fd00::1]:50000>[fd00::2]:443 ack payload ack=200 content=4"},

		{"IPv4 of version 6", LinkEthernet, ether4 + ip6(12, 17) + dns, 0, "bad-header"},
		{"IPv6 of version 4", LinkEthernet, ether6 + udp32 + dns + "0000000000000000", 0, "bad-header"},
		{"IPv4 header length 4", LinkEthernet, ether4 + "44000020 00010000 40110000 0a000001 0a000002" + dns, 0, "bad-header"},
		{"IPv4 length below its header", LinkEthernet, ether4 + "45000013 00010000 40110000 0a000001 0a000002" + dns, 0, "bad-length"},
		{"ports in the padding are none", LinkEthernet, ether4 + "45000017 00010000 40110000 0a000001 0a000002" + dns, 0, "bad-length"},
		{"a TCP header length below 20 says nothing but ports", LinkEthernet, ether4 + tcp40 + "c350 01bb 00000064 00000000 1002 ffff 0000 0000", 0, "tcp 10.0.0.1:50000>10.0.0.2:443"},
		{"a TCP header length beyond the packet neither", LinkEthernet, ether4 + tcp40 + "c350 01bb 00000064 00000000 f002 ffff 0000 0000", 0, "tcp 10.0.0.1:50000>10.0.0.2:443"},
		{"a UDP header cut by the IP length", LinkEthernet, ether4 + "45000018 00010000 40110000 0a000001 0a000002 c350 0035", 0, "udp 10.0.0.1:50000>10.0.0.2:53"},

		{"a first fragment", LinkEthernet, ether4 + "45000020 00012000 40110000 0a000001 0a000002" + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload fragment content=4"},
		{"a later fragment", LinkEthernet, ether4 + "45000020 00010010 40110000 0a000001 0a000002" + dns, 0, "later-fragment"},
		{"a later fragment of ICMP is ICMP", LinkEthernet, ether4 + "45000020 00010010 40010000 0a000001 0a000002" + dns, 0, "icmp"},
		{"an IPv6 first fragment", LinkEthernet, ether6 + ip6(20, 44) + "11 00 0001 00000007" + dns, 0, "udp [fd00::1]:50000>[fd00::2]:53 payload fragment content=4"},
		{"an IPv6 atomic fragment is whole", LinkEthernet, ether6 + ip6(20, 44) + "11 00 0000 00000007" + dns, 0, "udp [fd00::1]:50000>[fd00::2]:53 payload content=4"},
		{"an IPv6 later fragment", LinkEthernet, ether6 + ip6(20, 44) + "11 00 0008 00000007" + dns, 0, "later-fragment"},
		{"an IPv6 later fragment of ICMP", LinkEthernet, ether6 + ip6(20, 44) + "3a 00 0008 00000007" + dns, 0, "icmp"},
		{"an IPv6 later fragment that begins with an extension", LinkEthernet, ether6 + ip6(20, 44) + "3c 00 0008 00000007" + dns, 0, "later-fragment"},

		{"hop-by-hop, routing, destination", LinkEthernet, ether6 + ip6(44, 0) + "2b00 000000000000 3c01 0000000000000000000000000000 1100 000000000000" + dns, 0, "udp [fd00::1]:50000>[fd00::2]:53 payload content=4"},
		{"AH in IPv6", LinkEthernet, ether6 + ip6(28, 51) + "1102 0000 00000001 00000001 00000000" + dns, 0, "udp [fd00::1]:50000>[fd00::2]:53 payload content=4"},
		{"AH in IPv4", LinkEthernet, ether4 + "45000030 00010000 40330000 0a000001 0a000002 1102 0000 00000001 00000001 00000000" + dns, 0, "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"},
		{"an extension beyond the packet", LinkEthernet, ether6 + ip6(12, 0) + "11ff 00000000" + "00000000 0000", 0, "bad-length"},
		{"an extension beyond what was captured", LinkEthernet, ether6 + ip6(300, 0) + "1110 000000000000", 354, "truncated-before-ports"},
		{"an extension cut inside its first bytes", LinkEthernet, ether6 + ip6(300, 0) + "1110", 354, "truncated-before-ports"},
		{"seventeen extensions", LinkEthernet, ether6 + ip6(17*8, 60) + strings.Repeat("3c00 000000000000", 17), 0, "bad-header"},
		{"no next header", LinkEthernet, ether6 + ip6(0, 59), 0, "other-ip-protocol 59"},

		{"ICMP", LinkEthernet, ether4 + "4500001c 00010000 40010000 0a000001 0a000002 0800 0000 00000000", 0, "icmp"},
		{"ICMPv6", LinkEthernet, ether6 + ip6(8, 58) + "8000 0000 00000000", 0, "icmp"},
		{"ICMPv6 in IPv4 is another protocol", LinkEthernet, ether4 + "4500001c 00010000 403a0000 0a000001 0a000002 8000 0000 00000000", 0, "other-ip-protocol 58"},
		{"GRE", LinkEthernet, ether4 + "45000018 00010000 402f0000 0a000001 0a000002 00000800", 0, "other-ip-protocol 47"},
		{"hop-by-hop in IPv4 is another protocol", LinkEthernet, ether4 + "45000018 00010000 40000000 0a000001 0a000002 00000800", 0, "other-ip-protocol 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := Frame{Link: tt.link, Data: join(t, tt.frame), WireLen: tt.wire}
			f.WireLen = max(f.WireLen, len(f.Data))
			var p Packet
			why := p.Decode(&f)
			if got := describe(&p, why); got != tt.want {
				t.Errorf("frame %s\n got %s\nwant %s", tt.frame, got, tt.want)
			}
		})
	}
}
