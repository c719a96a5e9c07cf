package capture

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// blockSecrets is a block of decryption secrets: TLS keys, as Wireshark embeds them.
const blockSecrets = 10

func TestPcapngNotes(t *testing.T) {
	hostile := "\x1b]0;owned\x07=cmd|' /C calc'!A0\u202e"
	for _, big := range []bool{false, true} {
		w := newFileWriter(big)
		w.block(blockSection, func(b *fileWriter) {
			b.u32(byteOrderMagic)
			b.u16(1, 0)
			b.u64(1<<64 - 1)
			b.option(optionComment, []byte("of the section"))
			b.option(2, []byte("some hardware"))
			b.option(optionComment, []byte(hostile))
		})
		w.iface(1, 0, func(b *fileWriter) {
			b.option(ifName, []byte("vmnic0"))
			b.option(ifDescr, []byte("uplink\n"))
			b.option(optionComment, []byte("of the interface"))
		})
		w.block(blockNames, func(b *fileWriter) {
			b.option(nameIPv4, append([]byte{10, 20, 0, 5}, "vcenter01\x00vc\x00"...))
			b.option(nameIPv6, append(netip.MustParseAddr("2001:db8::5").AsSlice(), hostile+"\x00"...))
			b.option(3, []byte("\x00\x50\x56\x00\x00\x01of a card\x00"))
			b.option(nameIPv4, []byte{10}) // cut
			b.u32(0)
			b.option(optionComment, []byte("of the names"))
		})
		w.block(blockSecrets, func(b *fileWriter) { b.Write(make([]byte, 70_000)) })
		w.block(blockEnhanced, func(b *fileWriter) {
			frame := tcpFrame(1, false)
			b.u32(0, 0, 1e6, uint32(len(frame)), uint32(len(frame)))
			b.Write(append(frame, 0, 0)) // padding
			b.option(2, []byte{1, 0, 0, 0})
			b.option(optionComment, []byte("of the packet"))
			b.u16(1, 60_000) // breaks off
		})
		w.block(blockStatistics, func(b *fileWriter) {
			b.u32(0, 0, 0)
			b.option(optionComment, []byte("of the statistics"))
		})
		c := readBytes(t, w.Bytes())
		if c.Damage != nil || c.Table.Stats.Flowed != 1 {
			t.Fatalf("big-endian %v: %d packets, damage %v", big, c.Table.Stats.Flowed, c.Damage)
		}
		want := []string{"of the section", hostile, "of the interface", "of the names", "of the packet", "of the statistics"}
		if diff := cmp.Diff(want, c.Comments); diff != "" || c.Commented != 6 {
			t.Errorf("big-endian %v: %d comments (-want +got):\n%s", big, c.Commented, diff)
		}
		names := []Name{
			{netip.MustParseAddr("10.20.0.5"), "vcenter01"}, {netip.MustParseAddr("10.20.0.5"), "vc"}, {netip.MustParseAddr("2001:db8::5"), hostile},
		}
		if diff := cmp.Diff(names, c.Names, compareNetip); diff != "" || c.Named != 3 {
			t.Errorf("big-endian %v: %d names (-want +got):\n%s", big, c.Named, diff)
		}
		if i := c.Interfaces[0]; i.Name != "vmnic0" || i.Description != "uplink\n" {
			t.Errorf("big-endian %v: interface %+v", big, i)
		}
	}
}

func TestPcapngNotesAreBounded(t *testing.T) {
	w := newFileWriter(false)
	w.section()
	w.iface(1, 0, nil)
	long := strings.Repeat("x", 60_000)
	for i := range 2 * maxNames {
		w.block(blockNames, func(b *fileWriter) {
			b.option(nameIPv4, fmt.Appendf([]byte{10, 0, 0, 1}, "host%d.%s\x00", i, long[:300]))
		})
	}
	for range 2 * maxComments {
		w.block(blockStatistics, func(b *fileWriter) {
			b.u32(0, 0, 0)
			b.option(optionComment, []byte(long))
		})
	}
	c := readBytes(t, w.Bytes())
	if c.Damage != nil || len(c.Names) != maxNames || c.Named != 2*maxNames || len(c.Comments) != maxComments || c.Commented != 2*maxComments {
		t.Errorf("%d of %d names, %d of %d comments, damage %v", len(c.Names), c.Named, len(c.Comments), c.Commented, c.Damage)
	}
	for _, name := range c.Names {
		if len(name.Name) > maxNameSize {
			t.Fatalf("a name of %d bytes", len(name.Name))
		}
	}
	for _, comment := range c.Comments {
		if len(comment) > maxCommentSize {
			t.Fatalf("a comment of %d bytes", len(comment))
		}
	}
}

func TestPcapngTextsAreBoundedAndFiltersStay(t *testing.T) {
	w := newFileWriter(false)
	const interfaces = 600
	text := bytes.Repeat([]byte("x"), 60_000)
	for range interfaces {
		w.section()
		w.iface(1, 0, func(b *fileWriter) { b.option(ifFilter, append([]byte{0}, text...)) })
	}
	c := readBytes(t, w.Bytes())
	sum := 0
	for _, i := range c.Interfaces {
		if i.Filter == "" {
			t.Fatal("a filter became none")
		}
		sum += len(i.Filter)
	}
	if len(c.Interfaces) != interfaces || sum > maxNotes+interfaces*leastNote {
		t.Errorf("%d bytes of text of %d interfaces", sum, len(c.Interfaces))
	}
}
