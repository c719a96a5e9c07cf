package inventory

import (
	"fmt"
	"net/netip"

	"flowvet/capture"
	"flowvet/catalog"
)

// wellKnown is a service whose port says the role of whoever answers on it.
type wellKnown struct {
	proto capture.Proto
	port  uint16
	role  catalog.Role
	name  string
}

// wellKnownServices returns the services whose answers make a role.
func wellKnownServices() []wellKnown {
	return []wellKnown{
		{capture.UDP, 53, "dns-server", "DNS"},
		{capture.TCP, 53, "dns-server", "DNS"},
		{capture.UDP, 123, "ntp-server", "NTP"},
		{capture.TCP, 88, "ad-server", "Kerberos"},
		{capture.UDP, 88, "ad-server", "Kerberos"},
		{capture.TCP, 389, "ldap-server", "LDAP"},
		{capture.UDP, 389, "ldap-server", "LDAP"},
		{capture.TCP, 445, "smb-server", "SMB"},
		{capture.TCP, 25, "smtp-server", "SMTP"},
		{capture.TCP, 1433, "mssql-server", "SQL Server"},
		{capture.TCP, 1521, "oracle-server", "Oracle"},
		{capture.TCP, 3306, "mysql-server", "MySQL"},
		{capture.TCP, 5432, "postgres-server", "PostgreSQL"},
	}
}

// services: whoever answers on a well-known port plays the role of it.
func (in *inference) services() {
	for _, w := range wellKnownServices() {
		for server, list := range byServer(in.on(w.proto, w.port)) {
			best := list[0]
			for _, d := range list {
				if d.began && !best.began {
					best = d
				}
			}
			in.claim(server, w.role, best.grade(High), "", "answers %s (%d/%s) of %s%s", w.name, w.port, w.proto, best.client, others(len(list)-1))
		}
	}
}

// others returns " and 3 others", or nothing.
func others(n int) string {
	if n == 0 {
		return ""
	}
	return " and " + count(n, "other")
}

// collectors: who gets syslog messages or traps. Nobody answers these, so a sender must be seen in a dialogue besides,
// or be a host by its heartbeats, and send at least three datagrams over more than a second.
func (in *inference) collectors() {
	for _, s := range in.reports {
		if s.datagrams < many || len(s.instants) < 2 || s.refused || !in.did(s.from, spoke) && !in.is(s.from, hypervisor) {
			continue
		}
		if s.port == 514 {
			in.claim(s.to, syslogServer, Medium, "", "gets syslog (514/udp, %d datagrams) of %s", s.datagrams, s.from)
		} else {
			in.claim(s.to, snmpManager, Medium, "", "gets SNMP traps (162/udp, %d datagrams) of %s", s.datagrams, s.from)
		}
	}
}

// agents: whoever serves 5212 is a host with the agent of Lab Manager or Stage Manager.
func (in *inference) agents() {
	for _, d := range in.on(capture.TCP, 5212) {
		in.claim(d.server, hypervisor, Medium, "", "answers as a Lab Manager or Stage Manager agent (5212/tcp) to %s", d.client)
		in.claim(d.client, labManager, Low, "", "talks to the agent (5212/tcp) of %s: Lab Manager, or Stage Manager", d.server)
	}
}

// pollers: who asks many for SNMP.
func (in *inference) pollers() {
	for client, list := range byClient(in.on(capture.UDP, 161)) {
		if len(list) >= many {
			in.claim(client, snmpManager, Medium, "", "polls SNMP (161/udp) of %d machines, the first %s", len(list), list[0].server)
		}
	}
}

// clients: consoles and backup programs by their volume, and whoever is only ever seen asking.
func (in *inference) clients() {
	for _, port := range []uint16{902, 903} {
		for _, d := range in.on(capture.TCP, port) {
			if !in.is(d.server, hypervisor) || in.is(d.client, hypervisor) || d.up >= d.down/4 {
				continue
			}
			role, what := catalog.Role("vi-client"), "a console"
			if d.down > 1e9 {
				role, what = "vcb-proxy", "a backup"
			}
			in.claim(d.client, role, Low, "", "%s (%d/tcp, %s back) at host %s", what, port, size(d.down), d.server)
		}
	}
	for _, port := range []uint16{443, 3389} {
		for _, d := range in.on(capture.TCP, port) {
			if d.began && in.known(d.server) && !in.did(d.client, served) && !in.known(d.client) {
				in.claim(d.client, "client-pc", Low, "", "only ever asks, of %s (%d/tcp) for one", d.server, port)
			}
		}
	}
}

// known reports whether an address plays any role with medium or high confidence.
func (in *inference) known(addr netip.Addr) bool {
	for _, k := range in.claims[addr] {
		if k.Confidence > Low {
			return true
		}
	}
	return false
}

// size returns an amount of bytes in words: "1.4 MB".
func size(bytes uint64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	case bytes >= 1e3:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
