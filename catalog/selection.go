package catalog

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unicode"
)

// Selection is a part of a catalogue: the rows of a product, or all of one source.
type Selection struct {
	Name    string // as the user names it
	Catalog *Catalog
	Rows    []*Row
	Sources []SourceInfo // that the rows are of
}

// BuiltIn is what the embedded catalogue of the vendor's document is called.
const BuiltIn = "built-in"

// Select returns what a name stands for: the built-in catalogue, one that comes along ("vsphere7", "vSphere-7"), a file, or
// a product with its version ("ESX 4.1", "ESX-4.x"). A product's rows are those of the built-in catalogue (unless builtin is
// false) and of the files; where these do not know the version, those of the first catalogue that comes along and does.
func Select(builtin bool, files []string, name string) (Selection, error) {
	if squash(name) == squash(BuiltIn) {
		c := Default()
		return Selection{name, c, c.Rows, c.Sources}, nil
	}
	for _, companion := range Companions() {
		if squash(companion) == squash(name) {
			return selectSource(files, name, companion)
		}
	}
	if _, err := os.Stat(name); err == nil {
		return selectSource(files, name, name)
	}
	return selectProduct(builtin, files, name)
}

// squash returns a name without what people write differently.
func squash(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, name)
}

// selectSource selects the rows of a file or a companion, which the other files may declare products and roles for.
func selectSource(files []string, name, source string) (Selection, error) {
	l := load(false, append(slices.DeleteFunc(slices.Clone(files), func(f string) bool { return f == source }), source))
	c, err := l.result()
	if err != nil {
		return Selection{}, err
	}
	rows := slices.DeleteFunc(slices.Clone(c.Rows), func(r *Row) bool { return l.places[r].file != source })
	return Selection{name, c, rows, c.Sources[len(c.Sources)-1:]}, nil
}

// selectProduct selects the rows that apply to a product in a version.
func selectProduct(builtin bool, files []string, name string) (Selection, error) {
	var first error
	for _, more := range append([][]string{nil}, eachAlone(Companions())...) {
		if len(more) > 0 && slices.Contains(files, more[0]) {
			continue
		}
		l := load(builtin, slices.Concat(files, more))
		c, err := l.result()
		if err != nil {
			return Selection{}, err
		}
		s, err := c.selectDeployed(name)
		if err == nil {
			s.Sources = l.sourcesOf(s.Rows)
			return s, nil
		}
		if first == nil {
			first = err
		}
	}
	return Selection{}, first
}

func eachAlone(names []string) [][]string {
	var all [][]string
	for _, name := range names {
		all = append(all, []string{name})
	}
	return all
}

// selectDeployed selects the rows of this catalogue that apply to a product.
func (c *Catalog) selectDeployed(name string) (Selection, error) {
	d, err := c.Deployed(name)
	if err != nil {
		var dashed error
		if d, dashed = c.Deployed(strings.ReplaceAll(name, "-", " ")); dashed != nil {
			return Selection{}, fmt.Errorf("%w; nor is it a file, or one of %s, %s", err, BuiltIn, strings.Join(Companions(), ", "))
		}
	}
	s := Selection{Name: name, Catalog: c}
	for _, r := range c.Rows {
		if c.Cover(d, r.Product) == CoverFull {
			s.Rows = append(s.Rows, r)
		}
	}
	switch {
	case len(s.Rows) > 0:
		return s, nil
	case d.Version == "":
		return Selection{}, fmt.Errorf("%s: which version? %s", quote(name), strings.Join(c.versionsOf(d.Family), ", "))
	}
	return Selection{}, fmt.Errorf("%s: %w", quote(name), errNoRows)
}

var errNoRows = errors.New("no catalogue has rows for this version")

// versionsOf returns the products of a family.
func (c *Catalog) versionsOf(family string) []string {
	var names []string
	for _, p := range c.products.families[family] {
		names = append(names, p.Name)
	}
	return names
}

// sourcesOf returns the sources that rows are of.
func (l *loader) sourcesOf(rows []*Row) []SourceInfo {
	return slices.DeleteFunc(slices.Clone(l.catalog.Sources), func(s SourceInfo) bool {
		return !slices.ContainsFunc(rows, func(r *Row) bool {
			at, ofFile := l.places[r]
			return ofFile && at.file == s.Name || !ofFile && s.Name == BuiltIn
		})
	})
}
