package catalog

import (
	"fmt"
	"net/netip"
	"time"
)

// Role is a canonical role of roles.csv, such as "vcenter-server".
type Role string

// Transport is a set of transports: a row may print TCP/UDP. (capture.Proto is the IP protocol number; match joins the two.)
type Transport uint8

// The transports a row can print.
const (
	TCP Transport = 1 << iota
	UDP
)

// Has reports whether every transport of u is in t.
func (t Transport) Has(u Transport) bool { return u != 0 && t&u == u }

// String returns TCP, UDP or TCP/UDP.
func (t Transport) String() string {
	switch t {
	case TCP:
		return "TCP"
	case UDP:
		return "UDP"
	case TCP | UDP:
		return "TCP/UDP"
	}
	return "none"
}

// Ports is an inclusive range of responder ports.
type Ports struct{ Lo, Hi uint16 }

// BroadSpan is the number of ports above which a row is broad: it documents, but is no evidence of need.
const BroadSpan = 256

// Contains reports whether port lies in the range.
func (p Ports) Contains(port uint16) bool { return p.Lo <= port && port <= p.Hi }

// Len returns how many ports the range holds.
func (p Ports) Len() int { return int(p.Hi) - int(p.Lo) + 1 }

// Broad reports whether the range spans more than [BroadSpan] ports.
func (p Ports) Broad() bool { return p.Len() > BroadSpan }

// String returns "902" or "2050-2250".
func (p Ports) String() string {
	if p.Lo == p.Hi {
		return fmt.Sprint(p.Lo)
	}
	return fmt.Sprintf("%d-%d", p.Lo, p.Hi)
}

// End is one of the two columns of a row, or both.
type End uint8

// The ends of a row.
const (
	Target End = iota
	Source
	Either
)

// String returns target, source or either.
func (e End) String() string { return [...]string{"target", "source", "either"}[e] }

// Other returns the opposite end of Source or Target.
func (e End) Other() End {
	switch e {
	case Source:
		return Target
	case Target:
		return Source
	}
	return Either
}

// ClassKind says when a row is to be expected.
type ClassKind uint8

// The expectation classes of a row.
const (
	Optional   ClassKind = iota // never expected
	Always                      // whenever the product is there
	IfUsed                      // when the service Class.Of is used
	During                      // while the operation Class.Of runs
	Internal                    // both ends are one machine, never on a wire
	InScenario                  // by a line of the scenario Class.Of; of no row
)

// Class is a row's expectation class: "always", "if-used:ha", "during:vmotion", "optional", "internal:orchestrator".
type Class struct {
	Kind ClassKind
	Of   string // the service, operation or product; empty for Always and Optional
}

// String returns the class as it is written in a catalogue.
func (c Class) String() string {
	kind := [...]string{"optional", "always", "if-used", "during", "internal", "scenario"}[c.Kind]
	if c.Of == "" {
		return kind
	}
	return kind + ":" + c.Of
}

// Each says who needs a row once.
type Each uint8

// The quantifiers of a row.
const (
	EachSource Each = iota // every machine in the source role
	EachTarget             // every machine in the target role
	EachAny                // one pair is enough
)

// String returns source, target or any.
func (e Each) String() string { return [...]string{"source", "target", "any"}[e] }

// Relation narrows which two machines of the roles a row means.
type Relation uint8

// The relations between the ends of a row.
const (
	Unrelated Relation = iota
	Linked             // two different machines that are linked (vCenter Linked Mode)
	Remote             // the other machine is at another site
)

// Origin is where a row is printed.
type Origin struct {
	Document string
	Line     int // 1-based; of the line on which the row begins
	// Unofficial marks a row that comes with flowvet and is not of the vendor's document; its Citation says what it rests on.
	Unofficial bool
}

// Row is one row of a document. A Row never changes once its catalogue is loaded.
type Row struct {
	ID               string // R001; a user's catalogue has ids of its own
	Product          string // a name of products.csv
	Ports            Ports
	PortsPrinted     string
	Transport        Transport
	TransportPrinted string
	Source, Target   []Role // any of
	SourcePrinted    string
	TargetPrinted    string
	Listener         End // the column that names the end which listens
	SourceMin        int // the least major version the source must have, 0 for none (column ends)
	TargetMin        int
	Relation         Relation
	Class            Class
	Group            string // rows of one group are alternatives of each other; empty for none
	Each             Each
	Period           time.Duration // between occurrences in a healthy network; 0 = at events
	Plane            string        // mgmt, vmotion, ft, storage, bmc; empty where no host takes part
	Cast             netip.Addr    // the multicast group, or [Broadcast], the row is documented for; invalid for none
	OneWay           bool          // by nature without a reply (its UDP side)
	Configurable     bool          // the site may choose another port
	OnWire           bool
	Insecure         string // the insecure service it belongs to (cim-http, ftp, nfs, smb); empty for none
	Erratum          bool   // the document contradicts itself; Note says how
	Alt              []Alt  // the erratum's other readings
	Note             string
	Purpose          string // in our own words
	Citation         string // what a row of a collection rests on; empty where its document is the source
	Origin           Origin
}

// Broadcast is what the Cast of a row is that is documented for broadcasts, limited or directed (RFC 919, RFC 922).
var Broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Alt is another reading of a row with an erratum. Exactly one field is set.
type Alt struct {
	Transport Transport // the transport is this
	Source    []Role    // the source is this
	Target    []Role    // the target is this
	Exchange  bool      // the two ends are exchanged
}

// Permission is what a row allows on the wire: an initiator in one of From to a responder in one of To.
type Permission struct {
	Row       *Row
	From, To  []Role
	Initiator End // the column of the row that the initiator stands in: Source or Target
	Transport Transport
	Ports     Ports
	Alt       bool // comes from an erratum's other reading, not from the printed row
}
