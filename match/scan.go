package match

import (
	"cmp"
	"net/netip"
	"slices"

	"flowvet/capture"
)

// scanSlot is the length of the fixed slots of the capture's clock in which a scan is counted, in seconds; scanTargets is
// how many distinct refused or unanswered ports or hosts in one slot make a scan.
const (
	scanSlot    = 60
	scanTargets = 20
)

// MaxScanMembers caps the members of a scan that become findings of their own: the weightiest, in report order. The
// others are summed up in [Scan.Rest]. Members that an expectation may rest on are always kept.
const MaxScanMembers = 1000

// targets is the hosts and ports that somebody tried.
type targets struct {
	hosts map[netip.Addr]struct{}
	ports map[uint16]struct{}
}

func newTargets() *targets {
	return &targets{hosts: map[netip.Addr]struct{}{}, ports: map[uint16]struct{}{}}
}

func (t *targets) add(c *conv) {
	t.hosts[c.Responder] = struct{}{}
	t.ports[c.Port] = struct{}{}
}

// crowd is the refused and unanswered conversations of one initiator. As soon as many ports or hosts fall into one slot
// it is a scan, of which no more members than needed are kept: that of every port of a /24 network has 16 million.
type crowd struct {
	exceptions *excepter
	all        *targets
	slots      map[int64]*targets
	scans      bool
	members    []sorted
	noted      int // members whose targets are known: none before there are enough of them for a scan
	least      int // members that must be kept
	rest       Rest
}

// add takes a member. Once the crowd is a scan, members are summed up whenever twice as many are there as are kept.
func (w *crowd) add(s sorted) {
	w.members = append(w.members, s)
	if len(w.members) < scanTargets {
		return
	}
	if w.all == nil {
		w.all, w.slots = newTargets(), map[int64]*targets{}
	}
	for ; w.noted < len(w.members); w.noted++ {
		f := w.members[w.noted].c
		w.all.add(f)
		if !w.scans {
			w.scans = w.crosses(f)
		}
	}
	if w.scans && len(w.members) >= w.least+2*MaxScanMembers {
		w.trim()
	}
}

// crosses reports whether a conversation makes its initiator one who scans: some slot now holds enough ports or hosts.
func (w *crowd) crosses(c *conv) bool {
	last := int64(-1 << 62)
	for _, r := range c.tried() {
		for slot := max(floorDiv(r.First, scanSlot), last+1); slot <= floorDiv(r.Last, scanSlot); slot++ {
			last = slot
			in := w.slots[slot]
			if in == nil {
				in = newTargets()
				w.slots[slot] = in
			}
			in.add(c)
			if len(in.hosts) >= scanTargets || len(in.ports) >= scanTargets {
				w.slots = nil
				return true
			}
		}
	}
	return false
}

// tried returns the seconds in which a conversation was tried. Of one that flow records tell of, only the first is sure, and a
// record can claim a century.
func (c *conv) tried() capture.Seconds {
	seconds := c.seconds()
	if len(seconds) > 0 && c.Qualifiers.Has(FlowRecords) {
		return capture.Seconds{{First: seconds[0].First, Last: seconds[0].First}}
	}
	return seconds
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// trim keeps the weightiest members, and sums up the others.
func (w *crowd) trim() {
	for _, s := range w.members {
		w.exceptions.finding(s.c)
	}
	slices.SortFunc(w.members, weightier)
	kept := 0
	for kept < len(w.members) && w.members[kept].c.evidence() {
		kept++
	}
	w.least = kept
	kept = min(kept+MaxScanMembers, len(w.members))
	for _, s := range w.members[kept:] {
		w.rest.add(s.c)
	}
	clear(w.members[kept:])
	w.members, w.noted = w.members[:kept], kept
}

// weightier orders the members of a scan: what an expectation may rest on, then as a report does what is open and worst.
func weightier(a, b sorted) int {
	f, g := a.c, b.c
	switch {
	case f.evidence() != g.evidence():
		return trueFirst(f.evidence())
	case f.disposition().Excepted() != g.disposition().Excepted():
		return trueFirst(g.disposition().Excepted())
	}
	return cmp.Or(-cmp.Compare(f.Level, g.Level), compareFindings(f, g))
}

func trueFirst(b bool) int {
	if b {
		return -1
	}
	return 1
}

// close puts the members, of a scan those that are kept, among the findings of their initiator, and returns the crowd of the
// next one. The initiator's other findings are there from an index on.
func (w *crowd) close(to []sorted, from int) ([]sorted, *crowd) {
	if len(w.members) == 0 {
		return to, w
	}
	next := &crowd{exceptions: w.exceptions}
	if w.scans {
		w.trim()
		for i, s := range w.members {
			c := *s.c // of its own: it shares the memory of conversations that are gone
			c.extra().crowd = w
			w.members[i].c = &c
		}
	} else {
		next.members = w.members[:0]
	}
	to = append(to, w.members...)
	w.members = nil
	slices.SortFunc(to[from:], sorted.compare)
	return to, next
}

// add sums up a member that becomes no finding.
func (r *Rest) add(c *conv) {
	r.Conversations++
	r.Flows += int(c.Flows)
	r.Packets += c.Sent.Packets + c.Received.Packets
	r.Bytes += c.Sent.Bytes + c.Received.Bytes
	r.Outcomes[c.Outcome]++
}

// scans makes the scans of the findings, which are in report order, and marks their members.
func scans(fs []*conv) []Scan {
	at := map[*crowd]int{}
	var all []Scan
	for _, i := range members(fs) {
		f := fs[i]
		crowd := f.more.crowd
		n, known := at[crowd]
		if !known {
			n = len(all)
			at[crowd] = n
			all = append(all, Scan{
				Initiator: f.Initiator, Worst: i, Hosts: len(crowd.all.hosts), Ports: len(crowd.all.ports), Rest: crowd.rest,
			})
		}
		f.more.crowd = nil
		s := &all[n]
		s.Members = append(s.Members, i)
		if outweighs(f, fs[s.Worst]) {
			s.Worst = i
		}
	}
	slices.SortFunc(all, func(a, b Scan) int { return cmp.Compare(a.Worst, b.Worst) })
	for n, s := range all {
		for _, i := range s.Members {
			fs[i].scan = uint32(n + 1)
			fs[i].Qualifiers |= ScanLike
		}
	}
	return all
}

// members lists the findings that are of a scan, ranges of them side by side.
func members(fs []*conv) []int {
	lists := make([][]int, sharesOf(len(fs)))
	inRanges(len(fs), len(lists), func(i, lo, hi int) {
		for n := lo; n < hi; n++ {
			if more := fs[n].more; more != nil && more.crowd != nil {
				lists[i] = append(lists[i], n)
			}
		}
	})
	return slices.Concat(lists...)
}

// outweighs reports whether a scan's group is to be shown as f rather than g: what is open first, then by level. The group
// is excepted only where every member is.
func outweighs(f, g *conv) bool {
	if f.disposition().Excepted() != g.disposition().Excepted() {
		return g.disposition().Excepted()
	}
	return f.Level > g.Level
}
