package match

import (
	"iter"

	"flowvet/capture"
	"flowvet/catalog"
)

// Findings are the judged conversations of a [Result], in the order of a report: by bucket, level, initiator, responder,
// transport and port.
//
// They are kept as they were judged, in a third of the memory, and each [Finding] is made when somebody asks for it: of a
// million, a report of a thousand looks at a few, and a live judgement at those that are new. The zero value is empty.
type Findings struct {
	judged []*conv
	made   []*Finding // by hand, in place of judged
}

// FindingsOf returns findings that were made by hand. They must be in the order of a report; the list is not copied.
func FindingsOf(sorted ...*Finding) Findings { return Findings{made: sorted} }

// Len returns how many there are.
func (s Findings) Len() int { return max(len(s.judged), len(s.made)) }

// At makes the ith, from 0 on. Who changes it changes nothing else, but for what findings share.
func (s Findings) At(i int) *Finding {
	if s.made != nil {
		return s.made[i]
	}
	t := new(told)
	t.tell(s.judged[i])
	return &t.Finding
}

// All lends every one with its index: each until the next is asked for. [Findings.At] makes one to keep.
func (s Findings) All() iter.Seq2[int, *Finding] { return s.lend(func(Verdict) bool { return true }) }

// In lends those of a bucket, as All does.
func (s Findings) In(b Bucket) iter.Seq2[int, *Finding] {
	return s.lend(func(v Verdict) bool { return v.Bucket() == b })
}

// Of lends those with certain indices, as All does.
func (s Findings) Of(indices []int) iter.Seq2[int, *Finding] {
	return func(yield func(int, *Finding) bool) {
		var t told
		for _, i := range indices {
			f := &t.Finding
			if s.made != nil {
				f = s.made[i]
			} else {
				t.tell(s.judged[i])
			}
			if !yield(i, f) {
				return
			}
		}
	}
}

// Verdict returns the verdict of the ith.
func (s Findings) Verdict(i int) Verdict {
	if s.made != nil {
		return s.made[i].Verdict
	}
	return s.judged[i].Verdict
}

// ID returns the ID of the ith.
func (s Findings) ID(i int) string {
	if s.made != nil {
		return s.made[i].ID()
	}
	var t told
	t.tell(s.judged[i])
	return t.ID()
}

// lend lends the findings with certain verdicts.
func (s Findings) lend(wanted func(Verdict) bool) iter.Seq2[int, *Finding] {
	return func(yield func(int, *Finding) bool) {
		for i, f := range s.made {
			if wanted(f.Verdict) && !yield(i, f) {
				return
			}
		}
		var t told
		for i, c := range s.judged {
			if !wanted(c.Verdict) {
				continue
			}
			if t.tell(c); !yield(i, &t.Finding) {
				return
			}
		}
	}
}

// told is a finding with room for what it mostly refers to.
type told struct {
	Finding
	run  [1]capture.Run
	vlan [1]uint16
}

// tell makes a finding of a judged conversation.
func (t *told) tell(c *conv) {
	t.Finding = Finding{
		Conversation: Conversation{
			Initiator: c.Initiator, Responder: c.Responder, Groups: c.groups(), Proto: c.Proto, Port: c.Port, Segment: c.Segment,
			Basis: c.Basis, Certainty: c.Certainty, Outcome: c.Outcome, Detail: details[c.detail], Outcomes: c.outcomes(), InWindow: c.InWindow,
			Flows: int(c.Flows), Connections: int(c.Connections), ConnectionsCapped: c.ConnectionsCapped, Sent: c.Sent, Received: c.Received,
			First: c.First, Last: c.Last, Evidence: c.Evidence, EphemeralPort: c.EphemeralPort,
		},
		From: c.i.placed, To: c.r.placed, Verdict: c.Verdict, Level: c.Level, Qualifiers: c.Qualifiers, Rows: c.rows(), Near: c.near(),
		Allowed: c.allowed(), Hypotheses: c.hypotheses(), Shown: c.Shown, Disposition: c.disposition(), Scan: int(c.scan),
	}
	if x := c.more; x != nil {
		t.Exchanged, t.Seconds, t.VLANs = x.exchanged, x.seconds, x.vlans
	}
	if c.together {
		t.run[0] = c.span()
		t.Seconds = t.run[:]
	}
	if c.tagged && t.VLANs == nil {
		t.vlan[0] = c.vlan
		t.VLANs = t.vlan[:]
	}
}

// Bucket returns the bucket of the verdict.
func (c *conv) Bucket() Bucket { return c.Verdict.Bucket() }

// rows returns what the verdict rests on: [Finding.Rows].
func (c *conv) rows() []*catalog.Row {
	if c.rests == nil {
		return nil
	}
	return c.rests.rows
}

// near returns the rows that nearly document the conversation.
func (c *conv) near() []Near {
	if c.rests == nil || c.Bucket() != Undocumented {
		return nil
	}
	return c.rests.near
}

// shown returns the ruling of the reading that is shown; nil: out of scope.
func (c *conv) shown() *ruling {
	if c.more != nil && c.more.shown != nil {
		return c.more.shown
	}
	return c.rests
}

// allowed returns the roles that are documented where another was seen.
func (c *conv) allowed() []catalog.Role {
	if r := c.shown(); r != nil {
		return r.allowed
	}
	return nil
}

// hypotheses returns what would document the conversation.
func (c *conv) hypotheses() []Hypothesis {
	if r := c.shown(); r != nil {
		return r.hypotheses
	}
	return nil
}
