package capture

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestFlowsFileRefusesEveryFlippedBit is fault 38: each bit of a file is flipped, and each file refused whole.
func TestFlowsFileRefusesEveryFlippedBit(t *testing.T) {
	data := flowsOf(t, recorded("a.pcap", 5, 40), recorded("b.pcap", 6, 3))
	refused := 0
	for bit := range 8 * len(data) {
		flipped := slices.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		refuses(t, flipped, fmt.Sprintf("bit %d of byte %d flipped", bit%8, bit/8))
		refused++
	}
	t.Logf("%d of %d refused", refused, 8*len(data))
}

// TestFlowsFileRefusesEveryCut cuts a file at each byte.
func TestFlowsFileRefusesEveryCut(t *testing.T) {
	data := flowsOf(t, recorded("a.pcap", 5, 40), recorded("b.pcap", 6, 3))
	for n := range data {
		refuses(t, data[:n], fmt.Sprintf("cut to %d bytes", n))
	}
	refuses(t, append(slices.Clone(data), 0), "one byte more")
	refuses(t, append(slices.Clone(data), data...), "twice in a row")
}

// refuses wants a file not to be recognised, or to be read as damaged, in one line and without anything of it.
func refuses(t *testing.T, data []byte, how string) {
	t.Helper()
	k := recognise(data, true)
	if k.format != FormatFlows {
		if k.format != "" || k.reason == "" {
			t.Fatalf("%s: recognised as %+v", how, k)
		}
		return
	}
	file, _ := readFlowsFile(data)
	if file.Damage == nil {
		t.Fatalf("%s: accepted", how)
	}
	if d := file.Damage; d.Reason == "" || strings.ContainsAny(d.Reason, "\n\r") || d.Offset < 0 || d.Offset > int64(len(data)) {
		t.Fatalf("%s: damage %q at %d of %d bytes", how, d.Reason, d.Offset, len(data))
	}
	if file.Table.Stats.Read != 0 || file.Table.Len() != 0 {
		t.Fatalf("%s: something of it is judged", how)
	}
}

func TestFlowsFileOfTheFutureIsRefusedByItsVersion(t *testing.T) {
	data := flowsOf(t, recorded("a.pcap", 5, 4))
	data[flowsHeader-1] = 2
	path := filepath.Join(t.TempDir(), "new.flows")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open([]string{path}, nil)
	want := path + ": a flows file of version 2: this flowvet reads version 1"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// sealed makes a flows file of sections that no writer would write, with a good checksum.
func sealed(t *testing.T, sections func(f *flowsWriter)) []byte {
	t.Helper()
	var out bytes.Buffer
	f, err := newFlowsWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	sections(f)
	if err := f.close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestFlowsFileRefusesLies gives the reader files whose checksum is right and whose content is not.
func TestFlowsFileRefusesLies(t *testing.T) {
	honest := func() *Capture { return recorded("a.pcap", 5, 40) }
	head := func(f *flowsWriter, c *Capture) {
		f.section.capture(c)
		f.flush(sectionCapture)
	}
	flow := func(change func(*Flow)) func(*flowsWriter) {
		return func(f *flowsWriter) {
			c := &Capture{Name: "x", Format: formatPcap, First: 5e9, Last: 9e9, Table: new(Table)}
			one := Flow{
				A: netip.MustParseAddrPort("10.0.0.1:1"), B: netip.MustParseAddrPort("10.0.0.2:2"), Proto: TCP, Seconds: Seconds{{5, 9}},
				FromA: Side{Packets: 2, First: 5e9, Last: 9e9, FirstRef: Ref{Frame: 1}},
			}
			c.Table.AddFlow(&one)
			c.Table.Stats = Stats{Read: 2, Flowed: 2}
			head(f, c)
			f.section.stats(&c.Table.Stats)
			f.flush(sectionStats)
			change(&one)
			f.section.flow(&one, c.First)
			f.flush(sectionFlows)
		}
	}
	for _, tt := range []struct {
		name   string
		write  func(f *flowsWriter)
		reason string // empty: accepted
	}{
		{"nothing changed", flow(func(*Flow) {}), ""},
		{"an optional section that is not known", func(f *flowsWriter) {
			f.capture(honest())
			f.section.text("for a newer one")
			f.flush(sectionOptional + 9)
		}, ""},
		{"no capture", func(*flowsWriter) {}, "no capture in it"},
		{"a section of an unknown type", func(f *flowsWriter) {
			f.capture(honest())
			f.section.byte(1)
			f.flush(77)
		}, "newer flowvet"},
		{"flows before any capture", func(f *flowsWriter) {
			f.section.byte(flowSideA)
			f.flush(sectionFlows)
		}, "belongs to nothing"},
		{"statistics after flows", func(f *flowsWriter) {
			c := honest()
			f.capture(c)
			f.section.stats(&c.Table.Stats)
			f.flush(sectionStats)
		}, "disorder"},
		{"flows missing", func(f *flowsWriter) {
			c := honest()
			head(f, c)
			f.section.stats(&c.Table.Stats)
			f.flush(sectionStats)
		}, "flows are missing"},
		{"counters that do not add up", func(f *flowsWriter) {
			c := honest()
			c.Table.Stats.Read++
			f.capture(c)
		}, "do not add up"},
		{"packets that are in no flow", func(f *flowsWriter) {
			c := honest()
			c.Table.Stats.Read++
			c.Table.Stats.Flowed++
			f.capture(c)
		}, "packets of the flows do not add up"},
		{"a counter nobody knows", func(f *flowsWriter) {
			head(f, honest())
			f.section.number(1)
			f.section.text("colour")
			f.section.number(1)
			f.flush(sectionStats)
		}, `counter "colour" is unknown`},
		{"ends the wrong way round", flow(func(f *Flow) { f.A, f.B = f.B, f.A }), "wrong way round"},
		{"a flow that ends before it begins", flow(func(f *Flow) { f.FromA.Last = 4e9 }), "too large"},
		{"a SYN outside its flow", flow(func(f *Flow) { f.FromA.Signs, f.FromA.SYNAt, f.FromA.ISNs = SYN, 10e9, []uint32{1} }), "too large"},
		{"a SYN without a sequence number", flow(func(f *Flow) { f.FromA.Signs, f.FromA.SYNAt, f.FromA.SYNRef.Frame = SYN, 6e9, 1 }), "a set is empty"},
		{"a set out of order", flow(func(f *Flow) { f.VLANs = []uint16{4, 3} }), "a set is out of order"},
		{"seconds after the last packet", flow(func(f *Flow) { f.Seconds = Seconds{{5, 10}} }), "seconds of a flow"},
		{"seconds out of order", flow(func(f *Flow) { f.Seconds = Seconds{{5, 7}, {8, 9}} }), "seconds are out of order"},
		{"a time before all calendars", flow(func(f *Flow) { f.FromA.First, f.FromA.Last = -maxTime, 9e9 }), "a time beyond"},
		{"a side without a packet", flow(func(f *Flow) { f.FromA.Packets, f.FromA.Signs = 0, QuotedPort|SYN }), "not there"},
		{"the same flow twice", func(f *flowsWriter) {
			flow(func(*Flow) {})(f)
			flow(func(*Flow) {})(f)
			f.section.byte(0)
		}, "an end that holds something"},
		{"the same flow again", func(f *flowsWriter) {
			c := honest()
			f.capture(c)
			for one := range c.Table.Flows {
				f.section.flow(&one, c.First)
				break
			}
			f.flush(sectionFlows)
		}, "disorder"},
		{"a section that unfolds too far", func(f *flowsWriter) {
			f.write([]byte{sectionCapture, 41, 10})
			f.write(make([]byte, 10))
		}, "stored in 10"},
		{"a section of 2 GiB", func(f *flowsWriter) { f.write([]byte{sectionCapture, 0xff, 0xff, 0xff, 0xff, 7, 9}) }, "a section"},
		{"a section that is no zstd", func(f *flowsWriter) {
			f.write([]byte{sectionCapture, 20, 10})
			f.write(make([]byte, 10))
		}, "cannot be decompressed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, _ := readFlowsFile(sealed(t, tt.write))
			switch d := file.Damage; {
			case tt.reason == "" && d != nil:
				t.Errorf("refused: %v", d)
			case tt.reason != "" && (d == nil || !strings.Contains(d.Reason, tt.reason)):
				t.Errorf("got %v, want %q", d, tt.reason)
			}
		})
	}
}
