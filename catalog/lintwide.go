package catalog

import (
	"cmp"
	"slices"
)

// covered is what a row has in common with one that makes it needless.
type covered struct {
	way
	product              string
	relation             Relation
	sourceMin, targetMin int
	cast                 string
	class                string // empty: whatever it is
}

// reach is how far a row's range goes.
type reach struct {
	hi  uint16
	row *Row
}

// reaches is, of the ranges that begin at a port or before it, the one that goes furthest, and the furthest of another row.
type reaches struct {
	lo   uint16
	most [2]reach
}

// with returns x with what began before it.
func (x reaches) with(before reaches) reaches {
	all := slices.Concat(x.most[:], before.most[:])
	slices.SortStableFunc(all, func(a, b reach) int { return cmp.Compare(b.hi, a.hi) })
	x.most = [2]reach{all[0]}
	for _, c := range all {
		if c.row != nil && c.row != all[0].row {
			x.most[1] = c
			break
		}
	}
	return x
}

// warnNeedless warns of rows that let nothing pass that other rows of the product do not, for the same roles or wider ones:
// a vi-client is a client-pc. Rows about the very same roles are told by warnRepeated and warnShadowed.
func (l *loader) warnNeedless() {
	index := l.reaches()
	told := map[*Row]*Row{}
	for _, r := range l.catalog.Rows {
		if _, judged := l.places[r]; !judged {
			continue
		}
		if by := l.needlessBy(index, r); by != nil && told[by] != r { // of two that say the same one is told
			told[r] = by
			l.warn(r, "", r.ID, "lets pass what "+by.ID+" lets pass, for the same roles or wider ones",
				"leave it out, or say in its class when it is to be expected")
		}
	}
}

// needlessBy returns a row that makes r needless, the first where it takes several; nil: r is needed.
func (l *loader) needlessBy(index map[covered][]reaches, r *Row) (by *Row) {
	needless := true
	Selection{Catalog: l.catalog, Rows: []*Row{r}}.ways(func(w way, ports Ports, _ *Row) {
		wider := l.wider(index, r, w, ports)
		by, needless = cmp.Or(by, wider), needless && wider != nil
	})
	if !needless {
		return nil
	}
	return by
}

// reaches indexes the rows by what covers what.
func (l *loader) reaches() map[covered][]reaches {
	all := map[covered][]reaches{}
	Selection{Catalog: l.catalog, Rows: l.catalog.Rows}.ways(func(w way, ports Ports, r *Row) {
		for _, class := range []string{"", r.Class.String()} {
			key := keyOf(r, w, class)
			all[key] = append(all[key], reaches{ports.Lo, [2]reach{{ports.Hi, r}}})
		}
	})
	for _, list := range all {
		slices.SortStableFunc(list, func(a, b reaches) int { return cmp.Compare(a.lo, b.lo) })
		for i := 1; i < len(list); i++ {
			list[i] = list[i].with(list[i-1])
		}
	}
	return all
}

func keyOf(r *Row, w way, class string) covered {
	return covered{w, r.Product, r.Relation, r.SourceMin, r.TargetMin, r.castCell(), class}
}

// wider returns another row that lets a range of r pass; nil where there is none, or only one about the very same roles.
func (l *loader) wider(index map[covered][]reaches, r *Row, w way, ports Ports) *Row {
	class := r.Class.String()
	if r.Class.Kind == Optional {
		class = ""
	}
	for _, from := range l.catalog.lineOf(w.from) {
		for _, to := range l.catalog.lineOf(w.to) {
			list := index[keyOf(r, way{from, to, w.transport}, class)]
			n, _ := slices.BinarySearchFunc(list, int(ports.Lo)+1, func(x reaches, lo int) int { return cmp.Compare(int(x.lo), lo) })
			if n == 0 {
				continue
			}
			for _, c := range list[n-1].most {
				if c.row != nil && c.row != r && c.hi >= ports.Hi && about(c.row) != about(r) {
					return c.row
				}
			}
		}
	}
	return nil
}
