package inventory

import (
	"fmt"
	"strings"

	"flowvet/capture"
)

// AddNames adds what a capture calls addresses: the first name of each is its machine's, further ones are other names of
// it. Such names were resolved by whoever captured, or written into the file by anybody; the caller says how many there
// were, of which only the first are kept.
func (s *Source) AddNames(file string, names []capture.Name, named uint64) {
	left := leftOut{}
	byName := map[string]*imported{}
	first := map[string]*imported{} // by address
	for i, n := range names {
		addr := n.Addr.Unmap()
		at := Where{File: file, Sheet: "name", Line: i + 1}
		name := strings.TrimSuffix(n.Name, ".")
		switch reason := noHost(addr); {
		case reason != "":
			left[reason]++
			continue
		case badName(name) != "":
			left["names that are empty, too long or cannot be printed"]++
			continue
		}
		if m := first[addr.String()]; m != nil {
			m.aliases = append(m.aliases, name)
			continue
		}
		m := byName[strings.ToLower(name)]
		if m == nil {
			m = &imported{name: said{text: name, at: at}}
			byName[strings.ToLower(name)] = m
			s.machines = append(s.machines, m)
		}
		first[addr.String()] = m
		m.addrs = append(m.addrs, importedAddr{addr: addr, at: at})
	}
	s.Notes = append(s.Notes, left.notes(file)...)
	if more := named - uint64(len(names)); more > 0 {
		s.Notes = append(s.Notes, fmt.Sprintf("%s: left out: names behind the first %d: %d", file, len(names), more))
	}
	if len(names) == 0 {
		s.Notes = append(s.Notes, file+": holds no names of addresses: pcapng files may, where names were resolved as they were written")
	}
}
