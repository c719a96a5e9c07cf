package report

import (
	"fmt"

	"flowvet/capture"
	"flowvet/capture/flowrecord"
	"flowvet/match"
)

// recordParts returns the reasons for which flow records are in no flow.
func recordParts(s *capture.RecordStats) (ignored, undecodable []part) {
	for _, why := range flowrecord.AllSkips() {
		p := part{why.String(), s.Skipped[why]}
		if why.Ignored() {
			ignored = append(ignored, p)
		} else {
			undecodable = append(undecodable, p)
		}
	}
	return ignored, undecodable
}

// RecordBalance says where every flow record went.
func RecordBalance(s *capture.RecordStats) string {
	ignored, undecodable := recordParts(s)
	return fmt.Sprintf("flow records: %d read = %d judged + %s + %s", s.Read, s.Kept, sumOf(ignored, "ignored"), sumOf(undecodable, "undecodable"))
}

// recordLoss says what is known of the flow records that a capture does not hold, and of how they were made.
func recordLoss(c *match.CaptureInfo) []string {
	s := &c.Records
	var parts []string
	add := func(n uint64, format string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, n))
		}
	}
	add(s.Messages, "%d export datagrams")
	add(s.Strays, "%d other frames")
	add(s.Lost, "%d LOST by their sequence numbers")
	add(s.Late, "%d out of order")
	add(s.Refused, "%d templates refused")
	if s.Sampled > 0 {
		return append(parts, fmt.Sprintf("SAMPLED: %d of the records are of some packets only", s.Sampled))
	}
	return append(parts, "no sampling told")
}

// recorded says what a capture of flow records is.
func (h *facts) recorded(c *match.CaptureInfo) {
	if !c.FlowRecords {
		return
	}
	h.add("", text(RecordBalance(&c.Records)))
	h.add("", span{"FLOW RECORDS, NOT PACKETS: weaker evidence; what they do not tell of is never called absent or unanswered", doubt})
}

// jsonRecords is what is known of flow records.
type jsonRecords struct {
	Read             uint64            `json:"read"`
	Judged           uint64            `json:"judged"`
	Ignored          map[string]uint64 `json:"ignored"`
	Undecodable      map[string]uint64 `json:"undecodable"`
	Balanced         bool              `json:"balanced"`
	Sampled          uint64            `json:"sampled"`
	Lost             uint64            `json:"lost"`
	Datagrams        uint64            `json:"export_datagrams"`
	Late             uint64            `json:"out_of_order"`
	OtherFrames      uint64            `json:"other_frames"`
	TemplatesRefused uint64            `json:"templates_refused"`
}

// jsonRecordsOf returns nil where there are no flow records.
func jsonRecordsOf(s *capture.RecordStats, some bool) *jsonRecords {
	if !some {
		return nil
	}
	j := &jsonRecords{
		Read: s.Read, Judged: s.Kept, Ignored: map[string]uint64{}, Undecodable: map[string]uint64{}, Balanced: s.Balanced(),
		Sampled: s.Sampled, Lost: s.Lost, Datagrams: s.Messages, Late: s.Late, OtherFrames: s.Strays, TemplatesRefused: s.Refused,
	}
	ignored, undecodable := recordParts(s)
	for _, p := range ignored {
		j.Ignored[p.reason] = p.n
	}
	for _, p := range undecodable {
		j.Undecodable[p.reason] = p.n
	}
	return j
}
