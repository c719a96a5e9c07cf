package capture

// What a packet costs in a large table is the wait for memory: its slot of the index, then its record. One packet at a time
// they are waited for one after the other; here those of many packets are asked for first, in loops that depend on nothing,
// so that the processor waits for all at once.

// together is how many packets are looked up at once: enough to fill the processor's queue of loads, few enough that what
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
			chunk, at := placeOf(max(number, 1) - 1) // any, where there is none: a branch is guessed wrong
			touched ^= t.records.chunks[chunk][at].ends ^ t.annexes.chunks[chunk][at].seconds.mask
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
	if r, ok := t.guessed(l, i); ok {
		return r
	}
	return t.flow(&l.keys[i], l.tags[i], from)
}

// guessed returns the row that was guessed of a key, and whether it is the right one.
func (t *Table) guessed(l *lookups, i int) (r row, ok bool) {
	if l.numbers[i] == 0 {
		return row{}, false
	}
	r = t.row(l.numbers[i] - 1)
	l.annexed += int(r.tail / flagAnnex & 1)
	return r, t.is(r.record, &l.keys[i])
}

// sighting is what a packet adds to its flow: one of its own, or an ICMP unreachable that quotes one, which has signs of [Quoted].
type sighting struct {
	ns               int64
	frame            uint64
	file             uint32
	wireLen, content uint32
	number           uint32 // sequence number of a SYN or SYN+ACK, else the acknowledgement number of an ACK
	signs            Signs
	vlan             uint16
	hasVLAN          bool
	from             uint8
}

func (p *sighting) ref() Ref { return Ref{p.file, p.frame} }

// batch is packets on their way into a table.
type batch struct {
	lookups
	packets [together]sighting
}

func (b *batch) full() bool { return b.n == together }

// add takes a packet into a batch that is not full. Word by word: where the compiler copies two words as one that were
// written apart a moment ago, the processor waits, which was 20 of 25 nanoseconds.
func (b *batch) add(p *Packet, ns int64, ref Ref, segments bool) *sighting {
	k, s := &b.keys[b.n], &b.packets[b.n]
	b.n++
	s.from = uint8(p.keyInto(k))
	if segments && p.HasVLAN {
		k.in(Segment(p.VLAN) + 1)
	}
	s.ns, s.frame, s.file = ns, ref.Frame, ref.File
	s.wireLen, s.content, s.number = p.WireLen, p.Content, p.Ack
	if p.Signs&handshake != 0 {
		s.number = p.Seq
	}
	s.signs, s.vlan, s.hasVLAN = p.Signs, p.VLAN, p.HasVLAN
	return s
}

// flush counts the packets of the batch, or passes them on to where they are counted.
func (t *Table) flush() {
	switch b := t.batch; {
	case b == nil || b.n == 0:
	case t.onward != nil:
		t.batch = t.onward.pass()
	default:
		t.countBatch(b)
	}
}

// countBatch counts the packets of a batch, and empties it.
func (t *Table) countBatch(b *batch) {
	t.find(&b.lookups)
	for i := range b.packets[:b.n] {
		p := &b.packets[i]
		t.count(t.found(&b.lookups, i, int(p.from)), p)
	}
	b.n = 0
}
