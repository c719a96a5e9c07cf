package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

// shape is what a made capture looks like.
type shape struct {
	name  string
	flows int
	sizes []int // of frames in bytes, in turn
	port  func(flow int) uint16
}

// shapes lists the shapes: a migration that fills the wire, a site's everyday mixture (frames of 64, 594 and 1,518 bytes at
// 7:4:1, as the mixture of the router tests has them), and a scan.
func shapes() []shape {
	mixture := []int{64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 64, 594}
	return []shape{
		{"bulk", 12, []int{1514}, func(int) uint16 { return 8000 }},
		{"mixed", 200_000, mixture, func(flow int) uint16 { return []uint16{443, 902, 53, 123, 427, 3260, 2049, 8080}[flow%8] }},
		{"small", 1_000_000, []int{64}, func(flow int) uint16 { return uint16(1 + flow%60_000) }},
	}
}

func shapeNamed(name string) (shape, error) {
	for _, s := range shapes() {
		if s.name == name {
			return s, nil
		}
	}
	return shape{}, fmt.Errorf("no shape %q: bulk, mixed or small", name)
}

const (
	fileHeader   = 24
	recordHeader = 16
	headers      = 54         // Ethernet, IPv4 and TCP
	began        = 1445421600 // 2015-10-21T10:00:00Z
	apart        = 20_000     // nanoseconds between packets
)

// write writes a pcap file of about size bytes, and returns its packets. Packets of all flows alternate, each flow's first
// is its SYN, and every third goes back.
func (s shape) write(w io.Writer, size int64) (packets int, err error) {
	head := binary.LittleEndian.AppendUint32(nil, 0xa1b23c4d)
	head = binary.LittleEndian.AppendUint16(head, 2)
	head = binary.LittleEndian.AppendUint16(head, 4)
	head = append(head, make([]byte, 8)...)
	head = binary.LittleEndian.AppendUint32(head, 65535)
	head = binary.LittleEndian.AppendUint32(head, 1)
	if _, err := w.Write(head); err != nil {
		return 0, err
	}
	record := make([]byte, recordHeader+2048)
	noise := make([]byte, 1<<20+2048)
	rand.NewChaCha8([32]byte{}).Read(noise)
	for written := int64(fileHeader); written < size; packets++ {
		n := s.sizes[packets%len(s.sizes)]
		s.packet(record[:recordHeader+n], packets)
		copy(record[recordHeader+headers:recordHeader+n], noise[packets*1543%(1<<20):]) // what no compressor makes small
		if _, err := w.Write(record[:recordHeader+n]); err != nil {
			return packets, err
		}
		written += int64(recordHeader + n)
	}
	return packets, nil
}

// packet fills in a record.
func (s shape) packet(record []byte, number int) {
	length, at := uint32(len(record)-recordHeader), uint64(number)*apart
	binary.LittleEndian.PutUint32(record, began+uint32(at/1e9))
	binary.LittleEndian.PutUint32(record[4:], uint32(at%1e9))
	binary.LittleEndian.PutUint32(record[8:], length)
	binary.LittleEndian.PutUint32(record[12:], length)
	frame := record[recordHeader:]
	clear(frame[:headers])
	frame[12], frame[13] = 0x08, 0x00
	ip := frame[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 6
	binary.BigEndian.PutUint16(ip[2:], uint16(length-14))
	// The flows come in an order that no cache guesses: 7,368,787 is prime, and larger than any number of flows here.
	round, flow := number/s.flows, int(uint64(number)*7_368_787%uint64(s.flows))
	client, server := 10<<24|1<<16|uint32(flow%500), 10<<24|2<<16|uint32(flow/500%500)
	port, own := s.port(flow), uint16(1024+flow/250_000*7+flow%50_000)
	flags := byte(0x10)
	switch {
	case round == 0:
		flags = 0x02
	case round%3 == 1:
		client, server, port, own = server, client, own, port
		if round == 1 {
			flags = 0x12
		}
	}
	binary.BigEndian.PutUint32(ip[12:], client)
	binary.BigEndian.PutUint32(ip[16:], server)
	tcp := ip[20:]
	binary.BigEndian.PutUint16(tcp, own)
	binary.BigEndian.PutUint16(tcp[2:], port)
	binary.BigEndian.PutUint32(tcp[4:], uint32(number))
	tcp[12], tcp[13] = 5<<4, flags
}
