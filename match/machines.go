package match

import (
	"iter"

	"flowvet/inventory"
)

// Machines lists machines, sorted by name. Expectations share lists: 2,000 hosts are candidates of each other, each of all but
// itself. The zero value is empty.
type Machines struct {
	all []*inventory.Machine
	but int // index+1 of one that is left out; 0: none
}

// MachinesOf returns a list of machines, sorted by name, that the caller leaves alone from then on.
func MachinesOf(sorted []*inventory.Machine) Machines { return Machines{all: sorted} }

// Len returns how many there are.
func (m Machines) Len() int {
	if m.but > 0 {
		return len(m.all) - 1
	}
	return len(m.all)
}

// At returns the ith, from 0 on.
func (m Machines) At(i int) *inventory.Machine {
	if m.but > 0 && i >= m.but-1 {
		i++
	}
	return m.all[i]
}

// All yields every one.
func (m Machines) All() iter.Seq[*inventory.Machine] {
	return func(yield func(*inventory.Machine) bool) {
		for i := range m.Len() {
			if !yield(m.At(i)) {
				return
			}
		}
	}
}

// First returns the first n, or all if there are fewer.
func (m Machines) First(n int) []*inventory.Machine {
	first := make([]*inventory.Machine, min(n, m.Len()))
	for i := range first {
		first[i] = m.At(i)
	}
	return first
}

// Contains reports whether one of them is as asked.
func (m Machines) Contains(is func(*inventory.Machine) bool) bool {
	for one := range m.All() {
		if is(one) {
			return true
		}
	}
	return false
}
