package capture

import (
	"context"
	"io"
	"slices"
)

// A large file is read in parts, side by side. A part begins at a place that a chain of records proves to be a boundary, and
// takes plain records only, which mean the same whatever came before them. What does depend on it is settled at the seam, when
// everything before the part has been read: see reading.join. Two cores read a file of bulk traffic in 0.6 of the time.

// Limits of parts.
const (
	leastPart   = 32 << 20      // bytes: below that one processor is done before another has begun
	searchPart  = 1 << 20       // bytes searched for the boundary: as many hold several of the largest packets
	prefixLeast = 64 << 10      // bytes before a part that its reader looks at, so that it knows what was seen just before;
	prefixMost  = 4 << 20       // and at most,
	prefixNanos = 4 * dupWindow // once they span so long a time
)

// filePart is a range of a file that is read apart from what is before it.
type filePart struct {
	ranged
	source   divisible
	gatherer *gatherer
	allowed  int // flows it may hold; valid iff room is not nil
	room     *Pool
	before   knowledge // of the seam, from the prefix alone
	opening  place     // of the reader where the part begins
	ready    bool      // the prefix led to the seam
	packets  uint64
	stopped  int64     // where the part ended
	found    *matching // which of its flows are known before it; nil: not yet looked up
	taken    bool      // it was what reading on would have given
}

// divisible is a reader whose file may be read in parts.
type divisible interface {
	plainReader
	// fork returns a reader of the same file that begins at another place and knows what this one does of the file.
	fork(file io.ReaderAt, at, size int64) divisible
	// align goes on to a place where a chain of records proves that one begins; false: there is none near.
	align() bool
	// place returns what the records before change in the reading of a plain one.
	place() place
	// packets returns how many packets were read.
	packets() uint64
	// restart forgets the records read so far, but for the place.
	restart()
	// resume goes on where a fork has stopped. What the fork has read was read by this reader.
	resume(from divisible, file io.ReaderAt, at int64)
}

// place is what the records before change in the reading of a plain one.
type place struct {
	second, tail int64 // pcap: of the record before
	lastNanos    int64
	timed        bool
	big          bool // pcapng: the byte order of the section,
	section      int  // and its first interface
}

// ranged is where a part lies: what is before start only tells what was seen just before.
type ranged struct{ prefix, start, end int64 }

// read reads the part until its end, the first record that is not plain, or the context is done.
func (p *filePart) read(ctx context.Context, progress func(bytes int64, packets uint64)) {
	block := make([]Frame, framesPerBlock)
	s := p.source.state()
	s.limit = p.start
	for n := p.next(block); n > 0; n = p.next(block) {
		for i := range block[:n] {
			p.gatherer.glance(&block[i])
		}
	}
	if s.offset() != p.start {
		return
	}
	p.ready, p.before, p.opening = true, p.gatherer.knowledge(), p.source.place()
	p.source.restart()
	s.limit, p.stopped = p.end, p.start
	for p.hasRoom() && ctx.Err() == nil && p.some(block) {
		progress(s.offset()-p.stopped, packetsPerCheck)
		p.stopped = s.offset()
	}
	p.stopped = s.offset()
	s.window = nil
}

// some takes about packetsPerCheck packets; false: the part ended.
func (p *filePart) some(block []Frame) bool {
	for until := p.packets + packetsPerCheck; p.packets < until; {
		n := p.next(block)
		if n == 0 {
			return false
		}
		p.gatherer.takeBlock(block[:n])
		p.packets += uint64(n)
	}
	return true
}

// next reads plain records; 0: the next record is not one, or the part ends.
func (p *filePart) next(block []Frame) int {
	s := p.source.state()
	for {
		if n := p.source.plain(block); n > 0 || s.offset() >= s.limit {
			return n
		}
		had := s.hi - s.lo
		if had > searchPart || len(s.peek(had+1)) == had {
			return 0
		}
	}
}

// hasRoom reports whether the part may go on: whether there is room for as many flows as it may show, and for the fragments
// that wait.
func (p *filePart) hasRoom() bool {
	const most = 2 * (packetsPerCheck + framesPerBlock) // a packet may quote another
	if p.gatherer.held.full() {
		return false
	}
	for p.room != nil && p.gatherer.table.Len()+most > p.allowed {
		grant := p.room.take()
		if grant == 0 {
			return false
		}
		p.allowed += int(grant)
	}
	return true
}

// cuts returns where the parts of a file may begin, near the places given, which ascend. r has read its first packet.
func cuts(r divisible, file io.ReaderAt, size int64, near []int64) []ranged {
	var parts []ranged
	for _, at := range near {
		if len(parts) > 0 && at <= parts[len(parts)-1].start {
			continue
		}
		c := r.fork(file, at, size)
		if !c.align() {
			continue
		}
		p := ranged{prefix: c.state().offset(), end: size}
		if p.start = prefixed(c); p.start < 0 || p.start >= size {
			continue
		}
		if n := len(parts); n > 0 {
			if p.start <= parts[n-1].start {
				continue
			}
			parts[n-1].end = p.start
		}
		parts = append(parts, p)
	}
	return parts
}

// prefixed reads the prefix of a part and returns where it ends; less than 0 where not all of it is plain.
func prefixed(r divisible) int64 {
	var block [framesPerBlock]Frame
	s := r.state()
	from, first := s.offset(), int64(0)
	p := filePart{source: r}
	s.limit = from + prefixMost
	for {
		n := p.next(block[:])
		if n == 0 {
			return -1
		}
		if first == 0 {
			first = block[0].Nanos
		}
		read := s.offset() - from
		if read >= prefixMost || read >= prefixLeast && block[n-1].Nanos-first >= prefixNanos {
			return s.offset()
		}
	}
}

// alignTo consumes bytes up to a place where a chain of records proves that one begins.
func (s *stream) alignTo(f framing) bool {
	b := s.peek(searchPart)
	complete := len(b) < searchPart && s.failure() == nil
	for i := 0; i < len(b)/2 || complete && i < len(b); i++ {
		if t := s.candidate(f, b, i, complete); t.proven() {
			s.advance(i)
			return true
		}
	}
	return false
}

// fork returns a stream of the same file from another place on.
func (s *stream) fork(file io.ReaderAt, at, size int64) *stream {
	w := newWindow(io.NewSectionReader(file, at, size-at), size-at)
	w.base = at
	return &stream{window: w, size: size, interfaces: slices.Clone(s.interfaces)}
}

// moveTo goes on at another place of the file.
func (s *stream) moveTo(file io.ReaderAt, at int64) {
	s.window.r, s.window.base, s.window.err = io.NewSectionReader(file, at, max(s.size-at, 0)), at, nil
	s.lo, s.hi = 0, 0
}

// fork implements divisible.
func (r *pcapReader) fork(file io.ReaderAt, at, size int64) divisible {
	c := *r
	c.stream = r.stream.fork(file, at, size)
	c.number, c.odd, c.tail, c.checked = 0, 0, 0, 0
	c.enter()
	return &c
}

// enter makes the time of the next record the one to compare it with.
func (r *pcapReader) enter() {
	if b := r.peek(pcapRecordHeader); len(b) == pcapRecordHeader {
		h := r.header(b)
		r.second = int64(h.second)
	}
}

// align implements divisible.
func (r *pcapReader) align() bool {
	ok := r.alignTo(pcapChain{r, false})
	r.enter()
	return ok
}

// place implements divisible.
func (r *pcapReader) place() place {
	return place{second: r.second, tail: r.tail, lastNanos: r.lastNanos, timed: r.timed}
}

// packets implements divisible.
func (r *pcapReader) packets() uint64 { return r.number }

// restart implements divisible.
func (r *pcapReader) restart() { r.number = 0 }

// resume implements divisible.
func (r *pcapReader) resume(from divisible, file io.ReaderAt, at int64) {
	o := from.(*pcapReader)
	r.number += o.number
	r.second, r.tail, r.lastNanos, r.timed, r.zeros = o.second, o.tail, o.lastNanos, o.timed, 0
	r.moveTo(file, at)
}

// fork implements divisible.
func (r *pcapngReader) fork(file io.ReaderAt, at, size int64) divisible {
	c := *r
	c.stream = r.stream.fork(file, at, size)
	c.clocks, c.counts = slices.Clone(r.clocks), slices.Clone(r.counts)
	c.gap = false
	c.restart()
	return &c
}

// align implements divisible.
func (r *pcapngReader) align() bool { return r.alignTo(pcapngChain{r}) }

// place implements divisible.
func (r *pcapngReader) place() place {
	return place{lastNanos: r.lastNanos, timed: r.timed, big: r.big, section: r.section}
}

// packets implements divisible.
func (r *pcapngReader) packets() uint64 { return r.number }

// restart implements divisible.
func (r *pcapngReader) restart() { r.number, r.notes = 0, notes{} }

// resume implements divisible.
func (r *pcapngReader) resume(from divisible, file io.ReaderAt, at int64) {
	o := from.(*pcapngReader)
	r.number += o.number
	r.lastNanos, r.timed, r.zeros = o.lastNanos, o.timed, 0
	r.notes.join(&o.notes)
	r.moveTo(file, at)
}

// join adds the comments that a reader of what follows noted.
func (n *notes) join(o *notes) {
	for _, text := range o.comments {
		n.comment([]byte(text))
	}
	n.commented += o.commented - uint64(len(o.comments))
}
