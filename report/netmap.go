package report

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"flowvet/inventory"
	"flowvet/match"
)

// Measures of the map, in pixels.
const (
	mapWidth    = 900
	mapHeight   = 560
	mapMachines = 28 // on the circle; what is rarer is folded
)

// mapNode is a machine or an address on the map.
type mapNode struct {
	X, Y, TextX, TextY, BX, BY int
	Text, Anchor               string
	VMware                     bool
}

// mapEdge joins two nodes that spoke, or should have.
type mapEdge struct {
	X1, Y1, X2, Y2 int
	Class, Title   string
}

// netmap is the picture of machines and their conversations.
type netmap struct {
	Width, Height int
	Nodes         []mapNode
	Edges         []mapEdge
	Table         []*pairCount
	Note          string
}

// netmap draws the map; nil when nothing was judged. Coordinates are rounded to pixels, so that every machine draws the
// same picture.
func (t *teller) netmap() *netmap {
	all := t.pairs(t.byMachine())
	if len(all) == 0 {
		return nil
	}
	shown, left := all.folded(mapMachines, true)
	labels := map[string]bool{}
	for _, c := range shown {
		labels[c.From], labels[c.To] = true, true
	}
	names := slices.Sorted(maps.Keys(labels))
	vmware := t.vmwareLabels()
	m := &netmap{Width: mapWidth, Height: mapHeight}
	at := map[string]mapNode{}
	for i, name := range names {
		node := nodeAt(i, len(names))
		node.Text, node.VMware = cut(name, 26), vmware[name]
		at[name] = node
		m.Nodes = append(m.Nodes, node)
	}
	pairs := shown.sorted()
	slices.Reverse(pairs) // what is wrong is drawn last, over the rest
	for _, c := range pairs {
		a, b := at[c.From], at[c.To]
		dx, dy := beside(a, b)
		m.Edges = append(m.Edges, mapEdge{a.X + dx, a.Y + dy, b.X + dx, b.Y + dy, c.worst(), c.title()})
	}
	m.Table = all.sorted()
	m.Table = m.Table[:min(len(m.Table), maxPageRows)]
	if left > 0 {
		m.Note = count(left, "rarer pair") + " of machines folded into “others”; the table lists each."
	}
	return m
}

// beside moves a line a little to its right, so that the two directions of a pair are two lines.
func beside(a, b mapNode) (dx, dy int) {
	x, y := float64(b.X-a.X), float64(b.Y-a.Y)
	far := math.Hypot(x, y)
	if far == 0 {
		return 0, 0
	}
	return int(math.Round(-3 * y / far)), int(math.Round(3 * x / far))
}

// nodeAt places node i of n on an ellipse, its label outside.
func nodeAt(i, n int) mapNode {
	angle := 2*math.Pi*float64(i)/float64(n) - math.Pi/2
	x, y := math.Cos(angle), math.Sin(angle)
	place := func(middle int, radius, side float64) int { return middle + int(math.Round(radius*side)) }
	node := mapNode{X: place(mapWidth/2, 240, x), Y: place(mapHeight/2, 235, y), Anchor: "middle"}
	node.BX, node.BY = node.X-6, node.Y-6
	node.TextX, node.TextY = place(mapWidth/2, 254, x), place(mapHeight/2, 254, y)+4
	switch {
	case x > 0.2:
		node.Anchor = "start"
	case x < -0.2:
		node.Anchor = "end"
	}
	return node
}

// title says in words what a line of the map shows.
func (c *pairCount) title() string {
	return fmt.Sprintf("%s to %s: %d documented, %d undocumented, %d indeterminate, %d absent",
		c.From, c.To, c.Documented, c.Undocumented, c.Indeterminate, c.Absent)
}

// vmwareLabels names the machines that have a product or play a VMware role.
func (t *teller) vmwareLabels() map[string]bool {
	labels := map[string]bool{}
	for _, f := range t.r.Findings.All() {
		if t.vmware(f, initiator) {
			labels[shortName(f.Initiator, f.From)] = true
		}
		if t.vmware(f, responder) {
			labels[shortName(f.Responder, f.To)] = true
		}
	}
	return labels
}

func (t *teller) vmware(f *match.Finding, end endFunc) bool {
	_, p := end(f)
	if p.Machine != nil && len(p.Machine.Products) > 0 {
		return true
	}
	return t.r.Catalog != nil && slices.ContainsFunc(p.Roles, func(g inventory.Grant) bool {
		info, _ := t.r.Catalog.RoleInfo(g.Role)
		return info.VMware
	})
}
