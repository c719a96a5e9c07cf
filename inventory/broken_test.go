package inventory

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"flowvet/catalog"
)

// one is an inventory with one machine, whose fields are given.
func one(fields string) string { return "machines:\n  - {name: esx01, " + fields + "}\n" }

// at1 is an inventory with one machine, one address of which has the fields given.
func at1(fields string) string { return one("addresses: [{" + fields + "}]") }

func TestABrokenInventoryIsOneClearLine(t *testing.T) {
	const good = "machines:\n  - {name: esx01, addresses: [10.0.0.1]}\n"
	for _, c := range []struct{ why, text, want string }{
		{"empty file", "", `lab.yaml: is empty: an inventory names machines, their products and addresses`},
		{"only spaces", " \r\n\n ", `lab.yaml: is empty: an inventory names machines, their products and addresses`},
		{"only a comment", "# to do\n", `lab.yaml: holds only comments: an inventory names machines, their products and addresses`},
		{"null", "~\n", `lab.yaml: is empty: an inventory names machines, their products and addresses`},
		{"no machines", "machines: []\n", `lab.yaml: names no machine and no network`},
		{"a list", "- esx01\n", `lab.yaml:1: the inventory is a list, not a mapping of capture, machines, networks, ports, segments, sites, uses, vlans`},
		{"a sentence", "hello there\n", `lab.yaml:1: the inventory is the text "hello there", not a mapping of capture, machines, networks, ports, segments, sites, uses, vlans`},
		{"segments that do neither", good + "segments: yes\n", `lab.yaml:3: segments yes: write overlap where VLANs use the same addresses, else distinct`},
		{"a list of segments", good + "segments: [overlap]\n", `lab.yaml:3: "segments" is a list, not text`},
		{"UTF-16", "\xff\xfem\x00", `lab.yaml:1: is UTF-16: save it as UTF-8`},
		{"UTF-16 without mark", "m\x00a\x00", `lab.yaml:1: holds a NUL byte: this is no text file`},
		{"Latin-1", "machines:\n  - {name: b\xfcro}\n", `lab.yaml:2: is not UTF-8: save it as UTF-8`},
		{"NUL byte", good + "\x00", `lab.yaml:3: holds a NUL byte: this is no text file`},
		{"tab", "machines:\n  - name: esx01\n\taddresses: [10.0.0.1]\n", `lab.yaml:3: begins with a tab: YAML indents with spaces`},
		{"tab after spaces", "machines:\n  - name: esx01\n  \taddresses: [10.0.0.1]\n", `lab.yaml:3: begins with a tab: YAML indents with spaces`},
		{"wrong indentation", "machines:\n  - name: esx01\n  addresses: [10.0.0.1]\n  - name: esx02\n", `lab.yaml:3: is not YAML: did not find expected '-' indicator: check the indentation, and that brackets and quotes are closed`},
		{"open bracket", "machines:\n  - name: a\n    addresses: [10.0.0.1\n    cluster: b\n", `lab.yaml:4: is not YAML: did not find expected ',' or ']': check the indentation, and that brackets and quotes are closed`},
		{"open quote", "machines:\n  - name: \"a\n    cluster: b\n", `lab.yaml:2: is not YAML: found unexpected end of stream`},
		{"no space after colon", "machines:\n  - name:esx01\n", `lab.yaml:2: machine is the text "name:esx01", not a mapping of addresses, cluster, managed, managed-by, name, products, site, uses`},
		{"two documents", good + "---\n" + good, `lab.yaml:3: begins a second document: an inventory is one`},
		{"alias", "machines:\n  - {name: a, addresses: &x [10.0.0.1]}\n  - {name: b, addresses: *x}\n", `lab.yaml:3: machine b: "addresses" is an alias (refused: write the value out), not a list: write it in [ ] or one a line after -`},
		{"merge key", "machines:\n  - &x {name: a, addresses: [10.0.0.1]}\n  - {<<: *x, name: b}\n", `lab.yaml:3: machine b: key "<<" is not known`},
		{"unknown key at the top", good + "usse: [dns]\n", `lab.yaml:3: the inventory: key "usse" is not known: did you mean "uses"?`},
		{"unknown key of a machine", one("adresses: [10.0.0.1]"), `lab.yaml:2: machine esx01: key "adresses" is not known: did you mean "addresses"?`},
		{"unknown key of an address", at1("address: 10.0.0.1, role: [dns-server]"), `lab.yaml:2: machine esx01: an address: key "role" is not known: did you mean "roles"?`},
		{"unknown key of a network", "networks:\n  - {prefix: 10.0.0.0/24, rolls: [client-pc]}\n", `lab.yaml:2: network: key "rolls" is not known: did you mean "roles"?`},
		{"unknown key of a capture", good + "capture: [{flie: a, sees: [esx01]}]\n", `lab.yaml:3: capture: key "flie" is not known: did you mean "file"?`},
		{"key given twice", "machines:\n  - name: a\n    cluster: x\n    cluster: y\n    addresses: [10.0.0.1]\n", `lab.yaml:4: machine a: key "cluster" is given twice: first on line 3`},
		{"key that is a list", good + "[a]: b\n", `lab.yaml:3: the inventory: a key is a list, not text`},
		{"machines that are no list", "machines: esx01\n", `lab.yaml:1: "machines" is the text "esx01", not a list: write it in [ ] or one a line after -`},
		{"addresses that are no list", one("addresses: 10.0.0.1"), `lab.yaml:2: machine esx01: "addresses" is the text "10.0.0.1", not a list: write it in [ ] or one a line after -`},
		{"a product that is a list", one("products: [[ESX 4.1]], addresses: [10.0.0.1]"), `lab.yaml:2: an element of machine esx01: "products" is a list, not text`},
		{"an empty product", one("products: [ESX 4.1, ], addresses: [10.0.0.1], uses: [~]"), `lab.yaml:2: an element of machine esx01: "uses" is empty`},
		{"machine without a name", "machines:\n  - addresses: [10.0.0.1]\n", `lab.yaml:2: machine 1 has no name`},
		{"machine without addresses", "machines:\n  - name: esx01\n", `lab.yaml:2: machine esx01 has no addresses`},
		{"two machines with one name", good + "  - {name: esx01, addresses: [10.0.0.2]}\n", `lab.yaml:3: machine esx01 is given twice: first on line 2`},
		{"a name with an escape sequence", "machines:\n  - {name: \"a\\e[2J\", addresses: [10.0.0.1]}\n", `lab.yaml:2: machine "a\x1b[2J": name "a\x1b[2J" holds a character that cannot be printed`},
		{"a name of a megabyte", "machines:\n  - {name: " + strings.Repeat("n", 1<<20) + ", addresses: [10.0.0.1]}\n", `lab.yaml:2: machine "` + strings.Repeat("n", 60) + `…": name is longer than 255 bytes`},

		{"unknown role", at1("address: 10.0.0.1, roles: [vcentre-server]"), `lab.yaml:2: machine esx01: address 10.0.0.1: role "vcentre-server" is not known: did you mean "vcenter-server"?`},
		{"role nearly as printed", at1("address: 10.0.0.1, roles: [Lonked vCenter Servers]"), `lab.yaml:2: machine esx01: address 10.0.0.1: role "Lonked vCenter Servers" is not known: did you mean "vcenter-server"?`},
		{"role that is nothing like any", at1("address: 10.0.0.1, roles: [zzzzzzzz]"), `lab.yaml:2: machine esx01: address 10.0.0.1: role "zzzzzzzz" is not known`},
		{"role given twice", at1("address: 10.0.0.1, roles: [dns-server, ntp-server, dns-server]"), `lab.yaml:2: machine esx01: address 10.0.0.1: role "dns-server" is given twice`},
		{"role given twice, once as printed", at1("address: 10.0.0.1, roles: [esx-classic, ESX Host]"), `lab.yaml:2: machine esx01: address 10.0.0.1: role "esx-classic" is given twice`},
		{"exclusive roles", at1("address: 10.0.0.1, roles: [hypervisor-host, vcenter-server]"), `lab.yaml:2: machine esx01: address 10.0.0.1: roles "hypervisor-host" and "vcenter-server" exclude each other on one address`},
		{"exclusive by descent", at1("address: 10.0.0.1, roles: [esxi, ssh-client]"), `lab.yaml:2: machine esx01: address 10.0.0.1: roles "esxi" and "ssh-client" exclude each other on one address`},
		{"exclusive with the product", one("products: [ESX 4.1], addresses: [{address: 10.0.0.1, roles: [view-agent]}]"), `lab.yaml:2: machine esx01: address 10.0.0.1: role "view-agent" excludes the role "hypervisor-host" of its product`},
		{"exclusive with what the product refines", one("products: [ESX 4.1], addresses: [{address: 10.0.0.1, roles: [esxi]}]"), `lab.yaml:2: machine esx01: address 10.0.0.1: role "esxi" excludes the role "esx-classic" of its product`},
		{"exclusive products", one("products: [ESX 4.1, vCenter 4.1], addresses: [10.0.0.1]"), `lab.yaml:2: machine esx01: product "vCenter 4.1" is a vcenter-server, which excludes the hypervisor-host of its other products`},
		{"exclusive roles of a network", "networks:\n  - {prefix: 10.0.0.0/24, roles: [esxi, client-pc]}\n", `lab.yaml:2: network 10.0.0.0/24: roles "esxi" and "client-pc" exclude each other on one address`},
		{"unknown product", one("products: [ESQ 4.1], addresses: [10.0.0.1]"), `lab.yaml:2: machine esx01: unknown product "ESQ 4.1": did you mean "ESX"?`},
		{"product in two versions", one("products: [ESX 3.5, ESX 4.1], addresses: [10.0.0.1]"), `lab.yaml:2: machine esx01: product "ESX" is given twice: one machine runs it in one version`},
		{"unknown plane", at1("address: 10.0.0.1, plane: vmotoin"), `lab.yaml:2: machine esx01: address 10.0.0.1: plane "vmotoin" is not known: did you mean "vmotion"?`},
		{"plane like none", at1("address: 10.0.0.1, plane: q"), `lab.yaml:2: machine esx01: address 10.0.0.1: plane "q" is not known: it is one of mgmt, vmotion, ft, storage, bmc`},

		{"address that is a name", one("addresses: [esx01.lab]"), `lab.yaml:2: machine esx01: address "esx01.lab" is none: write 10.20.0.11 or 2001:db8::11`},
		{"address out of range", one("addresses: [10.0.0.300]"), `lab.yaml:2: machine esx01: address "10.0.0.300" is none: each of its four parts is a number from 0 to 255`},
		{"address with leading zeros", one("addresses: [10.0.0.010]"), `lab.yaml:2: machine esx01: address "10.0.0.010" is none: write its parts without leading zeros`},
		{"prefix as address", one("addresses: [10.0.0.1/24]"), `lab.yaml:2: machine esx01: address "10.0.0.1/24" is none: it is a prefix, which belongs under networks`},
		{"address with port", one("addresses: ['10.0.0.1:902']"), `lab.yaml:2: machine esx01: address "10.0.0.1:902" is none: an address has no port`},
		{"no address", at1("roles: [dns-server]"), `lab.yaml:2: machine esx01: an address is empty`},
		{"0.0.0.0", one("addresses: [0.0.0.0]"), `lab.yaml:2: machine esx01: address "0.0.0.0" means no address`},
		{"multicast", one("addresses: [239.255.255.253]"), `lab.yaml:2: machine esx01: address "239.255.255.253" is a multicast group, not a machine`},
		{"IPv6 multicast", one("addresses: ['ff02::1']"), `lab.yaml:2: machine esx01: address "ff02::1" is a multicast group, not a machine`},
		{"broadcast", one("addresses: [255.255.255.255]"), `lab.yaml:2: machine esx01: address "255.255.255.255" is the broadcast address, not a machine`},
		{"a network's broadcast", one("addresses: [10.0.0.255]") + "networks: [{prefix: 10.0.0.0/24, plane: mgmt}]\n", `lab.yaml:2: machine esx01: address 10.0.0.255 is the broadcast address of network 10.0.0.0/24 on line 3`},
		{"zone", one("addresses: ['fe80::1%eth0']"), `lab.yaml:2: machine esx01: address "fe80::1%eth0" has a zone: captures know none`},
		{"address twice on one machine", one("addresses: [10.0.0.1, '::ffff:10.0.0.1']"), `lab.yaml:2: machine esx01: address ::ffff:10.0.0.1 is given twice: first on line 2`},
		{"address on two machines", good + "  - {name: esx02, addresses: [10.0.0.1]}\n", `lab.yaml:3: machine esx02: address 10.0.0.1 belongs to machine esx01 already, on line 2`},

		{"prefix with host bits", "networks:\n  - {prefix: 10.0.0.7/24, plane: mgmt}\n", `lab.yaml:2: network: prefix "10.0.0.7/24" has host bits: did you mean "10.0.0.0/24"?`},
		{"prefix without length", "networks:\n  - {prefix: 10.0.0.7, plane: mgmt}\n", `lab.yaml:2: network: prefix "10.0.0.7" has no length: did you mean "10.0.0.7/32"?`},
		{"no prefix", "networks:\n  - {name: admins, plane: mgmt}\n", `lab.yaml:2: network: has no prefix`},
		{"prefix too long", "networks:\n  - {prefix: 10.0.0.0/33, plane: mgmt}\n", `lab.yaml:2: network: prefix "10.0.0.0/33" is none: write 10.20.9.0/24`},
		{"multicast prefix", "networks:\n  - {prefix: 224.0.0.0/4, plane: mgmt}\n", `lab.yaml:2: network: prefix "224.0.0.0/4" is multicast: a group is no machine`},
		{"prefix twice", "networks:\n  - {prefix: 10.0.0.0/24, plane: mgmt}\n  - {prefix: 10.0.0.0/24, plane: ft}\n", `lab.yaml:3: network 10.0.0.0/24 is given twice: first on line 2`},
		{"network that says nothing", "networks:\n  - {prefix: 10.0.0.0/24, name: lab}\n", `lab.yaml:2: network 10.0.0.0/24 gives its addresses neither roles nor a plane`},

		{"unknown manager", one("addresses: [10.0.0.1], managed-by: vc1") + "  - {name: vc01, products: [vCenter 4.1], addresses: [10.0.0.5]}\n", `lab.yaml:2: machine esx01: managed-by: no machine is named "vc1": did you mean "vc01"?`},
		{"manager that is no vCenter", one("addresses: [10.0.0.1], managed-by: esx02") + "  - {name: esx02, products: [ESX 4.1], addresses: [10.0.0.5]}\n", `lab.yaml:2: machine esx01: managed-by: machine esx02 is no vCenter: it has neither the product nor the role vcenter-server`},
		{"managed by itself", one("addresses: [10.0.0.1], managed-by: esx01"), `lab.yaml:2: machine esx01: managed-by: names the machine itself`},
		{"managed and not managed", one("addresses: [10.0.0.1], managed: false, managed-by: vc01") + "  - {name: vc01, products: [vCenter 4.1], addresses: [10.0.0.5]}\n", `lab.yaml:2: machine esx01: managed: false and managed-by: vc01 contradict each other`},
		{"managed: no", one("addresses: [10.0.0.1], managed: no"), `lab.yaml:2: machine esx01: managed "no" is neither true nor false`},
		{"site not declared", one("addresses: [10.0.0.1], site: mian") + "sites: [main, recovery]\n", `lab.yaml:2: machine esx01: site "mian" is not in sites: did you mean "main"?`},
		{"site twice", good + "sites: [main, main]\n", `lab.yaml:3: site "main" is given twice: first on line 3`},

		{"unknown service", good + "uses: [dnss]\n", `lab.yaml:3: service "dnss" is not known: did you mean "dns"?`},
		{"unknown service of a machine", one("addresses: [10.0.0.1], uses: [-haa]"), `lab.yaml:2: machine esx01: service "haa" is not known: did you mean "ha"?`},
		{"service both used and not", one("addresses: [10.0.0.1], uses: [ha, -ha]"), `lab.yaml:2: machine esx01: service "ha" is given twice`},
		{"the site takes no part", good + "uses: [-ha]\n", `lab.yaml:3: service "-ha": only a machine can be taken out of a service`},
		{"unknown row", good + "ports: {R344: 902}\n", `lab.yaml:3: ports: row "R344" is not known: did you mean "R044"?`},
		{"row that is not configurable", good + "ports: {R113: 902}\n", `lab.yaml:3: ports: row R113 (ESX 4.x UDP) is not configurable: its port is always 47`},
		{"row twice", good + "ports: {R285: 902, R285: 903}\n", `lab.yaml:3: ports: key "R285" is given twice: first on line 3`},
		{"port 0", good + "ports: {R285: 0}\n", `lab.yaml:3: ports: row R285: "0": a port is a number from 1 to 65535`},
		{"port 65536", good + "ports: {R285: 65536}\n", `lab.yaml:3: ports: row R285: "65536": a port is a number from 1 to 65535`},
		{"port range", good + "ports: {R285: 1-65535}\n", `lab.yaml:3: ports: row R285: "1-65535": a port is a number from 1 to 65535`},
		{"port in hexadecimal", good + "ports: {R285: 0x386}\n", `lab.yaml:3: ports: row R285: "0x386": a port is a number from 1 to 65535`},
		{"ports as a list", good + "ports: [R285]\n", `lab.yaml:3: ports: is a list, not a mapping: write {R285: 1902}`},
		{"bad glob", good + "capture: [{file: 'a[', sees: [esx01]}]\n", `lab.yaml:3: capture: file "a[" is no pattern: [ ] and \ have a meaning in it`},
		{"view of nothing", good + "capture: [{file: a}]\n", `lab.yaml:3: capture: sees names nothing`},
		{"view of an unknown machine", good + "capture: [{file: a, sees: [esx02]}]\n", `lab.yaml:3: capture: sees: "esx02" is neither a prefix nor a machine: did you mean "esx01"?`},
		{"view of a bad prefix", good + "capture: [{file: a, sees: [10.0.0.1/24]}]\n", `lab.yaml:3: capture: sees: prefix "10.0.0.1/24" has host bits: did you mean "10.0.0.0/24"?`},
	} {
		_, err := Parse("lab.yaml", []byte(c.text), catalog.Default())
		if got := fmt.Sprint(err); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.why, got, c.want)
		}
	}
}

func TestABrokenCSVIsOneClearLine(t *testing.T) {
	const header = "name,products,address,roles,managed-by\n"
	for _, c := range []struct{ why, text, want string }{
		{"only comments", "# nothing\n", `lab.csv: is empty: its first line names the columns name,products,address,roles,plane,cluster,managed-by,managed,site,uses`},
		{"only a header", header, `lab.csv: names no machine and no network`},
		{"unknown column", "name,adress\n", `lab.csv:1: column "adress" is not known: did you mean "address"?`},
		{"column twice", "name,address,name\n", `lab.csv:1: column "name" is given twice`},
		{"no address column", "name,products\n", `lab.csv:1: column "address" is missing`},
		{"semicolons", "name;address\nesx01;10.0.0.1\n", `lab.csv:1: columns are separated by commas, not ";"`},
		{"tabs", "name\taddress\n", `lab.csv:1: columns are separated by commas, not "\t"`},
		{"too few fields", header + "esx01,ESX 4.1,10.0.0.1\n", `lab.csv:2: has 3 fields, the header has 5`},
		{"no name", header + ",ESX 4.1,10.0.0.1,,\n", `lab.csv:2: has no name`},
		{"no address", header + "esx01,ESX 4.1,,,\n", `lab.csv:2: machine esx01: an address is empty`},
		{"quote out of place", header + "esx\"01,,10.0.0.1,,\n", `lab.csv:2: is not CSV: bare " in non-quoted-field`},
		{"products that differ", header + "esx01,ESX 4.1,10.0.0.1,,\nesx01,ESX 4.0,10.0.0.2,,\n", `lab.csv:3: machine esx01: products "ESX 4.0" differ from those on line 2`},
		{"managers that differ", header + "a,vCenter 4.1,10.0.0.1,,\nb,vCenter 4.1,10.0.0.2,,\nc,,10.0.0.3,,a\nc,,10.0.0.4,,b\n", `lab.csv:5: machine c: managed-by "b", but "a" on line 4`},
		{"unknown role", header + "esx01,,10.0.0.1,dns-server;ntp-servr,\n", `lab.csv:2: machine esx01: address 10.0.0.1: role "ntp-servr" is not known: did you mean "ntp-server"?`},
		{"unknown product", header + "esx01,ESXX 4.1,10.0.0.1,,\n", `lab.csv:2: machine esx01: unknown product "ESXX 4.1": did you mean "ESX"?`},
		{"address on two machines", header + "esx01,,10.0.0.1,,\nesx02,,10.0.0.1,,\n", `lab.csv:3: machine esx02: address 10.0.0.1 belongs to machine esx01 already, on line 2`},
	} {
		_, err := Parse("lab.csv", []byte(c.text), catalog.Default())
		if got := fmt.Sprint(err); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.why, got, c.want)
		}
	}
}

func TestEveryProblemIsTold(t *testing.T) {
	_, err := Parse("lab.yaml", []byte("uses: [dnss]\nmachines:\n  - {name: a, addresses: [10.0.0.300]}\n  - {name: b, products: [ESY 4], addresses: [10.0.0.1]}\n"), catalog.Default())
	want := `lab.yaml:1: service "dnss" is not known: did you mean "dns"?
lab.yaml:3: machine a: address "10.0.0.300" is none: each of its four parts is a number from 0 to 255
lab.yaml:4: machine b: unknown product "ESY 4": did you mean "ESX"?`
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestProblemsAreCapped(t *testing.T) {
	_, err := Parse("lab.yaml", []byte("uses: ["+strings.Repeat("x,", 1000)+"]\n"), catalog.Default())
	lines := strings.Split(fmt.Sprint(err), "\n")
	if got, want := len(lines), maxProblems+1; got != want {
		t.Fatalf("got %d lines, want %d", got, want)
	}
	if got, want := lines[maxProblems], "lab.yaml: 950 more problems are not shown"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHostileSizesAreRefusedSoon(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i <= 'z'; i++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", i, i, strings.TrimSuffix(strings.Repeat("*"+string(i-1)+",", 9), ","))
	}
	many := func(n int, format string) string {
		var b bytes.Buffer
		for i := range n {
			fmt.Fprintf(&b, format, i, i>>8&255, i&255)
		}
		return b.String()
	}
	for _, c := range []struct{ why, text, want string }{
		{"4 MiB and a byte", strings.Repeat("#", MaxFileSize+1), "lab.yaml: is larger than 4 MiB: no inventory is"},
		{"alias bomb", bomb, `lab.yaml:1: the inventory: key "a" is not known`},
		{"200,000 levels", strings.Repeat("[", 200_000), "lab.yaml:1: is not YAML: exceeded max depth of 10000"},
		{"a million elements", "uses: [" + strings.Repeat("x,", 1_000_000) + "]", "lab.yaml: has more than 250000 lines and elements of lists: no inventory has"},
		{"a million lines", "uses: [ha]\n" + strings.Repeat("\n", 1_000_000), "lab.yaml: has more than 250000 lines and elements of lists: no inventory has"},
		{"200,000 unknown services", "uses: [" + strings.Repeat("dnx,", 200_000) + "]", `lab.yaml:1: service "dnx" is not known: did you mean "dns"?`},
		{"40,000 machines with unknown managers", "machines:\n" + many(40_000, "- {name: m%d, addresses: [10.1.%d.%d], managed-by: zz}\n"), ""},
		{"20,000 networks and machines", "networks:\n" + many(20_000, "- {prefix: '2001:%x:%x%02x::/64', plane: mgmt}\n") + "machines:\n" + many(20_000, "- {name: m%d, addresses: ['2001:1::%x:%x']}\n"), "<nil>"},
	} {
		// What grows with the square takes several minutes; the race detector on a busy machine made 16 s of one of these.
		start := time.Now()
		_, err := Parse("lab.yaml", []byte(c.text), catalog.Default())
		if got, _, _ := strings.Cut(fmt.Sprint(err), "\n"); c.want != "" && got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.why, got, c.want)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("%s: took %v", c.why, took)
		} else {
			t.Logf("%s: %v", c.why, took)
		}
	}
}
