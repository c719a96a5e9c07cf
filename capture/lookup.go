package capture

// What a look into a large table costs is the wait for memory: the slot of the index, then the record. One flow at a time they are
// waited for one after the other; when tables are merged those of many flows are asked for first, in loops that depend on
// nothing, so that the processor waits for all at once. Packets, between which other work lies, go through a [queue].

// together is how many flows are looked up at once: enough to fill the processor's queue of loads, few enough that what
// they fetched is still in its first cache when it is used.
const together = 64

// lookups are keys to be found, and the numbers of their records.
type lookups struct {
	n       int
	keys    [together]key
	tags    [together]uint32
	numbers [together]uint32 // number+1 of a record that may be the key's; 0: none
	annexed int              // how many of those found before have an annex
	touched uint64           // what was fetched, so that the compiler leaves it in
}

// find guesses the record of every key, and makes room for those of which there is none.
func (t *Table) find(l *lookups) {
	t.index.reserve(uint32(l.n))
	t.guess(l)
}

// guess guesses the record of every key by its tag alone, and fetches them. It changes nothing of the table, which has an index.
func (t *Table) guess(l *lookups) {
	for i := range l.keys[:l.n] {
		l.tags[i] = t.index.tag(&l.keys[i])
	}
	var touched uint64
	slots, mask := t.index.slots, t.index.mask
	for _, tag := range l.tags[:l.n] {
		touched ^= slots[tag&mask]
	}
	for i, tag := range l.tags[:l.n] {
		l.numbers[i], _ = t.index.candidate(tag, tag)
	}
	switch {
	case t.records.n == 0:
	case l.annexed > together/4 && t.annexes.room >= t.records.n:
		for _, number := range l.numbers[:l.n] {
			at := max(number, 1) - 1 // any, where there is none: a branch is guessed wrong
			touched ^= t.records.at(at).ends ^ t.annexes.at(at).seconds.mask
		}
	default:
		for _, number := range l.numbers[:l.n] {
			touched ^= t.records.at(max(number, 1) - 1).ends
		}
	}
	l.annexed = 0
	l.touched ^= touched
}

// found returns the row of a key that find looked up: the one that it guessed, or else the right one.
func (t *Table) found(l *lookups, i, from int) row {
	if r, ok := t.guessed(&l.keys[i], l.numbers[i]); ok {
		l.annexed += int(r.tail / flagAnnex & 1)
		return r
	}
	return t.flow(&l.keys[i], l.tags[i], from)
}

// guessed returns the row that was guessed of a key, and whether it is the right one.
func (t *Table) guessed(k *key, number uint32) (r row, ok bool) {
	if number == 0 {
		return row{}, false
	}
	r = t.row(number - 1)
	return r, t.is(r.record, k)
}
