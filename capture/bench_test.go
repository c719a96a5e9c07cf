package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"testing"
)

// tcpFrame returns an Ethernet frame of an IPv4 TCP segment from a numbered flow.
func tcpFrame(flow int, reply bool) []byte {
	b := make([]byte, 14+20+20+100)
	b[12], b[13] = 0x08, 0x00
	ip := b[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, byte(TCP)
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	binary.BigEndian.PutUint32(ip[12:], 0x0a000000|uint32(flow))
	binary.BigEndian.PutUint32(ip[16:], 0x0a800001)
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp[0:], uint16(1024+flow%60000))
	binary.BigEndian.PutUint16(tcp[2:], 443)
	tcp[12], tcp[13] = 5<<4, 0x10
	if reply {
		for i := range 4 {
			ip[12+i], ip[16+i] = ip[16+i], ip[12+i]
		}
		tcp[0], tcp[1], tcp[2], tcp[3] = tcp[2], tcp[3], tcp[0], tcp[1]
	}
	return b
}

func BenchmarkDecode(b *testing.B) {
	f := Frame{Link: LinkEthernet, Data: tcpFrame(1, false)}
	f.WireLen = len(f.Data)
	var p Packet
	for b.Loop() {
		if p.Decode(&f) != Kept {
			b.Fatal("not kept")
		}
	}
}

func benchmarkAdd(b *testing.B, flows int) {
	packets := make([]Packet, flows)
	for i := range packets {
		f := Frame{Link: LinkEthernet, Data: tcpFrame(i, i%2 == 1), WireLen: 154}
		packets[i].Decode(&f)
	}
	var t Table
	i := 0
	for b.Loop() {
		t.Add(&packets[i*7919%flows], int64(i)*1000, Ref{Frame: uint64(i + 1)})
		i++
	}
}

func BenchmarkAdd1k(b *testing.B)   { benchmarkAdd(b, 1000) }
func BenchmarkAdd100k(b *testing.B) { benchmarkAdd(b, 100_000) }

func BenchmarkDuplicates(b *testing.B) {
	f := Frame{Link: LinkEthernet, Data: tcpFrame(1, false), WireLen: 154}
	var p Packet
	p.Decode(&f)
	d := newDuplicates()
	ns := int64(0)
	for b.Loop() {
		p.ident++
		ns += 1000
		if d.seen(&p, ns) {
			b.Fatal("seen")
		}
	}
}

// pcapOf returns a capture of n packets of that many flows.
func pcapOf(n, flows int) []byte {
	var out bytes.Buffer
	out.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0})
	for i := range n {
		frame := tcpFrame(i%flows, i%2 == 1)
		binary.BigEndian.PutUint16(frame[18:], uint16(i))
		binary.BigEndian.PutUint32(frame[38:], uint32(i))
		var h [16]byte
		binary.LittleEndian.PutUint32(h[0:], uint32(1445421600+i/100_000))
		binary.LittleEndian.PutUint32(h[4:], uint32(i%100_000*10))
		binary.LittleEndian.PutUint32(h[8:], uint32(len(frame)))
		binary.LittleEndian.PutUint32(h[12:], uint32(len(frame)))
		out.Write(h[:])
		out.Write(frame)
	}
	return out.Bytes()
}

func BenchmarkReadPcap(b *testing.B) {
	const packets = 200_000
	data := pcapOf(packets, 1000)
	b.Run("reader", func(b *testing.B) {
		for b.Loop() {
			r, err := newPcapReader(&stream{window: newWindow(bytes.NewReader(data), int64(len(data)))})
			if err != nil {
				b.Fatal(err)
			}
			var f Frame
			for {
				if err := r.Next(&f); err == io.EOF {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/packets, "ns/packet")
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			c := Capture{Format: formatPcap}
			c.read(context.Background(), newWindow(bytes.NewReader(data), int64(len(data))), Options{})
			if c.Table.Stats.Flowed != packets || c.Damage != nil || c.Table.Stats.Duplicates != 0 {
				b.Fatal(c.Table.Stats, c.Damage)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/packets, "ns/packet")
	})
}
