package match

import (
	"cmp"
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// judge holds conversations against the catalogue. It knows who the ends are; it decides nothing by itself.
type judge struct {
	*directory
	machines         map[*inventory.Machine]*end
	anywhere         map[string]catalog.Cover // by product: what any machine carries
	ports            *portClasses
	rulings          *rulings
	planes           map[onPlane][]netip.Addr
	views            map[string][][]netip.Addr // the same by plane and the machine's number, of planes whose expectations are judged
	restrictsClients bool
	sees             view // what the user says every capture sees
}

func newJudge(c *catalog.Catalog, inv *inventory.Inventory) *judge {
	return &judge{
		directory: newDirectory(c, inv), machines: map[*inventory.Machine]*end{}, anywhere: map[string]catalog.Cover{},
		planes: map[onPlane][]netip.Addr{}, views: map[string][][]netip.Addr{},
		restrictsClients: inv.RestrictsClients(c),
	}
}

// findCasts finds the directed broadcast addresses of networks that nobody declared: IPv4 addresses that end in a set bit
// (those of every prefix up to /31 do), that datagrams in broadcast frames went to, that no declared prefix holds, and that
// never sent anything: a forged broadcast frame must not turn a machine into a group. It runs before any end is resolved.
func (j *judge) findCasts(captures []*capture.Capture) {
	for _, c := range captures {
		if c.Table.Stats.Broadcasts == 0 {
			continue
		}
		for g := range c.Table.GlanceIn(0, c.Table.Numbers()) {
			if g.Proto == capture.UDP && (g.From[0].Signs|g.From[1].Signs)&capture.Cast != 0 {
				a, b := g.Addrs()
				j.maybeCast(b, g.From[0].Signs)
				j.maybeCast(a, g.From[1].Signs)
			}
		}
	}
	if len(j.casts) == 0 {
		return
	}
	for _, c := range captures {
		for g := range c.Table.GlanceIn(0, c.Table.Numbers()) {
			a, b := g.Addrs()
			if g.From[0].Packets > 0 {
				delete(j.casts, a)
			}
			if g.From[1].Packets > 0 {
				delete(j.casts, b)
			}
		}
		for p := range c.Table.Others {
			delete(j.casts, p.From)
		}
	}
}

func (j *judge) maybeCast(to netip.Addr, sent capture.Signs) {
	if sent&capture.Cast == 0 || !to.Is4() || to.As4()[3]&1 == 0 {
		return
	}
	if _, placed := j.inv.Place(to); !placed {
		j.casts[to] = true
	}
}

// question is one reading of a conversation: i opened it to r's port.
type question struct {
	i, r    *end
	proto   catalog.Transport
	port    uint16
	certain bool // the basis is certain: the ends may be said to be the wrong way round
}

// ruling is the answer to a question, before direction and qualifiers.
type ruling struct {
	verdict    Verdict
	readings   []reading // what the verdict rests on, primary first
	allowed    []catalog.Role
	hypotheses []Hypothesis

	rows   []*catalog.Row // of the readings, without repeats
	near   []Near         // undocumented: nearest first
	marks  Qualifiers     // that ends, port and rows ask for
	anyway Qualifiers     // of these, what the ends and the port ask for whatever the verdict
}

// citeRows returns the rows of the readings, without repeats.
func citeRows(readings []reading) []*catalog.Row {
	var rows []*catalog.Row
	for _, x := range readings {
		if !slices.Contains(rows, x.perm.Row) {
			rows = append(rows, x.perm.Row)
		}
	}
	return rows
}

// decide judges one reading: the first verdict of docs/verdicts.md that applies. It never says direction-unconfirmed.
func (j *judge) decide(q question) ruling {
	if !q.i.vmware && !q.r.vmware {
		return ruling{verdict: OutOfScope}
	}
	if r, ok := j.documented(q); ok {
		return r
	}
	if sameMachine(q.i, q.r) {
		return ruling{verdict: OutOfScope}
	}
	if q.r.group {
		return ruling{verdict: GroupCast}
	}
	return j.undocumented(q)
}

// documented looks for rows that document the conversation.
func (j *judge) documented(q question) (ruling, bool) {
	if q.r.group {
		if cast := j.castRows(q); len(cast) > 0 {
			return ruling{verdict: VerdictDocumented, readings: cast}, true
		}
		return ruling{}, false
	}
	exact, broad := j.documents(q.i, q.r, q.proto, q.port)
	if len(exact) > 0 {
		return ruling{verdict: VerdictDocumented, readings: exact}, true
	}
	if own := j.overridden(q.i, q.r, q.proto, q.port); len(own) > 0 {
		return ruling{verdict: DocumentedOverride, readings: own}, true
	}
	if len(broad) > 0 {
		return ruling{verdict: DocumentedBroad, readings: broad}, true
	}
	return ruling{}, false
}

// documents returns the readings that document i to r on a port, most specific first, and apart those of broad rows.
func (j *judge) documents(i, r *end, t catalog.Transport, port uint16) (exact, broad []reading) {
	for _, p := range j.cat.On(t, port) {
		x := j.read(p, i, r)
		switch {
		case !x.documents():
		case p.Ports.Broad():
			broad = append(broad, x)
		default:
			exact = append(exact, x)
		}
	}
	sortReadings(exact)
	sortReadings(broad)
	return exact, broad
}

// sortReadings puts the primary row first: fewest ports, then a verified version, then the lowest id.
func sortReadings(xs []reading) {
	slices.SortStableFunc(xs, func(a, b reading) int {
		return cmp.Or(cmp.Compare(a.perm.Ports.Len(), b.perm.Ports.Len()), -cmp.Compare(a.cover, b.cover),
			cmp.Compare(a.perm.Row.ID, b.perm.Row.ID))
	})
}

// overridden returns the readings of configurable rows whose port the site has moved to this one.
func (j *judge) overridden(i, r *end, t catalog.Transport, port uint16) []reading {
	var own []reading
	for id, p := range j.inv.Ports {
		if p != port {
			continue
		}
		row := j.cat.Row(id)
		if row == nil || !row.Transport.Has(t) {
			continue
		}
		for _, perm := range j.cat.Permissions(row) {
			if x := j.read(perm, i, r); x.documents() {
				own = append(own, x)
			}
		}
	}
	sortReadings(own)
	return own
}

// castRows returns the readings of the sender's rows that name the group.
func (j *judge) castRows(q question) []reading {
	var cast []reading
	for _, p := range j.cat.On(q.proto, q.port) {
		if !q.r.addr.IsValid() || p.Row.Cast != q.r.addr {
			continue
		}
		x := reading{perm: p, from: j.fits(q.i, p.From, true), to: fit{kind: fitDeclared}, related: true}
		if !x.from.plays() {
			continue
		}
		if x.cover = j.cover(p, q.i, q.r, x.from, x.to); x.documents() {
			cast = append(cast, x)
		}
	}
	sortReadings(cast)
	return cast
}

// undocumented finds out why no row documents the conversation.
func (j *judge) undocumented(q question) ruling {
	here := j.readings(q.i, q.r, q.proto, q.port)
	if bad := keep(here, func(x reading) bool {
		return x.from.plays() && x.to.plays() && x.founded() && x.related && x.cover == catalog.CoverOther
	}); len(bad) > 0 {
		return ruling{verdict: WrongVersion, readings: bad}
	}
	founded := func(x reading) bool { return x.documents() && x.founded() }
	if q.certain {
		if back := keep(j.readings(q.r, q.i, q.proto, q.port), founded); len(back) > 0 {
			return ruling{verdict: WrongDirection, readings: back}
		}
	}
	if other := keep(j.readings(q.i, q.r, q.proto^(catalog.TCP|catalog.UDP), q.port), founded); len(other) > 0 {
		return ruling{verdict: WrongTransport, readings: other}
	}
	if r, ok := j.ambiguous(q, here); ok {
		return r
	}
	if r, ok := j.unknownEndpoint(q, here); ok {
		return r
	}
	return wrongEnd(here)
}

// readings holds every permission on a port, broad rows excepted, against two ends.
func (j *judge) readings(i, r *end, t catalog.Transport, port uint16) []reading {
	standing := j.cat.On(t, port)
	xs := make([]reading, 0, len(standing))
	for _, p := range standing {
		if !p.Ports.Broad() && p.Row.Class.Kind != catalog.Internal {
			xs = append(xs, j.read(p, i, r))
		}
	}
	return xs
}

func keep(xs []reading, want func(reading) bool) []reading {
	kept := xs[:0:0]
	for _, x := range xs {
		if want(x) {
			kept = append(kept, x)
		}
	}
	sortReadings(kept)
	return kept
}

// ambiguous looks for a row that would document the conversation if an end, known only as an ancestor, were the
// descendant.
func (j *judge) ambiguous(q question, here []reading) (ruling, bool) {
	could := keep(here, func(x reading) bool {
		a, b := x.from.kind, x.to.kind
		return (a == fitAncestor || b == fitAncestor) && (a == fitAncestor || x.from.plays()) &&
			(b == fitAncestor || x.to.plays()) && x.related && x.cover >= catalog.CoverUnknown
	})
	if len(could) == 0 {
		return ruling{}, false
	}
	r := ruling{verdict: AmbiguousRole, readings: could}
	for _, x := range could {
		if x.from.kind == fitAncestor {
			r.suppose(false, x.from.role, x.perm.Row)
		}
		if x.to.kind == fitAncestor {
			r.suppose(true, x.to.role, x.perm.Row)
		}
	}
	return r, true
}

// maxHypotheses bounds what a report proposes for one finding.
const maxHypotheses = 5

// suppose adds the hypothesis that an end plays role, once per role.
func (r *ruling) suppose(responder bool, role catalog.Role, row *catalog.Row) {
	if len(r.hypotheses) == maxHypotheses || slices.ContainsFunc(r.hypotheses, func(h Hypothesis) bool {
		return h.Responder == responder && h.Role == role
	}) {
		return
	}
	r.hypotheses = append(r.hypotheses, Hypothesis{Responder: responder, Role: role, Row: row})
}

// unknownEndpoint asks whether an end without a role could be given one that makes a row apply.
func (j *judge) unknownEndpoint(q question, here []reading) (ruling, bool) {
	if q.i.stranger == q.r.stranger || q.i.group {
		return ruling{}, false
	}
	r := ruling{verdict: UnknownEndpoint}
	for _, x := range here {
		known, roles := x.from, x.perm.To
		if q.i.stranger {
			known, roles = x.to, x.perm.From
		}
		if known.kind < fitFamily || !related(x.perm.Row, q.i, q.r) {
			continue
		}
		as := fit{kind: fitDeclared, role: roles[0]}
		if q.i.stranger {
			x.from = as
		} else {
			x.to = as
		}
		if x.cover = j.cover(x.perm, q.i, q.r, x.from, x.to); x.cover < catalog.CoverUnknown {
			continue
		}
		r.readings = append(r.readings, x)
	}
	sortReadings(r.readings) // what the products that are there ask for comes first
	slices.SortStableFunc(r.readings, func(a, b reading) int {
		return cmp.Or(j.ownRow(&b, q.r.stranger)-j.ownRow(&a, q.r.stranger), j.deployedRow(&b)-j.deployedRow(&a))
	})
	for _, x := range r.readings {
		roles := x.perm.To
		if q.i.stranger {
			roles = x.perm.From
		}
		for _, role := range roles {
			r.suppose(!q.i.stranger, role, x.perm.Row)
		}
	}
	return r, len(r.readings) > 0
}

// ownRow returns 1 where the known end of a reading, its initiator or its responder, is what the row's product is: ESX asks for
// a name server; that an ESX host may be asked as one of another product's is farther. Where products are not known, nothing
// else says so.
func (j *judge) ownRow(x *reading, initiator bool) int {
	known := x.to.role
	if initiator {
		known = x.from.role
	}
	if product, ok := j.cat.Product(x.perm.Row.Product); ok && j.cat.IsA(known, product.Role) {
		return 1
	}
	return 0
}

// deployedRow returns 1 where a machine of the inventory has the product of a reading's row, or no products are declared: nobody
// looks for a Lab Manager where there is an Update Manager.
func (j *judge) deployedRow(x *reading) int {
	if product, ok := j.cat.Product(x.perm.Row.Product); ok && j.carriedAnywhere(product) >= catalog.CoverUnknown {
		return 1
	}
	return 0
}

// wrongEnd tells a service that others may use, or that is documented elsewhere, from a port that is not listed.
func wrongEnd(here []reading) ruling {
	served := keep(here, func(x reading) bool {
		return x.to.founded() && !x.from.plays() && x.cover >= catalog.CoverUnknown
	})
	if len(served) > 0 {
		r := ruling{verdict: WrongSource, readings: served}
		for _, x := range served {
			r.allow(x.perm.From)
		}
		return r
	}
	used := keep(here, func(x reading) bool {
		return x.from.founded() && !x.to.plays() && x.cover >= catalog.CoverUnknown
	})
	if len(used) > 0 {
		r := ruling{verdict: WrongTarget, readings: used}
		for _, x := range used {
			r.allow(x.perm.To)
		}
		return r
	}
	return ruling{verdict: UnlistedPort}
}

func (r *ruling) allow(roles []catalog.Role) {
	for _, role := range roles {
		if !slices.Contains(r.allowed, role) {
			r.allowed = append(r.allowed, role)
		}
	}
}
