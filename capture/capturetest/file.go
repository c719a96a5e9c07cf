package capturetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/google/gopacket/layers"
)

// linkType is a LINKTYPE_ value (tcpdump.org/linktypes.html). gopacket's own has 8 bits, which Linux cooked v2 exceeds.
type linkType uint16

const (
	linkNull     linkType = 0
	linkEthernet linkType = 1
	linkRaw      linkType = 101
	linkSLL      linkType = 113
	linkSLL2     linkType = 276
)

func (l linkType) String() string {
	switch l {
	case linkNull:
		return "null"
	case linkRaw:
		return "raw"
	case linkSLL:
		return "sll"
	case linkSLL2:
		return "sll2"
	}
	return "ethernet"
}

func linkNamed(name string) (linkType, error) {
	for _, l := range []linkType{linkEthernet, linkSLL, linkSLL2, linkRaw, linkNull} {
		if l.String() == name {
			return l, nil
		}
	}
	return 0, errors.New("want ethernet, sll, sll2, raw or null")
}

// hasARP reports whether frames of the link type say what protocol they carry.
func (l linkType) hasARP() bool { return l == linkEthernet || l == linkSLL || l == linkSLL2 }

// fileFormat is the file line.
type fileFormat struct {
	pcapng      bool
	link        linkType
	nanoseconds bool
	bigEndian   bool
	snaplen     int // 0: frames are not cut

	// What only pcapng records of its interface.
	name, filter      string
	dropped, received int // valid iff counted
	counted           bool
	began, ended      time.Duration // valid iff timed
	timed             bool
}

func (f *fileFormat) set(words []string) error {
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if err := f.setOne(key, value); err != nil {
			return fmt.Errorf("%s: %w", word, err)
		}
	}
	if !f.pcapng && (f.name != "" || f.filter != "" || f.counted || f.timed) {
		return errors.New("only pcapng records interface, filter, drops and interval: begin with file pcapng")
	}
	return nil
}

func (f *fileFormat) setOne(key, value string) (err error) {
	switch key {
	case "pcap":
		f.pcapng = false
	case "pcapng":
		f.pcapng = true
	case "nanoseconds":
		f.nanoseconds = true
	case "big-endian":
		f.bigEndian = true
	case "link":
		f.link, err = linkNamed(value)
	case "snaplen":
		f.snaplen, err = number(value, 1, 262144)
	case "interface":
		f.name = value
	case "filter":
		f.filter = value
	case "drops":
		dropped, received, _ := strings.Cut(value, "/")
		if f.received, err = number(received, 0, 1<<40); err == nil {
			f.dropped, err = number(dropped, 0, f.received)
		}
		f.counted = true
	case "interval":
		f.began, f.ended, err = interval(value)
		f.timed = true
	default:
		return errors.New("want pcap, pcapng, nanoseconds, big-endian, link=, snaplen=, interface=, filter=, drops=, interval=")
	}
	return err
}

func (f *fileFormat) order() binary.AppendByteOrder {
	if f.bigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// recordedSnaplen is what the header says where frames are not cut: tcpdump's own figure.
func (f *fileFormat) recordedSnaplen() uint32 {
	if f.snaplen == 0 {
		return 262144
	}
	return uint32(f.snaplen)
}

// frame puts the link header before a packet.
func (f *fileFormat) frame(src, dst net.HardwareAddr, vlans []uint16, kind layers.EthernetType, packet []byte) []byte {
	tagged, payload := tag(vlans, kind, packet)
	switch f.link {
	case linkRaw:
		return slices.Clone(packet)
	case linkNull:
		return append(f.order().AppendUint32(nil, family(kind)), packet...)
	case linkSLL:
		b := binary.BigEndian.AppendUint16(nil, packetType(dst))
		b = append(b, 0, 1, 0, 6) // ARPHRD_ETHER, six bytes of address
		b = append(append(b, src...), 0, 0)
		return append(binary.BigEndian.AppendUint16(b, uint16(tagged)), payload...)
	case linkSLL2:
		b := binary.BigEndian.AppendUint16(nil, uint16(tagged))
		b = append(b, 0, 0, 0, 0, 0, 2, 0, 1, byte(packetType(dst)), 6) // reserved, interface 2, ARPHRD_ETHER
		b = append(append(b, src...), 0, 0)
		return append(b, payload...)
	}
	b := slices.Concat(dst, src)
	b = append(binary.BigEndian.AppendUint16(b, uint16(tagged)), payload...)
	const shortest = 60 // without the frame check sequence
	return append(b, make([]byte, max(0, shortest-len(b)))...)
}

// tag puts VLAN tags before a packet, the outer ones of several as 802.1ad.
func tag(vlans []uint16, kind layers.EthernetType, packet []byte) (layers.EthernetType, []byte) {
	for i, id := range slices.Backward(vlans) {
		b := binary.BigEndian.AppendUint16(nil, id)
		packet = append(binary.BigEndian.AppendUint16(b, uint16(kind)), packet...)
		kind = layers.EthernetTypeDot1Q
		if i < len(vlans)-1 {
			kind = layers.EthernetTypeQinQ
		}
	}
	return kind, packet
}

// family is the address family of BSD loopback; that of IPv6 is macOS's of three in use (24, 28, 30).
func family(kind layers.EthernetType) uint32 {
	if kind == layers.EthernetTypeIPv6 {
		return 30
	}
	return 2
}

// packetType is Linux cooked capture's first field: to us, broadcast or multicast.
func packetType(dst net.HardwareAddr) uint16 {
	switch {
	case bytes.Equal(dst, broadcast()):
		return 1
	case dst[0]&1 == 1:
		return 2
	}
	return 0
}

// pcap writes the format of draft-ietf-opsawg-pcap.
func (s *Story) pcap() []byte {
	o, unit, magic := s.file.order(), time.Microsecond, uint32(0xa1b2c3d4)
	if s.file.nanoseconds {
		unit, magic = time.Nanosecond, 0xa1b23c4d
	}
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(o.AppendUint16(b, 2), 4)
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(b, s.file.recordedSnaplen())
	b = o.AppendUint32(b, uint32(s.file.link))
	for _, f := range s.frames {
		b = o.AppendUint32(b, uint32(f.Time.Unix()))
		b = o.AppendUint32(b, uint32(time.Duration(f.Time.Nanosecond())/unit))
		b = o.AppendUint32(b, uint32(len(f.Data)))
		b = o.AppendUint32(b, uint32(f.WireLen))
		b = append(b, f.Data...)
	}
	return b
}

// Block types and options of draft-ietf-opsawg-pcapng.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockStatistics = 5
	blockPacket     = 6

	optName       = 2
	optResolution = 9
	optFilter     = 11

	optStarted  = 2
	optEnded    = 3
	optReceived = 4
	optDropped  = 5
)

// pcapng writes one section with one interface, and its statistics at the end where the file line has any.
func (s *Story) pcapng() []byte {
	o := s.file.order()
	section := o.AppendUint16(o.AppendUint16(o.AppendUint32(nil, 0x1a2b3c4d), 1), 0)
	section = o.AppendUint64(section, 1<<64-1) // length not given
	all := block(o, blockSection, section)
	all = append(all, block(o, blockInterface, s.interfaceBody(o))...)
	for _, f := range s.frames {
		body := s.stamp(o, o.AppendUint32(nil, 0), f.Time)
		body = o.AppendUint32(o.AppendUint32(body, uint32(len(f.Data))), uint32(f.WireLen))
		all = append(all, block(o, blockPacket, append(body, f.Data...))...)
	}
	if s.file.counted || s.file.timed {
		all = append(all, block(o, blockStatistics, s.statisticsBody(o))...)
	}
	return all
}

func (s *Story) interfaceBody(o binary.AppendByteOrder) []byte {
	b := o.AppendUint16(o.AppendUint16(nil, uint16(s.file.link)), 0)
	b = o.AppendUint32(b, s.file.recordedSnaplen())
	if s.file.name != "" {
		b = option(o, b, optName, []byte(s.file.name))
	}
	if s.file.filter != "" {
		b = option(o, b, optFilter, append([]byte{0}, s.file.filter...)) // 0: in libpcap's words
	}
	if s.file.nanoseconds {
		b = option(o, b, optResolution, []byte{9})
	}
	return option(o, b, 0, nil)
}

func (s *Story) statisticsBody(o binary.AppendByteOrder) []byte {
	last := s.start
	if n := len(s.frames); n > 0 {
		last = s.frames[n-1].Time
	}
	b := s.stamp(o, o.AppendUint32(nil, 0), last)
	if s.file.timed {
		b = option(o, b, optStarted, s.stamp(o, nil, s.start.Add(s.file.began)))
		b = option(o, b, optEnded, s.stamp(o, nil, s.start.Add(s.file.ended)))
	}
	if s.file.counted {
		b = option(o, b, optReceived, o.AppendUint64(nil, uint64(s.file.received)))
		b = option(o, b, optDropped, o.AppendUint64(nil, uint64(s.file.dropped)))
	}
	return option(o, b, 0, nil)
}

// stamp appends a time in the interface's resolution, high half first.
func (s *Story) stamp(o binary.AppendByteOrder, b []byte, t time.Time) []byte {
	units := uint64(t.UnixMicro())
	if s.file.nanoseconds {
		units = uint64(t.UnixNano())
	}
	return o.AppendUint32(o.AppendUint32(b, uint32(units>>32)), uint32(units))
}

func option(o binary.AppendByteOrder, b []byte, code uint16, value []byte) []byte {
	b = o.AppendUint16(o.AppendUint16(b, code), uint16(len(value)))
	return pad4(append(b, value...))
}

func block(o binary.AppendByteOrder, kind uint32, body []byte) []byte {
	body = pad4(body)
	length := uint32(len(body) + 12)
	b := o.AppendUint32(o.AppendUint32(nil, kind), length)
	return o.AppendUint32(append(b, body...), length)
}

func pad4(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }
