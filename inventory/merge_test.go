package inventory

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/catalog"
)

// source reads a source of a test.
func source(t testing.TB, name, text string) *Source {
	t.Helper()
	s, err := ReadSource(name, []byte(text), SourceOptions{}, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mergedInto merges a source into an inventory and returns what stands there then.
func mergedInto(t *testing.T, base, from string) (text string, conflicts []string) {
	t.Helper()
	m, err := Merge("lab.yaml", []byte(base), []*Source{source(t, "new.csv", from)}, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range m.Conflicts {
		conflicts = append(conflicts, c.String())
	}
	return string(m.Text), conflicts
}

func TestOnlyWhatIsNewIsWritten(t *testing.T) {
	const header = "name,address,plane,roles,products,cluster,site,uses,managed\n"
	for _, c := range []struct{ what, base, rows, want string }{
		{
			"an address into a list in brackets, before its comment",
			"machines:\n- name: a\n  addresses: [10.0.0.1,  # one\n    10.0.0.2 ] # two\n",
			"a,10.0.0.3,,,,,,,\n",
			"machines:\n- name: a\n  addresses: [10.0.0.1,  # one\n    10.0.0.2, 10.0.0.3 ] # two\n",
		},
		{
			"an address behind a last comma",
			"machines: [{name: a, addresses: [10.0.0.1,]}]\n",
			"a,10.0.0.3,mgmt,,,,,,\n",
			"machines: [{name: a, addresses: [10.0.0.1, {address: 10.0.0.3, plane: mgmt}]}]\n",
		},
		{
			"a machine into a list in brackets, and brackets and signs inside quotes stay",
			"machines: [{name: \"]#,\", addresses: ['10.0.0.1']}] # all\n",
			"b,10.0.0.2,,,ESX 4.1,,,,\n",
			"machines: [{name: \"]#,\", addresses: ['10.0.0.1']}, {name: b, products: [ESX 4.1], addresses: [10.0.0.2]}] # all\n",
		},
		{
			"planes and roles to addresses in every form",
			"machines:\n  - addresses:\n      - '10.0.0.1' # first\n      - {address: 10.0.0.2}\n      - address: 10.0.0.3\n    name: ä\n",
			"ä,10.0.0.1,mgmt,dns-server,,,,,\nä,10.0.0.2,ft,,,,,,\nä,10.0.0.3,vmotion,ntp-server,,,,,\n",
			"machines:\n  - addresses:\n      - {address: '10.0.0.1', plane: mgmt, roles: [dns-server]} # first\n      - {address: 10.0.0.2, plane: ft}\n" +
				"      - address: 10.0.0.3\n        plane: vmotion\n        roles: [ntp-server]\n    name: ä\n",
		},
		{
			"values for keys that have none",
			"machines:\n  - name: a\n    cluster:\n    site: ~ # nowhere\n    products:\n    addresses: [10.0.0.1]\n",
			"a,10.0.0.1,,,ESX 4.1,prod,main,,\n",
			"machines:\n  - name: a\n    cluster: prod\n    site:  main # nowhere\n    products: [ESX 4.1]\n    addresses: [10.0.0.1]\n",
		},
		{
			"products and services into their lists, and with the file's own ends of lines",
			"machines:\r\n  - name: a\r\n    products:\r\n    - vCenter 4.1\r\n    uses: []\r\n    addresses: [10.0.0.1]",
			"a,10.0.0.1,,,vCenter 4.1;Update Manager,,,dns;ntp,\nb,10.0.0.2,,,,,,,\n",
			"machines:\r\n  - name: a\r\n    products:\r\n    - vCenter 4.1\r\n    - Update Manager\r\n    uses: [dns, ntp]\r\n    addresses: [10.0.0.1]" +
				"\r\n  - name: b\r\n    addresses: [10.0.0.2]",
		},
		{
			"machines into a file that has none",
			"networks: [{prefix: 10.0.9.0/24, plane: mgmt}]",
			"a,10.0.0.1,,,,,,,false\n",
			"networks: [{prefix: 10.0.9.0/24, plane: mgmt}]\nmachines:\n  - name: a\n    managed: false\n    addresses: [10.0.0.1]",
		},
		{
			"machines in place of an empty list, and of none",
			"machines: [] # none yet\nuses: [dns]\nnetworks: [{prefix: 10.0.9.0/24, plane: mgmt}]\n",
			"a,10.0.0.1,,,,,,,\n",
			"machines: \n  - name: a\n    addresses: [10.0.0.1] # none yet\nuses: [dns]\nnetworks: [{prefix: 10.0.9.0/24, plane: mgmt}]\n",
		},
		{
			"nothing where nothing is new: names without their domain, versions as far as both go, roles of products",
			"machines:\n  - {name: a.lab, products: [ESX 4.1], addresses: [10.0.0.1]}\n",
			"A,10.0.0.1,,hypervisor-host,ESX 4.1.0,,,,\n",
			"machines:\n  - {name: a.lab, products: [ESX 4.1], addresses: [10.0.0.1]}\n",
		},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, conflicts := mergedInto(t, c.base, header+c.rows)
			if diff := cmp.Diff(c.want, got); diff != "" || conflicts != nil {
				t.Errorf("conflicts %q; -want +got\n%s", conflicts, diff)
			}
			if again, _ := mergedInto(t, got, header+c.rows); again != got {
				t.Errorf("merged once more it is\n%s", again)
			}
		})
	}
}

func TestEveryContradictionIsListedWithBothPlaces(t *testing.T) {
	const header = "name,address,plane,roles,products,cluster,site,uses,managed-by\n"
	const base = `machines:
  - name: a
    products: [ESX 4.0]
    cluster: prod
    managed: false
    uses: [-ha]
    addresses: [{address: 10.0.0.1, plane: mgmt, roles: [dns-server]}]
  - {name: b, addresses: [10.0.0.2]}
  - {name: c, products: [ESX 4.1], addresses: [10.0.0.3]}
  - {name: v, products: [vCenter], addresses: [10.0.0.9]}
sites: [main]
networks: [{prefix: 10.0.5.0/24, plane: mgmt}]
`
	for _, c := range []struct{ row, want string }{
		{"a,10.0.0.1,,,,test,,,", `new.csv:2: machine a: cluster: "test", but "prod" at lab.yaml:4, which stays`},
		{"a,10.0.0.1,ft,,,,,,", `new.csv:2: address 10.0.0.1 of machine a: plane: "ft", but "mgmt" at lab.yaml:7, which stays`},
		{"a,10.0.0.1,,ntp-server,,,,,", `new.csv:2: address 10.0.0.1 of machine a: roles: "ntp-server", but "dns-server" at lab.yaml:7, which stays`},
		{"c,10.0.0.3,,ntp-server,,,,,", `new.csv:2: address 10.0.0.3 of machine c: roles: "ntp-server", but "ESX 4.1" at lab.yaml:9, which stays`},
		{"a,10.0.0.1,,,ESX 4.1,,,,", `new.csv:2: machine a: product: "ESX 4.1", but "ESX 4.0" at lab.yaml:3, which stays`},
		{"v,10.0.0.9,,,vCenter 4.1,,,,", `new.csv:2: machine v: product: "vCenter 4.1", but "vCenter" at lab.yaml:10, which stays`},
		{"a,10.0.0.1,,,,,,ha,", `new.csv:2: machine a: uses: "ha", but "-ha" at lab.yaml:6, which stays`},
		{"a,10.0.0.2,,,,,,,", `new.csv:2: machine of address 10.0.0.2: "a", but "b" at lab.yaml:8, which stays`},
		{"z,10.0.0.2,,,,,,,", `new.csv:2: machine of address 10.0.0.2: "z", but "b" at lab.yaml:8, which stays`},
		{"a,10.0.0.1,,,ESXi 4.0,,,,", `new.csv:2: left out "ESXi 4.0": machine a: product "ESXi 4.0" is a esxi, which excludes the esx-classic of its other products`},
		{"a,10.0.0.1,,,,,,,v", `new.csv:2: left out "v": machine a: managed: false and managed-by: v contradict each other`},
		{"b,10.0.0.2,,,,,away,,", `new.csv:2: left out "away": machine b: site "away" is not in sites`},
		{"d,10.0.5.255,,,,,,,", `new.csv:2: address 10.0.5.255: it is the broadcast address of network 10.0.5.0/24`},
	} {
		text, conflicts := mergedInto(t, base, header+c.row+"\n")
		if len(conflicts) != 1 || conflicts[0] != c.want {
			t.Errorf("%s: got the conflicts\n%q, want\n%q", c.row, conflicts, c.want)
		}
		if text != base {
			t.Errorf("%s: the inventory was changed:\n%s", c.row, text)
		}
	}
}

func TestWhatCannotBeAddedToIsRefusedAndNotMangled(t *testing.T) {
	base := "machines:\n  - name: |-\n      a\n    addresses: [10.0.0.1]\n"
	_, err := Merge("lab.yaml", []byte(base), []*Source{source(t, "new.csv", "name,address,cluster\na,10.0.0.1,prod\n")}, catalog.Default())
	if err == nil || !strings.Contains(err.Error(), "lab.yaml:2: machine a is written in a way that cannot be added to") {
		t.Errorf("got %v", err)
	}
}

// TestWhatIsImportedReadsBack imports made machines, whatever they are called, and wants to read the same ones back.
func TestWhatIsImportedReadsBack(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		csv, want := madeCSV(random)
		m, err := Merge("new.yaml", nil, []*Source{source(t, "made.csv", csv)}, catalog.Default())
		if err != nil {
			t.Fatalf("%v\n%s", err, csv)
		}
		v := parse(t, "new.yaml", string(m.Text))
		got := map[string]string{}
		for _, machine := range v.Machines {
			for _, a := range machine.Addrs {
				got[a.Addr.String()] = fmt.Sprint(machine.Name, machine.Cluster, machine.Products, a.Plane)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(m.Conflicts) > 0 {
			t.Fatalf("%v; -want +got\n%s\n%s", m.Conflicts, diff, m.Text)
		}
		again, err := Merge("new.yaml", m.Text, []*Source{source(t, "made.csv", csv)}, catalog.Default())
		if err != nil || !bytes.Equal(again.Text, m.Text) || again.Added+again.Completed > 0 {
			t.Fatalf("imported once more: %v, %d added, %d completed\n%s", err, again.Added, again.Completed, again.Text)
		}
	}
}

// madeCSV returns an inventory as CSV with hostile names, and what it says of each address.
func madeCSV(random *rand.Rand) (text string, said map[string]string) {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	var b strings.Builder
	b.WriteString("name,address,products,cluster,plane\n")
	said = map[string]string{}
	for i := range 1 + random.IntN(12) {
		name := pick("esx", "~", "null", "0x1f", "- a", "# b", "{c}", `"d"`, "e: f", "&g", "*h", "!i", "%j", "ü\u00a0"[:2], "'", "k #l", "true") + fmt.Sprint(i)
		product := pick("", "ESX 4.1", "ESXi 4.0 Update 2", "vCenter", "View 4.5;Update Manager")
		cluster := pick("", "prod", "yes", "[x]", "a: b", "1e3", "c\\d", "#")
		for j := range 1 + random.IntN(3) {
			addr := netip.AddrFrom4([4]byte{10, byte(i), byte(j), 7}).String()
			if random.IntN(4) == 0 {
				addr = fmt.Sprintf("fd00::%x:%x", i+1, j+1)
			}
			plane := pick("", "mgmt", "vmotion")
			fmt.Fprintf(&b, "\"%s\",%s,%s,\"%s\",%s\n", strings.ReplaceAll(name, `"`, `""`), addr, product, cluster, plane)
			var products []catalog.Deployed
			for p := range strings.SplitSeq(product, ";") {
				if d, err := catalog.Default().Deployed(p); err == nil {
					products = append(products, d)
				}
			}
			said[addr] = fmt.Sprint(name, cluster, products, plane)
		}
	}
	return b.String(), said
}

func BenchmarkImport5000Hosts(b *testing.B) {
	var hosts, adapters strings.Builder
	hosts.WriteString("Host,Cluster,ESX Version,VI SDK Server\n")
	adapters.WriteString("Host,Port Group,Device,IP Address,Subnet mask\n")
	for i := range 5000 {
		fmt.Fprintf(&hosts, "esx%04d.lab,c%d,VMware ESXi 4.1.0 build-260247,10.9.9.9\n", i, i/16)
		for j, group := range []string{"Management Network", "vMotion", "iSCSI"} {
			fmt.Fprintf(&adapters, "esx%04d.lab,%s,vmk%d,10.%d.%d.%d,255.255.0.0\n", i, group, j, j, i>>8, i&255)
		}
	}
	for b.Loop() {
		m, err := Merge("new.yaml", nil, []*Source{source(b, "vHost.csv", hosts.String()), source(b, "vSC_VMK.csv", adapters.String())}, catalog.Default())
		if err != nil || m.Added != 5001 {
			b.Fatal(err, m)
		}
		if m, err = Merge("new.yaml", m.Text, []*Source{source(b, "vHost.csv", hosts.String())}, catalog.Default()); err != nil || m.Unchanged != 5001 {
			b.Fatal(err, m)
		}
	}
}
