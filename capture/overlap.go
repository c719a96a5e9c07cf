package capture

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// Sample is the smallest of the hashes of a capture's packets: what two captures have in common of it is an estimate of what
// they have in common of their packets. The smallest of two sets together are the smallest of their union, whatever the
// order. The hash is the same in every run: it says that captures overlap, and nothing is judged by it.
type Sample struct {
	Hashes []uint64 // ascending, at most 256
	Whole  bool     // these are all
}

// Limits of comparing captures.
const (
	maxSample      = 256     // hashes of a capture
	leastSample    = 64      // of one among very many
	maxSampled     = 1 << 20 // of all captures of a run: 8 MiB
	maxComparisons = 1 << 17 // pairs of captures
	leastCommon    = 8       // hashes in common: fewer is chance, a packet sent twice
	leastShare     = 0.01
)

// sampleOf returns how many hashes are kept of each of n captures.
func sampleOf(n int) int { return min(maxSample, max(leastSample, maxSampled/max(n, 1))) }

// sampler collects a Sample. Its buffer holds up to twice what is wanted: a packet costs a comparison, and one in very many
// a place.
type sampler struct {
	most   int
	least  []uint64
	bound  uint64 // larger hashes are not wanted
	culled bool
}

func newSampler(most int) sampler { return sampler{most: most, bound: math.MaxUint64} }

// add takes the hash of a packet.
func (s *sampler) add(h uint64) {
	if h > s.bound {
		return
	}
	s.least = append(s.least, h)
	if len(s.least) >= 2*s.most {
		s.cull()
	}
}

// cull keeps the smallest, each once.
func (s *sampler) cull() {
	slices.Sort(s.least)
	s.least = slices.Compact(s.least)
	if len(s.least) > s.most {
		s.least, s.culled = s.least[:s.most], true
		s.bound = s.least[s.most-1]
	}
}

// sample returns what was collected.
func (s *sampler) sample() Sample {
	s.cull()
	return Sample{Hashes: slices.Clone(s.least), Whole: !s.culled}
}

// hash is what every copy of a packet shares, wherever it was captured: addresses, identification, length, and the first
// eight bytes above the IP header (ports and sequence number, or ports, length and checksum). It is as cheap as it may be:
// with three full multiplications, and samples of 1,024, reading took 8 % longer; so it takes 4 ns of 110.
func (p *Packet) hash() uint64 {
	return sampleHash(p.src, p.dst, p.ident, p.length, binary.LittleEndian.Uint64(p.transport))
}

func sampleHash(src, dst address, ident uint64, length uint32, transport uint64) uint64 {
	const a, b, c = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93, 0xa0761d6478bd642f
	ends := src.lo*a ^ bits.RotateLeft64(dst.lo*b, 29) ^ src.hi*c ^ bits.RotateLeft64(dst.hi, 17)
	return fold(ends^ident<<16^uint64(length), transport^c)
}

// Overlap is two captures that hold packets of each other.
type Overlap struct {
	A, B  int     // which; B has no more packets than A
	Same  bool    // the same packets at the same times
	Share float64 // of the packets of B, about how many A holds too; valid unless Same
}

// Overlaps compares the captures of a run, in pairs that were made at the same time. Left is how many pairs were too many
// to compare.
func Overlaps(captures []*Capture) (overlaps []Overlap, left int) {
	order := make([]int, 0, len(captures))
	for i, c := range captures {
		if c.Table.Stats.Read > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(captures[a].First, captures[b].First) })
	compared := 0
	for at, i := range order {
		for _, j := range order[at+1:] {
			if captures[j].First > captures[i].Last {
				break
			}
			if compared++; compared > maxComparisons {
				left++
				continue
			}
			if o, ok := overlap(captures, i, j); ok {
				overlaps = append(overlaps, o)
			}
		}
	}
	slices.SortFunc(overlaps, func(x, y Overlap) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
	return overlaps, left
}

// overlap compares two captures.
func overlap(captures []*Capture, i, j int) (Overlap, bool) {
	a, b := captures[min(i, j)], captures[max(i, j)]
	o := Overlap{A: min(i, j), B: max(i, j)}
	if a.Table.Stats.Read < b.Table.Stats.Read {
		a, b, o.A, o.B = b, a, o.B, o.A
	}
	if a.Table.Stats.Read == b.Table.Stats.Read && a.Digest == b.Digest && a.First == b.First && a.Last == b.Last {
		o.Same = true
		return o, true
	}
	common, of := a.Sample.common(&b.Sample)
	o.Share = float64(common) / float64(max(of, 1))
	return o, common >= leastCommon && o.Share >= leastShare
}

// common counts the hashes of both samples, among those of t, up to the largest that both would hold.
func (s *Sample) common(t *Sample) (both, of int) {
	bound := min(s.bound(), t.bound())
	i := 0
	for _, h := range t.Hashes {
		if h > bound {
			break
		}
		of++
		for i < len(s.Hashes) && s.Hashes[i] < h {
			i++
		}
		if i < len(s.Hashes) && s.Hashes[i] == h {
			both++
		}
	}
	return both, of
}

// bound returns the largest hash that a sample would hold.
func (s *Sample) bound() uint64 {
	if s.Whole || len(s.Hashes) == 0 {
		return math.MaxUint64
	}
	return s.Hashes[len(s.Hashes)-1]
}
