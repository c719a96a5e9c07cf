package report

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// secrets is the lab with names nobody could take for words, wherever a result holds one.
func secrets() (*match.Result, []string) {
	l := newLab()
	hidden := []string{
		"secret-host", "secret-cluster", "secret-site", "secret-net", "secret-owner", "secret-approver", "secret-ticket", "secret-reason",
		"secret-control", "secret-file", "secret-folder", "secret-inventory", "secret-catalogue", "secret-nic", "secret-filter", "secret-exception", "secret.example",
	}
	for i, m := range []*inventory.Machine{l.esx1, l.esx2, l.esx3, l.vc, l.dns, l.ntp, l.syslog, l.sql, l.vum, l.agent, l.cs} {
		hidden = append(hidden, m.Name)
		m.Name = fmt.Sprintf("secret-host%02d.secret.example", i)
		m.Cluster, m.Site, m.ManagedBy = "secret-cluster", "secret-site", "secret-host03.secret.example"
		for k := range m.Addrs[0].Roles {
			m.Addrs[0].Roles[k].Evidence = "secret-inventory.yaml:12"
		}
	}
	user := row("U-1", "ESX 4.x", "8443", "TCP", "secret-host01.secret.example", "x", "for secret-host02.secret.example at 10.0.0.12")
	user.Origin.Document = "/secret-folder/secret-catalogue.csv"
	r := l.result()
	r.Catalog.Rows = []*catalog.Row{user}
	r.Catalog.Sources[0].Document = "vmware-ports-kb.txt"
	r.Catalog.Sources = append(r.Catalog.Sources, catalog.SourceInfo{Name: "/secret-folder/secret-catalogue.csv", Document: "/secret-folder/secret-catalogue.csv", Rows: 1})
	r.Inventory.Name = "/secret-folder/secret-inventory.yaml"
	r.Inventory.Networks = []*inventory.Network{{Prefix: netip.MustParsePrefix("10.1.1.0/24"), Name: "secret-net"}}
	r.Warnings = []string{"/secret-folder/secret-inventory.yaml:40: secret-host01.secret.example at 10.0.0.12 and 10.0.0.0/24, fd00::12, 00:50:56:ab:cd:ef, (10.0.0.12), node10.0.0.12."}
	r.StatusWhy = "secret-file.pcapng is damaged; secret-host01.secret.example, 10.0.0.12:443."
	for i := range r.Captures {
		c := &r.Captures[i]
		c.Name = fmt.Sprintf("/secret-folder/secret-file%d.pcapng", i)
		c.Filter, c.FilterSuspected = "host secret-filter", "every packet is of 10.0.0.12"
		c.Interfaces = []capture.Interface{{Name: "secret-nic", Filter: "host secret-filter", Description: "the port of secret-host01"}}
		c.Comments, c.Names = []string{"a secret-remark of secret-person"}, []capture.Name{{Addr: addr("10.0.0.12"), Name: "secret-name"}}
	}
	r.Captures[1].Name = "/secret-folder/secret-file.pcapng"
	for _, f := range r.Findings.All() {
		hidden = append(hidden, f.ID())
		f.From.Network = r.Inventory.Networks[0]
		f.Rows = append(f.Rows, user)
		hidden = append(hidden, f.Initiator.String(), f.Responder.String())
	}
	for i := range r.Expectations {
		e := &r.Expectations[i]
		e.ID = fmt.Sprintf("E%012x", i+0xabcdef)
		hidden = append(hidden, e.ID)
		e.Reason.Detail = "/secret-folder/secret-file0.pcapng was made with the filter \"host secret-filter\"; no frame of secret-host03.secret.example"
		e.Reason.Remedy = "capture at the switch port of secret-host03.secret.example"
	}
	for i := range r.Exceptions {
		e := r.Exceptions[i].Exception
		e.ID = fmt.Sprintf("secret-exception%d", i)
		e.Owner, e.Approver, e.Ticket, e.Justification = "secret-owner", "secret-approver", "secret-ticket", "secret-reason"
		e.Controls = []string{"secret-control"}
		r.Exceptions[i].TooBroad = "src 10.0.0.0/8 is wider than /16"
	}
	r.Events = []capture.Event{{Kind: capture.GratuitousARP, MAC: [6]byte{0, 0x50, 0x56, 0xab, 0xcd, 0xef}, Addr: addr("10.0.0.12"), At: morning}}
	r.Tunnels = []match.Tunnel{{Tunnel: capture.Tunnel{Kind: capture.GRE, From: addr("10.0.0.11"), To: addr("10.0.0.12")}, Packets: 9}}
	hidden = append(hidden, "50:56:ab:cd:ef", "00:50:56:ab:cd:ef")
	// What is well known hides nobody.
	hidden = slices.DeleteFunc(hidden, func(s string) bool { return s == "255.255.255.255" })
	slices.Sort(hidden)
	return r, slices.Compact(hidden)
}

func TestNoFormatLeaksWhatIsHidden(t *testing.T) {
	for _, o := range []Options{{Verbose: true}, {Machine: "secret-host01.secret.example"}, {Machine: "10.0.0.0/24"}} {
		r, hidden := secrets()
		o.Files = []string{"/secret-folder/secret-file0.pcapng", "/secret-folder/secret-file.pcapng"}
		got, options := Anonymize(r, o, "a key")
		for _, name := range Names() {
			format, _ := ByName(name)
			report := render(t, format, got, options)
			for _, secret := range hidden {
				if at := indexWord(report, secret); at >= 0 {
					t.Errorf("%s holds %q: …%s…", name, secret, report[max(0, at-60):min(len(report), at+60)])
				}
			}
		}
	}
}

// indexWord finds a secret that is not part of a longer word or number.
func indexWord(report, secret string) int {
	for from := 0; ; {
		at := strings.Index(report[from:], secret)
		if at < 0 {
			return -1
		}
		at += from
		digit := func(i int) bool { return i >= 0 && i < len(report) && report[i] >= '0' && report[i] <= '9' }
		if !digit(at-1) && !digit(at+len(secret)) || strings.HasPrefix(secret, "secret") {
			return at
		}
		from = at + 1
	}
}

func TestAnonymizeKeepsStructure(t *testing.T) {
	r, _ := secrets()
	got, o := Anonymize(r, Options{Machine: "SECRET-HOST03.secret.example"}, "a key")
	if got.Counts != r.Counts || got.Findings.Len() != r.Findings.Len() || len(got.Expectations) != len(r.Expectations) || got.Status != r.Status {
		t.Error("counts or lengths changed")
	}
	if !reflect.DeepEqual(got.Stats, r.Stats) {
		t.Errorf("the packets changed: %+v, %+v", got.Stats, r.Stats)
	}
	if !strings.HasPrefix(o.Machine, "vcenter-server-") || !o.Anonymized {
		t.Errorf("the options are %+v", o)
	}
	verdicts := func(r *match.Result) map[string]int {
		n := map[string]int{}
		for i := range r.Findings.Len() {
			n[r.Findings.Verdict(i).String()+strings.Join(rolesOf(r.Findings.At(i).From.Roles), "+")]++
		}
		return n
	}
	if !reflect.DeepEqual(verdicts(got), verdicts(r)) {
		t.Errorf("verdicts and roles are %v, were %v", verdicts(got), verdicts(r))
	}
	for i := range got.Expectations {
		for _, k := range got.Expectations[i].Evidence {
			if k >= got.Findings.Len() {
				t.Errorf("expectation %d rests on finding %d", i, k)
			}
		}
	}
	if s := got.Scans[0]; got.Findings.At(s.Worst).Scan != 1 || got.Findings.At(s.Members[0]).Scan != 1 {
		t.Errorf("the scan's members are %v", s.Members)
	}
	for _, m := range got.Inventory.Machines {
		if got.Findings.At(0).From.Machine != nil && m == got.Findings.At(0).From.Machine {
			return
		}
	}
	t.Error("machines of findings are not those of the inventory")
}

func TestAnonymizeLeavesTheResultAlone(t *testing.T) {
	r, _ := secrets()
	before := render(t, JSON, r, Options{})
	Anonymize(r, Options{}, "")
	if render(t, JSON, r, Options{}) != before {
		t.Error("the result was changed")
	}
}

func TestTheKeyDecidesThePseudonyms(t *testing.T) {
	page := func(key string) string {
		r, _ := secrets()
		got, o := Anonymize(r, Options{}, key)
		return render(t, JSON, got, o)
	}
	one, same := page("one"), page("one")
	if one != same {
		t.Error("one key gives two reports")
	}
	random, again := page(""), page("")
	if one == page("two") || random == again {
		t.Error("two keys give one report")
	}
}

func TestAddressesKeepTheirPrefixes(t *testing.T) {
	p := newPseudonyms([]byte("a key"))
	random := rand.New(rand.NewPCG(1, 2))
	var addrs []netip.Addr
	for range 300 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{byte(random.IntN(256)), byte(random.IntN(4)), byte(random.IntN(256)), byte(random.IntN(256))}))
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, 20, byte(random.IntN(4)), byte(random.IntN(256))}))
		six := [16]byte{0xfd, 0, 1, byte(random.IntN(3)), 15: byte(random.IntN(256))}
		addrs = append(addrs, netip.AddrFrom16(six))
	}
	mapped := map[netip.Addr]netip.Addr{}
	for i, a := range addrs {
		if other, twice := mapped[p.addr(a)]; twice && other != a {
			t.Fatalf("%s and %s both become %s", a, other, p.addr(a))
		}
		mapped[p.addr(a)] = a
		for _, b := range addrs[:i] {
			if a.Is4() == b.Is4() && common(a, b) != common(p.addr(a), p.addr(b)) {
				t.Fatalf("%s and %s share %d bits, %s and %s %d", a, b, common(a, b), p.addr(a), p.addr(b), common(p.addr(a), p.addr(b)))
			}
		}
	}
	for _, w := range wellKnown {
		a := w.prefix.Addr().Next()
		if !w.prefix.Contains(a) {
			a = w.prefix.Addr()
		}
		if !w.prefix.Contains(p.addr(a)) || w.whole && p.addr(a) != a {
			t.Errorf("%s of %s becomes %s", a, w.prefix, p.addr(a))
		}
	}
	if got := p.addr(netip.MustParseAddr("10.20.0.11")); got == netip.MustParseAddr("10.20.0.11") {
		t.Error("an address is its own pseudonym")
	}
}

// common counts the leading bits that two addresses share.
func common(a, b netip.Addr) int {
	for n := a.BitLen(); ; n-- {
		if netip.PrefixFrom(a, n).Masked().Contains(b) {
			return n
		}
	}
}

func TestTextsAreHidden(t *testing.T) {
	p := newPseudonyms([]byte("a key"))
	p.name("esx01", "host-1")
	p.name("esx01.example.net", "host-1")
	p.name("lab (old)", "site-1")
	a := p.addr(netip.MustParseAddr("10.0.0.12")).String()
	six := p.addr(netip.MustParseAddr("fd00::12")).String()
	for in, want := range map[string]string{
		"no frame of esx01":                    "no frame of host-1",
		"esx01.example.net, esx010 and esx01.": "host-1, esx010 and host-1.",
		"esx-classic":                          "esx-classic",
		"at lab (old): esx01":                  "at site-1: host-1",
		"10.0.0.12":                            a,
		"to 10.0.0.12.":                        "to " + a + ".",
		"10.0.0.12:443, [fd00::12]:443":        a + ":443, [" + six + "]:443",
		"(10.0.0.12-10.0.0.12)":                "(" + a + "-" + a + ")",
		"node10.0.0.12":                        "node" + a,
		"at 10:00:00 on 2015-10-21T10:00:00Z":  "at 10:00:00 on 2015-10-21T10:00:00Z",
		"902/udp, 1.5 %, R100, face, ESX 4.1":  "902/udp, 1.5 %, R100, face, ESX 4.1",
		"ip.addr == 10.0.0.12 && tcp.port==80": "ip.addr == " + a + " && tcp.port==80",
		"":                                     "",
	} {
		if got := p.text(in); got != want {
			t.Errorf("text(%q) = %q, want %q", in, got, want)
		}
	}
	if got := p.text("10.0.0.0/24"); got != p.prefix(netip.MustParsePrefix("10.0.0.0/24")).String() {
		t.Errorf("a prefix becomes %q", got)
	}
	if got := p.text("accept-Fee893dc25450"); strings.Contains(got, "ee893dc25450") {
		t.Errorf("an id stays: %q", got)
	}
	mac := p.text("00:50:56:ab:cd:ef")
	if !strings.HasPrefix(mac, "00:50:56:") || strings.HasSuffix(mac, "ab:cd:ef") {
		t.Errorf("a MAC address becomes %q", mac)
	}
}
