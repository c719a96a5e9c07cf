package inventory

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/catalog"
)

// lab is a whole inventory: every key, every way to write one.
const lab = `machines:
  - name: vcenter01
    products: [VirtualCenter 4.1, Update Manager]
    site: main
    addresses: [10.20.0.5]
  - name: esx01
    products: [ESX 4.1]          # classic
    cluster: prod
    site: main
    managed-by: vcenter01
    uses: [nfs, -ha]
    addresses:
      - 10.20.0.11
      - {address: 10.20.1.11, roles: [hypervisor-host], plane: vmotion}
      - {address: 10.20.0.12, roles: [dns-server, "SNMP  server"], plane: mgmt}
      - {address: "fd00::11", plane: storage}
  - name: esx09
    products: [ESXi]
    cluster:
    managed: false
    addresses:
      - address: 10.20.0.19
        plane: bmc
  - {name: dns01, addresses: [{address: 10.20.2.1, roles: [dns-server, ntp-server]}]}
  - {name: filer, addresses: [{address: 10.20.2.3, roles: ["NFS server"]}]}
networks:
  - {prefix: 10.20.9.0/24, name: admins, roles: [Client PC], plane: mgmt}
  - {prefix: 10.20.9.128/25, name: desktops, roles: [view-client]}
  - {prefix: 10.20.1.0/24, plane: vmotion}
  - {prefix: "fd00:9::/64", roles: [vi-client]}
sites: [main, recovery]
uses: [dns, ntp, ha]
segments: overlap
ports: {R285: 1902}
capture:
  - {file: 'mgmt-*.pcap', sees: [10.20.0.0/24, filer, 10.20.2.1]}
  - {sees: ["fd00::/16"]}
`

// parse reads an inventory that must be good.
func parse(t *testing.T, name, text string) *Inventory {
	t.Helper()
	v, err := Parse(name, []byte(text), catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// told returns what is placed, in one line.
func told(v *Inventory, addr string) string {
	p, known := v.Place(netip.MustParseAddr(addr))
	if !known {
		return "nobody"
	}
	owner := "no machine"
	if p.Machine != nil {
		owner = p.Machine.Name
	}
	var roles []string
	for _, g := range p.Roles {
		roles = append(roles, string(g.Role))
	}
	network := "-"
	if p.Network != nil {
		network = p.Network.Prefix.String()
	}
	return fmt.Sprintf("%s %v plane=%s network=%s line=%d", owner, roles, p.Plane, network, p.Line)
}

func TestPlace(t *testing.T) {
	v := parse(t, "lab.yaml", lab)
	for _, c := range []struct{ why, addr, want string }{
		{"an address without roles plays its products' roles", "10.20.0.5", "vcenter01 [vcenter-server update-manager-server] plane= network=- line=5"},
		{"the product refines its role", "10.20.0.11", "esx01 [hypervisor-host esx-classic] plane= network=- line=13"},
		{"the product refines a named role too", "10.20.1.11", "esx01 [hypervisor-host esx-classic] plane=vmotion network=10.20.1.0/24 line=14"},
		{"named roles replace the products' roles", "10.20.0.12", "esx01 [dns-server snmp-manager] plane=mgmt network=- line=15"},
		{"a tagged address without roles is still a host", "fd00::11", "esx01 [hypervisor-host esx-classic] plane=storage network=- line=16"},
		{"a product without version refines as well", "10.20.0.19", "esx09 [hypervisor-host esxi] plane=bmc network=- line=22"},
		{"a machine without products", "10.20.2.1", "dns01 [dns-server ntp-server] plane= network=- line=24"},
		{"a role as the document prints it, in other case", "10.20.2.3", "filer [nfs-server] plane= network=- line=25"},
		{"a network where no machine is", "10.20.9.4", "no machine [client-pc] plane=mgmt network=10.20.9.0/24 line=27"},
		{"the longest prefix wins, whole", "10.20.9.200", "no machine [view-client] plane= network=10.20.9.128/25 line=28"},
		{"a network of IPv6", "fd00:9::1", "no machine [vi-client] plane= network=fd00:9::/64 line=30"},
		{"a network with a plane only", "10.20.1.99", "no machine [] plane=vmotion network=10.20.1.0/24 line=29"},
		{"IPv4 in IPv6 is IPv4", "::ffff:10.20.0.11", "esx01 [hypervisor-host esx-classic] plane= network=- line=13"},
		{"a stranger", "192.0.2.1", "nobody"},
		{"a stranger of IPv6", "2001:db8::1", "nobody"},
	} {
		if got := told(v, c.addr); got != c.want {
			t.Errorf("%s: %s\n got %s\nwant %s", c.why, c.addr, got, c.want)
		}
	}
}

func TestWhatALabDeclares(t *testing.T) {
	v := parse(t, "lab.yaml", lab)
	esx01 := v.Machine("esx01")
	got := []any{
		esx01.Products, esx01.Cluster, esx01.Site, esx01.ManagedBy, esx01.Unmanaged, esx01.Uses, esx01.NotUses,
		esx01.Line, v.Machine("esx09").Unmanaged, v.Machine("nobody") == nil, v.Sites, v.Uses, v.Ports, v.Overlapping, v.Warnings,
	}
	want := []any{
		[]catalog.Deployed{{Family: "ESX", Version: "4.1"}},
		"prod", "main", "vcenter01", false,
		[]string{"nfs"},
		[]string{"ha"},
		6, true, true,
		[]string{"main", "recovery"},
		[]string{"dns", "ntp", "ha"},
		map[string]uint16{"R285": 1902},
		true,
		[]string(nil),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	grants := []Grant{
		{"dns-server", Declared, "lab.yaml:15"},
		{"esx-classic", Declared, "lab.yaml:14"},
		{"hypervisor-host", Declared, "lab.yaml:14"},
		{"snmp-manager", Declared, "lab.yaml:15"},
	}
	gotGrants := v.Roles(esx01)
	for i := range gotGrants { // of the two hosts' addresses, either line will do
		if gotGrants[i].Evidence == "lab.yaml:6" {
			gotGrants[i].Evidence = "lab.yaml:14"
		}
	}
	if diff := cmp.Diff(grants, gotGrants); diff != "" {
		t.Errorf("roles of esx01: -want +got\n%s", diff)
	}
}

func TestTheSameLabInOtherSpellings(t *testing.T) {
	want := parse(t, "lab.yaml", lab)
	for why, text := range map[string]string{
		"byte order mark": "\ufeff" + lab,
		"CRLF":            strings.ReplaceAll(lab, "\n", "\r\n"),
		"document marks":  "%YAML 1.1\n---\n" + lab + "...\n",
	} {
		got := parse(t, "lab.yaml", text)
		for _, addr := range []string{"10.20.0.5", "10.20.0.11", "10.20.0.12", "10.20.9.200"} {
			p, q := told(want, addr), told(got, addr)
			p, _, _ = strings.Cut(p, " line=")
			q, _, _ = strings.Cut(q, " line=")
			if p != q {
				t.Errorf("%s: %s\n got %s\nwant %s", why, addr, q, p)
			}
		}
	}
}

func TestCSVSaysTheSameAsYAML(t *testing.T) {
	yaml := parse(t, "lab.yaml", `machines:
  - {name: vc, products: [vCenter 4.1, Update Manager 4.1], site: main, addresses: [{address: 10.0.0.5, plane: mgmt}]}
  - name: esx01
    products: [ESX 4.1]
    cluster: prod
    managed-by: vc
    uses: [nfs, -ha]
    addresses: [{address: 10.0.0.11, plane: mgmt}, {address: 10.0.1.11, plane: vmotion, roles: [hypervisor-host, dns-server]}]
  - {name: esx02, products: [ESXi], managed: false, addresses: [10.0.0.12]}
  - {name: filer, addresses: [{address: 10.0.2.1, roles: [nfs-server]}]}
`)
	csv := parse(t, "LAB.CSV", "\ufeffaddress, name,Product,plane,roles,cluster,managed-by,managed,uses,site\r\n"+
		"# the vCenter\r\n"+
		"10.0.0.5,vc,vCenter 4.1; Update Manager 4.1,mgmt,,,,,,main\r\n"+
		"10.0.0.11,esx01,ESX 4.1,mgmt,,prod,vc,,nfs;-ha,\r\n"+
		"10.0.1.11,esx01,,vmotion,ESX/ESXi Host;dns-server,prod,,,,\r\n"+
		"10.0.0.12,esx02,ESXi,,,,,false,,\r\n"+
		"10.0.2.1,filer,,,\"NFS Server\",,,,,\r\n")
	for _, v := range []*Inventory{yaml, csv} {
		for _, m := range v.Machines {
			m.Line = 0
			for _, a := range m.Addrs {
				a.Line = 0
				for i := range a.Roles {
					a.Roles[i].Evidence = ""
				}
			}
		}
	}
	if diff := cmp.Diff(yaml.Machines, csv.Machines, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("-yaml +csv\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		why, text string
		want      []string
	}{
		{"a version that no catalogue covers", one("products: [ESX 5.5], addresses: [10.0.0.1]"), []string{
			"lab.yaml:2: machine esx01: no catalogue in use covers ESX 5.5: its traffic is judged by the product's other versions, version-unverified",
		}},
		{"a machine without any role", one("addresses: [10.0.0.1]"), []string{
			"lab.yaml:2: machine esx01 plays no role: give it a product, or roles to its addresses",
		}},
		{"a service that nobody offers", one("products: [ESX 4.1], addresses: [10.0.0.1]") + "uses: [ntp]\n", []string{
			`lab.yaml:3: service "ntp" is used, but nobody plays ntp-server`,
		}},
		{"a network offers the service", one("products: [ESX 4.1], addresses: [10.0.0.1]") +
			"networks: [{prefix: 10.1.0.0/24, roles: [ntp-server]}]\nuses: [ntp]\n", nil},
		{"a service between hosts needs no server", one("products: [ESX 4.1], addresses: [10.0.0.1]") + "uses: [ha]\n", nil},
		{"a service whose other end is any client", one("products: [ESX 4.1], addresses: [10.0.0.1]") + "uses: [ssh]\n", nil},
		{
			"a machine that has nothing to do with its service",
			"machines:\n  - {name: d, uses: [ha], addresses: [{address: 10.0.0.1, roles: [dns-server]}]}\n  - {name: e, products: [ESX 4], addresses: [10.0.0.2]}\n",
			[]string{"lab.yaml:2: machine d uses ha, but plays no role in it"},
		},
	} {
		if diff := cmp.Diff(c.want, parse(t, "lab.yaml", c.text).Warnings); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.why, diff)
		}
	}
}

func TestWhoIsAVMwareMachine(t *testing.T) {
	v := parse(t, "lab.yaml", `machines:
  - {name: product, products: [Lab Manager], addresses: [{address: 10.0.0.1, roles: [dns-server]}]}
  - {name: marked, addresses: [{address: 10.0.0.2, roles: [license-server]}]}
  - {name: descendant, addresses: [{address: 10.0.0.3, roles: [esxi]}]}
  - {name: second address, addresses: [{address: 10.0.0.4, roles: [dns-server]}, {address: 10.0.0.5, roles: [view-agent]}]}
  - {name: dns, addresses: [{address: 10.0.0.6, roles: [dns-server, client-pc]}]}
networks:
  - {prefix: 10.1.0.0/24, roles: [view-agent]}
  - {prefix: 10.2.0.0/24, roles: [client-pc]}
`)
	c := catalog.Default()
	for _, name := range []string{"product", "marked", "descendant", "second address"} {
		if !v.VMware(v.Machine(name), c) {
			t.Errorf("machine %s: got no VMware machine, want one", name)
		}
	}
	if v.VMware(v.Machine("dns"), c) {
		t.Error("machine dns: got a VMware machine, want none")
	}
	for addr, want := range map[string]bool{
		"10.0.0.1": true, "10.0.0.4": true, "10.0.0.6": false, "10.1.0.9": true, "10.2.0.9": false, "10.3.0.9": false,
	} {
		p, _ := v.Place(netip.MustParseAddr(addr))
		if got := v.PlacedVMware(p, c); got != want {
			t.Errorf("%s: got %v, want %v", addr, got, want)
		}
	}
}

func TestRestrictsClients(t *testing.T) {
	c := catalog.Default()
	for text, want := range map[string]bool{
		"networks: [{prefix: 10.0.0.0/24, roles: [ssh-client]}]\n":                          true,
		"networks: [{prefix: 10.0.0.0/24, roles: [dns-server]}]\n":                          false,
		"machines: [{name: c, addresses: [{address: 10.0.0.1, roles: [client-pc]}]}]\n":     false,
		"networks: [{prefix: 10.0.0.0/24, plane: mgmt}, {prefix: 10.0.0.0/8, plane: ft}]\n": false,
	} {
		if got := parse(t, "lab.yaml", text).RestrictsClients(c); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestRequires(t *testing.T) {
	v := parse(t, "lab.yaml", lab)
	for _, c := range []struct {
		machine, service string
		want             bool
	}{
		{"esx09", "ha", true},
		{"esx01", "ha", false},
		{"esx01", "nfs", true},
		{"esx09", "nfs", false},
		{"", "ha", true},
		{"", "nfs", false},
	} {
		if got := v.Requires(c.service, v.Machine(c.machine)); got != c.want {
			t.Errorf("%q requires %s: got %v, want %v", c.machine, c.service, got, c.want)
		}
	}
	if !v.Machine("esx01").Declines("ha") || v.Machine("esx09").Declines("ha") {
		t.Error("esx01 declines ha and esx09 does not: got otherwise")
	}
}

func TestSees(t *testing.T) {
	v := parse(t, "lab.yaml", lab)
	for _, c := range []struct{ capture, addr, want string }{
		{"mgmt-1.pcap", "10.20.0.77", "declared inside"},
		{"/captures/today/mgmt-1.pcap", "10.20.0.77", "declared inside"},
		{"mgmt-1.pcap", "10.20.2.3", "declared inside"},
		{"mgmt-1.pcap", "10.20.2.1", "declared inside"},
		{"mgmt-1.pcap", "10.20.2.2", "declared outside"},
		{"other.pcap", "10.20.0.77", "declared outside"},
		{"other.pcap", "fd00::11", "declared inside"},
	} {
		if got := view(v.Sees(c.capture, netip.MustParseAddr(c.addr))); got != c.want {
			t.Errorf("%s sees %s: got %s, want %s", c.capture, c.addr, got, c.want)
		}
	}
	plain := parse(t, "lab.yaml", one("addresses: [10.0.0.1, 10.0.0.2]"))
	if got := view(plain.Sees("a.pcap", netip.MustParseAddr("10.0.0.1"))); got != "undeclared" {
		t.Errorf("no view: got %s, want undeclared", got)
	}
}

func view(declared, inside bool) string {
	switch {
	case !declared:
		return "undeclared"
	case inside:
		return "declared inside"
	}
	return "declared outside"
}

func TestIsBroadcast(t *testing.T) {
	v := parse(t, "lab.yaml", "networks: [{prefix: 10.0.0.0/23, plane: mgmt}, {prefix: 10.9.0.0/31, plane: ft}, {prefix: 'fd00::/64', plane: ft}]\n")
	for addr, want := range map[string]bool{
		"10.0.1.255": true, "255.255.255.255": true, "::ffff:10.0.1.255": true,
		"10.0.0.255": false, "10.9.0.1": false, "fd00::ffff:ffff:ffff:ffff": false,
	} {
		if got := v.IsBroadcast(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %v, want %v", addr, got, want)
		}
	}
}

func TestTheZeroInventoryKnowsNobody(t *testing.T) {
	var v Inventory
	if got := told(&v, "10.0.0.1"); got != "nobody" {
		t.Errorf("got %s", got)
	}
	if got := view(v.Sees("a.pcap", netip.MustParseAddr("10.0.0.1"))); got != "undeclared" {
		t.Errorf("got %s", got)
	}
}

func TestLoadReadsByName(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.yaml": "machines: [{name: a, addresses: [10.0.0.1]}]", "a.csv": "name,address\na,10.0.0.1\n"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		v, err := Load(path, catalog.Default())
		if err != nil || v.Machine("a") == nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(dir, "none.yaml"), catalog.Default()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: got %v", err)
	}
	if _, err := Load(dir, catalog.Default()); err == nil {
		t.Error("a folder: got no error")
	}
}

func TestTheExampleOfThePackageCommentIsGood(t *testing.T) {
	source, err := os.ReadFile("inventory.go")
	if err != nil {
		t.Fatal(err)
	}
	var yaml, csv strings.Builder
	for line := range strings.Lines(string(source)) {
		text, inExample := strings.CutPrefix(line, "//\t")
		switch {
		case !inExample:
		case strings.HasPrefix(text, "name,") || csv.Len() > 0:
			csv.WriteString(text)
		default:
			yaml.WriteString(text)
		}
	}
	if v := parse(t, "example.yaml", yaml.String()); len(v.Machines) != 3 {
		t.Errorf("YAML: got %d machines, want 3", len(v.Machines))
	}
	if v := parse(t, "example.csv", csv.String()); len(v.Machines) != 2 {
		t.Errorf("CSV: got %d machines, want 2", len(v.Machines))
	}
}
