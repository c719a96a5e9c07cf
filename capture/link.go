package capture

import "encoding/binary"

// The link types that can be decoded (tcpdump.org/linktypes.html).
const (
	LinkNull     Link = 0 // BSD loopback: address family in the byte order of the machine that captured
	LinkEthernet Link = 1
	LinkRaw      Link = 101 // IPv4 or IPv6 without a link header
	LinkLoop     Link = 108 // OpenBSD loopback: address family in network order
	LinkCooked   Link = 113 // Linux "any" device, version 1
	LinkIPv4     Link = 228
	LinkIPv6     Link = 229
	LinkCooked2  Link = 276 // Linux "any" device, version 2

	linkRawBSD     Link = 12 // DLT_RAW as some systems wrote it into files
	linkRawOpenBSD Link = 14
)

// Supported reports whether packets of the link type can be decoded.
func (l Link) Supported() bool {
	switch l {
	case LinkNull, LinkEthernet, LinkRaw, LinkLoop, LinkCooked, LinkIPv4, LinkIPv6, LinkCooked2, linkRawBSD, linkRawOpenBSD:
		return true
	}
	return false
}

// Ethertypes and the lengths of link headers.
const (
	etherIPv4      = 0x0800
	etherVLAN      = 0x8100 // 802.1Q
	etherService   = 0x88a8 // 802.1ad
	etherQinQ      = 0x9100 // before 802.1ad, still in use
	etherQinQOther = 0x9200
	etherIPv6      = 0x86dd
	etherMin       = 0x0600 // below: an 802.3 length, and an LLC header follows

	etherHeader   = 14
	vlanTag       = 4
	snapHeader    = 8
	cookedHeader  = 16
	cooked2Header = 20
)

// tagged passes any number of VLAN tags, and LLC with SNAP (RFC 1042), down to what an ethertype names.
func (p *Packet) tagged(etherType uint16, b []byte, wire int) Skip {
	for {
		switch etherType {
		case etherVLAN, etherService, etherQinQ, etherQinQOther:
			if len(b) < vlanTag {
				return BadTruncated
			}
			if id := binary.BigEndian.Uint16(b[0:2]) & 0x0fff; id != 0 { // 0: priority only
				p.VLAN, p.HasVLAN = id, true
			}
			etherType = binary.BigEndian.Uint16(b[2:4])
			b, wire = b[vlanTag:], wire-vlanTag
			continue
		}
		if etherType >= etherMin {
			return p.network(etherType, b, wire)
		}
		inner, ok := snap(b)
		if !ok {
			p.EtherType = 0
			return IgnoredNotIP
		}
		etherType, b, wire = inner, b[snapHeader:], wire-snapHeader
		if etherType < etherMin {
			p.EtherType = etherType
			return IgnoredNotIP
		}
	}
}

// snap returns the ethertype of an LLC header with SNAP and the organisation code of RFC 1042 or 802.1H.
func snap(b []byte) (etherType uint16, ok bool) {
	if len(b) < snapHeader {
		return 0, false
	}
	switch [6]byte(b) {
	case [6]byte{0xaa, 0xaa, 0x03, 0, 0, 0}, [6]byte{0xaa, 0xaa, 0x03, 0, 0, 0xf8}:
		return binary.BigEndian.Uint16(b[6:8]), true
	}
	return 0, false
}

// cooked decodes a Linux cooked header, version 1.
func (p *Packet) cooked(b []byte, wire int) Skip {
	if len(b) < cookedHeader {
		return BadTruncated
	}
	p.cookedCast(binary.BigEndian.Uint16(b[0:2]))
	device, protocol := binary.BigEndian.Uint16(b[2:4]), binary.BigEndian.Uint16(b[14:16])
	return p.cookedProtocol(device, protocol, b[cookedHeader:], wire-cookedHeader)
}

// cooked2 decodes a Linux cooked header, version 2.
func (p *Packet) cooked2(b []byte, wire int) Skip {
	if len(b) < cooked2Header {
		return BadTruncated
	}
	p.cookedCast(uint16(b[10]))
	device, protocol := binary.BigEndian.Uint16(b[8:10]), binary.BigEndian.Uint16(b[0:2])
	return p.cookedProtocol(device, protocol, b[cooked2Header:], wire-cooked2Header)
}

// cookedCast notes what the kernel said of the destination: there is no destination address in a cooked header.
func (p *Packet) cookedCast(packetType uint16) {
	const broadcast, multicast = 1, 2
	if packetType == broadcast || packetType == multicast {
		p.Signs |= Cast
	}
}

// cookedProtocol goes on by the protocol field, which is an ethertype only for some kinds of device (ARPHRD_).
func (p *Packet) cookedProtocol(device, protocol uint16, b []byte, wire int) Skip {
	const frameRelay, wireless, wirelessPrism, wirelessRadiotap, netlink = 770, 801, 802, 803, 824
	switch device {
	case frameRelay, wireless, wirelessPrism, wirelessRadiotap, netlink:
		p.EtherType = 0
		return IgnoredNotIP
	}
	return p.tagged(protocol, b, wire)
}

// raw decodes a packet without a link header; the version tells IPv4 from IPv6 unless the link type does.
func (p *Packet) raw(link Link, b []byte, wire int) Skip {
	if len(b) == 0 {
		return BadTruncated
	}
	version := b[0] >> 4
	switch {
	case version == 4 && link != LinkIPv6:
		return p.ipv4(b, wire)
	case version == 6 && link != LinkIPv4:
		return p.ipv6(b, wire)
	}
	return BadHeader
}

// loopback decodes a header that is the address family in either byte order. IPv6 is 10 on Linux, 24 on NetBSD and
// OpenBSD, 28 on FreeBSD, 30 on macOS; IPv4 is 2 everywhere.
func (p *Packet) loopback(b []byte, wire int) Skip {
	const header = 4
	if len(b) < header {
		return BadTruncated
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(b)
	}
	switch family {
	case 2:
		return p.ipv4(b[header:], wire-header)
	case 10, 24, 28, 30:
		return p.ipv6(b[header:], wire-header)
	}
	p.EtherType = 0
	return IgnoredNotIP
}
