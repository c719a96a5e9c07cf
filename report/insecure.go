package report

import (
	"fmt"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/match"
)

// insecureSeen returns the indices of the selected findings of services that the document marks as insecure, by kind.
func (t *teller) insecureSeen() (kinds []string, byKind map[string][]int) {
	byKind = map[string][]int{}
	for i, f := range t.r.Findings.All() {
		if f.Qualifiers.Has(match.Insecure) && t.shown.finding(f) {
			kind := t.insecureKind(f)
			if byKind[kind] == nil {
				kinds = append(kinds, kind)
			}
			byKind[kind] = append(byKind[kind], i)
		}
	}
	slices.Sort(kinds)
	return kinds, byKind
}

// insecureChapter tells which insecure services were seen, between whom, and accepted with which controls; and which rows
// of such services nothing used.
func (t *teller) insecureChapter() chapter {
	c := chapter{title: insecureTitle, what: "none was seen"}
	seen := 0
	kinds, byKind := t.insecureSeen()
	for _, kind := range kinds {
		all := byKind[kind]
		seen += len(all)
		most := t.most(len(all))
		for _, f := range t.r.Findings.Of(all[:most]) {
			c.lines = append(c.lines, remark{kind, []span{text(fmt.Sprintf("%s -> %s  %s  %s, %s",
				endName(f.Initiator, f.From), endName(f.Responder, f.To), service(f.Proto, f.Port), f.Verdict, accepted(f)))}})
		}
		if left := len(all) - most; left > 0 {
			c.lines = append(c.lines, remark{kind, []span{text("… and " + count(left, "more conversation") + " (--limit 0 shows all)")}})
		}
	}
	if seen > 0 {
		c.what = count(seen, "conversation") + " of services that the port document marks as insecure"
	}
	if unused := t.neverUsed(); len(unused) > 0 {
		c.lines = append(c.lines, remark{"unused", []span{text(count(len(unused), "row") +
			" permitted and used by nobody here, candidates for being closed: " + some(each(unused, rowShort), 0, "and"))}})
	}
	return c
}

const insecureTitle = "Insecure services"

func rowShort(r *catalog.Row) string { return Terminal(r.ID) + " " + rowService(r) }

// accepted says which exception covers a finding, and what is done in place of closing it.
func accepted(f *match.Finding) string {
	e := f.Disposition.Exception
	if e == nil {
		return "no exception"
	}
	line := "accepted by " + Terminal(e.ID)
	if controls := controlsOf(e); controls != "" {
		return line + " with " + controls
	}
	return line + " without controls"
}

// insecureKind names the service by the row that documents it, else by its port.
func (t *teller) insecureKind(f *match.Finding) string {
	if len(f.Rows) > 0 && f.Rows[0].Insecure != "" {
		return Terminal(f.Rows[0].Insecure)
	}
	if t.r.Catalog != nil {
		for _, transport := range []catalog.Transport{catalog.TCP, catalog.UDP} {
			if strings.EqualFold(transport.String(), f.Proto.String()) {
				return Terminal(t.r.Catalog.Insecure(transport, f.Port))
			}
		}
	}
	return ""
}

// neverUsed lists the insecure rows that document no conversation of these captures. A narrowed report cannot know.
func (t *teller) neverUsed() []*catalog.Row {
	if t.r.Catalog == nil || t.shown.narrows() || t.r.Recognised == 0 {
		return nil
	}
	used := map[*catalog.Row]bool{}
	for _, f := range t.r.Findings.In(match.Documented) {
		for _, row := range f.Rows {
			used[row] = true
		}
	}
	var all []*catalog.Row
	for _, row := range t.r.Catalog.Rows {
		if row.Insecure != "" && !used[row] {
			all = append(all, row)
		}
	}
	return all
}
