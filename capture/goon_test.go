package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recordAt returns where record i of pcapOf begins.
func recordAt(i int) int { return pcapHeader + i*(pcapRecordHeader+154) }

// damagesOf shows damage a line each.
func damagesOf(c *Capture) (lines []string) {
	for i := range c.Damages {
		lines = append(lines, c.Damages[i].Error())
	}
	return lines
}

// TestReadingGoesOnBehindDamage is fault 5: what is damaged is said, place by place, and what a chain of records proves is
// read on.
func TestReadingGoesOnBehindDamage(t *testing.T) {
	const packets = 40
	put := func(at int, v uint32) func(b []byte) {
		return func(b []byte) { binary.LittleEndian.PutUint32(b[at:], v) }
	}
	tests := []struct {
		name   string
		damage []func(b []byte)
		want   []string
		read   uint64
	}{
		{"a length of 2 GiB", []func([]byte){put(recordAt(5)+8, 2<<30)}, []string{
			fmt.Sprintf("at byte %d: a packet of 2147483648 captured bytes: more than 262144; 170 bytes passed over", recordAt(5)),
		}, packets - 1},
		{"a length that runs into the next records", []func([]byte){put(recordAt(5)+8, 400)}, []string{
			fmt.Sprintf("at byte %d: not a record header: 400 captured bytes of 154, at second 1445421600; 170 bytes passed over", recordAt(5)),
		}, packets - 1},
		{"a length too small: the packet is read as one that was cut", []func([]byte){put(recordAt(5)+8, 60)}, []string{
			fmt.Sprintf("at byte %d: not a record header: 0 captured bytes of 0, at second 0; 94 bytes passed over", recordAt(5)+76),
		}, packets},
		{"two places", []func([]byte){put(recordAt(5)+8, 2<<30), put(recordAt(20)+8, 3<<30)}, []string{
			fmt.Sprintf("at byte %d: a packet of 2147483648 captured bytes: more than 262144; 170 bytes passed over", recordAt(5)),
			fmt.Sprintf("at byte %d: a packet of 3221225472 captured bytes: more than 262144; 170 bytes passed over", recordAt(20)),
		}, packets - 2},
		{"the first record", []func([]byte){put(recordAt(0)+8, 2<<30)}, []string{
			"at byte 24: a packet of 2147483648 captured bytes: more than 262144; 170 bytes passed over",
		}, packets - 1},
		{"too near to the end for a chain", []func([]byte){put(recordAt(packets-3)+8, 2<<30)}, []string{
			fmt.Sprintf("at byte %d: a packet of 2147483648 captured bytes: more than 262144", recordAt(packets-3)),
		}, packets - 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := pcapOf(packets, 3)
			for _, damage := range tt.damage {
				damage(data)
			}
			c := readBytes(t, data)
			if diff := cmp.Diff(tt.want, damagesOf(c)); diff != "" {
				t.Errorf("damage (-want +got):\n%s", diff)
			}
			if c.Table.Stats.Read != tt.read {
				t.Errorf("%d packets, want %d", c.Table.Stats.Read, tt.read)
			}
			if c.Damage == nil || *c.Damage != c.Damages[0] {
				t.Errorf("the first is %v", c.Damage)
			}
		})
	}
}

// TestOddRecordsAreNoDamage: writers break the rules of record headers one at a time, and are believed.
func TestOddRecordsAreNoDamage(t *testing.T) {
	for name, odd := range map[string]func(i int, h []byte){
		"every time a year after the one before": func(i int, h []byte) { binary.LittleEndian.PutUint32(h, 1e9+uint32(i)*31536000) },
		"one jump of 50 years":                   func(i int, h []byte) { binary.LittleEndian.PutUint32(h, 1e9+uint32(i/50)*50*31536000) },
		"every third time is 1970":               func(i int, h []byte) { binary.LittleEndian.PutUint32(h, uint32(min(i%3, 1))*1445421600) },
		"every fraction is too large":            func(_ int, h []byte) { binary.LittleEndian.PutUint32(h[4:], 4e9) },
		"some fractions are too large":           func(i int, h []byte) { binary.LittleEndian.PutUint32(h[4:], uint32(i%7/6)*4e9) },
		"no length on the wire":                  func(_ int, h []byte) { binary.LittleEndian.PutUint32(h[12:], 0) },
		"captured more than was on the wire":     func(i int, h []byte) { binary.LittleEndian.PutUint32(h[12:], uint32(100+i%60)) },
		"one of 2 GiB on the wire":               func(i int, h []byte) { binary.LittleEndian.PutUint32(h[12:], 154+uint32(i/99%2)<<31) },
	} {
		for _, packets := range []int{3, 100, 5000} {
			data := pcapOf(packets, 3)
			for i := range packets {
				odd(i, data[recordAt(i):])
			}
			if c := readBytes(t, data); c.Damage != nil || c.Table.Stats.Read != uint64(packets) {
				t.Errorf("%s: %d packets of %d, damage %v", name, c.Table.Stats.Read, packets, damagesOf(c))
			}
		}
	}
	t.Run("packets longer than the snap length", func(t *testing.T) {
		data := pcapOf(200, 3)
		binary.LittleEndian.PutUint32(data[16:], 96)
		if c := readBytes(t, data); c.Damage != nil || c.Table.Stats.Read != 200 {
			t.Errorf("%d packets, damage %v", c.Table.Stats.Read, damagesOf(c))
		}
	})
}

// TestACaptureInsideAPacketIsNoProof: a capture file that was sent over the network is full of records, and the packets
// they hold were never captured here.
func TestACaptureInsideAPacketIsNoProof(t *testing.T) {
	sent := pcapOf(60, 3)[pcapHeader:] // 10 kB of records, in one jumbo frame
	w := newFileWriter(false)
	w.pcapHeader(magicMicros, 0, 1)
	var begins []int64
	for i := range 40 {
		frame := tcpFrame(i, false)
		if i == 10 {
			frame = append(frame, sent...)
			binary.BigEndian.PutUint16(frame[16:], uint16(len(frame)-etherHeader))
		}
		begins = append(begins, int64(w.Len()))
		w.record(1445421600, uint32(i), frame)
	}
	for _, damage := range []struct {
		field int
		value uint32
	}{{8, 2 << 30}, {8, 17}, {8, 400}, {0, 7}, {12, 1}, {4, 4e9}} {
		data := bytes.Clone(w.Bytes())
		binary.LittleEndian.PutUint32(data[begins[10]+int64(damage.field):], damage.value)
		got, err := starts(data)
		for _, at := range got {
			found := false
			for _, b := range begins {
				found = found || at == b
			}
			if !found {
				t.Errorf("%+v: a packet at %d, inside another; ended %v", damage, at, err)
				break
			}
		}
		if len(got) < 39 {
			t.Errorf("%+v: %d packets of 40, ended %v", damage, len(got), err)
		}
	}
}

func TestPcapngGoesOnBehindDamage(t *testing.T) {
	for _, tt := range []struct {
		name  string
		write func(w *fileWriter)
		want  string
		lost  uint64
	}{
		{"a packet of an unknown interface", func(w *fileWriter) { w.enhanced(3, 1e6, tcpFrame(1, false)) }, "at byte %d: interface 3 of a section that has described 1; 188 bytes passed over", 0},
		{"a packet larger than its block", func(w *fileWriter) {
			w.block(blockEnhanced, func(b *fileWriter) { b.u32(0, 0, 0, 1000, 1000, 0) })
		}, "at byte %d: a packet of 1000 captured bytes in a block with room for 4; 36 bytes passed over", 0},
		{"a block length that is none", func(w *fileWriter) { w.u32(blockEnhanced, 7, 0, 0, 0) }, "at byte %d: block length 7: less than 12; 20 bytes passed over", 0},
		{"a length that its end does not bear out", func(w *fileWriter) { w.u32(99, 16, 0, 20) }, "at byte %d: block length 16 at its start, 20 at its end; 16 bytes passed over", 0},
		{"noise", func(w *fileWriter) { w.WriteString("not a block at all") }, "at byte %d: block length 1818370145: not a multiple of 4; 18 bytes passed over", 0},
		{"statistics of an unknown interface", func(w *fileWriter) {
			w.block(blockStatistics, func(b *fileWriter) { b.u32(7, 0, 0) })
		}, "at byte %d: interface 7 of a section that has described 1; 24 bytes passed over", 0},
		{"an interface that a flipped bit made a simple packet", func(w *fileWriter) {
			at := w.Len()
			w.iface(1, 0, func(b *fileWriter) { b.option(ifName, []byte("eth1")) })
			copy(w.Bytes()[at:], w.order.AppendUint32(nil, blockSimplePacket))
		}, "at byte %d: a simple packet of 1 captured bytes in a block with room for 16; 32 bytes passed over", 0},
		{"a thousand packets without a byte", func(w *fileWriter) {
			for range maxZeroRecords {
				w.enhanced(0, 1e6, nil)
			}
		}, "", maxZeroRecords},
	} {
		for _, big := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, big-endian %v", tt.name, big), func(t *testing.T) {
				w := newFileWriter(big)
				w.section()
				w.iface(1, 0, nil)
				w.enhanced(0, 1e6, tcpFrame(1, false))
				at := w.Len()
				tt.write(w)
				for i := range 20 {
					w.enhanced(0, uint64(1e6+i), tcpFrame(i, true))
				}
				c := readBytes(t, w.Bytes())
				if want := fmt.Sprintf(tt.want, at); tt.want != "" && !big && !cmp.Equal(damagesOf(c), []string{want}) {
					t.Errorf("damage %q, want %q", damagesOf(c), want)
				}
				if len(c.Damages) != 1 || c.Table.Stats.Flowed != 21 {
					t.Errorf("%d packets, want 21; damage %q", c.Table.Stats.Flowed, damagesOf(c))
				}
			})
		}
	}
}

func TestPcapngInterfacesBehindDamageHaveNoNumber(t *testing.T) {
	w := newFileWriter(false)
	w.section()
	w.iface(1, 0, nil)
	w.enhanced(0, 1e6, tcpFrame(1, false))
	w.u32(blockInterface, 21, 1, 0, 20) // perhaps an interface
	for i := range 20 {
		w.enhanced(0, uint64(1e6+i), tcpFrame(i, true))
	}
	at := w.Len()
	w.iface(101, 0, nil)
	w.enhanced(1, 1e6, tcpFrame(1, true)[14:])
	w.section() // here everything is counted anew
	w.iface(1, 0, nil)
	w.enhanced(0, 1e6, tcpFrame(1, true))
	c := readBytes(t, w.Bytes())
	want := []string{
		"at byte 236: block length 21: not a multiple of 4; 20 bytes passed over",
		fmt.Sprintf("at byte %d: an interface is described behind a damaged place: its number is not certain", at),
	}
	if diff := cmp.Diff(want, damagesOf(c)); diff != "" || c.Table.Stats.Read != 21 {
		t.Errorf("%d packets, want 21 (-want +got):\n%s", c.Table.Stats.Read, diff)
	}
}

func TestDamagedPlacesAreCounted(t *testing.T) {
	const every = 10
	data := pcapOf(every*(maxDamages+50), 3)
	for i := every; i < len(data)/170-every; i += every {
		binary.LittleEndian.PutUint32(data[recordAt(i)+8:], 1<<30)
	}
	c := readBytes(t, data)
	if got := len(c.Damages); got != maxDamages+1 {
		t.Errorf("%d damaged places, want %d", got, maxDamages+1)
	}
	if last := c.Damages[len(c.Damages)-1]; last.Skipped != 0 || last.Reason[:27] != "more than 1000 damaged place"[:27] {
		t.Errorf("the last is %v", last)
	}
}

// TestSearchingIsBounded gives the search what takes it longest: records as far as the eye can see, that end in nothing.
func TestSearchingIsBounded(t *testing.T) {
	words := func(n int, v uint32) []byte { return bytes.Repeat(binary.LittleEndian.AppendUint32(nil, v), n) }
	for name, data := range map[string][]byte{
		"zeros":                         make([]byte, 1<<20),
		"records of 16 bytes":           words(1<<18, 16),
		"records of 16 bytes, broken":   bytes.Repeat(append(words(60_000, 16), 0xff, 0xff, 0xff, 0xff), 4),
		"records of a byte, broken":     bytes.Repeat(append(words(400, 1), 0xff, 0xff, 0xff, 0xff), 600),
		"blocks of 12 bytes":            words(1<<18, 12),
		"capture files, one in another": bytes.Repeat(pcapOf(7, 1), 800),
	} {
		for _, head := range [][]byte{pcapOf(1, 1), sampleFiles()["pcapng, big-endian false"].data} {
			whole := append(bytes.Clone(head), 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f)
			whole = append(whole, data...)
			start := time.Now()
			c := readBytes(t, whole)
			spent := time.Since(start)
			if spent > slack*2*time.Second {
				t.Errorf("%s: %v", name, spent)
			}
			t.Logf("%s: %v, %d packets, %d damaged places", name, spent.Round(time.Millisecond), c.Table.Stats.Read, len(c.Damages))
		}
	}
}

// FuzzResync damages a good capture in the middle, and holds that whatever is there, every packet before it is read, none
// is read that does not fit, and reading does not depend on how many bytes a read brings.
func FuzzResync(f *testing.F) {
	pcap, ng := pcapOf(40, 3), sampleFiles()["pcapng, big-endian true"].data
	f.Add(false, uint16(1000), []byte("noise"))
	f.Add(false, uint16(recordAt(5)+8), []byte{0, 0, 0, 0x80})
	f.Add(true, uint16(300), []byte{0, 0, 0, 6})
	f.Add(true, uint16(300), pcapOf(4, 1))
	f.Fuzz(func(t *testing.T, blocks bool, at uint16, with []byte) {
		whole := pcap
		if blocks {
			whole = ng
		}
		if int(at) < pcapHeader || int(at) >= len(whole) || len(with) > 4096 {
			return
		}
		data := append(bytes.Clone(whole[:at]), with...)
		data = append(data, whole[min(int(at)+len(with), len(whole)):]...)
		before, _ := starts(whole)
		got, _ := starts(data)
		for i, begins := range before {
			if int(begins)+blockHeader+pcapRecordHeader+4+160 <= int(at) && (i >= len(got) || got[i] != begins) {
				t.Fatalf("the packet at %d is not read; those at %v are", begins, got)
			}
		}
		fuzzReader(t, data)
	})
}

// since1970 returns the records of a capture whose clock began at 0, of packets of 40 bytes, and where each begins.
func since1970(t *testing.T, packets int, captured func(i int) int) (data []byte, begins []int64) {
	w := newFileWriter(false)
	w.pcapHeader(magicMicros, 0, uint32(LinkIPv4))
	packet := join(t, "45000028 00010000 40060000 0a000001 0a000002 7e430050 88776655 00000000 50022000 00000000")
	for i := range packets {
		begins = append(begins, int64(w.Len()))
		w.u32(0, uint32(i), uint32(captured(i)), uint32(len(packet)))
		w.Write(packet[:captured(i)])
	}
	return w.Bytes(), begins
}

// TestTimesSoonAfter1970ProveNothing: zeros are such times. Four bytes too many before a record, and its fraction of a second
// was read as the captured length of a packet of the wire's length, two bytes of 40 (found by damage test 38,547 of 60,000).
func TestTimesSoonAfter1970ProveNothing(t *testing.T) {
	whole := func(int) int { return 40 }
	data, begins := since1970(t, 30, whole)
	for _, more := range []string{"00000000", "a82a0000"} {
		at := begins[2]
		got, err := starts(slices.Concat(data[:at], join(t, more), data[at:]))
		want := slices.Clone(begins)
		for i := range want[2:] {
			want[2+i] += 4
		}
		if !slices.Equal(got, want) || !errors.Is(err, io.EOF) {
			t.Errorf("%s before record 2: packets at %v, ended %v; want %v", more, got, err, want)
		}
	}
	for what, captured := range map[string]func(int) int{
		"all cut to 24 bytes": func(int) int { return 24 }, "the tenth one cut to 24 bytes": func(i int) int { return 40 - i%11/10*16 },
	} {
		data, begins := since1970(t, 30, captured)
		if got, err := starts(data); !slices.Equal(got, begins) || !errors.Is(err, io.EOF) {
			t.Errorf("%s: %d packets of %d, ended %v", what, len(got), len(begins), err)
		}
	}
}

// TestAFewBytesOfALongPacketAreNone: two bytes of 131,072, at a time like the others', between two packets of a damaged file.
func TestAFewBytesOfALongPacketAreNone(t *testing.T) {
	for captured, want := range map[uint32]int{2: 3, etherHeader - 1: 3, 24: 4} {
		w := newFileWriter(false)
		w.Write(pcapOf(3, 3))
		w.u32(1445421600, 0, captured, 2<<16)
		w.Write(make([]byte, captured))
		w.WriteString("what is no header of a record")
		if got, err := starts(w.Bytes()); len(got) != want || errors.Is(err, io.EOF) {
			t.Errorf("%d bytes: %d packets, want %d; ended %v", captured, len(got), want, err)
		}
	}
}

// TestAHeaderOddTwiceIsNone: noise where a record has to begin, its second and its fraction impossible, with lengths that lead
// to the end of the file or into the cut.
func TestAHeaderOddTwiceIsNone(t *testing.T) {
	for what, header := range map[string][]uint32{
		"up to the end":     {3009320311, 57921620, 27136, 27136},
		"up to the cut":     {2164326400, 2314862592, 27100, 33075},
		"and beyond any":    {3009320311, 57921620, 200000, 200000},
		"and before others": {3009320311, 57921620, 170, 170},
	} {
		w := newFileWriter(false)
		w.Write(pcapOf(3, 3))
		w.u32(header...)
		w.Write(make([]byte, 27136))
		if got, err := starts(w.Bytes()); len(got) != 3 || errors.Is(err, io.EOF) {
			t.Errorf("%s: %d packets of 3, ended %v", what, len(got), err)
		}
	}
}
