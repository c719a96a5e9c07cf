package inventory

import "flowvet/capture"

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
