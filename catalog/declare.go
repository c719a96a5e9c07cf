package catalog

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxDeclared bounds the roles and the products that users' catalogues may declare.
const maxDeclared = 1000

// directives are the comments that a catalogue file is read for.
var directives = []string{"document", "product", "role", "unofficial"}

// declare takes the document, roles and products that the comments of a table declare.
func (l *loader) declare(t *table, source *SourceInfo) {
	named := 0
	for _, r := range t.remarks {
		d := declaration{loader: l, file: t.name, line: r.line}
		switch r.key {
		case "document":
			if named++; named > 1 {
				d.fail(r.text, "a second document", "one file is one document")
			} else if r.text != "" {
				source.Document = r.text
			}
		case "unofficial":
			source.Unofficial = true
		case "role":
			d.role(r.text)
		case "product":
			d.product(r.text)
		default:
			if near := Nearest(r.key, directives); near != "" && distance([]rune(near), []rune(r.key)) <= 2 {
				d.warn(r.key, "the comment is not read", "did you mean "+quote("# "+near+":")+"?")
			}
		}
	}
}

// declaration is one comment that declares something.
type declaration struct {
	loader *loader
	file   string
	line   int
}

func (d declaration) fail(value, text, hint string) {
	d.loader.found.add(Problem{File: d.file, Line: d.line, Value: value, Text: text, Hint: hint})
}

func (d declaration) warn(value, text, hint string) {
	d.loader.found.add(Problem{File: d.file, Line: d.line, Value: value, Text: text, Hint: hint, Warning: true})
}

// role reads "NAME is-a PARENT|PARENT". The parents are checked once every role is declared.
func (d declaration) role(text string) {
	name, parents, _ := strings.Cut(text, " is-a ")
	role := Role(strings.TrimSpace(name))
	info := RoleInfo{Role: role, Parents: roleList(parents)}
	switch {
	case slices.ContainsFunc(d.loader.catalog.Roles, func(known RoleInfo) bool { return reflect.DeepEqual(known, info) }):
		return // catalogues that are used together may declare the same
	case !roleName.MatchString(string(role)):
		d.fail(string(role), "is no name for a role",
			"write # role: NAME is-a PARENT, the name in lower case such as backup-proxy")
		return
	case slices.ContainsFunc(d.loader.catalog.Roles, func(info RoleInfo) bool { return info.Role == role }):
		d.fail(string(role), "the role is known already", "")
		return
	case len(d.loader.roles) >= maxDeclared:
		d.fail(string(role), "is past the 1,000th role declared", "")
		return
	}
	d.loader.roles[role] = place{d.file, d.line}
	d.loader.catalog.Roles = append(d.loader.catalog.Roles, info)
}

// productName is what a product may be called: it stands in inventories and reports.
var productName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._/+()-]{0,63}$`)

// product reads "NAME, family F, versions A-B, role R, refines R, inherits P, aliases A|B". What it refers to is checked
// once everything is declared.
func (d declaration) product(text string) {
	parts := strings.Split(text, ",")
	p := Product{Name: strings.TrimSpace(parts[0])}
	p.Family = p.Name
	if !productName.MatchString(p.Name) {
		d.fail(p.Name, "is no name for a product", "write # product: NAME, family FAMILY, versions 7-7, role ROLE")
		return
	}
	if len(d.loader.products) >= maxDeclared {
		d.fail(p.Name, "is past the 1,000th product declared", "")
		return
	}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(part), " ")
		if !d.property(&p, key, strings.TrimSpace(value)) {
			return
		}
	}
	d.joinFamily(&p)
	for _, q := range d.loader.catalog.Products {
		if q.Name == p.Name {
			if !reflect.DeepEqual(p, q) {
				d.fail(p.Name, "the product is known already", "")
			}
			return
		}
	}
	d.loader.products[p.Name] = place{d.file, d.line}
	d.loader.catalog.Products = append(d.loader.catalog.Products, p)
}

// property sets one property of a product, and reports whether it could.
func (d declaration) property(p *Product, key, value string) bool {
	if value == "" {
		d.fail(key, "has no value", "write for example "+key+" …")
		return false
	}
	switch key {
	case "family":
		if !productName.MatchString(value) {
			d.fail(value, "is no name for a family", "")
			return false
		}
		p.Family = value
	case "versions":
		lo, hi, err := parseVersions(value)
		if err != nil {
			d.fail(value, err.Error(), "")
			return false
		}
		p.MinMajor, p.MaxMajor = lo, hi
	case "role":
		p.Role = Role(value)
	case "refines":
		p.Refines = Role(value)
	case "inherits":
		p.Inherits = value
	case "aliases":
		p.Aliases = split(value)
	default:
		d.fail(key, "is no property of a product",
			suggest(key, []string{"family", "versions", "role", "refines", "inherits", "aliases"}))
		return false
	}
	return true
}

// parseVersions reads a range of major versions, "7" or "6-7".
func parseVersions(text string) (lo, hi int, err error) {
	first, last, ranged := strings.Cut(text, "-")
	if !ranged {
		last = first
	}
	lo, errLo := strconv.Atoi(strings.TrimSpace(first))
	hi, errHi := strconv.Atoi(strings.TrimSpace(last))
	if errLo != nil || errHi != nil || lo < 1 || hi < lo || hi > 9999 {
		return 0, 0, fmt.Errorf("versions are major numbers such as 7 or 6-7")
	}
	return lo, hi, nil
}

// joinFamily gives a product the family's own spelling, and its role where none is named.
func (d declaration) joinFamily(p *Product) {
	for _, q := range d.loader.catalog.Products {
		names := append([]string{q.Family}, q.Aliases...)
		if !slices.ContainsFunc(names, func(name string) bool { return fold(name) == fold(p.Family) }) {
			continue
		}
		p.Family = q.Family
		if p.Role == "" {
			p.Role, p.Refines = q.Role, q.Refines
		}
		return
	}
}

// checkDeclared reports roles and products that refer to what nobody declared, and gives the declared roles their marks.
func (l *loader) checkDeclared() {
	for i := range l.catalog.Roles {
		info := &l.catalog.Roles[i]
		if at, declared := l.roles[info.Role]; declared {
			declaration{l, at.file, at.line}.checkRole(*info)
			l.mark(info)
		}
	}
	for _, p := range l.catalog.Products {
		if at, declared := l.products[p.Name]; declared {
			declaration{l, at.file, at.line}.checkProduct(p)
		}
	}
	l.catalog.roles, _ = newRoles(l.catalog.Roles)
}

// mark gives a declared role the marks of its ancestors; a role that is a product makes a VMware machine, too.
func (l *loader) mark(info *RoleInfo) {
	for _, ancestor := range l.catalog.roles.ancestors[info.Role] {
		above := l.catalog.roles.info[ancestor]
		_, declared := l.roles[ancestor]
		isProduct := func(p Product) bool { return p.Role == ancestor || p.Refines == ancestor }
		info.Client = info.Client || above.Client
		info.VMware = info.VMware || above.VMware || declared && slices.ContainsFunc(l.catalog.Products, isProduct)
	}
}

// checkRole reports the parents of a declared role that nobody declared.
func (d declaration) checkRole(info RoleInfo) {
	c := d.loader.catalog
	for _, parent := range info.Parents {
		if _, ok := c.RoleInfo(parent); !ok {
			d.fail(string(parent), "unknown role", suggest(string(parent), c.roles.names))
		}
	}
}

// checkProduct reports what a declared product refers to and nobody declared.
func (d declaration) checkProduct(p Product) {
	c := d.loader.catalog
	for _, role := range []Role{p.Role, p.Refines} {
		if _, ok := c.RoleInfo(role); !ok && role != "" {
			d.fail(string(role), "unknown role", suggest(string(role), c.roles.names))
		}
	}
	if p.Role == "" {
		d.fail(p.Name, "the product has no role", "add the role that is the product: role ROLE")
	}
	if p.Refines != "" && !c.IsA(p.Refines, p.Role) {
		d.fail(string(p.Refines), "is no descendant of "+quote(string(p.Role)),
			"a product refines its role to one of the role's kind")
	}
	if _, ok := c.Product(p.Inherits); !ok && p.Inherits != "" {
		d.fail(p.Inherits, "unknown product", suggest(p.Inherits, c.productNames()))
	}
	for _, alias := range p.Aliases {
		if family := c.products.family[fold(alias)]; family != p.Family {
			d.fail(alias, "is already a name of "+quote(family), "")
		}
	}
	for _, q := range c.products.families[p.Family] {
		if q.Any() != p.Any() {
			d.fail(p.Name, "the family has products with versions and without", "add the versions it covers: versions 7-7")
			return
		}
	}
}

// productNames returns the names of all products, as rows name them.
func (c *Catalog) productNames() []string {
	var names []string
	for _, p := range c.Products {
		names = append(names, p.Name)
	}
	return names
}
