package inventory

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"flowvet/catalog"
)

// document is the text of an inventory that is added to. The YAML library says where each node begins; what is new is
// written beside the nodes into the text itself, which keeps every comment, blank line and bracket of the person's: the
// library's own encoder drops blank lines and indents anew.
type document struct {
	*problems
	mark    []byte // the byte order mark, if there was one
	text    []byte
	lines   []int // where each line begins
	newline string
	root    *yaml.Node // nil: nothing stands in it
	draft   draft
	checked *Inventory
	catalog *catalog.Catalog
	splices []splice
	filled  map[int]bool // where brackets end into which something was written
}

// splice is text that goes into a file, in place of so many bytes.
type splice struct {
	at, cut int
	text    string
}

// openDocument reads the inventory that is to be added to.
func openDocument(p *problems, base []byte, c *catalog.Catalog) (*document, bool) {
	d := &document{problems: p, newline: "\n", catalog: c, lines: []int{0}, checked: &Inventory{}, filled: map[int]bool{}}
	if len(bytes.TrimSpace(base)) == 0 {
		return d, true
	}
	text, ok := p.text(base)
	if !ok {
		return nil, false
	}
	d.mark, d.text = base[:len(base)-len(text)], text
	d.draft = readYAML(p, text)
	d.checked = check(p, d.draft, c)
	if len(p.list) > 0 {
		return nil, false
	}
	d.root, _ = parseYAML(p, text)
	if bytes.Contains(text, []byte("\r\n")) {
		d.newline = "\r\n"
	}
	d.lines = lineStarts(text)
	return d, true
}

// lineStarts returns where the lines of a text begin, by what YAML takes for the end of one (1.1, section 5.4).
func lineStarts(text []byte) []int {
	starts := []int{0}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		i += size
		switch r {
		case '\r':
			if i < len(text) && text[i] == '\n' {
				i++
			}
			starts = append(starts, i)
		case '\n', '\u0085', '\u2028', '\u2029':
			starts = append(starts, i)
		}
	}
	return starts
}

// members returns the machines that the document names, with where they stand.
func (d *document) members() []*member {
	if len(d.draft.machines) == 0 {
		return nil
	}
	nodes := child(d.root, "machines").Content
	list := make([]*member, len(d.draft.machines))
	for i, m := range d.draft.machines {
		own := &member{node: nodes[i], name: d.said(m.name)}
		own.single = [fields]said{cluster: d.said(m.cluster), site: d.said(m.site), managedBy: d.said(m.managedBy), managed: d.said(m.managed)}
		own.products, own.uses = d.allSaid(m.products), d.allSaid(m.uses)
		addresses := child(nodes[i], "addresses").Content
		for j, a := range m.addrs {
			own.addrs = append(own.addrs, &memberAddr{
				node: addresses[j], addr: d.checked.Machines[i].Addrs[j].Addr, at: Where{File: d.file, Line: a.addr.line},
				plane: d.said(a.plane), roles: d.allSaid(a.roles),
			})
		}
		list[i] = own
	}
	return list
}

func (d *document) said(w word) said {
	return said{text: w.text, at: Where{File: d.file, Line: w.line}}
}

func (d *document) allSaid(list []word) []said {
	all := make([]said, len(list))
	for i, w := range list {
		all[i] = d.said(w)
	}
	return all
}

// newMerger returns a merger of the document's machines.
func newMerger(words *vocabulary, d *document) *merger {
	g := &merger{
		words: words, members: d.members(), broadcasts: map[netip.Addr]*Network{}, owners: map[netip.Addr]*member{}, addrs: map[netip.Addr]*memberAddr{},
		names: map[string]*member{}, labels: map[string][]*member{}, touched: map[*member]bool{}, met: map[*member]bool{},
		unmanaged: map[string]int{}, spare: map[string]*imported{}, out: &Merged{}, places: map[string]int{},
	}
	for _, name := range d.checked.Sites {
		g.places[name] = 1
	}
	g.inBrackets = d.machinesInBrackets()
	for _, n := range d.checked.Networks {
		if b, ok := broadcastOf(n.Prefix); ok {
			g.broadcasts[b] = n
		}
	}
	for _, m := range g.members {
		g.named(m.name.text, m)
		for _, a := range m.addrs {
			g.owners[a.addr], g.addrs[a.addr] = m, a
		}
	}
	return g
}

// machinesInBrackets reports whether new machines are written inside brackets.
func (d *document) machinesInBrackets() bool {
	if d.root == nil {
		return false
	}
	list := child(d.root, "machines")
	if list == nil {
		return d.root.Style&yaml.FlowStyle != 0
	}
	return list.Style&yaml.FlowStyle != 0 && len(list.Content) > 0
}

// edited returns the text with what the merger has added, once it has been read again and found to say just that.
func (d *document) edited(g *merger) ([]byte, error) {
	if d.root == nil && len(g.members) == 0 {
		d.addf(0, "nothing that was read names a machine with an address: there is no inventory to write")
		return nil, d.err()
	}
	for _, m := range g.members {
		if m.node != nil {
			d.complete(m)
		}
	}
	d.append(g)
	text := d.apply()
	p := &problems{file: d.file}
	back := readYAML(p, text)
	if len(text) > MaxFileSize {
		p.addf(0, "would be larger than %d MiB with what is imported: no inventory is", MaxFileSize>>20)
		return nil, p.err()
	}
	if what, line := d.lost(g, back); len(p.list) > 0 || what != "" {
		d.addf(line, "%s is written in a way that cannot be added to: write it over several lines, as docs/formats.md does", what)
		return nil, d.err()
	}
	check(p, back, d.catalog)
	return slices.Concat(d.mark, text), p.err()
}

// lost compares what was meant with what is read back. It returns the first machine that differs, and its line; "" where
// none does.
func (d *document) lost(g *merger, back draft) (what string, line int) {
	for i, m := range g.members {
		if i >= len(back.machines) || fmt.Sprint(plain(m.draft())) != fmt.Sprint(plain(back.machines[i])) {
			if m.node != nil {
				line = m.node.Line
			}
			return "machine " + display(m.name.text), line
		}
	}
	return "", 0
}

// plain returns what a machine says without the lines.
func plain(m *draftMachine) []any {
	texts := func(list []word) (texts []string) {
		for _, w := range list {
			texts = append(texts, quote(w.text))
		}
		return texts
	}
	all := []any{m.name.text, m.cluster.text, m.site.text, m.managedBy.text, m.managed.text, texts(m.products), texts(m.uses)}
	for _, a := range m.addrs {
		addr, _ := parseAddr(a.addr.text)
		all = append(all, addr, a.plane.text, texts(a.roles))
	}
	return all
}

// complete writes what is new of a machine that the document has.
func (d *document) complete(m *member) {
	name := child(m.node, "name")
	for f := range fields {
		if s := m.single[f]; s.fresh {
			d.key(m.node, name, f.String(), f.scalar(s.text))
		}
	}
	d.words(m.node, name, "products", m.products)
	d.words(m.node, name, "uses", m.uses)
	var fresh []line
	for _, a := range m.addrs {
		switch {
		case a.fresh:
			fresh = append(fresh, a.line())
		default:
			d.completeAddr(a)
		}
	}
	d.elements(child(m.node, "addresses"), fresh)
}

// scalar returns a value of the field as it is written.
func (f field) scalar(text string) string {
	if f == managed {
		return text
	}
	return scalar(text)
}

// completeAddr writes what is new of an address that the document has.
func (d *document) completeAddr(a *memberAddr) {
	newRoles := len(a.roles) > 0 && a.roles[0].fresh
	switch {
	case !a.plane.fresh && !newRoles:
	case a.node.Kind == yaml.ScalarNode:
		d.splice(d.offset(a.node), 0, "{address: ")
		rest := ""
		if a.plane.fresh {
			rest += ", plane: " + scalar(a.plane.text)
		}
		if newRoles {
			rest += ", roles: [" + scalars(saidTexts(a.roles)) + "]"
		}
		d.splice(d.end(a.node), 0, rest+"}")
	default:
		address := child(a.node, "address")
		if a.plane.fresh {
			d.key(a.node, address, "plane", scalar(a.plane.text))
		}
		if newRoles {
			d.key(a.node, address, "roles", "["+scalars(saidTexts(a.roles))+"]")
		}
	}
}

// words adds to a list of words under a key, which may not be there yet.
func (d *document) words(m, after *yaml.Node, key string, all []said) {
	var fresh []line
	for _, s := range all {
		if s.fresh {
			fresh = append(fresh, line{text: scalar(s.text)})
		}
	}
	list := child(m, key)
	if len(fresh) > 0 && (list == nil || isNull(list)) {
		d.key(m, after, key, "["+scalars(saidTexts(all))+"]")
		return
	}
	d.elements(list, fresh)
}

// line is an element of a list as it is written, and what is said of it beside.
type line struct{ text, note string }

// String returns the element with its comment.
func (l line) String() string {
	if l.note == "" {
		return l.text
	}
	return l.text + "  # " + comment(l.note)
}

// line returns how an address is written.
func (a *memberAddr) line() line {
	text := scalar(a.addr.String())
	if a.plane.given() || len(a.roles) > 0 {
		text = "{address: " + text
		if len(a.roles) > 0 {
			text += ", roles: [" + scalars(saidTexts(a.roles)) + "]"
		}
		if a.plane.given() {
			text += ", plane: " + scalar(a.plane.text)
		}
		text += "}"
	}
	return line{text, a.note}
}

func saidTexts(all []said) []string {
	list := make([]string, len(all))
	for i, s := range all {
		list[i] = s.text
	}
	return list
}

// key adds a key to a mapping, on a line behind that of another of its keys, or gives a value to a key that has none.
func (d *document) key(m, after *yaml.Node, key, value string) {
	switch empty := child(m, key); {
	case empty != nil:
		d.splice(d.offset(empty), len(empty.Value), " "+value)
	case m.Style&yaml.FlowStyle != 0:
		d.inside(m, key+": "+value)
	default:
		d.line(d.lastLine(after), m.Column-1, key+": "+value)
	}
}

// elements adds elements to a list.
func (d *document) elements(list *yaml.Node, fresh []line) {
	if len(fresh) == 0 {
		return
	}
	if list.Style&yaml.FlowStyle != 0 {
		texts := make([]string, len(fresh))
		for i, l := range fresh {
			texts[i] = l.text
		}
		d.inside(list, strings.Join(texts, ", "))
		return
	}
	after := d.lastLine(list)
	for _, l := range fresh {
		d.line(after, list.Column-1, "- "+l.String())
	}
}

// line adds a line behind another, so many columns from the left.
func (d *document) line(after, indent int, text string) {
	at := len(d.text)
	if after < len(d.lines) {
		at = d.lines[after]
	}
	text = strings.Repeat(" ", indent) + text + d.newline
	if at == len(d.text) && at > 0 && !bytes.HasSuffix(d.text, []byte("\n")) {
		text = d.newline + strings.TrimSuffix(text, d.newline)
	}
	d.splice(at, 0, text)
}

// inside adds an element or a key at the end of what stands in brackets.
func (d *document) inside(n *yaml.Node, text string) {
	last, _ := d.bracket(n)
	more := d.filled[last]
	d.filled[last] = true
	switch c := d.text[last-1]; {
	case c == ',' && !more:
		text = " " + text
	case more || c != '[' && c != '{':
		text = ", " + text
	}
	d.splice(last, 0, text)
}

func (d *document) splice(at, cut int, text string) {
	d.splices = append(d.splices, splice{at, cut, text})
}

// apply returns the text with all splices made.
func (d *document) apply() []byte {
	slices.SortStableFunc(d.splices, func(a, b splice) int { return cmp.Compare(a.at, b.at) })
	var text []byte
	done := 0
	for _, s := range d.splices {
		text = append(append(text, d.text[done:s.at]...), s.text...)
		done = s.at + s.cut
	}
	return append(text, d.text[done:]...)
}
