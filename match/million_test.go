package match

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"

	"flowvet/capture"
	"flowvet/catalog"
)

// crowded generates a site of 5,000 machines, and a table of n conversations among them as asked.
func crowded(b *testing.B, n int, talk func(w *wire, s *site, rng *rand.Rand, i int)) (*site, *capture.Capture) {
	b.Helper()
	s := newSite(b, catalog.Default(), 5000, 1)
	w := newWire(new(capture.Table))
	rng := rand.New(rand.NewPCG(5, 6))
	for i := 0; w.table.Len() < n; i++ {
		talk(w, s, rng, i)
	}
	w.ns += 120e9 // the last conversations are over when the capture ends
	return s, w.capture()
}

// handshake sends a connection as far as it takes to be one.
func (w *wire) handshake(client, server netip.Addr, from, to uint16) {
	w.send(client, server, from, to, flagSYN)
	w.send(server, client, to, from, flagSYN|flagACK)
	w.send(client, server, from, to, flagACK)
	w.send(server, client, to, from, flagACK)
}

// BenchmarkJudgeMillion answers how long the judging of 1 M conversations takes, against 343 rows and 5,000 machines.
func BenchmarkJudgeMillion(b *testing.B) {
	rows := catalog.Default().Rows
	for _, kind := range []struct {
		name string
		talk func(w *wire, s *site, rng *rand.Rand, i int)
	}{
		{"undocumented", func(w *wire, s *site, _ *rand.Rand, i int) {
			w.send(ipv4(20<<24+uint32(i)), s.addrs[i%5000], 1024, 4444, flagSYN)
		}},
		{"documented", func(w *wire, s *site, _ *rand.Rand, i int) { // clients of hosts and vCenters
			w.handshake(ipv4(20<<24+uint32(i)), s.addrs[i%1000*5], 1024, 443)
		}},
		{"mixed", func(w *wire, s *site, rng *rand.Rand, i int) { // any two machines, on any row's port
			w.handshake(s.addrs[rng.IntN(5000)], s.addrs[rng.IntN(5000)], uint16(1024+i%60_000), rows[rng.IntN(len(rows))].Ports.Lo)
		}},
	} {
		b.Run(kind.name, func(b *testing.B) {
			const n = 1_000_000
			s, c := crowded(b, n, kind.talk)
			g := Grounds{Catalog: catalog.Default(), Inventory: s.inv, FailOn: LevelError}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			b.ReportAllocs()
			var r *Result
			for b.Loop() {
				var err error
				if r, err = Evaluate(g, []*capture.Capture{c}); err != nil {
					b.Fatal(err)
				}
			}
			runtime.ReadMemStats(&after)
			if r.Status == 70 {
				b.Fatal(r.StatusWhy)
			}
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(n*b.N), "B/conversation")
			b.ReportMetric(float64(after.HeapSys>>20), "MiB-heap")
			b.Log(fmt.Sprint(r.Findings.Len(), " findings, ", len(r.Expectations), " expectations, ", r.Counts))
		})
	}
}
