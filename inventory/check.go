package inventory

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"flowvet/catalog"
)

// maxName is the length in bytes above which a name is refused.
const maxName = 255

// vCenter is the role that managed-by asks for.
const vCenter catalog.Role = "vcenter-server"

// checker makes an inventory from a draft and notes what is wrong with it.
type checker struct {
	*problems
	words      *vocabulary
	v          *Inventory
	owners     map[netip.Addr]owner
	broadcasts map[netip.Addr]*Network
	places     map[string]int // line by site
	drafts     map[string]*draftMachine
	machines   map[string]*Machine
}

// newChecker returns a checker of an inventory in which nothing stands yet.
func newChecker(p *problems, words *vocabulary) *checker {
	own := *words
	own.problems = p
	return &checker{
		problems: p, words: &own, v: &Inventory{Name: p.file, Ports: map[string]uint16{}, VLANs: map[uint16]string{}},
		owners: map[netip.Addr]owner{}, broadcasts: map[netip.Addr]*Network{}, places: map[string]int{},
		drafts: map[string]*draftMachine{}, machines: map[string]*Machine{},
	}
}

// owner is the machine that has an address, and the line that says so.
type owner struct {
	machine string
	line    int
}

// check makes an inventory from a draft. What is wrong is noted; the inventory is usable only when nothing is.
func check(p *problems, d draft, c *catalog.Catalog) *Inventory {
	k := newChecker(p, newVocabulary(p, c))
	k.networks(d.networks)
	k.sites(d)
	for i, m := range d.machines {
		k.machine(i, m, d.hasSites)
	}
	k.v.Uses, _ = k.services("", d.uses)
	k.vlans(d.vlans)
	k.ports(d.ports)
	k.segments(d.segments)
	for _, w := range d.views {
		k.view(w)
	}
	k.managers(d.machines)
	if len(d.machines)+len(d.networks) == 0 && len(p.list) == 0 {
		k.addf(0, "names no machine and no network")
	}
	if len(p.list) == 0 {
		k.v.build(c)
		k.warn(d)
	}
	return k.v
}

// segments reads whether the same addresses may be other hosts in other VLANs.
func (k *checker) segments(w word) {
	switch {
	case !w.given() || w.text == "distinct":
	case w.text == "overlap":
		k.v.Overlapping = true
	default:
		k.addf(w.line, "segments %s: write overlap where VLANs use the same addresses, else distinct", display(w.text))
	}
}

func (k *checker) networks(list []draftNetwork) {
	lines := map[netip.Prefix]int{}
	for _, d := range list {
		if d.broken && d.prefix.text == "" {
			continue
		}
		what := "network " + display(d.prefix.text)
		n := &Network{Name: k.name("network", "name", d.name), Plane: k.plane(what, d.plane), Line: d.line}
		n.Roles = k.roles(what, d.roles, nil)
		prefix, err := parsePrefix(d.prefix.text)
		switch {
		case err != nil:
			k.addf(d.prefix.line, "network: %v", err)
			continue
		case lines[prefix] > 0:
			k.addf(d.prefix.line, "%s is given twice: first on line %d", what, lines[prefix])
			continue
		case len(d.roles) == 0 && !d.plane.given() && !d.broken:
			k.addf(d.line, "%s gives its addresses neither roles nor a plane", what)
		}
		n.Prefix, lines[prefix] = prefix, d.prefix.line
		k.v.Networks = append(k.v.Networks, n)
		if b, ok := broadcastOf(prefix); ok {
			k.broadcasts[b] = n
		}
	}
}

func (k *checker) sites(d draft) {
	for _, w := range d.sites {
		switch name := k.name("sites", "site", w); {
		case name == "":
		case k.places[name] > 0:
			k.addf(w.line, "site %s is given twice: first on line %d", quote(name), k.places[name])
		default:
			k.places[name] = w.line
			k.v.Sites = append(k.v.Sites, name)
		}
	}
}

func (k *checker) machine(i int, d *draftMachine, hasSites bool) {
	if strings.TrimSpace(d.name.text) == "" {
		if !d.broken {
			k.addf(d.line, "machine %d has no name", i+1)
		}
		return
	}
	what := "machine " + display(d.name.text)
	if first := k.drafts[d.name.text]; first != nil {
		k.addf(d.name.line, "%s is given twice: first on line %d", what, first.name.line)
		return
	}
	k.drafts[d.name.text] = d
	m := &Machine{
		Name: k.name(what, "name", d.name), Cluster: k.name(what, "cluster", d.cluster), Line: d.line,
		Site: k.name(what, "site", d.site), ManagedBy: d.managedBy.text, Products: k.products(what, d.products),
	}
	m.Uses, m.NotUses = k.services(what, d.uses)
	if hasSites && m.Site != "" && k.places[m.Site] == 0 {
		k.addf(d.site.line, "%s: site %s is not in sites%s", what, quote(m.Site), k.hint(m.Site, maps.Keys(k.places)))
	}
	k.managed(what, m, d)
	if len(d.addrs) == 0 && !d.broken {
		k.addf(d.line, "%s has no addresses", what)
	}
	for _, a := range d.addrs {
		if addr := k.address(what, m, a); addr != nil {
			m.Addrs = append(m.Addrs, addr)
		}
	}
	k.machines[m.Name] = m
	k.v.Machines = append(k.v.Machines, m)
}

// name checks a free name: printable, not empty, not too long.
func (k *checker) name(what, field string, w word) string {
	switch {
	case !w.given():
		return ""
	case strings.TrimSpace(w.text) != w.text || w.text == "":
		k.addf(w.line, "%s: %s %s is empty or has spaces around it", what, field, quote(w.text))
	case len(w.text) > maxName:
		k.addf(w.line, "%s: %s is longer than %d bytes", what, field, maxName)
	case strings.ContainsFunc(w.text, func(r rune) bool { return !unicode.IsPrint(r) }):
		k.addf(w.line, "%s: %s %s holds a character that cannot be printed", what, field, quote(w.text))
	default:
		return w.text
	}
	return ""
}

func (k *checker) plane(what string, w word) string {
	if !w.given() || slices.Contains(catalog.Planes(), w.text) {
		return w.text
	}
	h := k.hint(w.text, slices.Values(catalog.Planes()))
	if h == "" {
		h = ": it is one of " + strings.Join(catalog.Planes(), ", ")
	}
	k.addf(w.line, "%s: plane %s is not known%s", what, quote(w.text), h)
	return ""
}

func (k *checker) managed(what string, m *Machine, d *draftMachine) {
	if !d.managed.given() {
		return
	}
	switch d.managed.text {
	case "true":
	case "false":
		m.Unmanaged = true
		if d.managedBy.given() {
			k.addf(d.managed.line, "%s: managed: false and managed-by: %s contradict each other", what, display(d.managedBy.text))
		}
	default:
		k.addf(d.managed.line, "%s: managed %s is neither true nor false", what, quote(d.managed.text))
	}
}

func (k *checker) products(what string, list []word) []catalog.Deployed {
	var products []catalog.Deployed
	var roles []catalog.Role
	for _, w := range list {
		d, err := k.words.catalog.Deployed(w.text)
		if err != nil {
			k.addf(w.line, "%s: %v", what, err)
			continue
		}
		if slices.ContainsFunc(products, func(e catalog.Deployed) bool { return e.Family == d.Family }) {
			k.addf(w.line, "%s: product %s is given twice: one machine runs it in one version", what, quote(d.Family))
			continue
		}
		role, refined := k.words.catalog.RoleOf(d)
		for _, r := range []catalog.Role{role, refined} {
			if other, clash := k.clash(r, roles); clash {
				k.addf(w.line, "%s: product %s is a %s, which excludes the %s of its other products", what, quote(w.text), r, other)
				break
			}
		}
		products, roles = append(products, d), append(roles, role, refined)
	}
	return products
}

// clash returns the first role of a list that excludes r.
func (k *checker) clash(r catalog.Role, among []catalog.Role) (catalog.Role, bool) {
	i := slices.IndexFunc(among, func(s catalog.Role) bool { return r != "" && s != "" && exclusive(k.words.catalog, r, s) })
	if i < 0 {
		return "", false
	}
	return among[i], true
}

// roles looks roles up and checks them against each other. They stand in place of the machine's products' roles (a desktop
// with View 4.5 is a view-agent, not the broker), but for a product that is the host itself: its addresses stay a host's.
func (k *checker) roles(what string, list []word, products []catalog.Deployed) []Grant {
	var grants []Grant
	var known, ofProducts []catalog.Role
	for _, d := range products {
		if role, refined := k.words.catalog.RoleOf(d); refined != "" {
			ofProducts = append(ofProducts, role, refined)
		}
	}
	for _, w := range list {
		role, err := k.words.role(w.text)
		if err != nil {
			k.addf(w.line, "%s: %v", what, err)
			continue
		}
		if slices.Contains(known, role) {
			k.addf(w.line, "%s: role %q is given twice", what, role)
			continue
		}
		if other, clash := k.clash(role, known); clash {
			k.addf(w.line, "%s: roles %q and %q exclude each other on one address", what, other, role)
		} else if other, clash := k.clash(role, ofProducts); clash {
			k.addf(w.line, "%s: role %q excludes the role %q of its product", what, role, other)
		}
		known = append(known, role)
		grants = append(grants, Grant{Role: role, Confidence: Declared, Evidence: k.v.at(w.line)})
	}
	return grants
}

// services reads a list of services; "-service" is one that the machine takes no part in. For the whole site (what is
// empty) there is no such thing.
func (k *checker) services(what string, list []word) (uses, not []string) {
	prefix := what
	if what != "" {
		prefix += ": "
	}
	for _, w := range list {
		name, minus := strings.CutPrefix(w.text, "-")
		if err := k.words.service(name); err != nil {
			k.addf(w.line, "%s%v", prefix, err)
			continue
		}
		switch {
		case slices.Contains(uses, name) || slices.Contains(not, name):
			k.addf(w.line, "%sservice %q is given twice", prefix, name)
		case minus && what == "":
			k.addf(w.line, "service %q: only a machine can be taken out of a service", w.text)
		case minus:
			not = append(not, name)
		default:
			uses = append(uses, name)
		}
	}
	return uses, not
}

func (k *checker) address(what string, m *Machine, d draftAddr) *Addr {
	place := what + ": address " + display(d.addr.text)
	a := &Addr{Plane: k.plane(place, d.plane), Line: d.addr.line, Roles: k.roles(place, d.roles, m.Products)}
	addr, err := parseAddr(d.addr.text)
	if err != nil {
		k.addf(d.addr.line, "%s: %v", what, err)
		return nil
	}
	if n := k.broadcasts[addr]; n != nil {
		k.addf(d.addr.line, "%s is the broadcast address of network %s on line %d", place, n.Prefix, n.Line)
		return nil
	}
	switch first, taken := k.owners[addr]; {
	case taken && first.machine == m.Name:
		k.addf(d.addr.line, "%s is given twice: first on line %d", place, first.line)
		return nil
	case taken:
		k.addf(d.addr.line, "%s belongs to machine %s already, on line %d", place, display(first.machine), first.line)
		return nil
	}
	k.owners[addr] = owner{m.Name, d.addr.line}
	a.Addr = addr
	return a
}

// managers checks that every managed-by names a vCenter. Whether a machine is one can be said only when all its roles
// and products are known.
func (k *checker) managers(list []*draftMachine) {
	for _, d := range list {
		if !d.managedBy.given() || d.name.text == "" {
			continue
		}
		what := "machine " + display(d.name.text)
		manager := k.drafts[d.managedBy.text]
		switch {
		case manager == nil:
			k.addf(d.managedBy.line, "%s: managed-by: no machine is named %s%s", what, quote(d.managedBy.text),
				k.hint(d.managedBy.text, maps.Keys(k.drafts)))
		case manager == d:
			k.addf(d.managedBy.line, "%s: managed-by: names the machine itself", what)
		case len(k.list) == 0 && !k.isVCenter(d.managedBy.text):
			k.addf(d.managedBy.line, "%s: managed-by: machine %s is no vCenter: it has neither the product nor the role %s",
				what, display(d.managedBy.text), vCenter)
		}
	}
}

func (k *checker) isVCenter(name string) bool {
	m := k.machines[name]
	return slices.ContainsFunc(m.Addrs, func(a *Addr) bool {
		return slices.ContainsFunc(effectiveRoles(m, a, k.words.catalog, ""), func(g Grant) bool {
			return k.words.catalog.IsA(g.Role, vCenter)
		})
	})
}

func (k *checker) ports(list []draftPort) {
	for _, d := range list {
		row := k.words.catalog.Row(d.row.text)
		port, err := strconv.ParseUint(d.port.text, 10, 16)
		switch {
		case row == nil:
			k.addf(d.row.line, "ports: row %s is not known%s", quote(d.row.text), k.hint(d.row.text, k.rowIDs))
		case !row.Configurable:
			k.addf(d.row.line, "ports: row %s (%s %s) is not configurable: its port is always %s", row.ID, row.Product, row.Transport, row.Ports)
		case err != nil || port == 0:
			k.addf(d.port.line, "ports: row %s: %s: a port is a number from 1 to 65535", row.ID, quote(d.port.text))
		default:
			k.v.Ports[row.ID] = uint16(port)
		}
	}
}

// maxVLAN is the highest id of a VLAN (IEEE 802.1Q, 9.6); 0 says that a frame has none.
const maxVLAN = 4094

func (k *checker) vlans(list []draftVLAN) {
	for _, d := range list {
		what := "vlan " + display(d.id.text)
		id, err := strconv.ParseUint(d.id.text, 10, 16)
		if err != nil || id == 0 || id > maxVLAN {
			k.addf(d.id.line, "vlans: %s: an id is a number from 1 to %d", quote(d.id.text), maxVLAN)
			continue
		}
		k.v.VLANs[uint16(id)] = k.plane(what, d.plane)
	}
}

func (k *checker) rowIDs(yield func(string) bool) {
	for _, r := range k.words.catalog.Rows {
		if !yield(r.ID) {
			return
		}
	}
}

func (k *checker) view(d draftView) {
	w := View{File: d.file.text, Line: d.line}
	if _, err := path.Match(w.File, ""); err != nil {
		k.addf(d.file.line, "capture: file %s is no pattern: [ ] and \\ have a meaning in it", quote(w.File))
	}
	if len(d.sees) == 0 && !d.broken {
		k.addf(d.line, "capture: sees names nothing")
	}
	for _, s := range d.sees {
		if err := k.see(&w, s.text); err != nil {
			k.addf(s.line, "capture: sees: %v%s", err, k.hint(s.text, maps.Keys(k.drafts)))
		}
	}
	k.v.Views = append(k.v.Views, w)
}

// see adds a prefix, an address or a machine to a view. The error is a clause about the text.
func (k *checker) see(w *View, text string) error {
	prefix, err := parsePrefix(text)
	if a, errAddr := netip.ParseAddr(text); errAddr == nil && a.Zone() == "" {
		a = a.Unmap()
		prefix, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err == nil:
		w.Sees = append(w.Sees, prefix)
	case k.drafts[text] != nil:
		w.Names = append(w.Names, text)
	case strings.Contains(text, "/"):
		return err
	default:
		return fmt.Errorf("%s is neither a prefix nor a machine", quote(text))
	}
	return nil
}
