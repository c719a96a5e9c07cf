package capture

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMergersSideBySideAddWhatOneDoes merges two tables, some of whose flows are of both, with several processors, and holds
// the sum against a table to which every packet of both was added.
func TestMergersSideBySideAddWhatOneDoes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	const flows = 4 * flowsPerMerger
	kinds := []Signs{0, ACK, ACK | Payload, SYN, SYNACK, RST}
	rng := rand.New(rand.NewPCG(9, 10))
	var parts [2]Table
	var want Table
	for i := range uint64(6 * flows) {
		n, later := rng.Uint32N(flows), i/(3*flows)
		p := segment(10<<24|n, 172<<24|n>>4, 902, 902, kinds[rng.IntN(len(kinds))])
		if n%7 == 0 {
			p.family, p.src.hi = familyIPv6, 0xfe80<<48
		}
		if rng.IntN(2) == 0 {
			p.src, p.dst = p.dst, p.src
		}
		p.Seq, p.Ack = rng.Uint32N(2), rng.Uint32N(1000)
		p.HasVLAN, p.VLAN = n%5 == 0, uint16(1+rng.IntN(30)/29)
		ns := int64(1445421600e9 + i*1e6)
		if n%2 == 0 && uint64(n%3) == later {
			continue
		}
		parts[later].Add(&p, ns, Ref{Frame: i + 1})
		want.Add(&p, ns, Ref{Frame: i + 1})
	}
	parts[0].Merge(&parts[1])
	got := sorted(&parts[0])
	for i, w := range sorted(&want) {
		if i == len(got) || !reflect.DeepEqual(got[i], w) {
			t.Fatalf("%d flows, want %d; flow %d (-added +merged):\n%s", len(got), want.Len(), i, cmp.Diff(w, got[min(i, len(got)-1)], compareNetip, comparePorts))
		}
	}
}
