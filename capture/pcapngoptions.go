package capture

import (
	"encoding/binary"
	"math"
)

// Option codes.
const (
	optionEnd     = 0
	optionComment = 1 // of every block

	ifName      = 2
	ifDescr     = 3
	ifTSResol   = 9
	ifFilter    = 11
	ifTSOffset  = 14
	isbStart    = 2
	isbEnd      = 3
	isbReceived = 4
	isbDropped  = 5
	isbOSDrop   = 7
)

// binaryFilter stands for a capture filter that was recorded as a program, not as an expression.
const binaryFilter = "binary filter"

// options calls yield with each option of a list. The value is only valid during the call.
func (r *pcapngReader) options(offset int64, b []byte, yield func(code uint16, value []byte) error) error {
	for len(b) >= 4 {
		code, length := r.u16(b[0:2]), int(r.u16(b[2:4]))
		if code == optionEnd {
			return nil
		}
		b = b[4:]
		if length > len(b) {
			return r.damage(offset, "option %d of %d bytes where %d are left", code, length, len(b))
		}
		if err := yield(code, b[:length]); err != nil {
			return err
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return nil
}

// interfaceBlock reads an interface description.
func (r *pcapngReader) interfaceBlock(offset int64, body []byte) error {
	const fixed = 8
	if len(body) < fixed {
		return r.damage(offset, "interface block of %d bytes: less than 20", len(body)+blockHeader+blockTrailer)
	}
	if r.gap {
		return r.damage(offset, "an interface is described behind a damaged place: its number is not certain")
	}
	if len(r.interfaces)-r.section >= maxSectionInterfaces {
		return r.damage(offset, "more than %d interfaces in a section", maxSectionInterfaces)
	}
	if len(r.interfaces) >= maxInterfaces {
		return r.damage(offset, "more than %d interfaces", maxInterfaces)
	}
	i := Interface{Link: Link(r.u16(body[0:2])), SnapLen: r.u32(body[4:8])}
	c := clock{units: 1e6}
	err := r.options(offset, body[fixed:], func(code uint16, value []byte) error {
		switch code {
		case optionComment:
			r.notes.comment(value)
		case ifName:
			i.Name = r.notes.text(value)
		case ifDescr:
			i.Description = r.notes.text(value)
		case ifFilter:
			i.Filter = r.filterText(value)
		case ifTSResol:
			units, ok := resolution(value)
			if !ok {
				return r.damage(offset, "time stamp resolution %x: not a power of 10 up to 19 or of 2 up to 63", value)
			}
			c.units = units
		case ifTSOffset:
			if len(value) != 8 {
				return r.damage(offset, "time stamp offset of %d bytes", len(value))
			}
			c.offset = int64(r.u64(value))
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.interfaces = append(r.interfaces, i)
	r.clocks = append(r.clocks, c)
	r.counts = append(r.counts, counted{})
	return nil
}

func (r *pcapngReader) u64(b []byte) uint64 {
	if r.big {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// filterText reads an if_filter: a type byte, 0 for an expression. One that is cut for room ends so that it cannot be taken
// for another: "not port 22 and host 10.0.0.5" must not become "not port 22".
func (r *pcapngReader) filterText(value []byte) string {
	switch {
	case len(value) == 0:
		return ""
	case value[0] == 0:
		text := r.notes.text(value[1:])
		if len(text) < len(value)-1 {
			text += "…"
		}
		return text
	}
	return binaryFilter
}

// resolution reads an if_tsresol: a negative power of 10, or of 2 when the top bit is set. Exponents beyond these would
// overflow 64 bits, and divide by zero.
func resolution(value []byte) (units uint64, ok bool) {
	if len(value) != 1 {
		return 0, false
	}
	exponent := value[0] & 0x7f
	if value[0]&0x80 != 0 {
		return 1 << (exponent & 63), exponent <= 63
	}
	if exponent > 19 {
		return 0, false
	}
	units = 1
	for range exponent {
		units *= 10
	}
	return units, true
}

// statisticsBlock reads interface statistics: counters since the capture began, so that the last block counts.
func (r *pcapngReader) statisticsBlock(offset int64, body []byte) error {
	const fixed = 12
	if len(body) < fixed {
		return r.inside(offset, body, "statistics block of %d bytes: less than 24", len(body)+blockHeader+blockTrailer)
	}
	i, err := r.iface(offset, body, r.u32(body[0:4]))
	if err != nil {
		return err
	}
	n := &r.interfaces[i]
	var dropped uint64
	counts := false
	err = r.options(offset, body[fixed:], func(code uint16, value []byte) error {
		if code == optionComment {
			r.notes.comment(value)
		}
		if len(value) != 8 {
			return nil
		}
		switch code {
		case isbStart:
			r.counts[i].start = r.high32(value)
		case isbEnd:
			r.counts[i].end = r.high32(value)
		case isbReceived:
			n.Received = r.u64(value)
		case isbDropped, isbOSDrop:
			dropped += min(r.u64(value), math.MaxUint64-dropped)
			counts = true
		}
		return nil
	})
	if err == nil && counts {
		n.Dropped, n.Counted = dropped, true
	}
	return err
}

// intervals works out each interface's Start and End once the packets are known, which must lie within a day of them.
// dumpcap writes these two times in microseconds whatever the interface's resolution is: the plausible reading is taken,
// and none when neither is. The packets' times have been shifted, these two have not.
func (r *pcapngReader) intervals(first, last, shift int64, packets bool) {
	const dayNanos = day * 1e9
	for i := range r.interfaces {
		stated := r.counts[i]
		if stated.start == 0 || stated.end == 0 {
			continue
		}
		for _, units := range []uint64{r.clocks[i].units, 1e6} {
			c := clock{units: units, offset: r.clocks[i].offset}
			start, okStart := c.nanos(stated.start)
			end, okEnd := c.nanos(stated.end)
			start, end = start+shift, end+shift
			if !okStart || !okEnd || start > end || packets && (start < first-dayNanos || end > last+dayNanos) {
				continue
			}
			r.interfaces[i].Start, r.interfaces[i].End = start, end
			break
		}
	}
}

// nanos converts a time stamp into nanoseconds since 1970; false where it is no time of the calendar.
func (c clock) nanos(stamp uint64) (int64, bool) {
	seconds, nanos := c.time(stamp)
	return seconds*1e9 + nanos, seconds > 0 && seconds <= maxSecond
}
