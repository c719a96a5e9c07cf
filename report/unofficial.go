package report

import (
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/match"
)

// unofficial returns the ids of those rows that are not of the vendor's document.
func unofficial(rows []*catalog.Row) []string {
	return rowIDs(slices.DeleteFunc(slices.Clone(rows), func(r *catalog.Row) bool { return !r.Origin.Unofficial }))
}

// unofficialCatalogs returns the names of the catalogues in use that are not the vendor's document.
func (t *teller) unofficialCatalogs() []string {
	var names []string
	if t.r.Catalog != nil {
		for _, s := range t.r.Catalog.Sources {
			if s.Unofficial {
				names = append(names, Terminal(s.Name))
			}
		}
	}
	return names
}

// unofficialOf returns the ids of the rows, not of the vendor's document, that the lines of a run ask for, each once.
func (t *teller) unofficialOf(run *match.ScenarioRun) []string {
	var ids []string
	for _, e := range t.linesOf(run) {
		if e.State() != match.LineNotApplicable {
			ids = append(ids, unofficial(e.Rows)...)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// unofficialWords says what a run rests on beside the vendor's document; empty: nothing.
func (t *teller) unofficialWords(run *match.ScenarioRun) string {
	ids := t.unofficialOf(run)
	if len(ids) == 0 {
		return ""
	}
	return strings.Join(ids, ", ") + ", which are unofficial"
}
