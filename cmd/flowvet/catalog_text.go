package main

import (
	"fmt"
	"slices"
	"strings"

	"flowvet/catalog"
	"flowvet/report"
)

// list prints a line or two for each row, under a heading for each product.
func (p *program) list(rows []*catalog.Row) {
	product, errata := "", 0
	for _, r := range rows {
		if r.Product != product {
			if product != "" {
				fmt.Fprintln(p.stdout)
			}
			product = r.Product
			fmt.Fprintln(p.stdout, report.Terminal(product))
		}
		p.hang(fmt.Sprintf("  %-6s %-16s ", r.ID, service(r)), ends(r)+": "+r.Purpose)
		if r.Erratum {
			p.hang("         erratum: ", r.Note)
			errata++
		}
	}
	fmt.Fprintf(p.stdout, "\n%s, %d with an erratum.\n", count(len(rows), "row"), errata)
}

// service is the row's port with its transport: "902/udp", "2050-2250/tcp+udp".
func service(r *catalog.Row) string {
	return servicePort(r.Ports, r.Transport)
}

// servicePort writes ports with their transport.
func servicePort(ports catalog.Ports, t catalog.Transport) string {
	return ports.String() + "/" + strings.ToLower(strings.ReplaceAll(t.String(), "/", "+"))
}

// ends says who speaks to whom, as the document prints it; the arrow points to the end that listens.
func ends(r *catalog.Row) string {
	switch r.Listener {
	case catalog.Source:
		return r.TargetPrinted + " -> " + r.SourcePrinted
	case catalog.Either:
		return r.SourcePrinted + " <-> " + r.TargetPrinted
	}
	return r.SourcePrinted + " -> " + r.TargetPrinted
}

// wholeRow prints everything that is known of a row.
func (p *program) wholeRow(c *catalog.Catalog, r *catalog.Row) {
	fmt.Fprintf(p.stdout, "%s  %s  %s\n", report.Terminal(r.ID), report.Terminal(r.Product), service(r))
	for _, line := range rowFacts(r) {
		if line.text != "" {
			p.hang(fmt.Sprintf("  %-11s ", line.name), line.text)
		}
	}
	if r.OnWire {
		for _, text := range permits(c, r) {
			p.hang(fmt.Sprintf("  %-11s ", "permits"), text)
		}
	}
}

// permits says who may speak to whom by a row, each pair of roles once.
func permits(c *catalog.Catalog, r *catalog.Row) []string {
	var texts []string
	for _, permission := range c.Permissions(r) {
		text := fmt.Sprintf("%s -> %s, port %s", roles(permission.From), roles(permission.To), service(r))
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// fact is one line of what is known of a row.
type fact struct{ name, text string }

// rowFacts lists what is known of a row, in the order of print.
func rowFacts(r *catalog.Row) []fact {
	return []fact{
		{"purpose", r.Purpose},
		{"source", fmt.Sprintf("%s (%s)", r.SourcePrinted, roles(r.Source))},
		{"target", fmt.Sprintf("%s (%s)", r.TargetPrinted, roles(r.Target))},
		{"listens", listens(r)},
		{"printed", fmt.Sprintf("port %s, transport %s", r.PortsPrinted, r.TransportPrinted)},
		{"expected", expected(r)},
		{"runs on", planeWords(r.Plane)},
		{"also to", castWords(r)},
		{"reply", when(r.OneWay, "none, by its nature (over UDP)")},
		{"port", when(r.Configurable, "can be changed at the site")},
		{"on the wire", when(!r.OnWire, "never: both ends are one machine")},
		{"insecure", when(r.Insecure != "", "the document marks "+r.Insecure+" as insecure")},
		{"erratum", erratum(r)},
		{"note", when(!r.Erratum, r.Note)},
		{"rests on", r.Citation},
		{"document", fmt.Sprintf("%s, line %d", r.Origin.Document, r.Origin.Line)},
	}
}

// when returns the text if it holds.
func when(holds bool, text string) string {
	if holds {
		return text
	}
	return ""
}

// roles writes a role column: "hypervisor-host or vcenter-server".
func roles(column []catalog.Role) string {
	names := make([]string, len(column))
	for i, r := range column {
		names[i] = string(r)
	}
	return strings.Join(names, " or ")
}

// listens says which end listens.
func listens(r *catalog.Row) string {
	if r.Listener == catalog.Either {
		return "either end"
	}
	return "the " + r.Listener.String()
}

// expected says when the row is to be expected, and how often.
func expected(r *catalog.Row) string {
	var text string
	switch r.Class.Kind {
	case catalog.Optional:
		return "never: it may be there or not"
	case catalog.Internal:
		return "never: it stays inside one machine (" + r.Class.Of + ")"
	case catalog.Always:
		text = "always"
	case catalog.IfUsed:
		text = "where " + r.Class.Of + " is used"
	case catalog.During:
		text = "while " + r.Class.Of + " runs"
	}
	switch r.Each {
	case catalog.EachSource:
		text += ", of every source"
	case catalog.EachTarget:
		text += ", of every target"
	case catalog.EachAny:
		text += ", of any pair"
	}
	if r.Period > 0 {
		text += ", every " + r.Period.String()
	}
	if r.Group != "" {
		text += "; one of the group " + r.Group + " is enough"
	}
	return text
}

// planeWords says on which of a host's networks a row runs.
func planeWords(plane string) string {
	if plane == "" {
		return ""
	}
	return "the host's " + plane + " network"
}

// castWords names the multicast group a row is documented for.
func castWords(r *catalog.Row) string {
	if !r.Cast.IsValid() {
		return ""
	}
	if r.Cast == catalog.Broadcast {
		return "broadcasts"
	}
	return "the group " + r.Cast.String()
}

// erratum says how the document contradicts itself, and how else the row can be read.
func erratum(r *catalog.Row) string {
	if !r.Erratum {
		return ""
	}
	readings := make([]string, 0, len(r.Alt))
	for _, a := range r.Alt {
		readings = append(readings, reading(a))
	}
	if len(readings) == 0 {
		return r.Note
	}
	return r.Note + "; other reading: " + strings.Join(readings, ", or ")
}

// reading says one other way to read a row.
func reading(a catalog.Alt) string {
	switch {
	case a.Transport != 0:
		return "transport " + a.Transport.String()
	case len(a.Source) > 0:
		return "source " + roles(a.Source)
	case len(a.Target) > 0:
		return "target " + roles(a.Target)
	}
	return "the two ends exchanged"
}

// hang prints text after a label, wrapped at the width of the screen, further lines under the first word.
func (p *program) hang(label, text string) {
	indent := strings.Repeat(" ", len(label))
	line, empty := label, true
	for _, word := range strings.Fields(shown(text)) {
		if !empty && len(line)+1+len(word) > p.screen.width {
			fmt.Fprintln(p.stdout, line)
			line, empty = indent, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	fmt.Fprintln(p.stdout, line)
}
