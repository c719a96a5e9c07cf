package report

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// A small network on one morning: hosts esx01..esx03, vCenter vc01, and the servers around them.
var (
	morning = time.Date(2010, 5, 3, 4, 0, 0, 0, time.UTC).UnixNano()
	second  = time.Second.Nanoseconds()
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func machine(name, product, address string, roles ...catalog.Role) *inventory.Machine {
	m := &inventory.Machine{Name: name, Line: 12, Addrs: []*inventory.Addr{{Addr: addr(address), Roles: declared(roles...), Plane: "mgmt"}}}
	if product != "" {
		family, version, _ := strings.Cut(product, " ")
		m.Products = []catalog.Deployed{{Family: family, Version: version}}
	}
	return m
}

func declared(roles ...catalog.Role) []inventory.Grant {
	var grants []inventory.Grant
	for _, role := range roles {
		grants = append(grants, inventory.Grant{Role: role, Confidence: inventory.Declared, Evidence: "lab.yaml:12"})
	}
	return grants
}

func placed(m *inventory.Machine) *inventory.Placed {
	return &inventory.Placed{Addr: m.Addrs[0].Addr, Machine: m, Roles: m.Addrs[0].Roles, Plane: "mgmt", Line: m.Line}
}

func stranger(s string) *inventory.Placed { return &inventory.Placed{Addr: addr(s)} }

func row(id, product, ports, transport, source, target, purpose string) *catalog.Row {
	r := &catalog.Row{
		ID: id, Product: product, SourcePrinted: source, TargetPrinted: target, Purpose: purpose, OnWire: true,
		PortsPrinted: ports, TransportPrinted: transport, Plane: "mgmt", Origin: catalog.Origin{Document: "vmware-ports-kb.txt", Line: 100},
		Class: catalog.Class{Kind: catalog.Always}, Period: 10 * time.Second,
	}
	lo, hi, isRange := strings.Cut(ports, "-")
	r.Ports.Lo = port(lo)
	r.Ports.Hi = r.Ports.Lo
	if isRange {
		r.Ports.Hi = port(hi)
	}
	if strings.Contains(transport, "TCP") {
		r.Transport |= catalog.TCP
	}
	if strings.Contains(transport, "UDP") {
		r.Transport |= catalog.UDP
	}
	return r
}

func port(s string) (n uint16) {
	for _, digit := range s {
		n = 10*n + uint16(digit-'0')
	}
	return n
}

// lab is the result that the golden files show: one finding of every verdict, one expectation of every verdict.
type lab struct {
	esx1, esx2, esx3, vc, dns, ntp, syslog, sql, vum, agent, cs *inventory.Machine

	heartbeat, resolve, log, rdp, database, update, ft, reach, broad, override, clock *catalog.Row
}

func newLab() *lab {
	l := &lab{
		esx1:   machine("esx01", "ESX 4.1", "10.0.0.11", "hypervisor-host", "esx-classic"),
		esx2:   machine("esx02", "ESX 4.1", "10.0.0.12", "hypervisor-host", "esx-classic"),
		esx3:   machine("esx03", "ESX 3.5", "10.0.0.13", "hypervisor-host", "esx-classic"),
		vc:     machine("vc01", "vCenter 4.1", "10.0.0.5", "vcenter-server"),
		dns:    machine("dns01", "", "10.0.0.53", "dns-server"),
		ntp:    machine("ntp01", "", "10.0.0.123", "ntp-server"),
		syslog: machine("log01", "", "10.0.0.14", "syslog-server"),
		sql:    machine("sql01", "", "10.0.0.33", "database-server"),
		vum:    machine("vum01", "", "10.0.0.84", "update-manager-server"),
		agent:  machine("view-agent-7", "View 4.0", "10.0.7.7", "view-agent"),
		cs:     machine("view-cs", "View 4.0", "10.0.0.40", "view-connection-server"),

		heartbeat: row("R100", "ESX 4.x", "902", "UDP", "ESX/ESXi Host", "vCenter 4 Server", "host heartbeat to its vCenter"),
		resolve:   row("R084", "ESX 4.x", "53", "UDP", "ESX/ESXi Host", "DNS Server", "name lookup"),
		log:       row("R097", "ESX 4.x", "514", "UDP", "ESX/ESXi Host", "Syslog Server", "remote logging"),
		rdp:       row("R327", "View 4.x", "3389", "TCP", "View Connection Server", "View Agent", "desktop session"),
		database:  row("R262", "vCenter 4.x", "1433", "TCP", "vCenter Server", "Microsoft SQL Server", "database"),
		update:    row("R236", "Update Manager", "9084", "TCP", "Update Manager Server", "ESX/ESXi Host", "patch download"),
		ft:        row("R114", "ESX 4.x", "8100", "TCP/UDP", "ESX/ESXi 4 Host", "ESX/ESXi 4.x Host", "fault tolerance logging"),
		reach:     row("R247", "vCenter 4.x", "443", "TCP", "vCenter Server", "ESX/ESXi Host", "host management"),
		broad:     row("R333", "View 4.x", "1024-65535", "TCP", "View Connection Server", "View Agent", "dynamic ports"),
		override:  row("R285", "vCenter 4.x", "902", "UDP", "ESX/ESXi Host", "vCenter Server", "host heartbeat"),
		clock:     row("R086", "ESX 4.x", "123", "UDP", "ESX/ESXi Host", "NTP Server", "clock synchronisation"),
	}
	l.ft.SourceMin, l.ft.TargetMin = 4, 4
	l.heartbeat.Source, l.heartbeat.Target = []catalog.Role{"hypervisor-host"}, []catalog.Role{"vcenter-server"}
	l.update.Erratum, l.update.Note = true, "the purpose column has the hosts connect to Update Manager, the source column the reverse"
	return l
}

// between builds a finding with the figures of an ordinary TCP or UDP conversation.
func (l *lab) between(v match.Verdict, from, to *inventory.Placed, proto capture.Proto, port uint16, rows ...*catalog.Row) *match.Finding {
	f := &match.Finding{
		Shown: v,
		Conversation: match.Conversation{
			Initiator: from.Addr, Responder: to.Addr, Proto: proto, Port: port, Basis: match.BasisSYN, Certainty: match.Certain,
			Outcome: match.Success, Detail: "established", Flows: 2, Connections: 2,
			Sent: match.Traffic{Packets: 12, Bytes: 1800}, Received: match.Traffic{Packets: 10, Bytes: 24000},
			First: morning + second, Last: morning + 40*second + 5, Evidence: capture.Ref{File: 0, Frame: 118}, EphemeralPort: 40000,
		},
		From: from, To: to, Verdict: v, Level: v.Level(), Rows: rows,
	}
	if proto == capture.UDP {
		f.Basis, f.Certainty, f.Connections = match.BasisUDPRequest, match.Likely, 0
	}
	f.Outcomes[match.Success] = 2
	f.Seconds.AddRun(capture.Run{First: f.First / second, Last: f.First/second + 8})
	if proto == capture.TCP {
		f.Seconds.Add(f.Last / second)
	}
	return f
}

// findings holds one of every flow verdict, and what the report does with many of one cause.
func (l *lab) findings() []*match.Finding {
	esx1, esx2, esx3, vc := placed(l.esx1), placed(l.esx2), placed(l.esx3), placed(l.vc)
	all := []*match.Finding{
		l.wrongVersion(esx3, esx1), l.wrongDirection(), l.wrongTransport(esx1), l.wrongTarget(esx1), l.wrongTarget(esx2),
		l.wrongSource(vc), l.unknownEndpoint(esx1), l.unlisted(esx1), l.disputed(), l.groupCast(esx1), l.inferred(),
		l.unconfirmed(), l.ambiguous(),
		l.between(match.VerdictDocumented, esx1, vc, capture.UDP, 902, l.heartbeat, l.override),
		l.between(match.VerdictDocumented, esx1, placed(l.dns), capture.UDP, 53, l.resolve),
		l.between(match.VerdictDocumented, esx2, placed(l.dns), capture.UDP, 53, l.resolve),
		l.between(match.DocumentedOverride, esx2, vc, capture.UDP, 1902, l.override),
		l.between(match.DocumentedBroad, placed(l.cs), placed(l.agent), capture.TCP, 40123, l.broad),
		l.between(match.OutOfScope, placed(l.dns), placed(l.ntp), capture.UDP, 123),
	}
	for p := range uint16(3) {
		all = append(all, l.probe(p))
	}
	all = append(all, l.excepted(), l.expired())
	slices.SortStableFunc(all, func(a, b *match.Finding) int { return int(b.Level) - int(a.Level) })
	return all
}

func (l *lab) wrongVersion(from, to *inventory.Placed) *match.Finding {
	f := l.between(match.WrongVersion, from, to, capture.TCP, 8100, l.ft)
	f.Near = []match.Near{{Row: l.ft, PortOK: true, TransportOK: true, SourceOK: true, TargetOK: true, DirectionOK: true, RelationOK: true}}
	return f
}

func (l *lab) wrongDirection() *match.Finding {
	f := l.between(match.WrongDirection, placed(l.sql), placed(l.vc), capture.TCP, 1433, l.database)
	f.Near = []match.Near{{Row: l.database, PortOK: true, TransportOK: true, SourceOK: true, TargetOK: true, ProductOK: true, RelationOK: true}}
	return f
}

func (l *lab) wrongTransport(from *inventory.Placed) *match.Finding {
	f := l.between(match.WrongTransport, from, placed(l.dns), capture.TCP, 53, l.resolve)
	f.Near = []match.Near{{Row: l.resolve, PortOK: true, SourceOK: true, TargetOK: true, DirectionOK: true, ProductOK: true, RelationOK: true}}
	return f
}

func (l *lab) wrongTarget(from *inventory.Placed) *match.Finding {
	f := l.between(match.WrongTarget, from, placed(l.syslog), capture.UDP, 53, l.resolve)
	f.Outcome, f.Detail = match.Refused, "icmp-port"
	f.Outcomes = [len(f.Outcomes)]int{match.Refused: 2}
	f.Allowed = []catalog.Role{"dns-server"}
	f.Near = []match.Near{
		{Row: l.resolve, PortOK: true, TransportOK: true, SourceOK: true, DirectionOK: true, ProductOK: true, RelationOK: true},
		{Row: l.log, TransportOK: true, SourceOK: true, TargetOK: true, DirectionOK: true, ProductOK: true, RelationOK: true},
	}
	return f
}

func (l *lab) wrongSource(vc *inventory.Placed) *match.Finding {
	f := l.between(match.WrongSource, placed(l.dns), vc, capture.UDP, 902, l.heartbeat)
	f.Allowed = []catalog.Role{"hypervisor-host"}
	f.Near = []match.Near{{Row: l.heartbeat, PortOK: true, TransportOK: true, TargetOK: true, DirectionOK: true, ProductOK: true, RelationOK: true}}
	return f
}

func (l *lab) unknownEndpoint(from *inventory.Placed) *match.Finding {
	f := l.between(match.UnknownEndpoint, from, stranger("10.1.1.5"), capture.UDP, 53, l.resolve)
	f.Hypotheses = []match.Hypothesis{{Responder: true, Role: "dns-server", Row: l.resolve}}
	f.Near = []match.Near{{Row: l.resolve, PortOK: true, TransportOK: true, SourceOK: true, DirectionOK: true, ProductOK: true, RelationOK: true}}
	return f
}

func (l *lab) unlisted(to *inventory.Placed) *match.Finding {
	f := l.between(match.UnlistedPort, stranger("10.1.1.5"), to, capture.TCP, 23)
	f.Qualifiers = match.Insecure
	return f
}

func (l *lab) disputed() *match.Finding {
	f := l.between(match.WrongDirection, placed(l.vum), placed(l.esx1), capture.TCP, 9084, l.update)
	f.Qualifiers, f.Level = match.DocumentDisputed, match.LevelWarning
	return f
}

func (l *lab) groupCast(from *inventory.Placed) *match.Finding {
	f := l.between(match.GroupCast, from, stranger("255.255.255.255"), capture.UDP, 902)
	f.Groups = []netip.Addr{addr("239.1.2.3"), addr("255.255.255.255")}
	f.Basis, f.Certainty = match.BasisCast, match.Certain
	return f
}

func (l *lab) inferred() *match.Finding {
	from := stranger("10.0.0.99")
	from.Roles = []inventory.Grant{{Role: "hypervisor-host", Confidence: inventory.Medium, Evidence: "118 heartbeats, every 10.0 s, to 10.0.0.5"}}
	f := l.between(match.UnlistedPort, from, placed(l.vc), capture.TCP, 8443)
	f.Qualifiers, f.Level = match.RoleInferred, match.LevelWarning
	f.Near = []match.Near{{Row: l.heartbeat, SourceOK: true, TargetOK: true, DirectionOK: true, ProductOK: true, RelationOK: true}}
	return f
}

func (l *lab) unconfirmed() *match.Finding {
	f := l.between(match.DirectionUnconfirmed, stranger("10.9.0.7"), placed(l.vc), capture.TCP, 443)
	f.Basis, f.Certainty, f.Outcome, f.Detail = match.BasisSYNACKOnly, match.Guess, match.OneSided, ""
	f.Shown = match.UnlistedPort
	f.Exchanged = &match.Reading{Initiator: l.vc.Addrs[0].Addr, Responder: addr("10.9.0.7"), Port: 50000, Verdict: match.VerdictDocumented, Rows: []*catalog.Row{l.reach}}
	return f
}

func (l *lab) ambiguous() *match.Finding {
	m := machine("esx04", "", "10.0.0.15", "hypervisor-host")
	f := l.between(match.AmbiguousRole, placed(m), placed(l.ntp), capture.UDP, 123)
	f.Hypotheses = []match.Hypothesis{{Role: "esx-classic", Row: l.clock}}
	return f
}

func (l *lab) probe(p uint16) *match.Finding {
	f := l.between(match.UnlistedPort, stranger("10.9.9.9"), placed(l.vc), capture.TCP, 7000+p)
	f.Outcome, f.Detail, f.Qualifiers, f.Scan = match.Refused, "rst", match.ScanLike, 1
	return f
}

func (l *lab) excepted() *match.Finding {
	f := l.between(match.UnlistedPort, stranger("10.1.1.6"), placed(l.esx2), capture.TCP, 23)
	f.Qualifiers = match.Insecure
	f.Disposition.Exception = exceptions()[0].Exception
	return f
}

func (l *lab) expired() *match.Finding {
	f := l.between(match.UnlistedPort, stranger("10.1.1.7"), placed(l.esx2), capture.TCP, 5900)
	f.Disposition.Expired = exceptions()[1].Exception
	return f
}

func exceptions() []match.ExceptionUse {
	until := time.Date(2010, 5, 4, 0, 0, 0, 0, time.UTC)
	named := func(id string, expires time.Time) *match.Exception {
		return &match.Exception{ID: id, Owner: "net-team", Ticket: "CHG-7", Justification: "until the switch is replaced", Expires: expires, Line: 3}
	}
	return []match.ExceptionUse{
		{Exception: named("EX-telnet", until), State: "expiring", Used: 1, ExpiresInDay: 1},
		{Exception: named("EX-vnc", until.AddDate(0, -1, 0)), State: "expired", Used: 1, ExpiresInDay: -29},
		{Exception: named("EX-old", until.AddDate(1, 0, 0)), State: "active", ExpiresInDay: 366},
		{Exception: named("EX-all", until.AddDate(1, 0, 0)), State: "active", Used: 9, ExpiresInDay: 366, TooBroad: "covers 9 conversations of 4 verdicts"},
	}
}

// expectations holds one of every expectation verdict, with evidence where the verdict has some.
func (l *lab) expectations() []match.Expectation {
	var all []match.Expectation
	for v := match.NotApplicable; v <= match.NotObservable; v++ {
		e := match.Expectation{
			ID: "E-" + v.String(), Rows: []*catalog.Row{l.heartbeat}, Class: l.heartbeat.Class, Subject: l.esx2, SubjectEnd: catalog.Source,
			Candidates: match.MachinesOf([]*inventory.Machine{l.vc}), Required: true, InView: true, Need: time.Minute, Verdict: v, Level: match.LevelError,
			Window: match.Window{Start: morning, End: morning + 60*second}, Filter: "ip.addr==10.0.0.12 && udp.port==902",
		}
		switch v.Bucket() {
		case match.NotJudged:
			e.Level = match.LevelNone
		case match.Documented:
			e.Level, e.Evidence = match.LevelPass, []int{0}
		case match.Indeterminate:
			e.Level = match.LevelWarning
		}
		switch v {
		case match.NotObservable:
			e.Reason = match.Reason{Code: "no-witness-target", Detail: "no frame of vc01 was seen", Remedy: "capture at the switch port of vc01"}
		case match.ExpectedAbsent:
			e.Coverage = match.Proven
			e.Rows = []*catalog.Row{l.heartbeat, l.override}
		default:
			e.Evidence = []int{0}
		}
		all = append(all, e)
	}
	again := func(id string, subject *inventory.Machine) *match.Expectation {
		e := all[match.ExpectedAbsent]
		e.ID, e.Subject = id, subject
		all = append(all, e)
		return &all[len(all)-1]
	}
	again("E-absent-2", l.esx3)
	used := again("E-absent-3", l.esx1)
	used.Rows, used.Class, used.Candidates = []*catalog.Row{l.ft}, catalog.Class{Kind: catalog.IfUsed, Of: "ft"}, match.MachinesOf([]*inventory.Machine{l.esx2})
	used.Required, used.Level, used.Coverage = false, match.LevelWarning, match.CoverageDeclared
	used.Disposition.Expired = exceptions()[1].Exception
	again("E-absent-4", l.esx2).Disposition.Exception = exceptions()[3].Exception
	for _, rows := range [][]*catalog.Row{{l.clock}, {l.log}} {
		e := all[match.NotObservable]
		e.ID, e.Rows, e.Required, e.Level = "E-note-"+rows[0].ID, rows, false, match.LevelNote
		e.Class, e.Need = catalog.Class{Kind: catalog.IfUsed, Of: "ntp"}, time.Hour
		e.Reason = match.Reason{Code: "window-too-short", Detail: "60s of capture, 1h needed", Remedy: "capture for at least 1h"}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b match.Expectation) int { return int(a.Bucket()) - int(b.Bucket()) })
	return all
}

// result is the whole of it.
func (l *lab) result() *match.Result {
	r := &match.Result{
		AsOf:    time.Date(2010, 5, 3, 12, 0, 0, 0, time.UTC),
		Catalog: &catalog.Catalog{Sources: []catalog.SourceInfo{{Name: "built-in", Rows: 343, SHA256: strings.Repeat("1a2b", 16)}}},
		Inventory: &inventory.Inventory{
			Name: "lab.yaml", Machines: []*inventory.Machine{l.esx1, l.esx2, l.esx3, l.vc, l.dns, l.ntp, l.syslog, l.sql, l.vum, l.agent, l.cs},
		},
		During: []string{"vmotion"}, Window: match.Window{Start: morning, End: morning + 60*second},
		Captures: []match.CaptureInfo{
			{Name: "mgmt.pcap", Format: "pcap", Size: 90000, Packets: 1234, First: morning, Last: morning + 60*second},
			{
				Name: "san.pcapng", Format: "pcapng", Size: 4000, Packets: 20, First: morning, Last: morning + 30*second, Filter: "tcp",
				Gaps: []capture.Gap{
					{From: morning + 2*second, To: morning + 5*second, Reason: "interface down"},
					{From: morning + 9*second, To: morning + 10*second, Reason: "packets dropped by the kernel", Lost: 3, Offered: 8},
				},
				DropsRecorded: true, Received: 20, Drops: 3, AckedUnseen: 0.021, Damage: &capture.Damage{Offset: 4000, Reason: "cut within a packet block"},
				Interfaces: []capture.Interface{{Name: "vmk0", Link: 1, SnapLen: 96, Counted: true, Received: 20, Dropped: 3}},
			},
		},
		First: morning, Last: morning + 60*second,
		Expectations: l.expectations(), Exceptions: exceptions(),
		OutOfScope: []match.Service{{Proto: capture.UDP, Port: 123, Conversations: 1, Packets: 22}},
		Recognised: 6,
		Counts: match.Counts{
			Documented: 5, Undocumented: 11, Indeterminate: 2, Excepted: 2, OutOfScope: 1,
			Met: 1, Absent: 7, CouldNotJudge: 5, NotExercised: 1, Errors: 14, Warnings: 9,
		},
		Warnings: []string{"lab.yaml:40: service ftp is used, but no machine plays ftp-server"},
		Status:   4, StatusWhy: "san.pcapng is cut: the report covers what was read",
	}
	r.Stats.Read, r.Stats.Bytes, r.Stats.Flowed = 1254, 94000, 1220
	r.Stats.Skipped[capture.IgnoredNotIP], r.Stats.Skipped[capture.IgnoredICMP], r.Stats.Skipped[capture.BadTruncated] = 20, 10, 4
	r.Stats.EtherTypes = map[uint16]uint64{0x0806: 20}
	r.Stats.Protocols = map[uint8]uint64{1: 10}
	findings := l.findings()
	r.Findings, r.Scans = match.FindingsOf(findings...), scansOf(findings, 1, 3)
	return r
}

// scansOf gathers the members of scans 1..n.
func scansOf(findings []*match.Finding, n, ports int) []match.Scan {
	scans := make([]match.Scan, n)
	for i := range findings {
		if s := findings[i].Scan; s > 0 {
			scans[s-1].Initiator = findings[i].Initiator
			scans[s-1].Members = append(scans[s-1].Members, i)
			scans[s-1].Worst, scans[s-1].Hosts, scans[s-1].Ports = scans[s-1].Members[0], 1, ports
		}
	}
	return scans
}

// emptyResult is a capture in which nobody was recognised.
func emptyResult() *match.Result {
	r := &match.Result{
		AsOf: time.Date(2010, 5, 3, 12, 0, 0, 0, time.UTC), Inventory: &inventory.Inventory{Name: "inferred", Inferred: true},
		Captures: []match.CaptureInfo{{Name: "home.pcap", Format: "pcap", Packets: 40, First: morning, Last: morning + second}},
		OutOfScope: []match.Service{
			{Proto: capture.TCP, Port: 443, Conversations: 3, Packets: 30}, {Proto: capture.UDP, Port: 53, Conversations: 2, Packets: 10},
		},
		Talkers: []match.Talker{{Addr: addr("192.168.1.20"), Packets: 40, Peers: 2}, {Addr: addr("fe80::1"), Packets: 10, Peers: 1}},
		Counts:  match.Counts{OutOfScope: 5},
		Status:  3, StatusWhy: "no VMware machine was recognised",
	}
	r.Stats.Read, r.Stats.Flowed = 40, 40
	return r
}
