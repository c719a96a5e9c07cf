package capturetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// maxPayload is what fits into one IPv4 packet under a TCP header with one option.
const maxPayload = 65535 - 20 - 24

const etherTypeRARP layers.EthernetType = 0x8035

// message is what one event sends: an IP payload, or the body of another ethertype.
type message struct {
	src, dst netip.Addr // valid iff etherType is 0
	proto    layers.IPProtocol
	flow     conn // valid iff proto is TCP or UDP

	etherType      layers.EthernetType // 0 for IP
	srcMAC, dstMAC net.HardwareAddr    // valid iff etherType is not 0

	body []byte
}

// wire sends events in the order of time and keeps what later ones depend on.
type wire struct {
	parser *parser
	macs   map[netip.Addr]net.HardwareAddr
	tcp    map[conn]*tcpState
	ids    map[netip.Addr]uint16 // the last IP identification of each sender
	sent   map[sentKey][]byte    // the last IP packet of each flow, for ICMP to quote
}

type sentKey struct {
	conn
	proto layers.IPProtocol
}

func newWire(p *parser) *wire {
	w := &wire{
		parser: p,
		macs:   map[netip.Addr]net.HardwareAddr{},
		tcp:    map[conn]*tcpState{},
		ids:    map[netip.Addr]uint16{},
		sent:   map[sentKey][]byte{},
	}
	for _, h := range slices.Backward(p.order) {
		w.macs[h.addr] = h.mac
	}
	return w
}

func (w *wire) nonIP(kind layers.EthernetType, src, dst net.HardwareAddr, body []byte) (message, error) {
	if !w.parser.file.link.hasARP() {
		return message{}, fmt.Errorf("link %v carries nothing but IP", w.parser.file.link)
	}
	return message{etherType: kind, srcMAC: src, dstMAC: dst, body: body}, nil
}

// duplicateDelay is how much later a switch's mirror port repeats a frame.
const duplicateDelay = 10 * time.Microsecond

// frames are what one event puts on the wire.
func (w *wire) frames(e event) ([]Frame, error) {
	m, err := e.encode(w)
	if err != nil {
		return nil, err
	}
	if m.etherType == 0 {
		w.ids[m.src]++
	}
	frames, err := w.copyOf(m, e.at, e.opt)
	if err != nil || !e.opt.dup {
		return frames, err
	}
	if e.opt.routed {
		e.opt.ttl--
		e.opt.vlans = slices.Clone(e.opt.vlans)
		if n := len(e.opt.vlans); n > 0 {
			e.opt.vlans[n-1]++
		}
	}
	again, err := w.copyOf(m, e.at+duplicateDelay, e.opt)
	return append(frames, again...), err
}

// copyOf is one copy of a message: a frame, or several where it is fragmented.
func (w *wire) copyOf(m message, at time.Duration, o options) ([]Frame, error) {
	packets := [][]byte{m.body}
	etherType, src, dst := m.etherType, m.srcMAC, m.dstMAC
	if etherType == 0 {
		var err error
		if packets, err = w.packets(m, o); err != nil {
			return nil, err
		}
		etherType, src, dst = etherTypeOf(m.dst), w.mac(m.src), w.destination(m.dst)
	}
	if o.cast {
		dst = broadcast()
	}
	var frames []Frame
	for _, packet := range packets {
		data := w.parser.file.frame(src, dst, o.vlans, etherType, packet)
		frame := Frame{Time: w.parser.start.Add(at), WireLen: len(data), Data: data}
		for _, limit := range []int{o.snap, w.parser.file.snaplen} {
			if limit > 0 {
				frame.Data = frame.Data[:min(limit, len(frame.Data))]
			}
		}
		frames = append(frames, frame)
	}
	return frames, nil
}

// packets are the IP packets of a message: one, or its fragments.
func (w *wire) packets(m message, o options) ([][]byte, error) {
	h := header{ttl: o.ttl, id: w.ids[m.src]}
	room := o.mtu - m.headerLen()
	if len(m.body) <= room {
		if o.frag != "" {
			return nil, fmt.Errorf("frag=%s: %d bytes fit one packet of %d: make it larger", o.frag, len(m.body), o.mtu)
		}
		h.whole = true
		packet, err := ipPacket(m, h, m.body)
		w.sent[sentKey{m.flow, m.proto}] = packet
		return [][]byte{packet}, err
	}
	if m.src.Is6() {
		room -= fragmentHeaderLen
	}
	room &^= 7 // fragments begin at multiples of 8 bytes
	var all [][]byte
	for at := 0; at < len(m.body); at += room {
		h.offset, h.more = at, at+room < len(m.body)
		packet, err := ipPacket(m, h, m.body[at:min(at+room, len(m.body))])
		if err != nil {
			return nil, err
		}
		all = append(all, packet)
	}
	w.sent[sentKey{m.flow, m.proto}] = all[0]
	switch o.frag {
	case "first":
		return all[:1], nil
	case "later":
		return all[1:], nil
	}
	return all, nil
}

// header is what an IP header says besides addresses and protocol.
type header struct {
	ttl    uint8
	id     uint16
	whole  bool // no fragment
	offset int  // of a fragment, in bytes
	more   bool // more fragments follow
}

// fragmentHeaderLen is the length of IPv6's fragment header (RFC 8200 section 4.5).
const fragmentHeaderLen = 8

func (m *message) headerLen() int {
	if m.src.Is4() {
		return 20
	}
	return 40
}

// network is the message's IP layer, as far as checksums need it.
func (m *message) network(ttl uint8) gopacket.NetworkLayer {
	if m.src.Is4() {
		return &layers.IPv4{
			Version: 4, IHL: 5, TTL: ttl, Protocol: m.proto,
			SrcIP: m.src.AsSlice(), DstIP: m.dst.AsSlice(),
		}
	}
	return &layers.IPv6{
		Version: 6, HopLimit: ttl, NextHeader: m.proto,
		SrcIP: m.src.AsSlice(), DstIP: m.dst.AsSlice(),
	}
}

// ipPacket serialises a whole packet or one fragment.
func ipPacket(m message, h header, chunk []byte) ([]byte, error) {
	switch l := m.network(h.ttl).(type) {
	case *layers.IPv4:
		l.Id, l.FragOffset = h.id, uint16(h.offset/8)
		if h.more {
			l.Flags = layers.IPv4MoreFragments
		}
		return serialize(l, gopacket.Payload(chunk))
	case *layers.IPv6:
		if !h.whole {
			l.NextHeader = layers.IPProtocolIPv6Fragment
			chunk = append(fragmentHeader(m.proto, h), chunk...)
		}
		return serialize(l, gopacket.Payload(chunk))
	}
	return nil, errors.New("neither IPv4 nor IPv6")
}

func fragmentHeader(proto layers.IPProtocol, h header) []byte {
	offset := uint16(h.offset)
	if h.more {
		offset |= 1
	}
	b := binary.BigEndian.AppendUint16([]byte{byte(proto), 0}, offset)
	return binary.BigEndian.AppendUint32(b, uint32(h.id))
}

func serialize(all ...gopacket.SerializableLayer) ([]byte, error) {
	buf := gopacket.NewSerializeBuffer()
	opts := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buf, opts, all...); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func etherTypeOf(a netip.Addr) layers.EthernetType {
	if a.Is4() {
		return layers.EthernetTypeIPv4
	}
	return layers.EthernetTypeIPv6
}

func broadcast() net.HardwareAddr { return net.HardwareAddr{255, 255, 255, 255, 255, 255} }

// mac returns the MAC address of a host, made from its IP address where the story names none.
func (w *wire) mac(a netip.Addr) net.HardwareAddr {
	if mac, ok := w.macs[a]; ok {
		return mac
	}
	return macOf(a)
}

// macOf makes a locally administered MAC address from the last four bytes of an IP address.
func macOf(a netip.Addr) net.HardwareAddr {
	b := a.AsSlice()
	return append(net.HardwareAddr{0x02, 0}, b[len(b)-4:]...)
}

// destination returns the MAC address that a packet to a goes to: a group's own (RFC 1112, RFC 2464), everybody's for a
// broadcast address (x.x.x.255 is taken for one), a host's otherwise.
func (w *wire) destination(a netip.Addr) net.HardwareAddr {
	b := a.AsSlice()
	switch {
	case a.Is4() && a.IsMulticast():
		return net.HardwareAddr{0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]}
	case a.IsMulticast():
		return append(net.HardwareAddr{0x33, 0x33}, b[12:]...)
	case a.Is4() && b[3] == 255:
		return broadcast()
	}
	return w.mac(a)
}
