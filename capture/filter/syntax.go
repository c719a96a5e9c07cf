package filter

import "net/netip"

// exprOp is what an expression does with its parts.
type exprOp uint8

const (
	opPrimitive exprOp = iota
	opAnd
	opOr
	opNot // of left
)

// expr is a parsed expression.
type expr struct {
	op          exprOp
	left, right *expr
	primitive   primitive // valid iff op is opPrimitive
}

// kind is what a primitive asks for.
type kind uint8

const (
	kindProto     kind = iota // the protocol alone: number, in a header of qualifier.proto
	kindHost                  // addr under mask
	kindMAC                   // mac
	kindPort                  // lo to hi
	kindVLAN                  // a tag; with number, iff numbered
	kindBroadcast             // link-layer broadcast
	kindMulticast             // of qualifier.proto
	kindLess                  // at most number bytes on the wire
	kindGreater               // at least number bytes on the wire
)

// proto is a protocol qualifier.
type proto uint8

const (
	protoAny proto = iota
	protoEther
	protoIP
	protoIP6
	protoARP
	protoRARP
	protoTCP
	protoUDP
	protoSCTP
	protoOther // has a number, qualifies nothing
)

// direction is a direction qualifier.
type direction uint8

const (
	dirEither direction = iota // none, or src or dst
	dirSrc
	dirDst
	dirBoth
)

// idType is a type qualifier.
type idType uint8

const (
	typeNone idType = iota
	typeHost
	typeNet
	typePort
	typePortRange
	typeProto
)

// qualifier is what stands before an id, and what an id after and or or inherits.
type qualifier struct {
	proto proto
	word  string // proto as written
	dir   direction
	typ   idType
}

// primitive is one test of a frame.
type primitive struct {
	qualifier
	kind       kind
	addr, mask netip.Addr
	mac        [6]byte
	lo, hi     uint16
	number     uint32
	numbered   bool // the vlan has an id
	tags       int  // VLAN tags that vlan primitives to its left have passed
}

// IP protocol numbers (IANA) and ethertypes that words stand for.
const (
	ipICMP     = 1
	ipIGMP     = 2
	ipTCP      = 6
	ipUDP      = 17
	ipFragment = 44
	ipESP      = 50
	ipAH       = 51
	ipICMPv6   = 58
	ipPIM      = 103
	ipVRRP     = 112
	ipSCTP     = 132

	etherIPv4    = 0x0800
	etherARP     = 0x0806
	etherRARP    = 0x8035
	etherVLAN    = 0x8100
	etherIPv6    = 0x86dd
	etherService = 0x88a8
	etherQinQ    = 0x9100
)

// abbreviation is what a protocol's word means where it stands alone.
type abbreviation struct {
	in     proto  // the header that names it: protoAny for IPv4 or IPv6
	number uint32 // in that header
	as     proto  // as a qualifier
}

// abbreviations are the protocols by their words.
var abbreviations = map[string]abbreviation{
	"ip":    {protoEther, etherIPv4, protoIP},
	"ip6":   {protoEther, etherIPv6, protoIP6},
	"arp":   {protoEther, etherARP, protoARP},
	"rarp":  {protoEther, etherRARP, protoRARP},
	"tcp":   {protoAny, ipTCP, protoTCP},
	"udp":   {protoAny, ipUDP, protoUDP},
	"sctp":  {protoAny, ipSCTP, protoSCTP},
	"icmp":  {protoIP, ipICMP, protoOther},
	"icmp6": {protoIP6, ipICMPv6, protoOther},
	"igmp":  {protoIP, ipIGMP, protoOther},
	"pim":   {protoAny, ipPIM, protoOther},
	"vrrp":  {protoIP, ipVRRP, protoOther},
	"ah":    {protoAny, ipAH, protoOther},
	"esp":   {protoAny, ipESP, protoOther},
}

// ipNumber returns the number of a transport qualifier.
func (p proto) ipNumber() uint32 {
	return [...]uint32{protoTCP: ipTCP, protoUDP: ipUDP, protoSCTP: ipSCTP}[p]
}
