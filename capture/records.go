package capture

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"

	"flowvet/capture/flowrecord"
)

// The formats of flow records, as Input.Format and Capture.Format say them.
const (
	formatZeek    = "zeek"
	formatEVE     = "eve"
	formatNetFlow = "netflow" // NetFlow 5 and 9, and IPFIX
)

// FlowRecords reports whether somebody else counted the packets of the capture: its flows are what flow records tell.
func (c *Capture) FlowRecords() bool { return recordsFormat(c.Format) }

// FlowRecords reports whether the input is a log of flow records.
func (in *Input) FlowRecords() bool { return recordsFormat(in.Format) }

func recordsFormat(format string) bool {
	return format == formatZeek || format == formatEVE || format == formatNetFlow
}

// RecordStats counts flow records. All of it adds up over tables.
type RecordStats struct {
	Read     uint64                   // records, and what could not be taken apart into records
	Kept     uint64                   // in flows
	Skipped  [flowrecord.Skips]uint64 // by reason; index Kept is unused
	Sampled  uint64                   // of those kept, by exporters that look at some packets only
	Lost     uint64                   // by gaps in sequence numbers: records, of NetFlow 9 datagrams
	Messages uint64                   // export datagrams
	Late     uint64                   // of these, after one that was sent later
	Strays   uint64                   // frames beside the export datagrams, of a capture of them
	Refused  uint64                   // templates that had no room or could not be used
}

// Balanced reports whether every record read is accounted for.
func (s *RecordStats) Balanced() bool {
	sum := s.Kept
	for _, n := range s.Skipped {
		sum += n
	}
	return sum == s.Read
}

func (s *RecordStats) merge(u *RecordStats) {
	s.Read += u.Read
	s.Kept += u.Kept
	for i, n := range u.Skipped {
		s.Skipped[i] += n
	}
	s.Sampled += u.Sampled
	s.Lost += u.Lost
	s.Messages += u.Messages
	s.Late += u.Late
	s.Strays += u.Strays
	s.Refused += u.Refused
}

// counters returns the counters by the names they have in a flows file.
func (s *RecordStats) counters() map[string]*uint64 {
	counters := map[string]*uint64{
		"records": &s.Read, "records-kept": &s.Kept, "records-sampled": &s.Sampled, "records-lost": &s.Lost,
		"export-datagrams": &s.Messages, "export-datagrams-late": &s.Late, "no-exports": &s.Strays, "templates-refused": &s.Refused,
	}
	for _, why := range flowrecord.AllSkips() {
		counters["records-skipped:"+why.String()] = &s.Skipped[why]
	}
	return counters
}

// takeRecord counts a flow record in exactly one place. number is its line, or that of its datagram.
func (g *gatherer) takeRecord(r *flowrecord.Record, why flowrecord.Skip, number uint64) {
	s := &g.table.Stats
	s.Records.Read++
	if why != flowrecord.Kept {
		s.Records.Skipped[why]++
		return
	}
	s.Records.Kept++
	if r.Sampled {
		s.Records.Sampled++
	}
	f := recordedFlow(r, Ref{File: g.file, Frame: number}, g.shift)
	if g.table.Segments && r.VLAN != 0 {
		f.Segment = Segment(r.VLAN + 1)
	}
	packets, octets := r.Sent.Packets+r.Received.Packets, r.Sent.Bytes+r.Received.Bytes
	s.Read += packets
	s.Flowed += packets
	s.Bytes += octets
	if first, last, some := f.interval(); some {
		g.good.add(first)
		g.good.add(last)
		g.any = g.good
		g.digest = mixed(g.digest, &Frame{Nanos: first, WireLen: int(octets)})
	}
	g.table.AddFlow(&f)
}

// recordedFlow makes a flow of a record. Between its first and last packet a flow may have been silent or not: its seconds are
// all of them, so that no silence is made of what was not told.
func recordedFlow(r *flowrecord.Record, ref Ref, shift int64) Flow {
	sent, received := recordedSide(&r.Sent, ref, shift), recordedSide(&r.Received, ref, shift)
	if r.Sampled {
		sent.Signs |= sampledSign(&sent)
		received.Signs |= sampledSign(&received)
	}
	countConnection(&sent, &received)
	countConnection(&received, &sent)
	f := Flow{A: r.Src, B: r.Dst, Proto: Proto(r.Proto), FromA: sent, FromB: received}
	switch c := r.Src.Compare(r.Dst); {
	case c > 0:
		f = Flow{A: r.Dst, B: r.Src, Proto: Proto(r.Proto), FromA: received, FromB: sent}
	case c == 0: // a flow with itself has one side
		f.FromA.Packets, f.FromA.Bytes, f.FromB = sent.Packets+received.Packets, sent.Bytes+received.Bytes, Side{}
		if sent.Packets == 0 {
			received.Packets, received.Bytes = f.FromA.Packets, f.FromA.Bytes
			f.FromA = received
		}
	}
	if r.VLAN != 0 {
		f.VLANs = []uint16{r.VLAN}
	}
	if first, last, some := f.interval(); some {
		f.Seconds = Seconds{{floorSecond(first), floorSecond(last)}}
	}
	return f
}

// sampledSign marks a side that has packets.
func sampledSign(s *Side) Signs {
	if s.Packets == 0 {
		return 0
	}
	return Sampled
}

// recordedSide makes a side of what a record says of it; the signs of a record are the first of a side's. The moments of a handshake
// are not told: they are taken to be at its beginning, and the last acknowledgement at its end.
func recordedSide(r *flowrecord.Side, ref Ref, shift int64) Side {
	if r.Packets == 0 {
		return Side{}
	}
	first, last := r.First+shift, r.Last+shift
	s := Side{Packets: r.Packets, Bytes: r.Bytes, First: first, Last: last, Signs: Recorded | Signs(r.Signs), FirstRef: ref}
	if s.Signs&SYN != 0 {
		s.SYNAt = first
	}
	if s.Signs&SYNACK != 0 {
		s.SYNACKAt = first
	}
	if s.Signs&RST != 0 {
		s.RSTAt = first
	}
	if s.Signs&ACK != 0 {
		s.LastACK = last
	}
	if s.Signs&handshake != 0 {
		s.SYNRef = ref
	}
	return s
}

// countConnection gives a side's connection a sequence number and lets the other side acknowledge it. Records have none; what stands for it
// is the time of its first packet, so that each connection counts once, however often its record is read. Half of all numbers are
// left free, so that an acknowledgement of 0 is never near one.
func countConnection(s, other *Side) {
	if s.Signs&handshake == 0 {
		return
	}
	isn := uint32(uint64(s.First)*digestBase>>33) &^ 1
	s.ISNs = []uint32{isn}
	if other.Signs&ACK != 0 {
		other.AckMin, other.AckMax = isn+1, isn+1
	}
}

// The longest line that is read of a log. Suricata cuts its own at 10 MiB.
const maxLine = 1 << 20

// readRecords reads a log of flow records.
func (x *reading) readRecords(ctx context.Context) error {
	var zeek flowrecord.Zeek
	read := zeek.Line
	if x.capture.Format == formatEVE {
		read = flowrecord.EVE
	}
	var r flowrecord.Record
	position, taken := x.stream.position(), uint64(0)
	for n := uint64(1); ; n++ {
		if n%packetsPerCheck == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			x.told.add(x.stream.position()-position, n-taken)
			position, taken = x.stream.position(), n
		}
		line, err := x.stream.line()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, errLongLine) {
			return err
		}
		if err != nil {
			x.gatherer.takeRecord(&r, flowrecord.BadLine, n)
			continue
		}
		if why, some := read(line, &r); some {
			x.gatherer.takeRecord(&r, why, n)
		}
	}
}

var errLongLine = errors.New("a line of more than 1 MiB")

// line returns the next line without its end, valid until the next call. It returns io.EOF at the end, and errLongLine for a line
// that is too long to be read, which is passed over.
func (s *stream) line() ([]byte, error) {
	for size := windowSizeMin; ; size *= 2 {
		b := s.peek(size)
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			s.advance(end + 1)
			return b[:end], nil
		}
		switch {
		case len(b) < size && s.failure() != nil:
			return nil, s.failure()
		case len(b) == 0:
			return nil, io.EOF
		case len(b) < size:
			s.advance(len(b))
			return b, nil
		case size >= maxLine:
			return nil, s.passLine()
		}
	}
}

// passLine passes over the rest of a line.
func (s *stream) passLine() error {
	for {
		b := s.peek(windowSizeMin)
		if end := bytes.IndexByte(b, '\n'); end >= 0 {
			s.advance(end + 1)
			return errLongLine
		}
		if len(b) == 0 {
			return errLongLine
		}
		s.advance(len(b))
	}
}

// exports takes export datagrams into a table.
type exports struct {
	*gatherer
	netflow flowrecord.NetFlow
}

// datagram takes one, which came from a sender at a time.
func (e *exports) datagram(from netip.Addr, nanos int64, content []byte) {
	records := &e.table.Stats.Records
	records.Messages++
	e.netflow.Datagram(from, nanos, content, func(r *flowrecord.Record, why flowrecord.Skip) {
		e.takeRecord(r, why, records.Messages)
	})
}

// close completes the counters.
func (e *exports) close() {
	s := &e.table.Stats.Records
	s.Lost, s.Late, s.Refused = e.netflow.Lost, e.netflow.Reordered, e.netflow.TemplatesRefused()
}

// readExports reads the export datagrams in a capture of them: UDP to one of the ports. All other frames are counted as strays.
func (x *reading) readExports(ctx context.Context) error {
	e := exports{gatherer: x.gatherer}
	defer e.close()
	x.capture.Format = formatNetFlow
	var p Packet
	return x.visit(ctx, func(f *Frame) {
		content, ok := exported(&p, f, x.options.Exports)
		if !ok {
			e.table.Stats.Records.Strays++
			return
		}
		e.datagram(p.Src().Addr(), f.Nanos-x.capture.Shift, content)
	})
}

// exported returns the content of a datagram to one of the ports. One that was cut or is a fragment is there as far as it goes.
func exported(p *Packet, f *Frame, ports []uint16) ([]byte, bool) {
	if p.Decode(f) != Kept || p.Proto != UDP || len(p.transport) < udpHeader {
		return nil, false
	}
	for _, port := range ports {
		if p.dstPort == port {
			return p.transport[udpHeader:], true
		}
	}
	return nil, false
}
