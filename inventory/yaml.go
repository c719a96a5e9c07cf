package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// readYAML reads the YAML form of an inventory. It walks the document's nodes itself, so that every problem has its
// line and no alias is ever expanded.
func readYAML(p *problems, text []byte) draft {
	var d draft
	if line := tabbedLine(text); line > 0 {
		p.addf(line, "begins with a tab: YAML indents with spaces")
		return d
	}
	if elements(text) > maxElements {
		p.addf(0, "has more than %d lines and elements of lists: no inventory has", maxElements)
		return d
	}
	root, ok := parseYAML(p, text)
	if !ok {
		return d
	}
	r := yamlReader{p}
	r.mapping(root, "the inventory", map[string]func(*yaml.Node){
		"machines": func(n *yaml.Node) {
			r.list(n, `"machines"`, func(n *yaml.Node) { d.machines = append(d.machines, r.machine(n)) })
		},
		"networks": func(n *yaml.Node) {
			r.list(n, `"networks"`, func(n *yaml.Node) { d.networks = append(d.networks, r.network(n)) })
		},
		"sites": func(n *yaml.Node) { d.sites, d.hasSites = r.words(n, `"sites"`), true },
		"uses":  func(n *yaml.Node) { d.uses = r.words(n, `"uses"`) },
		"vlans": func(n *yaml.Node) { d.vlans = r.vlans(n) },
		"ports": func(n *yaml.Node) { d.ports = r.ports(n) },
		"segments": func(n *yaml.Node) {
			if !isNull(n) {
				d.segments = r.word(n, `"segments"`)
			}
		},
		"capture": func(n *yaml.Node) {
			r.list(n, `"capture"`, func(n *yaml.Node) { d.views = append(d.views, r.view(n)) })
		},
	})
	return d
}

// tabbedLine returns the first line that is indented with a tab, or 0. The YAML library says of it only that a
// character "cannot start any token".
func tabbedLine(text []byte) int {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		body := bytes.TrimLeft(line, " \t")
		indent := line[:len(line)-len(body)]
		if len(bytes.TrimSpace(body)) > 0 && body[0] != '#' && bytes.IndexByte(indent, '\t') >= 0 {
			return number
		}
	}
	return 0
}

// maxElements caps the nodes that the YAML library makes of a file, 350 bytes each: 4 MiB of "x,x,x,…" took 690 MB.
const maxElements = 250_000

// elements returns an upper bound of how many elements a YAML text can hold.
func elements(text []byte) int {
	n := 0
	for _, separator := range []byte{'\n', ',', '[', '{'} {
		n += bytes.Count(text, []byte{separator})
	}
	return n
}

// parseYAML returns the root node of the only document.
func parseYAML(p *problems, text []byte) (*yaml.Node, bool) {
	var doc, next yaml.Node
	in := &lineReader{rest: text}
	dec := yaml.NewDecoder(in)
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0:
		p.addf(0, "holds only comments: an inventory names machines, their products and addresses")
		return nil, false
	case err != nil:
		p.yaml(err, in.lines)
		return nil, false
	}
	switch err := dec.Decode(&next); {
	case err == nil:
		p.addf(next.Line, "begins a second document: an inventory is one")
		return nil, false
	case !errors.Is(err, io.EOF):
		p.yaml(err, in.lines)
		return nil, false
	}
	root := doc.Content[0]
	if isNull(root) {
		p.addf(0, "is empty: an inventory names machines, their products and addresses")
		return nil, false
	}
	return root, true
}

// lineReader delivers one line at a time, so that it is known how far the YAML library has come.
type lineReader struct {
	rest  []byte
	lines int  // delivered, the current one included
	mid   bool // the last read ended inside a line
}

// Read implements io.Reader.
func (r *lineReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	if !r.mid {
		r.lines++
	}
	n := len(r.rest)
	if end := bytes.IndexByte(r.rest, '\n'); end >= 0 {
		n = end + 1
	}
	n = copy(p, r.rest[:n])
	r.mid = r.rest[n-1] != '\n'
	r.rest = r.rest[n:]
	return n, nil
}

// yamlError finds the line in a message of the YAML library, which carries it in the text only.
var yamlError = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^yaml: (?:line (\d+): )?`) })

// yaml notes an error of the YAML library, which had read so many lines. Its own line is that of the surrounding list
// or mapping where the next line does not fit into it.
func (p *problems) yaml(err error, lines int) {
	message := strings.ToValidUTF8(strings.Join(strings.Fields(err.Error()), " "), "?")
	line := lines
	if match := yamlError().FindStringSubmatch(message); match != nil {
		message = message[len(match[0]):]
		if own, err := strconv.Atoi(match[1]); err == nil && !strings.HasPrefix(message, "did not find expected") {
			line = own
		}
	}
	h := ""
	if strings.HasPrefix(message, "did not find expected") || strings.HasPrefix(message, "mapping values are not allowed") {
		h = ": check the indentation, and that brackets and quotes are closed"
	}
	p.addf(line, "is not YAML: %s%s", message, h)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// yamlReader turns nodes into a draft and notes what does not fit.
type yamlReader struct{ *problems }

// mapping calls the field's function for each key. A key without a value is as if it were not there.
func (r yamlReader) mapping(n *yaml.Node, what string, fields map[string]func(*yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		r.addf(n.Line, "%s is %s, not a mapping of %s", what, kind(n), spoken(fields))
		return
	}
	r.pairs(n, what, func(key, value *yaml.Node) {
		read, known := fields[key.Value]
		switch {
		case !known:
			r.addf(key.Line, "%s: key %s is not known%s", what, quote(key.Value), r.hint(key.Value, maps.Keys(fields)))
		case !isNull(value):
			read(value)
		}
	})
}

// pairs calls f for each key and value of a mapping, and notes keys that are given twice or are no text.
func (r yamlReader) pairs(n *yaml.Node, what string, f func(key, value *yaml.Node)) {
	lines := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			r.addf(key.Line, "%s: a key is %s, not text", what, kind(key))
			continue
		}
		if first := lines[key.Value]; first > 0 {
			r.addf(key.Line, "%s: key %s is given twice: first on line %d", what, quote(key.Value), first)
			continue
		}
		lines[key.Value] = key.Line
		f(key, n.Content[i+1])
	}
}

// list calls f for each element.
func (r yamlReader) list(n *yaml.Node, what string, f func(*yaml.Node)) {
	if n.Kind != yaml.SequenceNode {
		r.addf(n.Line, "%s is %s, not a list: write it in [ ] or one a line after -", what, kind(n))
		return
	}
	for _, e := range n.Content {
		f(e)
	}
}

// word reads a scalar, in whatever spelling YAML has for its type.
func (r yamlReader) word(n *yaml.Node, what string) word {
	if n.Kind != yaml.ScalarNode {
		r.addf(n.Line, "%s is %s, not text", what, kind(n))
		return word{}
	}
	return word{n.Value, n.Line}
}

// words reads a list of scalars.
func (r yamlReader) words(n *yaml.Node, what string) []word {
	var list []word
	r.list(n, what, func(n *yaml.Node) {
		switch w := r.word(n, "an element of "+what); {
		case isNull(n):
			r.addf(n.Line, "an element of %s is empty", what)
		case w.given():
			list = append(list, w)
		}
	})
	return list
}

func (r yamlReader) machine(n *yaml.Node) *draftMachine {
	m := &draftMachine{line: n.Line}
	what := "machine"
	if name := child(n, "name"); name != nil && name.Kind == yaml.ScalarNode && !isNull(name) {
		m.name = word{name.Value, name.Line}
		what = "machine " + display(name.Value)
	}
	field := func(key string) string { return fmt.Sprintf("%s: %q", what, key) }
	into := func(w *word, key string) func(*yaml.Node) {
		return func(n *yaml.Node) { *w = r.word(n, field(key)) }
	}
	before := r.seen()
	r.mapping(n, what, map[string]func(*yaml.Node){
		"name":       into(&m.name, "name"),
		"cluster":    into(&m.cluster, "cluster"),
		"site":       into(&m.site, "site"),
		"managed-by": into(&m.managedBy, "managed-by"),
		"managed":    into(&m.managed, "managed"),
		"products":   func(n *yaml.Node) { m.products = r.words(n, field("products")) },
		"uses":       func(n *yaml.Node) { m.uses = r.words(n, field("uses")) },
		"addresses": func(n *yaml.Node) {
			r.list(n, field("addresses"), func(n *yaml.Node) { r.address(m, n, what) })
		},
	})
	m.broken = r.seen() > before
	return m
}

// address reads one address of a machine: the bare address, or a mapping.
func (r yamlReader) address(m *draftMachine, n *yaml.Node, machine string) {
	a := draftAddr{addr: word{line: n.Line}}
	before := r.seen()
	what := machine + ": an address"
	if n.Kind == yaml.ScalarNode {
		a.addr.text = n.Value
	} else {
		r.mapping(n, what, map[string]func(*yaml.Node){
			"address": func(n *yaml.Node) { a.addr = r.word(n, what) },
			"roles":   func(n *yaml.Node) { a.roles = r.words(n, what+`: "roles"`) },
			"plane":   func(n *yaml.Node) { a.plane = r.word(n, what+`: "plane"`) },
		})
	}
	if a.addr.text != "" || r.seen() == before {
		m.addrs = append(m.addrs, a)
	}
}

func (r yamlReader) network(n *yaml.Node) draftNetwork {
	w := draftNetwork{line: n.Line, prefix: word{line: n.Line}}
	before := r.seen()
	r.mapping(n, "network", map[string]func(*yaml.Node){
		"prefix": func(n *yaml.Node) { w.prefix = r.word(n, `network: "prefix"`) },
		"name":   func(n *yaml.Node) { w.name = r.word(n, `network: "name"`) },
		"roles":  func(n *yaml.Node) { w.roles = r.words(n, `network: "roles"`) },
		"plane":  func(n *yaml.Node) { w.plane = r.word(n, `network: "plane"`) },
	})
	w.broken = r.seen() > before
	return w
}

func (r yamlReader) ports(n *yaml.Node) []draftPort {
	var list []draftPort
	if n.Kind != yaml.MappingNode {
		r.addf(n.Line, `ports: is %s, not a mapping: write {R285: 1902}`, kind(n))
		return nil
	}
	r.pairs(n, "ports", func(key, value *yaml.Node) {
		if w := r.word(value, "ports: the port of "+quote(key.Value)); w.given() {
			list = append(list, draftPort{row: word{key.Value, key.Line}, port: w})
		}
	})
	return list
}

func (r yamlReader) vlans(n *yaml.Node) []draftVLAN {
	var list []draftVLAN
	if n.Kind != yaml.MappingNode {
		r.addf(n.Line, `vlans: is %s, not a mapping: write {110: vmotion}`, kind(n))
		return nil
	}
	r.pairs(n, "vlans", func(key, value *yaml.Node) {
		if w := r.word(value, "vlans: the plane of "+quote(key.Value)); w.given() {
			list = append(list, draftVLAN{id: word{key.Value, key.Line}, plane: w})
		}
	})
	return list
}

func (r yamlReader) view(n *yaml.Node) draftView {
	w := draftView{line: n.Line}
	before := r.seen()
	r.mapping(n, "capture", map[string]func(*yaml.Node){
		"file": func(n *yaml.Node) { w.file = r.word(n, `capture: "file"`) },
		"sees": func(n *yaml.Node) { w.sees = r.words(n, `capture: "sees"`) },
	})
	w.broken = r.seen() > before
	return w
}

// child returns the value of a key, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// kind says in words what a node is.
func kind(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode:
		return "an alias (refused: write the value out)"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "empty"
	}
	return "the text " + quote(n.Value)
}

// spoken lists the keys of a mapping.
func spoken(fields map[string]func(*yaml.Node)) string {
	return strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
}
