package catalog

import "slices"

// Service is one line of services.csv: a service or agent of the document's opening list.
type Service struct {
	Name      string // as the document prints it: "FTP server"
	Kind      string // "ftp"; client and server are of one kind
	Insecure  bool   // the document marks it so
	Ports     []Ports
	Transport Transport
	Means     string // in our own words
}

// on reports whether the service uses a port.
func (s Service) on(t Transport, port uint16) bool {
	if !s.Transport.Has(t) {
		return false
	}
	for _, p := range s.Ports {
		if p.Contains(port) {
			return true
		}
	}
	return false
}

// Insecure returns the kind of the insecure service of the opening list that owns the port ("telnet"), or "".
func (c *Catalog) Insecure(t Transport, port uint16) string {
	for _, s := range c.Services {
		if s.Insecure && s.on(t, port) {
			return s.Kind
		}
	}
	return ""
}

// InsecurePorts returns the ports on which [Catalog.Insecure] names a kind, of either transport.
func (c *Catalog) InsecurePorts() map[uint16]bool {
	ports := map[uint16]bool{}
	for _, s := range c.Services {
		if !s.Insecure {
			continue
		}
		for _, p := range s.Ports {
			for port := int(p.Lo); port <= int(p.Hi); port++ {
				ports[uint16(port)] = true
			}
		}
	}
	return ports
}

// insecureKinds returns the kinds that a row's insecure column may name.
func (c *Catalog) insecureKinds() []string {
	var kinds []string
	for _, s := range c.Services {
		if s.Insecure && !slices.Contains(kinds, s.Kind) {
			kinds = append(kinds, s.Kind)
		}
	}
	return kinds
}
