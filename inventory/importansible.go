package inventory

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"flowvet/catalog"
)

// Bounds of an Ansible inventory.
const (
	maxGroups    = 10_000
	maxGroupings = 1_000_000 // memberships of hosts and groups in groups
)

// ansible gathers what an Ansible inventory says, whether as INI or as YAML: hosts with their variables, groups with their
// hosts and groups.
type ansible struct {
	*sourceReader
	hosts     []*imported
	byName    map[string]*imported
	groups    map[string]*ansibleGroup
	groupings int
}

// ansibleGroup is a group of hosts and of other groups.
type ansibleGroup struct {
	hosts    []*imported
	children []string
}

func newAnsible(r *sourceReader) *ansible {
	return &ansible{sourceReader: r, byName: map[string]*imported{}, groups: map[string]*ansibleGroup{}}
}

// group returns the group of that name.
func (x *ansible) group(name string, line int) *ansibleGroup {
	g := x.groups[name]
	if g == nil {
		if g = (&ansibleGroup{}); len(x.groups) < maxGroups {
			x.groups[name] = g
		} else {
			x.addf(line, "names more than %d groups", maxGroups)
		}
	}
	return g
}

// host puts a host, or a range of them, into a group. Where its address is said, it is a machine with one.
func (x *ansible) host(g *ansibleGroup, pattern string, variables map[string]string, line int) {
	names, err := expand(pattern)
	if err != nil {
		x.addf(line, "host %s: %v", quote(pattern), err)
		return
	}
	for _, name := range names {
		m := x.byName[name]
		if m == nil {
			if bad := badName(name); bad != "" {
				x.addf(line, "host %s %s", quote(name), bad)
				return
			}
			m = &imported{name: said{text: name, at: x.where(line)}}
			x.byName[name] = m
			x.hosts = append(x.hosts, m)
		}
		g.hosts = append(g.hosts, m)
		if x.groupings++; x.groupings > maxGroupings || len(x.hosts) > maxImported {
			x.addf(line, "puts hosts into groups more than %d times", maxGroupings)
			return
		}
		x.address(m, variables, line)
	}
}

// address gives a host the address that its variables name, or that is its name.
func (x *ansible) address(m *imported, variables map[string]string, line int) {
	for _, text := range []string{variables["ansible_host"], variables["ansible_ssh_host"], m.name.text} {
		addr, err := netip.ParseAddr(strings.Trim(text, "[]"))
		if err != nil {
			continue
		}
		addr = addr.Unmap().WithZone("")
		if reason := noHost(addr); reason != "" {
			x.left[reason]++
			return
		}
		x.give(m, importedAddr{addr: addr, at: x.where(line)})
		return
	}
}

// finish gives the hosts of each group the role or product it is named for, and adds all hosts.
func (x *ansible) finish(meant map[string]string) {
	x.source.Groups = slices.Sorted(maps.Keys(x.groups))
	for _, name := range slices.Sorted(maps.Keys(meant)) {
		x.assign(name, meant[name])
	}
	for _, m := range x.hosts {
		x.add(m)
	}
}

// assign gives a role or a product to every host of a group and of the groups in it.
func (x *ansible) assign(group, meant string) {
	_, notRole := x.words.role(meant)
	seen := map[string]bool{}
	given := map[*imported]bool{}
	for rest := []string{group}; len(rest) > 0; rest = rest[1:] {
		g := x.groups[rest[0]]
		if seen[rest[0]] || g == nil {
			continue
		}
		seen[rest[0]] = true
		rest = append(rest, g.children...)
		for _, m := range g.hosts {
			switch {
			case given[m]:
			case notRole == nil:
				m.roles = append(m.roles, said{text: meant, at: m.name.at})
			default:
				m.products = append(m.products, said{text: meant, at: m.name.at})
			}
			given[m] = true
		}
	}
}

// CheckGroups refuses a meaning of a group that is neither a role nor a product. The error names the nearest role.
func CheckGroups(groups map[string]string, c *catalog.Catalog) error {
	words := newVocabulary(&problems{}, c)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		_, notRole := words.role(groups[name])
		_, notProduct := c.Deployed(groups[name])
		if notRole != nil && notProduct != nil {
			return fmt.Errorf("%s=%s: neither a product nor a role: %w", name, groups[name], notRole)
		}
	}
	return nil
}

// readAnsibleINI reads an Ansible inventory as INI: hosts line by line under the name of their group in brackets, with
// variables behind; [group:children] holds groups, [group:vars] variables, which say nothing of who is who.
func (r *sourceReader) readAnsibleINI(text []byte, meant map[string]string) {
	x := newAnsible(r)
	g, kind := x.group("ungrouped", 1), ""
	number := 0
	for line := range bytes.Lines(text) {
		number++
		content := strings.TrimSpace(string(line))
		switch {
		case content == "" || content[0] == '#' || content[0] == ';':
		case sectionLine().MatchString(content):
			match := sectionLine().FindStringSubmatch(content)
			g, kind = x.group(match[1], number), strings.TrimSuffix(match[2], "hosts")
		case kind == "children":
			child := fieldsOf(content)[0]
			g.children = append(g.children, child)
			x.group(child, number)
		case kind == "":
			words := fieldsOf(content)
			x.host(g, withoutPort(words[0]), variablesOf(words[1:]), number)
		}
		if r.full() {
			return
		}
	}
	x.finish(meant)
}

// sectionLine is the line of a section: [group], [group:children], [group:vars].
var sectionLine = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\[([^:\[\]\s]+)(?::(children|vars|hosts))?\]\s*(?:[#;].*)?$`)
})

// fieldsOf splits a line into words as a shell does: quotes hold spaces, a # begins a comment. It returns at least one.
func fieldsOf(line string) []string {
	var words []string
	var b strings.Builder
	var quote rune
	end := func() {
		if b.Len() > 0 {
			words = append(words, b.String())
			b.Reset()
		}
	}
scan:
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(c)
		case c == '"' || c == '\'':
			quote = c
		case c == ' ' || c == '\t':
			end()
		case c == '#' && b.Len() == 0:
			break scan
		default:
			b.WriteRune(c)
		}
	}
	end()
	if len(words) == 0 {
		words = []string{""}
	}
	return words
}

// variablesOf reads words of the form name=value.
func variablesOf(words []string) map[string]string {
	variables := make(map[string]string, len(words))
	for _, w := range words {
		if name, value, ok := strings.Cut(w, "="); ok {
			variables[name] = value
		}
	}
	return variables
}

// withoutPort cuts off a port: of name:2222, and of [2001:db8::11]:2222. A range such as db[1:9] has no port in it.
func withoutPort(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return host
	}
	if a, err := netip.ParseAddrPort(host); err == nil {
		return a.Addr().String()
	}
	at := strings.LastIndexByte(host, ':')
	if at < 0 || strings.IndexByte(host[at:], ']') >= 0 {
		return host
	}
	if _, err := strconv.ParseUint(host[at+1:], 10, 16); err != nil {
		return host
	}
	return host[:at]
}
