package evidence

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"io"
	"slices"

	"flowvet/capture"
)

// Blocks, options and values of a pcapng file (draft-ietf-opsawg-pcapng).
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockPacket     = 6
	byteOrderMagic  = 0x1a2b3c4d
	unknownLength   = ^uint64(0)
	optionEnd       = 0
	optionComment   = 1
	optionUserAppl  = 4 // of a section
	optionTsResol   = 9 // of an interface
	nanosecondResol = 9 // 10^-9
	maxComment      = 4096
)

// Write writes the packets of the exhibits as pcapng, in the order of their times, an interface for each link type.
func Write(w io.Writer, exhibits []Exhibit) error {
	to := &pcapng{w: bufio.NewWriter(w)}
	to.section()
	type shown struct {
		Packet
		comment string
	}
	var all []shown
	for _, e := range exhibits {
		for _, p := range e.Packets {
			all = append(all, shown{p, e.Comment})
		}
	}
	slices.SortStableFunc(all, func(a, b shown) int { return cmp.Compare(a.Nanos, b.Nanos) })
	numbers := map[capture.Link]uint32{}
	for _, p := range all {
		n, known := numbers[p.Link]
		if !known {
			n = uint32(len(numbers))
			numbers[p.Link] = n
			to.link(p.Link)
		}
		to.packet(n, &p.Packet, p.comment)
	}
	return to.w.Flush()
}

// pcapng writes blocks. The first error of the writer stays in it, until Flush.
type pcapng struct {
	w    *bufio.Writer
	body []byte
}

func (f *pcapng) section() {
	f.u32(byteOrderMagic)
	f.body = binary.LittleEndian.AppendUint16(f.body, 1) // version 1.0
	f.body = binary.LittleEndian.AppendUint16(f.body, 0)
	f.body = binary.LittleEndian.AppendUint64(f.body, unknownLength)
	f.option(optionUserAppl, []byte("flowvet"))
	f.option(optionEnd, nil)
	f.block(blockSection)
}

func (f *pcapng) link(link capture.Link) {
	f.body = binary.LittleEndian.AppendUint16(f.body, uint16(link))
	f.body = binary.LittleEndian.AppendUint16(f.body, 0)
	f.u32(0) // no snap length: each packet says what is left of it
	f.option(optionTsResol, []byte{nanosecondResol})
	f.option(optionEnd, nil)
	f.block(blockInterface)
}

func (f *pcapng) packet(link uint32, p *Packet, comment string) {
	nanos := uint64(max(p.Nanos, 0))
	for _, v := range []uint32{link, uint32(nanos >> 32), uint32(nanos), uint32(len(p.Data)), uint32(max(p.WireLen, len(p.Data)))} {
		f.u32(v)
	}
	f.bytes(p.Data)
	f.option(optionComment, []byte(comment[:min(len(comment), maxComment)]))
	f.option(optionEnd, nil)
	f.block(blockPacket)
}

func (f *pcapng) u32(v uint32) { f.body = binary.LittleEndian.AppendUint32(f.body, v) }

// bytes adds a value, padded to four bytes.
func (f *pcapng) bytes(b []byte) {
	f.body = append(f.body, b...)
	for len(f.body)%4 != 0 {
		f.body = append(f.body, 0)
	}
}

func (f *pcapng) option(code uint16, value []byte) {
	f.body = binary.LittleEndian.AppendUint16(f.body, code)
	f.body = binary.LittleEndian.AppendUint16(f.body, uint16(len(value)))
	f.bytes(value)
}

// block writes what was added as one block.
func (f *pcapng) block(kind uint32) {
	const frame = 12 // type and length before, length behind
	head := binary.LittleEndian.AppendUint32(nil, kind)
	length := binary.LittleEndian.AppendUint32(nil, uint32(len(f.body)+frame))
	for _, part := range [][]byte{head, length, f.body, length} {
		_, _ = f.w.Write(part) // Flush returns the error
	}
	f.body = f.body[:0]
}
