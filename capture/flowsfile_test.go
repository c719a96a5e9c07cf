package capture

import (
	"bytes"
	"context"
	"fmt"
	"go/token"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"flowvet/capture/flowrecord"
)

// flowsOf writes a flows file.
func flowsOf(t testing.TB, captures ...*Capture) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := WriteFlows(&out, captures); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readFlowsFile reads a flows file as an input would.
func readFlowsFile(data []byte) (*Capture, []*Capture) {
	c := &Capture{Name: "x.flows", Format: FormatFlows}
	c.read(context.Background(), newWindow(bytes.NewReader(data), int64(len(data))), Options{})
	return c, c.held
}

// recorded makes a capture of random traffic, with references into file 0 as a file of its own has them.
func recorded(name string, seed uint64, packets int) *Capture {
	rng := rand.New(rand.NewPCG(seed, 4))
	c := &Capture{Name: name, Format: formatPcap, Size: int64(packets) * 90, Digest: rng.Uint64(), Table: new(Table)}
	for i, k := range randomTraffic(rng, packets) {
		k.ref.File = 0
		if i == 0 {
			c.First, c.Last = k.ns, k.ns
		}
		c.First, c.Last = min(c.First, k.ns), max(c.Last, k.ns)
		k.into(c.Table)
	}
	c.Table.settle()
	return c
}

// sameCapture compares everything that two captures hold.
func sameCapture(t *testing.T, want, got *Capture) {
	t.Helper()
	options := cmp.Options{cmpopts.IgnoreUnexported(Table{}, Capture{}), compareNetip, comparePorts, cmpopts.EquateEmpty()}
	if diff := cmp.Diff(want, got, options); diff != "" {
		t.Fatalf("%s differs (-written +read):\n%s", want.Name, diff)
	}
	if diff := cmp.Diff(sorted(want.Table), sorted(got.Table), options); diff != "" {
		t.Fatalf("%s: flows differ (-written +read):\n%s", want.Name, diff)
	}
}

func TestFlowsFileBringsBackWhatWasWritten(t *testing.T) {
	damaged := recorded("damaged.pcap", 2, 50)
	damaged.Damages = []Damage{{Offset: 500, Skipped: 77, Reason: "block length 0"}, {Offset: 4000, Reason: "cut inside a packet: 3 of 60 bytes"}}
	damaged.Damage = &damaged.Damages[0]
	interrupted := recorded("-", 3, 2000)
	interrupted.Interrupted = true
	interrupted.Filter = "tcp or port 902"
	interrupted.Format = formatPcapng
	interrupted.Interfaces = []Interface{
		{Name: "eth\x1b0", Filter: "tcp port 902", Link: 1, SnapLen: 96, Start: 5e9, End: 9e9, Received: 77, Dropped: 3, Counted: true},
		{},
	}
	want := []*Capture{interrupted, recorded("a.pcap", 1, 300), damaged, {Name: "empty.pcap", Format: formatPcap, Table: new(Table)}}
	file, got := readFlowsFile(flowsOf(t, want...))
	if file.Damage != nil || len(got) != len(want) {
		t.Fatalf("%d captures, damage %v; want %d", len(got), file.Damage, len(want))
	}
	for i := range want {
		sameCapture(t, want[i], got[i])
	}
	if again := flowsOf(t, got...); !bytes.Equal(again, flowsOf(t, want...)) {
		t.Error("written again, the bytes are others")
	}
}

// TestFlowsFileHoldsEveryField fills every field of everything that a flows file holds with a value of its own: a field
// that is added to one of the types and not to the file fails here.
func TestFlowsFileHoldsEveryField(t *testing.T) {
	want, side := everything()
	for table, i := reflect.ValueOf(*want.Table), 0; i < table.NumField(); i++ {
		name := table.Type().Field(i).Name
		if setting := slices.Contains([]string{"MaxFlows", "Pool", "Keep", "Segments"}, name); token.IsExported(name) && !setting && table.Field(i).IsZero() {
			t.Errorf("Table.%s is not tried", name)
		}
	}
	file, got := readFlowsFile(flowsOf(t, want))
	if file.Damage != nil || len(got) != 1 {
		t.Fatalf("%d captures, damage %v", len(got), file.Damage)
	}
	sameCapture(t, want, got[0])
	for f := range got[0].Table.Flows {
		if diff := cmp.Diff(side, f.FromB); diff != "" {
			t.Errorf("the side differs (-written +read):\n%s", diff)
		}
		for flow, i := reflect.ValueOf(f), 0; i < flow.NumField(); i++ {
			if name := flow.Type().Field(i).Name; name != "FromA" && flow.Field(i).IsZero() {
				t.Errorf("Flow.%s is not tried", name)
			}
		}
	}
}

// everything returns a capture whose every field has a value of its own, and a side of its only flow.
func everything() (*Capture, Side) {
	stats, evicted, face, event, side := filled[Stats](), filled[Fold](), filled[Interface](), filled[Event](), filled[Side]()
	stats.Skipped[Kept] = 0
	stats.Flowed += stats.FoldedPackets
	stats.Read = stats.Flowed
	for _, n := range stats.Skipped {
		stats.Read += n
	}
	stats.Records.Skipped[flowrecord.Kept] = 0
	stats.Records.Read = stats.Records.Kept
	for _, n := range stats.Records.Skipped {
		stats.Records.Read += n
	}
	evicted.Flows, evicted.Packets = stats.FoldedFlows, stats.FoldedPackets
	event.Kind, event.Interface, event.Ref.File, event.Addr = GratuitousARP, 0, 0, netip.MustParseAddr("10.0.0.9")
	side.Packets, side.Signs = stats.Flowed-evicted.Packets, signsKnown
	side.First, side.SYNAt, side.SYNACKAt, side.RSTAt, side.LastACK, side.Last = 1e9, 2e9, 3e9, 4e9, 5e9, 6e9
	side.SYNRef.Frame = side.FirstRef.Frame + 5
	for _, ref := range []*Ref{&side.FirstRef, &side.SYNRef, &side.QuoteRef} {
		ref.File = 0
	}
	c := filled[Capture]()
	c.SHA256 = "" // that of a file, which a flows file is not
	c.Damage, c.Names[0].Addr = &c.Damages[0], netip.MustParseAddr("2001:db8::1")
	c.Interfaces = []Interface{face}
	c.Table = &Table{
		Stats:   stats,
		Others:  map[Pair]Seconds{{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}: {{1, 1}, {3, 9}}},
		Tunnels: map[Tunnel]uint64{{VXLAN, netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")}: 9},
		Events:  []Event{event},
		Folded: map[FoldKey]*Fold{
			{From: netip.MustParsePrefix("10.1.2.0/24"), Port: 7, Proto: TCP, Sign: FoldRefused}: &evicted,
		},
	}
	c.Table.AddFlow(&Flow{
		A: netip.MustParseAddrPort("10.0.0.1:1"), B: netip.MustParseAddrPort("10.0.0.2:2"), Proto: UDP, FromB: side,
		Segment: 4, Joined: Joined{Flows: 3, Acked: 9, Unseen: 2}, VLANs: []uint16{3, 4}, Seconds: Seconds{{1, 2}, {6, 6}},
	})
	return &c, side
}

// filled returns a value that fill went through.
func filled[T any]() T {
	var v T
	fill(reflect.ValueOf(&v).Elem(), new(uint64))
	return v
}

// fill gives every number, text and flag below v a value, and every number another.
func fill(v reflect.Value, next *uint64) {
	*next++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *next))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*next))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(*next)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), next)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), next)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, next)
		fill(value, next)
		v.SetMapIndex(key, value)
	case reflect.Pointer:
		if v.Type() != reflect.TypeFor[*Table]() {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), next)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), next)
			}
		}
	}
}

// TestFlowsFileKeepsItsNumbers pins what stands in files on disk: none of these may ever mean another thing.
func TestFlowsFileKeepsItsNumbers(t *testing.T) {
	for i, sign := range []Signs{SYN, SYNACK, ACK, FIN, RST, Payload, Cast, Cut, Fragment, QuotedPort, QuotedAdmin, QuotedHost} {
		if sign != 1<<i {
			t.Errorf("sign %d is %#x, want %#x", i, sign, 1<<i)
		}
	}
	for i, kind := range []TunnelKind{
		GRE, PPTP, ERSPAN1, ERSPAN2, ERSPAN3, VXLAN, GENEVE, GTPU, Teredo, IPv4InIPv4, IPv6InIPv4, IPv4InIPv6, IPv6InIPv6,
	} {
		if kind != TunnelKind(i+1) {
			t.Errorf("%s is %d, want %d", kind, kind, i+1)
		}
	}
	for i, sign := range []FoldSign{FoldDatagram, FoldSYNOnly, FoldOneSided, FoldRefused, FoldAnswered} {
		if sign != FoldSign(i) {
			t.Errorf("%s is %d, want %d", sign, sign, i)
		}
	}
	if ReverseARP != 1 || GratuitousARP != 2 {
		t.Errorf("the kinds of events are %d and %d, want 1 and 2", ReverseARP, GratuitousARP)
	}
	for i, kind := range []int{flowUDP, flowIPv6, flowSideA, flowSideB, flowVLANs, flowSegment} {
		if kind != 1<<i {
			t.Errorf("flow bit %d is %#x, want %#x", i, kind, 1<<i)
		}
	}
}

// TestFlowsFileKeepsLongSets writes flows and pairs whose seconds fill several items and sections.
func TestFlowsFileKeepsLongSets(t *testing.T) {
	var long Seconds
	for i := range int64(40_000) {
		long = append(long, Run{10 + 30_000*i, 10 + 30_000*i + 20_000})
	}
	end := long[len(long)-1].Last * 1e9
	want := &Capture{Name: "long.pcap", Format: formatPcap, First: 10e9, Last: end, Table: &Table{Others: map[Pair]Seconds{
		{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")}: long,
		{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.3")}: long[:5000],
	}}}
	for port := range uint16(3) {
		want.Table.AddFlow(&Flow{
			A: netip.AddrPortFrom(netip.MustParseAddr("fe80::1"), port), B: netip.MustParseAddrPort("[fe80::2]:22"), Proto: TCP,
			FromA: Side{Packets: 300_000, First: 10e9, Last: end, FirstRef: Ref{Frame: 1}}, Seconds: long,
		})
	}
	want.Table.Stats.Read, want.Table.Stats.Flowed = 900_000, 900_000
	data := flowsOf(t, want)
	file, got := readFlowsFile(data)
	if file.Damage != nil || len(got) != 1 {
		t.Fatalf("%d captures, damage %v", len(got), file.Damage)
	}
	sameCapture(t, want, got[0])
}

// TestFlowsFileIsPadded writes flows as regular as a generator's: the file is no smaller than what readers accept, comes
// back whole, and costs what a capture of that size may cost (goal G3: 64 MiB for 1 MiB, of which the table takes most).
func TestFlowsFileIsPadded(t *testing.T) {
	want := &Capture{Name: "scan.pcap", Format: formatPcap, Table: new(Table)}
	const flows = 100_000
	for i := range uint64(flows) {
		p := Packet{Proto: UDP, family: familyIPv4, src: address{0, mapped4 | 1}, dst: address{0, mapped4 | i}, srcPort: 9, dstPort: 53}
		want.Table.Add(&p, 0, Ref{Frame: 1})
	}
	data := flowsOf(t, want)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	file, got := readFlowsFile(data)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if file.Damage != nil || got[0].Table.Len() != flows {
		t.Fatalf("%d flows, damage %v; want %d", got[0].Table.Len(), file.Damage, flows)
	}
	perByte := float64(after.HeapAlloc-before.HeapAlloc) / float64(len(data))
	t.Logf("%.1f bytes of a file and %.0f of memory a flow: %.0f MiB for 1 MiB",
		float64(len(data))/flows, float64(after.HeapAlloc-before.HeapAlloc)/flows, perByte)
	if perByte > 80 {
		t.Errorf("%.0f bytes of memory for a byte of the file", perByte)
	}
	runtime.KeepAlive(got)
}

func TestArrange(t *testing.T) {
	a, b := recorded("a.pcap", 1, 50), recorded("b.pcap", 2, 50)
	stdin := recorded("-", 3, 50)
	otherA := recorded("a.pcap", 4, 50)
	sameA := recorded("a.pcap", 1, 50)
	want := []string{"-", "a.pcap", "a.pcap", "b.pcap"}
	kept, again := Arrange([]*Capture{b, a, otherA, stdin, sameA})
	names := make([]string, len(kept))
	for i, c := range kept {
		names[i] = c.Name
		for f := range c.Table.Flows {
			if ref := f.FromA.FirstRef; ref.Frame != 0 && ref.File != uint32(i) {
				t.Fatalf("%s: a packet of file %d, want %d", c.Name, ref.File, i)
			}
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("kept %v, want %v", names, want)
	}
	if len(again) != 1 || again[0].Name != "a.pcap" {
		t.Errorf("%d captures left out, want a.pcap", len(again))
	}
	if got := flowsOf(t, kept...); !bytes.Equal(got, flowsOf(t, must(Arrange([]*Capture{
		recorded("a.pcap", 4, 50), recorded("a.pcap", 1, 50), recorded("-", 3, 50), recorded("b.pcap", 2, 50),
	}))...)) {
		t.Error("another order of the captures gives other bytes")
	}
}

// must drops what Arrange left out.
func must(kept, _ []*Capture) []*Capture { return kept }

func TestFlowsFileRefusesWhatItCannotHold(t *testing.T) {
	if err := WriteFlows(new(bytes.Buffer), make([]*Capture, maxRecords+1)); err == nil {
		t.Errorf("%d captures written", maxRecords+1)
	}
	big := recorded("big.pcap", 1, 5)
	big.Interfaces = []Interface{{Name: strings.Repeat("x", maxSection+1)}}
	if err := WriteFlows(new(bytes.Buffer), []*Capture{big}); err == nil {
		t.Error("a section above its limit was written")
	}
	late := recorded("late.pcap", 1, 5)
	late.Last = maxTime
	if err := WriteFlows(new(bytes.Buffer), []*Capture{late}); err == nil {
		t.Error("a time after 2116 was written")
	}
}

func BenchmarkFlowsFile(b *testing.B) {
	const packets = 200_000
	data := pcapOf(packets, 50_000)
	c := Capture{Name: "a.pcap", Format: formatPcap}
	c.read(context.Background(), newWindow(bytes.NewReader(data), int64(len(data))), Options{})
	file := flowsOf(b, &c)
	flows := float64(c.Table.Len())
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			flowsOf(b, &c)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/flows, "ns/flow")
		b.ReportMetric(float64(len(file))/flows, "bytes/flow")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if c, _ := readFlowsFile(file); c.Damage != nil {
				b.Fatal(c.Damage)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/flows, "ns/flow")
	})
}
