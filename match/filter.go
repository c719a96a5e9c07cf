package match

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"flowvet/capture"
	"flowvet/capture/filter"
	"flowvet/catalog"
	"flowvet/inventory"
)

// sieve is a filter that frames had to pass to be judged.
type sieve struct {
	text     string
	applied  bool              // by -f, here or when it was recorded; else it was used when the capture was made
	problem  string            // why it cannot be said what it lets through; empty if it can
	programs []*filter.Program // one for each link type of the capture
	anywhere sync.Map          // admission by filter.Flow without addresses
}

// admission is what a sieve does with a flow.
type admission struct{ admits, sure bool }

// maxSieves bounds the filters of one capture that are looked into: a file may record another for each of its interfaces,
// whose number is its own to choose.
const maxSieves = 8

// sieves returns the filters that stand between the wire and the judgement: those that the capture records, the one the
// user says it was made with, and those that are applied while reading, now or when it was recorded.
func sieves(c *capture.Capture, g *Grounds) []*sieve {
	var links []uint16
	var texts []string
	if g.CaptureFilter != "" {
		texts = append(texts, g.CaptureFilter)
	}
	for _, i := range c.Interfaces {
		if !slices.Contains(links, uint16(i.Link)) {
			links = append(links, uint16(i.Link))
		}
		if i.Filter != "" && len(texts) <= maxSieves && !slices.Contains(texts, i.Filter) {
			texts = append(texts, i.Filter)
		}
	}
	var all []*sieve
	for n, text := range texts {
		s := &sieve{text: text}
		if n >= maxSieves {
			s.problem = fmt.Sprintf("the capture records more than %d filters", maxSieves)
		} else if f, err := filter.Parse(text); err != nil {
			s.problem = err.Error()
		} else {
			s.compile(f, links)
		}
		all = append(all, s)
	}
	if g.Filter != nil {
		all = append(all, applied(g.Filter, links))
	}
	if c.Filter != "" {
		all = append(all, recordedBy(c.Filter, links))
	}
	return all
}

// applied returns the sieve of -f.
func applied(f *filter.Filter, links []uint16) *sieve {
	s := &sieve{text: f.String(), applied: true}
	s.compile(f, links)
	return s
}

// recordedBy returns the sieve of a flows file that was recorded with -f.
func recordedBy(source string, links []uint16) *sieve {
	f, err := filter.Restore(source)
	if err != nil {
		return &sieve{text: source, applied: true, problem: err.Error()}
	}
	return applied(f, links)
}

// sieveTexts names the filters, for the report.
func sieveTexts(all []*sieve) string {
	if len(all) == 1 {
		return all[0].text
	}
	texts := make([]string, len(all))
	for i, s := range all {
		texts[i] = "(" + s.text + ")"
	}
	return strings.Join(texts, " and ")
}

// compile makes the programs. A link type without any has no frames that are judged.
func (s *sieve) compile(f *filter.Filter, links []uint16) {
	for _, link := range links {
		if !slices.Contains(filter.Links(), link) {
			continue
		}
		p, err := f.Compile(link)
		if err != nil {
			s.problem = err.Error()
			return
		}
		s.programs = append(s.programs, p)
	}
	if len(s.programs) == 0 {
		s.problem = "the capture's link type is not known"
	}
}

// lets returns what the sieve does with a flow. What it lets through whatever the addresses is asked first, and once: most
// filters are of services. That it keeps some flow of the service out says nothing of this one.
func (s *sieve) lets(f filter.Flow) admission {
	service := f
	service.Src, service.Dst = netip.Addr{}, netip.Addr{}
	known, ok := s.anywhere.Load(service)
	if !ok {
		known, _ = s.anywhere.LoadOrStore(service, s.ask(service))
	}
	if a := known.(admission); a.admits {
		return a
	}
	return s.ask(f)
}

func (s *sieve) ask(f filter.Flow) admission {
	sum := admission{admits: true, sure: true}
	for _, p := range s.programs {
		admits, sure := p.Admits(f)
		if sure && !admits {
			return admission{sure: true}
		}
		sum.admits, sum.sure = sum.admits && admits, sum.sure && sure
	}
	return sum
}

// filtered says why what a point does not hold may have been kept out of it: traffic that a row permits between two
// machines. Machines without an address on the row's plane are a matter of the place.
func (j *judge) filtered(p *point, row *catalog.Row, src, dst *inventory.Machine) (Reason, bool) {
	from, to := j.onPlane(src, row.Plane), j.onPlane(dst, row.Plane)
	if src != nil && len(from) == 0 || dst != nil && len(to) == 0 {
		return Reason{}, false
	}
	if row.Cast.IsValid() {
		to = nil // it goes to the group
	}
	if len(p.sieves) > 0 {
		services := rowFlows(row)
		for _, s := range p.sieves {
			if r, bad := s.stops(p, services, from, to); bad {
				return r, true
			}
		}
	}
	if p.info.FilterSuspected != "" && !p.explained(from, to) {
		return Reason{
			"filter-suspected", fmt.Sprintf("%s looks filtered: %s", p.info.Name, p.info.FilterSuspected), "capture without a filter",
		}, true
	}
	return Reason{}, false
}

// stops says why a sieve may have kept some of the flows out.
func (s *sieve) stops(p *point, services []filter.Flow, from, to []netip.Addr) (Reason, bool) {
	made, remedy := fmt.Sprintf("%s was made with the filter %q", p.info.Name, s.text), "capture without a filter"
	if s.applied {
		made, remedy = fmt.Sprintf("of %s, only %q is judged", p.info.Name, s.text), "leave out -f"
	}
	if s.problem != "" {
		return Reason{"capture-filter", fmt.Sprintf("%s, of which it is not known what it lets through (%s)", made, s.problem), remedy}, true
	}
	for _, service := range services {
		a := s.between(p, service, from, to)
		if a.admits {
			continue
		}
		does := "may keep"
		if a.sure {
			does = "keeps"
		}
		return Reason{"capture-filter", fmt.Sprintf("%s, which %s %s out", made, does, serviceName(service)), remedy}, true
	}
	return Reason{}, false
}

func serviceName(f filter.Flow) string {
	port := max(f.SrcPort, f.DstPort)
	if port == 0 {
		return capture.Proto(f.Proto).String()
	}
	return fmt.Sprintf("%d/%s", port, capture.Proto(f.Proto))
}

// maxFilterPairs bounds the pairs of addresses, each in each VLAN, that a filter is asked about; of more, it is not known what
// it does.
const maxFilterPairs = 256

// between returns what a sieve does with a service between any two addresses, in the VLANs where these were seen. Without
// addresses an end is any client.
func (s *sieve) between(p *point, service filter.Flow, from, to []netip.Addr) admission {
	sum := admission{admits: true, sure: true}
	pairs, vlans := addressPairs(from, to), p.vlans(from, to)
	if len(pairs) == 0 || len(pairs)*len(vlans) > maxFilterPairs {
		return admission{}
	}
	for _, vlan := range vlans {
		service.VLAN, service.Tagged = vlan, vlan != 0
		for _, pair := range pairs {
			service.Src, service.Dst = pair.From, pair.To
			a := s.lets(service)
			if a.sure && !a.admits {
				return a
			}
			sum.admits, sum.sure = sum.admits && a.admits, sum.sure && a.sure
		}
	}
	return sum
}

// addressPairs returns the pairs of one family.
func addressPairs(from, to []netip.Addr) []capture.Pair {
	if from == nil {
		from = []netip.Addr{{}}
	}
	if to == nil {
		to = []netip.Addr{{}}
	}
	var pairs []capture.Pair
	for _, a := range from {
		for _, b := range to {
			if !a.IsValid() || !b.IsValid() || a.Is4() == b.Is4() {
				pairs = append(pairs, capture.Pair{From: a, To: b})
			}
			if len(pairs) > maxFilterPairs {
				return pairs
			}
		}
	}
	return pairs
}

// vlans returns the VLANs in which the addresses were seen, 0 for none.
func (p *point) vlans(from, to []netip.Addr) []uint16 {
	var seen []uint16
	for _, addrs := range [][]netip.Addr{from, to} {
		for _, a := range addrs {
			for _, vlan := range p.station(a).vlans {
				if !slices.Contains(seen, vlan) {
					seen = append(seen, vlan)
				}
			}
		}
	}
	if len(seen) == 0 {
		return []uint16{0}
	}
	slices.Sort(seen)
	return seen
}

// rowFlows returns the flows that a row permits in any of its readings, without addresses: the listener is at Dst, or at
// either end. A range of ports is as good as any port.
func rowFlows(row *catalog.Row) []filter.Flow {
	listener, transport := row.Listener, row.Transport
	for _, alt := range row.Alt {
		transport |= alt.Transport
		if alt.Exchange {
			listener = catalog.Either
		}
	}
	var flows []filter.Flow
	for _, t := range []struct {
		transport catalog.Transport
		proto     capture.Proto
	}{{catalog.TCP, capture.TCP}, {catalog.UDP, capture.UDP}} {
		if !transport.Has(t.transport) {
			continue
		}
		f := filter.Flow{Proto: uint8(t.proto)}
		if row.Ports.Lo == row.Ports.Hi {
			f.DstPort = row.Ports.Lo
		}
		if listener != catalog.Source {
			flows = append(flows, f)
		}
		if listener != catalog.Target {
			flows = append(flows, filter.Flow{Proto: f.Proto, SrcPort: f.DstPort})
		}
	}
	return flows
}

// explained reports whether a filter that is known explains what looks like one that is not: it does not let all services
// through between the machines, so that what is missing need not mean another.
func (p *point) explained(from, to []netip.Addr) bool {
	const anotherService = 1 // tcpmux, which nobody offers
	return slices.ContainsFunc(p.sieves, func(s *sieve) bool {
		lets := func(proto capture.Proto) bool {
			return s.between(p, filter.Flow{Proto: uint8(proto), DstPort: anotherService}, from, to).admits
		}
		return !s.applied && !(lets(capture.TCP) && lets(capture.UDP))
	})
}
