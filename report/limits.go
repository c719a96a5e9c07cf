package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"flowvet/match"
)

// foldsListed is how many totals of evicted flows a report for people names; JSON has all.
const foldsListed = 10

// limits says which bounds were reached, and what became of what is beyond them.
func (t *teller) limits(h *facts) {
	s := &t.r.Stats
	if s.FoldedFlows > 0 {
		room := "the flow table holds"
		if t.r.MaxFlows > 0 {
			room = fmt.Sprintf("the flow table holds %s (--max-flows), and", count(t.r.MaxFlows, "flow"))
		}
		h.add("limits", span{fmt.Sprintf(
			"FLOW TABLE FULL: %s had to make room %s: %s with %s, strangers first, are only in these totals and judged by nobody. "+
				"Two runs over them need not give the same report.",
			room, count(s.Evictions, "time"), count(s.FoldedFlows, "flow"), count(s.FoldedPackets, "packet")), bad})
		for i := range t.r.Folded[:min(foldsListed, len(t.r.Folded))] {
			h.add("", span{foldLine(&t.r.Folded[i]), quiet})
		}
		if more := len(t.r.Folded) - foldsListed; more > 0 {
			h.add("", span{fmt.Sprintf("… and %s", count(more, "smaller total")), quiet})
		}
	}
	if s.SecondsJoined > 0 {
		h.add("limits", span{fmt.Sprintf(
			"the flow table could not hold when flows paused: %s a flow kept its first and last second only. Nothing is called absent there.",
			count(s.SecondsJoined, "time")), doubt})
	}
	if s.PairsRefused > 0 {
		h.add("limits", span{fmt.Sprintf("%s other than TCP and UDP, between too many addresses, witness nothing", count(s.PairsRefused, "packet")), doubt})
	}
}

// foldLine prints "20.1.1.0/24 -> 443/tcp: 12 flows, 12 packets, syn-only".
func foldLine(f *match.Folded) string {
	sums := fmt.Sprintf("%s, %s", count(f.Flows, "flow"), count(f.Packets, "packet"))
	if !f.From.IsValid() {
		return fmt.Sprintf("anybody -> any port/%s: %s", f.Proto, sums)
	}
	return fmt.Sprintf("%s -> %s: %s, %s", f.From, service(f.Proto, f.Port), sums, f.Sign)
}

type jsonFold struct {
	From      string `json:"from,omitempty"`
	Transport string `json:"transport"`
	Port      uint16 `json:"port,omitempty"`
	Outcome   string `json:"outcome,omitempty"`
	Flows     uint64 `json:"flows"`
	Packets   uint64 `json:"packets"`
	Bytes     uint64 `json:"bytes"`
	First     string `json:"first,omitempty"`
	Last      string `json:"last,omitempty"`
}

func jsonFoldOf(f *match.Folded) jsonFold {
	j := jsonFold{Transport: f.Proto.String(), Flows: f.Flows, Packets: f.Packets, Bytes: f.Bytes}
	if f.From.IsValid() {
		j.From, j.Port, j.Outcome = f.From.String(), f.Port, f.Sign.String()
	}
	if f.Packets > 0 {
		j.First, j.Last = instantExact(f.First), instantExact(f.Last)
	}
	return j
}

// vlansListed is how many VLANs a report for people names.
const vlansListed = 16

// vlans says, with -v, how many packets were in which VLAN: the busiest first.
func (t *teller) vlans(h *facts) {
	counts := t.r.Stats.VLANs
	if !t.o.Verbose || len(counts) == 0 {
		return
	}
	ids := slices.SortedFunc(maps.Keys(counts), func(a, b uint16) int {
		return cmp.Or(-cmp.Compare(counts[a], counts[b]), cmp.Compare(a, b))
	})
	names := each(ids, func(id uint16) string { return fmt.Sprintf("%d (%s)", id, count(counts[id], "packet")) })
	h.add("vlans", text(some(names, vlansListed, "and")))
}
