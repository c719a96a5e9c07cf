package capture

import (
	"bufio"
	"context"
	"errors"
	"os"
	"time"
)

// Read reads the input to its end. It never fails: damage, an interruption or a file that has gone is part of what it
// returns, together with everything before it. Standard input and pipes can be read once. A flows file holds several
// captures: [Input.ReadAll] returns them.
func (in *Input) Read(ctx context.Context, opt Options) *Capture {
	c := &Capture{Name: in.Name, Format: in.Format, file: opt.File}
	stream, err := in.open()
	if err != nil {
		c.Damage = &Damage{Reason: err.Error()}
		c.Table = new(Table)
		return c
	}
	defer stream.Close()
	if stream.file != nil {
		// Wakes a read that waits for a pipe. What knows no deadline (a file, a terminal) has no such wait, or cannot end it.
		stop := context.AfterFunc(ctx, func() { _ = stream.file.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
	}
	c.read(ctx, newWindow(stream, in.Size), opt)
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
	const smallest = 16 // the window has the buffer that counts
	return &openStream{Reader: bufio.NewReaderSize(f, smallest), file: f}, nil
}

// read fills c from w.
func (c *Capture) read(ctx context.Context, w *window, opt Options) {
	s := &stream{window: w}
	g := newGatherer(opt)
	err := c.gather(ctx, s, g, opt)
	done := ctx.Err()
	switch {
	case err == nil:
	case done != nil && (errors.Is(err, done) || errors.Is(s.failure(), os.ErrDeadlineExceeded)):
		c.Interrupted = true
	case !errors.As(err, &c.Damage):
		c.Damage = &Damage{Offset: s.offset(), Reason: err.Error()}
	}
	c.Size = s.offset()
	if c.Damage != nil {
		c.Size = c.Damage.Offset
	}
	c.Interfaces = s.interfaces
	c.Digest = g.digest
	c.Table = g.finish()
}

// gather runs the reader of the input's format.
func (c *Capture) gather(ctx context.Context, s *stream, g *gatherer, opt Options) error {
	report := func(packets uint64) {
		if opt.Progress != nil {
			opt.Progress(s.offset(), packets)
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
		r.intervals(c.First, c.Last, g.any.some)
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
