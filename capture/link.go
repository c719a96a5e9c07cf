package capture

import "encoding/binary"

// The link types that can be decoded (tcpdump.org/linktypes.html).
const (
	LinkNull     Link = 0 // BSD loopback: address family in the byte order of the machine that captured
	LinkEthernet Link = 1
	LinkPPP      Link = 9
	LinkFDDI     Link = 10
	LinkPPPHDLC  Link = 50  // PPP or Cisco HDLC, told apart by their first byte
	LinkPPPEther Link = 51  // PPPoE session, from its header on
	LinkRaw      Link = 101 // IPv4 or IPv6 without a link header
	LinkHDLC     Link = 104 // Cisco HDLC
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
	case LinkNull, LinkEthernet, LinkPPP, LinkFDDI, LinkPPPHDLC, LinkPPPEther, LinkRaw, LinkHDLC, LinkLoop, LinkCooked,
		LinkIPv4, LinkIPv6, LinkCooked2, linkRawBSD, linkRawOpenBSD:
		return true
	}
	return false
}

// Ethertypes and the lengths of link headers.
const (
	etherIPv4       = 0x0800
	etherARP        = 0x0806
	etherRARP       = 0x8035
	etherVLAN       = 0x8100 // 802.1Q
	etherIPv6       = 0x86dd
	etherPPPoE      = 0x8864 // session
	etherService    = 0x88a8 // 802.1ad
	etherBackbone   = 0x88e7 // 802.1ah
	etherFabricPath = 0x8903
	etherVNTag      = 0x8926
	etherETag       = 0x893f // 802.1BR
	etherQinQ       = 0x9100 // before 802.1ad, still in use
	etherQinQOther  = 0x9200
	etherMin        = 0x0600 // below: an 802.3 length, and an LLC header follows

	etherHeader   = 14
	macAddresses  = 12 // what of it is before a VLAN tag
	vlanTag       = 4
	vnTag         = 6
	eTag          = 8
	mplsLabel     = 4
	snapHeader    = 8
	cookedHeader  = 16
	cooked2Header = 20
)

// tagged passes any number of tags, and LLC with SNAP (RFC 1042), down to what an ethertype names.
func (p *Packet) tagged(etherType uint16, b []byte, wire int) Skip {
	for {
		size := tagSize(etherType)
		if size == 0 {
			break
		}
		if len(b) < size {
			return BadTruncated
		}
		if size == vlanTag {
			if id := binary.BigEndian.Uint16(b[0:2]) & 0x0fff; id != 0 { // 0: priority only
				p.VLAN, p.HasVLAN = id, true
			}
		}
		etherType = binary.BigEndian.Uint16(b[size-2 : size])
		b, wire = b[size:], wire-size
	}
	if etherType >= etherMin {
		return p.network(etherType, b, wire)
	}
	return p.llc(etherType, b, wire)
}

// tagSize returns the length of the tag that an ethertype names, the next ethertype included, or 0.
func tagSize(etherType uint16) int {
	switch etherType {
	case etherVLAN, etherService, etherQinQ, etherQinQOther:
		return vlanTag
	case etherVNTag:
		return vnTag
	case etherETag:
		return eTag
	}
	return 0
}

// llc decodes a frame of an 802 network from its LLC header on. length is what the frame says of it.
func (p *Packet) llc(length uint16, b []byte, wire int) Skip {
	etherType, ok := snap(b)
	switch {
	case ok && etherType >= etherMin:
		return p.tagged(etherType, b[snapHeader:], wire-snapHeader)
	case ok:
		p.EtherType = etherType
	case p.depth > 0 && !unnumbered(length, b, wire):
		return BadHeader
	}
	return IgnoredNotIP
}

// unnumbered reports whether b is LLC as spanning tree, IS-IS and the like use it: from one service to the same one. It
// is asked inside of tunnels, where random bytes are an LLC frame once in forty times.
func unnumbered(length uint16, b []byte, wire int) bool {
	const header, kind = 3, 0x03
	return len(b) >= header && b[0] == b[1] && b[2]&kind == kind && int(length) <= wire
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

// framed decodes what a header of a link names by its ethertype, where a whole frame or a packet of another link lies
// behind that header.
func (p *Packet) framed(etherType uint16, b []byte, wire int) Skip {
	p.EtherType = etherType
	switch etherType {
	case etherMPLS, etherMPLSMulticast:
		return p.mpls(b, wire)
	case etherPPPoE:
		return p.pppoe(b, wire)
	case etherFabricPath:
		const tag = 2 // the frame's, behind the ethertype
		return p.backbone(b, tag, wire)
	case etherBackbone:
		const tag = 4
		return p.backbone(b, tag, wire)
	}
	return IgnoredNotIP
}

// backbone decodes the frame that a switch has put whole into another, behind a tag of that size.
func (p *Packet) backbone(b []byte, tag, wire int) Skip {
	if len(b) < tag {
		return BadTruncated
	}
	if why, ok := p.inside(0, etherBridged, b[tag:], wire-tag); ok || why == BadTooDeep {
		return why
	}
	return IgnoredNotIP
}

// mpls passes the labels (RFC 3032) down to an IP packet, known by its version, or to the Ethernet frame of a pseudo-wire
// (RFC 4448), with a control word or without. Nothing says which: what decodes is right.
func (p *Packet) mpls(b []byte, wire int) Skip {
	for bottom := false; !bottom; {
		if len(b) < mplsLabel {
			return BadTruncated
		}
		bottom = b[2]&1 != 0
		b, wire = b[mplsLabel:], wire-mplsLabel
	}
	if p.depth == maxDepth {
		return BadTooDeep
	}
	why, ok := p.ipInside(0, b, wire)
	if ok || len(b) == 0 {
		return why
	}
	const controlWord = 4
	if frame, ok := p.inside(0, etherBridged, b, wire); ok {
		return frame
	}
	version := b[0] >> 4
	if version == 0 && len(b) > controlWord {
		if frame, ok := p.inside(0, etherBridged, b[controlWord:], wire-controlWord); ok {
			return frame
		}
	}
	if version == 4 || version == 6 {
		return why
	}
	return IgnoredNotIP
}

// pppoe decodes a session packet (RFC 2516): version and type 1, code 0.
func (p *Packet) pppoe(b []byte, wire int) Skip {
	const header, versionType, session = 6, 0x11, 0
	if len(b) < header {
		return BadTruncated
	}
	if b[0] != versionType || b[1] != session {
		return BadHeader
	}
	length := int(binary.BigEndian.Uint16(b[4:6]))
	b = b[header:]
	return p.ppp(b[:min(length, len(b))], min(length, wire-header))
}

// ppp decodes a PPP frame (RFC 1661), with the address and control bytes of HDLC or without, its protocol in two bytes or
// in one. p.EtherType stays what the caller has set.
func (p *Packet) ppp(b []byte, wire int) Skip {
	const ipv4, ipv6, mplsUnicast, oneByte = 0x0021, 0x0057, 0x0281, 1
	if len(b) >= 2 && b[0] == 0xff && b[1] == 0x03 {
		b, wire = b[2:], wire-2
	}
	if len(b) < 2 {
		return BadTruncated
	}
	protocol, size := binary.BigEndian.Uint16(b[0:2]), 2
	if b[0]&oneByte != 0 {
		protocol, size = uint16(b[0]), 1
	}
	b, wire = b[size:], wire-size
	switch protocol {
	case ipv4:
		return p.ipv4(b, wire)
	case ipv6:
		return p.ipv6(b, wire)
	case mplsUnicast:
		return p.mpls(b, wire)
	}
	return IgnoredNotIP
}

// hdlc decodes Cisco HDLC, or PPP in HDLC framing (RFC 1662).
func (p *Packet) hdlc(b []byte, wire int) Skip {
	const header, unicast, broadcast, ppp = 4, 0x0f, 0x8f, 0xff
	if len(b) < header {
		return BadTruncated
	}
	switch b[0] {
	case ppp:
		return p.ppp(b, wire)
	case unicast, broadcast:
		if b[0] == broadcast {
			p.Signs |= Cast
		}
		return p.network(binary.BigEndian.Uint16(b[2:4]), b[header:], wire-header)
	}
	return BadHeader
}

// fddi decodes a frame of FDDI that holds LLC. Whether it went to a group cannot be told: files have its addresses in
// either order of bits.
func (p *Packet) fddi(b []byte, wire int) Skip {
	const header, format, asynchronous = 13, 0xf0, 0x50
	if len(b) < header {
		return BadTruncated
	}
	if b[0]&format != asynchronous {
		return IgnoredNotIP
	}
	return p.llc(0, b[header:], wire-header)
}
