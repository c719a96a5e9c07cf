package capture

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Flows of another table are merged by all processors, each a share of them, in two steps. First all are looked up, and nothing
// changes. Then each is one of three: known, and changes a record that no other flow of that table changes; or new, and gets the
// number that counting the new ones in front of it gives, which is what one goroutine would have given it; or it changes more than
// its own record, as few do, and waits until the shares are done.

// How flows are shared out: many are worth a share of their own, and of shares there are more than processors, since those of the
// flows that came last are new and cost more.
const (
	flowsPerShare      = 1 << 14
	sharesPerProcessor = 4
)

// matching is which flows of another table a table knows. It holds until either changes.
type matching struct {
	numbers []uint32 // by their number there: number+1 in the table; 0: unknown, or no flow
	mergers []merger
}

// merger merges a share of the flows of another table.
type merger struct {
	lo, hi     uint32 // their numbers there, without hi
	news, ends uint32 // those that the table does not know, and of them those of IPv6
	number     uint32 // of the next new one, if room is there,
	end        uint32 // and of its addresses, if it is of IPv6
	room       bool
	held       [guardEnds]uint32
	others     []uint32 // to be merged when all shares are
}

// match looks up the flows of u.
func (t *Table) match(u *Table) *matching {
	t.flush()
	u.flush()
	n := uint64(u.records.n)
	most := uint64(sharesPerProcessor * runtime.GOMAXPROCS(0))
	f := &matching{numbers: make([]uint32, n), mergers: make([]merger, min(most, 1+n/flowsPerShare))}
	shares := uint64(len(f.mergers))
	t.index.reserve(1)
	f.each(func(i int, m *merger) {
		m.lo, m.hi = uint32(n*uint64(i)/shares), uint32(n*uint64(i+1)/shares)
		t.matchShare(u, f.numbers, m)
	})
	return f
}

// each calls do for every share, as many side by side as there are processors.
func (f *matching) each(do func(i int, m *merger)) {
	var wait sync.WaitGroup
	var taken atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(f.mergers)) {
		wait.Go(func() {
			for i := int(taken.Add(1)); i <= len(f.mergers); i = int(taken.Add(1)) {
				do(i-1, &f.mergers[i-1])
			}
		})
	}
	wait.Wait()
}

// strangers returns how many flows the table does not know.
func (f *matching) strangers() (n uint32) {
	for i := range f.mergers {
		n += f.mergers[i].news
	}
	return n
}

// matchShare looks up a share of the flows of u.
func (t *Table) matchShare(u *Table, numbers []uint32, m *merger) {
	t.lookUp(u, u.numbers(m.lo, m.hi), func(l *lookups, batch []uint32) {
		t.guess(l)
		for i, number := range batch {
			found := l.numbers[i]
			if _, ok := t.guessed(&l.keys[i], found); found != 0 && !ok {
				found = t.numberOf(&l.keys[i], l.tags[i])
			}
			numbers[number] = found
			if found == 0 {
				m.news++
				m.ends += endsOf(&l.keys[i])
			}
		}
	})
}

// endsOf returns how many places of Table.ends a key takes.
func endsOf(k *key) uint32 {
	if k.family() == familyIPv4 {
		return 0
	}
	return 1
}

// mergeFlows adds the flows of u, which were looked up unless found is nil. 1 M flows of which the table knew all took 0.15 s, of which
// 0.07 was to count them in front of a cap, and 100,000 that were new 0.03 (November 2026).
func (t *Table) mergeFlows(u *Table, found *matching) {
	if u.records.n == 0 { // what a relay's reader counted: nothing for which all of t would have to be made ready
		return
	}
	if found == nil {
		found = t.match(u)
	}
	t.makeReady(u, found)
	found.each(func(_ int, m *merger) { t.mergeShare(u, found.numbers, m) })
	for i := range found.mergers {
		for ends, n := range found.mergers[i].held {
			t.held[ends] += n
		}
	}
	for i := range found.mergers {
		t.mergeOthers(u, found.mergers[i].others)
	}
}

// makeReady makes room for the new flows of u, if there may be so many, and for what any record may get: no pool may grow while
// they are filled side by side.
func (t *Table) makeReady(u *Table, found *matching) {
	if t.records.n == 0 {
		t.file = u.file
	}
	if news := found.strangers(); t.admits(news) {
		t.index.reserve(news)
		t.index.used += news
		for i := range found.mergers {
			m := &found.mergers[i]
			m.room, m.number, m.end = true, t.records.n, t.ends.n
			t.records.n += m.news
			t.ends.n += m.ends
		}
	}
	if t.ends.n > 0 {
		t.ends.reach(t.ends.n - 1)
	}
	if n := t.records.n; n > 0 {
		t.records.reach(n - 1)
		t.guards.reach(n - 1)
		t.annexes.reach(n - 1)
		if u.extras.room > 0 || u.file != t.file { // else no flow gets one
			t.extras.reach(n - 1)
		}
	}
}

// admits reports whether so many new flows may get the numbers behind those of the others, without one being evicted.
func (t *Table) admits(flows uint32) bool {
	if len(t.records.free) > 0 {
		return false
	}
	for t.MaxFlows > 0 && int(t.records.n)+int(flows) > t.mostFlows() {
		grant := t.Pool.take()
		if grant == 0 {
			return false
		}
		t.granted += grant
	}
	return true
}

// mergeShare adds a share of the flows of u, but for those that wait. What the flows of a group change is asked for while the
// group before it is merged: 0.95 of a whole check of mixed traffic on two cores, beside loads that were waited for (November 2026).
func (t *Table) mergeShare(u *Table, numbers []uint32, m *merger) {
	t.prepare(u, numbers[:m.hi], m.lo)
	for lo := m.lo; lo < m.hi; lo += groupSize {
		t.prepare(u, numbers[:m.hi], lo+groupSize)
		for i := lo; i < min(lo+groupSize, m.hi); i++ {
			o, found := u.row(i), numbers[i]
			if !o.used() {
				continue
			}
			var r row
			switch {
			case found != 0:
				r = t.row(found - 1)
			case m.room:
				r = t.newFlowOf(m, u, o)
			default:
				m.others = append(m.others, i)
				continue
			}
			if !t.mergeSmall(r, u, o) {
				m.others = append(m.others, i)
			}
		}
	}
}

// prepare asks for what a group of flows of u changes, the first of which has that number: records and annexes, and of those that
// are new the slots.
func (t *Table) prepare(u *Table, numbers []uint32, first uint32) {
	var places, annexes [groupSize]unsafe.Pointer
	for i := first; i < min(first+groupSize, uint32(len(numbers))); i++ {
		o, found := u.records.at(i), numbers[i]
		if found != 0 {
			places[i-first] = unsafe.Pointer(t.records.at(found - 1))
			annexes[i-first] = unsafe.Pointer(t.annexes.at(found - 1))
		} else if o.used() {
			k := u.key(o)
			places[i-first] = unsafe.Pointer(&t.index.slots[t.index.tag(&k)&t.index.mask])
		}
	}
	fetch(&places)
	fetch(&annexes)
}

// newFlowOf is newFlow for a flow of u that is the next new one of a share.
func (t *Table) newFlowOf(m *merger, u *Table, o row) row {
	k := u.key(o.record)
	r := t.row(m.number)
	m.number++
	t.index.putBeside(t.index.tag(&k), r.number)
	*r.record = record{ends: k.ends4(), tail: k.tail | uint64(o.from())*flagB}
	if k.family() != familyIPv4 {
		r.ends = uint64(m.end)
		*t.ends.at(m.end) = [2]address{k.a, k.b}
		m.end++
	}
	guard := t.guarded(&k)
	*t.guards.at(r.number) = guard
	m.held[guard]++
	return r
}
