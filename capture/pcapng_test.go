package capture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPcapngForms(t *testing.T) {
	frame := tcpFrame(1, false)
	for _, big := range []bool{false, true} {
		t.Run(fmt.Sprintf("big-endian %v", big), func(t *testing.T) {
			w := newFileWriter(big)
			w.section()
			w.iface(1, 0, nil)
			w.iface(101, 96, func(b *fileWriter) {
				b.option(ifName, []byte("eth\x1b[1m1"))
				b.option(ifFilter, []byte("\x00tcp port 443"))
				b.option(ifTSResol, []byte{9})
			})
			w.block(0xbad, func(b *fileWriter) { b.u32(1, 2, 3) })
			w.enhanced(0, 1445421600_000007, frame)
			w.enhanced(1, 1445421600_000000007, frame[14:])
			w.block(blockSimplePacket, func(b *fileWriter) {
				b.u32(154)
				b.Write(frame)
			})
			w.block(blockPacket, func(b *fileWriter) {
				b.u16(1, 0xffff)
				stamp := uint64(1445421601_000000009)
				b.u32(uint32(stamp>>32), uint32(stamp), 96, 140)
				b.Write(frame[14:110])
			})
			got, err := frames(t, w.Bytes())
			want := []string{
				"1: link 1 if 0 at 1445421600000007000, 154 of 154",
				"2: link 101 if 1 at 1445421600000000007, 140 of 140",
				"3: link 1 if 0 at 1445421600000000007 bad, 154 of 154",
				"4: link 101 if 1 at 1445421601000000009, 96 of 140",
			}
			if diff := cmp.Diff(want, got); diff != "" || err.Error() != "EOF" {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
			wantInterfaces := []Interface{{Link: 1}, {Link: 101, SnapLen: 96, Name: "eth\x1b[1m1", Filter: "tcp port 443"}}
			if diff := cmp.Diff(wantInterfaces, readBytes(t, w.Bytes()).Interfaces); diff != "" {
				t.Errorf("interfaces (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPcapngSectionsHaveTheirOwnOrderAndInterfaces(t *testing.T) {
	first, second := newFileWriter(false), newFileWriter(true)
	first.section()
	first.iface(101, 0, nil)
	first.enhanced(0, 1e6, tcpFrame(1, false)[14:])
	second.section()
	second.iface(1, 0, nil)
	second.enhanced(0, 2e6, tcpFrame(1, true))
	second.section() // with nothing in it
	got, err := frames(t, append(first.Bytes(), second.Bytes()...))
	want := []string{"1: link 101 if 0 at 1000000000, 140 of 140", "2: link 1 if 1 at 2000000000, 154 of 154"}
	if diff := cmp.Diff(want, got); diff != "" || err.Error() != "EOF" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
}

func TestPcapngSimplePacketObeysTheSnapLength(t *testing.T) {
	w := newFileWriter(false)
	w.section()
	w.iface(1, 60, nil)
	w.block(blockSimplePacket, func(b *fileWriter) {
		b.u32(154)
		b.Write(make([]byte, 60))
	})
	got, _ := frames(t, w.Bytes())
	if want := []string{"1: link 1 if 0 at 0 bad, 60 of 154"}; !cmp.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPcapngTimes(t *testing.T) {
	const second = 1445421600
	tests := []struct {
		name       string
		resolution []byte
		offset     int64
		stamp      uint64
		want       int64
		bad        bool
	}{
		{"seconds", []byte{0}, 0, second, second * 1e9, false},
		{"powers of two", []byte{0x80 | 10}, 0, second<<10 + 512, second*1e9 + 5e8, false},
		{"2^-63 of a second", []byte{0x80 | 63}, 0, 1 << 62, 5e8, false},
		{"10^-19 of a second", []byte{19}, 0, 15e18, 15e8, false},
		{"an offset", []byte{6}, second, 7, second*1e9 + 7000, false},
		{"before 1970", []byte{6}, -1, 0, 0, true},
		{"after 2106", []byte{6}, 0, 1 << 63, 0, true},
		{"an offset beyond everything", []byte{6}, 1<<63 - 1, 1, 0, true},
		{"all bits set", []byte{0}, -1 << 63, 1<<64 - 1, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newFileWriter(false)
			w.section()
			w.iface(1, 0, func(b *fileWriter) {
				b.option(ifTSResol, tt.resolution)
				b.option(ifTSOffset, binary.LittleEndian.AppendUint64(nil, uint64(tt.offset)))
			})
			w.enhanced(0, tt.stamp, make([]byte, 4))
			r := newPcapngReader(&stream{window: newWindow(&w.Buffer, -1)})
			var f Frame
			if err := r.Next(&f); err != nil {
				t.Fatal(err)
			}
			if f.Nanos != tt.want || f.BadTime != tt.bad {
				t.Errorf("got %d, bad %v, want %d, %v", f.Nanos, f.BadTime, tt.want, tt.bad)
			}
		})
	}
}

func TestPcapngDamage(t *testing.T) {
	frame := tcpFrame(1, false)
	after := func(write func(w *fileWriter)) []byte {
		w := newFileWriter(false)
		w.section() // 28 bytes
		w.iface(1, 0, nil)
		w.enhanced(0, 1e6, frame) // ends at byte 236
		write(w)
		return w.Bytes()
	}
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"block length 0", after(func(w *fileWriter) { w.u32(blockEnhanced, 0, 0) }), "at byte 236: block length 0: less than 12"},
		{"block length 13", after(func(w *fileWriter) { w.u32(blockEnhanced, 13, 0) }), "at byte 236: block length 13: not a multiple of 4"},
		{"block length near 4 GiB", after(func(w *fileWriter) { w.u32(99, 0xfffffff0, 0) }), "at byte 236: block length 4294967280: more than 16777216"},
		{"block of 16 MiB that is not there", after(func(w *fileWriter) { w.u32(blockEnhanced, 16<<20, 0) }), "at byte 236: cut inside a block: 12 of 16777216 bytes"},
		{"unknown block of 16 MiB that is not there", after(func(w *fileWriter) { w.u32(99, 16<<20, 0) }), "at byte 236: cut inside a block: 12 of 16777216 bytes"},
		{"trailer of another length", after(func(w *fileWriter) { w.u32(blockInterface, 20, 1, 0, 24) }), "at byte 236: block length 20 at its start, 24 at its end"},
		{"trailer of another length, unknown block", after(func(w *fileWriter) { w.u32(99, 12, 16) }), "at byte 236: block length 12 at its start, 16 at its end"},
		{"a packet larger than its block", after(func(w *fileWriter) {
			w.block(blockEnhanced, func(b *fileWriter) { b.u32(0, 0, 0, 1000, 1000, 0) })
		}), "at byte 236: a packet of 1000 captured bytes in a block with room for 4"},
		{"a packet of 2 GiB", after(func(w *fileWriter) {
			w.block(blockEnhanced, func(b *fileWriter) { b.u32(0, 0, 0, 2<<30, 2<<30, 0) })
		}), "at byte 236: a packet of 2147483648 captured bytes: more than 262144"},
		{"a packet block without its fields", after(func(w *fileWriter) {
			w.block(blockEnhanced, func(b *fileWriter) { b.u32(0) })
		}), "at byte 236: packet block of 16 bytes: less than 32"},
		{"an unknown interface", after(func(w *fileWriter) { w.enhanced(1, 0, frame) }), "at byte 236: interface 1 of a section that has described 1"},
		{"a packet before any interface of its section", after(func(w *fileWriter) {
			w.section()
			w.enhanced(0, 0, frame)
		}), "at byte 264: interface 0 of a section that has described 0"},
		{"a simple packet before any interface", after(func(w *fileWriter) {
			w.section()
			w.block(blockSimplePacket, func(b *fileWriter) { b.u32(0) })
		}), "at byte 264: interface 0 of a section that has described 0"},
		{"statistics of an unknown interface", after(func(w *fileWriter) {
			w.block(blockStatistics, func(b *fileWriter) { b.u32(7, 0, 0) })
		}), "at byte 236: interface 7 of a section that has described 1"},
		{"a resolution of 10^-64", after(func(w *fileWriter) {
			w.iface(1, 0, func(b *fileWriter) { b.option(ifTSResol, []byte{64}) })
		}), "at byte 236: time stamp resolution 40: not a power of 10 up to 19 or of 2 up to 63"},
		{"a resolution of 2^-64", after(func(w *fileWriter) {
			w.iface(1, 0, func(b *fileWriter) { b.option(ifTSResol, []byte{0x80 | 64}) })
		}), "at byte 236: time stamp resolution c0: not a power of 10 up to 19 or of 2 up to 63"},
		{"an option beyond its block", after(func(w *fileWriter) {
			w.block(blockInterface, func(b *fileWriter) {
				b.u16(1, 0)
				b.u32(0)
				b.u16(ifName, 60000)
			})
		}), "at byte 236: option 2 of 60000 bytes where 0 are left"},
		{"a section of another version", after(func(w *fileWriter) {
			w.section()
			binary.LittleEndian.PutUint16(w.Bytes()[236+12:], 2)
		}), "at byte 236: pcapng version 2.0: only 1.x can be read"},
		{"a section without a byte order", after(func(w *fileWriter) { w.u32(blockSection, 28, 0xdeadbeef, 0, 0, 0, 28) }), "at byte 236: byte-order magic efbeadde: not pcapng"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := readBytes(t, tt.data)
			if c.Damage == nil || c.Damage.Error() != tt.want {
				t.Errorf("damage %v, want %s", c.Damage, tt.want)
			}
			if got := c.Table.Stats.Flowed; got != 1 {
				t.Errorf("%d packets before the damage, want 1", got)
			}
		})
	}
}

func TestPcapngStopsAtTooManyInterfaces(t *testing.T) {
	w := newFileWriter(false)
	w.section()
	for range maxSectionInterfaces {
		w.iface(1, 0, nil)
	}
	w.enhanced(maxSectionInterfaces-1, 1e6, tcpFrame(1, false))
	if c := readBytes(t, w.Bytes()); c.Damage != nil || c.Table.Stats.Flowed != 1 || len(c.Interfaces) != 4096 {
		t.Errorf("damage %v, %d packets of the last of %d interfaces", c.Damage, c.Table.Stats.Flowed, len(c.Interfaces))
	}
	w.iface(1, 0, nil)
	c := readBytes(t, w.Bytes())
	if c.Damage == nil || c.Damage.Reason != "more than 4096 interfaces in a section" || len(c.Interfaces) != maxSectionInterfaces {
		t.Errorf("damage %v with %d interfaces", c.Damage, len(c.Interfaces))
	}
}

func TestPcapngStatistics(t *testing.T) {
	const second = 1445421600
	stats := func(start, end uint64, drops ...uint64) func(w *fileWriter) {
		return func(w *fileWriter) {
			w.block(blockStatistics, func(b *fileWriter) {
				b.u32(0, 0, 0)
				for i, at := range []uint64{start, end} {
					var v []byte
					v = w.order.AppendUint32(v, uint32(at>>32))
					b.option(uint16(isbStart+i), w.order.AppendUint32(v, uint32(at)))
				}
				b.option(isbReceived, w.order.AppendUint64(nil, 1000))
				for i, n := range drops {
					b.option([]uint16{isbDropped, isbOSDrop}[i], w.order.AppendUint64(nil, n))
				}
			})
		}
	}
	want := func(start, end int64, dropped uint64, counted bool) Interface {
		return Interface{Link: 1, Start: start, End: end, Received: 1000, Dropped: dropped, Counted: counted}
	}
	tests := []struct {
		name  string
		write func(w *fileWriter)
		want  Interface
	}{
		{"an interval and drops of both kinds", stats((second-60)*1e9, (second+60)*1e9, 3, 4), want((second-60)*1e9, (second+60)*1e9, 7, true)},
		{"drops not recorded", stats((second-60)*1e9, (second+60)*1e9), want((second-60)*1e9, (second+60)*1e9, 0, false)},
		{"microseconds whatever the resolution, as dumpcap writes them", stats((second-60)*1e6, (second+60)*1e6, 0), want((second-60)*1e9, (second+60)*1e9, 0, true)},
		{"a year off", stats((second-31536000)*1e9, (second+60)*1e9, 0), want(0, 0, 0, true)},
		{"ends before it starts", stats((second+60)*1e9, (second-60)*1e9, 0), want(0, 0, 0, true)},
		{"all bits set", stats(1<<64-1, 1<<64-1, 1<<64-1, 1<<64-1), want(0, 0, 1<<64-1, true)},
		{"the last block counts", func(w *fileWriter) {
			stats((second-60)*1e9, second*1e9, 1)(w)
			stats((second-60)*1e9, (second+1)*1e9, 5)(w)
		}, want((second-60)*1e9, (second+1)*1e9, 5, true)},
	}
	for _, big := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s, big-endian %v", tt.name, big), func(t *testing.T) {
				w := newFileWriter(big)
				w.section()
				w.iface(1, 0, func(b *fileWriter) { b.option(ifTSResol, []byte{9}) })
				w.enhanced(0, second*1e9, tcpFrame(1, false))
				tt.write(w)
				c := readBytes(t, w.Bytes())
				if c.Damage != nil {
					t.Fatal(c.Damage)
				}
				if diff := cmp.Diff([]Interface{tt.want}, c.Interfaces); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestPcapngStringsAreKeptAsTheyAre(t *testing.T) {
	w := newFileWriter(false)
	w.section()
	w.iface(1, 0, func(b *fileWriter) {
		b.option(ifName, bytes.Repeat([]byte{0xff}, 65535))
		b.option(ifFilter, []byte{1, 2, 3})
	})
	got := readBytes(t, w.Bytes()).Interfaces[0]
	if got.Name != strings.Repeat("\xff", 65535) || got.Filter != binaryFilter {
		t.Errorf("name of %d bytes, filter %q", len(got.Name), got.Filter)
	}
}
