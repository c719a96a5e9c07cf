package capture

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Limits of the readers. A length from a file is compared with these before anything is done with it.
const (
	maxRecord      = 262144    // captured bytes of one packet: libpcap's MAXIMUM_SNAPLEN
	maxZeroRecords = 1000      // records without a byte in a row: a run of zeros reads as any number of them
	maxSecond      = 1<<32 - 1 // since 1970: February 2106, the last that pcap can say
)

// stream is what the readers of both formats share.
type stream struct {
	*window
	interfaces []Interface
	zeros      int   // records without a byte in a row
	overlong   bool  // the record just read had a captured length above its length on the wire
	lastNanos  int64 // of the last packet with a good time stamp
}

// damage returns a *Damage at an offset, unless the input itself failed there.
func (s *stream) damage(offset int64, format string, args ...any) error {
	return &Damage{Offset: offset, Reason: fmt.Sprintf(format, args...)}
}

// cut returns the *Damage of an input that ends, or fails, inside something: want bytes should have been there.
func (s *stream) cut(offset int64, what string, got, want int64) error {
	if err := s.failure(); err != nil {
		return s.damage(offset, "%s: %v", what, err)
	}
	return s.damage(offset, "cut inside %s: %d of %d bytes", what, got, want)
}

// lengths settles how many bytes a record captured of how many on the wire, and fails where that is impossible.
func (s *stream) lengths(offset int64, captured, wire uint32) (n, onWire int, err error) {
	if captured > maxRecord {
		return 0, 0, s.damage(offset, "a packet of %d captured bytes: more than %d", captured, maxRecord)
	}
	if captured > 0 {
		s.zeros = 0
	} else if s.zeros++; s.zeros == maxZeroRecords {
		return 0, 0, s.damage(offset, "%d packets without a byte in a row", maxZeroRecords)
	}
	s.overlong = captured > wire
	switch {
	case !s.overlong:
	case wire == 0: // some writers leave it out
		wire = captured
	default:
		captured = wire
	}
	return int(captured), int(min(wire, 1<<31-1)), nil
}

// stamp gives f its time. Where the nanoseconds are impossible the second stands alone; where the second is, or there is
// none, the packet before it stands in.
func (s *stream) stamp(f *Frame, seconds, nanos int64) {
	switch {
	case seconds < 0 || seconds > maxSecond:
		f.Nanos, f.BadTime = s.lastNanos, true
	case nanos < 0 || nanos >= 1e9:
		f.Nanos, f.BadTime = seconds*1e9, true
	default:
		f.Nanos, f.BadTime = seconds*1e9+nanos, false
		s.lastNanos = f.Nanos
	}
}

// Magic numbers of pcap as the first four bytes read big-endian.
const (
	magicMicros        = 0xa1b2c3d4
	magicNanos         = 0xa1b23c4d
	magicMicrosSwapped = 0xd4c3b2a1
	magicNanosSwapped  = 0x4d3cb2a1
)

const (
	pcapHeader       = 24
	pcapRecordHeader = 16
)

// pcapReader reads the pcap format (draft-ietf-opsawg-pcap), both byte orders, microseconds and nanoseconds.
type pcapReader struct {
	*stream
	big    bool
	nanos  bool
	minor  uint16 // of the format's version
	link   Link
	number uint64
}

// newPcapReader reads the file header.
func newPcapReader(s *stream) (*pcapReader, error) {
	h := s.peek(pcapHeader)
	if len(h) < pcapHeader {
		return nil, s.cut(0, "the file header", int64(len(h)), pcapHeader)
	}
	r := &pcapReader{stream: s}
	switch binary.BigEndian.Uint32(h) {
	case magicMicros:
		r.big = true
	case magicNanos:
		r.big, r.nanos = true, true
	case magicMicrosSwapped:
	case magicNanosSwapped:
		r.nanos = true
	default:
		return nil, s.damage(0, "magic %x: not pcap", h[:4])
	}
	order := byteOrder(r.big)
	r.minor = order.Uint16(h[6:8])
	// The upper half of the word is flags: the length of a frame check sequence, which the IP length leaves out anyway.
	r.link = Link(order.Uint32(h[20:24]))
	s.interfaces = []Interface{{Link: r.link, SnapLen: order.Uint32(h[16:20])}}
	s.advance(pcapHeader)
	return r, nil
}

func byteOrder(big bool) binary.ByteOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// Next implements Source.
func (r *pcapReader) Next(f *Frame) error {
	offset := r.offset()
	h := r.peek(pcapRecordHeader)
	if len(h) < pcapRecordHeader {
		if len(h) == 0 && r.failure() == nil {
			return io.EOF
		}
		return r.cut(offset, "a record header", int64(len(h)), pcapRecordHeader)
	}
	seconds, fraction, captured, wire := r.record(h)
	n, onWire, err := r.lengths(offset, captured, wire)
	if err != nil {
		return err
	}
	size := pcapRecordHeader + int(captured)
	b := r.peek(size)
	if len(b) < size {
		return r.cut(offset, "a record", int64(len(b)), int64(size))
	}
	r.number++
	f.Link, f.Interface, f.Number = r.link, 0, r.number
	f.WireLen, f.Data = onWire, b[pcapRecordHeader:pcapRecordHeader+n]
	if r.nanos {
		r.stamp(f, int64(seconds), int64(fraction))
	} else {
		r.stamp(f, int64(seconds), int64(fraction)*1e3)
	}
	r.advance(size)
	return nil
}

// record reads a record header. Until version 2.3 the two lengths stood the other way round; writers of 2.3 disagreed.
func (r *pcapReader) record(h []byte) (seconds, fraction, captured, wire uint32) {
	if r.big {
		seconds, fraction = binary.BigEndian.Uint32(h[0:4]), binary.BigEndian.Uint32(h[4:8])
		captured, wire = binary.BigEndian.Uint32(h[8:12]), binary.BigEndian.Uint32(h[12:16])
	} else {
		seconds, fraction = binary.LittleEndian.Uint32(h[0:4]), binary.LittleEndian.Uint32(h[4:8])
		captured, wire = binary.LittleEndian.Uint32(h[8:12]), binary.LittleEndian.Uint32(h[12:16])
	}
	if r.minor < 3 || r.minor == 3 && captured > wire {
		captured, wire = wire, captured
	}
	return seconds, fraction, captured, wire
}

// Close implements Source.
func (r *pcapReader) Close() error { return nil }
