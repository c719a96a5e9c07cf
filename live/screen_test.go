package live

import (
	"slices"
	"strings"
	"testing"
	"time"

	"flowvet/capture"
)

func TestTheScreenSaysHowOldItsJudgementIs(t *testing.T) {
	for _, test := range []struct {
		what string
		aged time.Duration
		want string
	}{
		{"a judgement of the second", 1200 * time.Millisecond, ""},
		{"one that waits for its share of the time", 27400 * time.Millisecond, "judged 27s ago, which took 3.12s"},
	} {
		t.Run(test.what, func(t *testing.T) {
			s := &Status{
				Started: ten, Now: ten.Add(time.Minute), Counters: capture.Counters{Taken: 7},
				Last: &Standing{At: ten.Add(time.Minute - test.aged), Took: 3123 * time.Millisecond, Met: 2, Wanted: 2},
			}
			lines := cockpit(s, 80, 24)
			if said := slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "judged") }); said != (test.want != "") {
				t.Errorf("got %q", lines)
			}
			if test.want != "" && !slices.Contains(lines, test.want) {
				t.Errorf("no %q in %q", test.want, lines)
			}
		})
	}
}
