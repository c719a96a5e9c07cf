package export

import (
	"fmt"
	"io"
	"strings"
	"time"

	"flowvet/catalog"
	"flowvet/report"
	"flowvet/safejson"
)

// oscalVersion is the version of the model (NIST OSCAL, component definition).
const oscalVersion = "1.1.3"

type oscalDocument struct {
	Definition oscalDefinition `json:"component-definition"`
}

type oscalDefinition struct {
	UUID       string           `json:"uuid"`
	Metadata   oscalMetadata    `json:"metadata"`
	Components []oscalComponent `json:"components"`
	Back       oscalBack        `json:"back-matter"`
}

type oscalMetadata struct {
	Title        string `json:"title"`
	LastModified string `json:"last-modified"`
	Version      string `json:"version"`
	OSCALVersion string `json:"oscal-version"`
}

type oscalComponent struct {
	UUID        string          `json:"uuid"`
	Type        string          `json:"type"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Props       []oscalProp     `json:"props"`
	Protocols   []oscalProtocol `json:"protocols"`
}

type oscalProtocol struct {
	UUID  string       `json:"uuid"`
	Name  string       `json:"name"`
	Title string       `json:"title"`
	Ports []oscalPorts `json:"port-ranges"`
}

type oscalPorts struct {
	Start     uint16 `json:"start"`
	End       uint16 `json:"end"`
	Transport string `json:"transport"`
}

type oscalProp struct {
	Name  string `json:"name"`
	NS    string `json:"ns"`
	Value string `json:"value"`
}

type oscalBack struct {
	Resources []oscalResource `json:"resources"`
}

type oscalResource struct {
	UUID        string      `json:"uuid"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Props       []oscalProp `json:"props"`
}

// OSCAL writes a component definition: a component for each product, whose protocols are its rows. UUIDs are of version 5:
// the same rows have the same.
func OSCAL(w io.Writer, c *catalog.Catalog, rows []*catalog.Row, o Options) error {
	d := oscalDefinition{
		UUID: report.UUID5("component-definition " + c.SHA256() + " " + rowList(rows)),
		Metadata: oscalMetadata{
			Title: "Documented ports of " + oscalText(productList(rows)), LastModified: o.AsOf.UTC().Format(time.RFC3339),
			Version: oscalText(o.Version), OSCALVersion: oscalVersion,
		},
		Components: []oscalComponent{},
	}
	for product, group := range byProduct(rows) {
		d.Components = append(d.Components, oscalComponentOf(c, product, group))
	}
	for _, s := range c.Sources {
		props := []oscalProp{own("sha256", s.SHA256)}
		if s.Unofficial {
			props = append(props, own("unofficial", "true"))
		}
		d.Back.Resources = append(d.Back.Resources, oscalResource{
			report.UUID5("catalogue " + s.SHA256), oscalText(s.Document), fmt.Sprintf("A catalogue of %d rows.", s.Rows), props,
		})
	}
	return safejson.WriteIndented(w, oscalDocument{d})
}

func oscalComponentOf(c *catalog.Catalog, product string, rows []*catalog.Row) oscalComponent {
	p, _ := c.Product(product)
	component := oscalComponent{
		UUID: report.UUID5("component " + product), Type: "software", Title: oscalText(product),
		Description: oscalText(fmt.Sprintf("What %s needs of the network, by %d documented rows.", product, len(rows))),
		Props:       []oscalProp{own("role", string(p.Role))},
	}
	marked := false
	for _, r := range rows {
		if r.Origin.Unofficial && !marked {
			marked = true
			component.Props = append(component.Props, own("unofficial", "true"))
		}
		protocol := oscalProtocol{
			UUID: report.UUID5("row " + r.Origin.Document + " " + r.ID), Name: oscalText(r.ID), Title: oscalText(r.Sentence() + unofficial(r.Origin.Unofficial)),
		}
		for _, t := range transports(r.Transport) {
			protocol.Ports = append(protocol.Ports, oscalPorts{r.Ports.Lo, r.Ports.Hi, t.String()})
		}
		component.Protocols = append(component.Protocols, protocol)
	}
	return component
}

// transports returns the single transports of a set.
func transports(set catalog.Transport) []catalog.Transport {
	var all []catalog.Transport
	for _, t := range []catalog.Transport{catalog.TCP, catalog.UDP} {
		if set.Has(t) {
			all = append(all, t)
		}
	}
	return all
}

// own is a property of flowvet's own.
func own(name, value string) oscalProp { return oscalProp{name, "urn:flowvet:oscal", oscalText(value)} }

// oscalText makes a string that the model takes: not empty, on one line, without spaces around it.
func oscalText(s string) string {
	if s = strings.TrimSpace(report.Terminal(s)); s == "" {
		return "-"
	}
	return s
}

// rowList names rows, so that two selections have different identifiers.
func rowList(rows []*catalog.Row) string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return strings.Join(ids, " ")
}

func productList(rows []*catalog.Row) string {
	var names []string
	for product := range byProduct(rows) {
		names = append(names, product)
	}
	return strings.Join(names, ", ")
}
