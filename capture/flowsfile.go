package capture

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// A flows file holds what captures showed, without their packets: docs/formats.md has it byte by byte. It begins with a
// magic and a version; sections follow, each compressed by itself; after the last stands the SHA-256 of everything before.
// A section holds whole items and refers to no other one, so that a reader needs the memory of one section, and never
// allocates to the measure of a number that it has not held against bytes that are there.
const (
	flowsMagic   = "FLOWVET\x00"
	flowsVersion = 1
	flowsHeader  = len(flowsMagic) + 4
)

// The types of sections, in the order in which they stand for a capture. From sectionOptional on a reader skips what it
// does not know.
const (
	sectionEnd        = 0
	sectionCapture    = 1
	sectionInterfaces = 2
	sectionStats      = 3
	sectionFlows      = 4
	sectionOthers     = 5
	sectionFolds      = 6
	sectionTunnels    = 7
	sectionEvents     = 8
	sectionNotes      = 9
	sectionSample     = 10
	sectionGaps       = 11
	sectionOptional   = 128
)

// The bounds of a flows file: a writer keeps them, a reader insists on them.
const (
	maxSection = 1 << 20 // bytes of a section's content
	maxRecords = 1 << 16 // captures
	// maxRatio is how many times as long as its stored form a section's content may be. Flows of real traffic shrink to
	// two thirds, at most to two fifths; what is as regular as a generator's is padded: no small file becomes a large table.
	maxRatio = 3
	// fullSection is where a section is closed: the largest item, an interface with its texts, still fits behind it.
	fullSection = 256 << 10
	maxItemRuns = 4096 // runs of seconds in one item; further items take the rest
)

// The bits of a flow's first byte.
const (
	flowUDP     = 1 << iota // else TCP
	flowIPv6                // else IPv4
	flowSideA               // A sent something or was quoted
	flowSideB               // B did
	flowVLANs               // VLAN ids follow
	flowSegment             // a segment comes before them
	flowJoined              // what was joined to it comes after them
	flowKinds   = flowUDP | flowIPv6 | flowSideA | flowSideB | flowVLANs | flowSegment | flowJoined
	flowSeconds = 0x80 // stands alone: more seconds of the flow before
)

// WriteFlows writes a flows file of captures as [Arrange] orders them. The same captures give the same bytes. The error is
// the writer's, or says what does not fit the format.
func WriteFlows(w io.Writer, captures []*Capture) error {
	if len(captures) > maxRecords {
		return fmt.Errorf("%d captures: a flows file holds at most %d", len(captures), maxRecords)
	}
	f, err := newFlowsWriter(w)
	if err != nil {
		return err
	}
	for _, c := range captures {
		f.capture(c)
	}
	return f.close()
}

// flowsWriter writes sections. The first error stays, and ends the writing.
type flowsWriter struct {
	to       *bufio.Writer
	sum      hash.Hash // of what left the buffer
	compress *zstd.Encoder
	section  encoder
	stored   []byte
	err      error
}

func newFlowsWriter(w io.Writer) (*flowsWriter, error) {
	compress, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxSection), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	f := &flowsWriter{sum: sha256.New(), compress: compress}
	f.to = bufio.NewWriter(io.MultiWriter(w, f.sum))
	f.write(binary.BigEndian.AppendUint32([]byte(flowsMagic), flowsVersion))
	return f, nil
}

// close writes the end and the checksum.
func (f *flowsWriter) close() error {
	f.flush(sectionEnd)
	f.sync()
	f.write(f.sum.Sum(nil))
	f.sync()
	return f.err
}

func (f *flowsWriter) write(b []byte) {
	if f.err == nil {
		_, f.err = f.to.Write(b)
	}
}

func (f *flowsWriter) sync() {
	if f.err == nil {
		f.err = f.to.Flush()
	}
}

// flush writes what was encoded as one section, uncompressed where compression gains nothing.
func (f *flowsWriter) flush(kind byte) {
	content := f.section.b
	if len(content) > maxSection && f.err == nil {
		f.err = fmt.Errorf("%d bytes in a section of type %d: a flows file has at most %d", len(content), kind, maxSection)
	}
	f.stored = padded(f.compress.EncodeAll(content, f.stored[:0]), len(content))
	if len(f.stored) >= len(content) {
		f.stored = append(f.stored[:0], content...)
	}
	head := binary.AppendUvarint([]byte{kind}, uint64(len(content)))
	f.write(binary.AppendUvarint(head, uint64(len(f.stored))))
	f.write(f.stored)
	f.section = encoder{b: content[:0]}
}

// flushFull writes a section that has no room left.
func (f *flowsWriter) flushFull(kind byte) {
	if len(f.section.b) >= fullSection {
		f.flush(kind)
	}
}

// flushRest writes a section that holds something.
func (f *flowsWriter) flushRest(kind byte) {
	if len(f.section.b) > 0 {
		f.flush(kind)
	}
}

// padded appends a frame to be skipped (RFC 8878, section 3.1.2) to what was compressed below the ratio that readers take.
func padded(stored []byte, content int) []byte {
	const magic, header = 0x184d2a50, 8
	short := (content+maxRatio-1)/maxRatio - len(stored)
	if short <= 0 {
		return stored
	}
	filler := max(short-header, 0)
	stored = binary.LittleEndian.AppendUint32(stored, magic)
	stored = binary.LittleEndian.AppendUint32(stored, uint32(filler))
	return append(stored, make([]byte, filler)...)
}

// capture writes the sections of one capture.
func (f *flowsWriter) capture(c *Capture) {
	if f.err != nil {
		return
	}
	if c.First <= -maxTime || c.Last >= maxTime {
		f.err = fmt.Errorf("%s: its packets are of no time between 1824 and 2116", c.Name)
		return
	}
	f.section.capture(c)
	f.flush(sectionCapture)
	for i := range c.Interfaces {
		f.section.iface(&c.Interfaces[i])
		f.flushFull(sectionInterfaces)
	}
	f.flushRest(sectionInterfaces)
	f.section.stats(&c.Table.Stats)
	f.flush(sectionStats)
	f.flows(c)
	f.others(c)
	f.folds(c)
	f.tunnels(c)
	f.events(c)
	f.notes(c)
	f.sample(c)
	f.gaps(c)
}

// flows writes the flows in the order of their keys.
func (f *flowsWriter) flows(c *Capture) {
	for flow := range c.Table.inOrder {
		all := flow.Seconds
		flow.Seconds = all[:min(len(all), maxItemRuns)]
		f.section.flow(&flow, c.First)
		f.flushFull(sectionFlows)
		for more := range slices.Chunk(all[len(flow.Seconds):], maxItemRuns) {
			f.section.byte(flowSeconds)
			f.section.seconds(more, floorSecond(c.First))
			f.flushFull(sectionFlows)
		}
		if f.err != nil {
			return
		}
	}
	f.flushRest(sectionFlows)
}

// others writes who was seen sending other packets to whom.
func (f *flowsWriter) others(c *Capture) {
	for _, pair := range sortedPairs(c.Table.Others) {
		for seconds := range slices.Chunk(c.Table.Others[pair], maxItemRuns) {
			f.section.pair(pair)
			f.section.seconds(seconds, floorSecond(c.First))
			f.flushFull(sectionOthers)
		}
		if f.err != nil {
			return
		}
	}
	f.flushRest(sectionOthers)
}
