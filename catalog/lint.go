package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Lint returns everything wrong with users' catalogues that are to be added to the embedded one, by file and line: the
// problems that [Load] would refuse them for, and warnings about what is allowed and probably not meant. At most 1,000
// errors and 1,000 warnings are returned. Of "built-in" and of companions, by their names, all warnings are Known; the lines of
// the first are those of the vendor's document.
func Lint(files ...string) []Problem {
	own := slices.DeleteFunc(slices.Clone(files), func(name string) bool { return name == BuiltIn })
	l := load(true, own)
	if len(own) < len(files) {
		l.found.files = append([]string{BuiltIn}, l.found.files...)
		for _, r := range Default().Rows {
			l.places[r] = place{BuiltIn, r.Origin.Line}
		}
	}
	return l.lint()
}

// LintAlone does what [Lint] does for catalogues that replace the embedded one.
func LintAlone(files ...string) []Problem { return load(false, files).lint() }

func (l *loader) lint() []Problem {
	if l.catalog.products != nil {
		l.indexPorts()
	}
	l.warnRepeated()
	l.warnShadowed()
	if l.catalog.roles != nil {
		l.warnNeedless()
	}
	l.warnBroad()
	l.warnErrata()
	l.warnLonely()
	l.warnUnused()
	return l.found.sorted()
}

// warn reports something about a row of a user's catalogue; the embedded rows are the vendor's.
func (l *loader) warn(r *Row, column, value, text, hint string) {
	at, ok := l.places[r]
	if !ok {
		return
	}
	known := at.file == BuiltIn || slices.Contains(Companions(), at.file)
	if known {
		hint = "" // nobody is to change it
	}
	l.found.add(Problem{
		File: at.file, Line: at.line, Column: column, Value: value, Text: text, Hint: hint, Warning: true, Known: known,
	})
}

// subject is what a row is about: everything but its ports and its transport.
type subject struct {
	product, source, target string
	listener                End
}

func about(r *Row) subject {
	return subject{r.Product, joinRoles(r.Source), joinRoles(r.Target), r.Listener}
}

func joinRoles(list []Role) string {
	names := make([]string, len(list))
	for i, role := range list {
		names[i] = string(role)
	}
	slices.Sort(names)
	return strings.Join(names, "|")
}

// warnRepeated warns of rows that say what an earlier one says.
func (l *loader) warnRepeated() {
	type said struct {
		subject
		ports     Ports
		transport Transport
	}
	first := make(map[said]*Row)
	for _, r := range l.catalog.Rows {
		key := said{about(r), r.Ports, r.Transport}
		if other, ok := first[key]; ok {
			l.warn(r, "", r.ID, "says what "+other.ID+" says", "leave one of them out")
			continue
		}
		first[key] = r
	}
}

// warnShadowed warns of rows whose ports lie within those of a broader row about the same: both apply, so nothing is
// wrong, but the broader one makes the narrow one needless. Sorted by subject and first port, the broader row comes first.
func (l *loader) warnShadowed() {
	rows := make([]subjectRow, len(l.catalog.Rows))
	for i, r := range l.catalog.Rows {
		rows[i] = subjectRow{about(r), r}
	}
	slices.SortStableFunc(rows, func(a, b subjectRow) int {
		return cmp.Or(
			a.subject.compare(b.subject),
			cmp.Compare(a.row.Ports.Lo, b.row.Ports.Lo),
			cmp.Compare(b.row.Ports.Hi, a.row.Ports.Hi),
		)
	})
	var widest [2]subjectRow // for TCP and UDP
	for _, r := range rows {
		var broader *Row
		for i, t := range []Transport{TCP, UDP} {
			switch w := widest[i]; {
			case !r.row.Transport.Has(t):
			case w.row == nil || w.subject != r.subject || r.row.Ports.Hi > w.row.Ports.Hi:
				widest[i] = r
			case r.row.Ports != w.row.Ports:
				broader = w.row
			}
		}
		if broader != nil {
			text := fmt.Sprintf("lie within %s of %s", broader.Ports, broader.ID)
			l.warn(r.row, "ports", r.row.Ports.String(), text, "the broader row documents them already")
		}
	}
}

// subjectRow is a row with its subject at hand, for sorting.
type subjectRow struct {
	subject
	row *Row
}

func (s subject) compare(o subject) int {
	return cmp.Or(
		cmp.Compare(s.product, o.product), cmp.Compare(s.source, o.source),
		cmp.Compare(s.target, o.target), cmp.Compare(s.listener, o.listener),
	)
}

func (l *loader) warnBroad() {
	for _, r := range l.catalog.Rows {
		if r.Ports.Broad() {
			l.warn(r, "ports", r.Ports.String(),
				fmt.Sprintf("span more than %d ports", BroadSpan), "such a row documents, but is no evidence of need")
		}
	}
}

// warnErrata lists where the vendor's document contradicts itself; a user's own errata are known to him.
func (l *loader) warnErrata() {
	for _, r := range l.catalog.Rows {
		if r.Erratum && l.places[r].file == BuiltIn {
			l.warn(r, "erratum", r.ID, r.Note, "")
		}
	}
}

// warnLonely warns of groups with one member: a group lists alternatives.
func (l *loader) warnLonely() {
	members := make(map[string]int)
	for _, r := range l.catalog.Rows {
		members[r.Group]++
	}
	for _, r := range l.catalog.Rows {
		if r.Group != "" && members[r.Group] == 1 {
			l.warn(r, "group", r.Group, "no other row is in the group", suggest(r.Group, others(members, r.Group)))
		}
	}
}

// others returns the keys of set but one, in order.
func others(set map[string]int, but string) []string {
	var list []string
	for key := range set {
		if key != but {
			list = append(list, key)
		}
	}
	slices.Sort(list)
	return list
}

// warnUnused warns of roles and products that are declared and that no row needs.
func (l *loader) warnUnused() {
	usedRoles := make(map[Role]bool)
	usedProducts := make(map[string]bool)
	for _, r := range l.catalog.Rows {
		usedProducts[r.Product] = true
		for _, role := range slices.Concat(r.Source, r.Target) {
			usedRoles[role] = true
		}
	}
	for _, p := range l.catalog.Products {
		usedRoles[p.Role], usedRoles[p.Refines] = true, true
	}
	for _, info := range l.catalog.Roles {
		for _, parent := range info.Parents {
			usedRoles[parent] = true
		}
	}
	for _, info := range l.catalog.Roles {
		if at, declared := l.roles[info.Role]; declared && !usedRoles[info.Role] {
			declaration{l, at.file, at.line}.warn(string(info.Role), "no row and no product has the role", "")
		}
	}
	for _, p := range l.catalog.Products {
		if at, declared := l.products[p.Name]; declared && !usedProducts[p.Name] {
			declaration{l, at.file, at.line}.warn(p.Name, "no row is printed for the product", "")
		}
	}
}
