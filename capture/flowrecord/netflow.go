package flowrecord

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/netsampler/goflow2/v2/decoders/netflow"
	"github.com/netsampler/goflow2/v2/decoders/netflowlegacy"
)

// Versions of the export protocols, as the first two bytes of a datagram say them.
const (
	netflow5 = 5
	netflow9 = 9
	ipfix    = 10
)

// NetFlow reads export datagrams: NetFlow 5, NetFlow 9 (RFC 3954) and IPFIX (RFC 7011), told apart by their versions. The zero
// value is ready to use.
type NetFlow struct {
	// Lost is how many records (of NetFlow 9: datagrams) were sent and did not arrive, by gaps in the sequence numbers.
	Lost uint64
	// Reordered is how many datagrams came after a later one.
	Reordered uint64

	exporters exporters
}

// TemplatesRefused is how many templates had no room, or could not be used.
func (n *NetFlow) TemplatesRefused() uint64 { return n.exporters.refused }

// Datagram takes a datagram apart and hands over its records, each with why it is not kept. The record is valid until take
// returns. now is when the datagram came, in nanoseconds since 1970 UTC.
func (n *NetFlow) Datagram(from netip.Addr, now int64, b []byte, take func(*Record, Skip)) {
	m := message{NetFlow: n, take: take, from: from.Unmap().WithZone(""), now: now}
	if len(b) < 2 {
		m.bad(BadDatagram)
		return
	}
	switch version := binary.BigEndian.Uint16(b); version {
	case netflow5:
		m.legacy(b)
	case netflow9, ipfix:
		m.modern(version, b)
	default:
		m.bad(BadDatagram)
	}
}

// message is one datagram while it is read.
type message struct {
	*NetFlow
	take     func(*Record, Skip)
	from     netip.Addr
	now      int64
	exporter *exporter // nil: there was no room for it
	records  uint32    // data records in it, for the sequence number
	options  uint32    // of these, about the exporter itself
	unknown  bool      // it holds sets of which it is not known how many records they are
	clock    clock
}

// bad counts something that is no record.
func (m *message) bad(why Skip) { m.take(&Record{}, why) }

// follow compares the sequence number of a datagram with that expected, and expects what comes after it. The number counts what
// was sent before the datagram (RFC 7011, 3.1); softflowd's counts its own records besides, but for those about itself.
func (m *message) follow(sequence, count uint32) {
	x := m.exporter
	if x == nil {
		return
	}
	const window = 1 << 20 // further away, the exporter began anew
	switch ahead := sequence - x.next; {
	case !x.counted, ahead == 0, sequence-x.last == count, sequence-x.last == count-m.options:
	case ahead < window:
		m.Lost += uint64(ahead)
	case -ahead < window:
		m.Reordered++
		m.Lost -= min(m.Lost, uint64(count))
		return
	}
	x.last, x.next, x.counted = sequence, sequence+count, !m.unknown
}

// legacy reads NetFlow 5.
func (m *message) legacy(b []byte) {
	const header, record = 24, 48
	var p netflowlegacy.PacketNetFlowV5
	if len(b) < header || netflowlegacy.DecodeMessageVersion(bytes.NewBuffer(b), &p) != nil {
		m.bad(BadDatagram)
		return
	}
	m.exporter = m.exporters.at(exporterKey{m.from, netflow5, uint32(p.EngineType)<<8 | uint32(p.EngineId)}, m.now)
	m.clock = clock{exported: int64(p.UnixSecs)*1e9 + int64(p.UnixNSecs), uptime: p.SysUptime, hasUptime: true}
	const interval = 1<<14 - 1 // above it is the mode
	sampled := p.SamplingInterval&interval > 1
	there := min(int(p.Count), (len(b)-header)/record)
	for i := range there {
		r := fromLegacy(&p.Records[i], &m.clock)
		r.Sampled = sampled
		m.take(&r, r.check())
	}
	if there < int(p.Count) {
		m.bad(BadDatagram)
	}
	m.follow(p.FlowSequence, uint32(p.Count))
}

// fromLegacy makes a record of one of NetFlow 5.
func fromLegacy(l *netflowlegacy.RecordsNetFlowV5, c *clock) Record {
	address := func(a netflowlegacy.IPAddress) netip.Addr {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(a))))
	}
	r := Record{
		Src: netip.AddrPortFrom(address(l.SrcAddr), l.SrcPort), Dst: netip.AddrPortFrom(address(l.DstAddr), l.DstPort), Proto: l.Proto,
		Sent: Side{Packets: uint64(l.DPkts), Bytes: uint64(l.DOctets), First: c.atUptime(l.First), Last: c.atUptime(l.Last)},
	}
	r.Sent.tell(l.TCPFlags, r.Proto)
	return r
}

// tell notes what flags and sizes prove.
func (s *Side) tell(flags, proto uint8) {
	if proto == protoTCP {
		s.Signs |= signsOf(flags)
	}
	if s.hasPayload(0, proto) {
		s.Signs |= Payload
	}
}

// modern reads NetFlow 9 and IPFIX, which share their sets.
func (m *message) modern(version uint16, b []byte) {
	header := 20
	if version == ipfix {
		header = 16
	}
	if len(b) < header || version == ipfix && int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		m.bad(BadDatagram)
		return
	}
	domain, sequence := binary.BigEndian.Uint32(b[header-4:]), binary.BigEndian.Uint32(b[header-8:])
	m.exporter = m.exporters.at(exporterKey{m.from, version, domain}, m.now)
	var nine netflow.NFv9Packet
	var ten netflow.IPFIXPacket
	err := netflow.DecodeMessageVersion(bytes.NewBuffer(b), store{&m.exporters, m.exporter}, &nine, &ten)
	m.clock = clock{exported: int64(ten.ExportTime) * 1e9}
	if version == netflow9 {
		m.clock = clock{exported: int64(nine.UnixSeconds) * 1e9, uptime: nine.SystemUptime, hasUptime: true}
	}
	for _, set := range append(nine.FlowSets, ten.FlowSets...) {
		m.set(set)
	}
	if err != nil && !errors.Is(err, netflow.ErrorTemplateNotFound) {
		m.unknown = true
		m.bad(BadDatagram)
	}
	if version == netflow9 {
		m.unknown, m.records = false, 1 // it counts datagrams
	}
	m.follow(sequence, m.records)
}

// set reads one set of a datagram.
func (m *message) set(set any) {
	switch s := set.(type) {
	case netflow.DataFlowSet:
		for i := range s.Records {
			m.records++
			m.clock.boot = m.exporter.boot
			r, why := fromFields(s.Records[i].Values, &m.clock)
			r.Sampled = r.Sampled || m.exporter.sampled
			m.take(&r, why)
		}
	case netflow.OptionsDataFlowSet:
		for i := range s.Records {
			m.records++
			m.options++
			m.exporter.learn(s.Records[i].OptionsValues)
			m.bad(IgnoredExporter)
		}
	case netflow.RawFlowSet:
		m.unknown = true
		m.bad(BadTemplate)
	}
}
