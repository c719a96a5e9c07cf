package report

import (
	"io"

	"flowvet/match"
)

// Explain writes what [match.Explain] found: each verdict with why, every row that is near, and what would settle it.
func Explain(w io.Writer, r *match.Result, o Options) error {
	o.Verbose = true
	t := &reporter{paper: newPaper(w, o.Width, o.Color), teller: newTeller(r, o)}
	first := true
	for b := match.Documented; b > match.NotJudged; b-- {
		for _, g := range t.tally.groups[b] {
			if !first {
				t.blank()
			}
			first = false
			t.answer(g)
		}
	}
	if first {
		t.para(0, span{"not judged", strong}, text("  neither end is a VMware machine, or both are one"))
	}
	return t.Flush()
}

// answer prints an entry without what only traffic shows.
func (t *reporter) answer(g *group) {
	f := g.exemplar(t.r)
	t.item(0, 0, span{}, t.headline(g, f)...)
	t.details(t.why(g, f))
	if f.Bucket() == match.Undocumented {
		t.details(t.nearest(f))
	}
	if proposal := t.settle(g, f); proposal != "" {
		t.details([]remark{{"settle", []span{text(proposal)}}})
	}
}
