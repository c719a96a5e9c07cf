package openings

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
	"flowvet/rules/firewall"
)

const rows = `id,product,ports,transport,source,target,class,period,plane,reply,purpose
beat,ESX 4.x,902,UDP,hypervisor-host,vcenter-server,always,10,mgmt,no,heartbeat
agent,ESX 4.x,443,TCP,vcenter-server,hypervisor-host,always,60,mgmt,,agent
shell,ESX 4.x,22,TCP,client-pc,hypervisor-host,optional,,mgmt,,shell
move,ESX 4.x,8000,TCP,hypervisor-host,hypervisor-host,during:vmotion,,vmotion,,vMotion
ha,ESX 4.x,2050-2250,UDP,hypervisor-host,hypervisor-host,if-used:ha,60,mgmt,no,HA
wake,ESX 4.x,623,UDP,vcenter-server,hypervisor-host,optional,,bmc,,waking
`

const site = `machines:
  - {name: V, products: [vCenter 4.1], addresses: [10.0.0.5]}
  - name: E1
    products: [ESX 4.1]
    addresses: [{address: 10.0.0.11, plane: mgmt}, {address: 10.0.1.11, plane: vmotion}, {address: 10.0.2.11, plane: bmc}]
  - name: E2
    products: [ESX 4.1]
    addresses: [{address: 10.0.0.12, plane: mgmt}, {address: 10.0.1.12, plane: vmotion}]
networks:
  - {prefix: 10.0.9.0/24, roles: [client-pc]}
uses: [ha]
`

// asItShouldBe is a firewall that opens what is documented, and a minute in which all of it is used.
var asItShouldBe = []string{
	"heartbeat: out 902/udp",
	"agent: in 443/tcp",
	"shell: in 22/tcp",
	"move: in 8000/tcp, out 8000/tcp",
	"ha: in 2050-2250/udp, out 2050-2250/udp",
}

const minute = `host V 10.0.0.5
host E1 10.0.0.11
host E2 10.0.0.12
host E1v 10.0.1.11
host E2v 10.0.1.12
host E1b 10.0.2.11
host C 10.0.9.90
host X 10.0.7.77
0        arp V > E1 reply
0..90/10 E1:* > V:902/udp 100
1        V:50001 > E1:443/tcp session 100 100
2        C:50002 > E1:22/tcp session 100 100
3        E1v:50003 > E2v:8000/tcp session 100 100
4        E2v:50004 > E1v:8000/tcp session 100 100
5        E1:50005 > E2:2050/udp 50
6        E2:50006 > E1:2050/udp 50
90       arp V > E1 reply
`

func TestDocumentedOpenedAndUsedAreHeldAgainstEachOther(t *testing.T) {
	for _, tt := range []struct {
		name    string
		closed  string // a rule set of asItShouldBe that is not there
		sets    string // more rule sets, a line each
		policy  string // of incoming and outgoing; empty: both blocked
		packets string // more of them
		blind   bool   // nobody declares what the capture sees
		want    []string
	}{
		{name: "what is documented, open and used is in order"},
		{
			name: "a closed heartbeat that arrives all the same", closed: "heartbeat",
			want: []string{ // a datagram has no handshake: who began is likely, which accuses less
				"used-closed warning out 902/udp with 10.0.0.5", "documented-closed error out 902/udp with 10.0.0.5",
			},
		},
		{
			name: "closed for an operation is a warning", closed: "move",
			want: []string{
				"used-closed error in 8000/tcp with 10.0.1.12", "used-closed error out 8000/tcp with 10.0.1.12",
				"documented-closed warning in 8000/tcp with 10.0.1.12", "documented-closed warning out 8000/tcp with 10.0.1.12",
			},
		},
		{
			name: "closed and optional is a note", closed: "shell",
			want: []string{"used-closed error in 22/tcp with 10.0.9.90", "documented-closed note in 22/tcp with 10.0.9.0/24"},
		},
		{
			name: "open without a row, and never used", sets: "telnet: in 23/tcp",
			want: []string{"open-undocumented error in 23/tcp [telnet]", "open-unused warning in 23/tcp [telnet]"},
		},
		{
			name: "open without a row, and used", sets: "telnet: in 23/tcp", packets: "9 X:51000 > E1:23/tcp session 60 400",
			want: []string{"open-undocumented error in 23/tcp [telnet] used by 1"},
		},
		{
			name: "a rule set that is off opens nothing", sets: "telnet off: in 23/tcp", packets: "9 X:51000 > E1:23/tcp session 60 400",
			want: []string{"used-closed error in 23/tcp [telnet] with 10.0.7.77"},
		},
		{name: "what is refused is not used", packets: "9 X:51000 > E1:23/tcp refused"},
		{name: "a datagram that nobody answers has perhaps not passed", packets: "9 X:51000 > E1:161/udp 60"},
		{
			name: "one that is answered has", packets: "9 X:51000 > E1:161/udp 60 answer 60",
			want: []string{"used-closed warning in 161/udp with 10.0.7.77"},
		},
		{
			name: "what the host sends has passed, answered or not", packets: "9 E1:51000 > X:25/tcp S",
			want: []string{"used-closed error out 25/tcp with 10.0.7.77"},
		},
		{name: "a guess accuses nobody", packets: "9 X:51000 > E1:50000/tcp PA 100"},
		{
			name: "open to others than the vCenter", closed: "agent", sets: "agent for 10.0.9.0/24: in 443/tcp",
			want: []string{
				"used-closed error in 443/tcp with 10.0.0.5", "open-undocumented error in 443/tcp [agent] with 10.0.9.0/24",
				"documented-closed error in 443/tcp with 10.0.0.5", "open-unused warning in 443/tcp [agent] with 10.0.9.0/24",
			},
		},
		{name: "open to the vCenter alone", closed: "agent", sets: "agent for 10.0.0.5: in 443/tcp"},
		{name: "open to a few of the clients", closed: "shell", sets: "shell for 10.0.9.90: in 22/tcp"},
		{
			name: "open to nobody", closed: "agent", sets: "agent for nobody: in 443/tcp",
			want: []string{"used-closed error in 443/tcp with 10.0.0.5", "documented-closed error in 443/tcp with 10.0.0.5"},
		},
		{
			name: "half of a range is closed", closed: "ha", sets: "ha: in 2050-2100/udp, out 2050-2250/udp",
			want: []string{"documented-closed error in 2101-2250/udp with 10.0.0.12"},
		},
		{
			name: "two rule sets open a range together", closed: "ha", sets: "ha: in 2050-2100/udp, out 2050-2250/udp\nha2: in 2090-2250/udp",
			want: []string{"open-unused note in 2090-2250/udp [ha2]"},
		},
		{
			name: "a range is wider than its row", closed: "ha", sets: "ha: in 2000-2250/udp, out 2050-2260/udp",
			want: []string{"open-undocumented error in 2000-2049/udp out 2251-2260/udp [ha]"},
		},
		{
			name: "what everybody may do is not closed", closed: "agent", policy: "open blocked",
			want: []string{"open-undocumented error in 0-65535/tcp in 0-65535/udp"},
		},
		{
			name: "a host that may begin what it likes", closed: "heartbeat", policy: "blocked open",
			want: []string{"open-undocumented warning out 0-65535/tcp out 0-65535/udp"},
		},
		{name: "a rule for answers opens nothing", sets: "dns: answers in 53/udp"},
		{name: "but lets in what comes from there", sets: "odd: answers in 51000/tcp", packets: "9 X:51000 > E1:23/tcp session 60 400"},
		{name: "other protocols are not compared", sets: "esp: in 0-65535/esp"},
		{name: "the BMC is not behind the host's firewall", packets: "9 V:51000 > E1b:623/udp 20 answer 20"},
		{
			name: "what the capture need not have shown", sets: "telnet: in 23/tcp", blind: true,
			want: []string{"open-undocumented error in 23/tcp [telnet]", "not-judged none in 23/tcp [telnet] view-not-declared"},
		},
		{
			name: "those who are let in were seen to speak with the host", sets: "web for 10.0.0.5: in 8080/tcp", blind: true,
			want: []string{"open-undocumented error in 8080/tcp [web] with 10.0.0.5", "open-unused warning in 8080/tcp [web] with 10.0.0.5"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sets := slices.DeleteFunc(slices.Clone(asItShouldBe), func(s string) bool {
				return tt.closed != "" && strings.HasPrefix(s, tt.closed+":")
			})
			f := hostFile(t, "E1", tt.policy, append(sets, strings.Split(tt.sets, "\n")...))
			g := match.Grounds{Sees: []string{"E1"}}
			if tt.blind {
				g.Sees = nil
			}
			c := compared(t, f, g, minute+tt.packets+"\n")
			if diff := cmp.Diff(tt.want, told(c)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// hostFile writes the firewall of one host: rule sets as "KEY [off] [for PEER PEER]: [answers] in PORTS/PROTOCOL, out …".
func hostFile(t *testing.T, name, policy string, sets []string) *firewall.File {
	t.Helper()
	h := firewall.Host{Name: name, Incoming: firewall.Blocked, Outgoing: firewall.Blocked}
	if policy != "" {
		fmt.Sscan(policy, &h.Incoming, &h.Outgoing)
	}
	for _, line := range sets {
		if line == "" {
			continue
		}
		head, body, _ := strings.Cut(line, ": ")
		words := strings.Fields(head)
		set := firewall.RuleSet{Key: words[0], Enabled: !slices.Contains(words, "off")}
		if at := slices.Index(words, "for"); at > 0 {
			set.Allowed = firewall.Allowed{}
			for _, w := range words[at+1:] {
				if p, err := firewall.ParseNetwork(w); err == nil {
					set.Allowed = append(set.Allowed, p)
				}
			}
		}
		for text := range strings.SplitSeq(body, ", ") {
			set.Rules = append(set.Rules, rule(t, text))
		}
		h.RuleSets = append(h.RuleSets, set)
	}
	return &firewall.File{Schema: firewall.Schema, Hosts: []firewall.Host{h}}
}

// rule reads "in 22/tcp" or "answers out 53-54/udp".
func rule(t *testing.T, text string) firewall.Rule {
	t.Helper()
	r := firewall.Rule{Direction: firewall.Inbound}
	if rest, ok := strings.CutPrefix(text, "answers "); ok {
		text, r.PortType = rest, firewall.Src
	}
	direction, service, _ := strings.Cut(text, " ")
	if direction == "out" {
		r.Direction = firewall.Outbound
	}
	ports, protocol, _ := strings.Cut(service, "/")
	r.Protocol = protocol
	if n, err := fmt.Sscanf(ports, "%d-%d", &r.Port, &r.EndPort); n == 0 {
		t.Fatalf("%q: %v", text, err)
	}
	return r
}

// grounds returns the catalogue and the inventory of the tests.
func grounds(t *testing.T) (*catalog.Catalog, *inventory.Inventory) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rows.csv")
	if err := os.WriteFile(path, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := catalog.Load(false, path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := inventory.Parse("site.yaml", []byte(site), c)
	if err != nil {
		t.Fatal(err)
	}
	return c, v
}

func addresses(texts ...string) []netip.Addr {
	all := make([]netip.Addr, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParseAddr(text)
	}
	return all
}

// compared compares a file by the site's inventory with what a story shows.
func compared(t *testing.T, f *firewall.File, g match.Grounds, text string) *Comparison {
	t.Helper()
	c, v := grounds(t)
	survey, err := New(f, v, c)
	if err != nil {
		t.Fatal(err)
	}
	story, err := capturetest.Parse("minute", text)
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := capture.Open([]string{"-"}, bytes.NewReader(story.Pcap()))
	if err != nil {
		t.Fatal(err)
	}
	g.Catalog, g.Inventory, g.Reaches = c, v, survey.Reaches()
	r, err := match.Evaluate(g, []*capture.Capture{inputs[0].Read(t.Context(), capture.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	return survey.Compare(r)
}

// told says each finding in a line.
func told(c *Comparison) []string {
	var lines []string
	for _, f := range c.Findings {
		line := f.Kind.String() + " " + f.Level.String()
		for _, s := range f.Services {
			line += " " + s.String()
		}
		if len(f.RuleSets) > 0 {
			line += fmt.Sprint(" ", f.RuleSets)
		}
		line += peers(" with ", f.Peers)
		if f.Kind == OpenUndocumented && len(f.Used) > 0 {
			line += fmt.Sprint(" used by ", len(f.Used))
		}
		if f.Kind == NotJudged {
			line += " " + f.Sight.Reason.Code
		}
		lines = append(lines, line)
	}
	return lines
}
