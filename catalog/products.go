package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Product is one line of products.csv.
type Product struct {
	Name     string // as the document prints it: "ESX 4.x"
	Family   string // "ESX"
	Aliases  []string
	MinMajor int // versions covered, by the document's own numbering; 0,0 = every version
	MaxMajor int
	Role     Role   // the role that is the product
	Refines  Role   // the descendant a machine with the product plays (esx-classic, esxi), or empty
	Inherits string // the product whose rows it also has ("View 3.x"), or empty
}

// Deployed is a product that runs on a machine: "ESX 4.1".
type Deployed struct {
	Family  string // a family of products.csv
	Version string // "4.1"; empty when unknown
}

// String returns the product as an inventory writes it.
func (d Deployed) String() string { return strings.TrimSpace(d.Family + " " + d.Version) }

// Cover says how a deployed product stands to a row's product.
type Cover uint8

// How a deployed product stands to a row's product.
const (
	CoverNone    Cover = iota // another family
	CoverOther                // the family, in a version the row is not printed for
	CoverUnknown              // the family; the version is not declared, or in no catalogue in use
	CoverFull                 // the family in that version, or a family without versions
)

// Any reports whether the product covers every version of its family.
func (p Product) Any() bool { return p.MinMajor == 0 && p.MaxMajor == 0 }

// covers reports whether the product covers a major version.
func (p Product) covers(major int) bool { return p.Any() || p.MinMajor <= major && major <= p.MaxMajor }

// products is what a catalogue knows of products, for look-up.
type products struct {
	named    map[string]Product   // by exact name
	families map[string][]Product // by family, in the order of the lines
	family   map[string]string    // folded families and aliases to families
	names    []string             // families and aliases, for suggestions
	lineage  map[string][]string  // a product's name to itself and the products it inherits
	used     map[string]bool      // products that a row names, or that inherit one
}

// newProducts indexes list. A product that inherits itself is returned as circular.
func newProducts(list []Product) (ps *products, circular string) {
	ps = &products{
		named:    make(map[string]Product, len(list)),
		families: make(map[string][]Product),
		family:   make(map[string]string),
		lineage:  make(map[string][]string, len(list)),
		used:     make(map[string]bool, len(list)),
	}
	for _, p := range list {
		ps.named[p.Name] = p
		ps.families[p.Family] = append(ps.families[p.Family], p)
		for _, name := range append([]string{p.Family}, p.Aliases...) {
			if _, ok := ps.family[fold(name)]; !ok {
				ps.family[fold(name)] = p.Family
				ps.names = append(ps.names, name)
			}
		}
	}
	for _, p := range list {
		for name := p.Name; name != ""; name = ps.named[name].Inherits {
			if slices.Contains(ps.lineage[p.Name], name) {
				return ps, p.Name
			}
			ps.lineage[p.Name] = append(ps.lineage[p.Name], name)
		}
	}
	return ps, ""
}

// unused returns the same look-ups before any row was seen.
func (ps *products) unused() *products {
	fresh := *ps
	fresh.used = make(map[string]bool, len(ps.named))
	return &fresh
}

// use notes which products the rows speak of.
func (ps *products) use(rows []*Row) {
	printed := make(map[string]bool)
	for _, r := range rows {
		printed[r.Product] = true
	}
	for product, inherited := range ps.lineage {
		ps.used[product] = slices.ContainsFunc(inherited, func(name string) bool { return printed[name] })
	}
}

// inherits reports whether the product has the rows of the other, its own or inherited.
func (ps *products) inherits(product, other string) bool {
	return slices.Contains(ps.lineage[product], other)
}

// Product returns the product with that name, as the document prints it.
func (c *Catalog) Product(name string) (Product, bool) {
	if c.products == nil {
		return Product{}, false
	}
	p, ok := c.products.named[name]
	return p, ok
}

// versionForm is how a version is written: "4", "4.1", "4.x", "4.1 Update 2".
var versionForm = regexp.MustCompile(`^[0-9]{1,4}(\.([0-9]{1,8}|x))*( [A-Za-z0-9 ._-]{1,32})?$`)

// Deployed reads a product as an inventory names it: "ESX 4.1", "VirtualCenter 2.5", "View".
// The error names the nearest known product.
func (c *Catalog) Deployed(text string) (Deployed, error) {
	if c.products == nil {
		return Deployed{}, unknown("product", text, nil)
	}
	words := strings.Fields(text)
	if len(words) > 1 && strings.EqualFold(words[0], "VMware") {
		words = words[1:]
	}
	for n := len(words); n > 0; n-- {
		family, ok := c.products.family[fold(strings.Join(words[:n], " "))]
		if !ok {
			continue
		}
		rest := strings.Join(words[n:], " ")
		if rest == "" || versionForm.MatchString(rest) {
			return Deployed{Family: family, Version: rest}, nil
		}
		if rest[0] >= '0' && rest[0] <= '9' {
			return Deployed{}, fmt.Errorf("%s: bad version %s: a version is a number such as 4 or 4.1", quote(text), quote(rest))
		}
	}
	return Deployed{}, unknown("product", text, c.products.names)
}

// unknown returns the error for a name that is none of among: unknown role "esx-hots": did you mean "esx-host"?
func unknown(what, name string, among []string) error {
	words := strings.Fields(name)
	for len(words) > 1 && words[len(words)-1][0] >= '0' && words[len(words)-1][0] <= '9' {
		words = words[:len(words)-1]
	}
	if hint := suggest(strings.Join(words, " "), among); hint != "" {
		return fmt.Errorf("unknown %s %s: %s", what, quote(name), hint)
	}
	return fmt.Errorf("unknown %s %s", what, quote(name))
}

// major returns the leading number of a version; false when there is none.
func major(version string) (int, bool) {
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	n, err := strconv.Atoi(version[:end])
	return n, err == nil
}

// Known reports whether a catalogue in use covers the deployed version; a product without a version is known.
// A product is in use when a row names it or a product it inherits.
func (c *Catalog) Known(d Deployed) bool {
	if c.products == nil {
		return false
	}
	n, ok := major(d.Version)
	for _, p := range c.products.families[d.Family] {
		if c.products.used[p.Name] && (d.Version == "" || p.Any() || ok && p.covers(n)) {
			return true
		}
	}
	return false
}

// Cover says how a deployed product stands to a row's product, inheritance included.
func (c *Catalog) Cover(d Deployed, product string) Cover {
	p, ok := c.Product(product)
	if !ok {
		return CoverNone
	}
	n, versioned := major(d.Version)
	related := p.Family == d.Family
	for _, own := range c.products.families[d.Family] {
		if !c.products.inherits(own.Name, product) {
			continue
		}
		related = true
		if own.Any() || versioned && own.covers(n) {
			return CoverFull
		}
	}
	switch {
	case !related:
		return CoverNone
	case !versioned || !c.Known(d):
		return CoverUnknown
	}
	return CoverOther
}

// RoleOf returns the role that the deployed product is, and the descendant it refines that role to (or "").
// A version that no product covers plays the role of its family's first product.
func (c *Catalog) RoleOf(d Deployed) (role, refined Role) {
	if c.products == nil || len(c.products.families[d.Family]) == 0 {
		return "", ""
	}
	family := c.products.families[d.Family]
	p := family[0]
	if n, ok := major(d.Version); ok {
		if i := slices.IndexFunc(family, func(p Product) bool { return p.covers(n) }); i >= 0 {
			p = family[i]
		}
	}
	return p.Role, p.Refines
}
