package flowrecord

import (
	"encoding/binary"
	"net/netip"

	"github.com/netsampler/goflow2/v2/decoders/netflow"
)

// Information elements that are read (IANA, IPFIX Information Elements); those below 128 are NetFlow 9's as well.
const (
	ieOctets             = 1
	iePackets            = 2
	ieProtocol           = 4
	ieTCPFlags           = 6
	ieSrcPort            = 7
	ieSrcIPv4            = 8
	ieDstPort            = 11
	ieDstIPv4            = 12
	ieEndUptime          = 21
	ieStartUptime        = 22
	ieOutOctets          = 23
	ieOutPackets         = 24
	ieSrcIPv6            = 27
	ieDstIPv6            = 28
	ieSamplingInterval   = 34
	ieSamplerInterval    = 50
	ieVLAN               = 58
	ieTotalOctets        = 85
	ieTotalPackets       = 86
	ieStartSeconds       = 150
	ieEndSeconds         = 151
	ieStartMillis        = 152
	ieEndMillis          = 153
	ieStartMicros        = 154
	ieEndMicros          = 155
	ieStartNanos         = 156
	ieEndNanos           = 157
	ieStartDelta         = 158
	ieEndDelta           = 159
	ieBoot               = 160
	ieDot1qVLAN          = 243
	ieSamplingPopulation = 310
	ieSamplingSize       = 309
	ieSamplingSpace      = 306
)

// penReverse marks the fields of the other direction of a biflow (RFC 5103).
const penReverse = 29305

// clock is what a datagram says of time.
type clock struct {
	exported  int64  // nanoseconds since 1970 UTC
	uptime    uint32 // milliseconds since the exporter started, at that time
	hasUptime bool
	boot      int64 // when the exporter started, nanoseconds since 1970 UTC; 0: not told
}

// atUptime returns a time that is given as milliseconds since the exporter started, which come round after 49 days.
func (c *clock) atUptime(millis uint32) int64 {
	return c.exported - int64(int32(c.uptime-millis))*1e6
}

// fields are the values of one data record while it is read: of its direction, and of the other one of a biflow.
type fields struct {
	clock        *clock
	ways         [2]way
	ports, addrs int // how many were there
	proto        bool
	record       Record
}

// way is one direction.
type way struct {
	bytes, packets       uint64
	outBytes, outPackets uint64
	flags                uint8
	first, last          int64 // nanoseconds since 1970 UTC
	start, end           uint32
	timed, up            bool // first and last, start and end are there
	counted              bool
}

// fromFields makes a record of the values of a data record.
func fromFields(values []netflow.DataField, c *clock) (Record, Skip) {
	f := fields{clock: c}
	for i := range values {
		v, ok := values[i].Value.([]byte)
		switch {
		case !ok || len(v) == 0:
		case !values[i].PenProvided:
			f.own(values[i].Type, v)
			f.ways[0].field(values[i].Type, v, c)
		case values[i].Pen == penReverse:
			f.ways[1].field(values[i].Type, v, c)
		}
	}
	return f.close()
}

// own takes a field that both directions share.
func (f *fields) own(element uint16, v []byte) {
	r, n := &f.record, unsigned(v)
	switch element {
	case ieProtocol:
		r.Proto, f.proto = uint8(n), true
	case ieSrcIPv4, ieSrcIPv6:
		f.address(&r.Src, v)
	case ieDstIPv4, ieDstIPv6:
		f.address(&r.Dst, v)
	case ieSrcPort:
		r.Src = netip.AddrPortFrom(r.Src.Addr(), uint16(n))
		f.ports++
	case ieDstPort:
		r.Dst = netip.AddrPortFrom(r.Dst.Addr(), uint16(n))
		f.ports++
	case ieVLAN, ieDot1qVLAN:
		r.VLAN = uint16(n & 0xfff)
	case ieBoot:
		f.clock.boot = scaled(n, 1e6)
	case ieSamplingInterval, ieSamplerInterval:
		r.Sampled = r.Sampled || n > 1
	case ieSamplingSpace:
		r.Sampled = r.Sampled || n > 0
	}
}

// address takes an address. A template may have fields of both families; the one that is not the record's is zero.
func (f *fields) address(of *netip.AddrPort, v []byte) {
	a, ok := netip.AddrFromSlice(v)
	if !ok || a.IsUnspecified() && of.Addr().IsValid() {
		return
	}
	*of = netip.AddrPortFrom(a.Unmap(), of.Port())
	f.addrs++
}

// field takes a field of one direction.
func (w *way) field(element uint16, v []byte, c *clock) {
	n := unsigned(v)
	switch element {
	case ieOctets:
		w.bytes += n
	case iePackets:
		w.packets, w.counted = w.packets+n, true
	case ieTotalOctets:
		w.bytes = max(w.bytes, n)
	case ieTotalPackets:
		w.packets, w.counted = max(w.packets, n), true
	case ieOutOctets:
		w.outBytes = n
	case ieOutPackets:
		w.outPackets, w.counted = n, true
	case ieTCPFlags:
		w.flags = uint8(n)
	case ieStartUptime:
		w.start, w.up = uint32(n), true
	case ieEndUptime:
		w.end, w.up = uint32(n), true
	default:
		w.time(element, n, c)
	}
}

// time takes a field that is a time.
func (w *way) time(element uint16, n uint64, c *clock) {
	var at int64
	switch element {
	case ieStartSeconds, ieEndSeconds:
		at = scaled(n, 1e9)
	case ieStartMillis, ieEndMillis:
		at = scaled(n, 1e6)
	case ieStartMicros, ieEndMicros, ieStartNanos, ieEndNanos:
		at = fromNTP(n)
	case ieStartDelta, ieEndDelta:
		at = c.exported - scaled(n, 1e3)
	default:
		return
	}
	w.timed = true
	switch element {
	case ieStartSeconds, ieStartMillis, ieStartMicros, ieStartNanos, ieStartDelta:
		w.first = at
	default:
		w.last = at
	}
}

// scaled multiplies without coming round; what is too much stays too much.
func scaled(n, by uint64) int64 {
	const most = 1 << 62
	return int64(min(n, most/by) * by)
}

// fromNTP reads a time in the NTP format (RFC 7011, 6.1.9): seconds since 1900 and a fraction of 32 bits.
func fromNTP(n uint64) int64 {
	const from1900to1970 = 2208988800
	return (int64(n>>32)-from1900to1970)*1e9 + int64(n&0xffffffff*1e9>>32)
}

// close makes the record of the fields.
func (f *fields) close() (Record, Skip) {
	r := &f.record
	if !f.proto {
		return *r, BadFields
	}
	if why := byProtocol(r.Proto); why != Kept {
		return *r, why
	}
	if f.addrs < 2 || f.ports < 2 || !f.ways[0].counted {
		return *r, BadFields
	}
	r.Sent, r.Received = f.side(&f.ways[0]), f.side(&f.ways[1])
	if r.Received.Packets > 0 && r.Received.First == r.Sent.First {
		r.begins()
	}
	return *r, r.check()
}

// side returns what one direction sent. Without times of its own, a flow is of the time of its export.
func (f *fields) side(w *way) Side {
	s := Side{Packets: w.packets, Bytes: w.bytes, First: f.clock.exported, Last: f.clock.exported}
	if s.Packets == 0 {
		s.Packets, s.Bytes = w.outPackets, w.outBytes
	}
	switch {
	case w.timed:
		s.First, s.Last = w.first, w.last
		if s.First == 0 {
			s.First = s.Last
		}
	case w.up && f.clock.boot > 0:
		s.First, s.Last = f.clock.boot+int64(w.start)*1e6, f.clock.boot+int64(w.end)*1e6
	case w.up && f.clock.hasUptime:
		s.First, s.Last = f.clock.atUptime(w.start), f.clock.atUptime(w.end)
	}
	s.tell(w.flags, f.record.Proto)
	return s
}

// learn takes what option data say of the exporter: when it started, and whether it looks at some packets only.
func (x *exporter) learn(values []netflow.DataField) {
	var size, population uint64
	for i := range values {
		v, ok := values[i].Value.([]byte)
		if !ok || values[i].PenProvided {
			continue
		}
		switch n := unsigned(v); values[i].Type {
		case ieBoot:
			x.boot = scaled(n, 1e6)
		case ieSamplingInterval, ieSamplerInterval:
			x.sampled = x.sampled || n > 1
		case ieSamplingSpace:
			x.sampled = x.sampled || n > 0
		case ieSamplingSize:
			size = n
		case ieSamplingPopulation:
			population = n
		}
	}
	x.sampled = x.sampled || population > size && size > 0
}

// unsigned reads a number in network order, of any length that IPFIX may shorten it to (RFC 7011, 6.2); of a longer field, the
// last eight bytes.
func unsigned(v []byte) (n uint64) {
	if len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	for _, b := range v[max(len(v)-8, 0):] {
		n = n<<8 | uint64(b)
	}
	return n
}
