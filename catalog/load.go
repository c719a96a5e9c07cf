package catalog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Catalog is a set of rows with the roles and products they speak of. It never changes once loaded, and any number of
// goroutines may read it. It comes from [Default] or [Load]; the zero Catalog documents nothing.
type Catalog struct {
	Rows     []*Row // built-in first, then users' in the order given
	Roles    []RoleInfo
	Products []Product
	Services []Service
	Sources  []SourceInfo

	rowNamed    map[string]*Row
	permissions map[*Row][]*Permission
	printed     *portIndex
	alternative *portIndex
	roles       *roles
	products    *products
}

// SourceInfo names one document of the catalogue, for the report's header.
type SourceInfo struct {
	Name     string // "built-in" or the file
	Document string // what its rows cite
	Rows     int
	SHA256   string // of the data, hexadecimal
	// Unofficial marks a catalogue that comes with flowvet and is not the vendor's document: each of its rows cites what
	// it rests on.
	Unofficial bool
}

// Load returns the embedded catalogue (unless builtin is false) with further catalogues added: users' files, or embedded
// [Companions] by their names. The roles, products and services of the embedded one are there in any case. The error is
// the first [Problem].
func Load(builtin bool, files ...string) (*Catalog, error) {
	if builtin && len(files) == 0 {
		return Default(), nil
	}
	return load(builtin, files).result()
}

// loader puts a catalogue together and remembers where in the users' files everything stands.
type loader struct {
	catalog  *Catalog
	found    problems
	tables   []*table
	places   map[*Row]place
	roles    map[Role]place    // declared in a user's file
	products map[string]place  // declared in a user's file
	origin   map[string]Origin // the document that a file names
	base     *Catalog          // whose roles and products are there already; nil for the embedded catalogue itself
}

// place is a line of a file.
type place struct {
	file string
	line int
}

// newLoader begins with what is embedded, without its rows unless builtin.
func newLoader(builtin bool) *loader {
	base := Default()
	c := &Catalog{
		Roles:    append([]RoleInfo(nil), base.Roles...),
		Products: append([]Product(nil), base.Products...),
		Services: base.Services,
		rowNamed: make(map[string]*Row),
	}
	if builtin {
		c.Rows = append(c.Rows, base.Rows...)
		c.Sources = append(c.Sources, base.Sources...)
		for _, r := range c.Rows {
			c.rowNamed[r.ID] = r
		}
	}
	return &loader{
		base: base, catalog: c, places: make(map[*Row]place),
		roles: make(map[Role]place), products: make(map[string]place), origin: make(map[string]Origin),
	}
}

// load reads the files and puts the catalogue together.
func load(builtin bool, files []string) *loader {
	l := newLoader(builtin)
	for _, name := range files {
		companion, data, err := open(name)
		if err != nil {
			l.found.files = append(l.found.files, name)
			l.found.add(Problem{File: name, Text: err.Error()})
			continue
		}
		l.add(name, data, companion)
	}
	l.finish()
	return l
}

// open returns the content of a companion, by its name, or of a file.
func open(name string) (companion bool, data []byte, err error) {
	if data, ok := companionData(name); ok {
		return true, data, nil
	}
	data, err = readFile(name)
	if err != nil && !strings.ContainsAny(name, `./\`) {
		err = fmt.Errorf("%w: neither a file nor one of %s", err, strings.Join(Companions(), ", "))
	}
	return false, data, err
}

// readFile returns a file's content, one byte more than the limit at most.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, reason(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	return data, reason(err)
}

// reason returns the cause of a file error without the path, which every message has already.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// add splits one catalogue into lines and takes its declarations.
func (l *loader) add(name string, data []byte, unofficial bool) {
	l.found.files = append(l.found.files, name)
	t, ok := readRows(name, data, &l.found)
	if !ok {
		return
	}
	l.tables = append(l.tables, t)
	l.catalog.Sources = append(l.catalog.Sources, SourceInfo{
		Name: name, Document: filepath.Base(name), Rows: len(t.records), SHA256: digest(data), Unofficial: unofficial,
	})
	source := &l.catalog.Sources[len(l.catalog.Sources)-1]
	l.declare(t, source)
	l.origin[name] = Origin{Document: source.Document, Unofficial: source.Unofficial}
}

// readRows splits a catalogue in either form into records.
func readRows(name string, data []byte, found *problems) (*table, bool) {
	if isDocument(data) {
		return readDocument(name, data, found)
	}
	return readTable(name, data, requiredColumns, rowColumns, found)
}

// finish reads the rows, once every role and product is known.
func (l *loader) finish() {
	if !l.indexNames() {
		return
	}
	for _, t := range l.tables {
		l.readRows(t)
	}
	l.catalog.products.use(l.catalog.Rows)
}

// readRows adds the rows of one table. It gives up where no further error would be kept: each costs a search for the
// nearest word, 2 s for 50,000 rows.
func (l *loader) readRows(t *table) {
	for _, rec := range t.records {
		if l.found.full() {
			return
		}
		r, ok := readRow(l.catalog, t, rec, l.origin[t.name], &l.found)
		if !ok {
			continue
		}
		if other, taken := l.catalog.rowNamed[r.ID]; taken {
			l.found.add(Problem{
				File: t.name, Line: rec.line, Column: "id", Value: r.ID,
				Text: "is taken already", Hint: l.whereIs(other),
			})
			continue
		}
		l.catalog.rowNamed[r.ID] = r
		l.catalog.Rows = append(l.catalog.Rows, r)
		l.places[r] = place{t.name, rec.line}
	}
}

// whereIs says where a row was read.
func (l *loader) whereIs(r *Row) string {
	if at, ok := l.places[r]; ok {
		return fmt.Sprintf("by %s:%d", at.file, at.line)
	}
	return "by the embedded catalogue"
}

// indexNames makes roles and products known to the rows; false when a chain of them has no end.
func (l *loader) indexNames() bool {
	if l.base != nil && len(l.roles)+len(l.products) == 0 {
		l.catalog.roles, l.catalog.products = l.base.roles, l.base.products.unused()
		return true
	}
	var role Role
	if l.catalog.roles, role = newRoles(l.catalog.Roles); role != "" {
		at := l.roles[role]
		l.found.add(Problem{File: at.file, Line: at.line, Value: string(role), Text: "the role is its own ancestor"})
		return false
	}
	var product string
	if l.catalog.products, product = newProducts(l.catalog.Products); product != "" {
		at := l.products[product]
		l.found.add(Problem{File: at.file, Line: at.line, Value: product, Text: "the product inherits itself"})
		return false
	}
	l.checkDeclared()
	return true
}

// indexPorts makes the rows known to On, AltOn and Permissions.
func (l *loader) indexPorts() {
	c := l.catalog
	c.permissions = make(map[*Row][]*Permission, len(c.Rows))
	var printed, alternative []*Permission
	for _, r := range c.Rows {
		p, a := compile(r)
		c.permissions[r] = p
		printed, alternative = append(printed, p...), append(alternative, a...)
	}
	var ok, okAlt bool
	c.printed, ok = newIndex(printed)
	c.alternative, okAlt = newIndex(alternative)
	if !ok || !okAlt {
		l.found.add(Problem{
			File: l.found.files[len(l.found.files)-1],
			Text: "the port ranges of its rows overlap too much", Hint: "state fewer or narrower ranges",
		})
	}
}

// result returns the catalogue, or the first problem.
func (l *loader) result() (*Catalog, error) {
	if err := l.found.first(); err != nil {
		return nil, err
	}
	l.indexPorts()
	if err := l.found.first(); err != nil {
		return nil, err
	}
	return l.catalog, nil
}

// Row returns the row with the id, or nil.
func (c *Catalog) Row(id string) *Row { return c.rowNamed[id] }

// SHA256 returns one hexadecimal digest over all sources, in order: two catalogues with the same digest judge alike.
func (c *Catalog) SHA256() string {
	h := sha256.New()
	for _, s := range c.Sources {
		fmt.Fprintln(h, s.SHA256)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func digest(data ...[]byte) string {
	h := sha256.New()
	for _, d := range data {
		h.Write(d)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
