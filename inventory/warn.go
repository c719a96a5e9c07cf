package inventory

import (
	"fmt"
	"slices"

	"flowvet/catalog"
)

// warn notes what can be used but is doubtful. The index must be built.
func (k *checker) warn(d draft) {
	for i, m := range k.v.Machines {
		what := "machine " + display(m.Name)
		for j, p := range m.Products {
			if !k.words.catalog.Known(p) {
				remedy := ""
				if companion := catalog.CompanionFor(p); companion != "" {
					remedy = ": --catalog " + companion + " covers it, unofficially"
				}
				k.warnf(d.machines[i].products[j].line,
					"%s: no catalogue in use covers %s: its traffic is judged by the product's other versions, version-unverified%s", what, p, remedy)
			}
		}
		roles := k.v.Roles(m)
		if len(roles) == 0 {
			k.warnf(m.Line, "%s plays no role: give it a product, or roles to its addresses", what)
		}
		for _, w := range d.machines[i].uses {
			if slices.Contains(m.Uses, w.text) && !k.takesPart(w.text, roles) {
				k.warnf(w.line, "%s uses %s, but plays no role in it", what, w.text)
			}
		}
	}
	k.warnServices(d)
}

func (k *checker) warnf(line int, format string, args ...any) {
	k.v.Warnings = append(k.v.Warnings, k.v.at(line)+": "+fmt.Sprintf(format, args...))
}

// takesPart reports whether one of the roles is an end of one of the service's rows.
func (k *checker) takesPart(service string, roles []Grant) bool {
	return slices.ContainsFunc(k.words.services[service], func(r *catalog.Row) bool {
		return k.plays(roles, r.Source) || k.plays(roles, r.Target)
	})
}

func (k *checker) plays(roles []Grant, wanted []catalog.Role) bool {
	return slices.ContainsFunc(roles, func(g Grant) bool {
		return slices.ContainsFunc(wanted, func(r catalog.Role) bool { return k.words.catalog.IsA(g.Role, r) })
	})
}

// warnServices notes each service that is declared as used while no row of it has somebody at both ends.
func (k *checker) warnServices(d draft) {
	first := map[string]int{}
	var order []string
	note := func(list []word, uses []string) {
		for _, w := range list {
			if slices.Contains(uses, w.text) && first[w.text] == 0 {
				first[w.text] = w.line
				order = append(order, w.text)
			}
		}
	}
	note(d.uses, k.v.Uses)
	for i, m := range k.v.Machines {
		note(d.machines[i].uses, m.Uses)
	}
	held := k.held()
	for _, service := range order {
		if lacking := k.lacking(service, held); len(lacking) > 0 {
			k.warnf(first[service], "service %q is used, but nobody plays %s", service, roleList(lacking))
		}
	}
}

// held returns every role that some machine or network plays.
func (k *checker) held() []Grant {
	var all []Grant
	add := func(grants []Grant) {
		for _, g := range grants {
			if !slices.ContainsFunc(all, func(h Grant) bool { return h.Role == g.Role }) {
				all = append(all, g)
			}
		}
	}
	for _, m := range k.v.Machines {
		add(k.v.Roles(m))
	}
	for _, n := range k.v.Networks {
		add(n.Roles)
	}
	return all
}

// lacking returns the roles without which no row of the service has anybody at both ends; none when a row has.
// A client role is always held: any address may play it.
func (k *checker) lacking(service string, held []Grant) []catalog.Role {
	var lacking []catalog.Role
	isHeld := func(end []catalog.Role) bool { return k.plays(held, end) || slices.ContainsFunc(end, k.isClient) }
	rows := k.words.services[service]
	for _, r := range rows {
		source, target := isHeld(r.Source), isHeld(r.Target)
		if source && target {
			return nil
		}
		for _, end := range [][]catalog.Role{r.Source, r.Target} {
			for _, role := range end {
				if !k.plays(held, []catalog.Role{role}) && !slices.Contains(lacking, role) && source != target {
					lacking = append(lacking, role)
				}
			}
		}
	}
	if len(lacking) == 0 && len(rows) > 0 {
		lacking = append(slices.Clone(rows[0].Source), rows[0].Target...)
	}
	slices.Sort(lacking)
	return slices.Compact(lacking)
}

func (k *checker) isClient(role catalog.Role) bool {
	return anyLineage(k.words.catalog, role, func(r catalog.RoleInfo) bool { return r.Client })
}
