package capture

import (
	"fmt"
	"strings"
)

var signNames = []struct {
	sign Signs
	name string
}{
	{SYN, "syn"},
	{SYNACK, "synack"},
	{ACK, "ack"},
	{FIN, "fin"},
	{RST, "rst"},
	{Payload, "payload"},
	{Cast, "cast"},
	{Cut, "cut"},
	{Fragment, "fragment"},
	{QuotedPort, "quoted-port"},
	{QuotedAdmin, "quoted-admin"},
	{QuotedHost, "quoted-host"},
	{QuotedSYN, "quoted-syn"},
}

// describe writes a decoded packet as one line: the reason it is skipped, or its 5-tuple and signs.
func describe(p *Packet, why Skip) string {
	var b strings.Builder
	switch why {
	case Kept:
		fmt.Fprintf(&b, "%v %v>%v", p.Proto, p.Src(), p.Dst())
	case IgnoredNotIP:
		fmt.Fprintf(&b, "%v ethertype=%04x", why, p.EtherType)
	case IgnoredProtocol:
		fmt.Fprintf(&b, "%v %d", why, uint8(p.Proto))
	default:
		fmt.Fprint(&b, why)
	}
	for _, s := range signNames {
		if p.Signs&s.sign != 0 && (why == Kept || s.sign == Cast) {
			b.WriteString(" " + s.name)
		}
	}
	if why == Kept {
		describeFlow(&b, p)
	}
	if tunnel := p.Tunnel(); tunnel.Kind != 0 {
		fmt.Fprintf(&b, " in %v %v>%v", tunnel.Kind, tunnel.From, tunnel.To)
	}
	return b.String()
}

func describeFlow(b *strings.Builder, p *Packet) {
	if p.HasVLAN {
		fmt.Fprintf(b, " vlan=%d", p.VLAN)
	}
	if p.Signs&(SYN|SYNACK) != 0 {
		fmt.Fprintf(b, " seq=%d", p.Seq)
	}
	if p.Signs&ACK != 0 {
		fmt.Fprintf(b, " ack=%d", p.Ack)
	}
	if p.Content > 0 {
		fmt.Fprintf(b, " content=%d", p.Content)
	}
}
