package capturetest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// told reads a story's Ethernet frames back by gopacket's layers and tells each in a line: the time since the start, the
// addresses, what was said; sequence numbers relative to the connection's first.
func told(t *testing.T, s *Story) string {
	t.Helper()
	var lines []string
	for _, f := range s.Frames() {
		lines = append(lines, fmt.Sprintf("%v %s", f.Time.Sub(s.Start()), tellFrame(t, f.Data)))
	}
	return strings.Join(lines, "\n")
}

func decode(t *testing.T, l gopacket.DecodingLayer, data []byte) []byte {
	t.Helper()
	if err := l.DecodeFromBytes(data, gopacket.NilDecodeFeedback); err != nil {
		t.Fatalf("%T: %v: %x", l, err, data)
	}
	return l.LayerPayload()
}

func tellFrame(t *testing.T, data []byte) string {
	t.Helper()
	var eth layers.Ethernet
	rest := decode(t, &eth, data)
	text, kind := "", eth.EthernetType
	for kind == layers.EthernetTypeDot1Q || kind == layers.EthernetTypeQinQ {
		var vlan layers.Dot1Q
		rest = decode(t, &vlan, rest)
		text += fmt.Sprintf("vlan %d ", vlan.VLANIdentifier)
		kind = vlan.Type
	}
	switch kind {
	case layers.EthernetTypeIPv4:
		var ip layers.IPv4
		return text + tellIPv4(t, &ip, decode(t, &ip, rest)) + aside(ip.TTL, eth.DstMAC, ip.DstIP)
	case layers.EthernetTypeIPv6:
		var ip layers.IPv6
		return text + tellIPv6(t, &ip, decode(t, &ip, rest)) + aside(ip.HopLimit, eth.DstMAC, ip.DstIP)
	case layers.EthernetTypeARP:
		sender, target := net.IP(rest[14:18]), net.IP(rest[24:28])
		if rest[7] == 2 {
			return fmt.Sprintf("%sarp %v reply %v", text, eth.DstMAC, sender)
		}
		return fmt.Sprintf("%sarp %v who-has %v tell %v", text, eth.DstMAC, target, sender)
	}
	return fmt.Sprintf("%sethertype %#04x to %v", text, uint16(kind), eth.DstMAC)
}

// aside tells what is unusual: a time to live other than 64, a MAC address that is not made from the IP address.
func aside(ttl uint8, mac net.HardwareAddr, ip net.IP) (text string) {
	if ttl != 64 {
		text += fmt.Sprintf(" ttl %d", ttl)
	}
	if a, _ := netip.AddrFromSlice(ip); !bytes.Equal(mac, macOf(a)) {
		text += fmt.Sprintf(" to %v", mac)
	}
	return text
}

func tellIPv4(t *testing.T, ip *layers.IPv4, rest []byte) string {
	t.Helper()
	if more := ip.Flags&layers.IPv4MoreFragments != 0; more || ip.FragOffset > 0 {
		return tellFragment(ip.SrcIP, ip.DstIP, int(ip.FragOffset)*8, more, rest)
	}
	if ip.Protocol == layers.IPProtocolICMPv4 {
		var icmp layers.ICMPv4
		quote := decode(t, &icmp, rest)
		text := fmt.Sprintf("%v > %v icmp %v", ip.SrcIP, ip.DstIP, icmp.TypeCode)
		if icmp.TypeCode.Type() != layers.ICMPv4TypeDestinationUnreachable {
			return text
		}
		var inner layers.IPv4
		ports := decode(t, &inner, quote)
		return fmt.Sprintf("%s quotes %d bytes of %v:%d > %v:%d %s", text, len(quote),
			inner.SrcIP, binary.BigEndian.Uint16(ports), inner.DstIP, binary.BigEndian.Uint16(ports[2:]),
			strings.ToLower(inner.Protocol.String()))
	}
	return tellTransport(t, ip.SrcIP, ip.DstIP, ip.Protocol, rest)
}

func tellIPv6(t *testing.T, ip *layers.IPv6, rest []byte) string {
	t.Helper()
	switch ip.NextHeader {
	case layers.IPProtocolIPv6Fragment:
		offset := binary.BigEndian.Uint16(rest[2:])
		return tellFragment(ip.SrcIP, ip.DstIP, int(offset&^7), offset&1 == 1, rest[8:])
	case layers.IPProtocolICMPv6:
		var icmp layers.ICMPv6
		body := decode(t, &icmp, rest)
		text := fmt.Sprintf("%v > %v icmp6 %v", ip.SrcIP, ip.DstIP, icmp.TypeCode)
		if icmp.TypeCode.Type() == layers.ICMPv6TypeDestinationUnreachable {
			text += fmt.Sprintf(" quotes %d bytes", len(body)-4)
		}
		return text
	}
	return tellTransport(t, ip.SrcIP, ip.DstIP, ip.NextHeader, rest)
}

func tellFragment(src, dst net.IP, offset int, more bool, rest []byte) string {
	text := fmt.Sprintf("%v > %v fragment %d+%d", src, dst, offset, len(rest))
	if more {
		text += " more"
	}
	return text
}

func tellTransport(t *testing.T, src, dst net.IP, proto layers.IPProtocol, rest []byte) string {
	t.Helper()
	a, _ := netip.AddrFromSlice(src)
	b, _ := netip.AddrFromSlice(dst)
	c := conn{netip.AddrPortFrom(a, 0), netip.AddrPortFrom(b, 0)}
	switch proto {
	case layers.IPProtocolTCP:
		var tcp layers.TCP
		payload := decode(t, &tcp, rest)
		c = conn{netip.AddrPortFrom(a, uint16(tcp.SrcPort)), netip.AddrPortFrom(b, uint16(tcp.DstPort))}
		text := fmt.Sprintf("%v > %v tcp %s %d+%d", c.from, c.to, flagsOf(&tcp), relative(tcp.Seq, c), len(payload))
		if tcp.ACK {
			text += fmt.Sprintf(" ack %d", relative(tcp.Ack, c.turned()))
		}
		return text
	case layers.IPProtocolUDP:
		var udp layers.UDP
		payload := decode(t, &udp, rest)
		c = conn{netip.AddrPortFrom(a, uint16(udp.SrcPort)), netip.AddrPortFrom(b, uint16(udp.DstPort))}
		return fmt.Sprintf("%v > %v udp %d", c.from, c.to, len(payload))
	}
	return fmt.Sprintf("%v > %v protocol %d", a, b, proto)
}

func relative(number uint32, c conn) uint32 {
	if number == 0 {
		return 0
	}
	return number - initialSequence(c, 0)
}

func flagsOf(t *layers.TCP) (text string) {
	for _, flag := range []struct {
		set  bool
		name string
	}{{t.SYN, "S"}, {t.PSH, "P"}, {t.FIN, "F"}, {t.RST, "R"}, {t.ACK, "A"}} {
		if flag.set {
			text += flag.name
		}
	}
	return text
}
