package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
	"flowvet/report"
)

const explainUsage = `Usage: flowvet explain SOURCE DESTINATION PORT/TRANSPORT [FLAGS]

Answers without a capture: would this conversation be documented, by which row and for which versions, and if not, why
not and what would make it so? SOURCE begins it, DESTINATION listens on the port. Each is an address, a machine of the
inventory (then every address it has is asked for), a role (hypervisor-host) or a product ("ESX 4.1").

Exit status: 0 documented, 1 undocumented, 3 it cannot be said, or there is nothing to judge.

Examples:
  flowvet explain "ESX 4.1" "vCenter 4.1" 902/udp
      before there is an inventory
  flowvet explain vcenter01 esx01 902/tcp --inventory lab.yaml
      why was this undocumented?
  flowvet explain vcenter01 esx01 902/tcp --inventory lab.yaml --catalog addendum
      and with what the document leaves out?
  flowvet explain 10.20.7.77 esx01 22/tcp --inventory lab.yaml
      may this address open a shell?
`

// explainFlags is what the user asks of explain.
type explainFlags struct {
	inventory string
	catalogs  []string
	noBuiltin bool
	color     string
}

// explain says whether a conversation would be documented.
func (p *program) explain(args []string) (int, error) {
	var f explainFlags
	flags := newFlagSet("explain", explainUsage)
	flags.StringVar(&f.inventory, "inventory", "", "who is who: `FILE` in YAML or CSV")
	bindCatalogs(flags, &f.catalogs, &f.noBuiltin)
	flags.StringVar(&f.color, "color", "auto", "`WHEN` to colour the text: auto, always or never (default auto)")
	words, err := flags.parse(p, args)
	if err != nil {
		return statusGood, err
	}
	if err := oneOf("color", f.color, "auto", "always", "never"); err != nil {
		return statusUsage, err
	}
	if len(words) != 3 {
		return statusUsage, usagef("explain: SOURCE DESTINATION PORT/TRANSPORT are wanted, such as esx01 vcenter01 902/udp")
	}
	proto, port, err := readService(words[2])
	if err != nil {
		return statusUsage, err
	}
	g, questions, err := f.questions(words[0], words[1], proto, port)
	if err != nil {
		return statusUsage, err
	}
	r, err := match.Explain(g, questions)
	if err != nil {
		return statusUsage, usageError{err}
	}
	options := report.Options{Version: release, Width: p.screen.width, Color: p.screen.colour(f.color)}
	if err := p.writeTo("", func(w io.Writer) error { return report.Explain(w, r, options) }); err != nil {
		return statusOutput, err
	}
	status := explained(r)
	if status == statusFindings {
		err = p.adviseCompanions(&f, words, questions)
	}
	return status, err
}

// adviseCompanions names the catalogues that come along, are not in use, and would document what is asked for.
func (p *program) adviseCompanions(f *explainFlags, words []string, questions []match.Question) error {
	for _, name := range catalog.Companions() {
		if slices.Contains(f.catalogs, name) {
			continue
		}
		more := *f
		more.catalogs = append(slices.Clone(f.catalogs), name)
		g, _, err := more.questions(words[0], words[1], questions[0].Proto, questions[0].Port)
		if err != nil {
			continue // a catalogue of the user's may declare what the companion does, in its own way
		}
		r, err := match.Explain(g, questions)
		if err != nil {
			return err
		}
		for _, found := range r.Findings.All() {
			if found.Bucket() == match.Documented {
				row := found.Rows[0]
				p.hang("    settle   ", fmt.Sprintf("with --catalog %s it is documented by %s, unofficially: %s", name, row.ID, row.Purpose))
				break
			}
		}
	}
	return nil
}

// explained returns the status of an answer: that of the worst finding.
func explained(r *match.Result) int {
	status := statusUnjudged
	for _, f := range r.Findings.All() {
		switch f.Bucket() {
		case match.Undocumented:
			return statusFindings
		case match.Indeterminate:
			return statusUnjudged
		case match.Documented:
			status = statusGood
		}
	}
	return status
}

// readService reads "902/udp".
func readService(text string) (capture.Proto, uint16, error) {
	number, transport, _ := strings.Cut(text, "/")
	port, err := strconv.ParseUint(number, 10, 16)
	if err != nil || port == 0 {
		return 0, 0, usagef("explain: %s: a port is 1-65535 with its transport, such as 902/udp", text)
	}
	switch strings.ToLower(transport) {
	case "tcp":
		return capture.TCP, uint16(port), nil
	case "udp":
		return capture.UDP, uint16(port), nil
	}
	return 0, 0, usagef("explain: %s: with which transport? %d/tcp or %d/udp", text, port, port)
}

// questions reads who is meant, and asks for every pair of their addresses.
func (f *explainFlags) questions(source, destination string, proto capture.Proto, port uint16) (g match.Grounds, questions []match.Question, err error) {
	if g.Catalog, err = loadCatalog(!f.noBuiltin, f.catalogs); err != nil {
		return g, nil, err
	}
	g.Inventory, g.AsOf = new(inventory.Inventory), time.Unix(0, 0)
	if f.inventory != "" {
		if g.Inventory, err = inventory.Load(f.inventory, g.Catalog); err != nil {
			return g, nil, usageError{err}
		}
	}
	who := &speakers{inventory: g.Inventory, catalog: g.Catalog}
	from, err := who.addresses(source)
	if err != nil {
		return g, nil, err
	}
	to, err := who.addresses(destination)
	if err != nil {
		return g, nil, err
	}
	g.Inventory = g.Inventory.With(g.Catalog, who.standIns...)
	for _, a := range from {
		for _, b := range to {
			if a.Is4() == b.Is4() {
				questions = append(questions, match.Question{From: a, To: b, Proto: proto, Port: port})
			}
		}
	}
	if len(questions) == 0 {
		return g, nil, usagef("explain: %s and %s have no addresses of one family", source, destination)
	}
	return g, questions, nil
}

// speakers finds who speaks in a question. For roles and products there are stand-ins.
type speakers struct {
	inventory *inventory.Inventory
	catalog   *catalog.Catalog
	standIns  []*inventory.Machine
}

// addresses returns the addresses that a word means.
func (c *speakers) addresses(word string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(word); err == nil {
		return []netip.Addr{a.Unmap().WithZone("")}, nil
	}
	if m := c.inventory.Machine(word); m != nil {
		addrs := make([]netip.Addr, len(m.Addrs))
		for i, a := range m.Addrs {
			addrs[i] = a.Addr
		}
		return addrs, nil
	}
	m := &inventory.Machine{Name: fmt.Sprintf("%s (stand-in %d)", word, len(c.standIns)+1)}
	a := &inventory.Addr{Addr: c.free()}
	if role, err := c.catalog.RoleNamed(word); err == nil {
		a.Roles = []inventory.Grant{{Role: role, Confidence: inventory.Declared, Evidence: "the question"}}
	} else if product, err := c.catalog.Deployed(word); err == nil {
		m.Products = []catalog.Deployed{product}
	} else {
		return nil, usagef("explain: %s: no address, no machine of the inventory, no role and no product%s", word, didYouMean(word, c.names()))
	}
	m.Addrs = []*inventory.Addr{a}
	c.standIns = append(c.standIns, m)
	return []netip.Addr{a.Addr}, nil
}

// free returns an address for documentation (RFC 5737) that nothing in the inventory has.
func (c *speakers) free() netip.Addr {
	a := netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + len(c.standIns))})
	for {
		if _, taken := c.inventory.Place(a); !taken {
			return a
		}
		a = a.Next()
	}
}

// names returns what a word may mean besides an address.
func (c *speakers) names() []string {
	var names []string
	for _, m := range c.inventory.Machines {
		names = append(names, m.Name)
	}
	for _, r := range c.catalog.Roles {
		names = append(names, string(r.Role))
	}
	for _, p := range c.catalog.Products {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}
