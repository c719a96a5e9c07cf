package match

import (
	"math/rand/v2"
	"testing"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
)

// TestAGlanceSettlesWhatALookDoes orients random flows both ways: between machines, strangers, groups, and with themselves.
func TestAGlanceSettlesWhatALookDoes(t *testing.T) {
	inv, err := inventory.Parse("lab.yaml", []byte(`
machines:
  - {name: esx, products: [ESX 4.1], addresses: [10.0.0.1]}
  - {name: nfs, addresses: [{address: 10.0.0.2, roles: [nfs-server]}]}
networks: [{prefix: 10.0.0.4/31, roles: [client-pc]}]
`), catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	settled := map[Basis]int{}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 12))
		table := new(capture.Table)
		for range 60 {
			f := randomFlow(rng)
			table.AddFlow(&f)
		}
		j := newJudge(catalog.Default(), inv)
		j.findCasts([]*capture.Capture{{Table: table}})
		j.prepare()
		v := &surveyor{ruler: newRuler(j)}
		for g := range table.GlanceIn(0, table.Numbers()) {
			var quick, plain traits
			addrA, addrB := g.Addrs()
			a, b := j.end(addrA), j.end(addrB)
			for _, t := range []*traits{&quick, &plain} {
				t.portA, t.portB, t.foreign = g.PortA, g.PortB, v.outOfScope(a, b)
				if addrA != addrB {
					t.b = 1
				}
			}
			if !v.settleAtAGlance(g, &quick, a, b) {
				continue
			}
			if v.settle(g.Flow(), &plain, a, b); quick != plain {
				t.Fatalf("seed %d, %v:%d and %v:%d: at a glance %+v, want %+v", seed, addrA, g.PortA, addrB, g.PortB, quick, plain)
			}
			settled[quick.basis]++
		}
	}
	for _, b := range []Basis{BasisSYN, BasisUDPRequest, BasisPortRange, BasisFirstPacket} {
		if settled[b] < 50 {
			t.Errorf("only %d flows are settled by %v", settled[b], b)
		}
	}
}
