package capture

import (
	"cmp"
	"slices"
)

// Arrange puts the captures of several inputs into the order that a run has them in: by name, standard input first, as
// [Open] sorts inputs. References to packets then name the captures by their new places. A capture that is there twice,
// because a flows file holds it and it is given besides, or two flows files do, is kept once: again holds the others. Two
// recordings of one name are the same if size, times, number of packets, [Capture.Digest] and the filter are.
//
// The captures given must not be used afterwards.
func Arrange(captures []*Capture) (kept, again []*Capture) {
	captures = slices.Clone(captures)
	slices.SortStableFunc(captures, func(a, b *Capture) int { return a.identity().compare(b.identity()) })
	for _, c := range captures {
		if n := len(kept); n > 0 && c.identity() == kept[n-1].identity() {
			again = append(again, c)
			continue
		}
		if file := uint32(len(kept)); file != c.file {
			c.Table.renumber(file)
			c.file = file
		}
		kept = append(kept, c)
	}
	return kept, again
}

// identity is what makes two captures the same recording.
type identity struct {
	name         string
	size         int64
	first, last  int64
	read, digest uint64
	filter       string
}

func (c *Capture) identity() identity {
	name := c.Name
	if name == stdinName {
		name = ""
	}
	return identity{name, c.Size, c.First, c.Last, c.Table.Stats.Read, c.Digest, c.Filter}
}

func (i identity) compare(o identity) int {
	return cmp.Or(
		cmp.Compare(i.name, o.name), cmp.Compare(i.first, o.first), cmp.Compare(i.last, o.last),
		cmp.Compare(i.size, o.size), cmp.Compare(i.read, o.read), cmp.Compare(i.digest, o.digest),
		cmp.Compare(i.filter, o.filter),
	)
}
