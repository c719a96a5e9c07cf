package flowrecord

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// eveEvent is what is read of an event of Suricata's EVE log (docs.suricata.io, EVE JSON format).
type eveEvent struct {
	Type    string   `json:"event_type"`
	Src     string   `json:"src_ip"`
	SrcPort uint16   `json:"src_port"`
	Dst     string   `json:"dest_ip"`
	DstPort uint16   `json:"dest_port"`
	Proto   string   `json:"proto"`
	VLAN    []uint16 `json:"vlan"`
	Flow    struct {
		SentPackets     uint64 `json:"pkts_toserver"`
		ReceivedPackets uint64 `json:"pkts_toclient"`
		SentBytes       uint64 `json:"bytes_toserver"`
		ReceivedBytes   uint64 `json:"bytes_toclient"`
		Start           string `json:"start"`
		End             string `json:"end"`
	} `json:"flow"`
	TCP struct {
		Sent     string `json:"tcp_flags_ts"`
		Received string `json:"tcp_flags_tc"`
	} `json:"tcp"`
}

// EVE reads a line of Suricata's EVE log without its end. It reports whether there is an event in it at all: an empty line has
// none. Flow events are records, all others are ignored.
func EVE(line []byte, r *Record) (why Skip, some bool) {
	*r = Record{}
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return Kept, false
	}
	var kind struct {
		Type string `json:"event_type"`
	}
	if err := json.Unmarshal(line, &kind); err != nil || kind.Type == "" {
		return BadLine, true
	}
	if kind.Type != "flow" {
		return IgnoredEvent, true
	}
	var e eveEvent
	if err := json.Unmarshal(line, &e); err != nil {
		return BadValue, true
	}
	return e.record(r), true
}

// record makes a record of a flow event.
func (e *eveEvent) record(r *Record) Skip {
	proto, known := map[string]uint8{"TCP": protoTCP, "UDP": protoUDP, "ICMP": protoICMP, "IPv6-ICMP": protoICMPv6}[e.Proto]
	switch {
	case e.Proto == "":
		return BadFields
	case !known:
		return IgnoredProtocol
	}
	if why := byProtocol(proto); why != Kept {
		return why
	}
	r.Proto = proto
	src, err := netip.ParseAddr(e.Src)
	dst, err2 := netip.ParseAddr(e.Dst)
	first, ok := eveInstant(e.Flow.Start)
	last, ok2 := eveInstant(e.Flow.End)
	if err != nil || err2 != nil || !ok || !ok2 {
		return BadFields
	}
	r.Src = netip.AddrPortFrom(src.Unmap().WithZone(""), e.SrcPort)
	r.Dst = netip.AddrPortFrom(dst.Unmap().WithZone(""), e.DstPort)
	r.Sent = Side{Packets: e.Flow.SentPackets, Bytes: e.Flow.SentBytes, First: first, Last: last}
	r.Received = Side{Packets: e.Flow.ReceivedPackets, Bytes: e.Flow.ReceivedBytes, First: first, Last: last}
	if len(e.VLAN) > 0 {
		r.VLAN = e.VLAN[len(e.VLAN)-1] & 0xfff
	}
	e.signs(r)
	r.begins()
	return r.check()
}

// signs reads the TCP flags. Suricata turns a flow round when its first packet is a SYN+ACK: where both ends sent a SYN, the
// client's was one without ACK.
func (e *eveEvent) signs(r *Record) {
	const link = 18 // Ethernet with one VLAN tag
	for _, s := range []*Side{&r.Sent, &r.Received} {
		if s.hasPayload(link, r.Proto) {
			s.Signs |= Payload
		}
	}
	if r.Proto != protoTCP {
		return
	}
	sent, received := eveFlags(e.TCP.Sent), eveFlags(e.TCP.Received)
	r.Sent.Signs |= signsOf(sent)
	r.Received.Signs |= signsOf(received)
	if sent&received&flagSYN != 0 {
		r.Sent.Signs |= SYN
		r.Received.Signs = r.Received.Signs&^SYN | SYNACK
	}
}

// eveFlags reads flags in hexadecimal; none is 0.
func eveFlags(text string) uint8 {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0x"), 16, 8)
	if err != nil {
		return 0
	}
	return uint8(n)
}

// eveInstant reads a time, whose offset has no colon.
func eveInstant(text string) (int64, bool) {
	for _, layout := range []string{"2006-01-02T15:04:05.999999999-0700", time.RFC3339Nano} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixNano(), true
		}
	}
	return 0, false
}
