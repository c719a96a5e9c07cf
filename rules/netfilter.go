package rules

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"flowvet/match"
)

// Longest comments: nftables takes 128 bytes (NFTNL_UDATA_COMMENT_MAXLEN), iptables 256 with the zero behind them
// (XT_MAX_COMMENT_LEN).
const (
	nftComment      = 127
	iptablesComment = 255
)

// NFTables writes the policy for nft -f: a table of its own, which replaces itself when it is loaded again. What belongs
// to a connection that was let through passes, and so does ICMP, without which TCP fails and neighbours are not found.
func NFTables(w io.Writer, p *Policy) error {
	b := bufio.NewWriter(w)
	for _, line := range p.header() {
		fmt.Fprintf(b, "# %s\n", line)
	}
	b.WriteString("# Loading it (nft -f) replaces an earlier one and leaves other tables alone. What is not named is dropped.\n\n" +
		"table inet flowvet\ndelete table inet flowvet\ntable inet flowvet {\n")
	in, out := p.split()
	nftChain(b, "input", "iif", in)
	nftChain(b, "output", "oif", out)
	b.WriteString("}\n")
	return b.Flush()
}

func nftChain(b *bufio.Writer, hook, end string, openings []match.Opening) {
	fmt.Fprintf(b, "\tchain %s {\n\t\ttype filter hook %s priority filter; policy drop;\n\t\t%s lo accept\n"+
		"\t\tct state established,related accept\n\t\tmeta l4proto { icmp, ipv6-icmp } accept\n", hook, hook, end)
	for i := range openings {
		o := &openings[i]
		fmt.Fprintf(b, "\n\t\t# %s.\n\t\t%saccept comment \"%s\"\n", describe(o), nftMatch(o), ids(o, nftComment))
	}
	b.WriteString("\t}\n")
}

// nftMatch is the match of a rule, with a space behind it.
func nftMatch(o *match.Opening) string {
	ip := "ip"
	if o.Own.Is6() {
		ip = "ip6"
	}
	from, to := "", o.Own.String()
	if !o.Any {
		from = strings.Join(peers(o), ", ")
		if len(o.Peers) > 1 {
			from = "{ " + from + " }"
		}
	}
	if o.Out {
		from, to = to, from
	}
	text := ""
	if from != "" {
		text = ip + " saddr " + from + " "
	}
	return text + fmt.Sprintf("%s daddr %s %s dport %s ", ip, to, transport(o), o.Ports)
}

// iptablesPeers is how many addresses one line names: iptables-restore reads lines of up to 10,240 bytes.
const iptablesPeers = 100

// IPTables writes the policy for iptables-restore and ip6tables-restore: each takes the rules of its family from the same
// file. It replaces the filter table.
func IPTables(w io.Writer, p *Policy) error {
	b := bufio.NewWriter(w)
	for _, line := range p.header() {
		fmt.Fprintf(b, "# %s\n", line)
	}
	b.WriteString("# Loading it (iptables-restore, ip6tables-restore) replaces the filter table. What is not named is dropped.\n" +
		"*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT DROP [0:0]\n")
	for _, chain := range []string{"INPUT -i", "OUTPUT -o"} {
		name, _, _ := strings.Cut(chain, " ")
		fmt.Fprintf(b, "-A %s lo -j ACCEPT\n-A %s -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n", chain, name)
		fmt.Fprintf(b, "-A %s -4 -p icmp -j ACCEPT\n-A %s -6 -p ipv6-icmp -j ACCEPT\n", name, name)
	}
	for i := range p.Openings {
		iptablesRule(b, &p.Openings[i])
	}
	b.WriteString("COMMIT\n")
	return b.Flush()
}

func iptablesRule(b *bufio.Writer, o *match.Opening) {
	chain, own, other, family := "INPUT", "-d", "-s", "-4"
	if o.Out {
		chain, own, other = "OUTPUT", "-s", "-d"
	}
	if o.Own.Is6() {
		family = "-6"
	}
	others := [][]string{nil}
	if !o.Any {
		others = slices.Collect(slices.Chunk(peers(o), iptablesPeers))
	}
	fmt.Fprintf(b, "# %s.\n", describe(o))
	for _, some := range others {
		fmt.Fprintf(b, "-A %s %s ", chain, family)
		if len(some) > 0 {
			fmt.Fprintf(b, "%s %s ", other, strings.Join(some, ","))
		}
		fmt.Fprintf(b, "%s %s -p %s -m %s --dport %s -m comment --comment \"%s\" -j ACCEPT\n", own, o.Own, transport(o), transport(o),
			strings.ReplaceAll(o.Ports.String(), "-", ":"), ids(o, iptablesComment))
	}
}
