package inventory

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"flowvet/catalog"
)

// WriteYAML writes the inventory as [Parse] reads it, ready to edit: beside each inferred role stands its confidence
// and evidence. A role of low confidence is commented out, and so is a machine of which nothing more is known. Reading
// it back gives the other machines and roles, as declared. An inferred inventory that recognised nobody is comments
// only, which say so: Parse refuses it.
func (v *Inventory) WriteYAML(w io.Writer) error {
	y := yamlWriter{Writer: bufio.NewWriter(w)}
	if v.Inferred {
		y.header(v)
	}
	y.machines(v)
	if len(v.Networks) > 0 {
		y.line("networks:")
	}
	for _, n := range v.Networks {
		y.network(n)
	}
	y.list("", "sites", v.Sites)
	y.list("", "uses", v.Uses)
	if v.Overlapping {
		y.line("segments: overlap")
	}
	if len(v.VLANs) > 0 {
		y.line("vlans:")
	}
	for _, id := range slices.Sorted(maps.Keys(v.VLANs)) {
		y.line("  %d: %s", id, scalar(v.VLANs[id]))
	}
	if len(v.Ports) > 0 {
		y.line("ports:")
	}
	for _, row := range slices.Sorted(maps.Keys(v.Ports)) {
		y.line("  %s: %d", scalar(row), v.Ports[row])
	}
	if len(v.Views) > 0 {
		y.line("capture:")
	}
	for _, view := range v.Views {
		y.view(view)
	}
	return y.Flush()
}

type yamlWriter struct {
	*bufio.Writer
	mark string // before every line: "# " comments out
}

// line writes one line. The first error is kept by the writer and returned by Flush.
func (y yamlWriter) line(format string, args ...any) { fmt.Fprintf(y, y.mark+format+"\n", args...) }

// commented returns a writer of comments: without the mark each line is what it would have been.
func (y yamlWriter) commented() yamlWriter {
	y.mark = "# "
	return y
}

// header says where the inventory comes from and how to go on.
func (y yamlWriter) header(v *Inventory) {
	y.line("# Inferred from captured traffic. Nothing here was said by a person: findings that rest on it are warnings at most.")
	y.line("# To go on:")
	y.line("#   1. give each machine its name and products, such as   products: [ESX 4.1]")
	y.line("#   2. put the addresses of one machine under one name; tag each with its plane (%s)", strings.Join(catalog.Planes(), ", "))
	y.line("#   3. correct the roles; roles and machines that are only guessed stand behind a #")
	y.line("#   4. flowvet inventory lint FILE, then flowvet check --inventory FILE ...")
	if !v.Recognised() {
		y.line("# No machine was recognised: this file cannot be used before one is named. Begin with this:")
		y.line("# machines:")
		y.line("#   - name: esx01")
		y.line("#     products: [ESX 4.1]")
		y.line("#     addresses: [192.0.2.11]")
	}
	for _, w := range v.Warnings {
		y.line("# note: %s", comment(w))
	}
}

func (y yamlWriter) machines(v *Inventory) {
	switch {
	case v.Recognised():
		y.line("machines:")
	case len(v.Machines) > 0:
		y.line("# What was guessed:")
		y.commented().line("machines:")
	}
	for _, m := range v.Machines {
		if m.guessed() {
			y.commented().machine(m, v.Inferred)
		} else {
			y.machine(m, v.Inferred)
		}
	}
}

func (y yamlWriter) machine(m *Machine, inferred bool) {
	y.line("  - name: %s", scalar(m.Name))
	products := make([]string, len(m.Products))
	for i, p := range m.Products {
		products[i] = p.String()
	}
	y.list("    ", "products", products)
	y.field("    ", "cluster", m.Cluster)
	y.field("    ", "site", m.Site)
	y.field("    ", "managed-by", m.ManagedBy)
	if m.Unmanaged {
		y.line("    managed: false")
	}
	uses := slices.Clone(m.Uses)
	for _, s := range m.NotUses {
		uses = append(uses, "-"+s)
	}
	y.list("    ", "uses", uses)
	y.line("    addresses:")
	for _, a := range m.Addrs {
		y.line("      - address: %s", scalar(a.Addr.String()))
		y.field("        ", "plane", a.Plane)
		y.roles("        ", a.Roles, inferred)
	}
}

func (y yamlWriter) network(n *Network) {
	y.line("  - prefix: %s", scalar(n.Prefix.String()))
	y.field("    ", "name", n.Name)
	y.field("    ", "plane", n.Plane)
	y.roles("    ", n.Roles, false)
}

func (y yamlWriter) view(v View) {
	sees := make([]string, len(v.Sees))
	for i, p := range v.Sees {
		sees[i] = p.String()
	}
	y.line("  - sees: [%s]", scalars(append(sees, v.Names...)))
	y.field("    ", "file", v.File)
}

// roles writes one role a line, with its evidence where it is inferred.
func (y yamlWriter) roles(indent string, roles []Grant, inferred bool) {
	if len(roles) == 0 {
		return
	}
	y.line("%sroles:", indent)
	for _, g := range roles {
		hint, why := "", ""
		if g.Confidence == Low && y.mark == "" {
			hint = "# "
		}
		if inferred {
			why = fmt.Sprintf(" # %s: %s", g.Confidence, comment(g.Evidence))
		}
		y.line("%s  %s- %s%s", indent, hint, roleScalar(g.Role), why)
	}
}

func roleScalar(r catalog.Role) string { return scalar(string(r)) }

func (y yamlWriter) field(indent, key, value string) {
	if value != "" {
		y.line("%s%s: %s", indent, key, scalar(value))
	}
}

func (y yamlWriter) list(indent, key string, values []string) {
	if len(values) > 0 {
		y.line("%s%s: [%s]", indent, key, scalars(values))
	}
}

func scalars(values []string) string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = scalar(v)
	}
	return strings.Join(list, ", ")
}

// plainScalar is text that YAML reads back as itself without quotes, in a block and in [ ].
var plainScalar = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9 ._/-]*[A-Za-z0-9._/-])?$`)

// scalar returns text as a YAML scalar. A JSON string is a double-quoted YAML scalar (YAML 1.2, section 10.2).
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
	default:
		if plainScalar.MatchString(s) {
			return s
		}
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(quoted)
}

// comment returns text that stays on one line of a comment.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}
