package match

import (
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
)

// ClientPorts returns what [capture.Table.FoldIdle] asks: whether a port can only be that of a client, as no row that names
// ports has it, and it is none of those below 1024. Flows which differ in such a port alone are of one conversation.
func ClientPorts(c *catalog.Catalog) func(capture.Proto, uint16) bool {
	const wellKnown = 1024
	return func(p capture.Proto, port uint16) bool {
		return port >= wellKnown && !slices.ContainsFunc(c.On(transportOf(p), port), func(p *catalog.Permission) bool {
			return !p.Ports.Broad()
		})
	}
}
