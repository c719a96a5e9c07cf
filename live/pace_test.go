package live

import (
	"testing"
	"time"
)

func TestPaceOfJudging(t *testing.T) {
	const million = 1_000_000
	for _, test := range []struct {
		what  string
		took  time.Duration // the last judgement
		of    int           // flows
		flows int           // now
		want  time.Duration // until the next one
	}{
		{"a small table is judged every second", 20 * time.Millisecond, 300, 400, time.Second},
		{"one that took long has nine times as long to wait", 3 * time.Second, 300, 300, 27 * time.Second},
		{"a table that has grown waits for what it is expected to take, as others did", 20 * time.Millisecond, 300, million, 27 * time.Second},
		{"or as it did itself", 500 * time.Millisecond, million, 2 * million, 9 * time.Second},
		{"what is only expected is not waited for any longer than a minute", 20 * time.Millisecond, 300, 10 * million, time.Minute},
		{"what was measured is", 20 * time.Second, 10 * million, 10 * million, 3 * time.Minute},
	} {
		t.Run(test.what, func(t *testing.T) {
			p := pace{perFlow: perFlow, patience: patience}
			p.done(ten, test.took)
			p.learn(test.took, test.of)
			if p.due(ten.Add(test.want-time.Millisecond), test.flows) || !p.due(ten.Add(test.want), test.flows) {
				t.Errorf("not due after %v", test.want)
			}
			if p.hurry(); !p.due(ten, test.flows) {
				t.Error("not due when in a hurry")
			}
		})
	}
}
