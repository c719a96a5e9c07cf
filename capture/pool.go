package capture

import "math/bits"

// pool keeps values by number. They lie in chunks that never move: small ones first, each twice the one before, because a
// run may hold ten thousand small captures; then chunks of one size, because a table of millions must not grow by millions.
type pool[T any] struct {
	chunks [][]T
	room   uint32   // numbers that the chunks hold
	n      uint32   // numbers given out
	free   []uint32 // of those, given back
}

// Sizes of a pool's chunks, in values.
const (
	firstChunk   = 1 << firstBits
	largestChunk = 1 << largestBits
	firstBits    = 4
	largestBits  = 17
)

// at returns the value with that number.
func (p *pool[T]) at(i uint32) *T {
	chunk, at := placeOf(i)
	return &p.chunks[chunk][at]
}

// placeOf returns where a number lies in every pool.
func placeOf(i uint32) (chunk, at uint32) {
	i += firstChunk
	if i < largestChunk {
		chunk = uint32(bits.Len32(i)) - firstBits - 1
		return chunk, i - firstChunk<<chunk
	}
	return largestBits - firstBits - 1 + i>>largestBits, i % largestChunk
}

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

// reach makes room for a number. Memory that nobody writes to costs nothing.
func (p *pool[T]) reach(i uint32) {
	for i >= p.room {
		size := min(p.room+firstChunk, largestChunk)
		p.chunks = append(p.chunks, hugePages(make([]T, size)))
		p.room += size
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
