package catalog

import (
	"fmt"
	"slices"
	"strings"
)

// Query asks for rows. Every field that is set must hold; the zero Query asks for all rows.
type Query struct {
	IDs       []string // any of these rows
	Ports     Ports    // the row's ports overlap these; zero for every port
	Transport Transport
	Product   string   // a product ("ESX 4.x"), a deployed one ("View 4.5": what applies to it) or a family ("ESX")
	Roles     []Role   // each stands at one of the row's ends, or a descendant or an ancestor of it does
	Words     []string // each stands in the row: its names as printed, its purpose, class, group or note
}

// ParseQuery reads the words of a command line: a port ("902", "902/udp", "2050-2250"), a transport, the id of a row, a
// product or a role, which may be several words and be named as the document prints it, or any word of a row's text. The
// error is for a word that is none of these, and names what is nearest.
func (c *Catalog) ParseQuery(words []string) (Query, error) {
	var q Query
	words = strings.Fields(strings.Join(words, " "))
	for len(words) > 0 {
		used, err := c.queryWords(&q, words)
		if err != nil {
			return Query{}, err
		}
		words = words[used:]
	}
	return q, nil
}

// queryWords adds what the first words say to q, and returns how many words that took.
func (c *Catalog) queryWords(q *Query, words []string) (int, error) {
	if used := c.queryName(q, words); used > 0 {
		return used, nil
	}
	text := words[0]
	switch ports, transport, err := parseService(text); {
	case c.rowFold(text) != nil:
		q.IDs = append(q.IDs, c.rowFold(text).ID)
	case err != nil:
		return 0, err
	case ports != Ports{} || transport != 0:
		if ports != (Ports{}) && q.Ports != (Ports{}) {
			return 0, fmt.Errorf("%s: one port a question", quote(text))
		}
		if ports != (Ports{}) {
			q.Ports = ports
		}
		q.Transport |= transport
	case c.mentions(text):
		q.Words = append(q.Words, text)
	default:
		return 0, unknown("port, product, role or row", text, c.vocabulary())
	}
	return 1, nil
}

// queryName reads the longest name of a product or a role that words begin with, and returns how many words that is.
func (c *Catalog) queryName(q *Query, words []string) int {
	for n := len(words); n > 0; n-- {
		name := strings.Join(words[:n], " ")
		if d, err := c.Deployed(name); err == nil && q.Product == "" && c.plausible(d) {
			q.Product = name
			return n
		}
		if role, err := c.RoleNamed(name); err == nil {
			q.Roles = append(q.Roles, role)
			return n
		}
	}
	return 0
}

// plausible reports whether a number after a product is its version, and no port: in "ESX 4.x 902" and "VUM 443" the last
// word is a port.
func (c *Catalog) plausible(d Deployed) bool {
	if d.Version == "" || strings.Contains(d.Version, ".") && !strings.Contains(d.Version, " ") {
		return true
	}
	n, ok := major(d.Version)
	covers := func(p Product) bool { return !p.Any() && p.covers(n) }
	return ok && !strings.Contains(d.Version, " ") && slices.ContainsFunc(c.products.families[d.Family], covers)
}

// parseService reads "902", "902/udp", "2050-2250/tcp" or "udp". Both results are zero for text of another form.
func parseService(text string) (Ports, Transport, error) {
	if t, err := parseTransport(text); err == nil {
		return Ports{}, t, nil
	}
	if text == "" || text[0] < '0' || text[0] > '9' {
		return Ports{}, 0, nil
	}
	number, transport, given := strings.Cut(text, "/")
	ports, err := parsePorts(number)
	if err != nil {
		return Ports{}, 0, fmt.Errorf("%s: %w", quote(text), err)
	}
	if !given {
		return ports, 0, nil
	}
	t, err := parseTransport(transport)
	if err != nil {
		return Ports{}, 0, fmt.Errorf("%s: %w", quote(text), err)
	}
	return ports, t, nil
}

// rowFold returns the row with the id, whatever its case, or nil.
func (c *Catalog) rowFold(id string) *Row {
	if r := c.Row(id); r != nil {
		return r
	}
	return c.Row(strings.ToUpper(id))
}

// mentions reports whether any row holds the word.
func (c *Catalog) mentions(text string) bool {
	return slices.ContainsFunc(c.Rows, func(r *Row) bool { return r.mentions(text) })
}

// vocabulary returns what a word may have been meant to be.
func (c *Catalog) vocabulary() []string {
	if c.products == nil || c.roles == nil {
		return nil
	}
	return slices.Concat(c.products.names, c.roles.names, c.ClassWords(IfUsed), c.ClassWords(During))
}

// Find returns the rows that a query asks for, in the order of the catalogue.
func (c *Catalog) Find(q Query) []*Row {
	ofProduct := c.productFilter(q.Product)
	var list []*Row
	for _, r := range c.Rows {
		if q.holds(r) && ofProduct(r) && c.plays(r, q.Roles) {
			list = append(list, r)
		}
	}
	return list
}

// holds reports whether a row is what the query asks for, product and roles aside.
func (q Query) holds(r *Row) bool {
	switch {
	case len(q.IDs) > 0 && !slices.Contains(q.IDs, r.ID):
		return false
	case q.Ports != Ports{} && (r.Ports.Hi < q.Ports.Lo || q.Ports.Hi < r.Ports.Lo):
		return false
	case q.Transport != 0 && r.Transport&q.Transport == 0:
		return false
	}
	for _, text := range q.Words {
		if !r.mentions(text) {
			return false
		}
	}
	return true
}

// productFilter returns whether a row is about a product: printed for it when it is a row's product, applying to it when
// it is a deployed product, printed for any of its versions when it is a family.
func (c *Catalog) productFilter(product string) func(*Row) bool {
	if product == "" {
		return func(*Row) bool { return true }
	}
	for _, name := range c.productNames() {
		if fold(name) == fold(product) {
			return func(r *Row) bool { return r.Product == name }
		}
	}
	d, err := c.Deployed(product)
	if err != nil {
		return func(*Row) bool { return false }
	}
	if d.Version != "" {
		return func(r *Row) bool { return c.Cover(d, r.Product) == CoverFull }
	}
	return func(r *Row) bool { return c.products.named[r.Product].Family == d.Family }
}

// plays reports whether each of the roles stands at an end of the row.
func (c *Catalog) plays(r *Row, roles []Role) bool {
	for _, role := range roles {
		kin := func(other Role) bool { return c.IsA(role, other) || c.IsA(other, role) }
		if !slices.ContainsFunc(r.Source, kin) && !slices.ContainsFunc(r.Target, kin) {
			return false
		}
	}
	return true
}

// mentions reports whether the row's text holds the word; case does not count.
func (r *Row) mentions(text string) bool {
	text = strings.ToLower(text)
	for _, cell := range []string{
		r.SourcePrinted, r.TargetPrinted, r.Purpose, r.Class.String(), r.Group, r.Product, r.Plane, r.Insecure, r.Note,
	} {
		if strings.Contains(strings.ToLower(cell), text) {
			return true
		}
	}
	return false
}

// ClassWords returns the services (IfUsed), operations (During) or products (Internal) that rows of a class name, sorted.
func (c *Catalog) ClassWords(kind ClassKind) []string {
	seen := make(map[string]int)
	for _, r := range c.Rows {
		if r.Class.Kind == kind && r.Class.Of != "" {
			seen[r.Class.Of]++
		}
	}
	return others(seen, "")
}
