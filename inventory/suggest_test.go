package inventory

import (
	"bytes"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/capture"
	"flowvet/catalog"
)

// second is the first second of every story, since 1970.
const second = int64(1_700_000_000)

// ns returns the time some seconds into the story.
func ns(seconds float64) int64 { return second*1e9 + int64(seconds*1e9) }

// side is what one end of a flow sends: packets and payload bytes from one time to another.
func side(packets, content uint64, payload uint16, from, to float64, signs capture.Signs) capture.Side {
	return capture.Side{
		Packets: packets, Bytes: content + 60*packets, Content: content, PayloadMin: payload, PayloadMax: payload,
		First: ns(from), Last: ns(to), Signs: signs,
	}
}

// flow makes a flow of two ends: what src sends and what dst sends, in the seconds between the first and last packet.
func flow(proto capture.Proto, src, dst string, sent, received capture.Side) capture.Flow {
	a, b := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	first, last := sent.First, sent.Last
	if received.Packets > 0 {
		first, last = min(first, received.First), max(last, received.Last)
	}
	f := capture.Flow{A: a, B: b, Proto: proto, FromA: sent, FromB: received, Seconds: capture.Seconds{{First: first / 1e9, Last: last / 1e9}}}
	if b.Compare(a) < 0 {
		f.A, f.B, f.FromA, f.FromB = b, a, received, sent
	}
	return f
}

// tcp is a whole TCP connection that src begins: handshake, up bytes one way, down bytes the other.
func tcp(src, dst string, from, to float64, up, down uint64) capture.Flow {
	const isn = 4_000_000_000
	sent := side(5+up/1460, up, 0, from, to, capture.SYN|capture.ACK|capture.Payload)
	sent.SYNAt, sent.AckMin, sent.AckMax = sent.First, isn+1, isn+1
	received := side(5+down/1460, down, 0, from+0.001, to, capture.SYNACK|capture.ACK|capture.Payload)
	received.ISNs, received.SYNACKAt = []uint32{isn}, received.First
	return flow(capture.TCP, src, dst, sent, received)
}

// midstream is a TCP connection whose beginning the capture missed.
func midstream(src, dst string, from, to float64, up, down uint64) capture.Flow {
	const signs = capture.ACK | capture.Payload
	return flow(capture.TCP, src, dst, side(5+up/1460, up, 0, from, to, signs), side(5+down/1460, down, 0, from, to, signs))
}

// udp is a question and its answer.
func udp(src, dst string, at float64) capture.Flow {
	return flow(capture.UDP, src, dst, side(1, 40, 40, at, at, capture.Payload), side(1, 100, 100, at+0.01, at+0.01, capture.Payload))
}

// stream is UDP both ways, a packet a second each.
func stream(src, dst string, from, to float64) capture.Flow {
	n := uint64(to - from)
	return flow(capture.UDP, src, dst, side(n, 100*n, 100, from, to, capture.Payload), side(n, 100*n, 100, from+0.2, to, capture.Payload))
}

// oneWay is datagrams without an answer.
func oneWay(src, dst string, n uint64, payload uint16, from, to float64) capture.Flow {
	return flow(capture.UDP, src, dst, side(n, n*uint64(payload), payload, from, to, capture.Payload), capture.Side{})
}

// beats is n heartbeats, each from a port of its own.
func beats(host, vc string, n int) []capture.Flow {
	var list []capture.Flow
	for i := range n {
		at := float64(10*i) + 0.5
		list = append(list, oneWay(fmt.Sprintf("%s:%d", host, 40000+i), vc+":902", 1, 334, at, at))
	}
	return list
}

// all joins flows.
func all(parts ...any) iter.Seq[capture.Flow] {
	var list []capture.Flow
	for _, p := range parts {
		switch p := p.(type) {
		case capture.Flow:
			list = append(list, p)
		case []capture.Flow:
			list = append(list, p...)
		}
	}
	return slices.Values(list)
}

// suggestFrom infers from a table of the flows.
func suggestFrom(c *catalog.Catalog, flows iter.Seq[capture.Flow]) *Inventory {
	table := new(capture.Table)
	for f := range flows {
		table.AddFlow(&f)
	}
	return Suggest(c, table)
}

// inferred returns what was inferred, one line for each role: "10.0.0.5 vcenter-server high: evidence".
func inferred(v *Inventory) []string {
	var lines []string
	for _, m := range v.Machines {
		for _, a := range m.Addrs {
			plane := ""
			if a.Plane != "" {
				plane = " on " + a.Plane
			}
			for _, g := range a.Roles {
				lines = append(lines, fmt.Sprintf("%s %s%s %s: %s", a.Addr, g.Role, plane, g.Confidence, g.Evidence))
			}
		}
	}
	return lines
}

func TestSuggest(t *testing.T) {
	long := func(list ...capture.Flow) []capture.Flow { return list }
	for _, c := range []struct {
		why   string
		flows iter.Seq[capture.Flow]
		want  []string
	}{
		{"F1, F2: heartbeats, each a flow of its own", all(beats("10.0.0.11", "10.0.0.5", 118)), []string{
			"10.0.0.5 vcenter-server high: 118 heartbeats, every 10.0 s, from 10.0.0.11",
			"10.0.0.11 hypervisor-host on mgmt high: 118 heartbeats, every 10.0 s, to 10.0.0.5",
		}},
		{"F1: heartbeats from one port", all(oneWay("10.0.0.11:40000", "10.0.0.5:902", 3, 334, 0, 20.1)), nil},
		{"F1: heartbeats from one port, second by second", all(func() capture.Flow {
			f := oneWay("10.0.0.11:902", "10.0.0.5:902", 6, 334, 0.5, 50.5)
			f.Seconds = nil
			for at := second; at <= second+50; at += 10 {
				f.Seconds = append(f.Seconds, capture.Run{First: at, Last: at})
			}
			return f
		}()), []string{
			"10.0.0.5 vcenter-server high: 6 heartbeats, every 10.0 s, from 10.0.0.11",
			"10.0.0.11 hypervisor-host on mgmt high: 6 heartbeats, every 10.0 s, to 10.0.0.5",
		}},
		{"F2: many hosts, each datagram captured twice", all(beats("10.0.0.11", "10.0.0.5", 5), beats("10.0.0.11", "10.0.0.5", 5), beats("10.0.0.12", "10.0.0.5", 5)), []string{
			"10.0.0.5 vcenter-server high: 10 heartbeats of 2 hosts, the first 10.0.0.11",
			"10.0.0.11 hypervisor-host on mgmt high: 5 heartbeats, every 10.0 s, to 10.0.0.5",
			"10.0.0.12 hypervisor-host on mgmt high: 5 heartbeats, every 10.0 s, to 10.0.0.5",
		}},
		{"F1: two heartbeats are too few", all(beats("10.0.0.11", "10.0.0.5", 2)), nil},
		{"F1: datagrams too small, and too often", all(
			oneWay("10.0.0.11:1", "10.0.0.5:902", 1, 20, 0, 0), oneWay("10.0.0.11:2", "10.0.0.5:902", 1, 20, 10, 10), oneWay("10.0.0.11:3", "10.0.0.5:902", 1, 20, 20, 20),
			oneWay("10.0.0.12:1", "10.0.0.5:902", 1, 334, 0, 0), oneWay("10.0.0.12:2", "10.0.0.5:902", 1, 334, 2, 2), oneWay("10.0.0.12:3", "10.0.0.5:902", 1, 334, 4, 4)), nil},
		{"F1: to a group", all(beats("10.0.0.11", "239.1.1.1", 9), beats("10.0.0.11", "255.255.255.255", 9)), nil},
		{"F3: vMotion between two of one subnet", all(tcp("10.0.1.11:1025", "10.0.1.12:8000", 1, 30, 50e6, 1000)), []string{
			"10.0.1.11 hypervisor-host on vmotion medium: vMotion traffic (TCP 8000, 50.0 MB one way) with 10.0.1.12",
			"10.0.1.12 hypervisor-host on vmotion medium: vMotion traffic (TCP 8000, 50.0 MB one way) with 10.0.1.11",
		}},
		{"F3: a web server on 8000", all(tcp("10.0.1.11:1025", "10.0.1.12:8000", 1, 3, 500, 20_000), tcp("10.0.1.11:1026", "10.0.3.12:8000", 1, 3, 500, 20e6)), nil},
		{"F3: between known hosts of two subnets", all(beats("10.0.0.11", "10.0.0.5", 9), beats("10.0.2.12", "10.0.0.5", 9), tcp("10.0.0.11:1025", "10.0.2.12:8000", 1, 30, 50e6, 1000)), []string{
			"10.0.0.5 vcenter-server high: 18 heartbeats of 2 hosts, the first 10.0.0.11",
			"10.0.0.11 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.5",
			"10.0.2.12 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.5",
		}},
		{"F4: AAM between two hosts", all(stream("10.0.0.11:2050", "10.0.0.12:2051", 0, 60)), []string{
			"10.0.0.11 hypervisor-host on mgmt high: HA traffic (UDP 2050-2250, both ways, in 61 of 61 s) with 10.0.0.12",
			"10.0.0.12 hypervisor-host on mgmt high: HA traffic (UDP 2050-2250, both ways, in 61 of 61 s) with 10.0.0.11",
		}},
		{"F4: one way, or for a moment", all(oneWay("10.0.0.11:2050", "10.0.0.12:2051", 60, 100, 0, 60), stream("10.0.0.13:2050", "10.0.0.12:2051", 0, 6)), nil},
		{"F5: FDM needs UDP and TCP", all(stream("10.0.0.11:8182", "10.0.0.12:8182", 0, 60), stream("10.0.0.13:8182", "10.0.0.14:8182", 0, 60), tcp("10.0.0.12:30000", "10.0.0.11:8182", 1, 50, 900, 900)), []string{
			"10.0.0.11 hypervisor-host on mgmt high: HA traffic (TCP and UDP 8182, both ways, in 61 of 61 s) with 10.0.0.12",
			"10.0.0.12 hypervisor-host on mgmt high: HA traffic (TCP and UDP 8182, both ways, in 61 of 61 s) with 10.0.0.11",
		}},
		{"F6: Fault Tolerance", all(stream("10.0.3.11:8200", "10.0.3.12:8200", 0, 30), midstream("10.0.3.11:1500", "10.0.3.12:8100", 0, 30, 9e6, 9e4)), []string{
			"10.0.3.11 hypervisor-host on ft high: Fault Tolerance traffic (TCP 8100 and UDP 8200, both ways, in 31 of 31 s) with 10.0.3.12",
			"10.0.3.12 hypervisor-host on ft high: Fault Tolerance traffic (TCP 8100 and UDP 8200, both ways, in 31 of 31 s) with 10.0.3.11",
		}},
		{"F7: iSCSI that lasts, and that does not", all(tcp("10.0.4.11:1500", "10.0.4.1:3260", 0, 90, 9e6, 9e6), tcp("10.0.4.12:1500", "10.0.4.1:3260", 0, 9, 9e6, 9e6)), []string{
			"10.0.4.1 iscsi-target high: answers iSCSI (3260/tcp) of 10.0.4.11",
			"10.0.4.11 hypervisor-host on storage medium: iSCSI initiator (3260/tcp) of 10.0.4.1 for 90 s",
			"10.0.4.12 hypervisor-host low: iSCSI initiator (3260/tcp) of 10.0.4.1 for 9 s",
		}},
		{"F8: NFS from a privileged port, mid-stream", all(midstream("10.0.4.11:900", "10.0.4.1:2049", 0, 90, 9e6, 9e6)), []string{
			"10.0.4.1 nfs-server medium: answers NFS (2049/tcp) of 10.0.4.11",
			"10.0.4.11 hypervisor-host low: NFS client (2049/tcp) of 10.0.4.1",
		}},
		{"F9: message connections of many desktops", all(tcp("10.0.5.1:1500", "10.0.5.9:4001", 0, 60, 99, 99), tcp("10.0.5.2:1500", "10.0.5.9:4001", 0, 60, 99, 99), tcp("10.0.5.3:1500", "10.0.5.9:4001", 0, 60, 99, 99)), []string{
			"10.0.5.1 view-agent medium: keeps a message connection (4001/tcp) to 10.0.5.9",
			"10.0.5.2 view-agent medium: keeps a message connection (4001/tcp) to 10.0.5.9",
			"10.0.5.3 view-agent medium: keeps a message connection (4001/tcp) to 10.0.5.9",
			"10.0.5.9 view-connection-server medium: 3 desktops keep message connections (4001/tcp)",
		}},
		{"F10: PCoIP, set up over TCP", all(tcp("10.0.6.1:1500", "10.0.5.1:50002", 0, 1, 99, 99), stream("10.0.5.1:50002", "10.0.6.1:50002", 1, 30), stream("10.0.5.2:50002", "10.0.6.2:50002", 1, 30)), []string{
			"10.0.5.1 view-agent medium: serves PCoIP (50002, TCP then UDP) to 10.0.6.1",
			"10.0.6.1 view-client medium: shows PCoIP (50002, TCP then UDP) of 10.0.5.1",
		}},
		{"F11: 443 to many hosts is a hint", all(beats("10.0.0.11", "10.0.0.5", 9), beats("10.0.0.12", "10.0.0.5", 9), beats("10.0.0.13", "10.0.0.5", 9),
			tcp("10.0.0.6:1500", "10.0.0.11:443", 0, 9, 99, 99), tcp("10.0.0.6:1500", "10.0.0.12:443", 0, 9, 99, 99), tcp("10.0.0.6:1500", "10.0.0.13:443", 0, 9, 99, 99)), []string{
			"10.0.0.5 vcenter-server high: 27 heartbeats of 3 hosts, the first 10.0.0.11",
			"10.0.0.6 client-pc low: only ever asks, of 10.0.0.11 (443/tcp) for one",
			"10.0.0.6 vcenter-server low: manages 3 hosts (443/tcp), the first 10.0.0.11",
			"10.0.0.11 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.5",
			"10.0.0.12 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.5",
			"10.0.0.13 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.5",
		}},
		{"F12: hosts fetch updates", all(tcp("10.0.0.11:1500", "10.0.0.7:9084", 0, 9, 99, 9e6), beats("10.0.0.11", "10.0.0.5", 9), tcp("10.0.0.99:1500", "10.0.0.98:9084", 0, 9, 99, 9e6)), []string{
			"10.0.0.5 vcenter-server high: 9 heartbeats, every 10.0 s, from 10.0.0.11",
			"10.0.0.7 update-manager-server high: host 10.0.0.11 fetches updates (9084/tcp)",
			"10.0.0.11 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.5",
		}},
		{"F14: IPMI of a vCenter, not of others", all(beats("10.0.0.11", "10.0.0.5", 9), udp("10.0.0.5:40000", "10.0.7.11:623", 1), udp("10.0.0.99:40000", "10.0.7.12:623", 1)), []string{
			"10.0.0.5 vcenter-server high: 9 heartbeats, every 10.0 s, from 10.0.0.11",
			"10.0.0.11 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.5",
			"10.0.7.11 hypervisor-host on bmc medium: answers IPMI (623/udp) of vCenter 10.0.0.5: a host's management controller",
		}},
		{"F15: FlexLM", all(tcp("10.0.0.5:1500", "10.0.0.8:27000", 0, 1, 99, 99), tcp("10.0.0.5:1501", "10.0.0.8:27010", 1, 2, 99, 99), tcp("10.0.0.5:1501", "10.0.0.9:27000", 1, 2, 99, 99)), []string{
			"10.0.0.8 license-server high: answers FlexLM (27000/tcp, then 27010/tcp) of 10.0.0.5",
		}},
		{"F16: services that answer", all(udp("10.0.0.11:40000", "10.0.2.1:53", 1), udp("10.0.0.12:40000", "10.0.2.1:53", 2), udp("10.0.0.11:123", "10.0.2.1:123", 2), tcp("10.0.0.11:1500", "10.0.2.2:389", 0, 1, 9, 9), tcp("10.0.0.11:1501", "10.0.2.2:88", 0, 1, 9, 9),
			tcp("10.0.0.11:1502", "10.0.2.3:1433", 0, 1, 9, 9), tcp("10.0.0.11:1503", "10.0.2.3:445", 0, 1, 9, 9)), []string{
			"10.0.2.1 dns-server high: answers DNS (53/udp) of 10.0.0.11 and 1 other",
			"10.0.2.1 ntp-server high: answers NTP (123/udp) of 10.0.0.11",
			"10.0.2.2 ad-server high: answers Kerberos (88/tcp) of 10.0.0.11",
			"10.0.2.2 ldap-server high: answers LDAP (389/tcp) of 10.0.0.11",
			"10.0.2.3 mssql-server high: answers SQL Server (1433/tcp) of 10.0.0.11",
			"10.0.2.3 smb-server high: answers SMB (445/tcp) of 10.0.0.11",
		}},
		{"F16: between equal ports an answer comes soon", all(func() capture.Flow {
			f := udp("10.0.2.1:123", "10.0.0.11:123", 1)
			f.FromA.First, f.FromA.Last = ns(65), ns(65)
			return f
		}()), nil},
		{"F16: a client from port 53", all(udp("10.0.0.66:53", "10.0.0.11:8888", 1), tcp("10.0.0.66:1433", "10.0.0.11:80", 0, 3, 99, 99), midstream("10.0.0.66:1433", "10.0.0.11:443", 0, 3, 99, 99)), nil},
		{"F16: syslog and traps of somebody who was seen to talk", all(udp("10.0.0.11:40000", "10.0.2.1:53", 1),
			oneWay("10.0.0.11:514", "10.0.2.4:514", 5, 90, 1, 30), oneWay("10.0.0.11:5000", "10.0.2.5:162", 5, 90, 1, 30), oneWay("10.0.0.77:514", "10.0.2.6:514", 5, 90, 1, 30)), []string{
			"10.0.2.1 dns-server high: answers DNS (53/udp) of 10.0.0.11",
			"10.0.2.4 syslog-server medium: gets syslog (514/udp, 5 datagrams) of 10.0.0.11",
			"10.0.2.5 snmp-manager medium: gets SNMP traps (162/udp, 5 datagrams) of 10.0.0.11",
		}},
		{"F17: the agent of Lab Manager", all(tcp("10.0.0.9:1500", "10.0.0.11:5212", 0, 1, 9, 9)), []string{
			"10.0.0.9 lab-manager-server low: talks to the agent (5212/tcp) of 10.0.0.11: Lab Manager, or Stage Manager",
			"10.0.0.11 hypervisor-host medium: answers as a Lab Manager or Stage Manager agent (5212/tcp) to 10.0.0.9",
		}},
		{"F18: a console, and a backup", all(beats("10.0.0.11", "10.0.0.5", 9), tcp("10.0.9.1:1500", "10.0.0.11:902", 0, 9, 9e4, 9e6), tcp("10.0.9.2:1500", "10.0.0.11:902", 0, 9, 9e4, 9e9)), []string{
			"10.0.0.5 vcenter-server high: 9 heartbeats, every 10.0 s, from 10.0.0.11",
			"10.0.0.11 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.5",
			"10.0.9.1 vi-client low: a console (902/tcp, 9.0 MB back) at host 10.0.0.11",
			"10.0.9.2 vcb-proxy low: a backup (902/tcp, 9.0 GB back) at host 10.0.0.11",
		}},
		{"F19: who polls many", all(udp("10.0.0.9:40000", "10.0.0.11:161", 1), udp("10.0.0.9:40000", "10.0.0.12:161", 2), udp("10.0.0.9:40000", "10.0.0.13:161", 3), udp("10.0.0.8:40000", "10.0.0.13:161", 3)), []string{
			"10.0.0.9 snmp-manager medium: polls SNMP (161/udp) of 3 machines, the first 10.0.0.11",
		}},
		{"F20: who only asks", all(beats("10.0.0.11", "10.0.0.5", 9), tcp("10.0.9.1:1500", "10.0.0.5:443", 0, 9, 99, 99), tcp("10.0.9.2:1500", "10.0.9.3:443", 0, 9, 99, 99)), []string{
			"10.0.0.5 vcenter-server high: 9 heartbeats, every 10.0 s, from 10.0.0.11",
			"10.0.0.11 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.5",
			"10.0.9.1 client-pc low: only ever asks, of 10.0.0.5 (443/tcp) for one",
		}},
		{"IPv6", all(beats("[fd00::11]", "[fd00::5]", 9)), []string{
			"fd00::5 vcenter-server high: 9 heartbeats, every 10.0 s, from fd00::11",
			"fd00::11 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to fd00::5",
		}},
		{"nothing", all(long()), nil},
	} {
		v := suggestFrom(catalog.Default(), c.flows)
		if diff := cmp.Diff(c.want, inferred(v)); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.why, diff)
		}
		if !v.Inferred || v.Name != "inferred" {
			t.Errorf("%s: got %q, inferred %v", c.why, v.Name, v.Inferred)
		}
	}
}

func TestSuggestedHostsHaveTheirVCenter(t *testing.T) {
	v := suggestFrom(catalog.Default(), all(beats("10.0.0.11", "10.0.0.5", 9), beats("10.0.0.12", "10.0.0.5", 9), beats("10.0.0.12", "10.0.0.6", 9)))
	for machine, want := range map[string]string{"host-10.0.0.11": "host-10.0.0.5", "host-10.0.0.12": "", "host-10.0.0.5": ""} {
		if got := v.Machine(machine).ManagedBy; got != want {
			t.Errorf("%s is managed by %q, want %q", machine, got, want)
		}
	}
	p, known := v.Place(netip.MustParseAddr("10.0.0.11"))
	if !known || !v.PlacedVMware(p, catalog.Default()) || len(p.Roles) != 1 || p.Roles[0].Role != "hypervisor-host" {
		t.Errorf("got %v %v", known, p)
	}
}

func TestContradictionsKeepTheStronger(t *testing.T) {
	c := catalog.Default()
	high := suggestFrom(c, all(beats("10.0.4.11", "10.0.0.5", 9), beats("10.0.0.12", "10.0.0.5", 9), tcp("10.0.0.12:1025", "10.0.4.11:9084", 0, 9, 9, 9), tcp("10.0.0.5:1500", "10.0.4.1:3260", 0, 90, 9, 9)))
	want := []string{
		"10.0.0.5: role hypervisor-host (medium: iSCSI initiator (3260/tcp) of 10.0.4.1 for 90 s) is dropped: it excludes vcenter-server (high: 18 heartbeats of 2 hosts, the first 10.0.0.12)",
		"10.0.4.11: role hypervisor-host (high: 9 heartbeats, every 10.0 s, to 10.0.0.5) is dropped: it excludes update-manager-server (high: host 10.0.0.12 fetches updates (9084/tcp))",
		"10.0.4.11: role update-manager-server (high: host 10.0.0.12 fetches updates (9084/tcp)) is dropped: it excludes hypervisor-host (high: 9 heartbeats, every 10.0 s, to 10.0.0.5)",
	}
	if diff := cmp.Diff(want, high.Warnings); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if high.Machine("host-10.0.4.11") != nil {
		t.Errorf("10.0.4.11: got a machine, want none of two equal roles")
	}
	if got := inferred(high)[0]; !strings.HasPrefix(got, "10.0.0.5 vcenter-server high") {
		t.Errorf("got %s", got)
	}
}

// Only hosts do vMotion, HA and Fault Tolerance, and only with hosts: what looks like it at a vCenter makes its peer
// nothing. A vCenter of 10.0.0.5 took 2 MB on TCP 8000, and the sender stayed a host by "vMotion traffic with 10.0.0.5".
func TestWhatIsDoneWithAVCenterMakesNobodyAHost(t *testing.T) {
	for _, c := range []struct {
		what  string
		flows []capture.Flow
	}{
		{"2 MB to TCP 8000", []capture.Flow{tcp("10.0.0.90:1025", "10.0.0.5:8000", 1, 30, 2e6, 1000)}},
		{"2 MB from TCP 8000", []capture.Flow{tcp("10.0.0.5:1025", "10.0.0.90:8000", 1, 30, 1000, 2e6)}},
		{"UDP 2050", []capture.Flow{stream("10.0.0.90:2050", "10.0.0.5:2051", 0, 60)}},
		{"TCP and UDP 8182", []capture.Flow{stream("10.0.0.90:8182", "10.0.0.5:8182", 0, 60), tcp("10.0.0.90:30000", "10.0.0.5:8182", 1, 50, 900, 900)}},
		{"TCP 8100 and UDP 8200", []capture.Flow{stream("10.0.0.90:8200", "10.0.0.5:8200", 0, 30), tcp("10.0.0.90:1500", "10.0.0.5:8100", 0, 30, 9e6, 9e4)}},
	} {
		v := suggestFrom(catalog.Default(), all(beats("10.0.0.11", "10.0.0.5", 9), c.flows))
		if m := v.Machine("host-10.0.0.90"); m != nil {
			t.Errorf("%s: 10.0.0.90 is %+v, want nobody", c.what, m.Addrs[0].Roles)
		}
	}
}

func TestAScannerGivesNobodyARole(t *testing.T) {
	var scan []capture.Flow
	short := func(dst string, at float64) capture.Flow {
		f := tcp("10.9.9.9:50000", dst, at, at, 9, 9)
		f.FromA.Packets, f.FromB.Packets = min(f.FromA.Packets, 3), min(f.FromB.Packets, 3)
		return f
	}
	for i := range 30 {
		scan = append(scan, short(fmt.Sprintf("10.0.0.%d:389", 100+i), float64(i)/10))
	}
	v := suggestFrom(catalog.Default(), all(scan, beats("10.0.0.11", "10.0.0.100", 9)))
	want := []string{
		"10.0.0.11 hypervisor-host on mgmt high: 9 heartbeats, every 10.0 s, to 10.0.0.100",
		"10.0.0.100 vcenter-server high: 9 heartbeats, every 10.0 s, from 10.0.0.11",
	}
	if diff := cmp.Diff(want, inferred(v)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got, want := v.Warnings, "10.9.9.9 began short conversations with 30 hosts on 1 port within 10 s: taken for a scan, nothing is inferred from them"; len(got) != 1 || got[0] != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var slow []capture.Flow
	for i := range 30 {
		slow = append(slow, short(fmt.Sprintf("10.0.0.%d:389", 100+i), float64(i)))
	}
	if got := len(suggestFrom(catalog.Default(), all(slow)).Machines); got != 30 {
		t.Errorf("thirty in thirty seconds: got %d servers, want 30", got)
	}
}

// forged makes a flow that somebody can forge who sends with any address and sees no answer: one side of it, or one
// side and the victim's refusal, or a blind acknowledgement.
func forged(r *rand.Rand) capture.Flow {
	ports := []uint16{25, 53, 88, 123, 161, 162, 389, 443, 445, 514, 623, 902, 903, 1433, 1521, 2049, 2050, 3260, 3306, 4001, 4172, 5212, 5432, 8000, 8100, 8182, 8200, 9084, 27000, 27010, 50002}
	src := fmt.Sprintf("10.0.%d.%d:%d", r.IntN(3), 1+r.IntN(200), []uint16{ports[r.IntN(len(ports))], uint16(1024 + r.IntN(60000))}[r.IntN(2)])
	dst := fmt.Sprintf("10.1.%d.%d:%d", r.IntN(3), 1+r.IntN(200), ports[r.IntN(len(ports))])
	at := r.Float64() * 600
	n := uint64(1 + r.IntN(2000))
	bulk := side(n, n*uint64(r.IntN(1460)), uint16(r.IntN(1460)), at, at+60*r.Float64(), 0)
	answer := side(1+n/2, 0, 0, at+0.001, at+30, 0)
	switch r.IntN(8) {
	case 0:
		bulk.Signs = capture.SYN
		return flow(capture.TCP, src, dst, bulk, capture.Side{})
	case 1:
		bulk.Signs, answer.Signs = capture.SYN, capture.RST
		return flow(capture.TCP, src, dst, bulk, answer)
	case 2: // a handshake that is never completed
		bulk.Signs, answer.Signs, answer.ISNs = capture.SYN, capture.SYNACK, []uint32{r.Uint32()}
		return flow(capture.TCP, src, dst, bulk, answer)
	case 3: // completed blindly
		bulk.Signs, answer.Signs, answer.ISNs = capture.SYN|capture.ACK|capture.Payload, capture.SYNACK|capture.RST, []uint32{r.Uint32()}
		bulk.AckMin = answer.ISNs[0] + 1<<20 + uint32(r.IntN(1<<30))
		bulk.AckMax = bulk.AckMin
		return flow(capture.TCP, src, dst, bulk, answer)
	case 4: // data out of nowhere, acknowledged or reset
		bulk.Signs, answer.Signs = capture.ACK|capture.Payload, []capture.Signs{capture.ACK, capture.RST}[r.IntN(2)]
		return flow(capture.TCP, src, dst, bulk, answer)
	case 5: // answers to nobody
		bulk.Signs = capture.SYNACK | capture.Payload
		return flow(capture.TCP, src, dst, bulk, capture.Side{})
	case 6: // a datagram without an answer, or with an ICMP one
		bulk.Signs = []capture.Signs{capture.Payload, capture.Payload | capture.QuotedPort}[r.IntN(2)]
		bulk.PayloadMin, bulk.PayloadMax = 0, 1460
		return flow(capture.UDP, src, dst, bulk, capture.Side{})
	default: // to a group
		bulk.Signs = capture.Payload | capture.Cast
		return flow(capture.UDP, src, []string{"239.255.255.253:902", "255.255.255.255:514", "10.1.0.255:902"}[r.IntN(3)], bulk, capture.Side{})
	}
}

func TestForgedPacketsGiveNoRole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		var list []capture.Flow
		for range 1 + r.IntN(6) {
			list = append(list, forged(r))
		}
		if v := suggestFrom(catalog.Default(), slices.Values(list)); len(v.Machines) != 0 {
			t.Fatalf("case %d: got %q of %+v", i, inferred(v), list)
		}
	}
}

func TestSuggestionsDoNotDependOnOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	flows := slices.Collect(all(
		beats("10.0.0.11", "10.0.0.5", 9), beats("10.0.0.12", "10.0.0.5", 9), beats("10.0.0.13", "10.0.0.6", 9),
		tcp("10.0.0.11:1500", "10.0.0.7:9084", 0, 9, 99, 9e6), tcp("10.0.0.12:1500", "10.0.0.7:9084", 0, 9, 99, 9e6),
		tcp("10.0.5.1:1500", "10.0.5.9:4001", 0, 60, 99, 99), tcp("10.0.5.2:1500", "10.0.5.9:4001", 0, 60, 99, 99), tcp("10.0.5.3:1500", "10.0.5.9:4001", 0, 60, 99, 99),
		tcp("10.0.5.1:1500", "10.0.5.8:4001", 0, 60, 99, 99), tcp("10.0.5.2:1500", "10.0.5.8:4001", 0, 60, 99, 99), tcp("10.0.5.3:1500", "10.0.5.8:4001", 0, 60, 99, 99),
		tcp("10.0.9.1:1500", "10.0.0.5:443", 0, 9, 99, 99), tcp("10.0.9.1:1500", "10.0.0.6:443", 0, 9, 99, 99),
		stream("10.0.0.11:2050", "10.0.0.12:2051", 0, 60), tcp("10.0.0.12:1025", "10.0.0.13:9084", 0, 9, 9, 9),
	))
	text := func() string {
		var b bytes.Buffer
		if err := suggestFrom(catalog.Default(), slices.Values(flows)).WriteYAML(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	want := text()
	for range 20 {
		r.Shuffle(len(flows), func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
		if diff := cmp.Diff(want, text()); diff != "" {
			t.Fatalf("-want +got\n%s", diff)
		}
	}
}
