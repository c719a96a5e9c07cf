package capture

import (
	"net/netip"
	"reflect"
	"testing"
)

// TestSharesHoldEveryFlowOnce lends a table in ranges of numbers and in shares: each flow is in one of them, of the shares with
// every other of its two addresses.
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
		f.FromA.Packets, f.Seconds, f.VLANs = 1, Seconds{{1, 1}}, []uint16{uint16(i % 7)}
		if i%11 == 0 {
			f.FromA.Signs, f.FromA.ISNs = SYN, []uint32{1, i + 2}
			f.FromB.Signs, f.FromB.QuotedAt, f.FromB.QuoteRef = QuotedHost, 7, Ref{Frame: 3}
		}
		table.AddFlow(&f)
	}
	lend := table.Lender()
	for _, n := range []uint32{1, 2, 7} {
		var next uint32
		for i := range n {
			for g := range table.GlanceIn(table.Numbers()*i/n, table.Numbers()*(i+1)/n) {
				number, f := g.Number, g.Flow()
				want := *lend(number)
				want.Seconds, want.VLANs = nil, nil
				if number != next || !reflect.DeepEqual(*f, want) {
					t.Fatalf("flow %d after %d in brief: %+v, want %+v", number, next, *f, want)
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
			var whole []netip.AddrPort
			for f := range table.EachOf(i, n) {
				whole = append(whole, f.A, f.B)
				p := pair{f.A.Addr(), f.B.Addr()}
				if other, known := of[p]; known && other != i {
					t.Fatalf("flows of %v are in shares %d and %d of %d", p, other, i, n)
				}
				of[p] = i
			}
			lent += len(whole) / 2
			most = max(most, len(whole)/2)
		}
		if lent != table.Len() || most > 2*table.Len()/n {
			t.Errorf("%d shares lend %d of %d flows, the largest %d", n, lent, table.Len(), most)
		}
	}
}
