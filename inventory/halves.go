package inventory

import (
	"hash/maphash"
	"iter"
	"net/netip"

	"flowvet/capture"
)

// tuple names a flow.
type tuple struct {
	a, b  netip.AddrPort
	proto capture.Proto
	in    capture.Segment
}

// joined yields the flows of several tables. Two captures may hold one side each of a flow: such halves are yielded as
// one flow, since an answer is evidence and half of a conversation is none. A flow that several tables hold whole is
// yielded as often. The first walk is for who needs no seconds and no sequence numbers.
//
// Which halves have a counterpart is known by hashes first: holding every half of a SYN flood would cost more than the
// tables themselves.
func joined(tables []*capture.Table) (brief, whole iter.Seq[*capture.Flow]) {
	if len(tables) == 1 {
		return tables[0].Brief, tables[0].Each
	}
	whole = paired(tables)
	return whole, whole
}

// paired joins the halves of flows.
func paired(tables []*capture.Table) iter.Seq[*capture.Flow] {
	const fromA, fromB = 1, 2
	seed := maphash.MakeSeed()
	hash := func(f *capture.Flow) uint64 { return maphash.Comparable(seed, tuple{f.A, f.B, f.Proto, f.Segment}) }
	sides := map[uint64]uint8{}
	for f := range chained(tables) {
		switch {
		case f.FromB.Packets == 0:
			sides[hash(f)] |= fromA
		case f.FromA.Packets == 0:
			sides[hash(f)] |= fromB
		}
	}
	return func(yield func(*capture.Flow) bool) {
		halves := map[tuple]capture.Flow{}
		for f := range chained(tables) {
			whole := f.FromA.Packets > 0 && f.FromB.Packets > 0
			if !whole && sides[hash(f)] == fromA|fromB {
				key := tuple{f.A, f.B, f.Proto, f.Segment}
				halves[key] = join(halves[key], f.Clone())
			} else if !yield(f) {
				return
			}
		}
		for _, f := range halves {
			if !yield(&f) {
				return
			}
		}
	}
}

// chained yields the flows of one table after the other.
func chained(tables []*capture.Table) iter.Seq[*capture.Flow] {
	return func(yield func(*capture.Flow) bool) {
		for _, t := range tables {
			for f := range t.Each {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// join adds a half of a flow to what is known of it.
func join(f, half capture.Flow) capture.Flow {
	f.A, f.B, f.Proto, f.Segment = half.A, half.B, half.Proto, half.Segment
	f.FromA, f.FromB = joinSide(f.FromA, half.FromA), joinSide(f.FromB, half.FromB)
	f.Seconds = f.Seconds.Union(half.Seconds)
	return f
}

// joinSide adds what inference looks at of a side that two captures saw.
func joinSide(s, t capture.Side) capture.Side {
	if s.Packets == 0 || t.Packets == 0 {
		if s.Packets == 0 {
			s, t = t, s
		}
		s.Signs |= t.Signs
		return s
	}
	s.Packets += t.Packets
	s.Bytes += t.Bytes
	s.Content += t.Content
	s.First, s.Last = min(s.First, t.First), max(s.Last, t.Last)
	s.PayloadMin, s.PayloadMax = min(s.PayloadMin, t.PayloadMin), max(s.PayloadMax, t.PayloadMax)
	switch {
	case s.Signs&capture.ACK == 0:
		s.AckMin, s.AckMax = t.AckMin, t.AckMax
	case t.Signs&capture.ACK != 0:
		s.AckMin, s.AckMax = min(s.AckMin, t.AckMin), max(s.AckMax, t.AckMax)
	}
	s.Signs |= t.Signs
	s.ISNs = append(s.ISNs[:len(s.ISNs):len(s.ISNs)], t.ISNs...)
	return s
}
