package match

import (
	"fmt"
	"math/rand/v2"
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

// site is a generated network: machines of every role that a row speaks of, and conversations among them.
type site struct {
	inv     *inventory.Inventory
	addrs   []netip.Addr
	capture *capture.Capture
	asked   []asked
}

// asked is one generated conversation.
type asked struct {
	from, to netip.Addr
	proto    capture.Proto
	port     uint16
}

// newSite generates machines in number, of which two fifths are hosts of four products, and conversations on the
// catalogue's ports and beside them.
func newSite(t testing.TB, c *catalog.Catalog, machines, conversations int) *site {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	s := &site{}
	var b strings.Builder
	b.WriteString("machines:\n")
	var roles []catalog.Role
	for _, info := range c.Roles {
		roles = append(roles, info.Role)
	}
	for i := range machines {
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		s.addrs = append(s.addrs, a)
		what := fmt.Sprintf("addresses: [{address: %s, roles: [%s]}]", a, roles[rng.IntN(len(roles))])
		switch {
		case i%5 < 2:
			what = fmt.Sprintf("products: [%s], addresses: [%s]", []string{"ESX 3.5", "ESX 4.1", "ESXi 3.5", "ESXi 4.1"}[rng.IntN(4)], a)
		case i%50 == 2:
			what = fmt.Sprintf("products: [%s], addresses: [%s]", []string{"vCenter 2.5", "vCenter 4.1"}[rng.IntN(2)], a)
		}
		fmt.Fprintf(&b, "  - {name: m%d, %s}\n", i, what)
	}
	inv, err := inventory.Parse("site.yaml", []byte(b.String()), c)
	if err != nil {
		t.Fatal(err)
	}
	s.inv = inv
	s.talk(t, c, rng, conversations)
	return s
}

// talk generates the conversations as a story: a connection with data, or a datagram each way.
func (s *site) talk(t testing.TB, c *catalog.Catalog, rng *rand.Rand, conversations int) {
	t.Helper()
	var b strings.Builder
	seen := map[asked]bool{}
	for len(s.asked) < conversations {
		row := c.Rows[rng.IntN(len(c.Rows))]
		a := asked{s.addrs[rng.IntN(len(s.addrs))], s.addrs[rng.IntN(len(s.addrs))], capture.TCP, row.Ports.Lo}
		what := "open 100 100"
		if rng.IntN(2) == 0 {
			a.proto, what = capture.UDP, "100 answer 100"
		}
		if a.from == a.to || seen[a] {
			continue
		}
		seen[a] = true
		s.asked = append(s.asked, a)
		fmt.Fprintf(&b, "%d.%03d %s:* > %s:%d/%s %s\n", len(s.asked)/1000, len(s.asked)%1000, a.from, a.to, a.port, a.proto, what)
	}
	story, err := capturetest.Parse("site", b.String())
	if err != nil {
		t.Fatal(err)
	}
	s.capture = read(t, story.Pcap(), false)
}

// plainly is the slow check: whether some row documents a conversation, by the words of the specification alone and
// without any of the judge's code. It knows machines with one role or one product, each with one address.
func plainly(c *catalog.Catalog, inv *inventory.Inventory, a asked) (documented, inScope bool) {
	from, to := inv.Machines[index(a.from)], inv.Machines[index(a.to)]
	vmware := func(m *inventory.Machine) bool {
		if len(m.Products) > 0 {
			return true
		}
		info, _ := c.RoleInfo(m.Addrs[0].Roles[0].Role)
		return info.VMware
	}
	if !vmware(from) && !vmware(to) {
		return false, false
	}
	for _, row := range c.Rows {
		if row.Class.Kind == catalog.Internal || !row.Ports.Contains(a.port) || !strings.Contains(row.Transport.String(), strings.ToUpper(a.proto.String())) {
			continue
		}
		there := row.Listener != catalog.Source && plainRow(c, inv, row, from, to, false)
		back := row.Listener != catalog.Target && plainRow(c, inv, row, to, from, true)
		if there || back {
			return true, true
		}
	}
	return false, true
}

func index(a netip.Addr) int { b := a.As4(); return int(b[1])<<16 | int(b[2])<<8 | int(b[3]) }

// plainRow reports whether a row fits a source and a target machine; the target initiates where swapped.
func plainRow(c *catalog.Catalog, inv *inventory.Inventory, row *catalog.Row, source, target *inventory.Machine, swapped bool) bool {
	playedBySource := plainRole(c, source, row.Source, !swapped)
	playedByTarget := plainRole(c, target, row.Target, swapped)
	if playedBySource == "" || playedByTarget == "" {
		return false
	}
	if old(source, row.SourceMin) || old(target, row.TargetMin) {
		return false
	}
	product, _ := c.Product(row.Product)
	var ends []*inventory.Machine
	if c.IsA(playedBySource, product.Role) {
		ends = append(ends, source)
	}
	if c.IsA(playedByTarget, product.Role) {
		ends = append(ends, target)
	}
	carries := func(m *inventory.Machine) bool {
		if len(m.Products) == 0 {
			return m.Addrs[0].Roles[0].Role == product.Role || len(ends) > 0 // the version is not known
		}
		return c.Cover(m.Products[0], product.Name) == catalog.CoverFull
	}
	if len(ends) == 0 {
		ends = inv.Machines
	}
	return slices.ContainsFunc(ends, carries)
}

// plainRole returns the role of a column that a machine plays.
func plainRole(c *catalog.Catalog, m *inventory.Machine, column []catalog.Role, initiates bool) catalog.Role {
	var plays []catalog.Role
	if len(m.Products) > 0 {
		role, refined := c.RoleOf(m.Products[0])
		plays = append(plays, role, refined)
	} else {
		plays = append(plays, m.Addrs[0].Roles[0].Role)
	}
	for _, want := range column {
		for _, have := range plays {
			if have != "" && c.IsA(have, want) {
				return want
			}
		}
	}
	for _, want := range column {
		if initiates && c.IsA(want, "client-pc") && c.IsA(plays[0], "client-pc") {
			return want
		}
	}
	return ""
}

// old reports whether a machine's product is certainly older than a row's end must be.
func old(m *inventory.Machine, least int) bool {
	return least > 0 && len(m.Products) > 0 && int(m.Products[0].Version[0]-'0') < least
}

// TestJudgeAgreesWithThePlainReading judges 10,000 conversations among 500 machines, and asks the specification's own
// words about each.
func TestJudgeAgreesWithThePlainReading(t *testing.T) {
	c := catalog.Default()
	s := newSite(t, c, 500, 10_000)
	r, err := Evaluate(Grounds{Catalog: c, Inventory: s.inv, FailOn: LevelError, AsOf: time.Unix(0, 0)}, []*capture.Capture{s.capture})
	if err != nil {
		t.Fatal(err)
	}
	if r.Status == 70 {
		t.Fatal(r.StatusWhy)
	}
	got := map[asked]*Finding{}
	for i := range r.Findings.Len() {
		f := r.Findings.At(i)
		got[asked{f.Initiator, f.Responder, f.Proto, f.Port}] = f
	}
	documented, wrong := 0, 0
	for _, a := range s.asked {
		if a.proto == capture.UDP {
			continue // who asked is not certain: TestVectors
		}
		want, inScope := plainly(c, s.inv, a)
		f := got[a]
		switch {
		case !inScope && f != nil, inScope && f == nil:
			t.Errorf("%v: in scope %v, found %v", a, inScope, f != nil)
			wrong++
		case inScope && want != (f.Bucket() == Documented):
			t.Errorf("%v: documented %v, judged %s by %v", a, want, f.Verdict, ids(f.Rows))
			wrong++
		}
		if want {
			documented++
		}
		if wrong > 10 {
			t.FailNow()
		}
	}
	if documented < 100 {
		t.Errorf("only %d conversations are documented: the check checks little", documented)
	}
}

func BenchmarkEvaluate10kConversations500Machines(b *testing.B) {
	c := catalog.Default()
	s := newSite(b, c, 500, 10_000)
	g := Grounds{Catalog: c, Inventory: s.inv, FailOn: LevelError, AsOf: time.Unix(0, 0)}
	for b.Loop() {
		if _, err := Evaluate(g, []*capture.Capture{s.capture}); err != nil {
			b.Fatal(err)
		}
	}
}
