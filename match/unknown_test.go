package match

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"flowvet/catalog"
	"flowvet/inventory"
)

// TestWhatAnUnknownEndMayBe: where no product is declared, as with inferred roles, the first proposal is what the product of
// the known end asks for.
func TestWhatAnUnknownEndMayBe(t *testing.T) {
	const machines = `machines:
  - {name: esx01, addresses: [{address: 10.0.0.11, roles: [hypervisor-host]}]}
  - {name: vcenter01, addresses: [{address: 10.0.0.5, roles: [vcenter-server]}]}
`
	c := catalog.Default()
	inv, err := inventory.Parse("roles.yaml", []byte(machines), c)
	if err != nil {
		t.Fatal(err)
	}
	const esx, vcenter, unknown = "10.0.0.11", "10.0.0.5", "192.0.2.1"
	for _, tt := range []struct {
		what, from, to string
		transport      catalog.Transport
		port           uint16
		first          string
	}{
		{"vCenter commands a host, before it is backed up or patched", vcenter, unknown, catalog.TCP, 443, "hypervisor-host by vCenter 2.5.x"},
		{"vCenter asks its own database, not Site Recovery Manager's", vcenter, unknown, catalog.TCP, 1433, "mssql-server by vCenter 2.5.x"},
		{"a host sends its heartbeat to vCenter", unknown, vcenter, catalog.UDP, 902, "hypervisor-host by vCenter 2.5.x"},
		{"vCenter reads a host's hardware", vcenter, unknown, catalog.TCP, 5989, "hypervisor-host by vCenter 2.5.x"},
		{"a host asks a name server", esx, unknown, catalog.UDP, 53, "dns-server by ESX 3.x"},
	} {
		j := newJudge(c, inv)
		q := question{j.end(netip.MustParseAddr(tt.from)), j.end(netip.MustParseAddr(tt.to)), tt.transport, tt.port, true}
		r := j.decide(q)
		if r.verdict != UnknownEndpoint || len(r.hypotheses) == 0 {
			t.Errorf("%s: %v with %d hypotheses", tt.what, r.verdict, len(r.hypotheses))
			continue
		}
		h := r.hypotheses[0]
		if got := fmt.Sprint(h.Role, " by ", h.Row.Product); got != tt.first || !slices.Contains(citeRows(r.readings), h.Row) {
			t.Errorf("%s: first %s, want %s", tt.what, got, tt.first)
		}
	}
}
