package capture

import (
	"maps"
	"math"
	"net/netip"
	"slices"
)

// folds writes the totals of evicted flows.
func (f *flowsWriter) folds(c *Capture) {
	for _, k := range slices.SortedFunc(maps.Keys(c.Table.Folded), FoldKey.Compare) {
		f.section.fold(k, c.Table.Folded[k], c.First)
		f.flushFull(sectionFolds)
	}
	f.flushRest(sectionFolds)
}

// The kinds of keys of totals.
const (
	foldRest = iota // of flows beyond MaxFolds
	foldIPv4
	foldIPv6
)

// fold writes one key and its totals.
func (e *encoder) fold(k FoldKey, sum *Fold, base int64) {
	switch from := k.From.Addr(); {
	case !k.From.IsValid():
		e.byte(foldRest)
	case from.Is4():
		e.byte(foldIPv4)
		e.address(0, from)
	default:
		e.byte(foldIPv6)
		e.address(0, from)
	}
	e.byte(byte(k.Proto))
	if k.From.IsValid() {
		e.port(k.Port)
		e.byte(byte(k.Sign))
	}
	e.number(sum.Flows)
	e.number(sum.Packets)
	e.number(sum.Bytes)
	if sum.Packets > 0 {
		e.difference(sum.First - base)
		e.number(uint64(sum.Last - sum.First))
	}
}

// takeFold reads one key with its totals into t, after the key before.
func (d *decoder) takeFold(t *Table, before FoldKey, base int64) (FoldKey, Fold) {
	k := d.foldKey()
	sum := Fold{Flows: d.number(maxPackets), Packets: d.number(maxPackets), Bytes: d.number(math.MaxUint64)}
	if sum.Packets > 0 {
		sum.First = d.time(base)
		sum.Last = d.within(sum.First, maxTime-1)
	}
	d.must(before.Compare(k) < 0, "the totals are out of order")
	d.must(sum.Flows > 0, "totals of nothing")
	if d.fault == "" {
		t.foldInto(k, &sum)
	}
	return k, sum
}

func (d *decoder) foldKey() FoldKey {
	kind := d.byte()
	d.must(kind <= foldIPv6, "an unknown kind of totals")
	var k FoldKey
	bits := foldBits4
	if kind == foldIPv6 {
		bits = foldBits6
	}
	if kind != foldRest {
		from := d.address(0, kind == foldIPv6)
		k.From = netip.PrefixFrom(from, bits)
		d.must(k.From == k.From.Masked(), "totals of no prefix")
	}
	k.Proto = Proto(d.byte())
	d.must(k.Proto == TCP || k.Proto == UDP, "totals of an unknown transport")
	if kind != foldRest {
		k.Port = d.port()
		k.Sign = FoldSign(d.byte())
		d.must(k.Sign < foldSigns, "totals of an unknown outcome")
	}
	return k
}
