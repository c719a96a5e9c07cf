package capture

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// operation is one step that FuzzTable does with its tables, read from six bytes.
type operation struct{ code, who, a, b, when, flags byte }

// fuzzTables is how many tables the operations are done with.
const fuzzTables = 3

// traffic makes the packet of an operation: few flows, so that everything a flow keeps has something to combine.
func (o operation) traffic(n int) taken {
	k := taken{ns: int64(int8(o.when))*5e8 + 1445421600e9, ref: Ref{File: uint32(o.flags) & 3, Frame: uint64(n + 1)}}
	k.packet = Packet{
		Proto: TCP, family: familyIPv4, WireLen: 60 + uint32(o.b), Content: uint32(o.a) * 700,
		src: address{0, mapped4 | 0x0a000000 | uint64(o.who&3)}, dst: address{0, mapped4 | 0x0a000000 | uint64(o.who>>2&3)},
		srcPort: 1 + uint16(o.who>>4&1), dstPort: 1 + uint16(o.who>>5&1), EtherType: uint16(o.a & 3),
	}
	p := &k.packet
	if o.who&0x40 != 0 {
		p.family, p.src, p.dst = familyIPv6, address{0xfe80 << 48, p.src.lo}, address{0xfe80 << 48, p.dst.lo}
	}
	if o.flags&4 != 0 {
		p.HasVLAN, p.VLAN = true, uint16(1+o.b&31)
	}
	if o.who&0x80 != 0 {
		p.Proto = UDP
		return k
	}
	switch o.flags >> 3 & 7 {
	case 0, 1:
		p.Signs, p.Seq = SYN, uint32(o.a&31)
	case 2:
		p.Signs, p.Seq = SYNACK, uint32(o.a&31)
	case 3:
		p.Signs, p.Ack = ACK|Payload, uint32(o.a)<<24|uint32(o.b)
	case 4:
		p.Signs = RST
	case 5:
		p.Signs, p.Ack = ACK|FIN|Cut, uint32(o.b)<<16
	}
	return k
}

// FuzzTable does random sequences of Add, AddSkipped, Quote, Merge and AddFlow with three tables, and holds that together
// they are what a plain Go map makes of the same packets. With the first byte odd the tables are capped: then what they
// hold and what they folded is every packet.
func FuzzTable(f *testing.F) {
	f.Add([]byte("\x00" + "\x00\x04\x00\x00\x00\x00" + "\x01\x01\x00\x00\x01\x10" + "\x07\x00\x01\x00\x00\x00"))
	f.Add([]byte("\x01" + "\x00\x04\x00\x00\x00\x00" + "\x00\x14\x00\x00\x00\x00" + "\x00\x24\x00\x00\x00\x00" + "\x00\x09\x00\x00\x00\x00"))
	f.Add([]byte("\x00" + "\x04\x04\x00\x00\x09\x00" + "\x05\x04\x01\x02\x80\x00" + "\x06\x00\x01\x00\x00\x00" + "\x08\xc4\x01\x02\x7f\x07"))
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) == 0 || len(program) > 6*48 {
			return
		}
		capped := program[0]&1 == 1
		var tables [fuzzTables]*Table
		for i := range tables {
			tables[i] = fuzzTable(capped)
		}
		plain := plainTable{}
		added := uint64(0)
		for n, rest := 0, program[1:]; len(rest) >= 6; n, rest = n+1, rest[6:] {
			o := operation{rest[0], rest[1], rest[2], rest[3], rest[4], rest[5]}
			k := o.traffic(n)
			at, other := int(o.code>>4)%fuzzTables, int(o.a)%fuzzTables
			switch o.code & 15 {
			case 4:
				k.why = []Skip{IgnoredNotIP, IgnoredProtocol, BadLaterFragment, BadLinkType, BadHeader}[o.b%5]
			case 5:
				k.why, k.quote = IgnoredICMP, &Quote{Packet: k.packet, Kind: QuotedPort<<(o.b%3) | QuotedSYN*Signs(o.b>>7)}
			case 6:
				if at != other {
					tables[at].Merge(tables[other])
					tables[other] = fuzzTable(capped)
				}
				continue
			case 7:
				tables[at] = refilled(tables[at], capped)
				continue
			}
			k.into(tables[at])
			plain.add(&k)
			if k.why == Kept {
				added++
			}
		}
		for _, u := range tables[1:] {
			tables[0].Merge(u)
		}
		holdsEverything(t, tables[0], added)
		if !capped {
			equalsPlain(t, tables[0], plain)
		}
	})
}

func fuzzTable(capped bool) *Table {
	if capped {
		return &Table{MaxFlows: 4}
	}
	return new(Table)
}

// refilled returns a table filled with the flows of another.
func refilled(u *Table, capped bool) *Table {
	u.settle()
	t := fuzzTable(capped)
	t.Stats = u.Stats
	t.Others, t.Folded = u.Others, u.Folded
	for f := range u.Flows {
		t.AddFlow(&f)
	}
	return t
}

// holdsEverything wants every packet added in a flow or folded.
func holdsEverything(t *testing.T, got *Table, added uint64) {
	t.Helper()
	if !got.Stats.Balanced() {
		t.Fatalf("not balanced: %+v", got.Stats)
	}
	held, folded := uint64(0), uint64(0)
	for f := range got.Flows {
		held += f.FromA.Packets + f.FromB.Packets
	}
	for _, fold := range got.Folded {
		folded += fold.Packets
	}
	if held+folded != added || folded != got.Stats.FoldedPackets || got.Stats.Flowed != added {
		t.Fatalf("%d packets in flows and %d folded (%d counted), %d flowed; want %d", held, folded, got.Stats.FoldedPackets, got.Stats.Flowed, added)
	}
}

// equalsPlain wants the flows that the plain map has.
func equalsPlain(t *testing.T, got *Table, plain plainTable) {
	t.Helper()
	if got.Len() != len(plain) {
		t.Fatalf("%d flows, want %d", got.Len(), len(plain))
	}
	for f := range got.Flows {
		want := plain[fmt.Sprint(f.A, f.B, f.Proto)]
		if want == nil {
			t.Fatalf("%v %v-%v was never added", f.Proto, f.A, f.B)
		}
		if reflect.DeepEqual(*want, f) {
			continue
		}
		if diff := cmp.Diff(*want, f, compareNetip, comparePorts, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%v %v-%v (-plain +table):\n%s", f.Proto, f.A, f.B, diff)
		}
	}
}
