// Package capture turns capture files into flows: who sent how much to whom, when, and what the headers say of it.
//
// It is the only package that runs once per packet. It knows nothing of roles, rows or verdicts.
//
// # The law
//
// What a flow keeps combines only by sum, min, max, bitwise or, and set union, so tables merge in any order: one file or
// a thousand, one worker or many, give the same flows.
//
// # Conservation
//
// Every packet read ends in exactly one place: judged (in a flow), ignored for a reason, or undecodable for a reason.
// [Stats.Balanced] checks it.
package capture

import (
	"fmt"
	"net/netip"
)

// Proto is an IP protocol number. Only TCP and UDP make flows.
type Proto uint8

// The protocols that make flows.
const (
	TCP Proto = 6
	UDP Proto = 17
)

// String returns tcp, udp or the number.
func (p Proto) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	}
	return fmt.Sprintf("ip-proto-%d", uint8(p))
}

// Link is a link type: a LINKTYPE_ value of the pcap and pcapng formats (tcpdump.org/linktypes.html).
type Link uint16

// Frame is one captured frame.
type Frame struct {
	Nanos     int64 // since 1970-01-01 UTC
	BadTime   bool  // the file's time stamp is impossible or missing; Nanos is the nearest guess
	Link      Link
	WireLen   int    // bytes on the wire; len(Data) may be less (snap length)
	Data      []byte // valid until the next call of Next
	Interface int    // index into the capture's interfaces
	Number    uint64 // 1-based number of the frame in its file

	rejected bool // by a live filter that the kernel did not take
}

// Source delivers frames. Next returns io.EOF at the end, and a *Damage where the input is cut or damaged.
type Source interface {
	Next(*Frame) error
	Close() error
}

// Skip says why a packet is in no flow. Kept is the zero value.
type Skip uint8

// Why a packet is in no flow: first what is ignored, then what cannot be decoded.
const (
	Kept             Skip = iota
	IgnoredNotIP          // by ethertype or link protocol: ARP, RARP, LLDP…
	IgnoredICMP           // ICMP and ICMPv6 (an unreachable is evidence besides)
	IgnoredProtocol       // another IP protocol
	IgnoredDuplicate      // seen before within the window of --dedup
	IgnoredFiltered       // not kept by Options.Filter
	BadLaterFragment      // a later fragment whose first was not seen
	BadTruncated          // cut before the ports
	BadHeader             // impossible header fields
	BadLinkType           // link type without a decoder
	BadLength             // lengths that contradict each other
	BadTooDeep            // in more than four tunnels
	skips
)

// Skips lists every reason in report order.
func Skips() []Skip {
	all := make([]Skip, 0, skips-1)
	for s := Kept + 1; s < skips; s++ {
		all = append(all, s)
	}
	return all
}

// Ignored reports whether s is a reason to ignore (rather than a failure to decode).
func (s Skip) Ignored() bool { return s >= IgnoredNotIP && s <= IgnoredFiltered }

// String returns the reason's stable name, as in the JSON report.
func (s Skip) String() string {
	return [...]string{
		"kept", "not-ip", "icmp", "other-ip-protocol", "duplicate", "filtered",
		"later-fragment", "truncated-before-ports", "bad-header", "unknown-link-type", "bad-length", "tunnelled-too-deep",
	}[s]
}

// Signs are what the headers of a side's packets showed, combined by or.
type Signs uint16

// The signs of a side.
const (
	SYN         Signs = 1 << iota // SYN without ACK
	SYNACK                        // SYN with ACK
	ACK                           // ACK without SYN and without RST
	FIN                           //
	RST                           //
	Payload                       // at least one byte above the transport header
	Cast                          // the frame went to a broadcast or multicast link address
	Cut                           // the frame was cut after the ports (snap length)
	Fragment                      // a first fragment
	QuotedPort                    // an ICMP port unreachable quotes a packet of this side
	QuotedAdmin                   // an ICMP administratively-prohibited quotes a packet of this side
	QuotedHost                    // an ICMP host, network or protocol unreachable quotes a packet of this side
	QuotedSYN                     // a quote of this side shows a SYN without ACK
	Recorded                      // a flow record tells of this side, and not only its own packets
	Sampled                       // so does one of an exporter that looks at some packets only
)

// Quoted is every sign that an ICMP unreachable quoted the side.
const Quoted = QuotedPort | QuotedAdmin | QuotedHost

// Ref names a packet: file and frame number, the smallest of several.
type Ref struct {
	File  uint32 // index of the file in the run's sorted list of files
	Frame uint64 // 1-based; 0 = no packet
}

// Side is what one end of a flow sent. Times are nanoseconds since 1970 UTC.
type Side struct {
	Packets, Bytes         uint64 // bytes as on the wire, from the link header on
	Content                uint64 // payload bytes above the transport header, by the IP length
	First, Last            int64  // valid iff Packets > 0
	Signs                  Signs
	PayloadMin, PayloadMax uint16   // of its packets, capped at 65535; valid iff Packets > 0
	SYNAt                  int64    // earliest SYN without ACK; valid iff Signs has SYN
	SYNACKAt               int64    // earliest SYN+ACK; valid iff Signs has SYNACK
	RSTAt                  int64    // earliest RST; valid iff Signs has RST
	LastACK                int64    // latest packet with ACK and without SYN and RST; valid iff Signs has ACK
	AckMin, AckMax         uint32   // acknowledgement numbers of those packets, as plain numbers
	ISNs                   []uint32 // distinct initial sequence numbers of SYNs, sorted, at most MaxISNs
	QuotedAt               int64    // earliest ICMP unreachable that quotes this side; valid iff Signs has any of Quoted
	FirstRef               Ref      // first packet in file order
	SYNRef                 Ref      // SYN or SYN+ACK, valid iff Signs has SYN or SYNACK
	QuoteRef               Ref      // the ICMP message, valid iff Signs has any of Quoted
}

// MaxISNs caps the distinct initial sequence numbers a side keeps: beyond it the number of connections is "16 or more".
const MaxISNs = 16

// Segment is where flows of the same addresses are told apart because networks overlap: a VLAN id plus one; 0 is none.
type Segment uint16

// VLAN returns the VLAN id; false for none.
func (s Segment) VLAN() (id uint16, ok bool) { return uint16(s) - 1, s != 0 }

// Flow is one 5-tuple with both directions. A sorts before B (address, then port).
// A flow known only from an ICMP quote has no packets on either side.
type Flow struct {
	A, B         netip.AddrPort
	Proto        Proto
	Segment      Segment // where segments overlap
	FromA, FromB Side
	Seconds      Seconds  // the seconds in which the flow had packets
	VLANs        []uint16 // distinct VLAN ids seen, sorted, at most 16
	Joined       Joined   // what [Table.FoldIdle] added
}

// Run is an interval of whole seconds since 1970 UTC, both inclusive.
type Run struct{ First, Last int64 }

// Seconds is a set of whole seconds as sorted, disjoint, non-adjacent runs.
type Seconds []Run

// Pair is a directed pair of addresses.
type Pair struct{ From, To netip.Addr }

// Stats counts what was read. All of it adds up over tables.
type Stats struct {
	Read            uint64            // packets
	Bytes           uint64            // on the wire
	Flowed          uint64            // packets in flows
	Skipped         [skips]uint64     // by reason; index Kept is unused
	Truncated       uint64            // packets in flows whose frame was cut by the snap length
	BadTimestamps   uint64            // impossible or missing; the packets are kept
	OverlongRecords uint64            // captured length above the length on the wire; read up to the latter
	OutOfOrder      uint64            // earlier than a packet before them in their file
	Duplicates      uint64            // seen twice within the window, whether removed or not
	Broadcasts      uint64            // frames to a broadcast or multicast link address
	EtherTypes      map[uint16]uint64 // what IgnoredNotIP was, by ethertype
	Protocols       map[uint8]uint64  // what IgnoredICMP and IgnoredProtocol were, by protocol number
	LinkTypes       map[Link]uint64   // what BadLinkType was
	VLANs           map[uint16]uint64 // packets by VLAN id, of those that have one
	QuotesRejected  uint64            // ICMP unreachables whose quote names no usable flow

	FragmentsJoined  uint64 // later fragments that went where their first did
	FragmentsEvicted uint64 // fragmented packets forgotten before their last fragment: more than MaxFragmented at a time
	TunnelsUncounted uint64 // packets of tunnels beyond MaxTunnels
	EventsUncounted  uint64 // events beyond MaxEvents
	Evictions        uint64 // how often a full table made room
	FoldedFlows      uint64 // flows evicted into Table.Folded
	FoldedPackets    uint64 // their packets, which are counted in Flowed
	Records          RecordStats
	SecondsJoined    uint64 // how often a flow lost its seconds but for the first and last: more than RunsPerFlow
	PairsRefused     uint64 // packets whose pair found no room in Table.Others
}

// Balanced reports whether every packet read, and every flow record, is accounted for.
func (s *Stats) Balanced() bool {
	sum := s.Flowed
	for _, n := range s.Skipped {
		sum += n
	}
	return sum == s.Read && s.Records.Balanced()
}

// Interface is one interface of a capture file. Strings come from the file and are hostile.
type Interface struct {
	Name, Filter      string
	Description       string
	Link              Link
	SnapLen           uint32 // 0 = unlimited
	Start, End        int64  // the interval by its statistics, nanoseconds; 0 = not recorded or implausible
	Received, Dropped uint64 // by its statistics; valid iff Counted
	Counted           bool
}

// Damage is where and why a capture cannot be read.
type Damage struct {
	Offset   int64 // bytes from the start of the file, or of what it expands to
	Expanded bool  // the latter: what is damaged is the content of a compressed file, not its compression
	Skipped  int64 // bytes passed over to the next place that is certain; 0: there is none, reading ended here
	Reason   string
}

// Place says where the damage is, in words.
func (d *Damage) Place() string {
	if d.Expanded {
		return fmt.Sprintf("byte %d of the expanded data", d.Offset)
	}
	return fmt.Sprintf("byte %d", d.Offset)
}

// Error implements error.
func (d *Damage) Error() string {
	if d.Skipped > 0 {
		return fmt.Sprintf("at %s: %s; %d bytes passed over", d.Place(), d.Reason, d.Skipped)
	}
	return fmt.Sprintf("at %s: %s", d.Place(), d.Reason)
}

// Capture is what one input showed, and what is known of where and when it was taken.
type Capture struct {
	Name        string // as given, or the path found in a folder; "-" for standard input; hostile
	Format      string // "pcap", "pcapng", "live"; "zeek", "eve", "netflow" of flow records; "flows" of a flows file that cannot be read
	Compression string // "gzip", "zstd", "xz"; empty: none
	Size        int64  // bytes of the file read: up to where it ended early, where it did
	Expanded    int64  // bytes they expanded to; valid iff Compression is not empty
	Shift       int64  // nanoseconds added to every time of the file: Input.Shift
	Interfaces  []Interface
	First, Last int64    // earliest and latest packet; valid iff Table.Stats.Read > 0
	Damage      *Damage  // the first; nil: none
	Damages     []Damage // all, in the order of the file
	Interrupted bool
	Gaps        []Gap    // of a live capture: when it was blind, or lost packets, in order
	Filter      string   // what its frames had to pass to be recorded: filter.Filter.Source; empty: none; hostile
	Digest      uint64   // of the times and lengths of its packets in their order: tells recordings of one name apart
	Names       []Name   // what the file says addresses are called: the first 4,096
	Comments    []string // what it says of itself and its packets: the first 100, up to 1 KiB of each; hostile
	Named       uint64   // names in the file
	Commented   uint64   // comments in the file
	Sample      Sample   // of its packets: tells captures apart that show the same
	SHA256      string   // of the file, hexadecimal: Input.Sum; empty: not asked for, or it has none
	Table       *Table

	sampled int        // hashes wanted in Sample; 0: maxSample
	file    uint32     // what Ref.File is in Table
	held    []*Capture // of a flows file: the captures in it
}
