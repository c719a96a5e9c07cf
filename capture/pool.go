package capture

// pool keeps values by number. They lie in one chunk that grows, because a run may hold ten thousand small captures, and then in
// chunks of one size, because a table of millions must not grow by millions. What at returns is good until the pool grows.
type pool[T any] struct {
	chunks [][]T
	room   uint32   // numbers that the chunks hold
	n      uint32   // numbers given out
	free   []uint32 // of those, given back
}

// Sizes of a pool's chunks, in values.
const (
	firstChunk   = 16
	growth       = 4
	largestChunk = 1 << largestBits
	largestBits  = 16
)

// at returns the value with that number.
func (p *pool[T]) at(i uint32) *T { return &p.chunks[i>>largestBits][i%largestChunk] }

// take returns the number of a value that nobody uses, a zero one.
func (p *pool[T]) take() uint32 {
	if last := len(p.free) - 1; last >= 0 {
		i := p.free[last]
		p.free = p.free[:last]
		return i
	}
	i := p.n
	p.n++
	p.reach(i)
	var zero T
	*p.at(i) = zero // a zero is there; but a page that is read first costs more, see slotsPerPage
	return i
}

// reach makes room for a number. Memory that nobody writes to costs nothing: what the first chunk held is copied, and so it grows
// at once as far as it has to.
func (p *pool[T]) reach(i uint32) {
	if i < p.room {
		return
	}
	if p.room < largestChunk {
		size := uint32(firstChunk)
		for size <= i && size < largestChunk {
			size *= growth
		}
		first := hugePages(make([]T, size))
		if p.room > 0 {
			copy(first, p.chunks[0])
		}
		p.chunks, p.room = append(p.chunks[:0], first), size
	}
	for i >= p.room {
		p.chunks = append(p.chunks, hugePages(make([]T, largestChunk)))
		p.room += largestChunk
	}
}

// give takes a number back.
func (p *pool[T]) give(i uint32) {
	var zero T
	*p.at(i) = zero
	p.free = append(p.free, i)
}

// len returns how many values are in use.
func (p *pool[T]) len() int { return int(p.n) - len(p.free) }
