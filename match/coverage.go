package match

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// point is one capture as a witness: what it could have seen.
type point struct {
	info CaptureInfo
	who  *directory
	seen *witness
	// spoke holds who spoke to whom, by ranges of the flows.
	spoke []pairSet
	// sieves are the filters that stood between the wire and the judgement.
	sieves []*sieve
	// snapped says that frames were cut before their ports.
	snapped bool
	// silent is when nothing was heard of any machine for so long that it does not count as captured, and when the capture
	// itself was blind.
	silent []capture.Run
}

// maxDropRate and maxUnseenRate are the losses above which nothing is called absent (docs/verdicts.md, Coverage).
const (
	maxDropRate   = 0.001
	maxUnseenRate = 0.01
)

// newPoint reads what a capture could see. It must run before the tables are merged.
func (j *judge) newPoint(c *capture.Capture, g *Grounds) *point {
	p := &point{who: j.directory, info: captureInfo(c), sieves: sieves(c, g)}
	p.info.Filter = sieveTexts(p.sieves)
	p.snapped = c.Table.Stats.Skipped[capture.BadTruncated] > 0
	p.witness(c.Table, g)
	p.silent = without(p.silences(), blind(c.Gaps))
	p.info.AckedUnseen, p.info.HalfCapture = p.seen.loss.unseen(), p.seen.loss.half()
	if !p.info.FlowRecords {
		p.info.FilterSuspected = suspectFilter(&c.Table.Stats, &p.seen.only)
	}
	return p
}

// witness reads who was seen when, ranges of the flows side by side.
func (p *point) witness(t *capture.Table, g *Grounds) {
	window := g.Window
	if window.IsZero() {
		window.Start, window.End, _ = p.interval()
	}
	all := make([]*witness, shares(t))
	sideBySide(len(all), func(i int) {
		lo, hi := part(t.Numbers(), i, len(all))
		w := newWitness(p.who.stations, int(hi-lo), window.seconds(), len(g.Scenarios) > 0)
		for g := range t.GlanceIn(lo, hi) {
			w.loss.add(g)
			w.only.add(g)
			if a, b := p.who.stationsOf(g); a != 0 || b != 0 {
				w.see(g, a, b)
			}
		}
		all[i] = w
	})
	p.seen = all[0]
	for pair, when := range t.Others {
		p.seen.sawOthers(p.who.end(pair.From).station, p.who.end(pair.To).station, when)
	}
	for i, w := range all {
		p.spoke = append(p.spoke, w.spoke)
		if i > 0 {
			p.seen.merge(w)
		}
	}
	p.seen.settle()
}

func captureInfo(c *capture.Capture) CaptureInfo {
	info := CaptureInfo{
		Name: c.Name, Format: c.Format, Size: c.Size, SHA256: c.SHA256, Packets: c.Table.Stats.Read, First: c.First, Last: c.Last,
		Interfaces: c.Interfaces, Damage: c.Damage, Damages: c.Damages, Interrupted: c.Interrupted,
		Compression: c.Compression, Expanded: c.Expanded, Shift: c.Shift,
		Duplicates: c.Table.Stats.Duplicates, Removed: c.Table.Stats.Skipped[capture.IgnoredDuplicate],
		Gaps: c.Gaps, Names: c.Names, Named: c.Named, Comments: c.Comments, Commented: c.Commented,
	}
	info.FlowRecords, info.Records = c.FlowRecords(), c.Table.Stats.Records
	info.Folded.Flows, info.Folded.Packets = c.Table.Stats.FoldedFlows, c.Table.Stats.FoldedPackets
	info.SecondsJoined = c.Table.Stats.SecondsJoined
	for _, i := range c.Interfaces {
		if i.Counted {
			info.DropsRecorded = true
			info.Received += i.Received
			info.Drops += i.Dropped
		}
	}
	return info
}

// interval is the time a capture covers: by its interfaces' statistics, else from its first to its last packet.
func (p *point) interval() (start, end int64, known bool) {
	start, end = p.info.First, p.info.Last
	known = p.info.Packets > 0
	for _, i := range p.info.Interfaces {
		if i.Start == 0 || i.End < i.Start {
			continue
		}
		if !known {
			start, end, known = i.Start, i.End, true
		}
		start, end = min(start, i.Start), max(end, i.End)
	}
	return start, end, known
}

// lossMeter estimates what a capture missed from TCP itself: bytes that were acknowledged but are not in it.
type lossMeter struct {
	acked, unseenBytes uint64
	twoWay, oneWay     int
}

func (m *lossMeter) add(g *capture.Glance) {
	if g.Proto != capture.TCP {
		return
	}
	acked, unseen := g.Acknowledged()
	m.acked += acked
	m.unseenBytes += unseen
	flows := 1 + int(g.Joined())
	// A side that acknowledges proves that the other one spoke.
	a, b := &g.From[0], &g.From[1]
	switch {
	case a.Packets > 0 && b.Packets > 0:
		m.twoWay += flows
	case (a.Signs|b.Signs)&capture.ACK != 0:
		m.oneWay += flows
	}
}

// merge adds what another meter measured.
func (m *lossMeter) merge(o *lossMeter) {
	m.acked += o.acked
	m.unseenBytes += o.unseenBytes
	m.twoWay += o.twoWay
	m.oneWay += o.oneWay
}

func (m *lossMeter) unseen() float64 {
	if m.acked == 0 {
		return 0
	}
	return float64(m.unseenBytes) / float64(m.acked)
}

// half reports whether more than 95 % of the TCP flows that must have two sides show only one.
func (m *lossMeter) half() bool { return m.oneWay*100 > 95*(m.oneWay+m.twoWay) }

// portSet finds out whether all flows share one port.
type portSet struct {
	flows int
	left  []proto // candidates that every flow so far used
}

type proto struct {
	p    capture.Proto
	port uint16
}

func (s *portSet) add(g *capture.Glance) {
	if s.flows++; s.flows > 1 && len(s.left) == 0 {
		return
	}
	a, b := proto{g.Proto, g.PortA}, proto{g.Proto, g.PortB}
	if s.flows == 1 {
		s.left = []proto{a, b}
	} else {
		s.left = slices.DeleteFunc(s.left, func(p proto) bool { return p != a && p != b })
	}
}

// merge adds other flows.
func (s *portSet) merge(o *portSet) {
	switch {
	case o.flows == 0:
	case s.flows == 0:
		*s = *o
	default:
		s.left = slices.DeleteFunc(s.left, func(p proto) bool { return !slices.Contains(o.left, p) })
		s.flows += o.flows
	}
}

// suspectFilter says, in words, why a capture looks as if a filter had been used that it does not record.
func suspectFilter(s *capture.Stats, only *portSet) string {
	const arp, rarp = 0x0806, 0x8035
	icmp := s.Skipped[capture.IgnoredICMP] > 0
	if s.Flowed == 0 {
		return ""
	}
	if !icmp && s.Broadcasts == 0 && s.EtherTypes[arp]+s.EtherTypes[rarp] == 0 {
		return "no ARP, no broadcast and no ICMP in it"
	}
	if len(only.left) > 0 && s.Skipped[capture.IgnoredFiltered] == 0 {
		service := slices.MinFunc(only.left, func(a, b proto) int { return cmp.Compare(a.port, b.port) })
		return fmt.Sprintf("every judged packet is of one service, %d/%s", service.port, service.p)
	}
	return ""
}

// sight is how far a point, or all of them, could see one pair of machines.
type sight struct {
	level  Coverage
	reason Reason
}

// reasonOrder ranks reason codes: a point whose reason comes later had fewer faults.
var reasonOrder = []string{
	"sampled", "flow-records",
	"window-not-covered", "window-too-short", "capture-filter", "filter-suspected", "no-witness-source",
	"no-witness-target", "no-witness-pair", "no-witness-plane", "half-capture", "drops", "snaplen",
	"interval-unknown",
}

// look says how far the points could see a row between two machines: the best point counts. other is nil where the other
// end is any client.
func (j *judge) look(points []*point, row *catalog.Row, src, dst *inventory.Machine, w Window, need time.Duration) sight {
	best := sight{reason: Reason{Code: "interval-unknown", Detail: "no capture", Remedy: "capture something"}}
	for n, p := range points {
		s := j.lookFrom(p, row, src, dst, w, need)
		if n == 0 || s.level > best.level || s.level == best.level && rankReason(s.reason) > rankReason(best.reason) {
			best = s
		}
	}
	return best
}

// rankReason ranks how close a point came: a reason later in the order failed later.
func rankReason(r Reason) int { return slices.Index(reasonOrder, r.Code) }

func (j *judge) lookFrom(p *point, row *catalog.Row, src, dst *inventory.Machine, w Window, need time.Duration) sight {
	if r, bad := p.secondHand(); bad {
		return sight{reason: r}
	}
	if r, bad := p.timeReason(w, need); bad {
		return sight{reason: r}
	}
	if w.IsZero() {
		w.Start, w.End, _ = p.interval()
	}
	if r, bad := j.filtered(p, row, src, dst); bad {
		return sight{level: CoverageLikely, reason: r}
	}
	s := j.place(p, row, src, dst, w)
	if s.level < CoverageDeclared {
		return s
	}
	if r, bad := p.limit(); bad {
		s.level, s.reason = CoverageLikely, r
	}
	return s
}

// secondHand says why flow records prove no absence: what was never sampled has no record, nor has what was lost on its way, or
// still went on when the records ended.
func (p *point) secondHand() (Reason, bool) {
	switch {
	case !p.info.FlowRecords:
		return Reason{}, false
	case p.info.Records.Sampled > 0:
		return Reason{
			"sampled", p.info.Name + " holds flow records of sampled packets: what was not picked has none",
			"capture packets where the two can be seen, or let the exporter look at every packet",
		}, true
	}
	return Reason{
		"flow-records", p.info.Name + " holds flow records, which are written when a flow is over: what has none may have been there",
		"capture packets where the two can be seen",
	}, true
}

// timeReason says why the window, or the capture itself, is no time in which absence could be said.
func (p *point) timeReason(w Window, need time.Duration) (Reason, bool) {
	start, end, known := p.interval()
	switch {
	case !known:
		return Reason{"interval-unknown", p.info.Name + " holds no packet and no statistics", "capture while the test runs"}, true
	case !w.IsZero() && (w.Start < start || w.End > end):
		return Reason{
			"window-not-covered", fmt.Sprintf("%s covers %s to %s only", p.info.Name, utc(start), utc(end)),
			"start the capture before the window and end it after",
		}, true
	}
	if !w.IsZero() {
		start, end = w.Start, w.End
	}
	if have := p.captured(start, end); have < need {
		silences := ""
		switch {
		case len(blind(p.info.Gaps)) > 0:
			silences = " without the gaps in it"
		case len(p.silent) > 0:
			silences = fmt.Sprintf(" without its silences of more than %s", maxSilence)
		}
		return Reason{
			"window-too-short", fmt.Sprintf("%s of capture%s, %s needed", have.Round(time.Second), silences, need),
			fmt.Sprintf("capture for at least %s", need),
		}, true
	}
	return Reason{}, false
}

// limit says why a point that could see two machines must not call anything absent all the same.
func (p *point) limit() (Reason, bool) {
	i := &p.info
	offered := max(i.Received, i.Packets+i.Drops) // not every program writes how many packets it received
	switch {
	case i.HalfCapture:
		return Reason{
			"half-capture", i.Name + " shows one direction of its TCP connections only",
			"mirror both directions (pktcap-uw --dir 2)",
		}, true
	case i.Folded.Flows > 0:
		return Reason{
			"drops", fmt.Sprintf("%s holds more flows than the table: %d of them are known as totals only", i.Name, i.Folded.Flows),
			"raise --max-flows, or capture less at once",
		}, true
	case i.SecondsJoined > 0:
		return Reason{
			"drops", i.Name + " has flows with more pauses than the table can hold: when they were silent is not known",
			"raise --max-flows, or capture for less time at once",
		}, true
	case i.Damage != nil || i.Interrupted:
		return Reason{"drops", i.Name + " is cut, damaged or was interrupted: the rest counts as lost", "capture again"}, true
	case float64(i.Drops) > maxDropRate*float64(offered):
		return Reason{
			"drops", fmt.Sprintf("%s lost %d of %d packets", i.Name, i.Drops, offered),
			"capture with a smaller snap length, or mirror less",
		}, true
	case i.AckedUnseen > maxUnseenRate:
		return Reason{
			"drops", fmt.Sprintf("%.1f %% of the acknowledged TCP bytes are not in %s", 100*i.AckedUnseen, i.Name),
			"capture with a smaller snap length, or mirror less",
		}, true
	case p.snapped:
		return Reason{"snaplen", i.Name + " holds frames cut before their ports", "capture with a snap length of 128 or more"}, true
	}
	return Reason{}, false
}

// place says whether a point stands where it sees two machines talk on the row's plane.
func (j *judge) place(p *point, row *catalog.Row, src, dst *inventory.Machine, w Window) sight {
	from, to := j.onPlane(src, row.Plane), j.onPlane(dst, row.Plane)
	a, b := j.vantage(p, src, from, w), j.vantage(p, dst, to, w)
	level := a.sees(&b, row.Plane, p.sawBoth(from, to, w))
	if level >= CoverageDeclared {
		return sight{level: level}
	}
	remedy := func(m *inventory.Machine) string {
		return fmt.Sprintf("capture at the switch port of %s, or pktcap-uw with both directions", name(m))
	}
	switch {
	case a.noPlane, b.noPlane, special(row.Plane) && !a.saw && !b.saw:
		return sight{level, Reason{
			"no-witness-plane", fmt.Sprintf("no frame of %s or %s on the %s network", name(src), name(dst), row.Plane),
			fmt.Sprintf("capture on the %s network, and tag its addresses with plane: %s in the inventory", row.Plane, row.Plane),
		}}
	case !a.saw && src != nil:
		return sight{level, Reason{"no-witness-source", "no frame of " + name(src), remedy(src)}}
	case !b.saw && dst != nil:
		return sight{level, Reason{"no-witness-target", "no frame of " + name(dst), remedy(dst)}}
	}
	return sight{level, Reason{
		"no-witness-pair", fmt.Sprintf("frames of %s and of %s, but none both ways between them", name(src), name(dst)), remedy(src),
	}}
}

func name(m *inventory.Machine) string {
	if m == nil {
		return "any client"
	}
	return m.Name
}

// special reports whether a plane is a network of its own, of which management frames prove nothing.
func special(plane string) bool { return plane != "" && plane != "mgmt" }

// onPlane is a machine on a plane.
type onPlane struct {
	machine *inventory.Machine
	plane   string
}

// onPlane returns the addresses of a machine at which a row's traffic is to be witnessed. Only hypervisor hosts have
// planes: mgmt is every address not tagged otherwise, any other plane the addresses tagged with it. Thousands of places ask.
func (j *judge) onPlane(m *inventory.Machine, plane string) []netip.Addr {
	if m == nil {
		return nil
	}
	if view := j.views[plane]; view != nil {
		return view[j.machineEnd(m).member]
	}
	at := onPlane{m, plane}
	on, known := j.planes[at]
	if !known {
		on = j.findOnPlane(m, plane)
		j.planes[at] = on
	}
	return on
}

func (j *judge) findOnPlane(m *inventory.Machine, plane string) []netip.Addr {
	var on []netip.Addr
	host := slices.ContainsFunc(j.machineEnd(m).roles, func(g inventory.Grant) bool { return j.cat.IsA(g.Role, "hypervisor-host") })
	for _, a := range m.Addrs {
		tagged := j.planeOf(a)
		if !host || plane == "" || tagged == plane || plane == "mgmt" && tagged == "" {
			on = append(on, a.Addr)
		}
	}
	return on
}

// planeOf returns the plane of an address: its own tag, or that of the network that holds it.
func (j *judge) planeOf(a *inventory.Addr) string { return j.end(a.Addr).placed.Plane }

// sawBoth reports whether frames went both ways between two machines within the window.
func (p *point) sawBoth(from, to []netip.Addr, w Window) bool {
	for _, a := range from {
		for _, b := range to {
			if p.met(p.who.end(a).station, p.who.end(b).station, w.seconds()) {
				return true
			}
		}
	}
	return false
}

// met reports whether frames went both ways between two stations within a time: the one that is judged, all of the capture's, or
// any where scenarios are played.
func (p *point) met(a, b uint32, within capture.Run) bool {
	var ever, judged direction
	for i := range p.spoke {
		all, some := p.spoke[i].ways(a, b)
		ever, judged = ever|all, judged|some
	}
	switch within {
	case p.seen.within:
		return judged == byA|byB
	case p.whole().seconds():
		return ever == byA|byB
	}
	there, back := p.seen.times[heading{a, b}], p.seen.times[heading{b, a}]
	return there != nil && back != nil && there.runs.Intersects(within) && back.runs.Intersects(within)
}

// station returns what was seen of a machine's address.
func (p *point) station(a netip.Addr) *station { return &p.seen.stations[p.who.end(a).station] }

// sawAny reports whether a frame of one of the addresses, or to it, was seen within the window.
func (p *point) sawAny(addrs []netip.Addr, w Window) bool {
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return p.station(a).speaks(w) })
}

// declared reports whether somebody declares that the point sees one of the addresses.
func (j *judge) declared(p *point, addrs []netip.Addr) bool {
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool {
		_, inside := j.inv.Sees(p.info.Name, a)
		return inside || j.sees.has(j.end(a), a)
	})
}

// view is what the user says on the command line that every capture sees.
type view struct {
	prefixes []netip.Prefix
	machines []string
}

func (v view) has(e *end, a netip.Addr) bool {
	return slices.ContainsFunc(v.prefixes, func(p netip.Prefix) bool { return p.Contains(a) }) ||
		e.machine != nil && slices.Contains(v.machines, e.machine.Name)
}

func (v view) empty() bool { return len(v.prefixes)+len(v.machines) == 0 }

// seconds returns the window in whole seconds.
func (w Window) seconds() capture.Run {
	return capture.Run{First: floorSecond(w.Start), Last: floorSecond(w.End)}
}

// floorSecond rounds down, also before 1970.
func floorSecond(ns int64) int64 {
	s := ns / int64(time.Second)
	if ns%int64(time.Second) < 0 {
		s--
	}
	return s
}

func utc(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05Z") }
