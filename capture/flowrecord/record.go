// Package flowrecord reads what others wrote down of flows: NetFlow and IPFIX datagrams, Zeek's conn.log, Suricata's flow events.
//
// A flow record is weaker evidence than a packet: somebody else counted, perhaps only one packet in thousands, perhaps in one
// direction only, and wrote it down when the flow was over. What a record does not tell of may have been there all the same. So
// a record is read for what it proves, and nothing is made of what it leaves out.
//
// # Conservation
//
// Every record ends in one place: kept, or left out for a reason that is a [Skip]. What cannot be taken apart into records, such
// as a set without its template, counts as one.
//
// # Hostile input
//
// Anybody can send a datagram, and a log may hold anything. Nothing here panics; what is remembered between records has a bound
// and a counter.
package flowrecord

import "net/netip"

// Record is what was written down of one flow: of both directions, or of one.
type Record struct {
	Src, Dst       netip.AddrPort // the writer's view of who sent to whom: who began, or of one direction the sender
	Proto          uint8          // IP protocol number: TCP or UDP
	Sent, Received Side           // of Src, of Dst
	VLAN           uint16         // 802.1Q id; 0: none, or not told
	Sampled        bool           // whoever wrote it looked at some packets only
}

// Side is what one end sent. Times are nanoseconds since 1970 UTC.
type Side struct {
	Packets, Bytes uint64 // bytes as the writer counts them: from the IP header on (NetFlow, IPFIX, Zeek), or from the link header on (Suricata)
	First, Last    int64  // valid iff Packets > 0
	Signs          Signs
}

// Signs are what the record proves of a side's TCP headers and payload, combined by or.
type Signs uint8

// The signs of a side.
const (
	SYN     Signs = 1 << iota // a SYN without ACK
	SYNACK                    // a SYN with ACK
	ACK                       // an ACK without SYN and without RST
	FIN                       //
	RST                       //
	Payload                   // at least one byte above the transport header
)

// Skip says why a record is not kept. Kept is the zero value.
type Skip uint8

// Why a record is not kept: first what is ignored, then what cannot be decoded.
const (
	Kept            Skip = iota
	IgnoredICMP          // ICMP and ICMPv6
	IgnoredProtocol      // another IP protocol than TCP and UDP
	IgnoredEvent         // an event of another kind, in a log of many
	IgnoredExporter      // what an exporter tells of itself: option data
	IgnoredEmpty         // of no packet
	BadTemplate          // a set of records whose template was not seen, or had no room
	BadDatagram          // no NetFlow 5 or 9 and no IPFIX, or cut, or with impossible lengths
	BadFields            // without addresses, ports, protocol or number of packets
	BadValue             // with impossible ones
	BadLine              // a line that is not what the log's format says
	skips
)

// Skips is the number of values of Skip.
const Skips = int(skips)

// AllSkips lists every reason in report order.
func AllSkips() []Skip {
	all := make([]Skip, 0, skips-1)
	for s := Kept + 1; s < skips; s++ {
		all = append(all, s)
	}
	return all
}

// Ignored reports whether s is a reason to ignore (rather than a failure to decode).
func (s Skip) Ignored() bool { return s >= IgnoredICMP && s <= IgnoredEmpty }

// String returns the reason's stable name, as in the JSON report.
func (s Skip) String() string {
	return [...]string{
		"kept", "icmp", "other-ip-protocol", "other-event", "exporter-data", "no-packets",
		"no-template", "bad-datagram", "missing-fields", "bad-value", "bad-line",
	}[s]
}

// IP protocol numbers.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// byProtocol says whether a record of that protocol is kept.
func byProtocol(proto uint8) Skip {
	switch proto {
	case protoTCP, protoUDP:
		return Kept
	case protoICMP, protoICMPv6:
		return IgnoredICMP
	}
	return IgnoredProtocol
}

// The most that is believed of one record. More would be a petabyte, and sums of many could come round.
const (
	maxPackets = 1 << 44
	maxBytes   = 1 << 50
)

// check says why a record that was decoded is not kept, and orders its times.
func (r *Record) check() Skip {
	if why := byProtocol(r.Proto); why != Kept {
		return why
	}
	if !r.Src.Addr().IsValid() || !r.Dst.Addr().IsValid() || r.Src.Addr().Is4() != r.Dst.Addr().Is4() {
		return BadFields
	}
	if r.Sent.Packets+r.Received.Packets == 0 {
		return IgnoredEmpty
	}
	for _, s := range []*Side{&r.Sent, &r.Received} {
		if s.Packets > maxPackets || s.Bytes > maxBytes || s.Packets > 0 && (!plausible(s.First) || !plausible(s.Last)) {
			return BadValue
		}
		if s.Packets == 0 {
			*s = Side{}
		}
		s.Last = max(s.First, s.Last)
	}
	return Kept
}

// plausible reports whether a time lies between 1980 and 2100: what is written down elsewhere comes from a clock that was set.
func plausible(nanos int64) bool {
	const year1980, year2100 = 315532800e9, 4102444800e9
	return nanos >= year1980 && nanos < year2100
}

// begins notes that Src sent the first packet of all: the other side's is later, by how much is not known.
func (r *Record) begins() {
	if r.Sent.Packets > 0 && r.Received.Packets > 0 {
		r.Received.First = r.Sent.First + 1
	}
}

// The bits of the TCP flags field (RFC 9293).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// signsOf returns what the flags of a side's packets, combined by or, prove. SYN beside ACK proves nothing of who began: both
// a client's SYN and ACKs and a server's SYN+ACK look so.
func signsOf(flags uint8) (s Signs) {
	if flags&(flagSYN|flagACK) == flagSYN {
		s |= SYN
	}
	if flags&flagACK != 0 && (flags&(flagSYN|flagRST) == 0 || flags&(flagFIN|flagPSH) != 0) {
		s |= ACK
	}
	if flags&flagFIN != 0 {
		s |= FIN
	}
	if flags&flagRST != 0 {
		s |= RST
	}
	return s
}

// hasPayload reports whether the side's bytes, counted from a header of that many bytes below IP on, are more than headers can
// be: IPv4 and TCP have 60 bytes at most, IPv6 40 without extensions.
func (s *Side) hasPayload(below uint64, proto uint8) bool {
	const ip, tcp, udp = 60, 60, 8
	headers := below + ip + udp
	if proto == protoTCP {
		headers = below + ip + tcp
	}
	return s.Packets > 0 && s.Bytes > s.Packets*headers
}
