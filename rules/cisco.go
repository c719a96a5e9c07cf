package rules

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"flowvet/match"
)

// Cisco writes the policy as extended access lists of IOS, two for each family: what goes to the machine and what comes
// from it. They keep no state, so that answers have lines of their own.
func Cisco(w io.Writer, p *Policy) error {
	b := bufio.NewWriter(w)
	for _, line := range p.header() {
		fmt.Fprintf(b, "! %s\n", plainASCII(line))
	}
	for _, six := range []bool{false, true} {
		for _, out := range []bool{false, true} {
			a := accessList{six: six, out: out, name: plainName(p.Machine.Name)}
			a.write(b, p.Openings)
		}
	}
	return b.Flush()
}

// accessList is one list: to the machine, or from it, of one family.
type accessList struct {
	name     string
	six, out bool
}

func (a *accessList) write(b *bufio.Writer, openings []match.Opening) {
	var lines []string
	for i := range openings {
		o := &openings[i]
		if o.Own.Is6() != a.six || o.Out != a.out && (!o.Replies() || o.Own.IsMulticast()) {
			continue
		}
		lines = append(lines, "remark "+cut(plainASCII(ids(o, remarkLimit)+" "+describe(o)), remarkLimit))
		for _, peer := range ends(o) {
			lines = append(lines, a.permit(o, peer))
		}
	}
	if len(lines) == 0 {
		return
	}
	kind, ip, icmp, where := "ip access-list extended", "ip", "icmp", "TO"
	if a.six {
		kind, ip = "ipv6 access-list", "ipv6"
	}
	if a.out {
		where = "FROM"
	}
	fmt.Fprintf(b, "!\n%s FLOWVET-%s-%s%s\n", kind, where, a.name, map[bool]string{true: "-V6"}[a.six])
	for _, line := range lines {
		fmt.Fprintf(b, " %s\n", line)
	}
	fmt.Fprintf(b, " permit %s any any\n deny %s any any log\n", icmp, ip)
}

// permit is the line for an opening and one peer: in the list of its own direction the way there, in the other the answer.
func (a *accessList) permit(o *match.Opening, peer string) string {
	own := wildcard(netip.PrefixFrom(o.Own, o.Own.BitLen()))
	ports := "eq " + o.Ports.String()
	if o.Ports.Len() > 1 {
		ports = fmt.Sprintf("range %d %d", o.Ports.Lo, o.Ports.Hi)
	}
	initiator, responder := peer, own
	if o.Out {
		initiator, responder = own, peer
	}
	if a.out == o.Out {
		return fmt.Sprintf("permit %s %s %s %s", transport(o), initiator, responder, ports)
	}
	answer := fmt.Sprintf("permit %s %s %s %s", transport(o), responder, ports, initiator)
	if transport(o) == "tcp" {
		answer += " established"
	}
	return answer
}

// ends lists the peers as IOS writes them.
func ends(o *match.Opening) []string {
	if o.Any {
		return []string{"any"}
	}
	all := make([]string, len(o.Peers))
	for i, p := range o.Peers {
		all[i] = wildcard(p)
	}
	return all
}

// wildcard writes a prefix: "host 10.0.0.5", "10.0.0.0 0.0.0.255", "2001:db8::/64".
func wildcard(p netip.Prefix) string {
	switch {
	case p.IsSingleIP():
		return "host " + p.Addr().String()
	case p.Addr().Is6():
		return p.String()
	}
	mask := uint32(uint64(1)<<(32-p.Bits()) - 1)
	return fmt.Sprintf("%s %d.%d.%d.%d", p.Addr(), mask>>24, mask>>16&0xff, mask>>8&0xff, mask&0xff)
}

// remarkLimit is the longest remark of IOS, in bytes.
const remarkLimit = 100

func cut(s string, limit int) string { return s[:min(len(s), limit)] }

// plainASCII replaces what IOS would take for the end of a line, a request for help or a control: everything but letters,
// digits and harmless punctuation.
func plainASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '?' || r == '!' {
			return '.'
		}
		return r
	}, s)
}

// plainName makes a word of a machine's name.
func plainName(s string) string {
	return cut(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, s), 40)
}
