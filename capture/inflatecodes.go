package capture

// literalEntry returns what a symbol of the first code of a block stands for (RFC 1951, section 3.2.5).
func literalEntry(symbol int) codeEntry {
	lengths := [...]struct {
		least uint16
		extra uint8
	}{
		{3, 0},
		{4, 0},
		{5, 0},
		{6, 0},
		{7, 0},
		{8, 0},
		{9, 0},
		{10, 0},
		{11, 1},
		{13, 1},
		{15, 1},
		{17, 1},
		{19, 2},
		{23, 2},
		{27, 2},
		{31, 2},
		{35, 3},
		{43, 3},
		{51, 3},
		{59, 3},
		{67, 4},
		{83, 4},
		{99, 4},
		{115, 4},
		{131, 5},
		{163, 5},
		{195, 5},
		{227, 5},
		{258, 0},
	}
	const end = 256
	switch {
	case symbol < end:
		return codeOf(uint16(symbol), 0, codeLiteral)
	case symbol == end:
		return codeOf(0, 0, codeEnd)
	case symbol < literalCodes:
		l := lengths[symbol-end-1]
		return codeOf(l.least, l.extra, 0)
	}
	return 0
}

// distanceEntry returns what a symbol of the second code stands for: of each two, the distances of one number of bits are cut
// in halves.
func distanceEntry(symbol int) codeEntry {
	switch {
	case symbol >= distanceCodes:
		return 0
	case symbol < 4:
		return codeOf(uint16(symbol+1), 0, 0)
	}
	extra := symbol/2 - 1
	return codeOf(uint16((2+symbol&1)<<extra+1), uint8(extra), 0)
}

// fixedCodes begins a block with the codes of section 3.2.6.
func (f *inflater) fixedCodes() {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144, i >= 280:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		default:
			lengths[i] = 7
		}
	}
	var distances [32]uint8
	for i := range distances {
		distances[i] = 5
	}
	f.useCodes(lengths[:], distances[:])
}

// useCodes begins a block whose codes have these lengths.
func (f *inflater) useCodes(literals, distances []uint8) {
	f.part = blockCodes
	if !f.literals.build(literals, literalEntry) || !f.distances.build(distances, distanceEntry) {
		f.err = errCorrupt
	}
}

// readCodes begins a block that brings its codes along (section 3.2.7): as lengths, in a code of their own.
func (f *inflater) readCodes() {
	literals, distances, n := f.take(5)+257, f.take(5)+1, f.take(4)+4
	if f.err != nil {
		return
	}
	if literals > literalCodes || distances > distanceCodes {
		f.err = errCorrupt
		return
	}
	var lengths [19]uint8
	order := [...]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	for _, symbol := range order[:n] {
		lengths[symbol] = uint8(f.take(3))
	}
	code := prefixCode{width: 7}
	if !code.build(lengths[:], func(symbol int) codeEntry { return codeOf(uint16(symbol), 0, codeLiteral) }) {
		f.err = errCorrupt
	}
	var all [literalCodes + distanceCodes]uint8
	f.readLengths(&code, all[:literals+distances])
	if f.err == nil {
		f.useCodes(all[:literals], all[literals:literals+distances])
	}
}

// readLengths reads the lengths of both codes.
func (f *inflater) readLengths(code *prefixCode, lengths []uint8) {
	const repeatLast, fewZeros, manyZeros = 16, 17, 18
	for i := 0; i < len(lengths) && f.err == nil; {
		e, ok := f.code(code)
		if !ok {
			return
		}
		length, times := uint8(e.value()), 1
		switch length {
		case repeatLast:
			if i == 0 {
				f.err = errCorrupt
				return
			}
			length, times = lengths[i-1], 3+f.take(2)
		case fewZeros:
			length, times = 0, 3+f.take(3)
		case manyZeros:
			length, times = 0, 11+f.take(7)
		}
		if times > len(lengths)-i {
			f.err = errCorrupt
			return
		}
		for ; times > 0; times-- {
			lengths[i] = length
			i++
		}
	}
}
