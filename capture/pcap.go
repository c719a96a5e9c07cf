package capture

import (
	"encoding/binary"
	"errors"
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
	zeros      int    // records without a byte in a row
	clipped    bool   // the record at hand is read up to its length on the wire, which is below its captured length
	overlong   uint64 // records that were clipped
	lastNanos  int64  // of the last packet with a good time stamp
	timed      bool   // there was one
	damages    []Damage
	first      trail     // of the candidate at hand: here it costs no allocation for each byte searched
	expander   *expander // where the bytes come from; nil where the input is not compressed
	size       int64     // bytes of the input; less than 0: not known
	steps      int       // records looked at behind damage
	limit      int64     // no record that begins here or later is read; 0: none
}

// damageAt returns a Damage at an offset.
func (s *stream) damageAt(offset int64, reason string) Damage {
	return Damage{Offset: offset, Expanded: s.expander != nil, Reason: reason}
}

// position is how far into the input the bytes lead that were consumed.
func (s *stream) position() int64 {
	if s.expander != nil {
		return s.expander.position()
	}
	return s.offset()
}

// shrunk returns the *Damage of a file that ended, between two records, before the end it had when it was opened.
func (s *stream) shrunk() error {
	if s.expander == nil && s.size > s.offset() {
		return s.damage(s.offset(), "the file became shorter: it had %d bytes", s.size)
	}
	return nil
}

// damage returns a *Damage at an offset, behind which reading cannot go on.
func (s *stream) damage(offset int64, format string, args ...any) error {
	d := s.damageAt(offset, fmt.Sprintf(format, args...))
	return &d
}

// cut returns the *Damage of an input that ends, or fails, inside something: want bytes should have been there.
func (s *stream) cut(offset int64, what string, got, want int64) error {
	if err := s.failure(); err != nil {
		return s.broken(offset, what, err)
	}
	return s.damage(offset, "cut inside %s: %d of %d bytes", what, got, want)
}

// broken returns the *Damage of an input that failed. A compressed one knows best where and why.
func (s *stream) broken(offset int64, what string, err error) error {
	if d := (*Damage)(nil); errors.As(err, &d) {
		return d
	}
	return s.damage(offset, "%s: %v", what, err)
}

// lengths settles how many bytes a record captured of how many on the wire, or says what is impossible about them.
func (s *stream) lengths(captured, wire uint32) (n, onWire int, wrong string) {
	if captured > maxRecord {
		return 0, 0, fmt.Sprintf("a packet of %d captured bytes: more than %d", captured, maxRecord)
	}
	if captured > 0 {
		s.zeros = 0
	} else if s.zeros++; s.zeros == maxZeroRecords {
		s.zeros = 0
		return 0, 0, fmt.Sprintf("%d packets without a byte in a row", maxZeroRecords)
	}
	if wire == 0 { // some writers leave it out
		wire = captured
	}
	s.clipped = captured > wire
	captured = min(captured, wire)
	return int(captured), int(min(wire, 1<<31-1)), ""
}

// countOverlong counts the record at hand if it was clipped.
func (s *stream) countOverlong() {
	if s.clipped {
		s.overlong++
	}
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
		s.lastNanos, s.timed = f.Nanos, true
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
//
// The format has no mark that says where a record begins: one wrong length, and what follows is read as anything. So every
// record header has to be plausible in itself and beside the one before it. One that is not has to be followed by a chain
// of records, or it is damage: many an honest writer breaks a rule, but none all of them.
type pcapReader struct {
	*stream
	big    bool
	units  uint32 // fractions of a second
	minor  uint16 // of the format's version
	link   Link
	number uint64

	most    uint32 // captured bytes of a packet that raise no doubt: the snap length of the file header
	odd     oddity // what the first record breaks, the whole file may
	second  int64  // of the record before; valid iff number > 0
	tail    int64  // where the record before would end by its length on the wire
	checked int64  // records up to here are known to follow one another
}

// newPcapReader reads the file header.
func newPcapReader(s *stream) (*pcapReader, error) {
	h := s.peek(pcapHeader)
	if len(h) < pcapHeader {
		return nil, s.cut(0, "the file header", int64(len(h)), pcapHeader)
	}
	r := &pcapReader{stream: s, units: 1e6}
	switch binary.BigEndian.Uint32(h) {
	case magicMicros:
		r.big = true
	case magicNanos:
		r.big, r.units = true, 1e9
	case magicMicrosSwapped:
	case magicNanosSwapped:
		r.units = 1e9
	default:
		return nil, s.damage(0, "magic %x: not pcap", h[:4])
	}
	order := byteOrder(r.big)
	r.minor = order.Uint16(h[6:8])
	// The upper half of the word is flags: the length of a frame check sequence, which the IP length leaves out anyway.
	r.link = Link(order.Uint32(h[20:24]))
	snap := order.Uint32(h[16:20])
	s.interfaces = []Interface{{Link: r.link, SnapLen: snap}}
	if r.most = maxRecord; snap > 0 {
		r.most = min(snap, maxRecord)
	}
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
	for {
		if r.limit > 0 && r.offset() >= r.limit {
			return io.EOF
		}
		err := r.next(f)
		if err == nil {
			return nil
		}
		if err = r.goOn(err, pcapChain{r, false}); err != nil {
			return err
		}
	}
}

// next reads the record that begins at the current offset.
func (r *pcapReader) next(f *Frame) error {
	offset := r.offset()
	b := r.peek(pcapRecordHeader)
	if len(b) < pcapRecordHeader {
		if len(b) == 0 && r.failure() == nil {
			return io.EOF
		}
		return r.cut(offset, "a record header", int64(len(b)), pcapRecordHeader)
	}
	h := r.header(b)
	if !r.sound(&h) && offset >= r.checked {
		if err := r.examine(offset, &h); err != nil {
			return err
		}
	}
	n, onWire, wrong := r.lengths(h.captured, h.wire)
	if wrong != "" {
		return r.recordBreach(offset, &h, "%s", wrong)
	}
	size := pcapRecordHeader + int(h.captured)
	b = r.peek(size)
	if len(b) < size {
		return r.cut(offset, "a record", int64(len(b)), int64(size))
	}
	r.number++
	r.countOverlong()
	r.second, r.tail = int64(h.second), offset+pcapRecordHeader+int64(h.wire)
	f.Link, f.Interface, f.Number = r.link, 0, r.number
	f.WireLen, f.Data = onWire, b[pcapRecordHeader:pcapRecordHeader+n]
	nanos := int64(h.fraction)
	if r.units == 1e6 {
		nanos *= 1e3
	}
	r.stamp(f, int64(h.second), nanos)
	r.advance(size)
	return nil
}

// recordHeader is what stands before each packet.
type recordHeader struct{ second, fraction, captured, wire uint32 }

// header reads a record header. Until version 2.3 the two lengths stood the other way round; writers of 2.3 disagreed.
func (r *pcapReader) header(b []byte) (h recordHeader) {
	if r.big {
		h.second, h.fraction = binary.BigEndian.Uint32(b[0:4]), binary.BigEndian.Uint32(b[4:8])
		h.captured, h.wire = binary.BigEndian.Uint32(b[8:12]), binary.BigEndian.Uint32(b[12:16])
	} else {
		h.second, h.fraction = binary.LittleEndian.Uint32(b[0:4]), binary.LittleEndian.Uint32(b[4:8])
		h.captured, h.wire = binary.LittleEndian.Uint32(b[8:12]), binary.LittleEndian.Uint32(b[12:16])
	}
	if r.minor < 3 || r.minor == 3 && h.captured > h.wire {
		h.captured, h.wire = h.wire, h.captured
	}
	return h
}

// Close implements Source.
func (r *pcapReader) Close() error { return nil }
