package capture

import (
	"encoding/binary"
	"hash/maphash"
)

// duplicates recognises a packet that was captured twice: by two ports of a mirror, on two VLANs, or before and after a
// router. It remembers the packets of about a millisecond in a fixed space; what falls out of it is only not recognised.
type duplicates struct {
	buckets [dupBuckets]dupBucket // first, so that each is one cache line
	// tags of each bucket's packets, in lanes of 16 bits, the latest lowest: 14 bits of the fingerprint, above the place in the bucket.
	// Each packet has the place after the one before.
	tags [dupBuckets]uint64
	seed maphash.Seed
	mix  [4]uint64
}

const (
	dupWindow  = 1e6 // nanoseconds between the copies, either way round
	dupBuckets = 2048
	dupWays    = 4
	dupPlace   = dupWays - 1 // of a lane
	dupTag     = 1<<16 - 1 - dupPlace
	dupLanes   = 1<<0 | 1<<16 | 1<<32 | 1<<48
)

// dupBucket is one cache line: fingerprints and their times.
type dupBucket struct {
	print [dupWays]uint64
	at    [dupWays]int64
}

func newDuplicates() *duplicates {
	d := &duplicates{seed: maphash.MakeSeed()}
	for i := range d.mix {
		d.mix[i] = maphash.Bytes(d.seed, []byte{byte(i)}) | 1
	}
	return d
}

// seen reports whether p was seen before within the window, and remembers it if not. A packet without anything above the
// IP header is never a duplicate.
func (d *duplicates) seen(p *Packet, ns int64) bool {
	if len(p.transport) == 0 {
		return false
	}
	return d.known(d.fingerprint(p), ns)
}

// known reports whether a packet with that fingerprint was seen before within the window, and remembers it if not: the oldest of
// its bucket falls out. The tags, which stay in the nearest cache, say of nearly every packet that it is new, so that its bucket
// is written to and not waited for: 0.97 of a whole check of mixed traffic, with twice the buckets (November 2026).
func (d *duplicates) known(fp uint64, ns int64) bool {
	n := fp >> 1 % dupBuckets // the lowest bit is always set
	b, tags := &d.buckets[n], d.tags[n]
	tag := dupTagOf(fp)
	differ := (tags ^ tag*dupLanes) & (dupTag * dupLanes)
	if some := (differ - dupLanes) &^ differ & (dupLanes << 15); some != 0 && b.holds(fp, ns) {
		return true
	}
	place := (tags + 1) & dupPlace
	d.tags[n] = tags<<16 | tag | place
	b.print[place], b.at[place] = fp, ns
	return false
}

// dupTagOf returns the tag of a fingerprint, as it lies in a lane. The bits that choose the bucket are not in it.
func dupTagOf(fp uint64) uint64 { return fp >> 48 & dupTag }

// bucket returns what a bucket holds, the latest first.
func (d *duplicates) bucket(n int) (ordered dupBucket) {
	for i := range ordered.print {
		place := (d.tags[n] - uint64(i)) & dupPlace
		ordered.print[i], ordered.at[i] = d.buckets[n].print[place], d.buckets[n].at[place]
	}
	return ordered
}

// setBucket makes a bucket hold that, the latest first.
func (d *duplicates) setBucket(n int, ordered *dupBucket) {
	for i := dupWays - 1; i >= 0; i-- {
		place := uint64(dupWays - 1 - i)
		d.tags[n] = d.tags[n]<<16 | dupTagOf(ordered.print[i]) | place
		d.buckets[n].print[place], d.buckets[n].at[place] = ordered.print[i], ordered.at[i]
	}
}

// holds reports whether the bucket has the fingerprint from within the window.
func (b *dupBucket) holds(fp uint64, ns int64) bool {
	for i := range b.print {
		if age := ns - b.at[i]; b.print[i] == fp && age <= dupWindow && age >= -dupWindow {
			return true
		}
	}
	return false
}

// fingerprint hashes what two copies of a packet share, and two packets of a flow do not: addresses, identification,
// length, and the bytes above the IP header. A router changes TTL, header checksum and type of service: they are left out.
func (d *duplicates) fingerprint(p *Packet) uint64 {
	if p.family == familyIPv4 {
		h := d.header4(p.src.lo<<32|p.dst.lo&0xffffffff, p.ident, p.length, p.Proto)
		return d.content(p.Proto, p.transport, p.Signs&Cut != 0, h) | 1 // 0 is an empty place
	}
	h := fold(p.src.hi^p.dst.lo^d.mix[0], p.src.lo^d.mix[1]) ^ fold(p.dst.hi^p.ident^d.mix[2], p.dst.lo^d.mix[3])
	h = fold(h^uint64(p.length)<<8^uint64(p.Proto), d.mix[0])
	return d.content(p.Proto, p.transport, p.Signs&Cut != 0, h) | 1
}

// whole is fingerprint for a packet that takeQuick knows.
func (d *duplicates) whole(q *quickPacket, ends, ident uint64, length uint32) uint64 {
	proto := Proto(q.h[9])
	h := d.header4(ends, ident, length, proto)
	if proto == TCP {
		return d.segment((*[tcpHeader]byte)(q.h[ipv4Header:]), h) | 1
	}
	return d.content(proto, q.ip[ipv4Header:], false, h) | 1
}

// header4 hashes an IPv4 header: of both addresses, and of what else counts, one word each.
func (d *duplicates) header4(ends, ident uint64, length uint32, proto Proto) uint64 {
	return fold(ends^d.mix[0], ident<<32^uint64(length)<<8^uint64(proto)^d.mix[1])
}

// content adds the bytes above the IP header. A TCP header tells its segments apart (sequence number, checksum), so its
// first 20 bytes do. UDP has neither where the checksum is left out or to the network card: all that was captured counts.
// Of a frame that was cut, the copy with one VLAN tag more lost four bytes more: again the first 20 have to do.
func (d *duplicates) content(proto Proto, b []byte, cut bool, h uint64) uint64 {
	if proto != TCP && !cut {
		return fold(h^maphash.Bytes(d.seed, b), d.mix[1])
	}
	if len(b) < tcpHeader {
		return fold(h^maphash.Bytes(d.seed, b[:min(len(b), 4)]), d.mix[1])
	}
	return d.segment((*[tcpHeader]byte)(b), h)
}

// segment adds the first 20 bytes of a TCP header.
func (d *duplicates) segment(b *[tcpHeader]byte, h uint64) uint64 {
	h = fold(h^binary.LittleEndian.Uint64(b[0:8]), d.mix[1]^binary.LittleEndian.Uint64(b[8:16]))
	return fold(h^uint64(binary.LittleEndian.Uint32(b[16:20])), d.mix[2])
}
