package capture

import (
	"fmt"
	"strings"
	"testing"
)

// The packets that tunnels carry here: 10.0.0.1 to 10.0.0.2 and fd00::1 to fd00::2, to port 53.
const (
	inner4  = udp32 + dns
	said4   = "udp 10.0.0.1:50000>10.0.0.2:53 payload content=4"
	said6   = "udp [fd00::1]:50000>[fd00::2]:53 payload content=4"
	carried = " in %s 10.9.0.1>10.9.0.2"
)

func inner6() string { return ip6(12, 17) + dns }

// over4 is an IPv4 packet from 10.9.0.1 to 10.9.0.2, fragment being its flags and offset in hex.
func over4(t testing.TB, proto byte, fragment, payload string) string {
	t.Helper()
	return fmt.Sprintf("4500%04x 0007%s 40%02x0000 0a090001 0a090002", 20+len(join(t, payload)), fragment, proto) + payload
}

// overUDP is an IPv4 datagram from 10.9.0.1, port 49999, to 10.9.0.2.
func overUDP(t testing.TB, port int, payload string) string {
	t.Helper()
	return over4(t, 17, "0000", fmt.Sprintf("c34f%04x%04x0000", port, 8+len(join(t, payload)))+payload)
}

// over6 is an IPv6 packet from fd09::1 to fd09::2.
func over6(t testing.TB, next byte, payload string) string {
	t.Helper()
	return strings.ReplaceAll(ip6(uint16(len(join(t, payload))), next), "fd00", "fd09") + payload
}

// frameOf is an Ethernet frame.
func frameOf(etherType, payload string) string { return macs + etherType + payload }

// decodeHex decodes a frame of which captured bytes were kept; 0: all.
func decodeHex(t testing.TB, link Link, frame string, captured int) (*Packet, Skip) {
	t.Helper()
	f := Frame{Link: link, Data: join(t, frame)}
	f.WireLen = len(f.Data)
	if captured > 0 {
		f.Data = f.Data[:captured:captured]
	}
	p := new(Packet)
	return p, p.Decode(&f)
}

// wrapped is what may stand around a packet, and what is said of it.
type wrapped struct {
	name  string
	link  Link
	frame string
	want  string
}

// framings are every framing there is: the packet inside is found.
func framings(t testing.TB) []wrapped {
	in := func(said, kind string) string { return said + fmt.Sprintf(carried, kind) }
	eth, raw := LinkEthernet, LinkRaw
	bridged := frameOf("0800", inner4)
	vxlan := "08000000 00002a00" + bridged
	erspan2 := "1000 88be 00000001 1064 0001 00000000"
	erspan3 := func(last string) string { return "1000 22eb 00000001 2064 0001 00000000 0000" + last }
	gtp := func(flags, payload string) string {
		return fmt.Sprintf("%sff%04x00000001", flags, len(join(t, payload))) + payload
	}
	ppp4, ppp6 := "0021"+inner4, "0057"+inner6()
	pppoe := func(ppp string) string { return fmt.Sprintf("11000001%04x", len(join(t, ppp))) + ppp }
	teredo := "60000000 000c 1140 20010000000000000000000000000001 fd000000000000000000000000000002" + dns
	const saidTeredo = "udp [2001::1]:50000>[fd00::2]:53 payload content=4"
	return []wrapped{
		{"Ethernet", eth, frameOf("0800", inner4), said4},
		{"IPv6", eth, frameOf("86dd", inner6()), said6},
		{"802.1Q", eth, frameOf("8100 0064 0800", inner4), strings.Replace(said4, "content", "vlan=100 content", 1)},
		{"802.1ad", eth, frameOf("88a8 0001 8100 0064 0800", inner4), strings.Replace(said4, "content", "vlan=100 content", 1)},
		{"tags before 802.1ad", eth, frameOf("9100 0001 9200 0064 0800", inner4), strings.Replace(said4, "content", "vlan=100 content", 1)},
		{"five tags", eth, frameOf("88a8 0001 88a8 0002 8100 0003 8100 0004 8100 0064 0800", inner4), strings.Replace(said4, "content", "vlan=100 content", 1)},
		{"SNAP", eth, frameOf("0028 aaaa03 000000 0800", inner4), said4},
		{"VN-Tag", eth, frameOf("8926 80000001 0800", inner4), said4},
		{"VN-Tag and a VLAN", eth, frameOf("8926 80000001 8100 0064 0800", inner4), strings.Replace(said4, "content", "vlan=100 content", 1)},
		{"E-Tag", eth, frameOf("893f 000000010000 0800", inner4), said4},
		{"802.1ah", eth, frameOf("88e7 00000001", frameOf("8100 0064 0800", inner4)), strings.Replace(said4, "content", "vlan=100 content", 1)},
		{"FabricPath", eth, frameOf("8903 0001", bridged), said4},
		{"MPLS", eth, frameOf("8847 00001140", inner4), said4},
		{"MPLS, three labels, IPv6", eth, frameOf("8847 00001040 00002040 00003140", inner6()), said6},
		{"MPLS for many", eth, frameOf("8848 00001140", inner4), said4},
		{"MPLS in a VLAN keeps it", eth, frameOf("8100 0064 8847 00001140", inner4), strings.Replace(said4, "content", "vlan=100 content", 1)},
		{"a pseudo-wire", eth, frameOf("8847 00001140", bridged), said4},
		{"a pseudo-wire with a control word", eth, frameOf("8847 00001140 00000001", bridged), said4},
		{"a pseudo-wire has VLANs of its own", eth, frameOf("8100 0007 8847 00001140 00000000", bridged), said4},
		{"PPPoE", eth, frameOf("8864", pppoe(ppp4)), said4},
		{"PPPoE, IPv6", eth, frameOf("8864", pppoe(ppp6)), said6},
		{"PPPoE over QinQ", eth, frameOf("88a8 0001 8100 0064 8864", pppoe(ppp4)), strings.Replace(said4, "content", "vlan=100 content", 1)},
		{"PPPoE, MPLS", eth, frameOf("8864", pppoe("0281 00001140"+inner4)), said4},
		{"PPP", LinkPPP, ppp4, said4},
		{"PPP with address and control", LinkPPP, "ff03" + ppp6, said6},
		{"PPP, protocol of one byte", LinkPPP, "21" + inner4, said4},
		{"PPP in HDLC", LinkPPPHDLC, "ff03" + ppp4, said4},
		{"Cisco HDLC", LinkHDLC, "0f00 0800" + inner4, said4},
		{"PPPoE alone", LinkPPPEther, pppoe(ppp4), said4},
		{"FDDI", LinkFDDI, "50" + macs + "aaaa03 000000 0800" + inner4, said4},
		{"Linux cooked", LinkCooked, "0000 0001 0006 0050560000010000 0800" + inner4, said4},
		{"Linux cooked 2", LinkCooked2, "86dd 0000 00000002 0001 00 06 0050560000010000" + inner6(), said6},
		{"null", LinkNull, "02000000" + inner4, said4},
		{"loop", LinkLoop, "00000018" + inner6(), said6},
		{"raw", raw, inner6(), said6},
		{"raw of BSD", linkRawBSD, inner4, said4},
		{"raw of OpenBSD", linkRawOpenBSD, inner4, said4},
		{"IPv4", LinkIPv4, inner4, said4},
		{"IPv6 alone", LinkIPv6, inner6(), said6},

		{"IPv4 in IPv4", raw, over4(t, 4, "0000", inner4), in(said4, "IPv4 in IPv4")},
		{"IPv6 in IPv4", raw, over4(t, 41, "0000", inner6()), in(said6, "IPv6 in IPv4")},
		{"IPv4 in IPv6", raw, over6(t, 4, inner4), said4 + " in IPv4 in IPv6 fd09::1>fd09::2"},
		{"IPv6 in IPv6", raw, over6(t, 41, inner6()), said6 + " in IPv6 in IPv6 fd09::1>fd09::2"},
		{"behind a destination option", raw, over6(t, 60, "0400 010400000000"+inner4), said4 + " in IPv4 in IPv6 fd09::1>fd09::2"},
		{"GRE", raw, over4(t, 47, "0000", "0000 0800"+inner4), in(said4, "GRE")},
		{"GRE, IPv6", raw, over4(t, 47, "0000", "0000 86dd"+inner6()), in(said6, "GRE")},
		{"GRE over IPv6", raw, over6(t, 47, "0000 0800"+inner4), said4 + " in GRE fd09::1>fd09::2"},
		{"GRE with checksum, key and sequence", raw, over4(t, 47, "0000", "b000 0800 00000000 00000001 00000002"+inner4), in(said4, "GRE")},
		{"GRE, Ethernet", raw, over4(t, 47, "0000", "2000 6558 00000001"+bridged), in(said4, "GRE")},
		{"GRE, MPLS", raw, over4(t, 47, "0000", "0000 8847 00001140"+inner4), in(said4, "GRE")},
		{"PPTP", raw, over4(t, 47, "0000", "3081 880b 00240001 00000001 00000001"+"ff03"+ppp4), in(said4, "PPTP")},
		{"PPTP without an acknowledgement", raw, over4(t, 47, "0000", "3001 880b 00240001 00000001"+ppp4), in(said4, "PPTP")},
		{"ERSPAN I", raw, over4(t, 47, "0000", "0000 88be"+bridged), in(said4, "ERSPAN I")},
		{"ERSPAN II names the VLAN", raw, over4(t, 47, "0000", erspan2+bridged), in(strings.Replace(said4, "content", "vlan=100 content", 1), "ERSPAN II")},
		{"ERSPAN II, the frame's own tag", raw, over4(t, 47, "0000", erspan2+frameOf("8100 0007 0800", inner4)), in(strings.Replace(said4, "content", "vlan=7 content", 1), "ERSPAN II")},
		{"ERSPAN III", raw, over4(t, 47, "0000", erspan3("0000")+bridged), in(strings.Replace(said4, "content", "vlan=100 content", 1), "ERSPAN III")},
		{"ERSPAN III with a subheader", raw, over4(t, 47, "0000", erspan3("0001")+"0000000000000000"+bridged), in(strings.Replace(said4, "content", "vlan=100 content", 1), "ERSPAN III")},
		{"ERSPAN III, an IP packet", raw, over4(t, 47, "0000", erspan3("0800")+inner6()), in(strings.Replace(said6, "content", "vlan=100 content", 1), "ERSPAN III")},
		{"VXLAN", raw, overUDP(t, 4789, vxlan), in(said4, "VXLAN")},
		{"VXLAN on Linux's port", raw, overUDP(t, 8472, vxlan), in(said4, "VXLAN")},
		{"GENEVE", raw, overUDP(t, 6081, "0000 6558 00002a00"+bridged), in(said4, "GENEVE")},
		{"GENEVE with options, IPv4", raw, overUDP(t, 6081, "0200 0800 00002a00 0102800100000000"+inner4), in(said4, "GENEVE")},
		{"GTP-U", raw, overUDP(t, 2152, gtp("30", inner4)), in(said4, "GTP-U")},
		{"GTP-U with an extension", raw, overUDP(t, 2152, gtp("34", "00000085"+"01000900"+inner6())), in(said6, "GTP-U")},
		{"Teredo", raw, overUDP(t, 3544, teredo), in(saidTeredo, "Teredo")},
		{"Teredo with both indications", raw, overUDP(t, 3544, "00010000 0000000000000000 00 0000c34f0a090001"+teredo), in(saidTeredo, "Teredo")},
		{"VXLAN in ERSPAN: the outermost is named", raw, over4(t, 47, "0000", "0000 88be"+frameOf("0800", overUDP(t, 4789, vxlan))), in(said4, "ERSPAN I")},
	}
}

// TestFault12EveryFramingIsLookedInto: the packet is found in every framing, and where there is none in it, the frame is
// counted for a reason.
func TestFault12EveryFramingIsLookedInto(t *testing.T) {
	all := framings(t)
	for _, tt := range all {
		p, why := decodeHex(t, tt.link, tt.frame, 0)
		if got := describe(p, why); got != tt.want {
			t.Errorf("%s: frame %s\n got %s\nwant %s", tt.name, tt.frame, got, tt.want)
		}
	}
	t.Logf("%d framings", len(all))
}

// TestCutFramings cuts every framing at every byte: it is a flow or a counted reason, and past the inner ports the flow.
func TestCutFramings(t *testing.T) {
	for _, tt := range framings(t) {
		whole, _ := decodeHex(t, tt.link, tt.frame, 0)
		size := len(join(t, tt.frame))
		for n := 1; n < size; n++ {
			p, why := decodeHex(t, tt.link, tt.frame, n)
			var table Table
			if why == Kept {
				table.Add(p, 0, Ref{})
			} else {
				table.AddSkipped(p, why, tt.link, 0)
			}
			if !table.Stats.Balanced() {
				t.Fatalf("%s cut to %d bytes: not balanced", tt.name, n)
			}
			if inside := size - len(join(t, dns)) + 4; n >= inside && (p.Src() != whole.Src() || p.Signs&Cut == 0) {
				t.Errorf("%s cut to %d of %d bytes: %s", tt.name, n, size, describe(p, why))
			}
		}
	}
}

// TestWhatOnlyLooksLikeATunnel stays what it is outside: nobody hides a flow to a host by the look of a tunnel.
func TestWhatOnlyLooksLikeATunnel(t *testing.T) {
	bridged := frameOf("0800", inner4)
	outer := func(port, content int) string {
		return fmt.Sprintf("udp 10.9.0.1:49999>10.9.0.2:%d payload content=%d", port, content)
	}
	const gre = "other-ip-protocol 47"
	deep := inner4
	for range 5 {
		deep = over4(t, 4, "0000", deep)
	}
	deepVXLAN := inner4
	for range 5 {
		deepVXLAN = overUDP(t, 4789, "08000000 00002a00"+frameOf("0800", deepVXLAN))
	}
	tests := []struct{ name, frame, want string }{
		{"VXLAN without its flag", overUDP(t, 4789, "00000000 00002a00"+bridged), outer(4789, 54)},
		{"VXLAN with reserved bits", overUDP(t, 4789, "08000001 00002a00"+bridged), outer(4789, 54)},
		{"VXLAN of an unknown ethertype", overUDP(t, 4789, "08000000 00002a00"+frameOf("1234", inner4)), outer(4789, 54)},
		{"VXLAN of random LLC", overUDP(t, 4789, "08000000 00002a00"+frameOf("0011", "123456")), outer(4789, 25)},
		{"VXLAN of a broken packet", overUDP(t, 4789, "08000000 00002a00"+frameOf("0800", "41"+inner4[2:])), outer(4789, 54)},
		{"VXLAN of a packet longer than itself", overUDP(t, 4789, "08000000 00002a00"+frameOf("0800", strings.Replace(inner4, "45000020", "45000120", 1))), outer(4789, 54)},
		{"VXLAN of nothing", overUDP(t, 4789, "08000000 00002a00"), outer(4789, 8)},
		{"five VXLANs end at the fifth", deepVXLAN, "udp 10.9.0.1:49999>10.9.0.2:4789 payload content=54 in VXLAN 10.9.0.1>10.9.0.2"},
		{"an answer from VXLAN's port", overUDP(t, 50000, "08000000 00002a00"+bridged), outer(50000, 54)},
		{"GENEVE of another version", overUDP(t, 6081, "4000 6558 00002a00"+bridged), outer(6081, 54)},
		{"GENEVE with options beyond its end", overUDP(t, 6081, "3f00 6558 00002a00"+bridged), outer(6081, 54)},
		{"GTP-U's echo", overUDP(t, 2152, "32010004000000000000 0000"), outer(2152, 12)},
		{"GTP-U of a wrong length", overUDP(t, 2152, "30ff000100000001"+inner4), outer(2152, 40)},
		{"GTP-U with an endless extension", overUDP(t, 2152, "34ff001c00000001"+"00000085"+"00"+inner4[2:40]), outer(2152, 30)},
		{"Teredo between strangers", overUDP(t, 3544, ip6(12, 17)+dns), outer(3544, 52)},
		{"GRE of garbage", over4(t, 47, "0000", "0000 0800 deadbeef"), gre},
		{"GRE of an unknown protocol", over4(t, 47, "0000", "0000 1234"+inner4), gre},
		{"GRE with source routes", over4(t, 47, "0000", "4000 0800 00000000 00000000"+inner4), gre},
		{"GRE of another version", over4(t, 47, "0000", "0002 0800"+inner4), gre},
		{"PPTP that only acknowledges", over4(t, 47, "0000", "2081 880b 00000001 00000001"), gre},
		{"ERSPAN II of another version", over4(t, 47, "0000", "1000 88be 00000001 7064 0001 00000000"+bridged), gre},
		{"ERSPAN III of an unknown frame type", over4(t, 47, "0000", "1000 22eb 00000001 2064 0001 00000000 0000 1c00"+bridged), gre},
		{"IPv4 in IPv4 of garbage", over4(t, 4, "0000", "deadbeef"), "other-ip-protocol 4"},
		{"five tunnels", deep, "tunnelled-too-deep"},
	}
	for _, tt := range tests {
		p, why := decodeHex(t, LinkRaw, tt.frame, 0)
		if got := describe(p, why); got != tt.want {
			t.Errorf("%s: packet %s\n got %s\nwant %s", tt.name, tt.frame, got, tt.want)
		}
	}
}

// TestWhatTunnelsCarryBesides is ignored for its own reason, not judged as the datagrams around it.
func TestWhatTunnelsCarryBesides(t *testing.T) {
	const icmp = "4500001c 00010000 40010000 0a000001 0a000002 0800 0000 00000000"
	const arp = "0001 0800 06 04 0001 005056000002 0a000002 000000000000 0a000001"
	in := func(said string) string { return said + fmt.Sprintf(carried, "VXLAN") }
	for _, tt := range []struct{ name, inner, want string }{
		{"ICMP", frameOf("0800", icmp), in("icmp")},
		{"ARP", toAll + "0806" + arp, in("not-ip ethertype=0806 cast")},
		{"spanning tree", frameOf("0026", "424203 0000000000"+strings.Repeat("00", 30)), in("not-ip ethertype=0000")},
		{"a later fragment", frameOf("0800", "45000020 00010010 40110000 0a000001 0a000002"+dns), in("later-fragment")},
	} {
		p, why := decodeHex(t, LinkRaw, overUDP(t, 4789, "08000000 00002a00"+tt.inner), 0)
		if got := describe(p, why); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestQuotesAreOfTheOutermostPacket: what an unreachable quotes could not be delivered itself, whatever it carried.
func TestQuotesAreOfTheOutermostPacket(t *testing.T) {
	quoted := overUDP(t, 4789, "08000000 00002a00"+frameOf("0800", inner4))
	p, why := decodeHex(t, LinkRaw, fmt.Sprintf("4500%04x 00020000 40010000 0a090002 0a090001 0303 0000 00000000", 28+len(join(t, quoted)))+quoted, 0)
	if why != IgnoredICMP {
		t.Fatalf("decoded as %v, want icmp", why)
	}
	q, ok := p.Quote()
	if got, want := describe(&q.Packet, Kept), "udp 10.9.0.1:49999>10.9.0.2:4789 payload content=54"; !ok || got != want {
		t.Errorf("got %s, %v, want %s", got, ok, want)
	}
}

// TestDecodeTunnelAllocatesNothing holds for the rare case what holds for the common one.
func TestDecodeTunnelAllocatesNothing(t *testing.T) {
	data := join(t, overUDP(t, 4789, "08000000 00002a00"+frameOf("0800", inner4)))
	g := newGatherer(Options{})
	f := Frame{Link: LinkRaw, Data: data, WireLen: len(data)}
	g.take(&f)
	if n := testing.AllocsPerRun(1000, func() {
		f.Nanos += 1e7
		g.take(&f)
	}); n != 0 {
		t.Errorf("%v allocations a packet, want 0", n)
	}
}

func BenchmarkDecodeVXLAN(b *testing.B) {
	f := Frame{Link: LinkRaw, Data: join(b, overUDP(b, 4789, "08000000 00002a00"+frameOf("0800", inner4)))}
	f.WireLen = len(f.Data)
	var p Packet
	for b.Loop() {
		if p.Decode(&f) != Kept {
			b.Fatal("not kept")
		}
	}
}
