package capture

import (
	"encoding/binary"
	"io"
	"math/bits"
)

// pcapng block types and limits (draft-ietf-opsawg-pcapng). Everything else is skipped by its length.
const (
	blockSection      = 0x0a0d0d0a
	blockInterface    = 1
	blockPacket       = 2 // obsolete
	blockSimplePacket = 3
	blockNames        = 4
	blockStatistics   = 5
	blockEnhanced     = 6

	byteOrderMagic = 0x1a2b3c4d

	maxBlock             = 16 << 20 // libpcap's limit
	maxSectionInterfaces = 4096
	maxInterfaces        = 65536

	blockHeader  = 8
	blockTrailer = 4
)

// pcapngReader reads the pcapng format: several sections, each in its own byte order with its own interfaces.
type pcapngReader struct {
	*stream
	big     bool
	section int       // index of the section's first interface
	clocks  []clock   // one for each of stream.interfaces
	counts  []counted // likewise
	number  uint64
	notes   notes
	gap     bool // something of the section was passed over: interfaces described from here on have no certain number
}

// clock turns an interface's time stamps into time.
type clock struct {
	units  uint64 // a second
	offset int64  // seconds to add
}

// counted is what an interface statistics block said, as it stands in the file.
type counted struct{ start, end uint64 }

// newPcapngReader returns a reader that has read nothing yet.
func newPcapngReader(s *stream) *pcapngReader { return &pcapngReader{stream: s} }

// Close implements Source.
func (r *pcapngReader) Close() error { return nil }

func (r *pcapngReader) u16(b []byte) uint16 {
	if r.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (r *pcapngReader) u32(b []byte) uint32 {
	if r.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// high32 reads a 64-bit value written as two words, the high one first in either byte order.
func (r *pcapngReader) high32(b []byte) uint64 {
	return uint64(r.u32(b[0:4]))<<32 | uint64(r.u32(b[4:8]))
}

// Next implements Source: it goes on to the next block that is a packet.
func (r *pcapngReader) Next(f *Frame) error {
	for {
		if r.limit > 0 && r.offset() >= r.limit {
			return io.EOF
		}
		packet, err := r.next(f)
		if err != nil {
			if err = r.goOn(err, pcapngChain{r}); err != nil {
				return err
			}
			r.gap = true
			continue
		}
		if packet {
			return nil
		}
	}
}

// next reads the block that begins at the current offset, and reports whether it is a packet, which is then in f.
func (r *pcapngReader) next(f *Frame) (packet bool, err error) {
	offset := r.offset()
	kind, total, err := r.header(offset)
	if err != nil {
		return false, err
	}
	body, err := r.body(offset, kind, total)
	if err != nil {
		return false, err
	}
	if packet, err = r.block(f, offset, kind, body); err != nil {
		return false, err
	}
	r.advance(total)
	return packet, nil
}

// header looks at a block's type and total length. A section header sets the byte order first.
func (r *pcapngReader) header(offset int64) (kind uint32, total int, err error) {
	h := r.peek(blockHeader)
	if len(h) < blockHeader {
		if len(h) == 0 && r.failure() == nil && offset > 0 {
			return 0, 0, io.EOF
		}
		return 0, 0, r.cut(offset, "a block header", int64(len(h)), blockHeader)
	}
	kind = r.u32(h)
	if binary.BigEndian.Uint32(h) == blockSection { // reads the same in both orders
		kind = blockSection
		if err := r.setOrder(offset); err != nil {
			return 0, 0, err
		}
		h = r.peek(blockHeader)
	} else if offset == 0 {
		return 0, 0, r.damage(0, "magic %x: not pcapng", h[:4])
	}
	length := r.u32(h[4:8])
	switch {
	case length < blockHeader+blockTrailer:
		return 0, 0, r.breach(offset, 1, "block length %d: less than 12", length)
	case length%4 != 0:
		return 0, 0, r.breach(offset, 1, "block length %d: not a multiple of 4", length)
	case length > maxBlock:
		return 0, 0, r.breach(offset, 1, "block length %d: more than %d", length, maxBlock)
	}
	return kind, int(length), nil
}

// setOrder reads the byte-order magic of a section header.
func (r *pcapngReader) setOrder(offset int64) error {
	const need = blockHeader + 4
	h := r.peek(need)
	if len(h) < need {
		return r.cut(offset, "a section header", int64(len(h)), need)
	}
	switch magic := binary.BigEndian.Uint32(h[blockHeader:]); magic {
	case byteOrderMagic:
		r.big = true
	case bits.ReverseBytes32(byteOrderMagic):
		r.big = false
	default:
		return r.breach(offset, 1, "byte-order magic %08x: not pcapng", magic)
	}
	return nil
}

// body looks at a whole block and returns what is between its header and its trailer.
func (r *pcapngReader) body(offset int64, kind uint32, total int) ([]byte, error) {
	b := r.peek(total)
	if len(b) < total {
		if r.failure() == nil && !r.consistent(kind, b) {
			return nil, r.breach(offset, 1, "cut inside a block: %d of %d bytes", len(b), total)
		}
		return nil, r.cut(offset, "a block", int64(len(b)), int64(total))
	}
	if trailer := r.u32(b[total-blockTrailer:]); trailer != uint32(total) {
		return nil, r.breach(offset, 1, "block length %d at its start, %d at its end", total, trailer)
	}
	return b[blockHeader : total-blockTrailer], nil
}

// consistent reports whether the length of a block that ends beyond the file is borne out by what it holds: then the file
// was cut, and what looks like a block inside of it is none.
func (r *pcapngReader) consistent(kind uint32, b []byte) bool {
	const captured, fixed, options = 20, 32, 4096
	if kind != blockEnhanced || len(b) < captured+4 {
		return len(b) < captured+4
	}
	total, data := uint64(r.u32(b[4:8])), uint64(r.u32(b[captured:]))
	return data <= maxRecord && total >= data+fixed && total <= data+fixed+options
}

// startSection reads a section header: from here on interfaces are counted anew.
func (r *pcapngReader) startSection(offset int64, body []byte) error {
	const fixed = 16
	if len(body) < fixed {
		return r.damage(offset, "section header of %d bytes: less than 28", len(body)+blockHeader+blockTrailer)
	}
	if major, minor := r.u16(body[4:6]), r.u16(body[6:8]); major != 1 {
		return r.damage(offset, "pcapng version %d.%d: only 1.x can be read", major, minor)
	}
	r.section, r.gap = len(r.interfaces), false
	r.comments(body[fixed:])
	return nil
}

// block reads one block and reports whether it is a packet, which is then in f. What it does not know, and the secrets of
// decryption, it passes over.
func (r *pcapngReader) block(f *Frame, offset int64, kind uint32, body []byte) (packet bool, err error) {
	const fixed = 20 // of both kinds of packet block with fields of their own
	switch kind {
	case blockEnhanced:
		if len(body) < fixed {
			return false, r.inside(offset, body, "packet block of %d bytes: less than 32", len(body)+blockHeader+blockTrailer)
		}
		return true, r.packet(f, offset, r.u32(body[0:4]), body)
	case blockPacket:
		if len(body) < fixed {
			return false, r.inside(offset, body, "obsolete packet block of %d bytes: less than 32", len(body)+blockHeader+blockTrailer)
		}
		return true, r.packet(f, offset, uint32(r.u16(body[0:2])), body)
	case blockSimplePacket:
		return true, r.simplePacket(f, offset, body)
	case blockSection:
		return false, r.startSection(offset, body)
	case blockInterface:
		return false, r.interfaceBlock(offset, body)
	case blockStatistics:
		return false, r.statisticsBlock(offset, body)
	case blockNames:
		r.nameBlock(body)
	}
	return false, nil
}

// inside returns the *breach of a block whose ends are right and whose content is not: the next block follows.
func (r *pcapngReader) inside(offset int64, body []byte, format string, args ...any) error {
	return r.breach(offset, len(body)+blockHeader+blockTrailer, format, args...)
}

// packet reads an enhanced or an obsolete packet block: they differ in the width of the interface number only.
func (r *pcapngReader) packet(f *Frame, offset int64, iface uint32, body []byte) error {
	i, err := r.iface(offset, body, iface)
	if err != nil {
		return err
	}
	captured, wire := r.u32(body[12:16]), r.u32(body[16:20])
	n, onWire, wrong := r.lengths(captured, wire)
	if wrong != "" {
		return r.inside(offset, body, "%s", wrong)
	}
	data := body[20:]
	if captured > uint32(len(data)) {
		return r.inside(offset, body, "a packet of %d captured bytes in a block with room for %d", captured, len(data))
	}
	if options := (int(captured) + 3) &^ 3; options < len(data) {
		r.comments(data[options:])
	}
	seconds, nanos := r.clocks[i].time(r.high32(body[4:12]))
	r.stamp(f, seconds, nanos)
	r.deliver(f, i, data[:n], onWire)
	return nil
}

// simplePacket reads a simple packet block: of the section's first interface, without a time. Its captured length stands
// nowhere; the block's must be what the snap length leaves of the packet. An interface block whose type has one flipped bit is
// a simple packet else.
func (r *pcapngReader) simplePacket(f *Frame, offset int64, body []byte) error {
	const fixed = 4
	if len(body) < fixed {
		return r.inside(offset, body, "simple packet block of %d bytes: less than 16", len(body)+blockHeader+blockTrailer)
	}
	i, err := r.iface(offset, body, 0)
	if err != nil {
		return err
	}
	wire := r.u32(body[0:4])
	data := body[fixed:]
	captured := wire
	if snap := r.interfaces[i].SnapLen; snap > 0 {
		captured = min(wire, snap)
	}
	if (uint64(captured)+3)&^3 != uint64(len(data)) {
		return r.inside(offset, body, "a simple packet of %d captured bytes in a block with room for %d", captured, len(data))
	}
	n, onWire, wrong := r.lengths(captured, wire)
	if wrong != "" {
		return r.inside(offset, body, "%s", wrong)
	}
	r.stamp(f, -1, 0)
	r.deliver(f, i, data[:n], onWire)
	return nil
}

// deliver fills in what is left of f.
func (r *pcapngReader) deliver(f *Frame, iface int, data []byte, wire int) {
	r.number++
	r.countOverlong()
	f.Link, f.Interface, f.Number = r.interfaces[iface].Link, iface, r.number
	f.WireLen, f.Data = wire, data
}

// iface turns the section's number of an interface into an index of all of them.
func (r *pcapngReader) iface(offset int64, body []byte, number uint32) (int, error) {
	if known := len(r.interfaces) - r.section; uint64(number) >= uint64(known) {
		return 0, r.inside(offset, body, "interface %d of a section that has described %d", number, known)
	}
	return r.section + int(number), nil
}

// time converts a time stamp. A second too large for any calendar comes back as -1.
func (c clock) time(stamp uint64) (seconds, nanos int64) {
	const beyond = 1 << 40
	whole, part := stamp/c.units, stamp%c.units
	if whole > beyond || c.offset > beyond || c.offset < -beyond {
		return -1, 0
	}
	hi, lo := bits.Mul64(part, 1e9)
	fraction, _ := bits.Div64(hi, lo, c.units) // part < units, so the quotient is below 1e9
	return int64(whole) + c.offset, int64(fraction)
}
