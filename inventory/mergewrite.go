package inventory

import (
	"bytes"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// append writes the machines that are new, and behind a # those that are only guessed.
func (d *document) append(g *merger) {
	var fresh []*member
	for _, m := range g.members {
		if m.node == nil {
			fresh = append(fresh, m)
		}
	}
	var list *yaml.Node
	if d.root != nil {
		list = child(d.root, "machines")
	}
	indent, after := 2, len(d.lines)
	switch {
	case len(fresh) == 0:
		if list != nil && len(list.Content) > 0 && list.Style&yaml.FlowStyle == 0 {
			indent, after = list.Column-1, d.lastLine(list)
		}
	case list == nil && d.root != nil && d.root.Style&yaml.FlowStyle != 0:
		d.inside(d.root, "machines: ["+strings.Join(inBrackets(fresh), ", ")+"]")
	case list == nil:
		d.header(g)
		d.line(after, 0, "machines:")
		d.block(fresh, after, indent)
	case isNull(list):
		d.splice(d.offset(list), len(list.Value), d.newline+strings.TrimSuffix(d.blockText(fresh, indent), d.newline))
	case list.Style&yaml.FlowStyle != 0 && len(list.Content) == 0:
		at := d.offset(list)
		_, end := d.bracket(list)
		d.splice(at, end+1-at, d.newline+strings.TrimSuffix(d.blockText(fresh, indent), d.newline))
	case list.Style&yaml.FlowStyle != 0:
		d.inside(list, strings.Join(inBrackets(fresh), ", "))
	default:
		indent, after = list.Column-1, d.lastLine(list)
		d.block(fresh, after, indent)
	}
	g.out.Guessed = d.guesses(g.guesses, after, indent)
}

// header says in a new file where it comes from.
func (d *document) header(g *merger) {
	if d.root != nil {
		return
	}
	d.line(0, 0, "# Imported by flowvet inventory import. What stands behind a # beside an entry says where it comes from.")
	d.line(0, 0, "# To go on: flowvet inventory lint FILE, then flowvet check --inventory FILE ...")
}

// block writes machines as elements of a list behind a line.
func (d *document) block(fresh []*member, after, indent int) {
	for line := range strings.Lines(d.blockText(fresh, indent)) {
		d.line(after, 0, strings.TrimSuffix(line, d.newline))
	}
}

// blockText returns machines as elements of a list, each over several lines.
func (d *document) blockText(fresh []*member, indent int) string {
	var b strings.Builder
	margin := strings.Repeat(" ", indent)
	put := func(format string, args ...any) { b.WriteString(margin + fmt.Sprintf(format, args...) + d.newline) }
	for _, m := range fresh {
		put("- name: %s", scalar(m.name.text))
		for _, k := range m.keys() {
			put("  %s", k)
		}
		if len(m.addrs) == 1 && m.addrs[0].note == "" {
			put("  addresses: [%s]", m.addrs[0].line())
			continue
		}
		put("  addresses:")
		for _, a := range m.addrs {
			put("    - %s", a.line())
		}
	}
	return b.String()
}

// keys returns the keys of a new machine between its name and its addresses.
func (m *member) keys() (keys []string) {
	if len(m.products) > 0 {
		keys = append(keys, "products: ["+scalars(saidTexts(m.products))+"]")
	}
	for f := range fields {
		if m.single[f].given() {
			keys = append(keys, f.String()+": "+f.scalar(m.single[f].text))
		}
	}
	if len(m.uses) > 0 {
		keys = append(keys, "uses: ["+scalars(saidTexts(m.uses))+"]")
	}
	return keys
}

// inBrackets returns machines as elements of a list in brackets.
func inBrackets(fresh []*member) []string {
	list := make([]string, len(fresh))
	for i, m := range fresh {
		addresses := make([]string, len(m.addrs))
		for j, a := range m.addrs {
			addresses[j] = a.line().text
		}
		keys := append(append([]string{"name: " + scalar(m.name.text)}, m.keys()...), "addresses: ["+strings.Join(addresses, ", ")+"]")
		list[i] = "{" + strings.Join(keys, ", ") + "}"
	}
	return list
}

// guessMark stands behind the name of a machine that is guessed.
const guessMark = "  # a guess: "

// guesses writes what is only guessed as comments: without the # each is a machine. What stands there already is not
// written again. It returns how many it wrote.
func (d *document) guesses(list []*imported, after, indent int) (written int) {
	margin := strings.Repeat(" ", indent)
	for _, m := range list {
		own := &member{name: m.name, facts: m.facts}
		for _, a := range m.addrs {
			own.addrs = append(own.addrs, &memberAddr{addr: a.addr, roles: m.roles})
		}
		text := d.blockText([]*member{own}, 0)
		first, _, _ := strings.Cut(text, d.newline)
		first = "# " + margin + first
		if bytes.Contains(d.text, []byte(first+d.newline)) || bytes.Contains(d.text, []byte(first+guessMark)) {
			continue
		}
		written++
		d.line(after, 0, first+guessMark+comment(m.guess))
		_, rest, _ := strings.Cut(text, d.newline)
		for line := range strings.Lines(rest) {
			d.line(after, 0, "# "+margin+strings.TrimSuffix(line, d.newline))
		}
	}
	return written
}
