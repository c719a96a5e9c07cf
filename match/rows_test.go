package match

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/catalog"
	"flowvet/inventory"
)

// rowCase is one row between the first roles of its columns, in an inventory of nothing but its product.
type rowCase struct {
	row   *catalog.Row
	inv   *inventory.Inventory
	perm  *catalog.Permission
	roles [2]catalog.Role // of the initiator and of the responder
}

// newRowCase declares two machines that play the permission's roles, the product on the one that is the product or, where
// neither is, on a third machine.
func newRowCase(t *testing.T, c *catalog.Catalog, p *catalog.Permission) rowCase {
	t.Helper()
	product, ok := c.Product(p.Row.Product)
	if !ok {
		t.Fatalf("%s: no product %q", p.Row.ID, p.Row.Product)
	}
	deployed := product.Family
	if product.MaxMajor > 0 {
		deployed = fmt.Sprintf("%s %d.0", product.Family, product.MaxMajor)
	}
	k := rowCase{row: p.Row, perm: p, roles: [2]catalog.Role{p.From[0], p.To[0]}}
	var b strings.Builder
	b.WriteString("machines:\n")
	carried := false
	for i, role := range k.roles {
		fmt.Fprintf(&b, "  - {name: m%d, site: s%d, ", i, i)
		if c.IsA(role, product.Role) {
			carried = true
			fmt.Fprintf(&b, "products: [%s], ", deployed)
		}
		fmt.Fprintf(&b, "addresses: [{address: 10.0.0.%d, roles: [%s]}]}\n", i+1, role)
	}
	if !carried {
		fmt.Fprintf(&b, "  - {name: m2, products: [%s], addresses: [10.0.0.3]}\n", deployed)
	}
	inv, err := inventory.Parse("row.yaml", []byte(b.String()), c)
	if err != nil {
		t.Fatalf("%s: %v\n%s", p.Row.ID, err, b.String())
	}
	k.inv = inv
	return k
}

// judge plays one successful conversation and returns what is found of it.
func (k *rowCase) judge(t *testing.T, c *catalog.Catalog, from, to int, transport catalog.Transport, port uint16) *Finding {
	t.Helper()
	what := fmt.Sprintf("1 10.0.0.%d:40000 > 10.0.0.%d:%d/", from+1, to+1, port)
	if transport == catalog.TCP {
		what += "tcp session 100 100"
	} else {
		what += "udp 100 answer 100"
	}
	story, err := capturetest.Parse("row", what+"\n")
	if err != nil {
		t.Fatal(err)
	}
	g := Grounds{Catalog: c, Inventory: k.inv, FailOn: LevelError, AsOf: time.Unix(0, 0)}
	r, err := Evaluate(g, []*capture.Capture{read(t, story.Pcap(), false)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Findings.Len() != 1 {
		t.Fatalf("%s: %d findings, want 1", k.row.ID, r.Findings.Len())
	}
	return r.Findings.At(0)
}

// TestEveryRowDocumentsItsOwnTraffic generates, for every row that is on the wire and every way it can be opened, the
// conversation it means; and the exchanged one and the other transport, which the row must not document.
func TestEveryRowDocumentsItsOwnTraffic(t *testing.T) {
	c := catalog.Default()
	broad := []string{"R288", "R333", "R334"}
	rows := 0
	for _, row := range c.Rows {
		if !row.OnWire {
			continue
		}
		rows++
		want := VerdictDocumented
		if slices.Contains(broad, row.ID) {
			want = DocumentedBroad
		}
		for _, p := range c.Permissions(row) {
			k := newRowCase(t, c, p)
			for _, transport := range []catalog.Transport{catalog.TCP, catalog.UDP} {
				for _, port := range []uint16{row.Ports.Lo, row.Ports.Hi} {
					f := k.judge(t, c, 0, 1, transport, port)
					cites := slices.Contains(f.Rows, row)
					switch {
					case !row.Transport.Has(transport):
						if f.Bucket() == Documented && cites {
							t.Errorf("%s: %s also documents %s", row.ID, row.Service(), transport)
						}
					case f.Verdict != want, !cites:
						t.Errorf("%s: %s > %s %d/%s is %s by %v, want %s by the row", row.ID, k.roles[0], k.roles[1], port,
							transport, f.Verdict, ids(f.Rows), want)
					}
					if row.Listener == catalog.Either || c.IsA(k.roles[0], k.roles[1]) || c.IsA(k.roles[1], k.roles[0]) {
						continue
					}
					if f := k.judge(t, c, 1, 0, transport, port); f.Bucket() == Documented && slices.Contains(f.Rows, row) {
						t.Errorf("%s also documents %s > %s", row.ID, k.roles[1], k.roles[0])
					}
				}
			}
		}
	}
	if rows != 329 {
		t.Errorf("%d rows are on the wire, want 343 less the 14 internal ones", rows)
	}
}

func ids(rows []*catalog.Row) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r.ID)
	}
	return all
}

// TestInternalRowsPermitOneMachineOnly holds the 14 internal rows against one machine and against two.
func TestInternalRowsPermitOneMachineOnly(t *testing.T) {
	c := catalog.Default()
	for _, row := range c.Rows {
		if row.Class.Kind != catalog.Internal {
			continue
		}
		p := c.Permissions(row)[0]
		k := newRowCase(t, c, p)
		f := k.judge(t, c, 0, 1, catalog.TCP, row.Ports.Lo)
		if f.Bucket() == Documented && slices.Contains(f.Rows, row) {
			t.Errorf("%s documents traffic of two machines", row.ID)
		}
		j := newJudge(c, k.inv)
		e := j.end(netip.MustParseAddr("10.0.0.1"))
		if r := j.decide(question{i: e, r: e, proto: catalog.TCP, port: row.Ports.Lo}); r.verdict != VerdictDocumented {
			t.Errorf("%s does not document a machine's traffic with itself: %s", row.ID, r.verdict)
		}
	}
}

// TestEmbeddedAddressesAreNobody gives an IPv6 address that embeds a host's IPv4 address (RFC 4291, 2.5.5.2).
func TestEmbeddedAddressesAreNobody(t *testing.T) {
	c := vectorCatalog(t)
	inv, err := inventory.Load("testdata/vectors/inventory.yaml", c)
	if err != nil {
		t.Fatal(err)
	}
	if e := newJudge(c, inv).end(netip.MustParseAddr("::ffff:10.0.0.11")); e.machine != nil || !e.stranger {
		t.Errorf("::ffff:10.0.0.11 is %v, want nobody", e.placed.Machine)
	}
}
