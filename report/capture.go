package report

import (
	"fmt"
	"time"

	"flowvet/capture"
	"flowvet/match"
)

const (
	shownDamages  = 20 // of a capture
	shownGaps     = 20 // of a capture
	shownComments = 3  // with -v

	// leastDuplicates is the share of second copies that is worth a word: below, they are single packets sent again.
	leastDuplicates = 0.001
)

// format says what kind of file a capture is.
func format(c *match.CaptureInfo) string {
	if c.Compression == "" {
		return Terminal(c.Format)
	}
	return fmt.Sprintf("%s (%s)", Terminal(c.Format), Terminal(c.Compression))
}

// duplicated returns the share of second copies among the packets read.
func duplicated(c *match.CaptureInfo) float64 {
	if c.Packets == 0 {
		return 0
	}
	return float64(c.Duplicates) / float64(c.Packets)
}

// duplicates says how much of a capture is second copies; empty where hardly any is.
func duplicates(c *match.CaptureInfo) string {
	share := duplicated(c)
	switch {
	case share < leastDuplicates:
		return ""
	case c.Removed > 0:
		return fmt.Sprintf("duplicates %.1f %%, left out", 100*share)
	}
	return fmt.Sprintf("duplicates %.1f %% (SPAN copies?); --dedup removes them", 100*share)
}

// shift says by how much a capture's clock was corrected; empty where it was not.
func shift(c *match.CaptureInfo) string {
	if c.Shift == 0 {
		return ""
	}
	sign := ""
	if c.Shift > 0 {
		sign = "+"
	}
	return "clock corrected by " + sign + time.Duration(c.Shift).String()
}

// damage says where a capture is damaged, place by place.
func (h *facts) damage(c *match.CaptureInfo) {
	damages := c.Damages
	if len(damages) == 0 && c.Damage != nil {
		damages = []capture.Damage{*c.Damage}
	}
	for i := range damages[:min(len(damages), shownDamages)] {
		d := &damages[i]
		says := "PARTIAL: %s ends early at %s: %s; what came before is judged"
		switch {
		case c.Format == capture.FormatFlows:
			says = "REFUSED: %s at %s: %s; nothing in it is judged"
		case d.Skipped > 0:
			says = "PARTIAL: %s is damaged at %s: %s; " + fmt.Sprintf("%d bytes passed over, what follows is judged", d.Skipped)
		}
		h.add("", span{fmt.Sprintf(says, Terminal(c.Name), d.Place(), Terminal(d.Reason)), bad})
	}
	if more := len(damages) - shownDamages; more > 0 {
		h.add("", span{fmt.Sprintf("PARTIAL: %s is damaged at %d more places", Terminal(c.Name), more), bad})
	}
}

// gaps says when a live capture was blind, or lost packets.
func (h *facts) gaps(c *match.CaptureInfo) {
	for _, g := range c.Gaps[:min(len(c.Gaps), shownGaps)] {
		h.add("", span{gapText(&g), bad})
	}
	if more := len(c.Gaps) - shownGaps; more > 0 {
		h.add("", span{fmt.Sprintf("GAP: and %d more", more), bad})
	}
}

// gapText says what a gap is.
func gapText(g *capture.Gap) string {
	line := "GAP: " + between(g.From, g.To) + ": " + Terminal(g.Reason)
	if g.Lost > 0 {
		line += fmt.Sprintf(", %d of %d", g.Lost, g.Offered)
	}
	return line
}

// comments shows the first of what a capture file says of itself.
func (h *facts) comments(c *match.CaptureInfo) {
	for _, text := range c.Comments[:min(len(c.Comments), shownComments)] {
		h.add("", span{"it says: " + Terminal(text), quiet})
	}
	if more := int64(c.Commented) - int64(min(len(c.Comments), shownComments)); more > 0 {
		h.add("", span{fmt.Sprintf("and %s more", count(int(more), "comment")), quiet})
	}
}

func jsonDamageOf(d capture.Damage) jsonDamage {
	return jsonDamage{Offset: d.Offset, Reason: d.Reason, Expanded: d.Expanded, Skipped: d.Skipped}
}

func jsonGapOf(g capture.Gap) jsonGap {
	return jsonGap{Start: instantExact(g.From), End: instantExact(g.To), Reason: g.Reason, Lost: g.Lost, Offered: g.Offered}
}

func jsonNameOf(n capture.Name) jsonName { return jsonName{n.Addr.String(), n.Name} }

// hideNotes hides what a capture file says beside its packets. Its texts are anything: as names to be found elsewhere in the
// report, a comment "a" would hide every "a" of it.
func hideNotes(c *match.CaptureInfo) {
	for i := range c.Comments {
		c.Comments[i] = hiddenText
	}
	for i := range c.Names {
		c.Names[i].Name = hiddenText
	}
	for i := range c.Interfaces {
		if c.Interfaces[i].Description != "" {
			c.Interfaces[i].Description = hiddenText
		}
	}
}
