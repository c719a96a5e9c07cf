package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestEveryPortOfEveryRowIsFound(t *testing.T) {
	c := Default()
	for _, r := range c.Rows {
		if len(c.Permissions(r)) == 0 {
			t.Errorf("%s allows nothing", r.ID)
		}
		for _, tr := range []Transport{TCP, UDP} {
			for _, port := range []uint16{r.Ports.Lo, r.Ports.Hi} {
				found := slices.ContainsFunc(c.On(tr, port), func(p *Permission) bool { return p.Row == r })
				if found != r.Transport.Has(tr) {
					t.Errorf("%s (%s) on %d/%s: found %t", r.ID, r.Service(), port, tr, found)
				}
			}
		}
	}
}

// TestIndexIsTheSlowSearch holds the table against a search over all permissions, on every port.
func TestIndexIsTheSlowSearch(t *testing.T) {
	c := Default()
	random := rand.New(rand.NewPCG(1, 2))
	var made []*Permission
	for i := range 300 {
		lo := uint16(1 + random.IntN(65000))
		made = append(made, &Permission{
			Row: &Row{ID: fmt.Sprint("X", i)}, Transport: Transport(1 + random.IntN(3)),
			Ports: Ports{lo, lo + uint16(random.IntN(int(65535-lo)+1))},
		})
	}
	made = append(made, &Permission{Row: &Row{ID: "all"}, Transport: TCP | UDP, Ports: Ports{1, 65535}})
	random300, ok := newIndex(made)
	if !ok {
		t.Fatal("300 ranges are refused")
	}
	var printed []*Permission
	for _, r := range c.Rows {
		printed = append(printed, c.Permissions(r)...)
	}
	for name, test := range map[string]struct {
		index *portIndex
		list  []*Permission
	}{"embedded": {c.printed, printed}, "random": {random300, made}} {
		for _, tr := range []Transport{TCP, UDP} {
			for port := range 1 << 16 {
				got, want := test.index.on(tr, uint16(port)), slow(test.list, tr, uint16(port))
				if !slices.Equal(got, want) {
					t.Fatalf("%s: %d/%s: got %d permissions, want %d", name, port, tr, len(got), len(want))
				}
			}
		}
	}
}

func slow(list []*Permission, t Transport, port uint16) []*Permission {
	var found []*Permission
	for _, p := range list {
		if p.Transport.Has(t) && p.Ports.Contains(port) {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, specific)
	return found
}

func TestTheListenerDecidesWhoInitiates(t *testing.T) {
	for _, row := range []struct{ id, want string }{
		{"R100", "source hypervisor-host > vcenter-server 902/UDP"},
		{"R236", "target hypervisor-host > update-manager-server 9084/TCP"},
		{"R212", "source srm-server > vcenter-server 8095/TCP, target vcenter-server > srm-server 8095/TCP"},
		{"R213", "source srm-server > vcenter-server|vi-client 8096/TCP, target vcenter-server|vi-client > srm-server 8096/TCP"},
		{"R260", "source vcenter-server > vcenter-server 8005/TCP"},
	} {
		if got := spell(Default().Permissions(Default().Row(row.id))); got != row.want {
			t.Errorf("%s: got %s, want %s", row.id, got, row.want)
		}
	}
}

func TestOtherReadingsStandApart(t *testing.T) {
	c := Default()
	for _, row := range []struct {
		id   string
		t    Transport
		port uint16
		want string
	}{
		{"R004", UDP, 123, "source appspeed-server > appspeed-probe 123/TCP/UDP"},
		{"R031", TCP, 443, "target vdr-appliance > vcenter-server|vdr-client-plugin 443/TCP"},
		{"R032", TCP, 902, "source vdr-appliance > hypervisor-host 902/TCP"},
		{"R106", TCP, 5900, "source vi-client > hypervisor-host 5900-5964/TCP"},
		{"R236", TCP, 9084, "source update-manager-server > hypervisor-host 9084/TCP"},
	} {
		var of []*Permission
		for _, p := range c.AltOn(row.t, row.port) {
			if p.Row.ID == row.id {
				of = append(of, p)
			}
			if !p.Alt {
				t.Errorf("%s: a reading that is not marked as one", p.Row)
			}
		}
		if got := spell(of); got != row.want {
			t.Errorf("%s: got %s, want %s", row.id, got, row.want)
		}
	}
}

// spell writes permissions as text: "source a > b 902/UDP".
func spell(list []*Permission) string {
	var parts []string
	for _, p := range list {
		parts = append(parts, fmt.Sprintf("%s %s > %s %s/%s", p.Initiator, joinRoles(p.From), joinRoles(p.To), p.Ports, p.Transport))
	}
	return strings.Join(parts, ", ")
}

func TestPermissionsComeMostSpecificFirst(t *testing.T) {
	var ids []string
	for _, p := range Default().On(TCP, 9084) {
		ids = append(ids, p.Row.ID)
	}
	if got, want := strings.Join(ids, " "), "R236 R238 R288 R288 R333 R334"; got != want {
		t.Errorf("9084/tcp: got %s, want %s", got, want)
	}
}

func TestAnEmptyCatalogueAnswers(t *testing.T) {
	c := new(Catalog)
	if c.On(TCP, 80) != nil || c.AltOn(UDP, 80) != nil || c.Row("R001") != nil || c.IsA("a", "b") || !c.IsA("a", "a") {
		t.Error("the zero catalogue knows something")
	}
	if _, err := c.Deployed("ESX 4.1"); err == nil {
		t.Error("the zero catalogue knows a product")
	}
	if _, err := c.ParseQuery([]string{"esxi"}); err == nil {
		t.Error("the zero catalogue knows a role")
	}
	if got := Default().On(TCP|UDP, 902); got != nil {
		t.Error("a set of transports has permissions")
	}
}

func BenchmarkOn(b *testing.B) {
	c := Default()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		if len(c.On(UDP, uint16(n))) > 100 {
			b.Fatal("too many")
		}
	}
}
