package match

import (
	"slices"
	"strconv"
	"strings"

	"flowvet/catalog"
	"flowvet/inventory"
)

// fitKind says how an end comes to play a role that a row asks for.
type fitKind uint8

const (
	fitNone     fitKind = iota
	fitAncestor         // the end is known only as an ancestor of the role: hypervisor-host where esx-classic is asked for
	fitAssumed          // an address without any role, taken for a client
	fitFamily           // declared as another client of the family
	fitDeclared         // plays the role, or a descendant of it
)

// fit is how an end stands to the roles of one column of a row.
type fit struct {
	kind     fitKind
	role     catalog.Role // the role of the column that it plays
	inferred bool         // by a role that no person declared
}

// plays reports whether the end plays the role well enough for a row to document the conversation.
func (f fit) plays() bool { return f.kind >= fitAssumed }

// founded reports whether the fit may found a verdict other than documented.
func (f fit) founded() bool { return f.kind >= fitFamily }

// fits says how e stands to the roles of a column; a client role is played by the family only where e initiates.
func (j *judge) fits(e *end, want []catalog.Role, initiates bool) fit {
	best := fit{}
	better := func(f fit) {
		if f.kind > best.kind || f.kind == best.kind && best.inferred && !f.inferred {
			best = f
		}
	}
	for _, w := range want {
		for _, g := range e.roles {
			inferred := g.Confidence != inventory.Declared
			switch {
			case j.cat.IsA(g.Role, w):
				better(fit{fitDeclared, w, inferred})
			case j.cat.IsA(w, g.Role) && j.onlyKnownAs(e, g.Role):
				better(fit{fitAncestor, w, inferred})
			}
		}
		if !initiates || !j.clientRole(w) {
			continue
		}
		switch {
		case e.client:
			better(fit{fitFamily, w, e.inferred})
		case e.stranger && !j.restrictsClients:
			better(fit{fitAssumed, w, false})
		}
	}
	return best
}

// onlyKnownAs reports whether e holds no descendant of role: an ESXi host is not "perhaps ESX".
func (j *judge) onlyKnownAs(e *end, role catalog.Role) bool {
	for _, g := range e.roles {
		if g.Role != role && j.cat.IsA(g.Role, role) {
			return false
		}
	}
	return true
}

func (j *judge) clientRole(r catalog.Role) bool {
	info, ok := j.cat.RoleInfo(r)
	return ok && info.Client
}

// reading is one permission held against two ends.
type reading struct {
	perm     *catalog.Permission
	from, to fit
	cover    catalog.Cover
	related  bool // linked, remote and internal rows: the two machines stand as the row asks
}

// documents reports whether the permission documents a conversation between the two ends.
func (r *reading) documents() bool {
	return r.from.plays() && r.to.plays() && r.cover >= catalog.CoverUnknown && r.related
}

// founded reports whether neither end merely is assumed to be a client.
func (r *reading) founded() bool { return r.from.founded() && r.to.founded() }

// unverified reports whether the row is printed for certain versions and the end's version is not known.
func (j *judge) unverified(r *reading) bool {
	if r.cover != catalog.CoverUnknown {
		return false
	}
	p, ok := j.cat.Product(r.perm.Row.Product)
	return ok && p.MaxMajor != 0 || r.perm.Row.SourceMin+r.perm.Row.TargetMin > 0
}

// read holds a permission against an initiator and a responder.
func (j *judge) read(p *catalog.Permission, i, r *end) reading {
	x := reading{perm: p, from: j.fits(i, p.From, true), to: j.fits(r, p.To, false)}
	x.related = related(p.Row, i, r)
	if x.from.kind != fitNone || x.to.kind != fitNone {
		x.cover = j.cover(p, i, r, x.from, x.to)
	}
	return x
}

// related reports whether two ends stand to each other as the row's relation asks.
func related(row *catalog.Row, i, r *end) bool {
	same := sameMachine(i, r)
	if row.Class.Kind == catalog.Internal {
		return same
	}
	if same {
		return false
	}
	if row.Relation == catalog.Remote && i.machine != nil && r.machine != nil {
		a, b := i.machine.Site, r.machine.Site
		return a == "" || b == "" || a != b
	}
	return true
}

func sameMachine(i, r *end) bool {
	return i.addr == r.addr && i.addr.IsValid() || i.machine != nil && i.machine == r.machine
}

// cover says whether the product of the row is there, in the version it is printed for.
func (j *judge) cover(p *catalog.Permission, i, r *end, from, to fit) catalog.Cover {
	product, ok := j.cat.Product(p.Row.Product)
	if !ok {
		return catalog.CoverUnknown
	}
	iPlays, rPlays := j.cat.IsA(from.role, product.Role), j.cat.IsA(to.role, product.Role)
	var c catalog.Cover
	switch {
	case iPlays && rPlays:
		c = max(j.carries(i, product), j.carries(r, product)) // one end with the product is enough
	case iPlays:
		c = j.carries(i, product)
	case rPlays:
		c = j.carries(r, product)
	default:
		c = j.carriedAnywhere(product)
	}
	if c <= catalog.CoverOther {
		return c
	}
	src, dst := i, r
	if p.Initiator == catalog.Target {
		src, dst = r, i
	}
	return min(c, j.atLeast(src, p.Row.SourceMin, p.Row.Source), j.atLeast(dst, p.Row.TargetMin, p.Row.Target))
}

// carries says how the products of an end stand to a product, for an end that plays the product's role.
func (j *judge) carries(e *end, product catalog.Product) catalog.Cover {
	best, playing := catalog.CoverNone, false
	for _, d := range e.products {
		if role, _ := j.cat.RoleOf(d); role != product.Role {
			continue
		}
		playing = true
		best = max(best, j.cat.Cover(d, product.Name))
	}
	if !playing {
		return catalog.CoverUnknown
	}
	return best
}

// carriedAnywhere says whether any machine carries a product whose role neither end plays.
func (j *judge) carriedAnywhere(product catalog.Product) catalog.Cover {
	if c, ok := j.anywhere[product.Name]; ok {
		return c
	}
	best, declared := catalog.CoverNone, false
	for _, m := range j.inv.Machines {
		for _, d := range m.Products {
			declared = true
			best = max(best, j.cat.Cover(d, product.Name))
		}
		if e := j.machineEnd(m); best < catalog.CoverUnknown && slices.ContainsFunc(e.roles, func(g inventory.Grant) bool { return g.Role == product.Role }) {
			best = max(best, j.carries(e, product))
		}
	}
	if !declared {
		best = catalog.CoverUnknown
	}
	j.anywhere[product.Name] = best
	return best
}

// atLeast says whether an end has the major version that a row's ends column names: full, unknown, or other.
func (j *judge) atLeast(e *end, least int, roles []catalog.Role) catalog.Cover {
	if least == 0 {
		return catalog.CoverFull
	}
	best, playing := catalog.CoverOther, false
	for _, d := range e.products {
		role, refined := j.cat.RoleOf(d)
		if !slices.ContainsFunc(roles, func(w catalog.Role) bool { return j.cat.IsA(role, w) || refined != "" && j.cat.IsA(refined, w) }) {
			continue
		}
		playing = true
		switch major, ok := majorOf(d.Version); {
		case !ok:
			best = max(best, catalog.CoverUnknown)
		case major >= least:
			best = catalog.CoverFull
		}
	}
	if !playing {
		return catalog.CoverUnknown
	}
	return best
}

func majorOf(version string) (int, bool) {
	head, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(head)
	return n, err == nil
}
