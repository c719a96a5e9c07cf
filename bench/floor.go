package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// floorOf reads a file of [shape.write]: records, ports and a flow table, and nothing that a hostile file would need. It is
// what one processor can do without any care.
func floorOf(path string, out io.Writer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	t := newTally()
	window, kept := make([]byte, 4<<20), 0
	if _, err := io.ReadFull(f, window[:fileHeader]); err != nil {
		return err
	}
	for {
		n, err := io.ReadFull(f, window[kept:])
		used := t.walk(window[:kept+n])
		kept = copy(window, window[used:kept+n])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "%d packets, %d bytes, %d flows\n", t.packets, t.bytes, t.used)
	return nil
}

// flow is what the floor keeps of one: its 5-tuple, packets and bytes.
type flow struct{ addresses, ports, packets, bytes uint64 }

// tally is a flow table with open addressing.
type tally struct {
	slots          []flow
	used           int
	packets, bytes uint64
}

func newTally() *tally { return &tally{slots: make([]flow, 1<<22)} }

// walk counts the records that are whole, and returns how many bytes they are.
func (t *tally) walk(b []byte) (used int) {
	for len(b)-used >= recordHeader+headers {
		n := int(binary.LittleEndian.Uint32(b[used+8:]))
		if used+recordHeader+n > len(b) {
			break
		}
		t.add(b[used+recordHeader:used+recordHeader+headers], n)
		used += recordHeader + n
	}
	return used
}

func (t *tally) add(frame []byte, n int) {
	addresses, ports := binary.BigEndian.Uint64(frame[26:]), uint64(binary.BigEndian.Uint32(frame[34:]))
	if addresses>>32 > addresses&0xffff_ffff {
		addresses, ports = addresses<<32|addresses>>32, ports<<16&0xffff_0000|ports>>16
	}
	i := (addresses ^ ports*0x9e3779b97f4a7c15) * 0x9e3779b97f4a7c15 >> 42
	for {
		f := &t.slots[i]
		if f.packets == 0 {
			f.addresses, f.ports = addresses, ports
			t.used++
		}
		if f.addresses == addresses && f.ports == ports {
			f.packets++
			f.bytes += uint64(n)
			break
		}
		i = (i + 1) & uint64(len(t.slots)-1)
	}
	t.packets++
	t.bytes += uint64(n)
}
