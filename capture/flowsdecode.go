package capture

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
)

// decoder takes the content of one section of a flows file apart. The first fault stays; what is read after it is zero.
type decoder struct {
	b      []byte
	before [2]netip.Addr // as in encoder
	fault  string
}

// refuse notes the first thing that is wrong.
func (d *decoder) refuse(format string, args ...any) {
	if d.fault == "" {
		d.fault = fmt.Sprintf(format, args...)
	}
	d.b = nil
}

// must refuses what does not hold.
func (d *decoder) must(holds bool, what string) {
	if !holds {
		d.refuse("%s", what)
	}
}

// bytes returns the next n bytes, or as many zeros where so many are not there: n is small then.
func (d *decoder) bytes(n int) []byte {
	if n > len(d.b) {
		d.refuse("an item ends too early")
		return make([]byte, min(n, 16))
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) byte() byte   { return d.bytes(1)[0] }
func (d *decoder) port() uint16 { return binary.BigEndian.Uint16(d.bytes(2)) }
func (d *decoder) word() uint32 { return binary.BigEndian.Uint32(d.bytes(4)) }
func (d *decoder) long() uint64 { return binary.BigEndian.Uint64(d.bytes(8)) }

// number returns a number of at most limit.
func (d *decoder) number(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit {
		d.refuse("a number is cut or too large")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) difference() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.refuse("a number is cut or too large")
		return 0
	}
	d.b = d.b[n:]
	return v
}

// maxTime bounds the times of a flows file, so that no difference of two of them overflows: the years 1824 to 2116.
const maxTime = 1 << 62

// time returns a time near base.
func (d *decoder) time(base int64) int64 {
	v := d.difference()
	t := base + v
	if overflow := v > 0 && t < base || v < 0 && t > base; overflow || t <= -maxTime || t >= maxTime {
		d.refuse("a time beyond the years 1824 to 2116")
		return 0
	}
	return t
}

// within returns a time that lies v after first and not after last.
func (d *decoder) within(first, last int64) int64 { return first + int64(d.number(uint64(last-first))) }

func (d *decoder) text() string {
	n := d.number(uint64(len(d.b)))
	return string(d.bytes(int(n)))
}

func (d *decoder) flag() bool {
	v := d.byte()
	d.must(v <= 1, "a flag is neither 0 nor 1")
	return v == 1
}

// maxPackets bounds counters of packets, so that sums over all captures of a run stay within 64 bits.
const maxPackets = 1 << 47

// capture reads what stands for a capture besides its tables, and the number of its flows.
func (d *decoder) capture(c *Capture) (flows uint64) {
	c.Name, c.Format = d.text(), d.text()
	c.Compression = d.text()
	c.Size, c.Expanded = int64(d.number(math.MaxInt64)), int64(d.number(math.MaxInt64))
	c.Shift = d.time(0)
	c.First, c.Last = d.time(0), d.time(0)
	d.must(c.First <= c.Last, "a capture ends before it begins")
	c.Digest = d.long()
	c.Interrupted = d.flag()
	d.damages(c)
	c.Commented, c.Named = d.number(maxPackets), d.number(maxPackets)
	c.Sample.Whole = d.flag()
	c.Filter = d.text()
	flows = d.number(math.MaxUint32)
	d.must(len(d.b) == 0, "a capture's section is too long")
	return flows
}

// takeInterface reads one interface into c.
func (d *decoder) takeInterface(c *Capture) {
	c.Interfaces = append(c.Interfaces, Interface{
		Name: d.text(), Description: d.text(), Filter: d.text(),
		Link: Link(d.number(math.MaxUint16)), SnapLen: uint32(d.number(math.MaxUint32)),
		Start: d.time(0), End: d.time(0),
		Counted: d.flag(), Received: d.number(math.MaxUint64), Dropped: d.number(math.MaxUint64),
	})
}

// stats reads the counters.
func (d *decoder) stats(s *Stats) {
	counters := statsCounters(s)
	before := ""
	for range d.number(uint64(len(counters))) {
		name := d.text()
		d.must(name > before, "the counters are out of order")
		counter, known := counters[name]
		if !known && d.fault == "" {
			d.refuse("the counter %.64q is unknown: written by a newer flowvet?", name)
		}
		if d.fault != "" {
			return
		}
		limit := uint64(maxPackets)
		if counter == &s.Bytes {
			limit = math.MaxUint64
		}
		*counter = d.number(limit)
		before = name
	}
	readCounted(d, &s.EtherTypes)
	readCounted(d, &s.Protocols)
	readCounted(d, &s.LinkTypes)
	readCounted(d, &s.VLANs)
	d.must(len(d.b) == 0, "a statistics section is too long")
	d.must(s.Balanced(), "the counters do not add up")
}

// readCounted reads a map of counters.
func readCounted[K ~uint8 | ~uint16](d *decoder, m *map[K]uint64) {
	next := uint64(0)
	for range d.number(uint64(^K(0)) + 1) {
		k := d.number(uint64(^K(0)))
		d.must(k >= next, "counted numbers are out of order")
		next = k + 1
		n := d.number(maxPackets)
		if d.fault != "" {
			return
		}
		count(m, K(k), n)
	}
}

// flow reads a flow whose first byte was kind. Its seconds may go on in further items.
func (d *decoder) flow(kind byte, base int64, file uint32) Flow {
	d.must(kind&^flowKinds == 0, "an unknown kind of flow")
	d.must(kind&(flowSideA|flowSideB) != 0, "a flow without a side")
	f := Flow{Proto: TCP}
	if kind&flowUDP != 0 {
		f.Proto = UDP
	}
	a, b := d.address(0, kind&flowIPv6 != 0), d.address(1, kind&flowIPv6 != 0)
	f.A, f.B = netip.AddrPortFrom(a, d.port()), netip.AddrPortFrom(b, d.port())
	d.must(f.A.Compare(f.B) <= 0, "the ends of a flow are the wrong way round")
	if kind&flowSegment != 0 {
		f.Segment = Segment(d.port())
		d.must(f.Segment > 0 && f.Segment <= maxVLANID+1, "a segment of no VLAN")
	}
	if kind&flowVLANs != 0 {
		f.VLANs = readSet(d, maxVLANs, d.port)
	}
	if kind&flowJoined != 0 {
		f.Joined.Flows, f.Joined.Acked = d.number(math.MaxUint32), d.number(math.MaxUint64)
		f.Joined.Unseen = d.number(f.Joined.Acked)
		d.must(f.Joined.Flows > 0, "a flow joined to none")
	}
	if kind&flowSideA != 0 {
		f.FromA = d.side(base, file)
	}
	if kind&flowSideB != 0 {
		f.FromB = d.side(base, file)
	}
	if first, _, some := f.interval(); some {
		f.Seconds = d.seconds(nil, floorSecond(first))
	}
	return f
}

// address reads an address.
func (d *decoder) address(place int, six bool) netip.Addr {
	size := 4
	if six {
		size = 16
	}
	var b [16]byte
	before := d.before[place].AsSlice()
	same := int(d.byte())
	if same > size || same > 0 && len(before) != size {
		d.refuse("an address continues one of another kind")
		same = 0
	}
	copy(b[:], before[:same])
	copy(b[same:size], d.bytes(size-same))
	a := netip.AddrFrom16(b)
	if !six {
		a = netip.AddrFrom4([4]byte(b[:4]))
	}
	d.before[place] = a
	return a
}

// readSet reads a sorted set that is not empty.
func readSet[T uint16 | uint32](d *decoder, limit int, read func() T) []T {
	n := int(d.byte())
	d.must(n >= 1 && n <= limit, "a set is empty or too large")
	var set []T
	for len(set) < n && d.fault == "" {
		v := read()
		d.must(len(set) == 0 || v > set[len(set)-1], "a set is out of order")
		set = append(set, v)
	}
	return set
}

// signsKnown are all the signs there are, signsQuoted those that come from quotes and not from packets of the side.
const (
	signsKnown  = 1<<15 - 1
	signsQuoted = Quoted | QuotedSYN
)

// side reads one side.
func (d *decoder) side(base int64, file uint32) Side {
	s := Side{Signs: Signs(d.number(signsKnown)), Packets: d.number(maxPackets)}
	d.must(s.some(), "a side without a packet")
	d.must(s.Packets > 0 || s.Signs&^signsQuoted == 0, "signs of packets that are not there")
	if s.Packets > 0 {
		d.sent(&s, base, file)
	}
	if s.Signs&Quoted != 0 {
		s.QuotedAt = d.time(base)
		s.QuoteRef = d.ref(0, file)
	}
	return s
}

// sent reads what a side's own packets showed.
func (d *decoder) sent(s *Side, base int64, file uint32) {
	s.Bytes, s.Content = d.number(math.MaxUint64), d.number(math.MaxUint64)
	s.First = d.time(base)
	s.Last = d.within(s.First, maxTime-1)
	s.PayloadMin = uint16(d.number(math.MaxUint16))
	s.PayloadMax = s.PayloadMin + uint16(d.number(uint64(math.MaxUint16-s.PayloadMin)))
	s.FirstRef = d.ref(0, file)
	if s.Signs&SYN != 0 {
		s.SYNAt = d.within(s.First, s.Last)
	}
	if s.Signs&SYNACK != 0 {
		s.SYNACKAt = d.within(s.First, s.Last)
	}
	if s.Signs&(SYN|SYNACK) != 0 {
		s.SYNRef = d.ref(s.FirstRef.Frame, file)
		s.ISNs = readSet(d, MaxISNs, d.word)
	}
	if s.Signs&RST != 0 {
		s.RSTAt = d.within(s.First, s.Last)
	}
	if s.Signs&ACK != 0 {
		s.LastACK = s.Last - int64(d.number(uint64(s.Last-s.First)))
		s.AckMin = d.word()
		s.AckMax = s.AckMin + uint32(d.number(uint64(math.MaxUint32-s.AckMin)))
	}
}

// ref reads a frame number from a smallest one.
func (d *decoder) ref(from uint64, file uint32) Ref {
	return Ref{File: file, Frame: from + d.number(math.MaxUint64-from)}
}

// seconds reads runs and appends them to a set that they must come after. from is the second that the first is near.
func (d *decoder) seconds(set Seconds, from int64) Seconds {
	const maxSeconds = maxTime / 1_000_000_000
	n := int(d.number(maxItemRuns))
	d.must(n > 0, "a set of seconds is empty")
	for i := range n {
		if d.fault != "" {
			return set
		}
		var first int64
		if i == 0 {
			first = from + max(min(d.difference(), 4*maxSeconds), -4*maxSeconds)
		} else {
			first = from + int64(d.number(2*maxSeconds))
		}
		last := first + int64(d.number(2*maxSeconds))
		d.must(first >= -maxSeconds-1 && last <= maxSeconds, "a second beyond the years 1824 to 2116")
		if k := len(set); k > 0 {
			d.must(first > set[k-1].Last+1, "seconds are out of order")
		}
		set = append(set, Run{first, last})
		from = last
	}
	return set
}

// spans reports whether the flow's seconds begin and end with its packets.
func (f *Flow) spans() bool {
	first, last, some := f.interval()
	if !some {
		return len(f.Seconds) == 0
	}
	span, ok := f.Seconds.Span()
	return ok && span == Run{floorSecond(first), floorSecond(last)}
}

// pair reads the head of one directed pair.
func (d *decoder) pair() Pair {
	six := d.flag()
	return Pair{From: d.address(0, six), To: d.address(1, six)}
}

// takePair reads one pair with its seconds into c, after the pair before.
func (d *decoder) takePair(c *Capture, before Pair) Pair {
	p := d.pair()
	d.must(before.compare(p) <= 0, "the pairs are out of order")
	if c.Table.Others == nil {
		c.Table.Others = make(map[Pair]Seconds)
	}
	if seconds := d.seconds(c.Table.Others[p], floorSecond(c.First)); d.fault == "" {
		c.Table.Others[p] = seconds
	}
	return p
}
