package match

import (
	"cmp"
	"net/netip"
	"slices"
)

// scanSlot is the length of the fixed slots of the capture's clock in which a scan is counted, in seconds; scanTargets is
// how many distinct refused or unanswered ports or hosts in one slot make a scan.
const (
	scanSlot    = 60
	scanTargets = 20
)

// scans groups the refused and unanswered conversations of every initiator that tried many ports or hosts in one slot.
// fs is in report order, and the same length as sorted.
func scans(sorted []Finding) []Scan {
	failed := map[netip.Addr][]int{}
	for i := range sorted {
		if f := &sorted[i]; f.Outcome == Refused || f.Outcome == Unanswered {
			failed[f.Initiator] = append(failed[f.Initiator], i)
		}
	}
	var all []Scan
	for initiator, members := range failed {
		if scanning(sorted, members) {
			all = append(all, newScan(sorted, initiator, members))
		}
	}
	slices.SortFunc(all, func(a, b Scan) int { return cmp.Compare(a.Worst, b.Worst) })
	for n, s := range all {
		for _, i := range s.Members {
			sorted[i].Scan = n + 1
			sorted[i].Qualifiers |= ScanLike
		}
	}
	return all
}

// scanning reports whether some slot holds enough distinct ports or hosts.
func scanning(fs []Finding, members []int) bool {
	if len(members) < scanTargets {
		return false
	}
	type seen struct {
		hosts map[netip.Addr]bool
		ports map[uint16]bool
	}
	slots := map[int64]*seen{}
	for _, i := range members {
		f := &fs[i]
		last := int64(-1 << 62)
		for _, r := range f.Seconds {
			for slot := max(floorDiv(r.First, scanSlot), last+1); slot <= floorDiv(r.Last, scanSlot); slot++ {
				last = slot
				s := slots[slot]
				if s == nil {
					s = &seen{map[netip.Addr]bool{}, map[uint16]bool{}}
					slots[slot] = s
				}
				s.hosts[f.Responder], s.ports[f.Port] = true, true
				if len(s.hosts) >= scanTargets || len(s.ports) >= scanTargets {
					return true
				}
			}
		}
	}
	return false
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// outweighs reports whether a scan's group is to be shown as f rather than g: what is open first, then by level. The group
// is excepted only where every member is.
func outweighs(f, g *Finding) bool {
	if f.Disposition.Excepted() != g.Disposition.Excepted() {
		return g.Disposition.Excepted()
	}
	return f.Level > g.Level
}

func newScan(fs []Finding, initiator netip.Addr, members []int) Scan {
	hosts, ports := map[netip.Addr]bool{}, map[uint16]bool{}
	s := Scan{Initiator: initiator, Members: members, Worst: members[0]}
	for _, i := range members {
		hosts[fs[i].Responder], ports[fs[i].Port] = true, true
		if outweighs(&fs[i], &fs[s.Worst]) {
			s.Worst = i
		}
	}
	s.Hosts, s.Ports = len(hosts), len(ports)
	return s
}
