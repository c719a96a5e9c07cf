package capture

import (
	"context"
	"sync/atomic"
)

// Plan is how several inputs are read side by side: whole, and large files in parts. What comes of it does not depend on how
// many there are, nor on the order in which they are read.
type Plan struct {
	tasks []func(ctx context.Context)
	shown [][]*Capture
}

// NewPlan shares the inputs out among so many workers. It looks into large files to see where their parts may begin. What the
// options say of flows is for all inputs together; File is set for each; progress returns Options.Progress of each, which the
// goroutines of its parts may then call at the same time, and may be nil.
func NewPlan(inputs []*Input, workers int, opt Options, progress func(i int) func(bytes int64, packets uint64)) *Plan {
	p := &Plan{shown: make([][]*Capture, len(inputs))}
	spare := opt.spareRoom()
	opt = opt.Shared(len(inputs))
	share := shareOf(inputs, workers)
	for i, in := range inputs {
		o := opt
		o.File = uint32(i)
		if progress != nil {
			o.Progress = progress(i)
		}
		near := in.places(share)
		o.aside = workers > 1 && in.isStream()
		if o.pair, o.spare = workers == 2 && len(near) == 1, spare; o.pair {
			near = nil
		}
		p.add(i, in, o, near)
	}
	return p
}

// spareRoom returns room for the flows of parts, which are in two tables until they are merged.
func (o *Options) spareRoom() *Pool {
	if o.MaxFlows <= 0 {
		return nil
	}
	return NewPool(o.MaxFlows)
}

// shareOf returns how many bytes of the inputs one task should read.
func shareOf(inputs []*Input, workers int) int64 {
	sum := int64(0)
	for _, in := range inputs {
		sum += max(in.Size, 0)
	}
	return max(sum/int64(max(workers, 1)), leastPart)
}

// isStream reports whether an input can only be read from its beginning on.
func (in *Input) isStream() bool {
	return in.Compression != "" || in.stream != nil && in.stream.at == nil
}

// places returns where an input may be cut into parts of that many bytes or less.
func (in *Input) places(share int64) (near []int64) {
	if in.isStream() || !in.HoldsFrames() {
		return nil
	}
	parts := (in.Size + share - 1) / share
	for i := int64(1); i < parts && in.Size/parts >= leastPart/2; i++ {
		near = append(near, in.Size/parts*i)
	}
	return near
}

// add adds what is to be done for one input.
func (p *Plan) add(i int, in *Input, opt Options, near []int64) {
	if len(near) == 0 {
		p.tasks = append(p.tasks, func(ctx context.Context) { p.shown[i] = in.ReadAll(ctx, opt) })
		return
	}
	x := in.begin(opt)
	x.divide(near, opt.spare)
	var left atomic.Int32
	left.Store(int32(len(x.parts)) + 1)
	done := func(ctx context.Context) {
		if left.Add(-1) == 0 {
			p.shown[i] = []*Capture{x.finish(ctx)}
		}
	}
	p.tasks = append(p.tasks, func(ctx context.Context) {
		x.lead(ctx)
		done(ctx)
	})
	for _, part := range x.parts {
		p.tasks = append(p.tasks, func(ctx context.Context) {
			part.read(ctx, x.told.add)
			done(ctx)
		})
	}
}

// Tasks returns how many calls of Read the plan takes.
func (p *Plan) Tasks() int { return len(p.tasks) }

// Read does one task, from 0 on. Different ones may be done at the same time; each is to be done once. It never fails, as
// [Input.Read] does not.
func (p *Plan) Read(ctx context.Context, task int) { p.tasks[task](ctx) }

// Captures returns what every input showed, in their order, once all tasks are done. It is to be given to [Arrange].
func (p *Plan) Captures() []*Capture {
	var all []*Capture
	for _, shown := range p.shown {
		all = append(all, shown...)
	}
	return all
}

// divide prepares parts of a file that begin near the places given.
func (x *reading) divide(near []int64, spare *Pool) {
	if x.source == nil || x.from == nil || x.from.at == nil || len(x.options.Exports) > 0 {
		return
	}
	x.parts = x.partsOf(x.source.fork(x.from.at, x.stream.offset(), x.stream.size), near, spare)
}

// partsOf returns the parts of a file that begin near the places given; first is a reader of it in front of a packet.
func (x *reading) partsOf(first divisible, near []int64, spare *Pool) (parts []*filePart) {
	var f Frame
	if first.Next(&f) != nil || len(first.state().damages) > 0 {
		return nil
	}
	file, size := x.from.at, first.state().size
	for _, r := range cuts(first, file, size, near) {
		parts = append(parts, &filePart{ranged: r, source: first.fork(file, r.prefix, size), gatherer: x.gatherer.fork(), room: spare})
	}
	return parts
}
