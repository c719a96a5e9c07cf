package inventory

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"slices"

	"flowvet/capture"
	"flowvet/catalog"
)

// The roles that rules speak of more than once.
const (
	hypervisor   catalog.Role = "hypervisor-host"
	viewAgent    catalog.Role = "view-agent"
	snmpManager  catalog.Role = "snmp-manager"
	labManager   catalog.Role = "lab-manager-server"
	nfsServer    catalog.Role = "nfs-server"
	iscsiTarget  catalog.Role = "iscsi-target"
	syslogServer catalog.Role = "syslog-server"
)

// many is how many peers make a pattern.
const many = 3

// rules returns every rule, anchors first: what is inferred of one address helps to read the others.
func rules() []func(*inference) {
	return []func(*inference){
		(*inference).heartbeats,
		(*inference).cluster,
		(*inference).faultTolerance,
		(*inference).vMotion,
		(*inference).storage,
		(*inference).desktops,
		(*inference).management,
		(*inference).licences,
		(*inference).services,
		(*inference).collectors,
		(*inference).agents,
		(*inference).pollers,
	}
}

// heartbeat reports whether a series is what a host sends its vCenter: a datagram of 150 to 500 bytes every ten seconds.
func (s *series) heartbeat() bool {
	gap := s.spacing()
	return s.port == 902 && s.datagrams >= many && len(s.instants) >= many && !s.refused &&
		s.payloadMin >= 150 && s.payloadMax <= 500 && gap >= 8 && gap <= 12
}

// heartbeats: whoever sends them is a host, whoever gets them its vCenter.
func (in *inference) heartbeats() {
	for _, s := range in.beats {
		in.claim(s.from, hypervisor, High, "mgmt", "%s, every %.1f s, to %s", count(len(s.instants), "heartbeat"), s.spacing(), s.to)
	}
	for to, list := range grouped(in.beats, func(s *series) netip.Addr { return s.to }) {
		if len(list) == 1 {
			s := list[0]
			in.claim(to, vCenter, High, "", "%s, every %.1f s, from %s", count(len(s.instants), "heartbeat"), s.spacing(), s.from)
			continue
		}
		all := 0
		for _, s := range list {
			all += len(s.instants)
		}
		in.claim(to, vCenter, High, "", "%s of %s, the first %s", count(all, "heartbeat"), count(len(list), "host"), list[0].from)
	}
}

// cluster: two hosts that talk HA with each other, of 3.x and 4.x (AAM) or of 5.0 on (FDM). Other programs use 8182 too:
// FDM shows on UDP and TCP.
func (in *inference) cluster() {
	for _, p := range in.pairs {
		occupied, span, steady := p.steady()
		switch {
		case !steady:
		case p.use == clusterAAM:
			in.both(p.a, p.b, High, "mgmt", "HA traffic (UDP 2050-2250, both ways, in %d of %d s)", occupied, span)
		case p.use == clusterFDM && in.talks(p.a, p.b, 8182):
			in.both(p.a, p.b, High, "mgmt", "HA traffic (TCP and UDP 8182, both ways, in %d of %d s)", occupied, span)
		}
	}
}

// both claims that two addresses are hosts, for what they do with each other. Hosts do it with hosts: where one end is
// known to be something else, the traffic is something else too and says nothing of the other end.
func (in *inference) both(a, b netip.Addr, c Confidence, plane, format string, args ...any) {
	if in.barred(a, hypervisor) || in.barred(b, hypervisor) {
		return
	}
	what := fmt.Sprintf(format, args...)
	in.claim(a, hypervisor, c, plane, "%s with %s", what, b)
	in.claim(b, hypervisor, c, plane, "%s with %s", what, a)
}

// talks reports whether there is an answered TCP dialogue on a port between two addresses, whoever began it.
func (in *inference) talks(a, b netip.Addr, port uint16) bool {
	return in.dialogue(dialogueKey{a, b, capture.TCP, port}) != nil || in.dialogue(dialogueKey{b, a, capture.TCP, port}) != nil
}

// dialogue returns the dialogue with a key, or nil.
func (in *inference) dialogue(key dialogueKey) *dialogue {
	i, found := slices.BinarySearchFunc(in.dialogues, key, func(d *dialogue, k dialogueKey) int { return d.compare(k) })
	if !found {
		return nil
	}
	return in.dialogues[i]
}

// on returns the dialogues on a port, sorted by server.
func (in *inference) on(proto capture.Proto, port uint16) []*dialogue {
	from, _ := slices.BinarySearchFunc(in.dialogues, port, func(d *dialogue, p uint16) int {
		return cmp.Or(cmp.Compare(d.port, p), cmp.Compare(d.proto, proto))
	})
	to := from
	for to < len(in.dialogues) && in.dialogues[to].port == port && in.dialogues[to].proto == proto {
		to++
	}
	return in.dialogues[from:to]
}

// faultTolerance: a pair with TCP 8100 and a steady UDP 8200 both ways.
func (in *inference) faultTolerance() {
	for _, p := range in.pairs {
		occupied, span, steady := p.steady()
		if p.use == faultTolerance && steady && in.talks(p.a, p.b, 8100) {
			in.both(p.a, p.b, High, "ft", "Fault Tolerance traffic (TCP 8100 and UDP 8200, both ways, in %d of %d s)", occupied, span)
		}
	}
}

// vMotion: more than 1 MB one way over TCP 8000, between hosts or within one subnet. The port alone is nothing:
// developers' web servers use it.
func (in *inference) vMotion() {
	for _, d := range in.on(capture.TCP, 8000) {
		bulk, back := max(d.up, d.down), min(d.up, d.down)
		if bulk <= 1e6 || back > bulk/10 {
			continue
		}
		if !sameSubnet(d.client, d.server) && !(in.is(d.client, hypervisor) && in.is(d.server, hypervisor)) {
			continue
		}
		in.both(d.client, d.server, Medium, "vmotion", "vMotion traffic (TCP 8000, %s one way)", size(bulk))
	}
}

// sameSubnet reports whether two addresses share a /24, or a /64 of IPv6.
func sameSubnet(a, b netip.Addr) bool {
	bits := 24
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	return err == nil && p.Contains(b)
}

// storage: who serves iSCSI and NFS. An initiator that stays is likely a host; an NFS client may be anything.
func (in *inference) storage() {
	for _, d := range in.on(capture.TCP, 3260) {
		in.claim(d.server, iscsiTarget, d.grade(High), "", "answers iSCSI (3260/tcp) of %s", d.client)
		confidence := Low
		if d.lasts(60) {
			confidence = d.grade(Medium)
		}
		in.claim(d.client, hypervisor, confidence, "storage", "iSCSI initiator (3260/tcp) of %s for %d s", d.server, (d.last-d.first)/1e9)
	}
	for _, proto := range []capture.Proto{capture.TCP, capture.UDP} {
		for _, d := range in.on(proto, 2049) {
			in.claim(d.server, nfsServer, d.grade(High), "", "answers NFS (2049/%s) of %s", proto, d.client)
			in.claim(d.client, hypervisor, Low, "storage", "NFS client (2049/%s) of %s", proto, d.server)
		}
	}
}

// desktops: whom many desktops keep a message connection to is the connection server; PCoIP is set up over TCP by the
// viewer, then streams over UDP both ways.
func (in *inference) desktops() {
	for server, list := range byServer(in.on(capture.TCP, 4001)) {
		list = slices.DeleteFunc(list, func(d *dialogue) bool { return !d.lasts(30) })
		if len(list) < many {
			continue
		}
		in.claim(server, "view-connection-server", Medium, "", "%s keep message connections (4001/tcp)", count(len(list), "desktop"))
		for _, d := range list {
			in.claim(d.client, viewAgent, Medium, "", "keeps a message connection (4001/tcp) to %s", server)
		}
	}
	for _, p := range in.pairs {
		if p.use != desktop || p.fromA == 0 || p.fromB == 0 {
			continue
		}
		for _, port := range []uint16{4172, 50002} {
			for _, ends := range [][2]netip.Addr{{p.a, p.b}, {p.b, p.a}} {
				if in.dialogue(dialogueKey{ends[0], ends[1], capture.TCP, port}) != nil {
					in.claim(ends[1], viewAgent, Medium, "", "serves PCoIP (%d, TCP then UDP) to %s", port, ends[0])
					in.claim(ends[0], "view-client", Medium, "", "shows PCoIP (%d, TCP then UDP) of %s", port, ends[1])
				}
			}
		}
	}
}

// grouped yields elements that share an address, sorted by it; each group keeps their order.
func grouped[E any](list []E, by func(E) netip.Addr) iter.Seq2[netip.Addr, []E] {
	groups := map[netip.Addr][]E{}
	for _, e := range list {
		groups[by(e)] = append(groups[by(e)], e)
	}
	return func(yield func(netip.Addr, []E) bool) {
		for _, addr := range slices.SortedFunc(maps.Keys(groups), netip.Addr.Compare) {
			if !yield(addr, groups[addr]) {
				return
			}
		}
	}
}

func byServer(list []*dialogue) iter.Seq2[netip.Addr, []*dialogue] {
	return grouped(list, func(d *dialogue) netip.Addr { return d.server })
}

func byClient(list []*dialogue) iter.Seq2[netip.Addr, []*dialogue] {
	return grouped(list, func(d *dialogue) netip.Addr { return d.client })
}

// management: who manages hosts (443 to many of them, power-on by IPMI), and whom they fetch updates from.
func (in *inference) management() {
	for client, list := range byClient(in.on(capture.TCP, 443)) {
		list = slices.DeleteFunc(list, func(d *dialogue) bool { return !in.is(d.server, hypervisor) })
		if len(list) >= many {
			in.claim(client, vCenter, Low, "", "manages %s (443/tcp), the first %s", count(len(list), "host"), list[0].server)
		}
	}
	for _, d := range in.on(capture.TCP, 9084) {
		if in.is(d.client, hypervisor) {
			in.claim(d.server, "update-manager-server", d.grade(High), "", "host %s fetches updates (9084/tcp)", d.client)
		}
	}
	for _, d := range in.on(capture.UDP, 623) {
		if in.is(d.client, vCenter) {
			in.claim(d.server, hypervisor, Medium, "bmc", "answers IPMI (623/udp) of vCenter %s: a host's management controller", d.client)
		}
	}
}

// licences: FlexLM asks the manager on 27000, then the vendor's daemon on 27010.
func (in *inference) licences() {
	for _, d := range in.on(capture.TCP, 27010) {
		first := in.dialogue(dialogueKey{d.client, d.server, capture.TCP, 27000})
		if first != nil && first.first <= d.first {
			in.claim(d.server, "license-server", min(d.grade(High), first.grade(High)), "",
				"answers FlexLM (27000/tcp, then 27010/tcp) of %s", d.client)
		}
	}
}
