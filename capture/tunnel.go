package capture

import (
	"encoding/binary"
	"net/netip"
)

// Tunnel is what carried packets: a protocol, and the two ends that put them in and took them out. The packets inside are
// what is judged; the tunnel is how they came to the place of the capture.
type Tunnel struct {
	Kind     TunnelKind
	From, To netip.Addr // of the outermost IP header
}

// TunnelKind is a protocol that carries packets between two IP addresses; the zero value is none. Tags, MPLS, PPPoE and the
// like are no tunnels: they frame a packet on one link.
type TunnelKind uint8

// The tunnels that are looked into.
const (
	GRE        TunnelKind = iota + 1 // RFC 2784, RFC 2890
	PPTP                             // GRE version 1, RFC 2637
	ERSPAN1                          // draft-foschiano-erspan, type I: GRE without a header of its own
	ERSPAN2                          // type II
	ERSPAN3                          // type III
	VXLAN                            // RFC 7348
	GENEVE                           // RFC 8926
	GTPU                             // 3GPP TS 29.281
	Teredo                           // RFC 4380
	IPv4InIPv4                       // RFC 2003
	IPv6InIPv4                       // RFC 4213
	IPv4InIPv6                       // RFC 2473
	IPv6InIPv6                       // RFC 2473
	tunnelKinds
)

// String returns the name of the protocol as it is printed, empty for none.
func (k TunnelKind) String() string {
	if k >= tunnelKinds {
		return ""
	}
	return [tunnelKinds]string{
		"", "GRE", "PPTP", "ERSPAN I", "ERSPAN II", "ERSPAN III", "VXLAN", "GENEVE", "GTP-U", "Teredo",
		"IPv4 in IPv4", "IPv6 in IPv4", "IPv4 in IPv6", "IPv6 in IPv6",
	}[k]
}

// carrier is the outermost IP packet around a packet.
type carrier struct {
	conduit
	ident uint64 // as Packet.ident, of the carrier
	vlan  uint16
	proto Proto
	first bool // the carrier is a first fragment
}

// Tunnel returns the outermost tunnel around the packet; the zero value where there is none.
func (p *Packet) Tunnel() Tunnel { return p.tunnel.tunnel() }

// maxDepth bounds the tunnels in tunnels that are looked into. Two are common (GTP-U or VXLAN through ERSPAN), and each
// level costs an attacker 20 bytes and us the work of a packet.
const maxDepth = 4

// What a carrier may say it carries, besides IPv4 and IPv6.
const (
	etherBridged       = 0x6558 // an Ethernet frame
	etherPPP           = 0x880b
	etherMPLS          = 0x8847
	etherMPLSMulticast = 0x8848
	etherERSPAN        = 0x88be // types I and II
	etherERSPAN3       = 0x22eb
)

// inside decodes what a carrier carries, b of wire bytes, of the protocol that an ethertype names. Where that is no
// packet beyond doubt, ok is false, why says what it lacks, and p is the carrier's again: what only looks like a tunnel
// stays the flow that it is. Kind 0 is a framing of the link, which leaves a packet in its VLAN.
func (p *Packet) inside(kind TunnelKind, etherType uint16, b []byte, wire int) (why Skip, ok bool) {
	if p.depth == maxDepth {
		return BadTooDeep, false
	}
	outer := *p
	p.enter(kind)
	why = p.content(etherType, b, wire)
	if outer.Signs&Fragment != 0 && len(b) >= wire {
		p.Signs &^= Cut // by the carrier's fragmentation, not by the snap length
	} else if p.Signs&Cut != 0 && len(b) >= wire {
		why = BadLength // longer than what carries it
	}
	if !p.plausible(why) {
		*p = outer
		return why, false
	}
	return why, true
}

// plausible reports whether what was found in a tunnel is a packet, judged or not.
func (p *Packet) plausible(why Skip) bool {
	switch why {
	case Kept, IgnoredICMP, IgnoredProtocol, BadLaterFragment:
		return true
	case IgnoredNotIP:
		return tunnelled(p.EtherType)
	}
	return false
}

// tunnelled reports whether an ethertype is one that bridges and hosts send, 0 being LLC.
func tunnelled(etherType uint16) bool {
	switch etherType {
	case 0, etherARP, etherRARP, etherMPLS, etherMPLSMulticast, etherPPP, etherPPPoE,
		0x8809, // LACP and other slow protocols
		0x8863, // PPPoE discovery
		0x888e, // 802.1X
		0x88cc, // LLDP
		0x88f7, // PTP
		0x8906, // FCoE
		0x8914: // FCoE initialisation
		return true
	}
	return false
}

// enter makes p the empty packet inside a carrier, and notes the carrier if it is the outermost.
func (p *Packet) enter(kind TunnelKind) {
	inner := Packet{WireLen: p.WireLen, tunnel: p.tunnel, depth: p.depth + 1}
	switch {
	case kind == 0:
		inner.VLAN, inner.HasVLAN, inner.Signs = p.VLAN, p.HasVLAN, p.Signs&Cast
	case inner.tunnel.kind == 0:
		inner.tunnel = carrier{
			conduit: conduit{p.src, p.dst, p.family, kind},
			ident:   p.ident, vlan: p.VLAN, proto: p.Proto, first: p.Signs&Fragment != 0,
		}
	}
	*p = inner
}

// content decodes what a tunnel carries.
func (p *Packet) content(etherType uint16, b []byte, wire int) Skip {
	switch etherType {
	case etherBridged:
		return p.bridged(b, wire)
	case etherPPP:
		p.EtherType = etherPPP
		return p.ppp(b, wire)
	}
	return p.network(etherType, b, wire)
}

// bridged decodes an Ethernet frame inside a tunnel. Its VLAN and its destination are its own.
func (p *Packet) bridged(b []byte, wire int) Skip {
	if len(b) < etherHeader {
		return BadTruncated
	}
	p.VLAN, p.HasVLAN = 0, false
	p.Signs &^= Cast
	if b[0]&1 != 0 {
		p.Signs |= Cast
	}
	return p.tagged(binary.BigEndian.Uint16(b[12:14]), b[etherHeader:], wire-etherHeader)
}

// carried decodes the packet inside an IP packet of a tunnelling protocol, whose payload of that length is p.transport.
// Where there is none, the IP packet is one of another protocol, unless the snap length hid it.
func (p *Packet) carried(length int) Skip {
	why, ok := p.throughIP(p.transport, length)
	switch {
	case ok, why == BadTooDeep:
		return why
	case why == BadTruncated && p.Signs&Cut != 0:
		return BadTruncated
	}
	return IgnoredProtocol
}

func (p *Packet) throughIP(b []byte, wire int) (why Skip, ok bool) {
	over6 := p.family == familyIPv6
	switch {
	case p.Proto == protoGRE:
		return p.gre(b, wire)
	case p.Proto == protoIPv4 && over6:
		return p.inside(IPv4InIPv6, etherIPv4, b, wire)
	case p.Proto == protoIPv4:
		return p.inside(IPv4InIPv4, etherIPv4, b, wire)
	case over6:
		return p.inside(IPv6InIPv6, etherIPv6, b, wire)
	}
	return p.inside(IPv6InIPv4, etherIPv6, b, wire)
}

// gre decodes Generic Routing Encapsulation: version 0 (RFC 2784, with the key and sequence number of RFC 2890) and
// version 1 (PPTP, RFC 2637). Source routes are refused, as RFC 2784 demands.
func (p *Packet) gre(b []byte, wire int) (why Skip, ok bool) {
	if len(b) < greHeader {
		return BadTruncated, false
	}
	flags, protocol := binary.BigEndian.Uint16(b[0:2]), binary.BigEndian.Uint16(b[2:4])
	const refused, version, checksum, key, sequence, acknowledgement = 0x4c00, 0x0007, 0x8000, 0x2000, 0x1000, 0x0080
	header := greHeader
	for _, field := range []uint16{checksum, key, sequence} {
		if flags&field != 0 {
			header += 4
		}
	}
	kind := GRE
	if flags&version == 1 {
		kind = PPTP
		if flags&acknowledgement != 0 {
			header += 4
		}
	}
	if flags&refused != 0 || flags&version > 1 || kind == PPTP && (protocol != etherPPP || flags&(checksum|key|sequence) != key|sequence) {
		return BadHeader, false // PPTP without a sequence number only acknowledges
	}
	if len(b) < header {
		return BadTruncated, false
	}
	b, wire = b[header:], wire-header
	switch {
	case protocol == etherERSPAN && flags&sequence == 0:
		return p.inside(ERSPAN1, etherBridged, b, wire)
	case protocol == etherERSPAN:
		return p.erspan2(b, wire)
	case protocol == etherERSPAN3:
		return p.erspan3(b, wire)
	}
	return p.inside(kind, protocol, b, wire)
}

// erspan2 decodes a mirrored frame behind the header of type II, version 1.
func (p *Packet) erspan2(b []byte, wire int) (why Skip, ok bool) {
	const header, version = 8, 1
	if len(b) < header {
		return BadTruncated, false
	}
	if b[0]>>4 != version {
		return BadHeader, false
	}
	return p.mirrored(ERSPAN2, etherBridged, b, header, wire)
}

// erspan3 decodes a mirrored frame behind the header of type III, version 2, and the subheader that a platform may add.
// The draft knows two frame types, Ethernet and IP.
func (p *Packet) erspan3(b []byte, wire int) (why Skip, ok bool) {
	const header, subheader, version, hasSubheader, ethernet, ip = 12, 8, 2, 0x0001, 0, 2
	if len(b) < header {
		return BadTruncated, false
	}
	last := binary.BigEndian.Uint16(b[10:12])
	size := header
	if last&hasSubheader != 0 {
		size += subheader
	}
	if b[0]>>4 != version {
		return BadHeader, false
	}
	if len(b) <= size {
		return BadTruncated, false
	}
	switch frame := last >> 10 & 0x1f; {
	case frame == ethernet:
		return p.mirrored(ERSPAN3, etherBridged, b, size, wire)
	case frame == ip && b[size]>>4 == 4:
		return p.mirrored(ERSPAN3, etherIPv4, b, size, wire)
	case frame == ip && b[size]>>4 == 6:
		return p.mirrored(ERSPAN3, etherIPv6, b, size, wire)
	}
	return BadHeader, false
}

// mirrored decodes a frame behind an ERSPAN header, which names the VLAN that it was seen in: where the switch took the
// tag off the frame, that is its only mention.
func (p *Packet) mirrored(kind TunnelKind, etherType uint16, b []byte, header, wire int) (why Skip, ok bool) {
	vlan, depth := binary.BigEndian.Uint16(b[0:2])&0x0fff, p.depth
	why, ok = p.inside(kind, etherType, b[header:], wire-header)
	if ok && !p.HasVLAN && vlan != 0 && p.depth == depth+1 {
		p.VLAN, p.HasVLAN = vlan, true
	}
	return why, ok
}

// Protocol numbers of tunnels, and the least of their headers.
const (
	protoIPv4 Proto = 4
	protoIPv6 Proto = 41
	protoGRE  Proto = 47

	greHeader = 4
)
