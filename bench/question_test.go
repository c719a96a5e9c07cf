package main

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
	"flowvet/report"
)

// made writes a capture of a shape into memory.
func made(tb testing.TB, name string, size int64, flows int) (file []byte, packets int) {
	tb.Helper()
	s, err := shapeNamed(name)
	if err != nil {
		tb.Fatal(err)
	}
	if flows > 0 {
		s.flows = flows
	}
	var b bytes.Buffer
	if packets, err = s.write(&b, size); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes(), packets
}

// frames cuts a file of shape.write into its frames.
func frames(file []byte) []capture.Frame {
	var all []capture.Frame
	for b := file[fileHeader:]; len(b) > 0; {
		n := int(b[8]) | int(b[9])<<8
		all = append(all, capture.Frame{Link: capture.LinkEthernet, Data: b[recordHeader : recordHeader+n], WireLen: n, Number: uint64(len(all) + 1)})
		b = b[recordHeader+n:]
	}
	return all
}

// rates reports what a run amounts to; the time is the benchmark's so far.
func rates(b *testing.B, packets, bytes, flows int) {
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(packets)/seconds/1e6, "Mpackets/s")
	b.ReportMetric(float64(bytes)/seconds/1e6, "MB/s")
	b.ReportMetric(float64(flows), "flows")
	b.ReportAllocs()
}

// BenchmarkDecode answers what it costs to decode a packet, from its link header to its ports.
func BenchmarkDecode(b *testing.B) {
	file, packets := made(b, "mixed", 16<<20, 0)
	all := frames(file)
	var p capture.Packet
	for b.Loop() {
		for i := range all {
			p.Decode(&all[i])
		}
	}
	rates(b, packets, len(file), 0)
}

// BenchmarkAdd answers what it costs to add a packet to its flow, where there are more and more of them.
func BenchmarkAdd(b *testing.B) {
	for _, flows := range []int{1000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(flows), func(b *testing.B) {
			file, n := made(b, "small", int64(2*flows*(64+recordHeader)), flows)
			packets := make([]capture.Packet, n)
			for i, f := range frames(file) {
				packets[i].Decode(&f)
			}
			var t capture.Table
			for b.Loop() {
				for i := range packets {
					t.Add(&packets[i], began*1e9+int64(i)*apart, capture.Ref{Frame: uint64(i + 1)})
				}
			}
			rates(b, n, len(file), t.Len())
		})
	}
}

// pcapng wraps the packets of a pcap file of shape.write into enhanced packet blocks.
func pcapng(file []byte) []byte {
	le := func(b []byte, words ...uint32) []byte {
		for _, w := range words {
			b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
		}
		return b
	}
	b := le(nil, 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28)
	b = le(b, 1, 20, 1, 65535, 20)
	for i, f := range frames(file) {
		at := uint64(began)*1e6 + uint64(i)*apart/1000
		padded := (len(f.Data) + 3) &^ 3
		size := uint32(32 + padded)
		b = le(b, 6, size, 0, uint32(at>>32), uint32(at), uint32(len(f.Data)), uint32(len(f.Data)))
		b = append(b, f.Data...)
		b = append(b, make([]byte, padded-len(f.Data))...)
		b = le(b, size)
	}
	return b
}

func BenchmarkReadPcap(b *testing.B)   { readFile(b, func(f []byte) []byte { return f }) }
func BenchmarkReadPcapng(b *testing.B) { readFile(b, pcapng) }

// readFile answers how long a file takes from the disk's cache to its flows.
func readFile(b *testing.B, as func([]byte) []byte) {
	file, packets := made(b, "mixed", 64<<20, 0)
	path := filepath.Join(b.TempDir(), "mixed")
	if err := os.WriteFile(path, as(file), 0o600); err != nil {
		b.Fatal(err)
	}
	var c *capture.Capture
	for b.Loop() {
		c = readOne(b, path)
	}
	rates(b, packets, len(file), c.Table.Len())
}

func readOne(tb testing.TB, path string) *capture.Capture {
	tb.Helper()
	inputs, err := capture.Open([]string{path}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return inputs[0].ReadAll(tb.Context(), capture.Options{})[0]
}

// BenchmarkReadStream answers how long a capture takes that can only be read from its beginning, with the flows counted by the goroutine
// that reads it, and by another.
func BenchmarkReadStream(b *testing.B) {
	file, packets := made(b, "mixed", 64<<20, 0)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("%d goroutines", workers), func(b *testing.B) {
			flows := 0
			for b.Loop() {
				inputs, err := capture.Open([]string{"-"}, bytes.NewReader(file))
				if err != nil {
					b.Fatal(err)
				}
				plan := capture.NewPlan(inputs, workers, capture.Options{}, nil)
				plan.Read(b.Context(), 0)
				flows = plan.Captures()[0].Table.Len()
			}
			rates(b, packets, len(file), flows)
		})
	}
}

// BenchmarkWholePipe answers how long a check takes, from the file to the JSON report.
func BenchmarkWholePipe(b *testing.B) {
	c := catalog.Default()
	for _, s := range shapes() {
		b.Run(s.name, func(b *testing.B) {
			file, packets := made(b, s.name, 64<<20, 0)
			path := filepath.Join(b.TempDir(), s.name)
			if err := os.WriteFile(path, file, 0o600); err != nil {
				b.Fatal(err)
			}
			flows := 0
			for b.Loop() {
				one := readOne(b, path)
				r := judged(b, c, inventory.Suggest(c, one.Table), one)
				if err := report.JSON(io.Discard, r, report.Options{}); err != nil {
					b.Fatal(err)
				}
				flows = one.Table.Len()
			}
			rates(b, packets, len(file), flows)
		})
	}
}

func judged(tb testing.TB, c *catalog.Catalog, v *inventory.Inventory, one *capture.Capture) *match.Result {
	tb.Helper()
	r, err := match.Evaluate(match.Grounds{Catalog: c, Inventory: v, FailOn: match.LevelError, AsOf: time.Unix(0, 0)}, []*capture.Capture{one})
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// undocumented makes a table of conversations of strangers with 500 hosts, and judges them.
func undocumented(tb testing.TB, n int) *match.Result {
	tb.Helper()
	c := catalog.Default()
	var text strings.Builder
	text.WriteString("machines:\n")
	hosts := make([]netip.Addr, 500)
	for i := range hosts {
		hosts[i] = netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		fmt.Fprintf(&text, "  - {name: esx%d, products: [ESX 4.1], addresses: [%s]}\n", i, hosts[i])
	}
	v, err := inventory.Parse("hosts.yaml", []byte(text.String()), c)
	if err != nil {
		tb.Fatal(err)
	}
	var t capture.Table
	for i := range n {
		f := capture.Flow{Proto: capture.TCP}
		f.A = netip.AddrPortFrom(hosts[i%len(hosts)], uint16(3000+i%1500))
		f.B = netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, byte(16 + i>>16), byte(i >> 8), byte(i)}), 40000)
		at := int64(began*1e9) + int64(i)*1000
		f.FromB = capture.Side{Packets: 1, Bytes: 60, First: at, Last: at, Signs: capture.SYN, SYNAt: at}
		f.Seconds.Add(at / 1e9)
		t.AddFlow(&f)
	}
	return judged(tb, c, v, &capture.Capture{Name: "made", First: began * 1e9, Last: (began + 100) * 1e9, Table: &t})
}

// BenchmarkReport answers how long a report of 1 M undocumented conversations takes, and how much memory beside them.
func BenchmarkReport(b *testing.B) {
	r := undocumented(b, 1_000_000)
	for _, name := range []string{"text", "json", "jsonl", "csv"} {
		b.Run(name, func(b *testing.B) {
			var grown uint64
			w := &watcher{}
			for b.Loop() {
				grown = max(grown, w.write(b, name, r))
			}
			b.ReportMetric(float64(grown)/1e6, "MB-live")
			b.ReportMetric(float64(w.n)/float64(b.N)/1e6, "MB-written")
			b.ReportMetric(float64(r.Findings.Len())*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mfindings/s")
		})
	}
}

// watcher is where reports go: it counts, and looks at the heap now and then.
type watcher struct {
	n, next int64
	most    uint64
}

// watchEvery is how many bytes are written between two looks at the heap.
const watchEvery = 16 << 20

func (w *watcher) Write(b []byte) (int, error) {
	w.n += int64(len(b))
	if w.n > w.next {
		w.next = w.n + watchEvery
		w.most = max(w.most, live())
	}
	return len(b), nil
}

// live returns how much memory is in use.
func live() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// write writes a report, and returns how much the heap grew meanwhile.
func (w *watcher) write(tb testing.TB, name string, r *match.Result) uint64 {
	tb.Helper()
	format, _ := report.ByName(name)
	before := live()
	w.most = before
	if err := format(w, r, report.Options{Limit: report.DefaultLimit}); err != nil {
		tb.Fatal(err)
	}
	return w.most - before
}

// TestReportsOfManyFindingsAreStreamed writes reports of 100,000 findings (-short: 20,000; FLOWVET_FULL=1: 1 M): the program formats hold no part
// of the report in memory, and the one for people is a few hundred lines.
func TestReportsOfManyFindingsAreStreamed(t *testing.T) {
	n := 100_000
	switch {
	case os.Getenv("FLOWVET_FULL") != "":
		n = 1_000_000
	case testing.Short():
		n = 20_000
	}
	r := undocumented(t, n)
	if r.Findings.Len() != n {
		t.Fatalf("%d findings, want %d", r.Findings.Len(), n)
	}
	for _, name := range []string{"json", "jsonl", "csv"} {
		w := &watcher{}
		grown := w.write(t, name, r)
		t.Logf("%s: %d MB written, %d kB of memory", name, w.n/1e6, grown/1e3)
		if grown > 8<<20 {
			t.Errorf("%s of %d findings takes %d bytes", name, n, grown)
		}
	}
	var b bytes.Buffer
	if err := report.Text(&b, r, report.Options{Limit: report.DefaultLimit}); err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(b.Bytes(), []byte("\n")); lines > 600 {
		t.Errorf("the text report of %d findings has %d lines", n, lines)
	} else {
		t.Logf("text: %d lines", lines)
	}
}

// TestFloorSeesWhatTheReaderSees holds the floor against flowvet's own reader, on each shape.
func TestFloorSeesWhatTheReaderSees(t *testing.T) {
	for _, s := range shapes() {
		file, packets := made(t, s.name, 8<<20, 0)
		path := filepath.Join(t.TempDir(), s.name)
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		c := readOne(t, path)
		var out bytes.Buffer
		if err := floorOf(path, &out); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%d packets, %d bytes, %d flows\n", packets, len(file)-fileHeader-packets*recordHeader, c.Table.Len())
		if out.String() != want || int(c.Table.Stats.Read) != packets {
			t.Errorf("%s: the floor says %q, want %q; flowvet read %d", s.name, out.String(), want, c.Table.Stats.Read)
		}
	}
}

// TestFiguresAreDrawnFromNumbers draws what is committed, so that figures and numbers cannot part.
func TestFiguresAreDrawnFromNumbers(t *testing.T) {
	folder := t.TempDir()
	if err := figures("../docs/performance.csv", folder); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"growth.svg", "cores.svg"} {
		drawn, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := os.ReadFile("../docs/" + name); err != nil || !bytes.Equal(kept, drawn) {
			t.Errorf("docs/%s is not drawn from docs/performance.csv: bench figures docs/performance.csv docs (%v)", name, err)
		}
	}
}
