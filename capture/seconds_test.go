package capture

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecondsAdd(t *testing.T) {
	tests := []struct {
		name string
		add  []int64
		want Seconds
	}{
		{"nothing", nil, nil},
		{"one second", []int64{5}, Seconds{{5, 5}}},
		{"the same second twice", []int64{5, 5}, Seconds{{5, 5}}},
		{"neighbours join", []int64{5, 6, 7}, Seconds{{5, 7}}},
		{"neighbours join backwards", []int64{7, 6, 5}, Seconds{{5, 7}}},
		{"a hole stays", []int64{5, 7}, Seconds{{5, 5}, {7, 7}}},
		{"a hole is filled", []int64{5, 7, 6}, Seconds{{5, 7}}},
		{"one in front", []int64{9, 1}, Seconds{{1, 1}, {9, 9}}},
		{"one in the middle", []int64{1, 9, 5}, Seconds{{1, 1}, {5, 5}, {9, 9}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Seconds
			for _, s := range tt.add {
				got.Add(s)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("after adding %v (-want +got):\n%s", tt.add, diff)
			}
		})
	}
}

func TestSecondsAddRunIgnoresAnEmptyRun(t *testing.T) {
	s := Seconds{{1, 2}}
	s.AddRun(Run{9, 8})
	if diff := cmp.Diff(Seconds{{1, 2}}, s); diff != "" {
		t.Error(diff)
	}
}

func TestSecondsQuestions(t *testing.T) {
	s := Seconds{{10, 12}, {20, 20}, {30, 39}}
	if got, want := s.Len(), int64(14); got != want {
		t.Errorf("Len() = %d, want %d", got, want)
	}
	if got, ok := s.Span(); !ok || got != (Run{10, 39}) {
		t.Errorf("Span() = %v, %v, want {10 39}, true", got, ok)
	}
	if _, ok := Seconds(nil).Span(); ok {
		t.Error("an empty set has a span")
	}
	for second, want := range map[int64]bool{9: false, 10: true, 12: true, 13: false, 20: true, 39: true, 40: false} {
		if got := s.Contains(second); got != want {
			t.Errorf("Contains(%d) = %v, want %v", second, got, want)
		}
	}
	for window, want := range map[Run]bool{{13, 19}: false, {12, 13}: true, {0, 9}: false, {0, 100}: true, {40, 50}: false, {21, 20}: false} {
		if got := s.Intersects(window); got != want {
			t.Errorf("Intersects(%v) = %v, want %v", window, got, want)
		}
	}
	if diff := cmp.Diff(Seconds{{11, 12}, {20, 20}, {30, 35}}, s.Within(Run{11, 35})); diff != "" {
		t.Errorf("Within (-want +got):\n%s", diff)
	}
}

func TestSecondsLongestGap(t *testing.T) {
	tests := []struct {
		name   string
		set    Seconds
		window Run
		want   Run
		found  bool
	}{
		{"an empty set is silent throughout", nil, Run{0, 9}, Run{0, 9}, true},
		{"a full window has no gap", Seconds{{0, 9}}, Run{2, 5}, Run{}, false},
		{"the gap before the first", Seconds{{8, 9}}, Run{0, 9}, Run{0, 7}, true},
		{"the gap between", Seconds{{0, 1}, {8, 9}}, Run{0, 9}, Run{2, 7}, true},
		{"the gap after the last", Seconds{{0, 1}}, Run{0, 9}, Run{2, 9}, true},
		{"the earliest of equals", Seconds{{3, 3}, {7, 7}}, Run{0, 10}, Run{0, 2}, true},
		{"seconds outside the window do not count", Seconds{{0, 1}, {50, 60}}, Run{10, 20}, Run{10, 20}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, found := tt.set.LongestGap(tt.window)
			if got != tt.want || found != tt.found {
				t.Errorf("%v.LongestGap(%v) = %v, %v, want %v, %v", tt.set, tt.window, got, found, tt.want, tt.found)
			}
		})
	}
}

// TestSecondsEqualTheirPlainForm holds the three ways to build a set (one by one, in a bag, by unions of parts) against a
// map of seconds.
func TestSecondsEqualTheirPlainForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		plain := map[int64]bool{}
		var one, left, right Seconds
		var bag runBag
		for range rng.IntN(300) {
			s := rng.Int64N(400)
			plain[s] = true
			one.Add(s)
			bag.add(Run{s, s})
			if rng.IntN(2) == 0 {
				left.Add(s)
			} else {
				right.Add(s)
			}
		}
		var want Seconds
		for s := range int64(400) {
			if plain[s] {
				want = append(want, Run{s, s})
			}
		}
		want = joined(slices.Clone(want))
		if len(want) == 0 {
			want = nil
		}
		for name, got := range map[string]Seconds{"Add": one, "runBag": bag.settle(), "Union": left.Union(right)} {
			if !slices.Equal(got, want) {
				t.Fatalf("%s: got %v, want %v", name, got, want)
			}
		}
	}
}
