package capture

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/klauspost/compress/zstd"
)

// ReadAll reads the input to its end, as Read does, and returns what it showed: a capture, or of a flows file the captures
// that it holds. A flows file that is cut or damaged shows nothing: it is one capture with its damage and no packet. What
// several inputs showed is to be given to [Arrange].
func (in *Input) ReadAll(ctx context.Context, opt Options) []*Capture {
	c := in.Read(ctx, opt)
	if c.held == nil || c.Damage != nil || c.Interrupted {
		return []*Capture{c}
	}
	return c.held
}

// readFlows reads a flows file. What it returns is good only with the checksum at the end of it.
func readFlows(ctx context.Context, s *stream, opt Options, progress func(packets uint64)) ([]*Capture, error) {
	r, err := newFlowsReader(s, opt)
	if err != nil {
		return nil, err
	}
	defer r.decompress.Close()
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		offset := r.offset()
		if more, err = r.section(); err != nil {
			return nil, err
		}
		if r.content.fault != "" {
			return nil, r.damage(offset, "damaged flows file: %s", r.content.fault)
		}
		progress(r.packets)
	}
	return r.captures, r.checksum()
}

// flowsReader reads sections.
type flowsReader struct {
	*stream
	options    Options
	sum        hash.Hash
	decompress *zstd.Decoder
	plain      []byte  // room for one section's content
	content    decoder // of the section at hand

	captures []*Capture
	packets  uint64 // in all captures

	kind     byte    // of the last section
	expected uint64  // flows of the capture at hand
	flows    uint64  // of it, read
	flowed   uint64  // packets in them
	evicted  Fold    // flows and packets that were evicted when it was recorded, by its counters
	folded   Fold    // the same, by its totals
	key      FoldKey // of the last totals read
	flow     Flow    // the last read, whose seconds may go on; not yet in the table
	some     bool    // flow is one
	pair     Pair    // the last read
	tunnel   Tunnel  // the last read
}

func newFlowsReader(s *stream, opt Options) (*flowsReader, error) {
	head := s.peek(flowsHeader)
	if len(head) < flowsHeader {
		return nil, s.cut(0, "the header of a flows file", int64(len(head)), int64(flowsHeader))
	}
	if k := recogniseFlows(head); k.format == "" {
		return nil, s.damage(0, "%s", k.reason)
	}
	decompress, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSection),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	r := &flowsReader{stream: s, options: opt, sum: sha256.New(), decompress: decompress}
	r.take(flowsHeader)
	return r, nil
}

// take consumes n bytes that peek returned.
func (r *flowsReader) take(n int) {
	r.sum.Write(r.peek(n))
	r.advance(n)
}

// section reads one section and reports whether more are to come.
func (r *flowsReader) section() (more bool, err error) {
	kind, err := r.load()
	if err != nil {
		return false, err
	}
	d := &r.content
	if kind < r.kind && kind != sectionCapture && kind != sectionEnd {
		d.refuse("sections in disorder: %d after %d", kind, r.kind)
	}
	r.kind, kind = kind, r.kind
	switch r.kind {
	case sectionEnd:
		d.must(len(d.b) == 0, "an end that holds something")
		d.must(len(r.captures) > 0, "no capture in it")
		r.finish()
		return false, nil
	case sectionCapture:
		r.finish()
		r.begin()
		return true, nil
	}
	if len(r.captures) == 0 || len(d.b) == 0 {
		d.refuse("a section of type %d that belongs to nothing", r.kind)
	}
	r.part(kind)
	return true, nil
}

// load reads a section into r.content and returns its type.
func (r *flowsReader) load() (kind byte, err error) {
	offset := r.offset()
	const longest = 1 + 3 + 3 // of a section's head: numbers up to 1<<20 have at most three bytes
	head := r.peek(longest)
	if len(head) == 0 {
		return 0, r.cut(offset, "a flows file", 0, 1)
	}
	kind = head[0]
	size, n := binary.Uvarint(head[1:])
	stored, m := binary.Uvarint(head[1+max(n, 0):])
	switch {
	case (n <= 0 || m <= 0) && len(head) < longest:
		return 0, r.cut(offset, "the head of a section", int64(len(head)), longest)
	case n <= 0 || m <= 0:
		return 0, r.damage(offset, "damaged flows file: a section without a length")
	case size > maxSection || stored > size || size > maxRatio*stored:
		return 0, r.damage(offset, "damaged flows file: a section of %d bytes, stored in %d", size, stored)
	}
	r.take(1 + n + m)
	b := r.peek(int(stored))
	if uint64(len(b)) < stored {
		return 0, r.cut(offset, "a section", int64(len(b)), int64(stored))
	}
	if r.plain, err = r.inflate(b, int(size)); err != nil {
		return 0, r.damage(offset, "damaged flows file: a section cannot be decompressed: %v", err)
	}
	r.take(int(stored))
	r.content = decoder{b: r.plain}
	if uint64(len(r.plain)) != size {
		r.content.refuse("a section of %d bytes is %d long", size, len(r.plain))
	}
	return kind, nil
}

// inflate returns the content of a section that is stored in b, in memory that the next call uses again.
func (r *flowsReader) inflate(b []byte, size int) ([]byte, error) {
	if cap(r.plain) < size {
		r.plain = make([]byte, 0, size)
	}
	if len(b) == size {
		return append(r.plain[:0], b...), nil
	}
	return r.decompress.DecodeAll(b, r.plain[:0:size])
}

// begin starts a capture.
func (r *flowsReader) begin() {
	if len(r.captures) == maxRecords {
		r.content.refuse("more than %d captures", maxRecords)
	}
	c := &Capture{Table: r.options.newTable(), file: r.options.File}
	if len(r.captures) == 0 && r.options.MaxFlows > 0 {
		r.options.MaxFlows = 1 // the others live on what the pool lends
	}
	r.expected = r.content.capture(c)
	r.captures = append(r.captures, c)
	r.flows, r.flowed, r.some, r.pair = 0, 0, false, Pair{}
	r.evicted, r.folded, r.key, r.tunnel = Fold{}, Fold{}, FoldKey{}, Tunnel{}
}

// finish closes the capture at hand, if there is one.
func (r *flowsReader) finish() {
	if len(r.captures) == 0 {
		return
	}
	r.keep()
	t, d := r.captures[len(r.captures)-1].Table, &r.content
	d.must(r.flows == r.expected, "flows are missing")
	d.must(r.folded.Flows == r.evicted.Flows && r.folded.Packets == r.evicted.Packets, "the totals of evicted flows do not add up")
	d.must(r.flowed+r.folded.Packets == t.Stats.Flowed, "the packets of the flows do not add up")
	r.packets += t.Stats.Read
}

// part reads a section that belongs to the capture at hand and follows one of type before.
func (r *flowsReader) part(before byte) {
	d := &r.content
	if d.fault != "" {
		return
	}
	c := r.captures[len(r.captures)-1]
	if r.kind == sectionStats {
		d.must(before < sectionStats, "two sections of statistics")
		d.stats(&c.Table.Stats)
		r.evicted = Fold{Flows: c.Table.Stats.FoldedFlows, Packets: c.Table.Stats.FoldedPackets}
		return
	}
	item := r.item()
	if item == nil {
		d.must(r.kind >= sectionOptional, "a section of an unknown type: written by a newer flowvet?")
		return
	}
	for len(d.b) > 0 {
		item(c)
	}
}

// item returns what reads one item of the section at hand; nil where its type is not known.
func (r *flowsReader) item() func(c *Capture) {
	d := &r.content
	switch r.kind {
	case sectionInterfaces:
		return d.takeInterface
	case sectionFlows:
		return r.takeFlow
	case sectionOthers:
		return func(c *Capture) { r.pair = d.takePair(c, r.pair) }
	case sectionFolds:
		return func(c *Capture) {
			var sum Fold
			r.key, sum = d.takeFold(c.Table, r.key, c.First)
			r.folded.merge(&sum)
		}
	case sectionTunnels:
		return func(c *Capture) { r.tunnel = d.takeTunnel(c.Table, r.tunnel) }
	case sectionEvents:
		return d.takeEvent
	case sectionNotes:
		return d.takeNote
	case sectionSample:
		return d.takeHash
	case sectionGaps:
		return d.takeGap
	}
	return nil
}

// takeFlow reads a flow, or more seconds of the one before.
func (r *flowsReader) takeFlow(c *Capture) {
	d := &r.content
	kind := d.byte()
	if kind == flowSeconds {
		d.must(r.some && len(r.flow.Seconds) > 0, "seconds of no flow")
		r.flow.Seconds = d.seconds(r.flow.Seconds, floorSecond(c.First))
		return
	}
	r.keep()
	f := d.flow(kind, c.First, r.options.File)
	if d.fault != "" {
		return
	}
	if r.some {
		k, before := f.key(), r.flow.key()
		d.must(before.compare(&k) < 0, "the flows are out of order")
	}
	r.flow, r.some = f, true
}

// keep puts the flow at hand into the table: its seconds are complete.
func (r *flowsReader) keep() {
	if !r.some || r.content.fault != "" {
		return
	}
	r.content.must(r.flow.spans(), "the seconds of a flow are not those of its packets")
	t := r.captures[len(r.captures)-1].Table
	t.AddFlow(&r.flow)
	r.flows++
	r.flowed += r.flow.FromA.Packets + r.flow.FromB.Packets
	r.content.must(r.flowed <= maxPackets, "more packets than there can be")
}

// checksum compares the checksum that ends the file with that of everything before.
func (r *flowsReader) checksum() error {
	offset := r.offset()
	want := r.peek(sha256.Size + 1)
	switch {
	case len(want) < sha256.Size:
		return r.cut(offset, "the checksum of a flows file", int64(len(want)), sha256.Size)
	case !bytes.Equal(want[:sha256.Size], r.sum.Sum(nil)):
		return r.damage(offset, "damaged flows file: its checksum is another")
	case len(want) > sha256.Size:
		return r.damage(offset+sha256.Size, "damaged flows file: it goes on after its end")
	}
	r.advance(sha256.Size)
	return nil
}

// recogniseFlows says whether a file that begins with head is a flows file that can be read.
func recogniseFlows(head []byte) kind {
	const least = 4 // of the magic, in a file that was cut there
	magic := head[:min(len(head), len(flowsMagic))]
	switch {
	case len(magic) < least || string(magic) != flowsMagic[:len(magic)]:
		return kind{}
	case len(head) < flowsHeader:
		return kind{format: FormatFlows, known: true}
	}
	if version := binary.BigEndian.Uint32(head[len(flowsMagic):]); version != flowsVersion {
		return kind{reason: fmt.Sprintf("a flows file of version %d", version), hint: "this flowvet reads version 1", known: true}
	}
	return kind{format: FormatFlows, known: true}
}
