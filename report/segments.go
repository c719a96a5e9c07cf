package report

import (
	"fmt"
	"slices"

	"flowvet/match"
)

// segmentChapter tells how pure the networks and VLANs are that the inventory declares for one purpose; false where it
// declares none.
func (t *teller) segmentChapter() (chapter, bool) {
	c := chapter{title: "Segments"}
	foreign := 0
	for i := range t.r.Segments {
		s := &t.r.Segments[i]
		foreign += len(s.Foreign)
		c.lines = append(c.lines, t.segment(s)...)
	}
	c.what = "nothing foreign in what is declared for one purpose"
	if foreign > 0 {
		c.what = count(foreign, "conversation") + " foreign to the purpose of the network or VLAN"
	}
	return c, len(c.lines) > 0 && !t.shown.narrows()
}

// segment tells of one segment, and each foreign conversation in it as far as the limit goes.
func (t *teller) segment(s *match.SegmentUse) []remark {
	name := segmentName(t.r, s)
	switch {
	case s.Conversations == 0:
		return []remark{{"unseen", []span{text(name + ": no conversation of these captures touches it, which proves nothing")}}}
	case len(s.Foreign) == 0:
		return []remark{{"pure", []span{text(name + ": " + count(s.Conversations, "conversation"))}}}
	}
	lines := []remark{{"NOT PURE", []span{{fmt.Sprintf("%s: %d of %s foreign", name, len(s.Foreign), count(s.Conversations, "conversation")), bad}}}}
	most := t.most(len(s.Foreign))
	for _, n := range s.Foreign[:most] {
		f := t.r.Findings.At(n)
		line := fmt.Sprintf("%s -> %s  %s  %s", endName(f.Initiator, f.From), endName(f.Responder, f.To), service(f.Proto, f.Port), f.Verdict)
		if len(f.Rows) > 0 && f.Bucket() == match.Documented {
			line += " by " + rowShort(f.Rows[0]) + planeOf(f)
		}
		if f.Disposition.Excepted() {
			line += ", " + accepted(f)
		}
		lines = append(lines, remark{f.Level.String(), []span{text(line + "  " + Terminal(f.ID()))}})
	}
	if left := len(s.Foreign) - most; left > 0 {
		lines = append(lines, remark{"", []span{text("… and " + count(left, "more conversation") + " (--limit 0 shows all)")}})
	}
	return lines
}

// planeOf says for which network the first row is printed.
func planeOf(f *match.Finding) string {
	if plane := f.Rows[0].Plane; plane != "" {
		return " (" + Terminal(plane) + ")"
	}
	return ""
}

// segmentName prints "vmotion, VLAN 110" or "vmotion, 10.20.1.0/24 (lab.yaml:30)".
func segmentName(r *match.Result, s *match.SegmentUse) string {
	if s.Network == nil {
		return fmt.Sprintf("%s, VLAN %d", Terminal(s.Plane), s.VLAN)
	}
	name := Terminal(s.Plane) + ", " + s.Network.Prefix.String()
	if where := declaredAt(r.Inventory, s.Network.Line); where != "" {
		name += " (" + where + ")"
	}
	return name
}

// segments prints the section of the segments, and that of the insecure services with -v.
func (t *reporter) segments() {
	if c, declared := t.segmentChapter(); declared {
		t.printed(c)
	}
}

func (t *reporter) insecure() {
	if t.o.Verbose && !t.shown.narrows() && t.r.Recognised > 0 {
		t.printed(t.insecureChapter())
	}
}

// jsonSegment is a network or a VLAN that is declared for one purpose.
type jsonSegment struct {
	Plane         string   `json:"plane"`
	Network       string   `json:"network,omitempty"`
	VLAN          uint16   `json:"vlan,omitempty"`
	InventoryLine int      `json:"inventory_line,omitempty"`
	Conversations int      `json:"conversations"`
	Foreign       []string `json:"foreign"`
}

func jsonSegmentOf(r *match.Result, s *match.SegmentUse) jsonSegment {
	j := jsonSegment{
		Plane: s.Plane, VLAN: s.VLAN, Conversations: s.Conversations,
		Foreign: each(s.Foreign, func(i int) string { return r.Findings.ID(i) }),
	}
	if s.Network != nil {
		j.Network, j.InventoryLine = s.Network.Prefix.String(), s.Network.Line
	}
	return j
}

// jsonInsecure is a kind of insecure service: who used it, and which of its rows nobody did.
type jsonInsecure struct {
	Kind     string   `json:"kind"`
	Findings []string `json:"findings"`
	Unused   []string `json:"unused_rows"`
}

// jsonInsecures lists the kinds that were seen or that the catalogue has rows of.
func (t *teller) jsonInsecures() []jsonInsecure {
	kinds, byKind := t.insecureSeen()
	unused := map[string][]string{}
	for _, row := range t.neverUsed() {
		if byKind[row.Insecure] == nil && unused[row.Insecure] == nil {
			kinds = append(kinds, row.Insecure)
		}
		unused[row.Insecure] = append(unused[row.Insecure], row.ID)
	}
	slices.Sort(kinds)
	return each(kinds, func(kind string) jsonInsecure {
		return jsonInsecure{kind, each(byKind[kind], t.r.Findings.ID), list(unused[kind])}
	})
}
