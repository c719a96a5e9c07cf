package match

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"

	"flowvet/catalog"
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
func (r *Result) advise(g *Grounds) {
	var open []*Finding
	for _, f := range r.Findings {
		if !f.Disposition.Excepted() && (f.wantsRole() || f.Bucket() == Undocumented && f.Level >= LevelWarning) {
			open = append(open, f)
		}
	}
	if len(open) < worthAdvice {
		return
	}
	rest := r.adviseCatalogue(g, open)
	rest = r.adviseInventory(rest)
	if len(rest) > 0 && len(r.Advice) > 0 {
		r.Advice = append(r.Advice, Advice{Kind: DecideEach, Findings: len(rest)})
	}
}

// adviseCatalogue counts what the addendum would document, and returns the others.
func (r *Result) adviseCatalogue(g *Grounds, open []*Finding) (rest []*Finding) {
	if g.Further == nil || len(open) > maxQuestions {
		return open
	}
	c := g.Further()
	if c == nil {
		return open
	}
	questions := make([]Question, 0, len(open))
	for _, f := range open {
		questions = append(questions, f.question())
	}
	told, err := Explain(Grounds{Catalog: c, Inventory: g.Inventory, AsOf: g.AsOf}, questions)
	if err != nil {
		return open
	}
	documented := map[Question]bool{}
	for _, f := range told.Findings {
		if f.Bucket() == Documented {
			documented[f.question()] = true
		}
	}
	for _, f := range open {
		if !documented[f.question()] {
			rest = append(rest, f)
		}
	}
	if n := len(open) - len(rest); n >= worthAnEntry {
		r.Advice = append(r.Advice, Advice{Kind: UseCatalogue, Catalog: catalog.Addendum, Findings: n})
		return rest
	}
	return open
}

// wantsRole reports whether a role of one address might settle the finding.
func (f *Finding) wantsRole() bool {
	return (f.Verdict == UnknownEndpoint || f.Verdict == AmbiguousRole) && len(f.Hypotheses) > 0
}

// question asks for the conversation of a finding.
func (f *Finding) question() Question {
	to := f.Responder
	if len(f.Groups) > 0 {
		to = f.Groups[0]
	}
	return Question{From: f.Initiator, To: to, Proto: f.Proto, Port: f.Port, Cast: f.Verdict == GroupCast || f.Basis == BasisCast}
}

// adviseInventory names the addresses whose role would settle most, and returns what it would not.
func (r *Result) adviseInventory(open []*Finding) (rest []*Finding) {
	entries := map[netip.Addr]*Advice{}
	for _, f := range open {
		if !f.wantsRole() {
			continue
		}
		h := f.Hypotheses[0]
		addr := f.Supposed(h)
		if entries[addr] == nil {
			entries[addr] = &Advice{Kind: WriteInventory, Addr: addr, Role: h.Role}
		}
		entries[addr].Findings++
	}
	best := slices.SortedFunc(maps.Values(entries), func(a, b *Advice) int {
		return cmp.Or(-cmp.Compare(a.Findings, b.Findings), a.Addr.Compare(b.Addr))
	})
	named := map[netip.Addr]bool{}
	for _, a := range best[:min(len(best), maxEntries)] {
		if a.Findings >= worthAnEntry {
			r.Advice = append(r.Advice, *a)
			named[a.Addr] = true
		}
	}
	for _, f := range open {
		if !f.wantsRole() || !named[f.Supposed(f.Hypotheses[0])] {
			rest = append(rest, f)
		}
	}
	return rest
}
