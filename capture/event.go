package capture

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// Event is a frame by which a host tells the network where it is now. A vMotion ends with one.
type Event struct {
	Kind      EventKind
	At        int64 // nanoseconds since 1970 UTC
	MAC       [6]byte
	Addr      netip.Addr // of a gratuitous ARP, else not valid
	VLAN      uint16     // 0 = none
	Interface int        // index into the capture's interfaces
	Ref       Ref
}

// EventKind is what kind of frame it was; the zero value is none.
type EventKind uint8

// The kinds of events.
const (
	ReverseARP    EventKind = iota + 1 // RFC 903, any operation
	GratuitousARP                      // RFC 5227: a request or reply for the sender's own address
)

// String returns the kind's stable name, as in the JSON report.
func (k EventKind) String() string {
	return [...]string{"", "rarp", "gratuitous-arp"}[k]
}

// MaxEvents caps the events a table keeps: the earliest. Stats.EventsUncounted says how many there were besides.
const MaxEvents = 65536

// announcement is an event as a packet shows it.
type announcement struct {
	kind EventKind
	mac  [6]byte
	addr [4]byte
}

// announce reads an ARP packet for Ethernet and IPv4 (RFC 826), or a RARP packet, whose addresses of hosts mean nothing.
func announce(etherType uint16, b []byte) (a announcement) {
	const ethernetIPv4, sender, senderAddr, targetAddr, end = 0x0001_0800_0604, 8, 14, 24, 28
	if len(b) < senderAddr || binary.BigEndian.Uint64(b)>>16 != ethernetIPv4 {
		return announcement{}
	}
	a.mac = [6]byte(b[sender:senderAddr])
	if etherType == etherRARP {
		a.kind = ReverseARP
		return a
	}
	if len(b) < end || [4]byte(b[senderAddr:]) != [4]byte(b[targetAddr:]) || binary.BigEndian.Uint32(b[senderAddr:]) == 0 {
		return announcement{}
	}
	a.kind, a.addr = GratuitousARP, [4]byte(b[senderAddr:])
	return a
}

// addEvent notes what the packet announces, if anything. It holds the events to twice their cap: which are the earliest
// shows in the end, so that neither the order of packets nor that of tables matters.
func (t *Table) addEvent(p *Packet, f *Frame, ref Ref) {
	a := &p.announced
	if a.kind == 0 {
		return
	}
	e := Event{Kind: a.kind, At: f.Nanos, MAC: a.mac, VLAN: p.VLAN, Interface: f.Interface, Ref: ref}
	if a.kind == GratuitousARP {
		e.Addr = netip.AddrFrom4(a.addr)
	}
	t.Events = append(t.Events, e)
	if len(t.Events) >= 2*MaxEvents {
		t.settleEvents()
	}
}

// settleEvents sorts the events and keeps the earliest.
func (t *Table) settleEvents() {
	slices.SortFunc(t.Events, compareEvents)
	if n := len(t.Events); n > MaxEvents {
		t.Stats.EventsUncounted += uint64(n - MaxEvents)
		t.Events = t.Events[:MaxEvents]
	}
}

func compareEvents(a, b Event) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Ref.File, b.Ref.File), cmp.Compare(a.Ref.Frame, b.Ref.Frame))
}
