package capture

import (
	"fmt"
	"testing"
)

func TestQuote(t *testing.T) {
	// What 10.0.0.9, or fd00::9, answers 10.0.0.1, or fd00::1.
	icmp4 := func(kind, quoted string) string {
		size := 20 + 8 + len(join(t, quoted))
		return fmt.Sprintf("4500%04x 00020000 40010000 0a000009 0a000001 %s 0000 00000000", size, kind) + quoted
	}
	icmp6 := func(kind, quoted string) string {
		size := 8 + len(join(t, quoted))
		return fmt.Sprintf("60000000 %04x 3a40 fd000000000000000000000000000009 fd000000000000000000000000000001 %s 0000 00000000", size, kind) + quoted
	}
	const (
		rejected = "rejected"
		other    = "no unreachable"
		port     = "udp 10.0.0.1:50000>10.0.0.2:53 quoted-port"
	)
	tests := []struct {
		name, packet, want string
	}{
		{"port unreachable", icmp4("0303", udp32+dns), port},
		{"port unreachable, the least that is quoted", icmp4("0303", udp32+dns[:19]), port},
		{"network unreachable", icmp4("0300", udp32+dns), "udp 10.0.0.1:50000>10.0.0.2:53 quoted-host"},
		{"host unreachable", icmp4("0301", udp32+dns), "udp 10.0.0.1:50000>10.0.0.2:53 quoted-host"},
		{"prohibited by a filter", icmp4("030d", udp32+dns), "udp 10.0.0.1:50000>10.0.0.2:53 quoted-admin"},
		{"fragmentation needed says that the path works", icmp4("0304", udp32+dns), other},
		{"time exceeded", icmp4("0b00", udp32+dns), other},
		{"an unknown code", icmp4("03ff", udp32+dns), other},
		{"a SYN", icmp4("0301", tcp40+syn), "tcp 10.0.0.1:50000>10.0.0.2:443 quoted-host quoted-syn"},
		{"eight bytes of a TCP header show no flags and are taken", icmp4("0301", tcp40+"c350 01bb 00000064"), "tcp 10.0.0.1:50000>10.0.0.2:443 quoted-host"},
		{"a SYN+ACK is no attempt", icmp4("0301", tcp40+synAck), rejected},
		{"an ACK is no attempt", icmp4("0301", tcp40+ack), rejected},
		{"a quote too short for the ports", icmp4("0303", udp32+"c350"), rejected},
		{"a quote too short for the header", icmp4("0303", "45000020"), rejected},
		{"nothing quoted", icmp4("0303", ""), rejected},
		{"a later fragment", icmp4("0303", "45000020 00010010 40110000 0a000001 0a000002"+dns), rejected},
		{"another protocol", icmp4("0303", "45000020 00010000 402f0000 0a000001 0a000002"+dns), rejected},
		{"sent to another than the quoted sender", icmp4("0303", "45000020 00010000 40110000 0a000003 0a000002"+dns), rejected},
		{"IPv6 in an IPv4 message", icmp4("0303", ip6(12, 17)+dns), rejected},
		{"ICMPv6 port unreachable", icmp6("0104", ip6(12, 17)+dns), "udp [fd00::1]:50000>[fd00::2]:53 quoted-port"},
		{"ICMPv6 address unreachable", icmp6("0103", ip6(20, 6)+syn), "tcp [fd00::1]:50000>[fd00::2]:443 quoted-host quoted-syn"},
		{"ICMPv6 prohibited", icmp6("0101", ip6(12, 17)+dns), "udp [fd00::1]:50000>[fd00::2]:53 quoted-admin"},
		{"ICMPv6 packet too big", icmp6("0200", ip6(12, 17)+dns), other},
		{"a later fragment of an ICMP message has no ICMP header", "4500003c 00020010 40010000 0a000009 0a000001 0303 0000 00000000" + udp32 + dns, other},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p Packet
			data := join(t, tt.packet)
			if why := p.Decode(&Frame{Link: LinkRaw, Data: data, WireLen: len(data)}); why != IgnoredICMP {
				t.Fatalf("decoded as %v, want icmp", why)
			}
			got := other
			if p.Unreachable() {
				got = rejected
				if q, ok := p.Quote(); ok {
					got = fmt.Sprintf("%v %v>%v", q.Packet.Proto, q.Packet.Src(), q.Packet.Dst())
					for _, s := range signNames {
						if q.Kind&s.sign != 0 {
							got += " " + s.name
						}
					}
				}
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
