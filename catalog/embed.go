package catalog

import (
	_ "embed" // for the data
	"strconv"
	"strings"
	"sync"
)

var (
	//go:embed ports.csv
	portsCSV []byte
	//go:embed roles.csv
	rolesCSV []byte
	//go:embed products.csv
	productsCSV []byte
	//go:embed services.csv
	servicesCSV []byte
)

// Default returns the embedded catalogue. It is read once.
func Default() *Catalog { return embedded() }

var embedded = sync.OnceValue(readEmbedded)

// readEmbedded reads the embedded data. A problem in it is a mistake in the build, found by every test: it panics.
func readEmbedded() *Catalog {
	l := &loader{
		catalog: &Catalog{rowNamed: make(map[string]*Row)},
		places:  make(map[*Row]place), origin: make(map[string]Origin),
	}
	c := l.catalog
	c.Roles = readRoles(&l.found)
	c.Products = readProducts(&l.found)
	c.Services = readServices(&l.found)
	l.add("ports.csv", portsCSV, false)
	l.finish()
	if _, err := l.result(); err != nil {
		panic(err)
	}
	c.Sources[0].Name = BuiltIn
	c.Sources[0].SHA256 = digest(portsCSV, rolesCSV, productsCSV, servicesCSV)
	return c
}

// readRoles returns the lines of roles.csv.
func readRoles(found *problems) []RoleInfo {
	columns := []string{"role", "parents", "aliases", "excludes", "vmware", "client", "means"}
	t, _ := readTable("roles.csv", rolesCSV, columns, columns, found)
	var list []RoleInfo
	for _, r := range t.records {
		list = append(list, RoleInfo{
			Role:     Role(t.cell(r, "role")),
			Parents:  roleList(t.cell(r, "parents")),
			Aliases:  split(t.cell(r, "aliases")),
			Excludes: roleList(t.cell(r, "excludes")),
			VMware:   t.cell(r, "vmware") == "y",
			Client:   t.cell(r, "client") == "y",
			Means:    t.cell(r, "means"),
		})
	}
	return list
}

// readProducts returns the lines of products.csv.
func readProducts(found *problems) []Product {
	columns := []string{"name", "family", "aliases", "min_major", "max_major", "role", "refines", "inherits"}
	t, _ := readTable("products.csv", productsCSV, columns, columns, found)
	var list []Product
	for _, r := range t.records {
		p := Product{
			Name:     t.cell(r, "name"),
			Family:   t.cell(r, "family"),
			Aliases:  split(t.cell(r, "aliases")),
			Role:     Role(t.cell(r, "role")),
			Refines:  Role(t.cell(r, "refines")),
			Inherits: t.cell(r, "inherits"),
		}
		var errMin, errMax error
		p.MinMajor, errMin = strconv.Atoi(t.cell(r, "min_major"))
		p.MaxMajor, errMax = strconv.Atoi(t.cell(r, "max_major"))
		if errMin != nil || errMax != nil {
			found.add(Problem{File: t.name, Line: r.line, Text: "a version is a number"})
		}
		list = append(list, p)
	}
	return list
}

// readServices returns the lines of services.csv.
func readServices(found *problems) []Service {
	columns := []string{"name", "kind", "insecure", "ports", "transport", "means"}
	t, _ := readTable("services.csv", servicesCSV, columns, columns, found)
	var list []Service
	for _, r := range t.records {
		s := Service{
			Name:     t.cell(r, "name"),
			Kind:     t.cell(r, "kind"),
			Insecure: t.cell(r, "insecure") == "y",
			Means:    t.cell(r, "means"),
		}
		var err error
		if s.Transport, err = parseTransport(t.cell(r, "transport")); err != nil {
			found.add(Problem{File: t.name, Line: r.line, Column: "transport", Text: err.Error()})
		}
		for _, text := range split(t.cell(r, "ports")) {
			ports, err := parsePorts(text)
			if err != nil {
				found.add(Problem{File: t.name, Line: r.line, Column: "ports", Text: err.Error()})
			}
			s.Ports = append(s.Ports, ports)
		}
		list = append(list, s)
	}
	return list
}

// split returns the parts of a|b|c, nil for the empty string.
func split(s string) []string {
	var parts []string
	for part := range strings.SplitSeq(s, "|") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

func roleList(s string) []Role {
	var list []Role
	for _, name := range split(s) {
		list = append(list, Role(name))
	}
	return list
}
