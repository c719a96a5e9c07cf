package capture

import (
	"errors"
	"fmt"
)

// Limits of going on behind damage.
const (
	maxSkip    = 16 << 20 // bytes searched for the next place
	maxDamages = 1000     // places of a file
	maxSteps   = 64 << 20 // records looked at while searching in one file: about half a second

	// chainLeast is how many records have to follow one another, chainAtEnd how many where the last one ends where the file
	// does, chainSpan in how many bytes: more than a packet can hold, so that a capture file inside a packet is no proof.
	chainLeast = 8
	chainAtEnd = 3
	chainSpan  = maxRecord + 1

	searchAhead = 4 << 20 // bytes looked at at once

	// maxBack is how many seconds before the last record a chain may begin. A capture file inside a packet holds what was
	// captured before it was sent.
	maxBack = 2
)

// breach is damage behind which reading may go on.
type breach struct {
	Damage
	from int // bytes behind it where the next record may begin
	// hints are where it begins by what is left of the damaged one, and by the one before; 0: nowhere.
	hints [2]int
}

// Error implements error.
func (b *breach) Error() string { return b.Damage.Error() }

// breach returns a *breach at an offset.
func (s *stream) breach(offset int64, from int, format string, args ...any) error {
	return &breach{Damage: s.damageAt(offset, fmt.Sprintf(format, args...)), from: from}
}

// fit says how bytes continue a chain of records.
type fit uint8

const (
	broken fit = iota // not at all
	whole             // by a whole record
	open              // by a record that ends beyond them
)

// trail is a chain of records as far as it was followed.
type trail struct {
	at        int  // how far the chain goes
	records   int  // packets and whatever else only a capture has
	sound     int  // records without any oddity
	lastSound int  // where the last of those ends
	ends      bool // exactly where the file does
	leads     bool // to a record that is cut, and sound as far as it goes
	cut       bool // by the end of the file, or of the bytes at hand
	spans     bool // chainSpan bytes or more, or all bytes at hand

	second int64 // of the record before; valid iff timed
	timed  bool
	empty  bool // the record before has no bytes

	big        bool // pcapng: the section's byte order
	others     int  // pcapng: blocks in a row that prove nothing
	interfaces int  // pcapng: those its section has described
	fresh      bool // pcapng: the chain has seen the section's header
}

// proven reports whether the chain shows by itself that it is one.
func (t *trail) proven() bool {
	return t.ends && t.records >= chainAtEnd || t.spans && t.records >= chainLeast
}

// likely reports whether it is one unless another goes farther.
func (t *trail) likely() bool { return t.records >= chainLeast }

// framing is what a format knows of how one record follows another.
type framing interface {
	// begin returns the trail of a chain that begins at an offset of the bytes at hand.
	begin(at int) trail
	// next goes on by a record, in t, if one continues b at t.at.
	next(b []byte, t *trail) fit
	// decodes reports whether the record that begins b can be what its link type says.
	decodes(b []byte) bool
}

// follow follows a chain as far as is needed to tell. complete means that the file ends where b does.
func (s *stream) follow(f framing, b []byte, t trail, complete bool) trail {
	start := t.at
	for t.at-start < chainSpan {
		if t.at == len(b) {
			t.ends, t.spans, t.cut = complete, !complete, !complete
			return t
		}
		s.steps++
		switch f.next(b, &t) {
		case broken:
			return t
		case open:
			t.cut, t.spans = true, !complete
			return t
		}
	}
	t.spans = true
	return t
}

// ahead looks at the bytes that come next. complete means that there are no more.
func (s *stream) ahead() (b []byte, complete bool) {
	b = s.peek(searchAhead)
	return b, len(b) < searchAhead && s.failure() == nil
}

// goOn finds the place to go on from behind a breach at the current offset, and notes the damage; or returns why there is
// none.
func (s *stream) goOn(err error, f framing) error {
	var b *breach
	if !errors.As(err, &b) {
		return err
	}
	if len(s.damages) >= maxDamages {
		b.Reason = fmt.Sprintf("more than %d damaged places; the last: %s", maxDamages, b.Reason)
		return &b.Damage
	}
	skipped, ok := s.hinted(f, b.hints)
	if !ok {
		skipped, ok = s.search(f, b.from)
	}
	if !ok {
		return s.failed(&b.Damage)
	}
	b.Skipped = skipped
	s.damages = append(s.damages, b.Damage)
	return nil
}

// failed is d, unless the input itself failed meanwhile.
func (s *stream) failed(d *Damage) error {
	if err := s.failure(); err != nil {
		return s.broken(d.Offset, d.Reason, err)
	}
	return d
}

// hinted consumes bytes up to the first of some places where a chain of records begins. It reports how many.
func (s *stream) hinted(f framing, hints [2]int) (skipped int64, ok bool) {
	for _, n := range hints {
		if n == 0 {
			continue
		}
		b, complete := s.ahead()
		if n >= len(b) {
			continue
		}
		if t := s.candidate(f, b, n, complete); t.proven() || t.likely() {
			s.advance(n)
			return int64(n), true
		}
	}
	return 0, false
}

// search consumes bytes up to the next place where a chain of records begins, but at least from. It reports how many.
func (s *stream) search(f framing, from int) (skipped int64, ok bool) {
	if !s.skip(int64(from)) {
		return 0, false
	}
	skipped = int64(from)
	for skipped <= maxSkip {
		b, complete := s.ahead()
		last := len(b) - searchAhead/2
		if len(b) < searchAhead {
			last = len(b)
		}
		for i := 0; i < last && s.steps < maxSteps; i++ {
			t := s.candidate(f, b, i, complete)
			if !t.proven() && !t.likely() {
				continue
			}
			if !t.proven() {
				i = s.farthest(f, b, i, t.at, complete)
			}
			s.advance(i)
			return skipped + int64(i), true
		}
		s.advance(last)
		skipped += int64(last)
		if len(b) < searchAhead || s.steps >= maxSteps {
			return 0, false
		}
	}
	return 0, false
}

// candidate follows the chain that begins at i, if any does.
func (s *stream) candidate(f framing, b []byte, i int, complete bool) trail {
	t := f.begin(i)
	s.first = t
	s.steps++
	if f.next(b, &s.first) != whole || !f.decodes(b[i:]) {
		return t
	}
	return s.follow(f, b, t, complete)
}

// farthest returns where the chain begins that goes farthest, of the one from i to reach and those that begin within it. A
// capture file that was sent over the network has chains too, which break where the packet ends.
func (s *stream) farthest(f framing, b []byte, i, reach int, complete bool) int {
	best := i
	for j := i + 1; j < min(reach+1, len(b)) && s.steps < maxSteps; j++ {
		t := s.candidate(f, b, j, complete)
		if (t.proven() || t.likely()) && t.at > reach {
			best, reach = j, t.at
		}
	}
	return best
}
