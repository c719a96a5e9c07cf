package match

import (
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"flowvet/capture"
	"flowvet/catalog"
)

// TestRulerSaysWhatTheJudgeSays asks about every port, between ends of all kinds and in both transports: what is remembered
// of one port and pair holds for every other of its class.
func TestRulerSaysWhatTheJudgeSays(t *testing.T) {
	c := catalog.Default()
	s := newSite(t, c, 150, 1)
	j := newJudge(c, s.inv)
	j.prepare()
	ends := []*end{j.nobody, j.group}
	for i, a := range s.addrs {
		if i%3 == 0 {
			ends = append(ends, j.end(a))
		}
	}
	x := newRuler(j)
	step := uint16(61)
	if testing.Short() {
		step = 401
	}
	asked := 0
	for n, i := range ends {
		for m, r := range ends {
			for port := uint16((n + m) % int(step)); port < 10_000; port += step {
				q := question{i: i, r: r, proto: catalog.TCP, port: port, certain: port%2 == 0}
				if (n+m)%3 == 0 {
					q.proto = catalog.UDP
				}
				asked++
				want := j.decide(q)
				got := x.rule(q)
				if got.verdict != want.verdict || !slices.Equal(ids(got.rows), ids(citeRows(want.readings))) ||
					!slices.Equal(got.allowed, want.allowed) || !slices.Equal(got.hypotheses, want.hypotheses) {
					t.Fatalf("%v > %v %d/%v: got %v by %v, want %v by %v", i.roles, r.roles, port, q.proto,
						got.verdict, ids(got.rows), want.verdict, ids(citeRows(want.readings)))
				}
				if doc := want.verdict == VerdictDocumented || want.verdict == DocumentedOverride; !q.certain && x.documentedPort(i, r, q.proto, port) != doc {
					t.Fatalf("%v > %v %d/%v: documentedPort is %v", i.roles, r.roles, port, q.proto, !doc)
				}
				if want := j.decided(q); want.verdict != OutOfScope && (!slices.Equal(got.near, want.near) || got.marks != want.marks || got.anyway != want.anyway) {
					t.Fatalf("%v > %v %d/%v: near %v, marks %v, %v, want %v, %v, %v", i.roles, r.roles, port, q.proto,
						got.near, got.marks, got.anyway, want.near, want.marks, want.anyway)
				}
			}
		}
	}
	t.Logf("%d questions, %d rulings", asked, len(x.known))
}

// TestSharesMakeNoDifference judges one capture with one processor and with several: the results are the same.
func TestSharesMakeNoDifference(t *testing.T) {
	if testing.Short() {
		t.Skip("needs as many flows as are worth a goroutine")
	}
	c := catalog.Default()
	s := newSite(t, c, 300, 18_000)
	w := newWire(s.capture.Table)
	w.ns = s.capture.Last
	scanner := netip.MustParseAddr("10.0.0.7")
	for port := range uint16(20_000) { // a scan, and flows whose beginning is not seen
		w.send(scanner, s.addrs[port%9+20], 50000, port+1, flagSYN)
		w.send(s.addrs[port%9+20], scanner, port+1, 50000, flagRST|flagACK)
		w.send(s.addrs[port%40], s.addrs[40+port%50], 20000+port, 20000+port%8, flagACK)
		w.send(ipv4(20<<24+uint32(port%700)), ipv4(21<<24+uint32(port%90)), port, 80, []byte{flagSYN, flagACK}[port%2]) // of strangers
	}
	s.capture.Last = w.ns
	judged := func(processors int) *Result {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		return evaluated(t, s.inv, s.capture)
	}
	one, many := judged(1), judged(5)
	list := func(s Findings) (all []*Finding) {
		for i := range s.Len() {
			all = append(all, s.At(i))
		}
		return all
	}
	same := cmp.Options{
		cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.IgnoreFields(Result{}, "Catalog", "Inventory", "AsOf"),
		cmp.Comparer(func(a, b *catalog.Row) bool { return a == b }), cmpopts.EquateEmpty(),
		cmp.Transformer("list", list), cmpopts.IgnoreUnexported(capture.Stats{}), cmpopts.IgnoreFields(Finding{}, "From", "To"), cmpopts.IgnoreFields(Expectation{}, "Subject", "Candidates"),
	}
	if diff := cmp.Diff(one, many, same); diff != "" {
		t.Errorf("-one processor +five:\n%.4000s", diff)
	}
	if n := many.Findings.Len(); n < 15_000 {
		t.Errorf("only %d findings", n)
	}
}

// TestMergingSortsWhatIsSorted merges lists of all lengths, also such as are merged side by side.
func TestMergingSortsWhatIsSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 15))
	for range 40 {
		var lists [][]sorted
		var want []sorted
		for range 1 + rng.IntN(5) {
			list := make([]sorted, rng.IntN(1<<rng.IntN(15)))
			for i := range list {
				list[i] = sorted{hi: rng.Uint64N(90), lo: rng.Uint64()}
			}
			slices.SortFunc(list, sorted.compare)
			lists, want = append(lists, list), append(want, list...)
		}
		slices.SortFunc(want, sorted.compare)
		if got := mergeSorted(lists); !slices.Equal(got, want) {
			t.Fatalf("%d lists of %d are merged wrongly", len(lists), len(want))
		}
	}
}
