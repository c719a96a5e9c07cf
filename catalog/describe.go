package catalog

import (
	"fmt"
	"strings"
)

// Service returns the port and the transport of a row as people write them: "902/udp", "2050-2250/udp", "8100/tcp+udp".
func (r *Row) Service() string {
	transport := strings.ReplaceAll(strings.ToLower(r.Transport.String()), "/", "+")
	return r.Ports.String() + "/" + transport
}

// Sentence returns the row in one line, the initiator first, with the names the document prints:
// "ESX 4.x R100: ESX/ESXi Host -> vCenter 4 Server, 902/udp, heartbeat of a managed host".
// A row whose ends may both listen has <-> for the arrow.
func (r *Row) Sentence() string {
	from, arrow, to := r.SourcePrinted, "->", r.TargetPrinted
	switch r.Listener {
	case Source:
		from, to = to, from
	case Either:
		arrow = "<->"
	}
	s := fmt.Sprintf("%s %s: %s %s %s, %s", r.Product, r.ID, from, arrow, to, r.Service())
	if r.Purpose != "" {
		s += ", " + r.Purpose
	}
	return s
}

// String returns "R100 of ESX 4.x".
func (r *Row) String() string { return r.ID + " of " + r.Product }
