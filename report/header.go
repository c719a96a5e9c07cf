package report

import (
	"fmt"
	"net/netip"
	"strings"

	"flowvet/inventory"
	"flowvet/match"
)

// manyCaptures is how many captures a header describes one by one; of more, only those with something to say.
const manyCaptures = 12

// headerColumn is the width of the header's labels.
const headerColumn = 11

// header says what the report rests on, and how far that carries.
func (t *reporter) header() {
	t.para(0, span{strings.TrimSpace("flowvet " + Terminal(t.o.Version)), heading},
		span{"  captured traffic held against the published ports", quiet})
	t.blank()
	for _, f := range t.facts() {
		t.item(0, headerColumn, span{f.label, quiet}, f.body...)
	}
}

// facts is what the header says, line by line. A line without a label belongs to the one before it.
func (t *teller) facts() []remark {
	var h facts
	t.captures(&h)
	t.limits(&h)
	t.vlans(&h)
	t.transport(&h)
	t.grounds(&h)
	if t.o.Anonymized {
		h.add("hidden", span{"addresses, names, paths and what people wrote are pseudonyms; networks, roles, ports and times are not", doubt})
	}
	for _, w := range t.r.Warnings {
		h.add("warning", span{Terminal(w), doubt})
	}
	return h
}

// facts collects the lines of a header.
type facts []remark

func (h *facts) add(label string, body ...span) { *h = append(*h, remark{label, body}) }

func (t *teller) captures(h *facts) {
	many := len(t.r.Captures) > manyCaptures && !t.o.Verbose
	if len(t.r.Captures) > 1 {
		h.add("captures", text(t.captureTotal()))
	}
	if many {
		h.add("", span{"of these, with a filter, loss or damage:", quiet})
	}
	for i := range t.r.Captures {
		c := &t.r.Captures[i]
		if many && !remarkable(c) {
			continue
		}
		h.capture(c)
		if t.o.Verbose {
			h.comments(c)
		}
	}
}

func (t *teller) captureTotal() string {
	var packets uint64
	for _, c := range t.r.Captures {
		packets += c.Packets
	}
	total := fmt.Sprintf("%s, %s", count(len(t.r.Captures), "file"), count(packets, "packet"))
	if packets > 0 {
		total += ", " + between(t.r.First, t.r.Last)
	}
	return total
}

// remarkable reports whether a capture supports less than a whole one would.
func remarkable(c *match.CaptureInfo) bool {
	return c.FlowRecords || c.Damage != nil || c.Shift != 0 || duplicated(c) >= leastDuplicates || c.Interrupted || c.HalfCapture || c.FilterSuspected != "" || c.Filter != "" || c.Drops > 0 || len(c.Gaps) > 0
}

func (h *facts) capture(c *match.CaptureInfo) {
	line := fmt.Sprintf(": %s, %s", format(c), count(c.Packets, "packet"))
	if c.Packets > 0 {
		line += ", " + between(c.First, c.Last)
	}
	h.add("capture", span{Terminal(c.Name), strong}, text(line))
	h.add("", span{strings.Join(lossAndFilter(c), "; "), quiet})
	h.recorded(c)
	if c.SHA256 != "" {
		h.add("", span{"sha256 " + c.SHA256, quiet})
	}
	if c.HalfCapture {
		h.add("", span{"ONE DIRECTION ONLY: nearly all TCP is seen from one side; silence of the other side proves nothing", doubt})
	}
	if c.FilterSuspected != "" {
		h.add("", span{"FILTER SUSPECTED: " + Terminal(c.FilterSuspected), doubt})
	}
	h.damage(c)
	h.gaps(c)
	if c.Interrupted {
		h.add("", span{fmt.Sprintf("INTERRUPTED: %s was read up to byte %d; what came before is judged", Terminal(c.Name), c.Size), bad})
	}
}

// lossAndFilter says what is known of what the capture does not hold.
func lossAndFilter(c *match.CaptureInfo) []string {
	if c.FlowRecords {
		return recordLoss(c)
	}
	loss := "drops not recorded"
	if c.DropsRecorded {
		loss = fmt.Sprintf("%d dropped of %d received", c.Drops, c.Received)
	}
	parts := []string{loss}
	if c.AckedUnseen > 0 {
		parts = append(parts, fmt.Sprintf("%.1f %% of acknowledged TCP bytes not seen", 100*c.AckedUnseen))
	}
	for _, part := range []string{duplicates(c), shift(c)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if c.Filter == "" {
		return append(parts, "no filter recorded")
	}
	return append(parts, "filter "+Terminal(c.Filter))
}

// grounds are the catalogue, the inventory, the time and the operations.
func (t *teller) grounds(h *facts) {
	if t.r.Catalog != nil {
		var sources []string
		for _, s := range t.r.Catalog.Sources {
			rows := count(s.Rows, "row")
			if s.Unofficial {
				rows += ", unofficial"
			}
			sources = append(sources, fmt.Sprintf("%s (%s, sha256 %.12s)", Terminal(s.Name), rows, Terminal(s.SHA256)))
		}
		h.add("catalogue", text(some(sources, 0, "and")))
	}
	t.inventoryLine(h)
	h.add("as of", text(t.r.AsOf.UTC().Format("2006-01-02T15:04:05Z")))
	if len(t.r.During) > 0 || !t.r.Window.IsZero() {
		h.add("during", text(t.duringLine()))
	}
}

func (t *teller) inventoryLine(h *facts) {
	v := t.r.Inventory
	if v == nil {
		return
	}
	line := fmt.Sprintf("%s, %s, %d of VMware seen", Terminal(v.Name), count(len(v.Machines), "machine"), t.r.Recognised)
	if v.SHA256 != "" {
		line += fmt.Sprintf(", sha256 %.12s", v.SHA256)
	}
	h.add("inventory", text(line))
	if v.Inferred && t.r.Recognised > 0 {
		h.add("", span{"ROLES ARE INFERRED from the traffic itself: nothing here can be more than a warning. " +
			"Write the suggestion down (flowvet inventory suggest), correct it, and check again with --inventory.", doubt})
	}
}

func (t *teller) duringLine() string {
	line := "no operation named"
	if len(t.r.During) > 0 {
		line = Terminal(strings.Join(t.r.During, ", "))
	}
	if !t.r.Window.IsZero() {
		return line + ", window " + between(t.r.Window.Start, t.r.Window.End)
	}
	return line + ", the whole of each capture"
}

// nobody speaks for a capture in which no VMware machine was recognised: what is there, and what to write.
func (t *reporter) nobody() {
	if t.r.Recognised > 0 {
		return
	}
	t.blank()
	t.para(0, span{"NO VMWARE MACHINE RECOGNISED", bad})
	t.para(entryIndent, text("No address in these captures is known to be a VMware machine, so nothing could be held against the "+
		"document. This is no pass. Say who is who, then check again with --inventory FILE."))
	if len(t.r.OutOfScope) > 0 {
		t.item(entryIndent, headerColumn, span{"services", quiet}, text(someOf(t.r.OutOfScope, 8, "and", func(s match.Service) string {
			return fmt.Sprintf("%s (%s)", service(s.Proto, s.Port), count(s.Packets, "packet"))
		})))
	}
	if len(t.r.Talkers) > 0 {
		t.item(entryIndent, headerColumn, span{"talkers", quiet}, text(someOf(t.r.Talkers, 8, "and", func(k match.Talker) string {
			return fmt.Sprintf("%s (%s, %s)", k.Addr, count(k.Packets, "packet"), count(k.Peers, "peer"))
		})))
	}
	t.blank()
	t.para(entryIndent, text("An inventory begins like this:"))
	for _, line := range exampleInventory(t.r.Talkers) {
		t.verbatim(detailIndent, line)
	}
}

// exampleInventory shows how to write an inventory, with the busiest hosts where there are any.
func exampleInventory(talkers []match.Talker) []string {
	addrs := []string{"10.0.0.11", "10.0.0.53"}
	n := 0
	for _, k := range talkers {
		if n < len(addrs) && canBeHost(k.Addr) {
			addrs[n] = yamlAddr(k.Addr)
			n++
		}
	}
	return []string{
		"machines:",
		"  - name: esx01",
		`    products: ["ESX 4.1"]`,
		"    addresses: [{address: " + addrs[0] + ", plane: mgmt}]",
		"  - name: dns01",
		"    addresses: [{address: " + addrs[1] + ", roles: [dns-server]}]",
	}
}

// canBeHost reports whether an address can be a machine's: no group, no broadcast, none of a host without an address.
// The broadcast address of a network ends in 255 in nearly all of them.
func canBeHost(a netip.Addr) bool {
	if a.Is4() && a.As4()[3] == 255 {
		return false
	}
	return !a.IsUnspecified() && !a.IsMulticast() && !a.IsLoopback()
}

// exceptions says what became of the exceptions that deserve a look: expiring, expired, unused, too broad; all with -v.
func (t *reporter) exceptions() {
	lines := t.exceptionRemarks()
	if t.shown.narrows() || len(lines) == 0 {
		return
	}
	t.section("EXCEPTIONS", count(len(t.r.Exceptions), "exception")+" in use")
	fit := t.fit(len(lines))
	for _, l := range lines[:fit] {
		t.item(entryIndent, headerColumn, span{l.label, quiet}, l.body...)
	}
	t.rest(len(lines)-fit, "line")
}

// exceptionRemarks says what became of each exception; of one that is active and used only with -v.
func (t *teller) exceptionRemarks() []remark {
	var lines []remark
	add := func(label, body string, as style) { lines = append(lines, remark{label, []span{{body, as}}}) }
	for _, u := range t.r.Exceptions {
		e := u.Exception
		who := Terminal(e.ID) + " (" + ownedBy(e) + ")"
		until := e.Expires.UTC().Format("2006-01-02T15:04:05Z")
		switch {
		case u.State == "expired" && u.Used > 0:
			add("expired", who+" ended "+until+"; would cover "+count(u.Used, "finding"), bad)
		case u.State == "expired":
			add("expired", who+" ended "+until+"; remove it", quiet)
		case u.State == "not-yet":
			add("not yet", who+" is created "+e.Created.UTC().Format("2006-01-02T15:04:05Z")+", after the time of this report; covers nothing", doubt)
		case u.State == "expiring":
			add("expiring", fmt.Sprintf("%s ends %s, in %s; covers %s", who, until, count(u.ExpiresInDay, "day"), count(u.Used, "finding")), doubt)
		case u.Used == 0:
			add("unused", who+" covered nothing in this run; ends "+until, quiet)
		case t.o.Verbose:
			add("active", who+" covers "+count(u.Used, "finding")+"; ends "+until, plain)
		}
		if u.TooBroad != "" {
			add("too broad", who+": "+Terminal(u.TooBroad), doubt)
		}
	}
	return lines
}

func ownedBy(e *match.Exception) string {
	owner := "owner " + Terminal(e.Owner)
	if e.Ticket != "" {
		owner += ", " + Terminal(e.Ticket)
	}
	return owner
}

// inferredRoles lists the roles of an end that nobody declared, with what they rest on.
func inferredRoles(name string, p *inventory.Placed) []string {
	var all []string
	for _, g := range p.Roles {
		if g.Confidence != inventory.Declared {
			all = append(all, fmt.Sprintf("%s as %s (%s: %s)", name, Terminal(string(g.Role)), g.Confidence, Terminal(g.Evidence)))
		}
	}
	return all
}
