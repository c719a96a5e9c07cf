package inventory

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"flowvet/catalog"
)

// member is a machine of an inventory that is being merged into.
type member struct {
	facts
	node  *yaml.Node // in the inventory; nil: it came with an import
	name  said
	addrs []*memberAddr
}

// memberAddr is an address of a member.
type memberAddr struct {
	node  *yaml.Node // in the inventory; nil: it came with an import
	addr  netip.Addr
	at    Where
	plane said
	roles []said
	note  string // says so where the plane is guessed
	fresh bool   // came with an import

	guessed bool // the plane is
}

// facts merges what is said of a machine, but for what depends on other machines.
func (g *merger) facts(own *member, m *imported) {
	for f := range fields {
		if f != managedBy {
			g.value(own, f, m.single[f])
		}
	}
	for _, s := range m.products {
		g.product(own, s)
	}
	for _, s := range m.uses {
		g.uses(own, s)
	}
}

// value merges a field of one value.
func (g *merger) value(own *member, f field, s said) {
	switch kept := own.single[f]; {
	case !s.given() || kept.text == s.text:
	case kept.given():
		g.conflict(fmt.Sprintf("machine %s: %s", display(own.name.text), f), kept, s)
	default:
		g.attempt(own, s, func(m *member, s said) { m.single[f] = s })
	}
}

// product merges a product: one of another family is added, one of another version is a conflict.
func (g *merger) product(own *member, s said) {
	d, err := g.words.catalog.Deployed(s.text)
	if err != nil {
		g.refuse("machine "+display(own.name.text), err.Error(), s)
		return
	}
	for i, kept := range own.products {
		has, err := g.words.catalog.Deployed(kept.text)
		switch {
		case err != nil || has.Family != d.Family:
		case kept.fresh && has.Version == "":
			s.fresh = true
			own.products[i] = s
			return
		case sameVersion(has.Version, d.Version):
			return
		default:
			g.conflict("machine "+display(own.name.text)+": product", kept, s)
			return
		}
	}
	g.attempt(own, s, func(m *member, s said) { m.products = append(m.products, s) })
}

// sameVersion reports whether two versions agree as far as both go: 4.1, 4.1.0 and 4.x do. One that is not known agrees
// with what is, but is not as good.
func sameVersion(kept, other string) bool {
	if other == "" {
		return true
	}
	a, b := strings.Split(firstWord(kept), "."), strings.Split(firstWord(other), ".")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && a[i] != "x" && b[i] != "x" {
			return false
		}
	}
	return kept != ""
}

// uses merges a service that a machine uses, or takes no part in.
func (g *merger) uses(own *member, s said) {
	service := strings.TrimPrefix(s.text, "-")
	for _, kept := range own.uses {
		if strings.TrimPrefix(kept.text, "-") == service {
			if kept.text != s.text {
				g.conflict("machine "+display(own.name.text)+": uses", kept, s)
			}
			return
		}
	}
	g.attempt(own, s, func(m *member, s said) { m.uses = append(m.uses, s) })
}

// attempt adds something to a machine, unless the machine would be one that no inventory can have.
func (g *merger) attempt(own *member, s said, add func(*member, said)) {
	s.fresh = true
	trial := *own
	trial.products, trial.uses = slices.Clone(own.products), slices.Clone(own.uses)
	add(&trial, s)
	if why := g.objection(&trial); why != "" {
		g.refuse("left out "+quote(s.text), why, s)
		return
	}
	*own = trial
	g.touched[own] = true
}

// objection says what is wrong with a machine, its addresses aside; empty: nothing.
func (g *merger) objection(m *member) string {
	p := &problems{file: g.words.file}
	k := newChecker(p, g.words)
	k.places = g.places
	d := m.draft()
	d.addrs, d.broken = nil, true
	k.machine(0, d, len(g.places) > 0)
	if len(p.list) == 0 {
		return ""
	}
	return p.list[0].What
}

// draft returns the machine as a file would say it.
func (m *member) draft() *draftMachine {
	d := &draftMachine{
		name: m.name.word(), cluster: m.single[cluster].word(), site: m.single[site].word(),
		managedBy: m.single[managedBy].word(), managed: m.single[managed].word(),
		products: words(m.products), uses: words(m.uses), line: 1,
	}
	for _, a := range m.addrs {
		d.addrs = append(d.addrs, draftAddr{
			addr: word{a.addr.String(), 1}, plane: a.plane.word(), roles: words(a.roles),
		})
	}
	return d
}

// word returns what was said as a word of a file, on whatever line.
func (s said) word() word {
	if !s.given() {
		return word{}
	}
	return word{s.text, 1}
}

func words(all []said) []word {
	list := make([]word, len(all))
	for i, s := range all {
		list[i] = s.word()
	}
	return list
}

// manager merges who manages a machine. He is called as the inventory calls him.
func (g *merger) manager(own *member, s said) {
	if !s.given() {
		return
	}
	manager := g.byName(s.text)
	switch {
	case manager == own:
	case manager == nil || !g.isVCenter(manager):
		g.unmanaged[s.text]++
	default:
		s.text = manager.name.text
		g.value(own, managedBy, s)
	}
}

// isVCenter reports whether a machine plays the role that manages hosts.
func (g *merger) isVCenter(m *member) bool {
	return slices.ContainsFunc(g.played(m), func(r catalog.Role) bool { return g.words.catalog.IsA(r, vCenter) })
}

// played returns the roles of a machine's products and addresses.
func (g *merger) played(m *member) []catalog.Role {
	roles := g.ofProducts(m)
	for _, a := range m.addrs {
		for _, s := range a.roles {
			if role, err := g.words.role(s.text); err == nil {
				roles = append(roles, role)
			}
		}
	}
	return roles
}

// ofProducts returns the roles that a machine's products are.
func (g *merger) ofProducts(m *member) []catalog.Role {
	var roles []catalog.Role
	for _, s := range m.products {
		if d, err := g.words.catalog.Deployed(s.text); err == nil {
			if role, _ := g.words.catalog.RoleOf(d); role != "" {
				roles = append(roles, role)
			}
		}
	}
	return roles
}

// roles merges the roles that a source gives to addresses. Roles that a person has set stay as they are.
func (g *merger) roles(own *member, m *imported) {
	for _, a := range m.addrs {
		if g.owners[a.addr] == own {
			g.addrRoles(own, g.addrs[a.addr], a.roles)
		}
	}
	for _, a := range own.addrs {
		g.addrRoles(own, a, m.roles)
	}
}

// addrRoles merges roles into one address.
func (g *merger) addrRoles(own *member, a *memberAddr, roles []said) {
	var missing []said
	for _, s := range roles {
		if !g.plays(own, a, s) {
			missing = append(missing, s)
		}
	}
	if len(missing) == 0 {
		return
	}
	what := fmt.Sprintf("address %s of machine %s: roles", a.addr, display(own.name.text))
	for _, kept := range [][]said{a.roles, own.products} {
		if len(kept) > 0 && !(a.fresh && kept[0].fresh) {
			g.conflict(what, said{text: texts(kept), at: kept[0].at}, said{text: texts(missing), at: missing[0].at})
			return
		}
	}
	g.setRoles(own, a, missing)
}

// setRoles gives roles to an address. Named roles stand in place of those of the products, so these are named with them.
func (g *merger) setRoles(own *member, a *memberAddr, more []said) {
	roles := slices.Clone(a.roles)
	if len(roles) == 0 {
		for _, r := range g.ofProducts(own) {
			roles = append(roles, said{text: string(r), at: own.name.at, fresh: true})
		}
	}
	for _, s := range more {
		role, err := g.words.role(s.text)
		if err != nil {
			g.refuse("machine "+display(own.name.text), err.Error(), s)
			continue
		}
		s.text, s.fresh = string(role), true
		p := &problems{file: g.words.file}
		k := newChecker(p, g.words)
		k.roles("address "+a.addr.String(), words(append(slices.Clone(roles), s)), k.products("", words(own.products)))
		if len(p.list) > 0 {
			g.refuse("left out "+quote(s.text), p.list[0].What, s)
			continue
		}
		roles = append(roles, s)
		g.touched[own] = true
	}
	a.roles = roles
}

// plays reports whether an address has a role already, or one that is a kind of it.
func (g *merger) plays(own *member, a *memberAddr, s said) bool {
	wanted, err := g.words.role(s.text)
	if err != nil {
		return false
	}
	has := g.ofProducts(own)
	if len(a.roles) > 0 {
		has = nil
		for _, kept := range a.roles {
			if role, err := g.words.role(kept.text); err == nil {
				has = append(has, role)
			}
		}
	}
	return slices.ContainsFunc(has, func(r catalog.Role) bool { return g.words.catalog.IsA(r, wanted) })
}

// texts lists what was said, for a message.
func texts(all []said) string {
	list := make([]string, len(all))
	for i, s := range all {
		list[i] = s.text
	}
	return strings.Join(list, ", ")
}
