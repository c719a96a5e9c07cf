package capture

import "math"

// side is a half in 48 bytes of its 136, of which a packet touches all: what one end of nearly every flow shows can be
// said so. Its earliest SYN, SYN+ACK or reset is its first packet, where it has any; its latest acknowledgement is its
// last packet, where it has any. Of all other halves the side names the plain form, in Table.wides.
type side struct {
	first          int64  // where it is wide: its number
	mixed          uint64 // nanoseconds from the first to the last packet, above 16 bits of signs
	packets, bytes uint32
	content        uint32
	frame          uint32 // of the first packet; its file is the record's
	isn            uint32 // valid iff there is a SYN or SYN+ACK
	ackMin, ackMax uint32
	payMin, payMax uint16
}

const (
	wideSide  Signs = 1 << 15 // in side.mixed: the plain form is elsewhere
	signsBits       = 16
	longest         = 1<<(64-signsBits) - 1 // nanoseconds from the first to the last packet: 78 hours
)

// A brief side is all that is known of its flow, the seconds in which it had packets included: those of the next 14 after its
// first are bits of side.mixed, where the time of a longer flow would be.
const (
	briefBits   = 34 // of the nanoseconds from the first to the last packet: 17 seconds
	secondsBits = 64 - signsBits - briefBits

	withoutSeconds = 1<<(signsBits+briefBits) - 1 // mask of side.mixed
)

// seconds returns the seconds of a brief side.
func (s *side) seconds() recent {
	if s.packets == 0 {
		return recent{}
	}
	first := uint32(floorSecond(s.first))
	return recent{mask: s.mixed>>(signsBits+briefBits)<<1 | 1, head: first, base: first}
}

// withoutSeconds returns a brief side as any other.
func (s *side) withoutSeconds() side {
	plain := *s
	plain.mixed &= withoutSeconds
	return plain
}

// withSeconds returns a side, which is small, as a brief one; false where that cannot say it.
func (s *side) withSeconds(seconds *recent) (brief side, ok bool) {
	brief = *s
	brief.mixed |= seconds.mask >> 1 << (signsBits + briefBits)
	return brief, s.packets > 0 && s.mixed>>(signsBits+briefBits) == 0 && brief.seconds() == *seconds
}

// countBrief is count for a brief side, and reports whether it stays one: else the packet is still to be added.
func (s *side) countBrief(p *sighting, second int64) bool {
	after := uint64(second - floorSecond(s.first))
	if after > secondsBits {
		return false
	}
	seconds := s.mixed >> (signsBits + briefBits)
	s.mixed &= withoutSeconds
	ok := s.count(p)
	if ok {
		seconds |= 1 << after >> 1
	}
	s.mixed |= seconds << (signsBits + briefBits)
	return ok
}

func (s *side) signs() Signs { return Signs(s.mixed) }

// wide reports whether the plain form of the side is elsewhere.
func (s *side) wide() bool { return s.mixed&uint64(wideSide) != 0 }

// empty reports whether nothing was seen of the side.
func (s *side) empty() bool { return s.packets == 0 && s.mixed == 0 }

// handshake returns the sequence number's signs of a half.
const handshake = SYN | SYNACK

// half returns the plain form of a side that is not wide, in a record of that file.
func (s *side) half(file uint16) half {
	h := half{
		packets: uint64(s.packets), bytes: uint64(s.bytes), content: uint64(s.content), signs: s.signs(),
		payloadMin: s.payMin, payloadMax: s.payMax, isn: s.isn, ackMin: s.ackMin, ackMax: s.ackMax,
	}
	if h.packets == 0 {
		return h
	}
	h.first, h.last = s.first, s.first+int64(s.mixed>>signsBits)
	h.firstFile, h.firstFrame = uint32(file), uint64(s.frame)
	if h.signs&handshake != 0 {
		h.synFile, h.synFrame, h.hasISN = h.firstFile, h.firstFrame, true
	}
	if h.signs&SYN != 0 {
		h.synAt = h.first
	}
	if h.signs&SYNACK != 0 {
		h.synackAt = h.first
	}
	if h.signs&RST != 0 {
		h.rstAt = h.first
	}
	if h.signs&ACK != 0 {
		h.lastACK = h.last
	}
	return h
}

// show is half.show for a side that is not wide, which lasted so many nanoseconds. Through the plain form it took twice as long.
func (s *side) show(to *Side, file uint16, span uint64) {
	signs, first := s.signs(), Ref{uint32(file), uint64(s.frame)}
	last := s.first + int64(span)
	to.Packets, to.Bytes, to.Content = uint64(s.packets), uint64(s.bytes), uint64(s.content)
	to.First, to.Last, to.Signs = s.first, last, signs
	to.PayloadMin, to.PayloadMax, to.AckMin, to.AckMax = s.payMin, s.payMax, s.ackMin, s.ackMax
	to.SYNAt, to.SYNACKAt, to.RSTAt, to.LastACK = 0, 0, 0, 0
	to.FirstRef, to.SYNRef = Ref{}, Ref{}
	if s.packets == 0 {
		return
	}
	to.FirstRef = first
	if signs&handshake != 0 {
		to.SYNRef = first
	}
	if signs&SYN != 0 {
		to.SYNAt = s.first
	}
	if signs&SYNACK != 0 {
		to.SYNACKAt = s.first
	}
	if signs&RST != 0 {
		to.RSTAt = s.first
	}
	if signs&ACK != 0 {
		to.LastACK = last
	}
}

// small returns the half as a side; false where a side cannot say it. The rule is one: it must read back the same.
func (h *half) small() (side, bool) {
	s := side{
		first: h.first, mixed: uint64(h.last-h.first)<<signsBits | uint64(h.signs),
		packets: uint32(h.packets), bytes: uint32(h.bytes), content: uint32(h.content), frame: uint32(h.firstFrame),
		isn: h.isn, ackMin: h.ackMin, ackMax: h.ackMax, payMin: h.payloadMin, payMax: h.payloadMax,
	}
	return s, h.firstFile <= math.MaxUint16 && h.signs&wideSide == 0 && s.half(uint16(h.firstFile)) == *h
}

// begin makes an empty side that of one packet. Field by field: a literal was copied twice, and waited for.
func (s *side) begin(p *sighting) {
	s.first, s.mixed, s.packets, s.bytes, s.content, s.frame = p.ns, uint64(p.signs), 1, p.wireLen, p.content, uint32(p.frame)
	s.payMin = uint16(min(p.content, math.MaxUint16))
	s.payMax = s.payMin
	switch {
	case p.signs&handshake != 0:
		s.isn = p.number
	case p.signs&ACK != 0:
		s.ackMin, s.ackMax = p.number, p.number
	}
}

// count adds a packet of the record's file to a side that stays small, and reports whether it has: else the packet is to
// be added to the plain form. It is [half.add] for the packets that come all the time.
func (s *side) count(p *sighting) bool {
	signs, age, span := s.signs(), uint64(p.ns-s.first), s.mixed>>signsBits
	packets, bytes, content := s.packets+1, s.bytes+p.wireLen, s.content+p.content
	if signs&wideSide != 0 || packets <= 1 || p.ns < s.first || age > longest || p.frame < uint64(s.frame) || bytes < p.wireLen || content < p.content {
		return false
	}
	switch kind := p.signs & (handshake | ACK | RST); {
	case kind == ACK && signs&ACK != 0:
		s.ackMin, s.ackMax = min(s.ackMin, p.number), max(s.ackMax, p.number)
	case signs&ACK != 0 && age > span, // its last packet is no acknowledgement
		kind == ACK && age < span,                                     // nor is this
		kind&handshake != 0 && (signs&kind == 0 || s.isn != p.number), // another connection, or the answer to one
		kind == RST && signs&RST == 0:
		return false
	case kind == ACK:
		s.ackMin, s.ackMax = p.number, p.number
	}
	payload := uint16(min(p.content, math.MaxUint16))
	s.payMin, s.payMax = min(s.payMin, payload), max(s.payMax, payload)
	s.packets, s.bytes, s.content = packets, bytes, content
	s.mixed = max(span, age)<<signsBits | uint64(signs|p.signs)
	return true
}

// withLater returns what two sides of one flow add up to. The packets of o are of the same file, and
// behind so many others in front of the first that it counts. False: they are to be added in their plain form. It is
// [half.merge] for the sides whose first packet is that of s.
func withLater(s, o *side, before uint64) (sum side, ok bool) {
	switch {
	case o.empty():
		return *s, !s.wide()
	case s.empty():
		frame := before + uint64(o.frame)
		sum = *o
		sum.frame = uint32(frame)
		return sum, !o.wide() && frame <= math.MaxUint32
	}
	sum = *s
	return sum, sum.append(o, before)
}

// append adds a side as withLater does, and reports whether the result is right.
func (s *side) append(o *side, before uint64) bool {
	a, b := s.signs(), o.signs()
	shift, span, theirs := uint64(o.first-s.first), s.mixed>>signsBits, o.mixed>>signsBits
	packets, bytes, content := s.packets+o.packets, s.bytes+o.bytes, s.content+o.content
	switch {
	case (a|b)&wideSide != 0, s.packets == 0, o.packets == 0,
		o.first < s.first, shift > longest, shift+theirs > longest, before+uint64(o.frame) < uint64(s.frame),
		packets < s.packets, bytes < s.bytes, content < s.content,
		b&(handshake|RST)&^a != 0,            // the first of its kind is not the first packet
		b&handshake != 0 && o.isn != s.isn,   // another connection
		a&^b&ACK != 0 && shift+theirs > span, // the last packet is no acknowledgement
		b&^a&ACK != 0 && shift+theirs < span:
		return false
	case a&b&ACK != 0:
		s.ackMin, s.ackMax = min(s.ackMin, o.ackMin), max(s.ackMax, o.ackMax)
	case b&ACK != 0:
		s.ackMin, s.ackMax = o.ackMin, o.ackMax
	}
	s.payMin, s.payMax = min(s.payMin, o.payMin), max(s.payMax, o.payMax)
	s.packets, s.bytes, s.content = packets, bytes, content
	s.mixed = max(span, shift+theirs)<<signsBits | uint64(a|b)
	return true
}
