package filter

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// The link types a filter can be compiled for (LINKTYPE_ values, tcpdump.org/linktypes.html).
const (
	linkNull       = 0
	linkEthernet   = 1
	linkRawBSD     = 12
	linkRawOpenBSD = 14
	linkRaw        = 101
	linkLoop       = 108
	linkCooked     = 113
	linkIPv4       = 228
	linkIPv6       = 229
	linkCooked2    = 276
)

// Links returns the LINKTYPE_ values that filters can be compiled for.
func Links() []uint16 {
	return []uint16{
		linkNull, linkEthernet, linkRawBSD, linkRawOpenBSD, linkRaw, linkLoop, linkCooked, linkIPv4, linkIPv6, linkCooked2,
	}
}

const (
	vlanTag = 4
	idMask  = 0x0fff // of a VLAN tag
	whole   = 0xffffffff
)

// layout says where things are in the frames of one link type.
type layout struct {
	link            uint16
	typeAt, payload uint32 // of the ethertype, and of what it names
	outside         bool   // the outermost VLAN tag is not in the frame: the kernel took it out
}

func newLayout(link uint16) (layout, error) {
	l := layout{link: link}
	switch link {
	case linkEthernet:
		l.typeAt, l.payload = 12, 14
	case linkCooked:
		l.typeAt, l.payload = 14, 16
	case linkCooked2:
		l.typeAt, l.payload = 0, 20
	case linkNull, linkLoop:
		l.payload = 4
	}
	if !slices.Contains(Links(), link) {
		return l, fmt.Errorf("filter: no filter can be compiled for link type %d", link)
	}
	return l, nil
}

// behind returns the layout behind that many VLAN tags.
func (l layout) behind(tags int) layout {
	if l.link != linkEthernet {
		return l
	}
	if l.outside {
		tags = max(tags-1, 0)
	}
	l.typeAt += vlanTag * uint32(tags)
	l.payload += vlanTag * uint32(tags)
	return l
}

// frame is a field of the frame.
func frame(at uint32, size int, mask uint32) field {
	return field{source: fromFrame, size: size, at: at, mask: mask}
}

// inside is a field of what the ethertype names.
func (l layout) inside(at uint32, size int) field {
	return frame(l.payload+at, size, fullMask(size))
}

func fullMask(size int) uint32 { return whole >> (32 - 8*size) }

// etherType holds where the frame says that it carries that ethertype.
func (l layout) etherType(want uint32) *cond {
	switch l.link {
	case linkEthernet, linkCooked, linkCooked2:
		return check(frame(l.typeAt, 2, 0xffff), equal, want)
	case linkNull, linkLoop:
		return loopback(want)
	}
	versions := map[uint32]uint32{etherIPv4: 0x40, etherIPv6: 0x60}
	version, known := versions[want]
	switch {
	case !known, want == etherIPv4 && l.link == linkIPv6, want == etherIPv6 && l.link == linkIPv4:
		return never()
	case l.link == linkIPv4, l.link == linkIPv6:
		return always()
	}
	return check(frame(l.payload, 1, 0xf0), equal, version)
}

// loopback looks for an address family in either byte order: IPv4 is 2 everywhere; IPv6 is 10 on Linux, 24 on NetBSD and
// OpenBSD, 28 on FreeBSD, 30 on macOS.
func loopback(etherType uint32) *cond {
	families := map[uint32][]uint32{etherIPv4: {2}, etherIPv6: {10, 24, 28, 30}}
	found := never()
	for _, family := range families[etherType] {
		for _, order := range []uint32{family, family << 24} {
			found = some(found, check(frame(0, 4, whole), equal, order))
		}
	}
	return found
}

// cond turns an expression into a condition.
func (l layout) cond(e *expr) *cond {
	switch e.op {
	case opAnd:
		return all(l.cond(e.left), l.cond(e.right))
	case opOr:
		return some(l.cond(e.left), l.cond(e.right))
	case opNot:
		return not(l.cond(e.left))
	}
	return l.behind(e.primitive.tags).primitive(&e.primitive)
}

func (l layout) primitive(p *primitive) *cond {
	switch p.kind {
	case kindHost:
		return l.host(p)
	case kindMAC:
		return l.hardware(p)
	case kindPort:
		return l.port(p)
	case kindVLAN:
		return l.vlan(p)
	case kindBroadcast:
		return l.hardware(&primitive{qualifier: qualifier{dir: dirDst}, mac: [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})
	case kindMulticast:
		return l.multicast(p.proto)
	case kindLess:
		return not(check(field{source: fromLength, mask: whole}, greater, p.number))
	case kindGreater:
		return check(field{source: fromLength, mask: whole}, atLeast, p.number)
	}
	return l.protocol(p.proto, p.number)
}

// protocol holds where a header names a protocol: the ethertype for ether, else IPv4, IPv6 or both.
func (l layout) protocol(in proto, number uint32) *cond {
	switch in {
	case protoEther:
		return l.etherType(number)
	case protoIP:
		return all(l.etherType(etherIPv4), l.ipProtocol(number))
	case protoIP6:
		direct := check(l.inside(6, 1), equal, number)
		behind := all(check(l.inside(6, 1), equal, ipFragment), check(l.inside(40, 1), equal, number))
		return all(l.etherType(etherIPv6), some(direct, behind))
	}
	return some(l.protocol(protoIP, number), l.protocol(protoIP6, number))
}

// ipProtocol looks at an IPv4 header's protocol.
func (l layout) ipProtocol(number uint32) *cond { return check(l.inside(9, 1), equal, number) }

// directed combines what holds of the source and of the destination.
func directed(dir direction, src, dst *cond) *cond {
	switch dir {
	case dirSrc:
		return src
	case dirDst:
		return dst
	case dirBoth:
		return all(src, dst)
	}
	return some(src, dst)
}

// host looks for an address in the headers that hold one.
func (l layout) host(p *primitive) *cond {
	if p.addr.Is6() {
		return all(l.etherType(etherIPv6), directed(p.dir, l.address(p, 8), l.address(p, 24)))
	}
	ip := all(l.etherType(etherIPv4), directed(p.dir, l.address(p, 12), l.address(p, 16)))
	resolution := func(etherType uint32) *cond {
		return all(l.etherType(etherType), directed(p.dir, l.address(p, 14), l.address(p, 24)))
	}
	switch p.proto {
	case protoIP:
		return ip
	case protoARP:
		return resolution(etherARP)
	case protoRARP:
		return resolution(etherRARP)
	}
	return some(ip, resolution(etherARP), resolution(etherRARP))
}

// address compares the words of an address. What the mask leaves nothing of is not looked at.
func (l layout) address(p *primitive, at uint32) *cond {
	addr, mask := p.addr.AsSlice(), p.mask.AsSlice()
	found := always()
	for i := 0; i < len(addr); i += 4 {
		f := l.inside(at+uint32(i), 4)
		f.mask = binary.BigEndian.Uint32(mask[i:])
		if f.mask != 0 {
			found = all(found, check(f, equal, binary.BigEndian.Uint32(addr[i:])))
		}
	}
	return found
}

// hardware compares MAC addresses, the last four bytes first, as libpcap does.
func (l layout) hardware(p *primitive) *cond {
	if l.link != linkEthernet {
		return never()
	}
	at := func(offset uint32) *cond {
		return all(check(frame(offset+2, 4, whole), equal, binary.BigEndian.Uint32(p.mac[2:])),
			check(frame(offset, 2, 0xffff), equal, uint32(binary.BigEndian.Uint16(p.mac[:]))))
	}
	return directed(p.dir, at(6), at(0))
}

// port looks for a port. IPv4 headers have a length of their own, and only a datagram's first fragment has ports; the
// headers of IPv6 extensions are not passed.
func (l layout) port(p *primitive) *cond {
	protocols := []uint32{ipTCP, ipUDP, ipSCTP}
	if p.proto != protoAny {
		protocols = []uint32{p.proto.ipNumber()}
	}
	in := func(f field) *cond {
		if p.lo == p.hi {
			return check(f, equal, uint32(p.lo))
		}
		return all(check(f, atLeast, uint32(p.lo)), not(check(f, greater, uint32(p.hi))))
	}
	transport := func(at uint32) field {
		return field{source: fromTransport, header: l.payload, at: l.payload + at, size: 2, mask: 0xffff}
	}
	named := func(at uint32) *cond {
		found := never()
		for _, number := range protocols {
			found = some(found, check(l.inside(at, 1), equal, number))
		}
		return found
	}
	const fragmentOffset = 0x1fff
	first := not(check(l.inside(6, 2), anyBit, fragmentOffset))
	return some(
		all(l.etherType(etherIPv6), named(6), directed(p.dir, in(l.inside(40, 2)), in(l.inside(42, 2)))),
		all(l.etherType(etherIPv4), named(9), first, directed(p.dir, in(transport(0)), in(transport(2)))))
}

// vlan looks for a tag, and its id where one is asked for.
func (l layout) vlan(p *primitive) *cond {
	if l.link != linkEthernet {
		return never()
	}
	tagged := some(l.etherType(etherVLAN), l.etherType(etherService), l.etherType(etherQinQ))
	id := frame(l.payload, 2, idMask)
	if l.outside && p.tags == 0 {
		tagged, id = always(), field{source: fromTag, mask: idMask}
	}
	if !p.numbered {
		return tagged
	}
	return all(tagged, check(id, equal, p.number))
}

// multicast looks at the destination: its address of IP, or the group bit of its MAC address.
func (l layout) multicast(in proto) *cond {
	switch in {
	case protoIP:
		return all(l.etherType(etherIPv4), check(l.inside(16, 1), atLeast, 224))
	case protoIP6:
		return all(l.etherType(etherIPv6), check(l.inside(24, 1), equal, 255))
	}
	if l.link != linkEthernet {
		return never()
	}
	return check(frame(0, 1, 0xff), anyBit, 1)
}
