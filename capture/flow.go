package capture

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// key is a flow's 5-tuple as plain words: 40 bytes without a pointer, compared by five compares. As two netip.AddrPort it
// would be 64 bytes, and every record a pointer for the garbage collector to follow.
type key struct {
	a, b address
	tail uint64 // port of a, port of b, segment: 16 bits each; protocol, family: 8 bits each
}

// address is an address as 16 bytes in network order, IPv4 as ::ffff:a.b.c.d. Within a family it sorts as netip.Addr does.
type address struct{ hi, lo uint64 }

// family returns the IP version of the key's addresses.
func (k *key) family() family { return family(k.tail) }

// ends4 returns both addresses of an IPv4 key.
func (k *key) ends4() uint64 { return k.a.lo<<32 | k.b.lo&0xffffffff }

// mapped4 is what stands before an IPv4 address in address.lo.
const mapped4 = 0xffff << 32

// family is the IP version; the zero value is none.
type family uint8

const (
	familyIPv4 family = 4
	familyIPv6 family = 6
)

// addrPort returns the clean form.
func (a address) addrPort(f family, port uint16) netip.AddrPort {
	var addr netip.Addr
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	switch f {
	case familyIPv4:
		addr = netip.AddrFrom4([4]byte(b[12:]))
	case familyIPv6:
		addr = netip.AddrFrom16(b)
	}
	return netip.AddrPortFrom(addr, port)
}

// keyInto writes the packet's 5-tuple, and returns which end of it the sender is: 0 for A, 1 for B. A flow with itself has one
// side. There is no branch: which end is first is guessed wrong half of the time where both ends speak. Addresses and ports are subtracted as one long number; the ends change places where that borrows.
func (p *Packet) keyInto(k *key) (from int) {
	src, dst, srcPort, dstPort := &p.src, &p.dst, uint64(p.srcPort), uint64(p.dstPort)
	_, less := bits.Sub64(dstPort, srcPort, 0)
	_, less = bits.Sub64(dst.lo, src.lo, less)
	_, less = bits.Sub64(dst.hi, src.hi, less)
	hi, lo, port := (src.hi^dst.hi)&-less, (src.lo^dst.lo)&-less, (srcPort^dstPort)&-less
	k.a.hi, k.a.lo = src.hi^hi, src.lo^lo
	k.b.hi, k.b.lo = dst.hi^hi, dst.lo^lo
	k.tail = (srcPort^port)<<48 | (dstPort^port)<<32 | uint64(p.Proto)<<8 | uint64(p.family)
	return int(less)
}

// name gives the flow the clean form of the key.
func (k *key) name(f *Flow) {
	version := k.family()
	f.A, f.B = k.a.addrPort(version, uint16(k.tail>>48)), k.b.addrPort(version, uint16(k.tail>>32))
	f.Proto, f.Segment = Proto(k.tail>>8), Segment(k.tail>>16)
}

// in puts the flow into a segment; the key was of none.
func (k *key) in(s Segment) { k.tail |= uint64(s) << 16 }

// half is a Side without what few sides have: the plain form, of which side is the small one.
type half struct {
	packets, bytes, content         uint64
	first, last                     int64
	firstFrame                      uint64
	firstFile, synFile              uint32
	signs                           Signs
	payloadMin, payloadMax          uint16
	hasISN                          bool
	isn                             uint32 // the first seen; the others are in rarity
	ackMin, ackMax                  uint32
	synAt, synackAt, rstAt, lastACK int64
	synFrame                        uint64
}

// rarity is what few flows have: seconds far apart, more than one VLAN or initial sequence number of a side, quotes, and
// other flows joined to them.
type rarity struct {
	seconds  runBag   // of those that are not in the annex,
	past     []recent // what was there before
	vlans    []uint16
	isns     [2][]uint32
	quotedAt [2]int64
	quoteRef [2]Ref
	joined   Joined
}

// maxVLANs caps the distinct VLAN ids a flow keeps: the smallest, so that the order of packets does not matter.
const maxVLANs = 16

// Before reports whether r names an earlier packet than o in the order of the run's files.
func (r Ref) Before(o Ref) bool { return r.File < o.File || r.File == o.File && r.Frame < o.Frame }

// earliest returns the smaller of two references where one that names no packet is none.
func earliest(a, b Ref) Ref {
	if a.Frame == 0 || b.Frame != 0 && b.Before(a) {
		return b
	}
	return a
}

// add counts a packet. The law: sum, min, max, or, union, and nothing else.
func (h *half) add(p *sighting) {
	ns, ref, payload := p.ns, p.ref(), uint16(min(p.content, 0xffff))
	if h.packets == 0 {
		h.first, h.last = ns, ns
		h.payloadMin, h.payloadMax = payload, payload
		h.firstFile, h.firstFrame = ref.File, ref.Frame
	} else {
		h.first, h.last = min(h.first, ns), max(h.last, ns)
		h.payloadMin, h.payloadMax = min(h.payloadMin, payload), max(h.payloadMax, payload)
		if ref.Before(Ref{h.firstFile, h.firstFrame}) {
			h.firstFile, h.firstFrame = ref.File, ref.Frame
		}
	}
	h.packets++
	h.bytes += uint64(p.wireLen)
	h.content += uint64(p.content)
	if p.signs&(SYN|SYNACK|ACK|RST) != 0 {
		h.addTCP(p, ns, ref)
	}
	h.signs |= p.signs
}

// addTCP counts what a TCP header showed; h.signs are still those of the packets before.
func (h *half) addTCP(p *sighting, ns int64, ref Ref) {
	if p.signs&ACK != 0 {
		if h.signs&ACK == 0 {
			h.lastACK, h.ackMin, h.ackMax = ns, p.number, p.number
		} else {
			h.lastACK = max(h.lastACK, ns)
			h.ackMin, h.ackMax = min(h.ackMin, p.number), max(h.ackMax, p.number)
		}
		return
	}
	if p.signs&RST != 0 {
		h.rstAt = firstAt(h.rstAt, h.signs&RST != 0, ns)
		return
	}
	syn := ref
	if h.signs&(SYN|SYNACK) != 0 {
		syn = earliest(Ref{h.synFile, h.synFrame}, ref)
	}
	h.synFile, h.synFrame = syn.File, syn.Frame
	if p.signs&SYN != 0 {
		h.synAt = firstAt(h.synAt, h.signs&SYN != 0, ns)
	} else {
		h.synackAt = firstAt(h.synackAt, h.signs&SYNACK != 0, ns)
	}
}

// firstAt returns the earlier of a known time and ns, or ns.
func firstAt(at int64, known bool, ns int64) int64 {
	if known {
		return min(at, ns)
	}
	return ns
}

// merge adds another half of the same side.
func (h *half) merge(o *half) {
	if o.packets > 0 {
		if h.packets == 0 {
			h.first, h.last = o.first, o.last
			h.payloadMin, h.payloadMax = o.payloadMin, o.payloadMax
			h.firstFile, h.firstFrame = o.firstFile, o.firstFrame
		} else {
			h.first, h.last = min(h.first, o.first), max(h.last, o.last)
			h.payloadMin, h.payloadMax = min(h.payloadMin, o.payloadMin), max(h.payloadMax, o.payloadMax)
			ref := earliest(Ref{h.firstFile, h.firstFrame}, Ref{o.firstFile, o.firstFrame})
			h.firstFile, h.firstFrame = ref.File, ref.Frame
		}
	}
	h.packets += o.packets
	h.bytes += o.bytes
	h.content += o.content
	h.mergeTCP(o)
	h.signs |= o.signs
}

// mergeTCP adds what TCP headers showed; h.signs are still its own.
func (h *half) mergeTCP(o *half) {
	if o.signs&ACK != 0 {
		if h.signs&ACK == 0 {
			h.lastACK, h.ackMin, h.ackMax = o.lastACK, o.ackMin, o.ackMax
		} else {
			h.lastACK = max(h.lastACK, o.lastACK)
			h.ackMin, h.ackMax = min(h.ackMin, o.ackMin), max(h.ackMax, o.ackMax)
		}
	}
	if o.signs&RST != 0 {
		h.rstAt = firstAt(h.rstAt, h.signs&RST != 0, o.rstAt)
	}
	if o.signs&SYN != 0 {
		h.synAt = firstAt(h.synAt, h.signs&SYN != 0, o.synAt)
	}
	if o.signs&SYNACK != 0 {
		h.synackAt = firstAt(h.synackAt, h.signs&SYNACK != 0, o.synackAt)
	}
	if o.signs&(SYN|SYNACK) != 0 {
		syn := Ref{o.synFile, o.synFrame}
		if h.signs&(SYN|SYNACK) != 0 {
			syn = earliest(syn, Ref{h.synFile, h.synFrame})
		}
		h.synFile, h.synFrame = syn.File, syn.Frame
	}
}

// show fills in the clean form of a half, but for what is rare: field by field, which takes half the time of a copy.
func (h *half) show(s *Side) {
	s.Packets, s.Bytes, s.Content = h.packets, h.bytes, h.content
	s.First, s.Last = h.first, h.last
	s.Signs = h.signs
	s.PayloadMin, s.PayloadMax = h.payloadMin, h.payloadMax
	s.SYNAt, s.SYNACKAt, s.RSTAt, s.LastACK = h.synAt, h.synackAt, h.rstAt, h.lastACK
	s.AckMin, s.AckMax = h.ackMin, h.ackMax
	s.FirstRef = Ref{h.firstFile, h.firstFrame}
	s.SYNRef = Ref{h.synFile, h.synFrame}
}

// insertSmallest puts v into a sorted set that keeps its smallest members only, at most limit.
func insertSmallest[T uint16 | uint32](set []T, v T, limit int) []T {
	i, found := slices.BinarySearch(set, v)
	if found || i == limit {
		return set
	}
	if len(set) == limit {
		set = set[:limit-1]
	}
	return slices.Insert(set, i, v)
}
