package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fileWriter writes capture files by hand, so that the tests can write what no tool would.
type fileWriter struct {
	bytes.Buffer
	order binary.AppendByteOrder
}

func (w *fileWriter) u16(v ...uint16) {
	for _, x := range v {
		w.Write(w.order.AppendUint16(nil, x))
	}
}

func (w *fileWriter) u32(v ...uint32) {
	for _, x := range v {
		w.Write(w.order.AppendUint32(nil, x))
	}
}

func (w *fileWriter) u64(v uint64) { w.Write(w.order.AppendUint64(nil, v)) }

// pcapHeader writes a file header, version 2.4.
func (w *fileWriter) pcapHeader(magic, snap, link uint32) {
	w.u32(magic)
	w.u16(2, 4)
	w.u32(0, 0, snap, link)
}

// record writes a pcap record of a whole frame.
func (w *fileWriter) record(seconds, fraction uint32, frame []byte) {
	w.u32(seconds, fraction, uint32(len(frame)), uint32(len(frame)))
	w.Write(frame)
}

// block writes a pcapng block around what body writes.
func (w *fileWriter) block(kind uint32, body func(b *fileWriter)) {
	b := &fileWriter{order: w.order}
	body(b)
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
	total := uint32(b.Len() + 12)
	w.u32(kind, total)
	w.Write(b.Bytes())
	w.u32(total)
}

func (w *fileWriter) section() {
	w.block(blockSection, func(b *fileWriter) {
		b.u32(byteOrderMagic)
		b.u16(1, 0)
		b.u64(1<<64 - 1)
	})
}

// option writes an option with its padding.
func (w *fileWriter) option(code uint16, value []byte) {
	w.u16(code, uint16(len(value)))
	w.Write(value)
	w.Write(make([]byte, -len(value)&3))
}

func (w *fileWriter) iface(link uint16, snap uint32, options func(b *fileWriter)) {
	w.block(blockInterface, func(b *fileWriter) {
		b.u16(link, 0)
		b.u32(snap)
		if options != nil {
			options(b)
			b.option(optionEnd, nil)
		}
	})
}

func (w *fileWriter) enhanced(iface uint32, stamp uint64, frame []byte) {
	w.block(blockEnhanced, func(b *fileWriter) {
		b.u32(iface, uint32(stamp>>32), uint32(stamp), uint32(len(frame)), uint32(len(frame)))
		b.Write(frame)
	})
}

func newFileWriter(big bool) *fileWriter {
	if big {
		return &fileWriter{order: binary.BigEndian}
	}
	return &fileWriter{order: binary.LittleEndian}
}

// readBytes reads a capture that lies in memory.
func readBytes(t testing.TB, data []byte) *Capture {
	t.Helper()
	k := recognise(data[:min(len(data), headSizeMax)], len(data) < headSizeMax)
	if k.format == "" {
		t.Fatalf("not recognised: %s", k.reason)
	}
	c := &Capture{Format: k.format}
	c.read(context.Background(), newWindow(bytes.NewReader(data), int64(len(data))), Options{})
	if !c.Table.Stats.Balanced() {
		t.Fatalf("not balanced: %+v", c.Table.Stats)
	}
	return c
}

// sourceOf returns the reader of a capture.
func sourceOf(t testing.TB, data []byte) Source {
	t.Helper()
	s := &stream{window: newWindow(bytes.NewReader(data), int64(len(data)))}
	if binary.BigEndian.Uint32(data) == blockSection {
		return newPcapngReader(s)
	}
	r, err := newPcapReader(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// frames returns what a reader delivers, a line each.
func frames(t testing.TB, data []byte) (lines []string, err error) {
	t.Helper()
	src := sourceOf(t, data)
	for {
		var f Frame
		if err := src.Next(&f); err != nil {
			return lines, err
		}
		bad := ""
		if f.BadTime {
			bad = " bad"
		}
		lines = append(lines, fmt.Sprintf("%d: link %d if %d at %d%s, %d of %d", f.Number, f.Link, f.Interface, f.Nanos, bad, len(f.Data), f.WireLen))
	}
}

func TestPcapForms(t *testing.T) {
	frame := tcpFrame(1, false)
	for _, tt := range []struct {
		name  string
		big   bool
		magic uint32
		want  string
	}{
		{"little-endian microseconds", false, magicMicros, "1: link 1 if 0 at 1445421600000007000, 154 of 154"},
		{"big-endian microseconds", true, magicMicros, "1: link 1 if 0 at 1445421600000007000, 154 of 154"},
		{"little-endian nanoseconds", false, magicNanos, "1: link 1 if 0 at 1445421600000000007, 154 of 154"},
		{"big-endian nanoseconds", true, magicNanos, "1: link 1 if 0 at 1445421600000000007, 154 of 154"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newFileWriter(tt.big)
			w.pcapHeader(tt.magic, 262144, 1)
			w.record(1445421600, 7, frame)
			got, err := frames(t, w.Bytes())
			if diff := cmp.Diff([]string{tt.want}, got); diff != "" || err.Error() != "EOF" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestPcapRecords(t *testing.T) {
	const second = 1445421600
	frame := make([]byte, 100)
	tests := []struct {
		name  string
		write func(w *fileWriter)
		want  []string
		err   string
	}{
		{"nothing but the header", func(w *fileWriter) {}, nil, "EOF"},
		{"a cut frame", func(w *fileWriter) {
			w.u32(second, 0, 60, 1500)
			w.Write(frame[:60])
		}, []string{"1: link 1 if 0 at 1445421600000000000, 60 of 1500"}, "EOF"},
		{
			"longer than the snap length of the header", func(w *fileWriter) { w.record(second, 0, make([]byte, 70000)) },
			[]string{"1: link 1 if 0 at 1445421600000000000, 70000 of 70000"},
			"EOF",
		},
		{"captured more than was on the wire: read up to the latter", func(w *fileWriter) {
			w.u32(second, 0, 100, 60)
			w.Write(frame)
			w.record(second+1, 0, frame)
		}, []string{"1: link 1 if 0 at 1445421600000000000, 60 of 60", "2: link 1 if 0 at 1445421601000000000, 100 of 100"}, "EOF"},
		{"no length on the wire", func(w *fileWriter) {
			w.u32(second, 0, 100, 0)
			w.Write(frame)
		}, []string{"1: link 1 if 0 at 1445421600000000000, 100 of 100"}, "EOF"},
		{
			"a fraction of more than a second", func(w *fileWriter) { w.record(second, 4e9, frame) },
			[]string{"1: link 1 if 0 at 1445421600000000000 bad, 100 of 100"},
			"EOF",
		},
		{
			"the last second there is", func(w *fileWriter) { w.record(1<<32-1, 0, frame) },
			[]string{"1: link 1 if 0 at 4294967295000000000, 100 of 100"},
			"EOF",
		},
		{"a length bomb", func(w *fileWriter) {
			w.record(second, 0, frame)
			w.u32(second, 0, 2<<30, 2<<30)
			w.Write(frame)
		}, []string{"1: link 1 if 0 at 1445421600000000000, 100 of 100"}, "at byte 140: a packet of 2147483648 captured bytes: more than 262144"},
		{"cut inside a record header", func(w *fileWriter) { w.u32(second) }, nil, "at byte 24: cut inside a record header: 4 of 16 bytes"},
		{"cut inside a frame", func(w *fileWriter) { w.u32(second, 0, 100, 100, 0) }, nil, "at byte 24: cut inside a record: 20 of 116 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newFileWriter(false)
			w.pcapHeader(magicMicros, 65535, 1)
			tt.write(w)
			got, err := frames(t, w.Bytes())
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err.Error() != tt.err {
				t.Errorf("error %q, want %q", err, tt.err)
			}
		})
	}
}

func TestOverlongRecordsAreCounted(t *testing.T) {
	const second = 1445421600
	frame := tcpFrame(1, false)
	w := newFileWriter(false)
	w.pcapHeader(magicMicros, 65535, 1)
	w.record(second, 0, frame)
	for _, wire := range []uint32{60, 0} { // the second: a writer that leaves the length on the wire out
		w.u32(second, 0, uint32(len(frame)), wire)
		w.Write(frame)
	}
	w.record(second, 0, frame)
	if s := &readBytes(t, w.Bytes()).Table.Stats; s.Read != 4 || s.OverlongRecords != 1 {
		t.Errorf("%d packets, %d of them overlong, want 4 and 1", s.Read, s.OverlongRecords)
	}
}

func TestPcapHeaderOddities(t *testing.T) {
	frame := tcpFrame(1, false)
	t.Run("the flags above the link type are no part of it", func(t *testing.T) {
		w := newFileWriter(false)
		w.pcapHeader(magicMicros, 0, 0x24000000|uint32(LinkEthernet))
		w.record(1, 0, frame)
		if got := readBytes(t, w.Bytes()); got.Table.Len() != 1 || got.Interfaces[0].Link != LinkEthernet {
			t.Errorf("%d flows on link %d, want 1 on 1", got.Table.Len(), got.Interfaces[0].Link)
		}
	})
	t.Run("link type 276 needs more than eight bits", func(t *testing.T) {
		w := newFileWriter(true)
		w.pcapHeader(magicMicros, 0, uint32(LinkCooked2))
		w.record(1, 0, join(t, "0800 0000 00000002 0001 00 06 0050560000010000", udp32, dns))
		if got := readBytes(t, w.Bytes()); got.Table.Len() != 1 {
			t.Errorf("%d flows, want 1", got.Table.Len())
		}
	})
	t.Run("version 2.2 has its lengths the other way round", func(t *testing.T) {
		w := newFileWriter(false)
		w.pcapHeader(magicMicros, 0, 1)
		binary.LittleEndian.PutUint16(w.Bytes()[6:], 2)
		w.u32(1, 0, 1500, 154)
		w.Write(frame)
		got, err := frames(t, w.Bytes())
		if want := []string{"1: link 1 if 0 at 1000000000, 154 of 1500"}; !cmp.Equal(got, want) {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	})
	t.Run("an unknown link type is counted, packet by packet", func(t *testing.T) {
		w := newFileWriter(false)
		w.pcapHeader(magicMicros, 0, 127)
		w.record(1, 0, frame)
		w.record(2, 0, frame)
		got := readBytes(t, w.Bytes()).Table.Stats
		if got.Skipped[BadLinkType] != 2 || got.LinkTypes[127] != 2 {
			t.Errorf("skipped %d, by type %v, want 2", got.Skipped[BadLinkType], got.LinkTypes)
		}
	})
}

func TestZerosAreNoRecords(t *testing.T) {
	w := newFileWriter(false)
	w.pcapHeader(magicMicros, 0, 1)
	w.record(1, 0, tcpFrame(1, false))
	start := int64(w.Len())
	w.Write(make([]byte, 16*100_000))
	c := readBytes(t, w.Bytes())
	want := &Damage{Offset: start, Reason: "not a record header: 0 captured bytes of 0, at second 0"}
	if diff := cmp.Diff(want, c.Damage); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.Table.Stats; got.Flowed != 1 || got.Read != 1 {
		t.Errorf("read %d, in flows %d, want 1, 1", got.Read, got.Flowed)
	}
}

func TestAThousandRecordsWithoutAByteAreDamage(t *testing.T) {
	w := newFileWriter(false)
	w.section()
	w.iface(1, 0, nil)
	w.enhanced(0, 1e6, tcpFrame(1, false))
	start := int64(w.Len())
	for range 2 * maxZeroRecords {
		w.enhanced(0, 1e6, nil)
	}
	c := readBytes(t, w.Bytes())
	want := &Damage{Offset: start + 32*(maxZeroRecords-1), Reason: "1000 packets without a byte in a row"}
	if diff := cmp.Diff(want, c.Damage); diff != "" || c.Table.Stats.Read != maxZeroRecords {
		t.Errorf("read %d, want %d (-want +got):\n%s", c.Table.Stats.Read, maxZeroRecords, diff)
	}
}

// sampleFiles returns a small capture in each format and where its records or blocks end.
func sampleFiles() map[string]struct {
	data []byte
	ends map[int]int // offset of a boundary: packets before it
} {
	type sample = struct {
		data []byte
		ends map[int]int
	}
	all := map[string]sample{}
	for _, big := range []bool{false, true} {
		w := newFileWriter(big)
		w.pcapHeader(magicMicros, 0, 1)
		ends := map[int]int{w.Len(): 0}
		for i := range 4 {
			w.record(uint32(i), 0, tcpFrame(i, i%2 == 0))
			ends[w.Len()] = i + 1
		}
		all[fmt.Sprintf("pcap, big-endian %v", big)] = sample{w.Bytes(), ends}

		w = newFileWriter(big)
		w.section()
		ends = map[int]int{w.Len(): 0}
		w.iface(1, 0, func(b *fileWriter) { b.option(ifName, []byte("vmnic0")) })
		ends[w.Len()] = 0
		for i := range 4 {
			w.enhanced(0, uint64(i), tcpFrame(i, i%2 == 0))
			ends[w.Len()] = i + 1
			w.block(99, func(b *fileWriter) { b.u32(1, 2) })
			ends[w.Len()] = i + 1
		}
		all[fmt.Sprintf("pcapng, big-endian %v", big)] = sample{w.Bytes(), ends}
	}
	return all
}

// TestCutAtEveryByte is fault 1: every whole packet before the cut is there, and the cut is seen unless it lies exactly
// between two records.
func TestCutAtEveryByte(t *testing.T) {
	for name, sample := range sampleFiles() {
		t.Run(name, func(t *testing.T) {
			packets := 0
			start := 0
			for cut := 1; cut <= len(sample.data); cut++ {
				data := sample.data[:cut]
				if string(data) == "\n" {
					continue // one line feed is text
				}
				n, boundary := sample.ends[cut]
				if boundary {
					packets, start = n, cut
				}
				c := readBytes(t, data)
				if got := int(c.Table.Stats.Read); got != packets {
					t.Fatalf("cut at %d: %d packets, want %d", cut, got, packets)
				}
				if got := c.Damage != nil; got == boundary {
					t.Fatalf("cut at %d, a boundary: %v: damage %v", cut, boundary, c.Damage)
				}
				if c.Damage != nil && c.Damage.Offset != int64(start) {
					t.Fatalf("cut at %d: damage %v, want it at %d", cut, c.Damage, start)
				}
				if c.Size != int64(start) {
					t.Fatalf("cut at %d: %d bytes read, want %d", cut, c.Size, start)
				}
			}
		})
	}
}

// TestDamageCostsNoMemory is fault 3: every word of a small file in turn is made enormous.
func TestDamageCostsNoMemory(t *testing.T) {
	for name, sample := range sampleFiles() {
		t.Run(name, func(t *testing.T) {
			for at := 4; at+4 <= len(sample.data); at += 4 {
				for _, bomb := range []uint32{0xffffffff, 0x7ffffff0, 0xf0ffff7f, 0x01000000, 1} {
					data := bytes.Clone(sample.data)
					binary.LittleEndian.PutUint32(data[at:], bomb)
					if recognise(data, false).format == "" {
						continue
					}
					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					readBytes(t, data)
					runtime.ReadMemStats(&after)
					if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
						t.Fatalf("word %08x at %d: %d bytes allocated", bomb, at, got)
					}
				}
			}
		})
	}
}

// read fills c from w.
func (c *Capture) read(ctx context.Context, w *window, opt Options) {
	c.readStream(ctx, &stream{window: w, size: -1}, opt)
}

// readStream fills c from s.
func (c *Capture) readStream(ctx context.Context, s *stream, opt Options) {
	x := c.reading(s, opt)
	x.lead(ctx)
	x.finish(ctx)
}
