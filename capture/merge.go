package capture

import "maps"

// Merge adds everything u holds to t. The order of merges does not matter. u stays as it is.
func (t *Table) Merge(u *Table) {
	t.settle()
	u.settle()
	t.Stats.Merge(&u.Stats)
	t.mergeTransport(u)
	if t.Others == nil {
		t.Others = maps.Clone(u.Others)
	} else {
		for pair, seconds := range u.Others {
			t.Others[pair] = t.Others[pair].Union(seconds)
		}
	}
	t.mergeFolds(u)
	t.mergeFlows(u)
}

// mergeFlows adds the flows of u.
func (t *Table) mergeFlows(u *Table) {
	t.lookUp(u, func(l *lookups, flows []*record) {
		for i, o := range flows {
			t.mergeFlow(t.found(l, i, int(o.from)), u, o)
		}
	})
}

// lookUp looks for all flows of u, many at once, and hands them over with what was found.
func (t *Table) lookUp(u *Table, do func(l *lookups, flows []*record)) {
	var l lookups
	var flows [together]*record
	next := func() {
		t.find(&l)
		do(&l, flows[:l.n])
		l.n = 0
	}
	for i := range u.records.n {
		o := u.records.at(i)
		if !o.used() {
			continue
		}
		l.keys[l.n], flows[l.n] = u.key(o), o
		if l.n++; l.n == together {
			next()
		}
	}
	next()
}

// mergeFlow adds a flow of u. Nearly always all that is known of it on both sides stays small: then it is added as it lies
// there. A file of 1 M flows, read in two parts that both hold nearly all of them, took 1.4 s through the plain forms, and
// 0.95 s so (November 2026).
func (t *Table) mergeFlow(r *record, u *Table, o *record) {
	if !t.mergeSmall(r, u, o) {
		t.mergeRecord(r, u, o)
	}
}

// mergeSmall adds a flow of u that has no rare part and whose sides stay small, and reports whether it has: else nothing was
// done.
func (t *Table) mergeSmall(r *record, u *Table, o *record) bool {
	if o.rare != 0 || o.hasVLAN && r.hasVLAN && o.vlan != r.vlan || o.file != r.file && t.packetsOf(r) > 0 {
		return false
	}
	var sides [2]side
	for from := range sides {
		var ok bool
		if sides[from], ok = withLater(t.sideOf(r, from), u.sideOf(o, from), u.before); !ok {
			return false
		}
	}
	r.file = o.file
	for from := range sides {
		t.putSide(r, from, &sides[from])
	}
	t.addSeconds(r, &o.seconds, nil)
	if o.hasVLAN {
		r.vlan, r.hasVLAN = o.vlan, true
	}
	return true
}

// putSide makes s, which is small, what the record knows of a side.
func (t *Table) putSide(r *record, from int, s *side) {
	to := t.sideOf(r, from)
	if to == nil {
		if s.empty() {
			return
		}
		r.other = t.sides.take() + 1
		to = t.sides.at(r.other - 1)
	}
	*to = *s
}

// mergeRecord adds a flow of u.
func (t *Table) mergeRecord(r *record, u *Table, o *record) {
	var rare rarity
	if o.rare != 0 {
		rare = *u.rarities.at(o.rare - 1)
	}
	t.addSeconds(r, &o.seconds, rare.seconds.runs)
	if o.hasVLAN {
		t.addVLAN(r, o.vlan)
	}
	for from := range 2 {
		if u.sideOf(o, from) != nil {
			h := u.half(o, from)
			if u.before > 0 {
				h.follow(u.before)
				rare.quoteRef[from].Frame += u.before
			}
			t.mergeHalf(r, from, &h, &rare)
		}
	}
	for _, vlan := range rare.vlans {
		t.addVLAN(r, vlan)
	}
	if rare.joined.Flows > 0 {
		t.rarity(r).joined.add(rare.joined)
	}
}

// follow renumbers the packets of a side: so many are before them.
func (h *half) follow(before uint64) {
	if h.firstFrame != 0 {
		h.firstFrame += before
	}
	if h.synFrame != 0 {
		h.synFrame += before
	}
}

// mergeHalf adds a side of another table, with the rare part of its flow.
func (t *Table) mergeHalf(r *record, from int, o *half, rare *rarity) {
	h := t.half(r, from)
	if o.signs&Quoted != 0 {
		t.joinQuote(r, &h, from, o.signs, rare.quotedAt[from], rare.quoteRef[from])
	}
	if o.hasISN {
		t.joinISN(r, &h, from, o.isn)
	}
	for _, isn := range rare.isns[from] {
		t.joinISN(r, &h, from, isn)
	}
	h.merge(o)
	t.setHalf(r, from, &h)
}
