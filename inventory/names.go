package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"flowvet/catalog"
)

// vocabulary is what an inventory may name, by the catalogue in use.
type vocabulary struct {
	*problems
	catalog  *catalog.Catalog
	aliases  map[string][]catalog.Role // by folded alias
	services map[string][]*catalog.Row // if-used rows by service
}

func newVocabulary(p *problems, c *catalog.Catalog) *vocabulary {
	w := &vocabulary{problems: p, catalog: c, aliases: map[string][]catalog.Role{}, services: map[string][]*catalog.Row{}}
	for _, r := range c.Roles {
		for _, alias := range r.Aliases {
			if key := fold(alias); !slices.Contains(w.aliases[key], r.Role) {
				w.aliases[key] = append(w.aliases[key], r.Role)
			}
		}
	}
	for _, row := range c.Rows {
		if row.Class.Kind == catalog.IfUsed {
			w.services[row.Class.Of] = append(w.services[row.Class.Of], row)
		}
	}
	return w
}

// fold makes names equal that differ in case and spacing only: the document prints both "ESX Host" and "ESX host".
func fold(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// role returns the role of a name: canonical, or else as the document prints it. The error is a clause about the name.
func (w *vocabulary) role(name string) (catalog.Role, error) {
	if _, ok := w.catalog.RoleInfo(catalog.Role(name)); ok {
		return catalog.Role(name), nil
	}
	switch roles := w.aliases[fold(name)]; len(roles) {
	case 0:
		return "", fmt.Errorf("role %s is not known%s", quote(name), w.roleHint(name))
	case 1:
		return roles[0], nil
	default:
		return "", fmt.Errorf("role %s is printed for several roles: name one of %s", quote(name), roleList(roles))
	}
}

// roleHint proposes the nearest canonical name, or the role of the nearest printed name.
func (w *vocabulary) roleHint(name string) string {
	if h := w.hint(name, func(yield func(string) bool) {
		for _, r := range w.catalog.Roles {
			if !yield(string(r.Role)) {
				return
			}
		}
	}); h != "" {
		return h
	}
	if w.full() {
		return ""
	}
	if near := catalog.Nearest(fold(name), slices.Sorted(maps.Keys(w.aliases))); near != "" {
		return fmt.Sprintf(": did you mean %q?", w.aliases[near][0])
	}
	return ""
}

// service checks the name of an optional service. The error is a clause about the name.
func (w *vocabulary) service(name string) error {
	if _, ok := w.services[name]; ok {
		return nil
	}
	return fmt.Errorf("service %s is not known%s", quote(name), w.hint(name, maps.Keys(w.services)))
}

// exclusive reports whether one address cannot play both roles, by what they or their ancestors exclude.
func exclusive(c *catalog.Catalog, a, b catalog.Role) bool {
	return excludes(c, a, b) || excludes(c, b, a)
}

func excludes(c *catalog.Catalog, a, b catalog.Role) bool {
	return anyLineage(c, a, func(info catalog.RoleInfo) bool {
		return slices.ContainsFunc(info.Excludes, func(r catalog.Role) bool { return c.IsA(b, r) })
	})
}

// roleList lists roles for a message.
func roleList(roles []catalog.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// display returns a name of the file as it is where it is plain, else quoted: it is hostile text.
func display(name string) string {
	plain := name != "" && len(name) <= 60 && strings.IndexFunc(name, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:", r)
	}) < 0
	if plain {
		return name
	}
	return quote(name)
}
