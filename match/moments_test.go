package match

import (
	"math/rand/v2"
	"slices"
	"testing"

	"flowvet/capture"
)

// Moments are the seconds that were added, in whatever order, and however often the runs of many flows say the same.
func TestMomentsAreTheSecondsAdded(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 0))
		var got moments
		seen := map[int64]bool{}
		for range 1 + random.IntN(40) {
			at := random.Int64N(400)
			for range random.IntN(30) {
				run := capture.Run{First: at, Last: at + random.Int64N(4)}
				got.add(run)
				for second := run.First; second <= run.Last; second++ {
					seen[second] = true
				}
				at += random.Int64N(20)
			}
			if random.IntN(8) == 0 {
				got.settle()
			}
		}
		var want capture.Seconds
		for second := range int64(2000) {
			if seen[second] {
				want.AddRun(capture.Run{First: second, Last: second})
			}
		}
		if settled := got.settle(); !slices.Equal(settled, want) {
			t.Fatalf("seed %d: %v, want %v", seed, settled, want)
		}
	}
}
