package match

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// findings judges every conversation. Conversations out of scope are returned apart. The conversations are sorted, so
// that those of one initiator come together: what a scan has too many of is summed up before the next begins.
func (j *judge) findings(convs []*conv, window Window, x *excepter) (in []*judged, out []*conv) {
	documented := j.leaders(convs, window)
	failed := newCrowd(x)
	for i, c := range convs {
		if i > 0 && !c.sameInitiator(convs[i-1]) && len(failed.members) > 0 {
			in = append(in, failed.close()...)
			failed = newCrowd(x)
		}
		r := j.settle(c)
		if r.verdict == OutOfScope {
			out = append(out, c)
			continue
		}
		f := j.finding(c, r, window)
		documented.excuse(f)
		if (f.Outcome == Refused || f.Outcome == Unanswered) && f.Verdict != GroupCast {
			failed.add(f)
			continue
		}
		in = append(in, f)
	}
	return mergeGroups(append(in, failed.close()...)), out
}

// sameInitiator reports whether one host, as far as addresses tell, began both.
func (c *Conversation) sameInitiator(d *conv) bool {
	return c.Initiator == d.Initiator && c.Segment == d.Segment
}

// settle judges a conversation, and fixes its outcome.
func (j *judge) settle(c *conv) ruling {
	r := j.rule(c.question())
	if !c.concluded {
		c.conclude(c.r.group || noReply(c.Proto, r))
		c.concluded = true
	}
	return r
}

// question asks for the reading that the conversation shows.
func (c *conv) question() question {
	return question{i: c.i, r: c.r, proto: transportOf(c.Proto), port: c.Port, certain: c.Certainty == Certain}
}

// noReply reports whether a row that documents the conversation is one-way by nature (its UDP side).
func noReply(p capture.Proto, r ruling) bool {
	return p == capture.UDP && r.verdict.Bucket() == Documented &&
		slices.ContainsFunc(r.readings, func(x reading) bool { return x.perm.Row.OneWay })
}

// judged is a finding with the readings it rests on.
type judged struct {
	Finding
	readings []reading
	i, r     *end
	ftpData  bool
	asked    bool   // the exceptions have been applied
	crowd    *crowd // the scan it is a member of; nil: none
}

// evidence reports whether an expectation may rest on the finding: on what is documented, or would be with the ends
// exchanged. What is known from an ICMP quote alone, which anybody can send, proves nothing.
func (f *judged) evidence() bool {
	if f.Sent.Packets+f.Received.Packets == 0 || f.Verdict == DocumentedBroad {
		return false
	}
	return f.Bucket() == Documented || f.Verdict == WrongDirection || f.Verdict == DirectionUnconfirmed
}

func (j *judge) finding(c *conv, r ruling, window Window) *judged {
	q := c.question()
	f := &judged{i: c.i, r: c.r, ftpData: c.fromFTPData}
	f.Conversation = c.Conversation
	f.From, f.To = c.i.placed, c.r.placed
	f.Verdict, f.Shown = r.verdict, r.verdict
	f.readings, f.Rows, f.Allowed, f.Hypotheses = r.readings, r.rows(), r.allowed, r.hypotheses
	j.confirmDirection(f, c, q)
	f.Level = f.Verdict.Level()
	j.qualify(f, q, window)
	if f.Bucket() == Undocumented {
		f.Near = j.near(q)
	}
	f.ID = findingID(&f.Conversation)
	f.Filter = displayFilter(&f.Conversation)
	if f.Basis == BasisSymmetricPort && len(f.readings) > 0 && f.Bucket() == Documented {
		f.Filter = inSegment(f.Segment, pairFilter(f.Initiator, f.Responder, portFilter(f.Proto.String(), f.readings[0].perm.Ports)))
	}
	if f.Bucket() == Undocumented && f.Verdict != WrongDirection {
		f.readings = nil // nobody asks again, and those of a million findings are gigabytes
	}
	return f
}

// confirmDirection turns a verdict that the direction would overturn into direction-unconfirmed.
func (j *judge) confirmDirection(f *judged, c *conv, q question) {
	if c.Certainty == Certain || !c.exchangeable || c.Certainty == Likely && f.Bucket() == Documented {
		return
	}
	back := question{i: q.r, r: q.i, proto: q.proto, port: c.exchanged}
	r := j.rule(back)
	f.Exchanged = &Reading{
		Initiator: c.Responder, Responder: c.Initiator, Port: c.exchanged, Verdict: r.verdict, Rows: r.rows(),
	}
	if f.Bucket() != Documented {
		f.readings, f.Rows = r.readings, r.rows()
	}
	f.Verdict = DirectionUnconfirmed
}

// qualify adds the qualifiers, and lowers the level where one says so.
func (j *judge) qualify(f *judged, q question, window Window) {
	documented := f.Bucket() == Documented
	primary := reading{}
	if len(f.readings) > 0 {
		primary = f.readings[0]
	}
	mark := func(when bool, what Qualifiers) {
		if when {
			f.Qualifiers |= what
		}
	}
	mark(documented && (primary.from.kind == fitFamily || primary.from.kind == fitAssumed), ClientAssumed)
	mark(j.cat.Insecure(q.proto, f.Port) != "" || documented && primary.perm.Row.Insecure != "", Insecure)
	mark(documented && (f.Basis == BasisUDPReply || f.Basis == BasisCatalogPort || f.Basis == BasisCommonPort), DirectionInferred)
	mark(f.Basis == BasisSymmetricPort, Undirected)
	mark(documented && j.unverified(&primary), VersionUnverified)
	mark(!window.IsZero() && !f.Seconds.Intersects(window.seconds()), OutsideWindow)
	mark(documented && f.Verdict != DocumentedBroad && j.otherPlane(&primary, q), OtherPlane)
	mark(f.i.inferred || f.r.inferred, RoleInferred)
	if f.Bucket() == Undocumented {
		mark(j.disputed(q), DocumentDisputed)
	}
	switch {
	case f.Qualifiers.Has(OtherPlane):
		f.Level = max(f.Level, LevelWarning)
	case f.Qualifiers&(RoleInferred|DocumentDisputed) != 0, f.Sent.Packets+f.Received.Packets == 0:
		f.Level = min(f.Level, LevelWarning)
	}
}

// disputed reports whether an erratum's other reading documents the conversation.
func (j *judge) disputed(q question) bool {
	return slices.ContainsFunc(j.cat.AltOn(q.proto, q.port), func(p *catalog.Permission) bool {
		x := j.read(p, q.i, q.r)
		return x.documents() && x.founded()
	})
}

// otherPlane reports whether a hypervisor host has an address tagged with the row's plane, and used another one.
func (j *judge) otherPlane(x *reading, q question) bool {
	plane := x.perm.Row.Plane
	if plane == "" {
		return false
	}
	off := func(e *end, f fit) bool {
		return e.machine != nil && j.cat.IsA(f.role, "hypervisor-host") && e.placed.Plane != plane &&
			slices.ContainsFunc(e.machine.Addrs, func(a *inventory.Addr) bool { return j.planeOf(a) == plane })
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
func (j *judge) leaders(convs []*conv, window Window) leaders {
	l := leaders{map[parties]bool{}, map[parties]bool{}}
	for _, c := range convs {
		nfs, ftp := c.Port == 111 || c.Port == 2049, c.Port == 21 && c.Proto == capture.TCP
		if !nfs && !ftp {
			continue
		}
		r := j.settle(c)
		if r.verdict.Bucket() != Documented || c.Outcome != Success {
			continue
		}
		f := j.finding(c, r, window)
		switch p := (parties{c.Initiator, c.Responder, c.Segment}); {
		case f.Bucket() != Documented:
		case ftp:
			l.ftp[p] = true
		case j.hostToNFS(f):
			l.nfs[p] = true
		}
	}
	return l
}

// excuse marks an undocumented conversation that follows a documented one. It is never more than a warning.
func (l leaders) excuse(f *judged) {
	if f.Bucket() != Undocumented || f.Verdict == GroupCast {
		return
	}
	there, back := parties{f.Initiator, f.Responder, f.Segment}, parties{f.Responder, f.Initiator, f.Segment}
	passive := l.ftp[there] && f.Proto == capture.TCP && f.Port >= 1024
	active := l.ftp[back] && f.ftpData && f.Port >= 1024
	if l.nfs[there] || passive || active {
		f.Qualifiers |= Companion
		f.Level = min(f.Level, LevelWarning)
	}
}

func (j *judge) hostToNFS(f *judged) bool {
	return slices.ContainsFunc(f.readings, func(x reading) bool {
		return j.cat.IsA(x.from.role, "hypervisor-host") && x.to.role == "nfs-server"
	})
}

// mergeGroups makes one finding of the group-cast conversations of one sender and port.
func mergeGroups(fs []*judged) []*judged {
	at := map[key]*judged{}
	merged := fs[:0]
	for _, f := range fs {
		if f.Verdict != GroupCast {
			merged = append(merged, f)
			continue
		}
		k := key{initiator: f.Initiator, proto: f.Proto, port: f.Port, segment: f.Segment}
		first, ok := at[k]
		if !ok {
			f.Groups = []netip.Addr{f.Responder}
			at[k] = f
			merged = append(merged, f)
			continue
		}
		first.absorb(&f.Conversation)
	}
	for _, f := range at {
		slices.SortFunc(f.Groups, netip.Addr.Compare)
		f.Responder = f.Groups[0]
		f.To = inventory.Placed{Addr: f.Responder}
		f.ID, f.Filter = findingID(&f.Conversation), displayFilter(&f.Conversation)
	}
	return merged
}

// absorb adds the conversation of the same sender and port with another group.
func (c *Conversation) absorb(d *Conversation) {
	c.Groups = append(c.Groups, d.Responder)
	c.Flows += d.Flows
	c.Sent.Packets += d.Sent.Packets
	c.Sent.Bytes += d.Sent.Bytes
	c.First, c.Last = min(c.First, d.First), max(c.Last, d.Last)
	c.Seconds = c.Seconds.Union(d.Seconds)
	for o, n := range d.Outcomes {
		c.Outcomes[o] += n
	}
	c.InWindow = max(c.InWindow, d.InWindow)
	if d.Outcome > c.Outcome {
		c.Outcome, c.Detail = d.Outcome, d.Detail
	}
	if lessRef(d.Evidence, c.Evidence) {
		c.Evidence, c.EphemeralPort = d.Evidence, d.EphemeralPort
	}
}

// findingID names a conversation by its ends, transport and port, so that two runs can be compared.
func findingID(c *Conversation) string {
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

// displayFilter is a Wireshark display filter that shows the conversation.
func displayFilter(c *Conversation) string {
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
func compareFindings(a, b *Finding) int {
	return cmp.Or(cmp.Compare(a.Bucket(), b.Bucket()), -cmp.Compare(a.Level, b.Level), a.Initiator.Compare(b.Initiator),
		a.Responder.Compare(b.Responder), cmp.Compare(a.Proto, b.Proto), cmp.Compare(a.Port, b.Port),
		cmp.Compare(a.Segment, b.Segment))
}
