package inventory

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// readAnsible reads an inventory of Ansible, whichever form it has.
func (r *sourceReader) readAnsible(text []byte, meant map[string]string) {
	if isAnsibleYAML(firstLine(text)) {
		r.readAnsibleYAML(text, meant)
		return
	}
	r.readAnsibleINI(text, meant)
}

// readAnsibleYAML reads an Ansible inventory as YAML: a mapping of groups, each with "hosts", a mapping of hosts to their
// variables, and "children", a mapping of groups.
func (r *sourceReader) readAnsibleYAML(text []byte, meant map[string]string) {
	if elements(text) > maxElements {
		r.addf(0, "has more than %d lines and elements of lists", maxElements)
		return
	}
	root, ok := parseYAML(r.problems, bytes.TrimSpace(text))
	if !ok {
		return
	}
	x := newAnsible(r)
	x.mapping(root, "the inventory", func(key, value *yaml.Node) { x.yamlGroup(key, value) })
	x.finish(meant)
}

// mapping calls f for each key of a mapping. What is empty has none.
func (x *ansible) mapping(n *yaml.Node, what string, f func(key, value *yaml.Node)) {
	switch {
	case isNull(n):
	case n.Kind != yaml.MappingNode:
		x.addf(n.Line, "%s is %s, not a mapping", what, kind(n))
	default:
		for i := 0; i+1 < len(n.Content) && !x.full(); i += 2 {
			f(n.Content[i], n.Content[i+1])
		}
	}
}

// yamlGroup reads a group: its hosts, and the groups in it.
func (x *ansible) yamlGroup(name, n *yaml.Node) {
	g := x.group(name.Value, name.Line)
	x.mapping(n, "group "+quote(name.Value), func(key, value *yaml.Node) {
		switch key.Value {
		case "hosts":
			x.mapping(value, `"hosts"`, func(host, variables *yaml.Node) {
				x.host(g, host.Value, scalarsOf(variables), host.Line)
			})
		case "children":
			x.mapping(value, `"children"`, func(child, n *yaml.Node) {
				g.children = append(g.children, child.Value)
				x.yamlGroup(child, n)
			})
		case "vars":
		default:
			x.addf(key.Line, "group %s: key %s is none of hosts, children, vars", quote(name.Value), quote(key.Value))
		}
	})
}

// scalarsOf returns the values of a mapping that are plain text.
func scalarsOf(n *yaml.Node) map[string]string {
	values := map[string]string{}
	if n.Kind != yaml.MappingNode {
		return values
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i+1].Kind == yaml.ScalarNode {
			values[n.Content[i].Value] = n.Content[i+1].Value
		}
	}
	return values
}
