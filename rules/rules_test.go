package rules

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

var update = flag.Bool("update", false, "write the golden files")

// hostileName is a machine's name that would be a rule in every format, if it could.
const hostileName = `x" accept; } #|!? deny *\`

// lab has IPv4 and IPv6, a network of clients, tagged planes, a port that the site has moved, and a hostile name.
const lab = `machines:
  - name: vcenter01
    products: [vCenter 4.1]
    addresses: [10.20.0.5, "2001:db8::5"]
  - name: esx01
    products: [ESX 4.1]
    uses: [nfs]
    addresses:
      - {address: 10.20.0.11, plane: mgmt}
      - {address: "2001:db8::11", plane: mgmt}
      - {address: 10.20.1.11, plane: vmotion}
  - name: esx02
    products: [ESX 4.1]
    addresses:
      - {address: 10.20.0.12, plane: mgmt}
      - {address: 10.20.1.12, plane: vmotion}
  - name: 'x" accept; } #|!? deny *\'
    products: [ESX 4.1]
    addresses: [10.20.0.13]
  - name: nas01
    addresses: [{address: 10.20.2.9, roles: [nfs-server], plane: storage}]
  - name: jump01
    addresses: [{address: 10.20.9.9, roles: [client-pc]}]
networks:
  - {prefix: 10.20.9.0/24, name: admins, roles: [client-pc]}
ports: {R100: 1902, R285: 1902}
`

func labPolicy(t *testing.T, name string) *Policy {
	t.Helper()
	c := catalog.Default()
	v, err := inventory.Parse("lab.yaml", []byte(lab), c)
	if err != nil {
		t.Fatal(err)
	}
	m := v.Machine(name)
	if m == nil {
		t.Fatalf("no machine %q", name)
	}
	return For(c, v, m, true)
}

func TestGoldenRules(t *testing.T) {
	for _, name := range Names() {
		format, _ := ByName(name)
		var got bytes.Buffer
		if err := format(&got, labPolicy(t, "esx01")); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name+".golden")
		if *update {
			if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// openings finds the openings of a policy that a row is among the reasons of.
func openings(p *Policy, id string) (all []match.Opening) {
	for _, o := range p.Openings {
		if slices.ContainsFunc(o.Rows, func(r *catalog.Row) bool { return r.ID == id }) {
			all = append(all, o)
		}
	}
	return all
}

func TestOpeningsAreThoseOfTheInventory(t *testing.T) {
	p := labPolicy(t, "esx01")
	heartbeat := openings(p, "R100")
	if len(heartbeat) != 2 || heartbeat[0].Ports.String() != "1902" || !heartbeat[0].Out {
		t.Errorf("the heartbeat goes out by %+v, want two openings to the site's own port, one a family", heartbeat)
	}
	for _, o := range openings(p, "R110") {
		if o.Own.String() != "10.20.1.11" || slices.ContainsFunc(peers(&o), func(s string) bool { return strings.HasPrefix(s, "10.20.1.") }) == false {
			t.Errorf("vMotion is let through at %v, want its own network", o.Own)
		}
	}
	for _, o := range p.Openings {
		if o.Any {
			t.Errorf("%s is open to anybody, though the clients are declared", describe(&o))
		}
	}
	if web := openings(p, "R091"); len(web) != 1 || !slices.Equal(peers(&web[0]), []string{"10.20.9.0/24"}) {
		t.Errorf("the web page is open to %+v, want the admins' network, which holds jump01", web)
	}
	if nfs := openings(p, "R103"); len(nfs) == 0 {
		t.Error("esx01 uses NFS, and no opening is for it")
	}
	if nfs := openings(labPolicy(t, "esx02"), "R103"); len(nfs) > 0 {
		t.Errorf("esx02 does not use NFS, and %+v is for it", nfs)
	}
}

// TestNoNameBecomesARule writes the rules of a machine whose name tries, and wants it on comment lines only.
func TestNoNameBecomesARule(t *testing.T) {
	p := labPolicy(t, hostileName)
	comment := map[string]string{"nftables": "#", "iptables": "#", "cisco": "!"}
	for name, mark := range comment {
		format, _ := ByName(name)
		var b bytes.Buffer
		if err := format(&b, p); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if strings.Contains(line, "accept; }") && !strings.HasPrefix(strings.TrimSpace(line), mark) {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
	var b bytes.Buffer
	if err := CSV(&b, p); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil || len(rows) != len(p.Openings)+1 || rows[1][0] != hostileName {
		t.Errorf("CSV: %d rows, %v", len(rows), err)
	}
}

// ciscoLine is what IOS takes inside an extended access list, as far as these rules go.
var ciscoLine = regexp.MustCompile(`^(!.*|ip access-list extended \S+|ipv6 access-list \S+| remark [ -~]{1,100}| (permit|deny) (ip|ipv6|icmp) any any( log)?|` +
	` permit (tcp|udp)( (any|host \S+|[0-9.]+ [0-9.]+|[0-9a-f:]+/[0-9]+)( (eq [0-9]+|range [0-9]+ [0-9]+))?){2}( established)?)$`)

func TestCiscoLinesAreOfIOS(t *testing.T) {
	for _, name := range []string{"esx01", "vcenter01", hostileName} {
		var b bytes.Buffer
		if err := Cisco(&b, labPolicy(t, name)); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimSuffix(line, "\n"); !ciscoLine.MatchString(line) {
				t.Errorf("%s: %q", name, line)
			}
		}
	}
}
