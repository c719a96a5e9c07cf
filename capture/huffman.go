package capture

import (
	"math/bits"
	"slices"
)

// longestCode is the length of the longest Huffman code of deflate, in bits (RFC 1951, section 3.2.7).
const longestCode = 15

// prefixCode decodes a Huffman code by table: the next bits of the data name an entry, which says how long the code is and
// what it stands for. Codes longer than the table is wide go on in a second one.
type prefixCode struct {
	entries []codeEntry
	width   uint // bits that name an entry; the tables of longer codes lie behind the first 1<<width
}

// codeEntry is what a code stands for; 0 is no code. From the lowest bit on: length of the code (5 bits), number of extra bits
// behind it, or width of the second table (4 bits), kind (3 bits), and above 16 bits the value: a byte, the least length or
// distance, or where the second table begins.
type codeEntry uint32

const (
	codeLiteral codeEntry = 1 << (9 + iota)
	codeEnd               // of the block
	codeLink              // to the second table
)

// codeOf returns the entry of a value before the length of its code is known.
func codeOf(value uint16, extra uint8, kind codeEntry) codeEntry {
	return codeEntry(value)<<16 | codeEntry(extra)<<5 | kind
}

func (e codeEntry) length() uint  { return uint(e & 31) }
func (e codeEntry) extra() uint   { return uint(e >> 5 & 15) }
func (e codeEntry) value() int    { return int(e >> 16) }
func (e codeEntry) literal() byte { return byte(e >> 16) }

// find returns the entry of the code that the data go on with.
func (p *prefixCode) find(hold uint64) codeEntry {
	e := p.entries[hold&(1<<p.width-1)]
	if e&codeLink != 0 {
		e = p.entries[e.value()+int(hold>>p.width&(1<<e.extra()-1))]
	}
	return e
}

// build makes the code in which each symbol has the length given, 0 for none, and stands for what entry says; false where there
// is no such code. One symbol alone may have a code of one bit; a code of no symbols is good until it is used.
func (p *prefixCode) build(lengths []uint8, entry func(symbol int) codeEntry) bool {
	var count, next [longestCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	longest, code := uint(0), 0
	for n := 1; n <= longestCode; n++ {
		next[n] = code << 1
		code = next[n] + count[n]
		if count[n] > 0 {
			longest = uint(n)
		}
	}
	code >>= longestCode - longest
	p.entries = slices.Grow(p.entries[:0], 1<<p.width)[:1<<p.width]
	clear(p.entries)
	if longest > 0 && code != 1<<longest && (code != 1 || longest != 1) {
		return false
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		if e := entry(symbol); e != 0 {
			p.put(uint(bits.Reverse16(uint16(next[n]))>>(16-n)), uint(n), longest, e|codeEntry(n))
		}
		next[n]++
	}
	return true
}

// put enters a code of n bits, the first of which is the lowest.
func (p *prefixCode) put(code, n, longest uint, e codeEntry) {
	first, size := 0, 1<<p.width
	if n > p.width {
		first, size = p.second(code&(1<<p.width-1), longest-p.width)
		code, n = code>>p.width, n-p.width
	}
	for i := int(code); i < size; i += 1 << n {
		p.entries[first+i] = e
	}
}

// second returns where the second table behind an entry of the first begins, and its size: a new one where there is none.
func (p *prefixCode) second(entry, width uint) (first, size int) {
	if p.entries[entry] == 0 {
		p.entries[entry] = codeOf(uint16(len(p.entries)), uint8(width), codeLink)
		p.entries = append(p.entries, make([]codeEntry, 1<<width)...)
	}
	return p.entries[entry].value(), 1 << width
}
