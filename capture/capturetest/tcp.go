package capturetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// maxSegment is the payload of a full TCP segment: Ethernet's 1,500 bytes less two headers of 20.
const maxSegment = 1460

// maxStream bounds what one session line sends each way.
const maxStream = 16 << 20

// conn is one side of a connection or exchange: from sends, to receives.
type conn struct{ from, to netip.AddrPort }

func (c conn) turned() conn { return conn{c.to, c.from} }

// stream lays out the segments of one line, one step apart.
type stream struct {
	p    *parser
	at   time.Duration
	opt  options
	line conn
}

// segment adds a segment from the line's first end, or turned from its second, and steps on.
func (s *stream) segment(c conn, flags string, size int) {
	at, o := s.at, s.opt
	s.p.add(at, o, func(w *wire) (message, error) { return w.segment(c, flags, size, o) })
	s.at += s.opt.pace
}

func (s *stream) handshake() {
	s.segment(s.line, "S", 0)
	s.segment(s.line.turned(), "SA", 0)
	s.segment(s.line, "A", 0)
}

// data sends size bytes along c; the other end acknowledges every second segment and the last.
func (s *stream) data(c conn, size int) {
	for i := 1; size > 0; i++ {
		n := min(size, maxSegment)
		size -= n
		flags := "A"
		if size == 0 {
			flags = "PA"
		}
		s.segment(c, flags, n)
		if i%2 == 0 || size == 0 {
			s.segment(c.turned(), "A", 0)
		}
	}
}

func (s *stream) close() {
	s.segment(s.line, "FA", 0)
	s.segment(s.line.turned(), "FA", 0)
	s.segment(s.line, "A", 0)
}

func (p *parser) tcpLine(at time.Duration, c conn, w []string, o options) error {
	if len(w) == 0 {
		return errors.New("want flags, handshake, refused, open, session or midstream after /tcp")
	}
	s := stream{p, at, o, c}
	switch w[0] {
	case "open", "session", "midstream":
		return s.exchange(w)
	case "handshake", "refused":
		if len(w) > 1 {
			return fmt.Errorf("%s: takes no figures", w[0])
		}
		if w[0] == "handshake" {
			s.handshake()
			return nil
		}
		s.segment(c, "S", 0)
		s.segment(c.turned(), "RA", 0)
		return nil
	}
	return s.single(w)
}

// exchange is a line of open, session or midstream.
func (s *stream) exchange(w []string) error {
	if len(w) != 3 {
		return fmt.Errorf("want %s UP DOWN", w[0])
	}
	up, err := number(w[1], 0, maxStream)
	if err != nil {
		return err
	}
	down, err := number(w[2], 0, maxStream)
	if err != nil {
		return err
	}
	if w[0] != "midstream" {
		s.handshake()
	}
	s.data(s.line, up)
	s.data(s.line.turned(), down)
	if w[0] == "session" {
		s.close()
	}
	return nil
}

func isFlags(word string) bool { return strings.Trim(word, "FSRPAUEC") == "" }

// single is a line of flags.
func (s *stream) single(w []string) error {
	if !isFlags(w[0]) || len(w) > 2 {
		return fmt.Errorf("%q: want flags of F S R P A U E C and a length, or handshake, refused, open, session, midstream",
			strings.Join(w, " "))
	}
	size := 0
	if len(w) == 2 {
		var err error
		if size, err = number(w[1], 0, maxPayload); err != nil {
			return err
		}
	}
	s.segment(s.line, w[0], size)
	return nil
}

// tcpEnd is what one end of a connection has sent so far.
type tcpEnd struct {
	isn  uint32
	next uint32 // sequence number to come
	open bool   // the two are known
}

// tcpState is one connection, or the last of several between the same two ports.
type tcpState struct {
	a, b       tcpEnd // a is the end that sorts first
	beyond     bool   // more than SYNs were sent
	generation uint32
}

// key orders the two ends so that both directions find the same state.
func (c conn) key() (k conn, turned bool) {
	if c.from.Compare(c.to) > 0 {
		return c.turned(), true
	}
	return c, false
}

// numbers gives a segment its sequence and acknowledgement numbers and moves the connection on.
func (w *wire) numbers(c conn, flags string, size int, o options) (seq, ack uint32) {
	key, turned := c.key()
	state, ok := w.tcp[key]
	if !ok {
		state = &tcpState{}
		w.tcp[key] = state
	}
	syn, acked := strings.Contains(flags, "S"), strings.Contains(flags, "A")
	if syn && !acked && state.beyond {
		*state = tcpState{generation: state.generation + 1}
	}
	self, peer := &state.a, &state.b
	if turned {
		self, peer = peer, self
	}
	if !strings.Contains(flags, "R") {
		self.begin(c, state.generation)
	}
	if acked {
		peer.begin(c.turned(), state.generation)
		ack = peer.next
	}
	state.beyond = state.beyond || !syn || acked
	seq = self.next
	if syn {
		seq = self.isn
	}
	if o.seq != nil {
		seq = *o.seq
	}
	if o.ack != nil {
		ack = *o.ack
	}
	end := seq + uint32(size)
	if syn {
		end++
	}
	if strings.Contains(flags, "F") {
		end++
	}
	if self.open && (o.seq != nil || int32(end-self.next) > 0) {
		self.next = end
	}
	return seq, ack
}

// begin gives an end its numbers. Its SYN counts as sent: it stands in the story, or it was sent before or unseen.
func (e *tcpEnd) begin(c conn, generation uint32) {
	if !e.open {
		e.isn = initialSequence(c, generation)
		e.next, e.open = e.isn+1, true
	}
}

// initialSequence makes a connection's initial sequence number from its ends and its place among their connections.
func initialSequence(c conn, generation uint32) uint32 {
	h := fnv.New32a()
	for _, end := range []netip.AddrPort{c.from, c.to} {
		h.Write(end.Addr().AsSlice())
		h.Write(binary.BigEndian.AppendUint16(nil, end.Port()))
	}
	h.Write(binary.BigEndian.AppendUint32(nil, generation))
	return h.Sum32()
}

// segment is one TCP segment as it goes to the IP layer. A SYN carries the segment size option, as every stack sends it.
func (w *wire) segment(c conn, flags string, size int, o options) (message, error) {
	seq, ack := w.numbers(c, flags, size, o)
	has := func(flag string) bool { return strings.Contains(flags, flag) }
	t := &layers.TCP{
		SrcPort: layers.TCPPort(c.from.Port()), DstPort: layers.TCPPort(c.to.Port()),
		Seq: seq, Ack: ack, Window: 65535,
		FIN: has("F"), SYN: has("S"), RST: has("R"), PSH: has("P"),
		ACK: has("A"), URG: has("U"), ECE: has("E"), CWR: has("C"),
	}
	if t.SYN {
		mss := binary.BigEndian.AppendUint16(nil, maxSegment)
		t.Options = []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: mss}}
	}
	return transport(c, layers.IPProtocolTCP, t, size)
}

// datagram is one UDP datagram as it goes to the IP layer.
func (w *wire) datagram(c conn, size int) (message, error) {
	u := &layers.UDP{SrcPort: layers.UDPPort(c.from.Port()), DstPort: layers.UDPPort(c.to.Port())}
	return transport(c, layers.IPProtocolUDP, u, size)
}

// checksummed is a layer whose checksum covers the addresses.
type checksummed interface {
	gopacket.SerializableLayer
	SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
}

// transport serialises a TCP or UDP header over size bytes of zeros.
func transport(c conn, proto layers.IPProtocol, l checksummed, size int) (message, error) {
	m := message{src: c.from.Addr(), dst: c.to.Addr(), proto: proto, flow: c}
	if err := l.SetNetworkLayerForChecksum(m.network(0)); err != nil {
		return m, err
	}
	var err error
	m.body, err = serialize(l, gopacket.Payload(make([]byte, size)))
	return m, err
}
