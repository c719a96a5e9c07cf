package capture

import "fmt"

// oddity is a set of rules that a record header breaks.
type oddity uint8

const (
	oddFraction oddity = 1 << iota // a second or more of it
	oddSecond                      // more than a day from the record before
	oddLength                      // captured more than was on the wire
	oddSnap                        // captured more than the file's snap length
	oddEmpty                       // captured nothing
	oddWire                        // more on the wire than any network carries
	oddSlice                       // captured less than the wire and the snap length allow, see sliced

	oddTime = oddFraction | oddSecond
	oddSize = oddLength | oddSnap | oddEmpty | oddWire | oddSlice
)

const (
	day = 24 * 3600 // seconds

	// maxWire is the longest frame that raises no doubt: segmentation offload makes 64 KiB, BIG TCP 512 KiB.
	maxWire = 1 << 20

	// early is the second before which a time proves nothing: zeros and small numbers, of which packets and headers are full,
	// are times soon after 1970. Captures of machines without a clock lie there, and made ones.
	early = 1 << 24
)

// sound reports whether nothing about a header is odd: the fast way to say so, for almost every record there is.
func (r *pcapReader) sound(h *recordHeader) bool { return r.soundAfter(h, r.second) }

// soundAfter is sound for a header that follows a record of a second.
func (r *pcapReader) soundAfter(h *recordHeader, second int64) bool {
	return h.captured-1 < r.most && h.captured <= h.wire && h.wire <= maxWire && h.fraction < r.units &&
		uint64(int64(h.second)-second+day) <= 2*day && (h.second >= early && h.captured >= etherHeader || !r.sliced(h))
}

// sliced reports whether a header says that its packet was cut, and not by the snap length: at an early time, or to less than
// a link header.
func (r *pcapReader) sliced(h *recordHeader) bool {
	return (h.second < early || h.captured < etherHeader) && h.captured < min(h.wire, r.most)
}

// oddities says what is odd about a header that follows a record of a time.
func (r *pcapReader) oddities(h *recordHeader, second int64, timed bool) (o oddity) {
	if h.fraction >= r.units {
		o |= oddFraction
	}
	if timed && uint64(int64(h.second)-second+day) > 2*day {
		o |= oddSecond
	}
	switch {
	case h.captured == 0:
		o |= oddEmpty
	case h.captured > r.most:
		o |= oddSnap
	}
	if h.captured > h.wire {
		o |= oddLength
	}
	if h.wire > maxWire {
		o |= oddWire
	}
	if r.sliced(h) {
		o |= oddSlice
	}
	return o &^ r.odd
}

// examine decides about a record header that is odd, at the current offset: nil where it is one nevertheless.
func (r *pcapReader) examine(offset int64, h *recordHeader) error {
	if h.captured > maxRecord {
		return nil // says lengths
	}
	o := r.oddities(h, r.second, r.number > 0)
	if o == 0 {
		return nil
	}
	b, complete := r.ahead()
	steps := r.steps
	t := r.follow(pcapChain{r, true}, b, r.trail(0), complete)
	r.steps = steps // a record of an odd file is no search
	if !r.believable(b, o, &t, complete) {
		return r.recordBreach(offset, h, "not a record header: %d captured bytes of %d, at second %d", h.captured, h.wire, h.second)
	}
	if r.checked = offset + int64(t.at); !t.ends && !t.spans {
		r.checked = offset + int64(t.lastSound)
	}
	if r.number == 0 {
		r.odd = o &^ oddSecond
	}
	return nil
}

// recordBreach returns a *breach at a record whose captured length is wrong; its length on the wire may be right. Or the
// one before is wrong, and too small.
func (r *pcapReader) recordBreach(offset int64, h *recordHeader, format string, args ...any) error {
	b := &breach{Damage: r.damageAt(offset, fmt.Sprintf(format, args...)), from: 1}
	if h.wire > 0 && h.wire <= maxRecord {
		b.hints[0] = pcapRecordHeader + int(min(h.wire, r.most))
	}
	if tail := r.tail - offset; tail > 0 && tail <= maxRecord {
		b.hints[1] = int(tail)
	}
	return b
}

// believable reports whether the chain that begins with an odd record, right where a record has to be, is one. Up to the end
// of the file or farther than a packet is long it is, if it is not odd throughout; of any other it has to be shown that
// no chain within a packet's length goes farther. One that is cut with the file has to have begun well. A header that is odd
// twice has to be followed by a sound one.
func (r *pcapReader) believable(b []byte, o oddity, t *trail, complete bool) bool {
	begun := t.cut && o&oddEmpty == 0 && (t.records == 0 || t.leads || o&oddSecond == 0)
	switch {
	case t.sound == 0 && o.twice():
		return false
	case t.ends && !t.empty:
		return true
	case t.spans && (t.sound >= chainLeast || t.records >= 8*chainLeast):
		return true
	case t.records < chainLeast && !begun:
		return false
	}
	for i := 1; i < min(chainSpan, len(b)) && r.steps < maxSteps; i++ {
		if other := r.candidate(pcapChain{r, false}, b, i, complete); (other.proven() || other.likely()) && other.at > t.at {
			return false
		}
	}
	return true
}

// twice reports whether nothing that a header says of the time, or of the size, is as it should be.
func (o oddity) twice() bool {
	return o&oddTime == oddTime || o&(oddWire|oddSlice) == oddWire|oddSlice
}

// trail returns the trail of a chain that begins at an offset of the bytes at hand.
func (r *pcapReader) trail(at int) trail {
	return trail{at: at, second: r.second, timed: r.number > 0}
}

// pcapChain is the framing of pcap. A lenient one lets a record be odd in its time or in its size; in both only chance is.
type pcapChain struct {
	*pcapReader
	lenient bool
}

// begin implements framing.
func (c pcapChain) begin(at int) trail { return c.trail(at) }

// next implements framing.
func (c pcapChain) next(b []byte, t *trail) fit {
	rest := b[t.at:]
	if len(rest) < pcapRecordHeader {
		t.leads = true
		return open
	}
	h := c.header(rest)
	o := c.oddities(&h, t.second, t.timed)
	switch {
	case !c.lenient && (o != 0 || t.records == 0 && t.timed && int64(h.second) < t.second-maxBack):
		return broken
	case h.captured > maxRecord, o&oddTime != 0 && o&oddSize != 0, o&oddEmpty != 0 && t.empty:
		return broken
	case len(rest) < pcapRecordHeader+int(h.captured):
		t.leads = o&^oddFraction == 0
		return open
	}
	t.at += pcapRecordHeader + int(h.captured)
	t.second, t.timed = int64(h.second), true
	if t.empty = h.captured == 0; !t.empty {
		t.records++
	}
	if o == 0 {
		t.sound++
		t.lastSound = t.at
	}
	return whole
}

// decodes implements framing.
func (c pcapChain) decodes(b []byte) bool {
	h := c.header(b)
	return decodes(&Frame{Link: c.link, WireLen: int(min(h.wire, maxWire)), Data: b[pcapRecordHeader:][:h.captured]})
}

// decodes reports whether a frame can be what its link type says.
func decodes(f *Frame) bool {
	var p Packet
	why := p.Decode(f)
	return why != BadHeader && why != BadLength
}
