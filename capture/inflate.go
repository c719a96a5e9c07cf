package capture

import (
	"encoding/binary"
	"errors"
	"io"
)

// Sizes of deflate.
const (
	inflateHistory = 32 << 10 // how far back a match may lie
	longestMatch   = 258
	literalCodes   = 286 // symbols in use: bytes, the end, lengths
	distanceCodes  = 30

	literalWidth  = 11 // bits that the first table of the code takes
	distanceWidth = 8

	inflateBuffer = inflateHistory + 160<<10
	inflateRoom   = longestMatch + 3 // so much must be free for a round: three bytes, or a match
)

// errCorrupt is deflate data that nothing could have written.
var errCorrupt = errors.New("invalid data")

// inflater expands deflate data (RFC 1951). It takes bits from a word of 64 that is filled by one load, and up to three literals
// of each: gzip needs two fifths of the time that it takes with the library it replaced (November 2026).
type inflater struct {
	src   *source
	in    []byte // what src has at hand
	at    int    // of in, the next byte
	hold  uint64 // bits taken from in, the next one the lowest
	bits  uint   // of them, how many count; what is above are those that come next, or zeros
	ended bool   // in is all that there is

	out       []byte
	read, end int // out[read:end] was expanded, and not yet read
	begin     int // where in out the data begin, or less than what a match may reach

	part      inflatePart
	last      bool // the block at hand is
	stored    int  // bytes that remain of a stored block
	literals  prefixCode
	distances prefixCode
	err       error // what ended it; io.EOF where that is the end of the data
}

// inflatePart is what comes next.
type inflatePart uint8

const (
	blockHead inflatePart = iota
	blockStored
	blockCodes
)

func newInflater(src *source) *inflater {
	return &inflater{src: src, out: make([]byte, inflateBuffer), literals: prefixCode{width: literalWidth}, distances: prefixCode{width: distanceWidth}}
}

// reset begins anew with what src has next.
func (f *inflater) reset() {
	f.in, f.at, f.hold, f.bits, f.ended = nil, 0, 0, 0, false
	f.read, f.end, f.begin = 0, 0, 0
	f.part, f.last, f.err = blockHead, false, nil
}

// next expands until there is something to return, which is valid until the next call, or an error. At the end, which is io.EOF,
// src stands behind the data.
func (f *inflater) next() ([]byte, error) {
	f.makeRoom()
	for f.err == nil && len(f.out)-f.end >= inflateRoom {
		switch f.part {
		case blockHead:
			f.head()
		case blockStored:
			f.copyStored()
		case blockCodes:
			f.quickly()
			f.symbol()
		}
	}
	if errors.Is(f.err, io.ErrUnexpectedEOF) {
		f.bits = 0
	}
	f.release()
	expanded := f.out[f.read:f.end]
	f.read = f.end
	if len(expanded) > 0 {
		return expanded, nil
	}
	return nil, f.err
}

// makeRoom forgets what no match can reach.
func (f *inflater) makeRoom() {
	if forget := f.end - inflateHistory; forget > 0 {
		copy(f.out, f.out[forget:f.end])
		f.end -= forget
		f.begin = max(f.begin-forget, 0)
	}
	f.read = f.end
}

// release gives back to src what was not used, but for the bits of one byte.
func (f *inflater) release() {
	kept := int(f.bits >> 3)
	_, _ = f.src.Discard(f.at - kept) // of what Peek returned: cannot fail
	f.in, f.at = f.in[f.at-kept:], kept
}

// more waits for more input, and reports whether there is any.
func (f *inflater) more() bool {
	if f.ended {
		return false
	}
	f.release()
	had := len(f.in)
	_, err := f.src.Peek(had + 1)
	f.ended = err != nil
	f.in, _ = f.src.Peek(f.src.Buffered())
	return len(f.in) > had
}

// fill takes bits while there are any: from 56 to 63, as quickly has them.
func (f *inflater) fill() {
	for f.bits < 56 && (f.at < len(f.in) || f.more()) {
		f.hold |= uint64(f.in[f.at]) << f.bits
		f.at++
		f.bits += 8
	}
}

// take uses up to 16 bits.
func (f *inflater) take(n uint) int {
	f.fill()
	if f.bits < n {
		f.err = io.ErrUnexpectedEOF
		return 0
	}
	v := f.hold & (1<<n - 1)
	f.hold >>= n
	f.bits -= n
	return int(v)
}

// align goes on at the next whole byte, of which none is in hold.
func (f *inflater) align() {
	f.at -= int(f.bits >> 3)
	f.hold, f.bits = 0, 0
}

// head reads what stands before a block.
func (f *inflater) head() {
	if f.last {
		f.align()
		f.err = io.EOF
		return
	}
	f.last = f.take(1) == 1
	switch f.take(2) {
	case 0:
		f.align()
		f.stored = f.take(16)
		if f.take(16) != f.stored^0xffff && f.err == nil {
			f.err = errCorrupt
		}
		f.align()
		f.part = blockStored
	case 1:
		f.fixedCodes()
	case 2:
		f.readCodes()
	default:
		f.err = errCorrupt
	}
}

// copyStored copies of a stored block what is at hand.
func (f *inflater) copyStored() {
	switch {
	case f.stored == 0:
		f.part = blockHead
	case f.at == len(f.in) && !f.more():
		f.err = io.ErrUnexpectedEOF
	default:
		n := copy(f.out[f.end:], f.in[f.at:min(len(f.in), f.at+f.stored)])
		f.at += n
		f.end += n
		f.stored -= n
	}
}

// code uses the next code; false where there is none.
func (f *inflater) code(p *prefixCode) (codeEntry, bool) {
	f.fill()
	e := p.find(f.hold)
	switch {
	case f.bits < max(e.length(), 1), e == 0 && f.bits < longestCode:
		f.err = io.ErrUnexpectedEOF
	case e == 0:
		f.err = errCorrupt
	default:
		f.hold >>= e.length()
		f.bits -= e.length()
		return e, true
	}
	return 0, false
}

// symbol expands one symbol of a block, wherever the input ends.
func (f *inflater) symbol() {
	if f.err != nil || f.part != blockCodes || len(f.out)-f.end < inflateRoom {
		return
	}
	e, ok := f.code(&f.literals)
	switch {
	case !ok:
	case e&codeLiteral != 0:
		f.out[f.end] = e.literal()
		f.end++
	case e&codeEnd != 0:
		f.part = blockHead
	default:
		length := e.value() + f.take(e.extra())
		if e, ok = f.code(&f.distances); !ok {
			return
		}
		distance := e.value() + f.take(e.extra())
		if f.err == nil && !f.match(length, distance) {
			f.err = errCorrupt
		}
	}
}

// match repeats what was expanded before; false where there is nothing.
func (f *inflater) match(length, distance int) bool {
	if distance > f.end-f.begin {
		return false
	}
	copyMatch(f.out, f.end, length, distance)
	f.end += length
	return true
}

// copyMatch writes at end what lies so far before it.
func copyMatch(out []byte, end, length, distance int) {
	if distance >= length {
		copy(out[end:end+length], out[end-distance:])
		return
	}
	from := out[end-distance : end]
	for to := out[end : end+length]; len(to) > 0; { // what was written is repeated itself
		n := copy(to, from)
		to, from = to[n:], from[:n:n]
	}
}

// quickly expands symbols while eight bytes of the input are at hand, there is room, and nothing is wrong: what [inflater.symbol]
// does, in local variables and without a call.
func (f *inflater) quickly() {
	const literalMask, distanceMask = 1<<literalWidth - 1, 1<<distanceWidth - 1
	literals, distances := f.literals.entries, f.distances.entries
	in, at, hold, bits := f.in, f.at, f.hold, f.bits
	out, end := f.out, f.end
	for f.part == blockCodes && len(in)-at >= 8 && len(out)-end >= inflateRoom {
		hold |= binary.LittleEndian.Uint64(in[at:]) << (bits & 63)
		at += int((63 - bits) >> 3)
		bits |= 56
		e := literals[hold&literalMask]
		if e&codeLiteral != 0 {
			out[end] = e.literal()
			end++
			hold >>= e.length()
			bits -= e.length()
			if e = literals[hold&literalMask]; e&codeLiteral == 0 {
				continue
			}
			out[end] = e.literal()
			end++
			hold >>= e.length()
			bits -= e.length()
			if e = literals[hold&literalMask]; e&codeLiteral == 0 {
				continue
			}
			out[end] = e.literal()
			end++
			hold >>= e.length()
			bits -= e.length()
			continue
		}
		if e&codeLink != 0 {
			e = literals[e.value()+int(hold>>literalWidth&(1<<e.extra()-1))]
		}
		if e == 0 {
			break // symbol says what is wrong
		}
		left, used := hold>>e.length(), e.length()
		if e&(codeLiteral|codeEnd) != 0 {
			hold, bits = left, bits-used
			if e&codeEnd != 0 {
				f.part = blockHead
				break
			}
			out[end] = e.literal()
			end++
			continue
		}
		length := e.value() + int(left&(1<<e.extra()-1))
		left, used = left>>e.extra(), used+e.extra()
		d := distances[left&distanceMask]
		if d&codeLink != 0 {
			d = distances[d.value()+int(left>>distanceWidth&(1<<d.extra()-1))]
		}
		left = left >> d.length()
		distance := d.value() + int(left&(1<<d.extra()-1))
		if d == 0 || distance > end-f.begin {
			break
		}
		hold, bits = left>>d.extra(), bits-used-d.length()-d.extra()
		copyMatch(out, end, length, distance)
		end += length
	}
	f.at, f.hold, f.bits, f.end = at, hold, bits, end
}
