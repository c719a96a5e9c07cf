// Package rules writes what the catalogue documents for one machine as the rules of a firewall: which ports to open, to
// and from whom, each with the ids of its rows.
//
// What is let through is what flowvet check calls documented between machines and networks of the inventory, on the plane
// of the row. Where anybody may be a client, because no network of the inventory has a client role, a rule says so and
// names no source. Names come from the inventory, and no format lets one become a rule: they stand in comments, escaped.
package rules

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
	"flowvet/report"
)

// Policy is the rules for one machine.
type Policy struct {
	Machine   *inventory.Machine
	Inventory *inventory.Inventory
	Catalog   *catalog.Catalog
	Openings  []match.Opening
	Required  bool   // only what the inventory requires
	Version   string // of flowvet, for the header
}

// For returns the policy of a machine of the inventory. With required, rows of class optional are left out, and those of
// services that the inventory does not say are used.
func For(c *catalog.Catalog, v *inventory.Inventory, m *inventory.Machine, required bool) *Policy {
	wanted := func(r *catalog.Row) bool {
		switch r.Class.Kind {
		case catalog.Optional:
			return !required
		case catalog.IfUsed:
			return !required || v.Requires(r.Class.Of, m)
		}
		return true
	}
	return &Policy{Machine: m, Inventory: v, Catalog: c, Openings: match.Openings(c, v, m, wanted), Required: required}
}

// Format writes a policy. The error is the writer's.
type Format func(io.Writer, *Policy) error

// Names returns the names of the formats, the default first.
func Names() []string { return []string{"nftables", "iptables", "cisco", "csv", "markdown"} }

// ByName returns the format with that name.
func ByName(name string) (Format, bool) {
	switch name {
	case "nftables":
		return NFTables, true
	case "iptables":
		return IPTables, true
	case "cisco":
		return Cisco, true
	case "csv":
		return CSV, true
	case "markdown":
		return Markdown, true
	}
	return nil, false
}

// header says what the rules are and rest on, a line each.
func (p *Policy) header() []string {
	what := "everything that the catalogue documents for it"
	if p.Required {
		what = "what the catalogue and the inventory require of it"
	}
	lines := []string{
		strings.TrimSpace("flowvet "+report.Terminal(p.Version)) + ": rules for " + report.Terminal(p.Machine.Name) + ": " + what + ".",
		"inventory " + report.Terminal(p.Inventory.Name) + fmt.Sprintf(", %d machines", len(p.Inventory.Machines)),
	}
	for _, s := range p.Catalog.Sources {
		lines = append(lines, fmt.Sprintf("catalogue %s, %d rows, sha256 %s", report.Terminal(s.Name), s.Rows, report.Terminal(s.SHA256)))
	}
	return lines
}

// split returns the openings to the machine and those from it.
func (p *Policy) split() (in, out []match.Opening) {
	n := slices.IndexFunc(p.Openings, func(o match.Opening) bool { return o.Out })
	if n < 0 {
		return p.Openings, nil
	}
	return p.Openings[:n], p.Openings[n:]
}

// service is "902/udp" or "2050-2250/tcp".
func service(o *match.Opening) string { return o.Ports.String() + "/" + transport(o) }

func transport(o *match.Opening) string { return strings.ToLower(o.Transport.String()) }

// describe says what an opening is for, by its first row, and what to think of.
func describe(o *match.Opening) string {
	text := service(o)
	if purpose := o.Rows[0].Purpose; purpose != "" {
		text += " " + report.Terminal(purpose)
	}
	for _, mark := range marks(o) {
		text += " [" + mark + "]"
	}
	return text
}

// marks returns what deserves a second look.
func marks(o *match.Opening) []string {
	var all []string
	for _, r := range o.Rows {
		if r.Insecure != "" {
			all = append(all, "insecure: "+report.Terminal(r.Insecure))
			break
		}
	}
	if o.Ports.Broad() {
		all = append(all, fmt.Sprintf("broad: %d ports", o.Ports.Len()))
	}
	if o.Any {
		all = append(all, "from any address")
	}
	if !slices.ContainsFunc(o.Rows, func(r *catalog.Row) bool { return !r.Erratum }) {
		all = append(all, "the document contradicts itself here")
	}
	return all
}

// ids lists the rows of an opening in at most limit bytes.
func ids(o *match.Opening, limit int) string {
	text := o.Rows[0].ID
	for i, r := range o.Rows[1:] {
		rest := fmt.Sprintf(" and %d more", len(o.Rows)-i-1)
		if len(text)+1+len(r.ID)+len(rest) > limit {
			return text + rest
		}
		text += " " + r.ID
	}
	return text
}

// allIDs lists all rows of an opening.
func allIDs(o *match.Opening) string {
	all := make([]string, len(o.Rows))
	for i, r := range o.Rows {
		all[i] = report.Terminal(r.ID)
	}
	return strings.Join(all, " ")
}

// peers lists the other ends: an address as such, a network with its length.
func peers(o *match.Opening) []string {
	all := make([]string, len(o.Peers))
	for i, p := range o.Peers {
		all[i] = prefix(p)
	}
	return all
}

func prefix(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
