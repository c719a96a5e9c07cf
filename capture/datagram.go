package capture

import "encoding/binary"

// The destination ports of tunnels over UDP; of Teredo either port.
const (
	portGTP        = 2152
	portTeredo     = 3544
	portVXLAN      = 4789
	portGENEVE     = 6081
	portVXLANLinux = 8472 // before the port was assigned, and Linux's default still
)

// tunnelPorts reports whether a datagram may be a tunnel's by its ports.
func tunnelPorts(src, dst uint16) bool {
	switch dst {
	case portVXLAN, portVXLANLinux, portGENEVE, portGTP, portTeredo:
		return true
	}
	return src == portTeredo
}

// throughUDP decodes the packet inside a datagram with the port of a tunnel, header included; length is what the IP header
// says of it. A port proves nothing: every field that the protocol fixes must be as it says, and so must the packet inside.
func (p *Packet) throughUDP(b []byte, length int) (why Skip, ok bool) {
	if len(b) < udpHeader {
		return BadTruncated, false
	}
	b, wire := b[udpHeader:], length-udpHeader
	switch p.dstPort {
	case portVXLAN, portVXLANLinux:
		return p.vxlan(b, wire)
	case portGENEVE:
		return p.geneve(b, wire)
	case portGTP:
		return p.gtp(b, wire)
	}
	return p.teredo(b, wire)
}

// vxlan decodes an Ethernet frame behind a VXLAN header: the flag that says there is a network identifier, and zeros.
func (p *Packet) vxlan(b []byte, wire int) (why Skip, ok bool) {
	const header, flags, reserved = 8, 0x08000000, 0xff
	if len(b) < header {
		return BadTruncated, false
	}
	if binary.BigEndian.Uint32(b[0:4]) != flags || binary.BigEndian.Uint32(b[4:8])&reserved != 0 {
		return BadHeader, false
	}
	return p.inside(VXLAN, etherBridged, b[header:], wire-header)
}

// geneve decodes the packet behind a GENEVE header and its options, version 0.
func (p *Packet) geneve(b []byte, wire int) (why Skip, ok bool) {
	const least, version, options, reserved = 8, 0xc0, 0x3f, 0x3f
	if len(b) < least {
		return BadTruncated, false
	}
	if b[0]&version != 0 || b[1]&reserved != 0 || b[7] != 0 {
		return BadHeader, false
	}
	header := least + int(b[0]&options)*4
	if header > len(b) {
		return BadTruncated, false
	}
	return p.inside(GENEVE, binary.BigEndian.Uint16(b[2:4]), b[header:], wire-header)
}

// gtp decodes the IP packet of a G-PDU: version 1, behind as many extension headers as it says. Other messages of the
// protocol are its own talk, and a flow.
func (p *Packet) gtp(b []byte, wire int) (why Skip, ok bool) {
	const least, optional, fixed, version1, hasOptional, userData = 8, 4, 0xf8, 0x30, 0x07, 0xff
	if len(b) < least {
		return BadTruncated, false
	}
	end := least + int(binary.BigEndian.Uint16(b[2:4]))
	if b[0]&fixed != version1 || b[1] != userData || end < wire || end > wire && p.Signs&Fragment == 0 {
		return BadHeader, false
	}
	header := least
	if b[0]&hasOptional != 0 {
		header += optional
		if len(b) < header {
			return BadTruncated, false
		}
		for next := b[header-1]; next != 0; next = b[header-1] {
			if len(b) <= header || b[header] == 0 || len(b) < header+int(b[header])*4 {
				return BadTruncated, false
			}
			header += int(b[header]) * 4
		}
	}
	return p.ipInside(GTPU, b[header:], wire-header)
}

// ipInside decodes an IP packet whose version says which.
func (p *Packet) ipInside(kind TunnelKind, b []byte, wire int) (why Skip, ok bool) {
	if len(b) == 0 {
		return BadTruncated, false
	}
	switch b[0] >> 4 {
	case 4:
		return p.inside(kind, etherIPv4, b, wire)
	case 6:
		return p.inside(kind, etherIPv6, b, wire)
	}
	return BadHeader, false
}

// teredo decodes the IPv6 packet of a datagram, behind an authentication and an origin indication. It fills the datagram,
// and one of its ends is a Teredo address or, while it still asks for one, link-local.
func (p *Packet) teredo(b []byte, wire int) (why Skip, ok bool) {
	header, ok := teredoHeader(b)
	if !ok || len(b) < header+ipv6Header {
		return BadTruncated, false
	}
	ip := b[header:]
	if ipv6Header+int(binary.BigEndian.Uint16(ip[4:6])) != wire-header && p.Signs&Fragment == 0 {
		return BadLength, false
	}
	if !teredoAddress(ip[8:24]) && !teredoAddress(ip[24:40]) {
		return BadHeader, false
	}
	return p.inside(Teredo, etherIPv6, ip, wire-header)
}

// teredoHeader returns the length of the indications before the IPv6 packet (RFC 4380, section 5.1.1).
func teredoHeader(b []byte) (header int, ok bool) {
	const authentication, origin, originLength = 1, 0, 8
	if len(b) >= 4 && binary.BigEndian.Uint16(b) == authentication {
		header = 4 + int(b[2]) + int(b[3]) + 9 // identifier, authentication value, nonce and confirmation
	}
	if len(b) >= header+2 && binary.BigEndian.Uint16(b[header:]) == origin {
		header += originLength
	}
	return header, len(b) > header
}

// teredoAddress reports whether an address is in 2001::/32 or fe80::/10.
func teredoAddress(a []byte) bool {
	prefix := binary.BigEndian.Uint32(a)
	return prefix == 0x20010000 || prefix>>22 == 0xfe80>>6
}
