package openings

import (
	"strings"

	"flowvet/catalog"
)

// without returns the ports of ranges that lie apart which are not in another range, sorted if they were.
func without(all []catalog.Ports, cut catalog.Ports) []catalog.Ports {
	var left []catalog.Ports
	for _, p := range all {
		if p.Hi < cut.Lo || cut.Hi < p.Lo {
			left = append(left, p)
			continue
		}
		if p.Lo < cut.Lo {
			left = append(left, catalog.Ports{Lo: p.Lo, Hi: cut.Lo - 1})
		}
		if cut.Hi < p.Hi {
			left = append(left, catalog.Ports{Lo: cut.Hi + 1, Hi: p.Hi})
		}
	}
	return left
}

// split returns the service once for each range of ports.
func (s Service) split(ports []catalog.Ports) []Service {
	all := make([]Service, len(ports))
	for i, p := range ports {
		all[i] = Service{s.Out, s.Transport, p}
	}
	return all
}

// String returns "in 902/udp" or "out 2050-2250/tcp".
func (s Service) String() string {
	direction := "in "
	if s.Out {
		direction = "out "
	}
	return direction + s.Ports.String() + "/" + strings.ToLower(s.Transport.String())
}
