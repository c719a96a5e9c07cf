package match

import (
	"slices"

	"flowvet/catalog"
	"flowvet/inventory"
)

// SegmentUse is a network or a VLAN that the inventory declares for one purpose, and what was seen in it.
type SegmentUse struct {
	Plane         string
	Network       *inventory.Network // nil: a VLAN
	VLAN          uint16             // valid iff Network is nil
	Conversations int                // findings that touch it
	Foreign       []int              // of these, indices into Result.Findings: no row of the plane documents them
}

// management is the plane on which a host also meets those who have none: every other plane is for its own rows alone.
const management = "mgmt"

// intrude marks a conversation that touches a segment with another purpose. What else would be documented, or is not judged
// because neither end is a VMware machine, becomes an error there; what is not certain accuses nobody.
func (x *ruler) intrude(c *conv) {
	if c.i.machine != nil && c.i.machine == c.r.machine {
		return
	}
	foreign := slices.ContainsFunc(purposes(x.inv, c), func(plane string) bool { return !belongs(c, plane) })
	if !foreign {
		return
	}
	c.Qualifiers |= ForeignSegment
	if b := c.Bucket(); b == Documented || b == NotJudged {
		c.Level = LevelError
	}
}

// purposes returns the planes of the segments that a conversation touches: the networks of its ends, and its VLANs.
func purposes(v *inventory.Inventory, c *conv) []string {
	var all []string
	for _, p := range []*inventory.Placed{c.i.placed, c.r.placed} {
		if p.Network != nil && p.Network.Plane != "" {
			all = append(all, p.Network.Plane)
		}
	}
	if len(v.VLANs) > 0 {
		for _, id := range c.vlans() {
			if plane := v.VLANs[id]; plane != "" {
				all = append(all, plane)
			}
		}
	}
	return all
}

// belongs reports whether a conversation is what a segment is there for. On the management network that is everything but
// what is documented for another plane only.
func belongs(c *conv, plane string) bool {
	rows := c.rows()
	if c.more != nil && c.more.exchanged != nil {
		rows = slices.Concat(rows, c.more.exchanged.Rows)
	}
	if plane == management {
		return c.Bucket() != Documented || slices.ContainsFunc(rows, func(r *catalog.Row) bool { return r.Plane == plane || r.Plane == "" })
	}
	return (c.Bucket() == Documented || c.Bucket() == Indeterminate) &&
		slices.ContainsFunc(rows, func(r *catalog.Row) bool { return r.Plane == plane })
}

// segmentUses sums up what was seen in each declared segment: networks in the order of the inventory, then VLANs by id.
func segmentUses(v *inventory.Inventory, fs []*conv) []SegmentUse {
	var all []SegmentUse
	at := map[*inventory.Network]int{}
	for _, n := range v.Networks {
		if n.Plane != "" {
			at[n] = len(all)
			all = append(all, SegmentUse{Plane: n.Plane, Network: n})
		}
	}
	vlans := map[uint16]int{}
	for id := uint16(1); len(vlans) < len(v.VLANs); id++ {
		if plane, declared := v.VLANs[id]; declared {
			vlans[id] = len(all)
			all = append(all, SegmentUse{Plane: plane, VLAN: id})
		}
	}
	if len(all) == 0 {
		return nil
	}
	for i, f := range fs {
		touched := map[int]bool{}
		for _, p := range []*inventory.Placed{f.i.placed, f.r.placed} {
			if k, declared := at[p.Network]; declared {
				touched[k] = true
			}
		}
		for _, id := range f.vlans() {
			if k, declared := vlans[id]; declared {
				touched[k] = true
			}
		}
		for k := range touched {
			all[k].Conversations++
			if f.Qualifiers.Has(ForeignSegment) && !belongs(f, all[k].Plane) {
				all[k].Foreign = append(all[k].Foreign, i)
			}
		}
	}
	return all
}
