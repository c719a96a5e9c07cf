package live

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/match"
)

// brief is the lab without anything after 40 seconds.
func brief() string {
	return strings.NewReplacer("..600/", "..40/", "..100/", "..40/").Replace(lab)
}

// TestNothingNewIsNotJudgedAgain asks for three reports: two at once while nothing comes, one after a second.
func TestNothingNewIsNotJudgedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.player = newPlayer(t, brief())
		orders := make(chan Order)
		r.Source, r.Orders, r.Stop.Duration = r.player, orders, 60*time.Second
		go func() {
			time.Sleep(50*time.Second + pulse/2) // nothing comes any more
			orders <- ReportNow
			time.Sleep(pulse / 10)
			orders <- ReportNow
			time.Sleep(pulse)
			orders <- ReportNow
		}()
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := r.causes(), []Cause{CauseAsked, CauseAsked, CauseAsked, CauseEnd}; !slices.Equal(got, want) {
			t.Fatalf("published %v, want %v", got, want)
		}
		p := r.published
		if p[1].Result != p[0].Result {
			t.Error("judged again, though nothing came and no time passed")
		}
		if p[2].Result == p[1].Result {
			t.Error("not judged again after a second: silence counts as well")
		}
	})
}

func TestWhatCameSinceIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		orders := make(chan Order)
		r.Orders, r.Stop.Duration = orders, 15*time.Second
		go func() {
			for _, at := range []time.Duration{10500, 10900, 11100} { // esx01's heartbeat is at second 11
				time.Sleep(time.Until(r.player.began.Add(at * time.Millisecond)))
				orders <- ReportNow
			}
		}()
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := r.published
		if len(p) != 4 || p[1].Result != p[0].Result || p[2].Result == p[1].Result || p[2].Result.Stats.Read != p[1].Result.Stats.Read+1 {
			t.Errorf("%d reports, want 4: the second as the first, the third with one more packet", len(p))
		}
	})
}

func TestWhatAReloadChangedIsJudged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.player = newPlayer(t, brief())
		orders := make(chan Order)
		r.Source, r.Orders, r.Stop.Duration = r.player, orders, 52*time.Second
		changed := r.Grounds
		changed.FailOn = match.LevelNone
		r.Load = func() (match.Grounds, error) { return changed, nil }
		go func() {
			time.Sleep(50*time.Second + pulse/2)
			orders <- ReportNow
			orders <- Reload
			orders <- ReportNow
		}()
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if before, after := r.published[0].Result.Status, r.published[1].Result.Status; before != 1 || after != 0 {
			t.Errorf("status %d, after the reload %d; want 1 and 0", before, after)
		}
	})
}

// TestOneJudgementIsInMemoryAtATime holds that nothing of the session refers to a judgement when the next one is made.
func TestOneJudgementIsInMemoryAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Watchers = r.Watchers[:1]
		r.Interval, r.Stop.Duration = 5*time.Second, 5*time.Minute
		var before weak.Pointer[match.Result]
		n := 0
		r.Publish = func(j *Judgement) error {
			if runtime.GC(); n > 0 && before.Value() != nil {
				t.Errorf("judgement %d is there beside the one before", n)
			}
			before = weak.Make(j.Result)
			n++
			return nil
		}
		if _, err := r.Run(t.Context()); err != nil || n < 50 {
			t.Errorf("%d reports, %v; want 60", n, err)
		}
	})
}

// TestCheckpointsAreKeptWhileJudgingWaits makes a judgement take 3 s: the next waits for 27; what was captured is kept every second.
func TestCheckpointsAreKeptWhileJudgingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.player = newPlayer(t, lab+`
0.1  203.0.113.99:* > esx01:111/tcp session 60 300
0.2  203.0.113.99:* > esx01:23/tcp session 60 300
0.3  203.0.113.99:* > esx01:25/tcp session 60 300
0.4  203.0.113.99:* > esx01:79/tcp session 60 300
0.5  203.0.113.99:* > esx01:110/tcp session 60 300
`)
		r.Source, r.Stop.Duration = r.player, 100*time.Second
		r.Grounds.Further = func() *catalog.Catalog { time.Sleep(3 * time.Second); return nil } // asked for where five findings are open
		kept, longest, last := 0, time.Duration(0), r.player.began
		r.Checkpoint = func([]*capture.Capture) error {
			longest, last = max(longest, time.Since(last)), time.Now()
			kept++
			return nil
		}
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(r.judged); got != 5 {
			t.Errorf("%d judgements of 3s in 100s, want one each 30s, and that of the end", got)
		}
		if kept < 80 || longest > 5*time.Second {
			t.Errorf("%d checkpoints in 100s, at most %v apart; want one a second, but while judging", kept, longest)
		}
	})
}
