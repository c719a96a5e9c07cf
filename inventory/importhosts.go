package inventory

import (
	"bytes"
	"net/netip"
	"strings"
)

// readHosts reads a file such as /etc/hosts: on each line an address, the machine's name, and other names of it. Addresses
// under one name are one machine's.
func (r *sourceReader) readHosts(text []byte) {
	byName := map[string]*imported{}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		content, _, _ := strings.Cut(string(line), "#")
		words := strings.Fields(content)
		if len(words) == 0 {
			continue
		}
		addr, err := netip.ParseAddr(words[0])
		switch {
		case err != nil:
			r.addf(number, "%s is no address%s", quote(words[0]), addrHint(words[0]))
			continue
		case len(words) == 1:
			r.addf(number, "address %s has no name behind it", addr)
			continue
		}
		if reason := noHost(addr.Unmap()); reason != "" {
			r.left[reason]++
			continue
		}
		if r.full() || r.given > maxImported {
			return
		}
		r.host(byName, addr.Unmap().WithZone(""), words[1:], number)
	}
}

// host adds an address to the machine of that name, or makes the machine.
func (r *sourceReader) host(byName map[string]*imported, addr netip.Addr, names []string, line int) {
	at := r.where(line)
	if bad := badName(names[0]); bad != "" {
		r.addf(line, "name %s %s", quote(names[0]), bad)
		return
	}
	key := strings.ToLower(names[0])
	m := byName[key]
	if m == nil {
		m = &imported{name: said{text: names[0], at: at}}
		byName[key] = m
		r.add(m)
	}
	m.aliases = append(m.aliases, names[1:]...)
	r.give(m, importedAddr{addr: addr, at: at})
}
