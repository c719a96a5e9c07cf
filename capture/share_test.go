package capture

import (
	"net/netip"
	"testing"
)

// TestSharesHoldEveryFlowOnce lends a table in shares: each flow is in one of them, with every other of its two addresses,
// in the same order in brief.
func TestSharesHoldEveryFlowOnce(t *testing.T) {
	var table Table
	for i := range uint32(3000) {
		f := Flow{Proto: TCP, Segment: Segment(i % 3)}
		f.A = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 50)}), uint16(1000+i))
		f.B = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 1, byte(i % 60)}), 443)
		if i%5 == 0 {
			f.A = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfd, 15: byte(i % 50)}), uint16(1000+i))
			f.B = netip.AddrPortFrom(netip.AddrFrom16([16]byte{0xfd, 14: 1, 15: byte(i % 60)}), 443)
		}
		f.FromA.Packets = 1
		table.AddFlow(&f)
	}
	lend := table.Lender()
	for _, n := range []uint32{1, 2, 7} {
		var next uint32
		for i := range n {
			for number, f := range table.BriefIn(table.Numbers()*i/n, table.Numbers()*(i+1)/n) {
				if whole := lend(number); number != next || whole.A != f.A || whole.B != f.B {
					t.Fatalf("flow %d after %d in brief, %v of %v", number, next, f.A, whole.A)
				}
				next++
			}
		}
		if int(next) != table.Len() {
			t.Errorf("%d ranges lend %d of %d flows", n, next, table.Len())
		}
	}
	for _, n := range []int{1, 2, 3, 8} {
		type pair struct{ a, b netip.Addr }
		of, lent, most := map[pair]int{}, 0, 0
		for i := range n {
			var whole, brief []netip.AddrPort
			for f := range table.EachOf(i, n) {
				whole = append(whole, f.A, f.B)
				p := pair{f.A.Addr(), f.B.Addr()}
				if other, known := of[p]; known && other != i {
					t.Fatalf("flows of %v are in shares %d and %d of %d", p, other, i, n)
				}
				of[p] = i
			}
			for f := range table.BriefOf(i, n) {
				brief = append(brief, f.A, f.B)
			}
			if len(whole) != len(brief) {
				t.Fatalf("share %d of %d has %d ends, in brief %d", i, n, len(whole), len(brief))
			}
			for k := range whole {
				if whole[k] != brief[k] {
					t.Fatalf("share %d of %d: %v is %v in brief", i, n, whole[k], brief[k])
				}
			}
			lent += len(whole) / 2
			most = max(most, len(whole)/2)
		}
		if lent != table.Len() || most > 2*table.Len()/n {
			t.Errorf("%d shares lend %d of %d flows, the largest %d", n, lent, table.Len(), most)
		}
	}
}
