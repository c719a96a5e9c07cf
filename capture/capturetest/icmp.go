package capturetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

func (p *parser) arpLine(at time.Duration, w []string, o options) error {
	reply := len(w) == 4 && w[3] == "reply"
	if len(w) != 3 && !reply {
		return errors.New("want arp A > B [reply]")
	}
	a, b, err := p.pair(w)
	if err != nil {
		return err
	}
	if !a.Is4() {
		return errors.New("arp: IPv6 has none")
	}
	p.arp(at, layers.ARPRequest, a, b, o)
	if reply {
		p.arp(at+o.pace, layers.ARPReply, b, a, o)
	}
	return nil
}

// announceLine is gratuitous ARP or RARP: both tell the switches where a host is.
func (p *parser) announceLine(at time.Duration, w []string, o options) error {
	if len(w) != 2 {
		return fmt.Errorf("want %s A", w[0])
	}
	a, err := p.addr(w[1])
	if err != nil {
		return err
	}
	if !a.Is4() {
		return fmt.Errorf("%s: IPv6 has none", w[0])
	}
	if w[0] == "garp" {
		p.arp(at, layers.ARPRequest, a, a, o)
		return nil
	}
	p.add(at, o, func(w *wire) (message, error) {
		const reverseRequest = 3 // RFC 903
		none, mac := netip.IPv4Unspecified(), w.mac(a)
		body := arpBody(reverseRequest, mac, none, mac, none)
		return w.nonIP(etherTypeRARP, mac, broadcast(), body)
	})
	return nil
}

// arp adds a request by a for b, or a reply of a to b.
func (p *parser) arp(at time.Duration, operation uint16, a, b netip.Addr, o options) {
	p.add(at, o, func(w *wire) (message, error) {
		target, to := make([]byte, 6), broadcast()
		if operation == layers.ARPReply {
			target, to = w.mac(b), w.mac(b)
		}
		return w.nonIP(layers.EthernetTypeARP, w.mac(a), to, arpBody(operation, w.mac(a), a, target, b))
	})
}

// arpBody is an ARP packet for Ethernet and IPv4 (RFC 826).
func arpBody(operation uint16, senderMAC []byte, sender netip.Addr, targetMAC []byte, target netip.Addr) []byte {
	body := []byte{0, 1, 8, 0, 6, 4}
	body = binary.BigEndian.AppendUint16(body, operation)
	body = append(append(body, senderMAC...), sender.AsSlice()...)
	return append(append(body, targetMAC...), target.AsSlice()...)
}

func (p *parser) pingLine(at time.Duration, w []string, o options) error {
	lost := len(w) == 4 && w[3] == "lost"
	if len(w) != 3 && !lost {
		return errors.New("want ping A > B [lost]")
	}
	a, b, err := p.pair(w)
	if err != nil {
		return err
	}
	p.echo(at, a, b, lost, o)
	return nil
}

// echo adds an echo request and, unless it is lost, its reply one step later.
func (p *parser) echo(at time.Duration, a, b netip.Addr, lost bool, o options) {
	const id = 1
	p.pings++
	rest := binary.BigEndian.AppendUint16([]byte{0, id}, p.pings)
	rest = append(rest, make([]byte, 56)...)
	request := icmpKind{layers.ICMPv4TypeEchoRequest, 0, layers.ICMPv6TypeEchoRequest, 0}
	reply := icmpKind{layers.ICMPv4TypeEchoReply, 0, layers.ICMPv6TypeEchoReply, 0}
	p.add(at, o, func(*wire) (message, error) { return icmpMessage(a, b, request, rest) })
	if !lost {
		p.add(at+o.pace, o, func(*wire) (message, error) { return icmpMessage(b, a, reply, rest) })
	}
}

// icmpKind is a message's type and code in both versions.
type icmpKind struct{ type4, code4, type6, code6 uint8 }

// icmpErrors are the errors a story can name (RFC 792, RFC 1812 section 5.2.7.1, RFC 4443 section 3).
func icmpErrors(name string) (icmpKind, bool) {
	kind, ok := map[string]icmpKind{
		"net-unreachable":      {3, 0, 1, 0},
		"host-unreachable":     {3, 1, 1, 3},
		"protocol-unreachable": {3, 2, 4, 1}, // ICMPv6 calls it a parameter problem
		"port-unreachable":     {3, 3, 1, 4},
		"admin-prohibited":     {3, 13, 1, 1},
		"ttl-exceeded":         {11, 0, 3, 0},
	}[name]
	return kind, ok
}

func (p *parser) icmpLine(at time.Duration, w []string, o options) error {
	if len(w) != 7 {
		return errors.New("want icmp A > B KIND C:PORT > D:PORT/PROTO")
	}
	a, b, err := p.pair(w)
	if err != nil {
		return err
	}
	kind, ok := icmpErrors(w[3])
	if !ok {
		return fmt.Errorf("%q: want port-, host-, net- or protocol-unreachable, admin-prohibited or ttl-exceeded", w[3])
	}
	quoted, err := p.flow(w[4:])
	if err != nil {
		return err
	}
	if quoted.from.port == ephemeral {
		return errors.New("the port of a quoted packet cannot be *")
	}
	if err := sameVersion(a, quoted.from.addr); err != nil {
		return err
	}
	c := p.draw(quoted)
	p.add(at, o, func(w *wire) (message, error) {
		quote, err := w.quote(c, quoted.proto)
		if err != nil {
			return message{}, err
		}
		return icmpMessage(a, b, kind, append(make([]byte, 4), quote...))
	})
	return nil
}

// icmpMessage serialises an ICMP or ICMPv6 message; rest is what follows the checksum.
func icmpMessage(a, b netip.Addr, k icmpKind, rest []byte) (m message, err error) {
	if a.Is4() {
		m = message{src: a, dst: b, proto: layers.IPProtocolICMPv4}
		l := &layers.ICMPv4{
			TypeCode: layers.CreateICMPv4TypeCode(k.type4, k.code4),
			Id:       binary.BigEndian.Uint16(rest), Seq: binary.BigEndian.Uint16(rest[2:]),
		}
		m.body, err = serialize(l, gopacket.Payload(rest[4:]))
		return m, err
	}
	m = message{src: a, dst: b, proto: layers.IPProtocolICMPv6}
	l := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(k.type6, k.code6)}
	if err = l.SetNetworkLayerForChecksum(m.network(0)); err != nil {
		return m, err
	}
	m.body, err = serialize(l, gopacket.Payload(rest))
	return m, err
}

// quote returns what an ICMP error quotes of the last packet of a flow: the IP header and 8 bytes of a datagram (RFC
// 792), the whole header of a TCP segment. A packet that the story does not hold is made up, for TCP as a SYN.
func (w *wire) quote(c conn, proto string) ([]byte, error) {
	number := layers.IPProtocolUDP
	if proto == "tcp" {
		number = layers.IPProtocolTCP
	}
	packet, ok := w.sent[sentKey{c, number}]
	if !ok {
		m, err := w.datagram(c, 100)
		if proto == "tcp" {
			m, err = newWire(w.parser).segment(c, "S", 0, options{})
		}
		if err != nil {
			return nil, err
		}
		if packet, err = ipPacket(m, header{ttl: 64}, m.body); err != nil {
			return nil, err
		}
	}
	keep := 20
	if c.from.Addr().Is6() {
		keep = 40
	}
	keep += 8
	if number == layers.IPProtocolTCP {
		keep += 16 // the segment size option of a SYN included
	}
	return packet[:min(keep, len(packet))], nil
}
