package capture

import (
	"context"
	"errors"
	"io"
)

// Repeatable reports whether the input can be read as often as one likes: a regular file can, standard input and pipes
// cannot.
func (in *Input) Repeatable() bool { return in.info != nil && in.info.Mode().IsRegular() }

// HoldsFrames reports whether there are frames in the input: a flows file has none.
func (in *Input) HoldsFrames() bool { return in.Format == formatPcap || in.Format == formatPcapng }

// Visit reads the input to its end and shows every frame that the filter keeps, as [Input.Read] would take it; what it is shown is
// valid until visit returns. Of the options Filter, MaxExpanded and Progress mean something. The error is the damage at which reading ended,
// or the context's; what came before was shown.
func (in *Input) Visit(ctx context.Context, opt Options, visit func(*Frame)) error {
	x := in.begin(opt)
	if x.from != nil {
		defer x.from.Close()
	}
	switch {
	case x.stream == nil:
		return x.capture.Damage
	case x.err != nil:
		return x.err
	case x.source == nil:
		return errors.New("holds no frames")
	}
	return x.visit(ctx, visit)
}

// visit is Visit of what is open.
func (x *reading) visit(ctx context.Context, visit func(*Frame)) error {
	var f Frame
	position, taken := x.stream.position(), uint64(0)
	for n := uint64(0); ; n++ {
		if n%packetsPerCheck == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if n%packetsPerProgress == 0 {
			x.told.add(x.stream.position()-position, n-taken)
			position, taken = x.stream.position(), n
		}
		err := x.source.Next(&f)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		f.Nanos += x.capture.Shift
		if x.options.Filter == nil || x.options.Filter(&f) {
			visit(&f)
		}
	}
}
