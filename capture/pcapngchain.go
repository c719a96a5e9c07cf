package capture

import (
	"encoding/binary"
	"math/bits"
)

// maxOthers is how many blocks in a row of a chain may be such as prove nothing: words of 16 read as any number of them.
const maxOthers = 16

// pcapngChain is the framing of pcapng: blocks whose length stands at both ends, and which say nothing that is impossible
// after what the section has described.
type pcapngChain struct{ *pcapngReader }

// begin implements framing.
func (c pcapngChain) begin(at int) trail {
	return trail{
		at: at, second: c.lastNanos / 1e9, timed: c.timed,
		big: c.big, interfaces: len(c.interfaces) - c.section,
	}
}

// order returns the byte order of a chain.
func (t *trail) order() binary.ByteOrder { return byteOrder(t.big) }

// next implements framing.
func (c pcapngChain) next(b []byte, t *trail) fit {
	rest := b[t.at:]
	if len(rest) < blockHeader+blockTrailer {
		return open
	}
	section := binary.BigEndian.Uint32(rest) == blockSection
	if section {
		switch binary.BigEndian.Uint32(rest[blockHeader:]) {
		case byteOrderMagic:
			t.big = true
		case bits.ReverseBytes32(byteOrderMagic):
			t.big = false
		default:
			return broken
		}
	}
	total := t.order().Uint32(rest[4:])
	switch {
	case total < blockHeader+blockTrailer, total%4 != 0, total > maxBlock:
		return broken
	case uint64(total) > uint64(len(rest)):
		return open
	case t.order().Uint32(rest[total-blockTrailer:]) != total:
		return broken
	}
	if section {
		t.interfaces, t.fresh, t.timed = 0, true, false
	} else if !c.block(t, t.order().Uint32(rest), rest[blockHeader:total-blockTrailer]) {
		return broken
	}
	t.at += int(total)
	return whole
}

// block reports whether a block can stand at this place of a chain, and counts it if nothing but a capture has such a one.
func (c pcapngChain) block(t *trail, kind uint32, body []byte) bool {
	order := t.order()
	switch kind {
	case blockInterface:
		if t.interfaces++; !t.fresh { // which number would it have?
			return false
		}
	case blockEnhanced, blockPacket:
		const fixed = 20
		if len(body) < fixed {
			return false
		}
		number := order.Uint32(body)
		if kind == blockPacket {
			number = uint32(order.Uint16(body))
		}
		captured := order.Uint32(body[12:])
		if number >= uint32(t.interfaces) || captured == 0 || captured > maxRecord || captured > uint32(len(body)-fixed) {
			return false
		}
		if !t.fresh && !c.near(t, int(number), body[4:12]) {
			return false
		}
	case blockStatistics:
		if len(body) < 12 || order.Uint32(body) >= uint32(t.interfaces) {
			return false
		}
	case blockSimplePacket:
		if len(body) <= 4 || t.interfaces == 0 {
			return false
		}
	default:
		t.others++
		return t.others <= maxOthers
	}
	t.others = 0
	t.records++
	t.sound++
	return true
}

// near reports whether a packet's time is within a day of the one before.
func (c pcapngChain) near(t *trail, number int, stamp []byte) bool {
	order := t.order()
	second, _ := c.clocks[c.section+number].time(uint64(order.Uint32(stamp))<<32 | uint64(order.Uint32(stamp[4:])))
	if t.timed && (uint64(second-t.second+day) > 2*day || t.records == 0 && second < t.second-maxBack) {
		return false
	}
	t.second, t.timed = second, true
	return true
}

// decodes implements framing.
func (c pcapngChain) decodes(b []byte) bool {
	const fixed = blockHeader + 20
	if c.u32(b) != blockEnhanced {
		return true
	}
	i, captured, wire := c.section+int(c.u32(b[8:])), c.u32(b[20:]), c.u32(b[24:])
	return decodes(&Frame{Link: c.interfaces[i].Link, WireLen: int(min(wire, maxWire)), Data: b[fixed:][:captured]})
}
