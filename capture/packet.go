package capture

import (
	"encoding/binary"
	"net/netip"
)

// Packet is what the headers of one frame say: those of the innermost packet, where the frame is a tunnel's. Decode fills
// all of it anew; nothing is kept from the frame before.
//
// Addresses are kept as words behind Src and Dst: as netip.AddrPort, made here and taken apart again in the table, they
// cost 20 of 60 nanoseconds a packet (November 2026).
type Packet struct {
	Proto     Proto // the protocol above IP and its extension headers; valid iff there is an IP header
	Signs     Signs // of this packet; Cast may be set on a packet that is not kept
	HasVLAN   bool
	VLAN      uint16 // the innermost 802.1Q id that is not 0, of the frame inside of a tunnel; valid iff HasVLAN
	EtherType uint16 // valid iff Decode returned IgnoredNotIP; 0 where the frame has none (802.3 LLC)
	WireLen   uint32 // bytes of the frame on the wire
	Content   uint32 // payload bytes above the transport header, by the IP length
	Seq       uint32 // valid iff Signs has SYN or SYNACK
	Ack       uint32 // valid iff Signs has ACK

	src, dst         address
	srcPort, dstPort uint16
	family           family
	depth            uint8 // carriers around it
	announced        announcement
	tunnel           carrier // valid iff its kind is not 0

	ident     uint64 // what tells this IP packet from the next one of its flow: identification and fragment offset
	length    uint32 // of the IP packet
	transport []byte // captured part of the IP packet above its headers; valid until the frame is
}

// Src returns the sender. The port is valid iff Decode returned Kept; the address is the zero value where there is no IP
// header.
func (p *Packet) Src() netip.AddrPort { return p.src.addrPort(p.family, p.srcPort) }

// Dst returns the destination, as Src does the sender.
func (p *Packet) Dst() netip.AddrPort { return p.dst.addrPort(p.family, p.dstPort) }

// The decoder's promise is that it never reads past what it has checked, whatever the bytes are: every function below
// takes b = the captured bytes from its header on, and checks len(b) before it reads.

// Decode reads the headers of f. It allocates nothing and never panics; what it cannot use is a value to count.
func (p *Packet) Decode(f *Frame) Skip {
	p.reset(f.WireLen)
	b := f.Data
	switch f.Link {
	case LinkEthernet:
		if len(b) < etherHeader {
			return BadTruncated
		}
		if b[0]&1 != 0 {
			p.Signs = Cast
		}
		etherType := binary.BigEndian.Uint16(b[12:14])
		if etherType == etherIPv4 {
			return p.ipv4(b[etherHeader:], f.WireLen-etherHeader)
		}
		return p.tagged(etherType, b[etherHeader:], f.WireLen-etherHeader)
	case LinkCooked:
		return p.cooked(b, f.WireLen)
	case LinkCooked2:
		return p.cooked2(b, f.WireLen)
	case LinkRaw, linkRawBSD, linkRawOpenBSD, LinkIPv4, LinkIPv6:
		return p.raw(f.Link, b, f.WireLen)
	case LinkNull, LinkLoop:
		return p.loopback(b, f.WireLen)
	}
	return p.serial(f.Link, b, f.WireLen)
}

// reset empties the packet. Fields that others make valid are left: a Packet of zeros, made here for each frame, took 7 of
// 19 nanoseconds (November 2026).
func (p *Packet) reset(wireLen int) {
	p.Proto, p.Signs, p.HasVLAN, p.VLAN, p.EtherType = 0, 0, false, 0, 0
	p.WireLen = uint32(min(wireLen, 1<<31-1))
	p.Content, p.family, p.depth = 0, 0, 0
	p.announced.kind, p.tunnel.kind, p.tunnel.first = 0, 0, false
	p.transport = nil
}

// serial decodes the link types of lines and rings.
func (p *Packet) serial(link Link, b []byte, wire int) Skip {
	switch link {
	case LinkPPP:
		return p.ppp(b, wire)
	case LinkPPPHDLC, LinkHDLC:
		return p.hdlc(b, wire)
	case LinkPPPEther:
		return p.pppoe(b, wire)
	case LinkFDDI:
		return p.fddi(b, wire)
	}
	return BadLinkType
}

// network decodes b as the protocol that an ethertype names. wire is the number of bytes that were on the wire from b on.
func (p *Packet) network(etherType uint16, b []byte, wire int) Skip {
	switch etherType {
	case etherIPv4:
		return p.ipv4(b, wire)
	case etherIPv6:
		return p.ipv6(b, wire)
	case etherARP, etherRARP:
		p.announced = announce(etherType, b)
	}
	return p.framed(etherType, b, wire)
}

// ipv4 decodes an IPv4 packet (RFC 791). A total length of 0 is what a host writes that leaves segmentation to its
// network card: the length on the wire stands in.
func (p *Packet) ipv4(b []byte, wire int) Skip {
	if len(b) > 0 && b[0]>>4 != 4 {
		return BadHeader
	}
	if len(b) < ipv4Header {
		return BadTruncated
	}
	header := int(b[0]&0x0f) * 4
	if header < ipv4Header {
		return BadHeader
	}
	total := int(binary.BigEndian.Uint16(b[2:4]))
	if total == 0 {
		total = max(wire, len(b))
	}
	if total < header {
		return BadLength
	}
	p.family = familyIPv4
	p.src = address{0, mapped4 | uint64(binary.BigEndian.Uint32(b[12:16]))}
	p.dst = address{0, mapped4 | uint64(binary.BigEndian.Uint32(b[16:20]))}
	p.Proto = Proto(b[9])
	p.length = uint32(total)
	fragment := binary.BigEndian.Uint16(b[6:8])
	p.ident = uint64(binary.BigEndian.Uint16(b[4:6]))<<16 | uint64(fragment)
	if len(b) < header {
		return BadTruncated
	}
	if fragment&fragOffset4 == 0 && (p.Proto == TCP || p.Proto == UDP) {
		if fragment&moreFragments4 != 0 {
			p.Signs |= Fragment
		}
		return p.ports(b[header:], total-header)
	}
	above := upper{header: header, end: total, later: fragment&fragOffset4 != 0}
	if fragment&moreFragments4 != 0 && !above.later {
		p.Signs |= Fragment
	}
	return p.above(b, above)
}

// ipv6 decodes an IPv6 packet (RFC 8200). A payload length of 0 is a jumbogram (RFC 2675) or left to the network card.
func (p *Packet) ipv6(b []byte, wire int) Skip {
	if len(b) > 0 && b[0]>>4 != 6 {
		return BadHeader
	}
	if len(b) < ipv6Header {
		return BadTruncated
	}
	end := ipv6Header + int(binary.BigEndian.Uint16(b[4:6]))
	if end == ipv6Header {
		end = max(wire, len(b))
	}
	p.family = familyIPv6
	p.src = address{binary.BigEndian.Uint64(b[8:16]), binary.BigEndian.Uint64(b[16:24])}
	p.dst = address{binary.BigEndian.Uint64(b[24:32]), binary.BigEndian.Uint64(b[32:40])}
	p.Proto = Proto(b[6])
	p.length = uint32(end)
	p.ident = 0
	return p.above(b, upper{header: ipv6Header, end: end, extended: true})
}

// upper is where the bytes above the IP header are, counted from that header.
type upper struct {
	header   int  // bytes of IP header and extension headers passed so far
	end      int  // of the IP packet, by its own length
	later    bool // a fragment, not the first
	extended bool // IPv6: has extension headers
}

// above walks the extension headers to the transport header. p.Proto is the protocol of the next header.
func (p *Packet) above(b []byte, u upper) Skip {
	for range maxExtensions {
		if !u.extension(p.Proto) {
			return p.final(b, u)
		}
		if u.later {
			return p.later(b[min(u.header, len(b)):], u.end-u.header)
		}
		if u.header+8 > u.end {
			return BadLength
		}
		if u.header+8 > len(b) {
			return BadTruncated
		}
		x := b[u.header:]
		size := (int(x[1]) + 1) * 8
		switch p.Proto {
		case protoAH: // counts words, less two
			size = (int(x[1]) + 2) * 4
		case protoFragment:
			size = 8
			field := binary.BigEndian.Uint16(x[2:4])
			p.ident = uint64(binary.BigEndian.Uint32(x[4:8]))<<16 | uint64(field)
			u.later = field&fragOffset6 != 0
			if !u.later && field&moreFragments6 != 0 {
				p.Signs |= Fragment
			}
		}
		u.header += size
		if u.header > u.end {
			return BadLength
		}
		p.Proto = Proto(x[0])
	}
	return BadHeader
}

// extension reports whether a protocol number is a header to walk over. IPv4 knows only AH.
func (u upper) extension(proto Proto) bool {
	switch proto {
	case protoHopByHop, protoRouting, protoFragment, protoDestination:
		return u.extended
	case protoAH:
		return true
	}
	return false
}

// final decides by the protocol above all IP headers.
func (p *Packet) final(b []byte, u upper) Skip {
	rest := b[min(u.header, len(b)):]
	switch {
	case p.Proto == TCP || p.Proto == UDP:
		if u.later {
			return p.later(rest, u.end-u.header)
		}
		return p.ports(rest, u.end-u.header)
	case p.Proto == protoGRE || p.Proto == protoIPv4 || p.Proto == protoIPv6:
		if u.later {
			return p.later(rest, u.end-u.header)
		}
		p.bound(rest, u.end-u.header)
		return p.carried(u.end - u.header)
	case p.Proto == protoICMP && !u.extended || p.Proto == protoICMPv6 && u.extended:
		p.bound(rest, u.end-u.header)
		if u.later {
			p.ident |= laterFragment
		}
		return IgnoredICMP
	}
	p.bound(rest, u.end-u.header)
	return IgnoredProtocol
}

// later keeps what a later fragment holds of its packet.
func (p *Packet) later(b []byte, length int) Skip {
	p.bound(b, length)
	if length > 0 {
		p.Content = uint32(length)
	}
	return BadLaterFragment
}

// bound keeps the captured bytes of the IP packet above its headers, without the padding and trailers behind it.
func (p *Packet) bound(b []byte, length int) {
	p.transport = b[:min(length, len(b))]
	if length > len(b) {
		p.Signs |= Cut
	}
}

// ports reads the transport header: the ports from its first four bytes, whatever of the rest was captured. length is
// what the IP header says of the bytes from b on.
func (p *Packet) ports(b []byte, length int) Skip {
	if length < 4 {
		return BadLength
	}
	if len(b) < 4 {
		return BadTruncated
	}
	if length <= len(b) {
		b = b[:length]
	} else {
		p.Signs |= Cut
	}
	p.transport = b
	p.srcPort = binary.BigEndian.Uint16(b[0:2])
	p.dstPort = binary.BigEndian.Uint16(b[2:4])
	if p.Proto == TCP {
		p.tcp(b, length)
	} else if length > udpHeader {
		p.Content = uint32(length - udpHeader)
		if tunnelPorts(p.srcPort, p.dstPort) {
			if why, ok := p.throughUDP(b, length); ok {
				return why
			}
		}
	}
	if p.Content > 0 {
		p.Signs |= Payload
	}
	return Kept
}

// tcp reads what there is of a TCP header (RFC 9293). Where its length was not captured, the longest possible header is
// assumed, so that options are never taken for payload; where it is impossible, the segment says nothing but its ports.
func (p *Packet) tcp(b []byte, length int) {
	if len(b) < tcpFlags+1 {
		p.Content = uint32(max(length-tcpMaxHeader, 0))
		return
	}
	header := int(b[12]>>4) * 4
	if header < tcpHeader || header > length {
		return
	}
	p.Content = uint32(length - header)
	signs := tcpSigns(b[tcpFlags])
	p.Signs |= signs
	if signs&(SYN|SYNACK) != 0 {
		p.Seq = binary.BigEndian.Uint32(b[4:8])
	}
	if signs&ACK != 0 {
		p.Ack = binary.BigEndian.Uint32(b[8:12])
	}
}

// tcpSigns returns what the flags of a TCP header show.
func tcpSigns(flags byte) (signs Signs) {
	const fin, syn, rst, ack = 0x01, 0x02, 0x04, 0x10
	if flags&fin != 0 {
		signs = FIN
	}
	switch {
	case flags&rst != 0:
		return signs | RST
	case flags&(syn|ack) == syn|ack:
		return signs | SYNACK
	case flags&syn != 0:
		return signs | SYN
	case flags&ack != 0:
		return signs | ACK
	}
	return signs
}

// Header lengths in bytes, fields and protocol numbers.
const (
	ipv4Header   = 20
	ipv6Header   = 40
	udpHeader    = 8
	tcpHeader    = 20
	tcpMaxHeader = 60
	tcpFlags     = 13 // offset of the flags

	fragOffset4    = 0x1fff
	moreFragments4 = 0x2000
	fragOffset6    = 0xfff8
	moreFragments6 = 0x0001

	// maxExtensions bounds the walk: real packets carry three or four, RFC 8200 has six kinds.
	maxExtensions = 16

	// laterFragment marks ident of an ICMP message that is a later fragment and has no ICMP header.
	laterFragment = 1 << 63

	protoHopByHop    Proto = 0
	protoICMP        Proto = 1
	protoRouting     Proto = 43
	protoFragment    Proto = 44
	protoAH          Proto = 51
	protoICMPv6      Proto = 58
	protoDestination Proto = 60
)
