package report

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// listed is how many names of a group are spelled out before "and N more".
const listed = 3

// count says "1 packet" or "2 packets".
func count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	switch {
	case strings.HasSuffix(noun, "y"):
		noun = strings.TrimSuffix(noun, "y") + "ie"
	case strings.HasSuffix(noun, "ss"):
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// instant prints a time of a capture in UTC, to the second.
func instant(nanos int64) string { return time.Unix(0, nanos).UTC().Format("2006-01-02T15:04:05Z") }

// instantExact prints a time of a capture in UTC, to the nanosecond; 0 is no time.
func instantExact(nanos int64) string {
	if nanos == 0 {
		return ""
	}
	return time.Unix(0, nanos).UTC().Format("2006-01-02T15:04:05.000000000Z")
}

// between prints an interval and its length.
func between(first, last int64) string {
	length := time.Duration(last - first)
	if length < time.Second {
		return fmt.Sprintf("%s to %s (%s)", instant(first), instant(last), length.Round(time.Microsecond))
	}
	return fmt.Sprintf("%s to %s (%s)", instant(first), instant(last), seconds(length))
}

// seconds prints a length of time, to the second: "90s", "2h5m0s", "3d1h0m0s".
func seconds(d time.Duration) string {
	const day = 24 * time.Hour
	d = d.Round(time.Second)
	switch {
	case d < 10*time.Minute:
		return fmt.Sprintf("%ds", int64(d.Seconds()))
	case d < 2*day:
		return d.String()
	}
	return fmt.Sprintf("%dd%s", d/day, d%day)
}

// some lists a few names and counts the rest.
func some(names []string, most int, last string) string {
	return someOf(names, most, last, func(name string) string { return name })
}

// someMore is some of names, of which so many more are not given.
func someMore(names []string, most, more int, last string) string {
	if more == 0 {
		return some(names, most, last)
	}
	shown := names[:min(len(names), most)]
	return fmt.Sprintf("%s and %d more", strings.Join(shown, ", "), len(names)-len(shown)+more)
}

// someOf is some for what must be named first: of 65,000 services eight are.
func someOf[T any](all []T, most int, last string, name func(T) string) string {
	shown := len(all)
	if most > 0 {
		shown = min(shown, most)
	}
	names := each(all[:shown], name)
	switch {
	case len(all) == 0:
		return "nobody"
	case shown < len(all):
		return strings.Join(names, ", ") + fmt.Sprintf(" and %d more", len(all)-shown)
	case shown == 1:
		return names[0]
	}
	return strings.Join(names[:shown-1], ", ") + " " + last + " " + names[shown-1]
}

// reference prints a packet as file#frame; empty for no packet.
func reference(r *match.Result, o Options, ref capture.Ref) string {
	if ref.Frame == 0 {
		return ""
	}
	return fmt.Sprintf("%s#%d", Terminal(captureName(r, o, ref.File)), ref.Frame)
}

// captureName returns the name of a file by its index, unescaped.
func captureName(r *match.Result, o Options, file uint32) string {
	switch {
	case int64(file) < int64(len(o.Files)):
		return o.Files[file]
	case int64(file) < int64(len(r.Captures)):
		return r.Captures[file].Name
	}
	return fmt.Sprintf("file-%d", file)
}

// endName prints an end of a conversation: "esx01 (10.0.0.11)", or the address of one that is no machine.
func endName(a netip.Addr, p *inventory.Placed) string {
	switch {
	case p.Machine != nil:
		return fmt.Sprintf("%s (%s)", Terminal(p.Machine.Name), a)
	case p.Network != nil && p.Network.Name != "":
		return fmt.Sprintf("%s (of %s)", a, Terminal(p.Network.Name))
	}
	return a.String()
}

// shortName is endName without the address of a machine.
func shortName(a netip.Addr, p *inventory.Placed) string {
	if p.Machine != nil {
		return Terminal(p.Machine.Name)
	}
	return a.String()
}

// machineName prints a machine with its address on a plane, or with its first one.
func machineName(m *inventory.Machine, plane string) string {
	if len(m.Addrs) == 0 {
		return Terminal(m.Name)
	}
	at := m.Addrs[0]
	for _, a := range m.Addrs {
		if plane != "" && a.Plane == plane {
			at = a
			break
		}
	}
	return fmt.Sprintf("%s (%s)", Terminal(m.Name), at.Addr)
}

func machineNames(machines []*inventory.Machine, plane string) []string {
	names := make([]string, len(machines))
	for i, m := range machines {
		names[i] = machineName(m, plane)
	}
	return names
}

// rolesOf returns the names of the granted roles, sorted.
func rolesOf(grants []inventory.Grant) []string {
	names := make([]string, len(grants))
	for i, g := range grants {
		names[i] = string(g.Role)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func roleNames(roles []catalog.Role) []string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = Terminal(string(r))
	}
	return names
}

// service prints a port with its transport: "902/udp".
func service(p capture.Proto, port uint16) string { return fmt.Sprintf("%d/%s", port, p) }

// rowService prints what a row allows: "2050-2250/udp", "8100/tcp+udp".
func rowService(r *catalog.Row) string { return r.Ports.String() + "/" + rowTransport(r) }

func rowTransport(r *catalog.Row) string {
	return strings.ReplaceAll(strings.ToLower(r.Transport.String()), "/", "+")
}

// rowEnds prints the ends of a row as its document prints them.
func rowEnds(r *catalog.Row) string {
	return Terminal(r.SourcePrinted) + " -> " + Terminal(r.TargetPrinted)
}

// rowLine prints a row whole: id, product, port, ends.
func rowLine(r *catalog.Row) string {
	line := fmt.Sprintf("%s %s %s %s", Terminal(r.ID), Terminal(r.Product), rowService(r), rowEnds(r))
	if r.Origin.Unofficial {
		line += " (unofficial)"
	}
	return line
}

func rowIDs(rows []*catalog.Row) []string {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = Terminal(r.ID)
	}
	return ids
}

// declaredAt says where a person wrote an inventory line; empty where nobody did.
func declaredAt(v *inventory.Inventory, line int) string {
	switch {
	case v == nil || line == 0:
		return ""
	case v.Inferred:
		return ""
	}
	return fmt.Sprintf("%s:%d", Terminal(v.Name), line)
}

// yamlScalar prints a string so that YAML reads the same string back: plain where that is unmistakable, else quoted.
// Go's escapes of a quoted string are all YAML's too.
func yamlScalar(s string) string {
	if s == "" || len(s) > maxShown {
		return strconv.QuoteToASCII(Terminal(s))
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789-_./", r)) {
			return strconv.QuoteToASCII(s)
		}
	}
	if slices.Contains([]string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}, strings.ToLower(s)) {
		return strconv.Quote(s)
	}
	return s
}

// yamlAddr prints an address: an IPv4 one is plain, an IPv6 one would be taken for a mapping.
func yamlAddr(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	return strconv.Quote(a.String())
}
