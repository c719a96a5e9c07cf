package match

import (
	"fmt"

	"flowvet/capture"
)

// shownOverlaps is how many pairs of captures are named that show the same packets.
const shownOverlaps = 10

// warnOverlaps says which captures show packets that others show too. Counts are then of both; verdicts are hardly touched.
func (r *Result) warnOverlaps(captures []*capture.Capture) {
	overlaps, left := capture.Overlaps(captures)
	for _, o := range overlaps[:min(len(overlaps), shownOverlaps)] {
		a, b := captures[o.A].Name, captures[o.B].Name
		if o.Same {
			r.warn("%s and %s hold the same packets, which count twice: leave one out", a, b)
			continue
		}
		r.warn("about %.0f %% of the packets of %s are in %s too (two mirrored ports?), and count twice", 100*o.Share, b, a)
	}
	if more := len(overlaps) - shownOverlaps; more > 0 {
		r.warn("%s more of captures that show the same packets", plural(more, "pair"))
	}
	if left > 0 {
		r.warn("%s of captures too many to be compared with each other", plural(left, "pair"))
	}
}

func (r *Result) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}
