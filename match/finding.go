package match

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync/atomic"

	"flowvet/capture"
	"flowvet/catalog"
)

// findings judges every conversation, and returns the findings in report order; those out of scope are counted. Whole
// initiators are judged side by side. The list of conversations is used up.
func (j *judge) findings(convs []sorted, window Window, exceptions *excepter) (in []*conv, out *services) {
	documented := newRuler(j).leaders(convs, window)
	parts := byInitiator(convs, max(1, min(runtime.GOMAXPROCS(0), len(convs)/leastShare)))
	ins, outs, own := make([][]sorted, len(parts)), make([]services, len(parts)), make([]*excepter, len(parts))
	sideBySide(len(parts), func(i int) {
		own[i] = exceptions.another()
		ins[i] = newRuler(j).findings(parts[i], documented, window, own[i], &outs[i])
	})
	out = new(services)
	for i := range parts {
		exceptions.merge(own[i])
		out.merge(&outs[i])
	}
	return reportOrder(ins), out
}

// byInitiator cuts a sorted list into n parts or fewer, none within an initiator.
func byInitiator(convs []sorted, n int) [][]sorted {
	var parts [][]sorted
	for part := range n {
		end := len(convs) / (n - part)
		for end > 0 && end < len(convs) && convs[end].c.sameInitiator(convs[end-1].c) {
			end++
		}
		parts = append(parts, convs[:end])
		convs = convs[end:]
	}
	return parts
}

// rank is the place of a finding's bucket and level in a report.
type rank uint8

// ranks is how many there are.
const ranks = (int(Documented) + 1) * (int(LevelError) + 1)

// rank returns the rank of a judged conversation.
func (c *conv) rank() rank { return rank(c.Bucket())*rank(LevelError+1) + rank(LevelError-c.Level) }

// reportOrder puts findings, which are sorted, in the order of their ranks. Only where networks are told apart must they be
// sorted again: segments come last in a report, and second among conversations.
func reportOrder(parts [][]sorted) []*conv {
	places := make([][ranks]int, len(parts)) // of the next finding of each part, by rank
	var segments atomic.Bool
	sideBySide(len(parts), func(i int) {
		for _, s := range parts[i] {
			places[i][s.rank()]++
			if s.segment() != 0 {
				segments.Store(true)
			}
		}
	})
	n := 0
	for r := range ranks {
		for i := range places {
			n, places[i][r] = n+places[i][r], n
		}
	}
	all := make([]*conv, n)
	sideBySide(len(parts), func(i int) {
		for _, s := range parts[i] {
			at := &places[i][s.rank()]
			all[*at] = s.c
			*at++
		}
	})
	if segments.Load() {
		slices.SortFunc(all, compareFindings)
	}
	return all
}

// findings judges conversations of whole initiators, and counts those out of scope. The conversations are sorted, so that
// those of one initiator come together: what a scan has too many of is summed up before the next begins. The findings take the
// conversations' place: there is never one more than has been judged.
func (x *ruler) findings(convs []sorted, l leaders, window Window, exceptions *excepter, out *services) []sorted {
	failed := &crowd{exceptions: exceptions}
	in, began, groups := convs[:0], 0, false
	var last *conv
	for i, s := range convs {
		if i%atATime == 0 {
			x.fetched |= fetch(convs[i:min(i+atATime, len(convs))])
		}
		c := s.c
		if last != nil && !c.sameInitiator(last) {
			in, failed = failed.close(in, began)
			began = len(in)
		}
		last = c
		if x.finding(c, window); c.Verdict == OutOfScope && c.Level == LevelNone {
			out.addConversation(c)
			continue
		}
		l.excuse(c)
		groups = groups || c.Verdict == GroupCast
		s.note(c.rank())
		if (c.Outcome == Refused || c.Outcome == Unanswered) && c.Verdict != GroupCast {
			failed.add(s)
			continue
		}
		in = append(in, s)
	}
	if in, _ = failed.close(in, began); groups {
		in = mergeGroups(in)
	}
	return in
}

// atATime is how many conversations are fetched at a time.
const atATime = 64

// fetch looks at conversations that lie anywhere in memory before they are judged, so that their loads do not wait for each other: of
// a million that was a tenth of the judging. What it returns is to be kept.
func fetch(convs []sorted) (seen uint32) {
	for _, s := range convs {
		seen |= s.c.Flows
	}
	return seen
}

// sameInitiator reports whether one host, as far as addresses tell, began both.
func (c *conv) sameInitiator(d *conv) bool {
	return c.Initiator == d.Initiator && c.Segment == d.Segment
}

// question asks for the reading that the conversation shows.
func (c *conv) question() question {
	return question{i: c.i, r: c.r, proto: transportOf(c.Proto), port: c.Port, certain: c.Certainty == Certain}
}

// noReply reports whether a row that documents the conversation is one-way by nature (its UDP side).
func noReply(p capture.Proto, r *ruling) bool {
	return p == capture.UDP && r.verdict.Bucket() == Documented &&
		slices.ContainsFunc(r.readings, func(x reading) bool { return x.perm.Row.OneWay })
}

// evidence reports whether an expectation may rest on the finding: on what is documented, or would be with the ends
// exchanged. What is known from an ICMP quote alone, which anybody can send, proves nothing.
func (c *conv) evidence() bool {
	if c.Sent.Packets+c.Received.Packets == 0 || c.Verdict == DocumentedBroad {
		return false
	}
	return c.Bucket() == Documented || c.Verdict == WrongDirection || c.Verdict == DirectionUnconfirmed
}

// finding judges a conversation, once.
func (x *ruler) finding(c *conv, window Window) {
	if c.judged {
		return
	}
	c.judged = true
	q := c.question()
	r := x.rule(q)
	c.conclude(c.r.group || noReply(c.Proto, r))
	c.Verdict, c.Shown = r.verdict, r.verdict
	if r.verdict == OutOfScope {
		x.intrude(c)
		return
	}
	c.rests = r
	x.confirmDirection(c, q)
	c.Level = c.Verdict.Level()
	x.qualify(c, r, window)
}

// confirmDirection turns a verdict that the direction would overturn into direction-unconfirmed.
func (x *ruler) confirmDirection(c *conv, q question) {
	if c.Certainty == Certain || !c.exchangeable || c.Certainty == Likely && c.Bucket() == Documented {
		return
	}
	back := x.rule(question{i: q.r, r: q.i, proto: q.proto, port: c.exchanged})
	c.extra().exchanged = &Reading{
		Initiator: c.Responder, Responder: c.Initiator, Port: c.exchanged, Verdict: back.verdict, Rows: back.rows,
	}
	if c.Bucket() != Documented {
		c.more.shown, c.rests = c.rests, back
	}
	c.Verdict = DirectionUnconfirmed
}

// qualify adds the qualifiers, and lowers the level where one says so.
func (x *ruler) qualify(c *conv, r *ruling, window Window) {
	mark := func(when bool, what Qualifiers) {
		if when {
			c.Qualifiers |= what
		}
	}
	c.Qualifiers |= r.anyway
	mark(c.Verdict == r.verdict, r.marks)
	documented := c.Bucket() == Documented
	mark(documented && (c.Basis == BasisUDPReply || c.Basis == BasisCatalogPort || c.Basis == BasisCommonPort), DirectionInferred)
	mark(c.Basis == BasisSymmetricPort, Undirected)
	mark(!window.IsZero() && !c.spoke(window.seconds()), OutsideWindow)
	mark(documented && c.Verdict != DocumentedBroad && x.otherPlane(&r.readings[0], c.question()), OtherPlane)
	x.intrude(c)
	switch {
	case c.Qualifiers.Has(OtherPlane) && c.Level < LevelError:
		c.Level = max(c.Level, LevelWarning)
	case c.Qualifiers&(RoleInferred|DocumentDisputed) != 0, c.Sent.Packets+c.Received.Packets == 0:
		c.Level = min(c.Level, LevelWarning)
	}
}

// otherPlane reports whether a hypervisor host has an address tagged with the row's plane, and used another one.
func (j *judge) otherPlane(x *reading, q question) bool {
	plane := x.perm.Row.Plane
	if plane == "" {
		return false
	}
	off := func(e *end, f fit) bool {
		return e.machine != nil && j.cat.IsA(f.role, "hypervisor-host") && e.placed.Plane != plane &&
			slices.Contains(e.planes, plane)
	}
	return off(q.i, x.from) || off(q.r, x.to)
}

// leaders are the documented conversations that others follow: the dynamic ports of an NFS server, the data connections of
// FTP.
type leaders struct{ nfs, ftp map[parties]bool }

// parties are a client and a server, in one segment.
type parties struct {
	client, server netip.Addr
	segment        capture.Segment
}

// leaders finds them. An attempt is no excuse for what follows it.
func (x *ruler) leaders(convs []sorted, window Window) leaders {
	l := leaders{map[parties]bool{}, map[parties]bool{}}
	for _, s := range convs {
		port := s.port()
		nfs, ftp := port == 111 || port == 2049, port == 21
		if !nfs && !ftp {
			continue
		}
		c := s.c
		if x.finding(c, window); c.Bucket() != Documented || c.Outcome != Success {
			continue
		}
		switch p := (parties{c.Initiator, c.Responder, c.Segment}); {
		case ftp && c.Proto == capture.TCP:
			l.ftp[p] = true
		case nfs && x.hostToNFS(c):
			l.nfs[p] = true
		}
	}
	return l
}

// excuse marks an undocumented conversation that follows a documented one. It is never more than a warning.
func (l leaders) excuse(f *conv) {
	if f.Bucket() != Undocumented || f.Verdict == GroupCast {
		return
	}
	there, back := parties{f.Initiator, f.Responder, f.Segment}, parties{f.Responder, f.Initiator, f.Segment}
	passive := l.ftp[there] && f.Proto == capture.TCP && f.Port >= 1024
	active := l.ftp[back] && f.fromFTPData && f.Port >= 1024
	if l.nfs[there] || passive || active {
		f.Qualifiers |= Companion
		f.Level = min(f.Level, LevelWarning)
	}
}

func (j *judge) hostToNFS(c *conv) bool {
	return slices.ContainsFunc(c.rests.readings, func(x reading) bool {
		return j.cat.IsA(x.from.role, "hypervisor-host") && x.to.role == "nfs-server"
	})
}

// mergeGroups makes one finding of the group-cast conversations of one sender and port.
func mergeGroups(all []sorted) []sorted {
	type sender struct {
		addr    netip.Addr
		segment capture.Segment
		proto
	}
	at := map[sender]*conv{}
	merged := all[:0]
	for _, s := range all {
		c := s.c
		if c.Verdict != GroupCast {
			merged = append(merged, s)
			continue
		}
		k := sender{c.Initiator, c.Segment, proto{c.Proto, c.Port}}
		first, ok := at[k]
		if !ok {
			c.extra().groups = []netip.Addr{c.Responder}
			at[k] = c
			merged = append(merged, s)
			continue
		}
		first.absorb(c)
		first.Qualifiers |= c.Qualifiers & (FlowRecords | SampledRecords)
	}
	for _, c := range at {
		slices.SortFunc(c.more.groups, netip.Addr.Compare)
		c.Responder = c.more.groups[0]
	}
	return merged
}

// absorb adds the conversation of the same sender and port with another group.
func (c *conv) absorb(d *conv) {
	ended := c.tallied()
	for o, n := range d.outcomes() {
		ended.flows[o] += uint32(n)
	}
	x := c.extra()
	x.groups, x.ended = append(x.groups, d.Responder), ended
	c.Flows += d.Flows
	c.Sent.Packets += d.Sent.Packets
	c.Sent.Bytes += d.Sent.Bytes
	x.seconds, c.together = c.seconds().Union(d.seconds()), false
	c.First, c.Last = min(c.First, d.First), max(c.Last, d.Last)
	c.InWindow = max(c.InWindow, d.InWindow)
	if d.Outcome > c.Outcome {
		c.Outcome, c.detail = d.Outcome, d.detail
	}
	if lessRef(d.Evidence, c.Evidence) {
		c.Evidence, c.EphemeralPort = d.Evidence, d.EphemeralPort
	}
}

// ID names the conversation by its ends, transport and port, so that two runs can be compared.
func (c *Conversation) ID() string {
	responder := c.Responder.String()
	if len(c.Groups) > 0 {
		responder = "group"
	}
	text := fmt.Appendf(nil, "%s>%s/%s/%d", c.Initiator, responder, c.Proto, c.Port)
	if vlan, ok := c.Segment.VLAN(); ok {
		text = fmt.Appendf(text, "/vlan%d", vlan)
	}
	sum := sha256.Sum256(text)
	return "F" + hex.EncodeToString(sum[:6])
}

// Filter returns a Wireshark display filter that shows the conversation; where it is documented without a direction, on
// every port of its row.
func (f *Finding) Filter() string {
	c := &f.Conversation
	if c.Basis == BasisSymmetricPort && f.Bucket() == Documented {
		return inSegment(c.Segment, pairFilter(c.Initiator, c.Responder, portFilter(c.Proto.String(), f.Rows[0].Ports)))
	}
	if len(c.Groups) > 1 {
		return inSegment(c.Segment, fmt.Sprintf("%s.src == %s && %s.dstport == %d", family(c.Initiator), c.Initiator, c.Proto, c.Port))
	}
	return inSegment(c.Segment, pairFilter(c.Initiator, c.Responder, portFilter(c.Proto.String(), catalog.Ports{Lo: c.Port, Hi: c.Port})))
}

// inSegment narrows a display filter to the VLAN of a segment.
func inSegment(s capture.Segment, filter string) string {
	if vlan, ok := s.VLAN(); ok {
		return fmt.Sprintf("vlan.id == %d && %s", vlan, filter)
	}
	return filter
}

func pairFilter(a, b netip.Addr, ports string) string {
	return fmt.Sprintf("%s.addr == %s && %s.addr == %s && %s", family(a), a, family(b), b, ports)
}

func portFilter(transport string, p catalog.Ports) string {
	if p.Len() == 1 {
		return fmt.Sprintf("%s.port == %d", transport, p.Lo)
	}
	return fmt.Sprintf("%s.port in {%d..%d}", transport, p.Lo, p.Hi)
}

func family(a netip.Addr) string {
	if a.Is4() {
		return "ip"
	}
	return "ipv6"
}

// compareFindings is the order of every report: bucket, level, ends, transport, port.
func compareFindings(a, b *conv) int {
	return cmp.Or(cmp.Compare(a.Bucket(), b.Bucket()), -cmp.Compare(a.Level, b.Level), a.Initiator.Compare(b.Initiator),
		a.Responder.Compare(b.Responder), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port),
		cmp.Compare(a.Segment, b.Segment))
}
