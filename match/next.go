package match

import (
	"cmp"
	"net/netip"
	"slices"

	"flowvet/catalog"
	"flowvet/numbering"
)

// AdviceKind says where what would settle findings is written.
type AdviceKind uint8

// Where what would settle findings is written.
const (
	UseCatalogue   AdviceKind = iota // another catalogue documents them
	WriteInventory                   // an address needs a role
	DecideEach                       // neither: an exception, or the firewall
)

// String returns catalogue, inventory or decision.
func (k AdviceKind) String() string { return [...]string{"catalogue", "inventory", "decision"}[k] }

// Advice is what to do next: one step that would settle many findings.
type Advice struct {
	Kind     AdviceKind
	Catalog  string     // of UseCatalogue: its name
	Addr     netip.Addr // of WriteInventory: whose role is not known
	Role     catalog.Role
	Findings int // that the step would settle: open ones, undocumented or of an unknown end
}

// The bounds of advice. A reader goes through four findings one by one; an address with a single finding is no step of its
// own; more than a few steps are no advice. Half a million questions take a second.
const (
	worthAdvice  = 5
	worthAnEntry = 2
	maxEntries   = 3
	maxQuestions = 500_000
)

// advise says what would settle most of the findings that stand open.
func (r *Result) advise(g *Grounds, fs []*conv) {
	documented, _ := slices.BinarySearchFunc(fs, Documented, func(f *conv, b Bucket) int { return cmp.Compare(f.Bucket(), b) })
	open := keepOnly(fs[:documented], func(f *conv) bool {
		return !f.disposition().Excepted() && (f.wantsRole() || f.Bucket() == Undocumented && f.Level >= LevelWarning)
	})
	if len(open) < worthAdvice {
		return
	}
	rest := r.adviseInventory(r.adviseCatalogue(g, open))
	if rest > 0 && len(r.Advice) > 0 {
		r.Advice = append(r.Advice, Advice{Kind: DecideEach, Findings: rest})
	}
}

// keepOnly returns the findings that are wanted, in a list that need not grow; ranges of them are asked side by side.
func keepOnly(fs []*conv, wanted func(*conv) bool) []*conv {
	room := make([]*conv, len(fs))
	kept := make([][]*conv, sharesOf(len(fs)))
	inRanges(len(fs), len(kept), func(i, lo, hi int) {
		own := room[lo:lo]
		for _, f := range fs[lo:hi] {
			if wanted(f) {
				own = append(own, f)
			}
		}
		kept[i] = own
	})
	all := room[:0]
	for _, own := range kept {
		all = append(all, own...)
	}
	return all
}

// adviseCatalogue counts what the addendum would document, and returns the others.
func (r *Result) adviseCatalogue(g *Grounds, open []*conv) (rest []*conv) {
	if g.Further == nil || len(open) > maxQuestions {
		return open
	}
	c := g.Further()
	if c == nil {
		return open
	}
	questions := make([]Question, 0, len(open))
	for _, f := range open {
		questions = append(questions, f.asQuestion())
	}
	told, err := Explain(Grounds{Catalog: c, Inventory: g.Inventory, AsOf: g.AsOf}, questions)
	if err != nil {
		return open
	}
	documented := map[Question]bool{}
	for _, f := range told.Findings.judged {
		if f.Bucket() == Documented {
			documented[f.asQuestion()] = true
		}
	}
	rest = keepOnly(open, func(f *conv) bool { return !documented[f.asQuestion()] })
	if n := len(open) - len(rest); n >= worthAnEntry {
		r.Advice = append(r.Advice, Advice{Kind: UseCatalogue, Catalog: catalog.Addendum, Findings: n})
		return rest
	}
	return open
}

// wantsRole reports whether a role of one address might settle the finding.
func (c *conv) wantsRole() bool {
	return (c.Verdict == UnknownEndpoint || c.Verdict == AmbiguousRole) && len(c.hypotheses()) > 0
}

// supposed returns the address that would play the role of the first hypothesis, and the role.
func (c *conv) supposed() (netip.Addr, catalog.Role) {
	h := c.hypotheses()[0]
	if h.Responder {
		return c.Responder, h.Role
	}
	return c.Initiator, h.Role
}

// asQuestion returns the conversation as a question.
func (c *conv) asQuestion() Question {
	to := c.Responder
	if groups := c.groups(); len(groups) > 0 {
		to = groups[0]
	}
	return Question{From: c.Initiator, To: to, Proto: c.Proto, Port: c.Port, Cast: c.Verdict == GroupCast || c.Basis == BasisCast}
}

// settled counts the findings that the role of one address would settle.
type settled struct {
	first    uint32 // of them, by place
	findings uint32
}

// adviseInventory names the addresses whose role would settle most, and returns how many findings they would not.
func (r *Result) adviseInventory(open []*conv) (rest int) {
	addresses := numbering.Addresses{Hash: numbering.NewHash()} // where somebody scans, a million have one finding each
	var entries []settled                                       // by number
	for i, f := range open {
		if !f.wantsRole() {
			continue
		}
		addr, _ := f.supposed()
		n, fresh := addresses.Add(addr)
		if fresh {
			entries = numbering.Push(entries, settled{first: uint32(i)})
		}
		entries[n].findings++
	}
	rest = len(open)
	for _, a := range settlingMost(open, entries) {
		r.Advice = append(r.Advice, a)
		rest -= a.Findings
	}
	return rest
}

// settlingMost returns the entries of the inventory that are worth their line, and settle most.
func settlingMost(open []*conv, entries []settled) (best []Advice) {
	for _, e := range entries {
		if e.findings < worthAnEntry || len(best) == maxEntries && int(e.findings) < best[maxEntries-1].Findings {
			continue
		}
		addr, role := open[e.first].supposed()
		best = append(best, Advice{Kind: WriteInventory, Addr: addr, Role: role, Findings: int(e.findings)})
		slices.SortFunc(best, func(a, b Advice) int {
			return cmp.Or(-cmp.Compare(a.Findings, b.Findings), a.Addr.Compare(b.Addr))
		})
		best = best[:min(len(best), maxEntries)]
	}
	return best
}
