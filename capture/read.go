package capture

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"
)

// Read reads the input to its end: the end it had when it was opened, if it grows. It never fails: damage, an interruption
// or a file that has gone is part of what it returns, together with everything that could be read. Standard input and pipes
// can be read once. A flows file holds several captures: [Input.ReadAll] returns them.
func (in *Input) Read(ctx context.Context, opt Options) *Capture {
	x := in.begin(opt)
	x.lead(ctx)
	return x.finish(ctx)
}

// begin opens the input again, and does not read it yet.
func (in *Input) begin(opt Options) *reading {
	c := &Capture{Name: in.Name, Format: in.Format, Compression: in.Compression, Shift: int64(in.Shift), file: opt.File, sampled: in.sample}
	from, err := in.open()
	if err != nil {
		c.Damages = []Damage{{Reason: err.Error()}}
		c.Damage = &c.Damages[0]
		c.Table = new(Table)
		return &reading{capture: c}
	}
	size := in.Size
	if from.expander != nil {
		from.expander.limitTo(opt.MaxExpanded)
		size = -1
	}
	x := c.reading(&stream{window: newWindow(from.reader(size), size), expander: from.expander, size: in.Size}, opt)
	x.from = from
	return x
}

// open opens the input again, or hands over the stream that is open.
func (in *Input) open() (*openStream, error) {
	if s := in.stream; s != nil {
		in.stream = nil
		return s, nil
	}
	if in.info == nil || !in.info.Mode().IsRegular() {
		return nil, errors.New("read before, and cannot be read again")
	}
	f, err := os.Open(in.Name)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(now, in.info) {
		f.Close()
		return nil, errors.New("another file than the one that was opened is there now")
	}
	s := &openStream{Reader: bufio.NewReaderSize(io.LimitReader(f, in.Size), smallestBuffer), file: f, at: cached(f)}
	if in.Compression != "" {
		s = s.expanded(in.Compression)
	}
	return s, nil
}

// smallestBuffer is for a reader in front of one that has the buffer that counts.
const smallestBuffer = 16

// reader returns what the window reads: without the buffer in front of it where the file can be read from anywhere.
func (s *openStream) reader(size int64) io.Reader {
	if s.at != nil {
		return io.NewSectionReader(s.at, 0, size)
	}
	return s
}

// reading is an input that is being read: from its beginning, and beside that in parts, if it has any.
type reading struct {
	capture  *Capture
	from     *openStream // nil: not to be closed, or it could not be opened
	stream   *stream     // nil: it could not be opened
	gatherer *gatherer
	source   divisible // nil: a flows file, or one whose header cannot be read
	options  Options
	parts    []*filePart
	err      error // what ended the reading before its end; nil: nothing
	told     progress
}

// progress adds up what the goroutines of a reading have read.
type progress struct {
	to      func(bytes int64, packets uint64) // nil: nobody wants to know
	bytes   atomic.Int64
	packets atomic.Uint64
}

func (p *progress) add(bytes int64, packets uint64) {
	bytes, packets = p.bytes.Add(bytes), p.packets.Add(packets)
	if p.to != nil {
		p.to(bytes, packets)
	}
}

// reading prepares to fill c from s.
func (c *Capture) reading(s *stream, opt Options) *reading {
	x := &reading{capture: c, stream: s, gatherer: newGatherer(opt), options: opt}
	x.told.to = opt.Progress
	x.gatherer.shift = c.Shift
	if c.sampled > 0 {
		x.gatherer.sampler.most = c.sampled
	}
	switch c.Format {
	case FormatFlows, formatZeek, formatEVE:
	case formatPcapng:
		x.source = newPcapngReader(s)
	default:
		if r, err := newPcapReader(s); err != nil {
			x.err = err
		} else {
			x.source = r
		}
	}
	return x
}

// lead reads up to the first part, or all.
func (x *reading) lead(ctx context.Context) {
	if x.stream == nil || x.err != nil {
		return
	}
	if x.from != nil && x.from.file != nil {
		// Wakes a read that waits for a pipe. What knows no deadline (a file, a terminal) has no such wait, or cannot end it.
		stop := context.AfterFunc(ctx, func() { _ = x.from.file.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	if x.capture.Format == FormatFlows {
		x.capture.held, x.err = readFlows(ctx, x.stream, x.options, func(packets uint64) {
			if x.told.to != nil {
				x.told.to(x.stream.position(), packets)
			}
		})
		return
	}
	switch {
	case x.capture.FlowRecords():
		x.err = x.readRecords(ctx)
	case len(x.options.Exports) > 0:
		x.err = x.readExports(ctx)
	case x.options.pair && x.source != nil && x.from.at != nil:
		x.leadInPair(ctx)
	case x.options.aside:
		x.gatherer.relayed(nil, func() { x.run(ctx, x.end(0)) })
	default:
		x.run(ctx, x.end(0))
	}
}

// end returns where reading has to stop before a part; 0: nowhere.
func (x *reading) end(part int) int64 {
	if part < len(x.parts) {
		return x.parts[part].start
	}
	return 0
}

// run reads on up to an offset, or to the end.
func (x *reading) run(ctx context.Context, limit int64) {
	x.stream.limit = limit
	position, before, taken := x.stream.position(), x.source.packets(), uint64(0)
	x.err = x.gatherer.run(ctx, x.source, func(packets uint64) {
		now := x.stream.position()
		x.told.add(now-position, packets-taken)
		position, taken = now, packets
	})
	x.told.add(x.stream.position()-position, x.source.packets()-before-taken)
}

// join takes the parts, in their order. One that does not fit is read again.
func (x *reading) join(ctx context.Context) {
	for i, p := range x.parts {
		if x.err != nil {
			return
		}
		if p.taken = x.fits(p); p.taken {
			x.gatherer.join(p, x.source.packets())
			x.source.resume(p.source, x.from.at, p.stopped)
		}
		x.parts[i] = nil
		x.run(ctx, x.end(i+1))
	}
}

// fits reports whether a part is what reading on would give.
func (x *reading) fits(p *filePart) bool {
	return p.ready && p.packets > 0 && x.stream.offset() == p.start && x.source.place() == p.opening && x.gatherer.fits(p)
}

// finish takes the parts, closes the input, and returns what it showed.
func (x *reading) finish(ctx context.Context) *Capture {
	if x.from != nil {
		defer x.from.Close()
	}
	if x.stream != nil {
		x.join(ctx)
		x.conclude(ctx)
	}
	return x.capture
}

// conclude fills in what is known at the end.
func (x *reading) conclude(ctx context.Context) {
	c, s, g := x.capture, x.stream, x.gatherer
	if x.source != nil || c.FlowRecords() {
		c.First, c.Last = g.interval()
	}
	if r, ok := x.source.(*pcapngReader); ok {
		r.intervals(c.First, c.Last, c.Shift, g.any.some)
		c.Comments, c.Commented, c.Names, c.Named = r.notes.comments, r.notes.commented, r.notes.names, r.notes.named
	}
	if x.err == nil {
		x.err = s.shrunk()
	}
	x.damages(ctx)
	if !c.FlowRecords() {
		c.Interfaces = s.interfaces
	}
	c.Digest, c.Sample = g.digest, g.sampler.sample()
	c.Table = g.finish()
	c.Table.Stats.OverlongRecords += s.overlong
}

// damages fills in how the reading ended, and where.
func (x *reading) damages(ctx context.Context) {
	c, s, err := x.capture, x.stream, x.err
	ended := s.offset()
	c.Damages = s.damages
	done := ctx.Err()
	last := (*Damage)(nil)
	switch {
	case err == nil:
	case done != nil && (errors.Is(err, done) || errors.Is(s.failure(), os.ErrDeadlineExceeded)):
		c.Interrupted = true
	default:
		if !errors.As(err, &last) {
			last = &Damage{Offset: ended, Expanded: s.expander != nil, Reason: err.Error()}
		}
		c.Damages = append(c.Damages, *last)
	}
	if len(c.Damages) > 0 {
		c.Damage = &c.Damages[0]
	}
	if last != nil && last.Expanded == (s.expander != nil) {
		ended = last.Offset
	}
	c.Size = ended
	if s.expander != nil {
		c.Size, c.Expanded = s.expander.position(), ended
	}
}
