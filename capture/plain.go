package capture

import (
	"encoding/binary"
	"math/bits"
)

// framesPerBlock is how many frames are taken together: a call for each of them took 6 of 12 nanoseconds, and more than these
// leave the nearest cache.
const framesPerBlock = 128

// plainReader is a Source that knows a short way through records of which nothing needs to be asked.
//
// A record is plain if every reader of the format would read it alike whatever came before: it lies whole in the window, its
// lengths raise no doubt, and its time stands in it. Almost every record there is is one.
type plainReader interface {
	Source
	// plain reads the plain records that come next, up to the first other one, the limit, or the end of frames. It returns
	// how many. Their Data is valid until the next call of plain or Next.
	plain(frames []Frame) int
	// state returns what the formats share.
	state() *stream
}

// state implements plainReader.
func (s *stream) state() *stream { return s }

// loaded returns the bytes at hand that begin before the limit, at least a whole record where there is one.
func (s *stream) loaded(least int) []byte {
	b := s.peek(least)
	if n := s.hi - s.lo; n > len(b) {
		b = s.buf[s.lo:s.hi]
	}
	return b
}

// room returns how far into the bytes at hand a record may begin.
func (s *stream) room(b []byte) int {
	if s.limit == 0 {
		return len(b)
	}
	return int(min(int64(len(b)), max(s.limit-s.offset(), 0)))
}

// plain implements plainReader: the loop over the records of a window, without a call for any of them.
func (r *pcapReader) plain(frames []Frame) int {
	if r.minor < 4 {
		return 0 // whose lengths may stand the other way round
	}
	b := r.loaded(pcapRecordHeader)
	room := r.room(b)
	scale := int64(1)
	if r.units == 1e6 {
		scale = 1e3
	}
	n, at, second, tail := 0, 0, r.second, r.tail
	for n < len(frames) && at < room && len(b)-at >= pcapRecordHeader {
		h := r.plainHeader((*[pcapRecordHeader]byte)(b[at:]))
		end := at + pcapRecordHeader + int(h.captured)
		if !r.soundAfter(&h, second) || end > len(b) {
			break
		}
		second, tail = int64(h.second), int64(at+pcapRecordHeader)+int64(h.wire)
		f := &frames[n]
		f.Nanos, f.BadTime = second*1e9+int64(h.fraction)*scale, false
		f.Link, f.Interface = r.link, 0
		f.WireLen, f.Data = int(h.wire), b[at+pcapRecordHeader:end]
		n++
		f.Number = r.number + uint64(n)
		at = end
	}
	if n == 0 {
		return 0
	}
	r.number += uint64(n)
	r.second, r.tail = second, r.offset()+tail
	r.zeros = 0
	r.lastNanos, r.timed = frames[n-1].Nanos, true
	r.advance(at)
	return n
}

// plainHeader reads a record header of the current version of the format.
func (r *pcapReader) plainHeader(b *[pcapRecordHeader]byte) recordHeader {
	h := recordHeader{
		binary.LittleEndian.Uint32(b[0:4]), binary.LittleEndian.Uint32(b[4:8]),
		binary.LittleEndian.Uint32(b[8:12]), binary.LittleEndian.Uint32(b[12:16]),
	}
	if r.big {
		h.second, h.fraction = bits.ReverseBytes32(h.second), bits.ReverseBytes32(h.fraction)
		h.captured, h.wire = bits.ReverseBytes32(h.captured), bits.ReverseBytes32(h.wire)
	}
	return h
}

// Layout of an enhanced packet block.
const (
	enhancedFixed   = 28 // up to the packet's bytes
	enhancedLeast   = enhancedFixed + blockTrailer
	enhancedStamp   = 12
	enhancedLengths = 20
)

// plain implements plainReader, for enhanced packet blocks of known interfaces.
func (r *pcapngReader) plain(frames []Frame) int {
	b := r.loaded(enhancedLeast)
	room, known := r.room(b), uint32(len(r.interfaces)-r.section)
	clocks, interfaces := r.clocks[r.section:], r.interfaces[r.section:]
	n, at := 0, 0
	for n < len(frames) && at < room && len(b)-at >= enhancedLeast {
		h := (*[enhancedFixed]byte)(b[at:])
		total, iface := r.word(h[4:]), r.word(h[8:])
		captured, wire := r.word(h[enhancedLengths:]), r.word(h[enhancedLengths+4:])
		if r.word(h[0:]) != blockEnhanced || total%4 != 0 || total > maxBlock || uint64(total) > uint64(len(b)-at) || iface >= known ||
			captured-1 >= maxRecord || captured > wire || wire > maxWire || captured+enhancedLeast > total {
			break
		}
		end := at + int(total)
		if r.word(b[end-blockTrailer:]) != total {
			break
		}
		nanos, ok := clocks[iface].soon(uint64(r.word(h[enhancedStamp:]))<<32 | uint64(r.word(h[enhancedStamp+4:])))
		if !ok {
			break
		}
		data := at + enhancedFixed
		if options := data + (int(captured)+3)&^3; options < end-blockTrailer {
			r.comments(b[options : end-blockTrailer])
		}
		f := &frames[n]
		f.Nanos, f.BadTime = nanos, false
		f.Link, f.Interface = interfaces[iface].Link, r.section+int(iface)
		f.WireLen, f.Data = int(wire), b[data:data+int(captured)]
		n++
		f.Number = r.number + uint64(n)
		at = end
	}
	if n == 0 {
		return 0
	}
	r.number += uint64(n)
	r.zeros = 0
	r.lastNanos, r.timed = frames[n-1].Nanos, true
	r.advance(at)
	return n
}

// word is u32 in line.
func (r *pcapngReader) word(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if r.big {
		v = bits.ReverseBytes32(v)
	}
	return v
}

// soon converts a time stamp into nanoseconds since 1970; false where it is no time of the calendar, or far from ours. The two
// resolutions that almost every file has are divisions by a constant.
func (c *clock) soon(stamp uint64) (nanos int64, ok bool) {
	switch {
	case c.offset != 0:
	case c.units == 1e6:
		return int64(stamp * 1e3), stamp < (maxSecond+1)*1e6
	case c.units == 1e9:
		return int64(stamp), stamp < (maxSecond+1)*1e9
	}
	seconds, part := c.time(stamp)
	return seconds*1e9 + part, seconds >= 0 && seconds <= maxSecond
}
