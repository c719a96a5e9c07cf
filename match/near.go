package match

import (
	"cmp"
	"slices"

	"flowvet/catalog"
)

// maxNear is how many nearest rows a finding shows.
const maxNear = 3

// near returns the rows that nearly document a conversation: on its port, in either transport, and in either direction,
// where at least one end fits. Broad and internal rows are no near miss.
func (j *judge) near(q question) []Near {
	var all []scored
	for _, t := range []catalog.Transport{catalog.TCP, catalog.UDP} {
		for _, p := range j.cat.On(t, q.port) {
			if p.Ports.Broad() || p.Row.Class.Kind == catalog.Internal {
				continue
			}
			if n, ok := j.score(p, q, t == q.proto, true); ok {
				all = append(all, n)
			}
			if n, ok := j.score(p, question{i: q.r, r: q.i}, t == q.proto, false); ok {
				all = append(all, n)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int {
		return cmp.Or(-cmp.Compare(a.score, b.score), cmp.Compare(a.Row.ID, b.Row.ID))
	})
	var best []Near
	for _, n := range all {
		if len(best) < maxNear && !slices.ContainsFunc(best, n.saysTheSame) {
			best = append(best, n.Near)
		}
	}
	return best
}

type scored struct {
	Near
	score int
}

// score holds one permission against the two ends, as asked or exchanged.
func (j *judge) score(p *catalog.Permission, q question, sameTransport, straight bool) (scored, bool) {
	x := j.read(p, q.i, q.r)
	from, to := x.from.founded(), x.to.founded()
	if !from && !to || !straight && !(from && to) {
		return scored{}, false
	}
	n := scored{Near: Near{
		Row: p.Row, PortOK: true, TransportOK: sameTransport, SourceOK: from, TargetOK: to, DirectionOK: straight,
		ProductOK: x.cover >= catalog.CoverUnknown, RelationOK: x.related,
	}}
	if p.Initiator == catalog.Target {
		n.SourceOK, n.TargetOK = to, from
	}
	for _, part := range []struct {
		ok     bool
		weight int
	}{{from, 4}, {to, 4}, {straight, 3}, {n.ProductOK, 2}, {sameTransport, 1}} {
		if part.ok {
			n.score += part.weight
		}
	}
	return n, true
}

// saysTheSame reports whether another near row differs in nothing but its product and id.
func (n scored) saysTheSame(m Near) bool {
	a, b := n.Row, m.Row
	return a.Ports == b.Ports && a.Transport == b.Transport && slices.Equal(a.Source, b.Source) &&
		slices.Equal(a.Target, b.Target) && n.DirectionOK == m.DirectionOK && n.TransportOK == m.TransportOK
}
