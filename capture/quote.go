package capture

// Quote is what an ICMP unreachable says of the packet that could not be delivered.
type Quote struct {
	Packet Packet // as far as it is quoted; valid until the frame is
	Kind   Signs  // QuotedPort, QuotedAdmin or QuotedHost, and QuotedSYN where it holds
}

// Unreachable reports whether the packet, for which Decode returned IgnoredICMP, is an ICMP (RFC 792) or ICMPv6
// (RFC 4443) destination unreachable that speaks of delivery. "Fragmentation needed" does not: the path works.
func (p *Packet) Unreachable() bool { return p.unreachable() != 0 }

// unreachable returns the kind of an unreachable, or 0.
func (p *Packet) unreachable() Signs {
	m := p.transport
	if len(m) < icmpHeader || p.ident&laterFragment != 0 {
		return 0
	}
	const unreachable4, unreachable6 = 3, 1
	switch {
	case p.Proto == protoICMP && m[0] == unreachable4:
		return unreachable4Kind(m[1])
	case p.Proto == protoICMPv6 && m[0] == unreachable6:
		return unreachable6Kind(m[1])
	}
	return 0
}

// icmpHeader is the length of the ICMP and ICMPv6 header before the quoted packet.
const icmpHeader = 8

func unreachable4Kind(code byte) Signs {
	switch code {
	case 0, 1, 2, 5, 6, 7, 8, 11, 12: // network, host, protocol, source route, unknown, isolated, for the type of service
		return QuotedHost
	case 3:
		return QuotedPort
	case 9, 10, 13, 14, 15: // prohibited: network, host, by filter; host precedence, precedence cut-off
		return QuotedAdmin
	}
	return 0
}

func unreachable6Kind(code byte) Signs {
	switch code {
	case 0, 2, 3: // no route, beyond scope, address unreachable
		return QuotedHost
	case 4:
		return QuotedPort
	case 1, 5, 6: // prohibited, source address failed policy, reject route: RFC 4443 calls the last two kinds of the first
		return QuotedAdmin
	}
	return 0
}

// Quote returns the flow that an unreachable quotes. It is false where the quote is no evidence: of another protocol, of
// a later fragment, too short for the ports, addressed to another than the quoted sender, or of a TCP segment that is
// known to be no SYN. A quote of 8 bytes shows no TCP flags and is taken, without QuotedSYN. The sender need not be the
// quoted destination: a firewall that rejects (nftables' default) says "port unreachable" in its own name.
func (p *Packet) Quote() (Quote, bool) {
	kind := p.unreachable()
	if kind == 0 {
		return Quote{}, false
	}
	quoted := p.transport[icmpHeader:]
	q := Quote{Kind: kind}
	inner := &q.Packet
	inner.depth = maxDepth // what could not be delivered is the outermost packet, not what a tunnel carries in it
	var why Skip
	if p.Proto == protoICMP {
		why = inner.ipv4(quoted, len(quoted))
	} else {
		why = inner.ipv6(quoted, len(quoted))
	}
	if why != Kept || inner.src != p.dst {
		return Quote{}, false
	}
	if inner.Proto == TCP && len(inner.transport) > tcpFlags {
		if inner.Signs&SYN == 0 {
			return Quote{}, false
		}
		q.Kind |= QuotedSYN
	}
	inner.HasVLAN, inner.VLAN = p.HasVLAN, p.VLAN // it came back the way it went
	return q, true
}
