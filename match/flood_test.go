package match

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// wire sends TCP segments into a table.
type wire struct {
	table *capture.Table
	ns    int64
	frame capture.Frame
	ip    [40]byte
}

func newWire(t *capture.Table) *wire {
	w := &wire{table: t, ns: 1445421600e9}
	w.ip[0], w.ip[3], w.ip[8], w.ip[9], w.ip[32] = 0x45, 40, 64, byte(capture.TCP), 5<<4
	w.frame = capture.Frame{Link: capture.LinkIPv4, Data: w.ip[:], WireLen: len(w.ip)}
	return w
}

const (
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// send sends one segment, a microsecond after the one before.
func (w *wire) send(from, to netip.Addr, fromPort, toPort uint16, flags byte) {
	a, b := from.As4(), to.As4()
	copy(w.ip[12:], a[:])
	copy(w.ip[16:], b[:])
	binary.BigEndian.PutUint16(w.ip[20:], fromPort)
	binary.BigEndian.PutUint16(w.ip[22:], toPort)
	w.ip[33] = flags
	w.ns += 1000
	w.frame.Nanos = w.ns
	w.frame.Number++
	var p capture.Packet
	if why := p.Decode(&w.frame); why != capture.Kept {
		panic(why)
	}
	w.table.Add(&p, w.ns, capture.Ref{Frame: w.frame.Number})
}

// capture returns what was sent.
func (w *wire) capture() *capture.Capture {
	return &capture.Capture{Name: "flood", Format: "pcap", First: 1445421600e9, Last: w.ns, Table: w.table}
}

func ipv4(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// esxHosts is a site of ESX hosts 10.1.0.1 to 10.1.0.254 and their vCenter.
func esxHosts(t testing.TB) *inventory.Inventory {
	t.Helper()
	text := "machines:\n  - {name: vc, products: [vCenter 4.1], addresses: [10.1.1.1]}\n"
	for i := range 254 {
		text += fmt.Sprintf("  - {name: esx%d, products: [ESX 4.1], addresses: [10.1.0.%d]}\n", i+1, i+1)
	}
	v, err := inventory.Parse("hosts.yaml", []byte(text), catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// keeps is what cmd/flowvet gives the table: the machines of the inventory.
func keeps(v *inventory.Inventory) func(netip.Addr) bool {
	return func(a netip.Addr) bool { p, ok := v.Place(a); return ok && p.Machine != nil }
}

func evaluated(t testing.TB, v *inventory.Inventory, c *capture.Capture) *Result {
	t.Helper()
	r, err := Evaluate(Grounds{Catalog: catalog.Default(), Inventory: v, FailOn: LevelError, AsOf: time.Unix(0, 0)}, []*capture.Capture{c})
	if err != nil {
		t.Fatal(err)
	}
	if r.Status == 70 {
		t.Fatal(r.StatusWhy)
	}
	return r
}

// TestScanOfEverythingIsOneFinding is fault 16: one address tries every port of every host of a network, and each refuses.
// The table holds fewer flows than that, and everything is counted all the same. FLOWVET_FLOOD makes it all 65,535 ports
// of 254 hosts, against a table of a million.
func TestScanOfEverythingIsOneFinding(t *testing.T) {
	const targets = 254
	ports, limit := 1000, 50_000
	switch {
	case os.Getenv("FLOWVET_FLOOD") != "":
		ports, limit = 65_535, 1_000_000
	case testing.Short():
		ports = 400
	}
	v := esxHosts(t)
	w := newWire(&capture.Table{MaxFlows: limit, Keep: keeps(v)})
	scanner := netip.MustParseAddr("10.9.9.9")
	for port := range ports {
		for host := range uint32(targets) {
			esx := ipv4(10<<24 | 1<<16 | (host + 1))
			w.send(scanner, esx, 40000, uint16(port+30000), flagSYN)
			w.send(esx, scanner, uint16(port+30000), 40000, flagRST|flagACK)
		}
	}
	r := evaluated(t, v, w.capture())
	if len(r.Scans) != 1 || r.Counts.Undocumented != 1 {
		t.Fatalf("%d scans, %d undocumented, want one", len(r.Scans), r.Counts.Undocumented)
	}
	s := r.Scans[0]
	expected := 0 // attempts that some client may make: an expectation may rest on them
	for i := range r.Findings.Len() {
		if r.Findings.At(i).Bucket() == Documented {
			expected++
		}
	}
	if got := len(s.Members) - expected; got != MaxScanMembers || r.Findings.Len() != len(s.Members) || s.Hosts != targets {
		t.Errorf("%d members, %d of them documented, of %d findings; %d hosts", len(s.Members), expected, r.Findings.Len(), s.Hosts)
	}
	t.Logf("%d packets, %d flows in the table, %d folded: %d findings of one scan, %d conversations summed up",
		r.Stats.Read, w.table.Len(), r.Stats.FoldedFlows, r.Findings.Len(), s.Rest.Conversations)
	kept := w.table.Len()
	if got := len(s.Members) + s.Rest.Conversations; got != kept || s.Rest.Outcomes[Refused] != s.Rest.Conversations {
		t.Errorf("%d conversations, %d flows are in the table; %v", got, kept, s.Rest.Outcomes)
	}
	if got := int(r.Stats.FoldedFlows) + kept; got != ports*targets {
		t.Errorf("%d flows in conversations or folded, want %d", got, ports*targets)
	}
	if r.Status != 4 {
		t.Errorf("exit status %d, want 4: the table was too small", r.Status)
	}
	for _, f := range r.Findings.All() {
		if f.Scan != 1 || !f.Qualifiers.Has(ScanLike) || f.Outcome != Refused {
			t.Fatalf("%s %s %v is no member", f.Responder, f.Verdict, f.Outcome)
		}
	}
}

// TestScanKeepsWhatIsExpected hides attempts at documented services among the ports of a scan by a machine that may make
// them: they stay findings, and the expectation is answered by them.
func TestScanKeepsWhatIsExpected(t *testing.T) {
	v := esxHosts(t)
	w := newWire(new(capture.Table))
	vc := netip.MustParseAddr("10.1.1.1")
	for port := uint16(1); port < 20_000; port++ {
		esx := ipv4(10<<24 | 1<<16 | uint32(port%254+1))
		w.send(vc, esx, 50000, port, flagSYN)
		w.send(esx, vc, port, 50000, flagRST|flagACK)
	}
	r := evaluated(t, v, w.capture())
	if len(r.Scans) != 1 || r.Scans[0].Rest.Conversations == 0 {
		t.Fatalf("scans %+v", r.Scans)
	}
	documented := 0
	for _, f := range r.Findings.All() {
		if f.Bucket() == Documented && f.Verdict != DocumentedBroad {
			documented++
		}
	}
	if documented < 3 {
		t.Errorf("%d documented attempts are left, want 443, 902 and more", documented)
	}
	refused := 0
	for i := range r.Expectations {
		if r.Expectations[i].Verdict == AttemptedRefused {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no expectation was tried and refused")
	}
}

// TestExceptionForTheRestOfAScan accepts most of a scan: it stays open for what is not accepted, however late that comes.
func TestExceptionForTheRestOfAScan(t *testing.T) {
	v := esxHosts(t)
	tests := []struct {
		name     string
		selector string
		excepted bool
		used     int
	}{
		{"of all ports", "{src: 10.9.9.9, transport: tcp}, blanket: true", true, 10_000},
		{"but for one port", "{src: 10.9.9.9, transport: tcp, port: 30000-39998}", false, 9999},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWire(new(capture.Table))
			scanner, esx := netip.MustParseAddr("10.9.9.9"), netip.MustParseAddr("10.1.0.7")
			for port := uint16(30000); port < 40000; port++ {
				w.send(scanner, esx, 40000, port, flagSYN)
				w.send(esx, scanner, port, 40000, flagRST|flagACK)
			}
			x, err := ParseExceptions("x.yaml", fmt.Appendf(nil, "exceptions:\n  - {id: EX-1, selector: %s, justification: x, owner: a, approver: b, created: 2015-01-01, expires: 2035-01-01}\n", tt.selector), catalog.Default(), v)
			if err != nil {
				t.Fatal(err)
			}
			g := Grounds{Catalog: catalog.Default(), Inventory: v, FailOn: LevelError, AsOf: time.Unix(1445421600, 0), Exceptions: x}
			r, err := Evaluate(g, []*capture.Capture{w.capture()})
			if err != nil {
				t.Fatal(err)
			}
			s := r.Scans[0]
			if got := r.Findings.At(s.Worst).Disposition.Excepted(); got != tt.excepted {
				t.Errorf("the scan is excepted: %v, want %v", got, tt.excepted)
			}
			if got := r.Exceptions[0].Used; got != tt.used {
				t.Errorf("the exception covers %d, want %d", got, tt.used)
			}
		})
	}
}

// million sends that many one-packet flows of forged addresses to a vCenter's web port.
func million(n int) *wire {
	w := newWire(new(capture.Table))
	vc := netip.MustParseAddr("10.1.1.1")
	for i := range uint32(n) {
		w.send(ipv4(20<<24+i), vc, 1024, 4444, flagSYN)
	}
	return w
}

func BenchmarkEvaluateMillionUndocumented(b *testing.B) {
	v := esxHosts(b)
	for b.Loop() {
		w := million(1_000_000)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r := evaluated(b, v, w.capture())
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "B-kept/conversation")
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/1e6, "B-made/conversation")
		b.ReportMetric(float64(after.HeapSys)/1e6, "B-heap/conversation")
		if r.Findings.Len() != 1_000_000 {
			b.Fatal(r.Findings.Len())
		}
	}
}
