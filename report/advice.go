package report

import (
	"fmt"

	"flowvet/match"
)

// adviceChapters says what would settle most of what stands open.
func (t *teller) adviceChapters() []chapter {
	if len(t.r.Advice) == 0 || t.shown.narrows() {
		return nil
	}
	c := chapter{title: "NEXT", what: "what would settle most"}
	for _, a := range t.r.Advice {
		c.lines = append(c.lines, remark{a.Kind.String(), []span{text(advice(a))}})
	}
	return []chapter{c}
}

// advice says one step.
func advice(a match.Advice) string {
	n := count(a.Findings, "conversation")
	switch a.Kind {
	case match.UseCatalogue:
		return fmt.Sprintf("%s: --catalog %s documents them, unofficially: read its rows before you rely on them", n, a.Catalog)
	case match.WriteInventory:
		return fmt.Sprintf("%s: say in the inventory what %s is (%s?)", n, yamlAddr(a.Addr), Terminal(string(a.Role)))
	}
	return n + ": neither would settle them; change the network, or accept them by exceptions"
}
