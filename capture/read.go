package capture

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// Read reads the input to its end: the end it had when it was opened, if it grows. It never fails: damage, an interruption
// or a file that has gone is part of what it returns, together with everything that could be read. Standard input and pipes
// can be read once. A flows file holds several captures: [Input.ReadAll] returns them.
func (in *Input) Read(ctx context.Context, opt Options) *Capture {
	c := &Capture{Name: in.Name, Format: in.Format, Compression: in.Compression, Shift: int64(in.Shift), file: opt.File, sampled: in.sample}
	from, err := in.open()
	if err != nil {
		c.Damages = []Damage{{Reason: err.Error()}}
		c.Damage = &c.Damages[0]
		c.Table = new(Table)
		return c
	}
	defer from.Close()
	if from.file != nil {
		// Wakes a read that waits for a pipe. What knows no deadline (a file, a terminal) has no such wait, or cannot end it.
		stop := context.AfterFunc(ctx, func() { _ = from.file.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	size := in.Size
	if from.expander != nil {
		from.expander.limitTo(opt.MaxExpanded)
		size = -1
	}
	c.readStream(ctx, &stream{window: newWindow(from, size), expander: from.expander, size: in.Size}, opt)
	return c
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
	s := &openStream{Reader: bufio.NewReaderSize(io.LimitReader(f, in.Size), smallestBuffer), file: f}
	if in.Compression != "" {
		s = s.expanded(in.Compression)
	}
	return s, nil
}

// smallestBuffer is for a reader in front of one that has the buffer that counts.
const smallestBuffer = 16

// readStream fills c from s.
func (c *Capture) readStream(ctx context.Context, s *stream, opt Options) {
	g := newGatherer(opt)
	g.shift = c.Shift
	if c.sampled > 0 {
		g.sampler.most = c.sampled
	}
	err := c.gather(ctx, s, g, opt)
	if err == nil {
		err = s.shrunk()
	}
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
	c.Interfaces = s.interfaces
	c.Digest, c.Sample = g.digest, g.sampler.sample()
	c.Table = g.finish()
}

// gather runs the reader of the input's format.
func (c *Capture) gather(ctx context.Context, s *stream, g *gatherer, opt Options) error {
	report := func(packets uint64) {
		if opt.Progress != nil {
			opt.Progress(s.position(), packets)
		}
	}
	if c.Format == FormatFlows {
		held, err := readFlows(ctx, s, opt, report)
		c.held = held
		return err
	}
	if c.Format == formatPcapng {
		r := newPcapngReader(s)
		err := g.run(ctx, r, report)
		c.First, c.Last = g.interval()
		r.intervals(c.First, c.Last, c.Shift, g.any.some)
		c.Comments, c.Commented, c.Names, c.Named = r.notes.comments, r.notes.commented, r.notes.names, r.notes.named
		return err
	}
	r, err := newPcapReader(s)
	if err != nil {
		return err
	}
	err = g.run(ctx, r, report)
	c.First, c.Last = g.interval()
	return err
}
