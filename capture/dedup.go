package capture

import (
	"encoding/binary"
	"hash/maphash"
)

// duplicates recognises a packet that was captured twice: by two ports of a mirror, on two VLANs, or before and after a
// router. It remembers the packets of about a millisecond in a fixed space; what falls out of it is only not recognised.
type duplicates struct {
	buckets [dupBuckets]dupBucket // first, so that each is one cache line
	seed    maphash.Seed
	mix     [4]uint64
}

const (
	dupWindow  = 1e6 // nanoseconds between the copies, either way round
	dupBuckets = 2048
	dupWays    = 4
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

// known reports whether a packet with that fingerprint was seen before within the window, and remembers it if not. Nearly
// always none of the four is the packet's, and the oldest falls out: in loops that took 13.3 ns instead of 10.4 (November 2026).
func (d *duplicates) known(fp uint64, ns int64) bool {
	b := &d.buckets[fp%dupBuckets]
	print, at := &b.print, &b.at
	if (print[0] == fp || print[1] == fp || print[2] == fp || print[3] == fp) && b.holds(fp, ns) {
		return true
	}
	print[3], print[2], print[1], print[0] = print[2], print[1], print[0], fp
	at[3], at[2], at[1], at[0] = at[2], at[1], at[0], ns
	return false
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
	return d.content(proto, q.ip[ipv4Header:], false, d.header4(ends, ident, length, proto)) | 1
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
	h = fold(h^binary.LittleEndian.Uint64(b[0:8]), d.mix[1]^binary.LittleEndian.Uint64(b[8:16]))
	return fold(h^uint64(binary.LittleEndian.Uint32(b[16:20])), d.mix[2])
}
