package capture

// The kinds of notes of a capture.
const (
	noteComment = iota
	noteIPv4    // a name of an address
	noteIPv6
)

// notes writes what a capture file says beside its packets.
func (f *flowsWriter) notes(c *Capture) {
	for _, comment := range c.Comments {
		f.section.byte(noteComment)
		f.section.text(comment)
		f.flushFull(sectionNotes)
	}
	for _, name := range c.Names {
		kind := byte(noteIPv6)
		if name.Addr.Is4() {
			kind = noteIPv4
		}
		f.section.byte(kind)
		f.section.address(0, name.Addr)
		f.section.text(name.Name)
		f.flushFull(sectionNotes)
	}
	f.flushRest(sectionNotes)
}

// takeNote reads one note into c.
func (d *decoder) takeNote(c *Capture) {
	kind := d.byte()
	d.must(kind <= noteIPv6, "an unknown kind of note")
	if kind == noteComment {
		c.Comments = append(c.Comments, d.text())
		d.must(len(c.Comments) <= maxComments && len(c.Names) == 0, "comments out of place")
		return
	}
	addr := d.address(0, kind == noteIPv6)
	c.Names = append(c.Names, Name{addr, d.text()})
	d.must(len(c.Names) <= maxNames, "too many names")
}

// damages writes where a capture is damaged.
func (e *encoder) damages(c *Capture) {
	e.number(uint64(len(c.Damages)))
	for i := range c.Damages {
		d := &c.Damages[i]
		e.flag(d.Expanded)
		e.number(uint64(d.Offset))
		e.number(uint64(d.Skipped))
		e.text(d.Reason)
	}
}

// damages reads where a capture is damaged.
func (d *decoder) damages(c *Capture) {
	for range d.number(maxDamages + 1) {
		c.Damages = append(c.Damages, Damage{
			Expanded: d.flag(), Offset: int64(d.number(maxTime)), Skipped: int64(d.number(maxTime)), Reason: d.text(),
		})
		if d.fault != "" {
			return
		}
	}
	if len(c.Damages) > 0 {
		c.Damage = &c.Damages[0]
	}
}

// sample writes the hashes of packets that captures are compared by.
func (f *flowsWriter) sample(c *Capture) {
	for _, h := range c.Sample.Hashes {
		f.section.long(h)
	}
	f.flushRest(sectionSample)
}

// takeHash reads one of them.
func (d *decoder) takeHash(c *Capture) {
	h, hashes := d.long(), c.Sample.Hashes
	d.must(len(hashes) == 0 || h > hashes[len(hashes)-1], "a sample is out of order")
	d.must(len(hashes) < maxSample, "a sample is too large")
	c.Sample.Hashes = append(hashes, h)
}

// gaps writes when a live capture was blind, or lost packets.
func (f *flowsWriter) gaps(c *Capture) {
	for i := range c.Gaps {
		g := &c.Gaps[i]
		f.section.difference(g.From)
		f.section.number(uint64(g.To - g.From))
		f.section.number(g.Lost)
		f.section.number(g.Offered)
		f.section.text(g.Reason)
		f.flushFull(sectionGaps)
	}
	f.flushRest(sectionGaps)
}

// takeGap reads one gap.
func (d *decoder) takeGap(c *Capture) {
	g := Gap{From: d.time(0)}
	g.To = d.within(g.From, maxTime)
	g.Lost, g.Offered = d.number(maxPackets), d.number(maxPackets)
	g.Reason = d.text()
	d.must(g.Lost <= g.Offered, "a gap lost more than there was")
	d.must(len(c.Gaps) < MaxGaps, "too many gaps")
	if n := len(c.Gaps); n > 0 {
		d.must(g.From >= c.Gaps[n-1].From, "the gaps are out of order")
	}
	if d.fault == "" {
		c.Gaps = append(c.Gaps, g)
	}
}
