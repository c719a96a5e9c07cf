package live

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// lab is two hosts that tell their vCenter every ten seconds that they live; esx02 stops after 100 seconds, and from second
// 30 on somebody speaks telnet.
const lab = `
host vcenter01 10.20.0.5
host esx01 10.20.0.11
host esx02 10.20.0.12
0          arp esx01 > vcenter01 reply
1..600/10  esx01:* > vcenter01:902/udp 334
2..100/10  esx02:* > vcenter01:902/udp 334
3..600/30  vcenter01:50001 > esx01:443/tcp midstream 400 900
4..600/30  vcenter01:50002 > esx02:443/tcp midstream 400 900
30         203.0.113.99:50000 > esx01:23/tcp session 60 300
`

const labInventory = `
machines:
  - {name: vcenter01, products: [vCenter 4.1], addresses: [10.20.0.5]}
  - {name: esx01, products: [ESX 4.1], managed-by: vcenter01, addresses: [10.20.0.11]}
  - {name: esx02, products: [ESX 4.1], managed-by: vcenter01, addresses: [10.20.0.12]}
`

// player is a source that plays a story: what it shows at any moment is what a capture of it would hold by then.
type player struct {
	t        *testing.T
	story    *capturetest.Story
	file     []byte
	began    time.Time
	fails    error         // what Run ends with
	after    time.Duration // when
	counters capture.Counters
	slow     time.Duration // how long a snapshot takes
}

func newPlayer(t *testing.T, text string) *player {
	t.Helper()
	story, err := capturetest.Parse("story", text)
	if err != nil {
		t.Fatal(err)
	}
	return &player{t: t, story: story, file: story.Pcap(), began: time.Now()}
}

func (p *player) Run(ctx context.Context) error {
	if p.fails == nil {
		<-ctx.Done()
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(p.after):
		return p.fails
	}
}

func (p *player) Counters() capture.Counters {
	c := p.counters
	c.Taken = uint64(p.count())
	return c
}

// count is how many frames have been sent by now.
func (p *player) count() (n int) {
	now := p.story.Start().Add(time.Since(p.began))
	for _, f := range p.story.Frames() {
		if !f.Time.After(now) {
			n++
		}
	}
	return n
}

func (p *player) Snapshot() *capture.Capture {
	time.Sleep(p.slow)
	const header, recordHeader, capturedLength = 24, 16, 8
	end := header
	for range p.count() {
		end += recordHeader + int(binary.LittleEndian.Uint32(p.file[end+capturedLength:]))
	}
	path := filepath.Join(p.t.TempDir(), "so far.pcap")
	if err := os.WriteFile(path, p.file[:end], 0o600); err != nil {
		p.t.Fatal(err)
	}
	inputs, err := capture.Open([]string{path}, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	c := inputs[0].ReadAll(context.Background(), capture.Options{})[0]
	c.Name = "span0"
	c.Interfaces = []capture.Interface{{
		Name: "span0", Link: capture.LinkEthernet, Counted: true, Received: c.Table.Stats.Read,
		Start: p.story.Start().UnixNano(), End: p.story.Start().Add(time.Since(p.began)).UnixNano(),
	}}
	return c
}

// rig is a session with everything it did.
type rig struct {
	*Session
	player    *player
	log       bytes.Buffer
	published []*Judgement
	judged    []*Judgement
	ticks     int
}

// Judged implements Watcher.
func (r *rig) Judged(j *Judgement) { r.judged = append(r.judged, j) }

// Tick implements Watcher.
func (r *rig) Tick(*Status) { r.ticks++ }

func newRig(t *testing.T) *rig {
	t.Helper()
	c := catalog.Default()
	inv, err := inventory.Parse("lab.yaml", []byte(labInventory), c)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{player: newPlayer(t, lab)}
	log := slog.New(slog.NewTextHandler(&r.log, nil))
	r.Session = &Session{
		Source: r.player, Log: log,
		Grounds: match.Grounds{Catalog: c, Inventory: inv, FailOn: match.LevelError},
		Publish: func(j *Judgement) error { r.published = append(r.published, j); return nil },
	}
	r.Watchers = []Watcher{&Journal{Log: log}, r}
	return r
}

// causes lists why reports were published.
func (r *rig) causes() (all []Cause) {
	for _, j := range r.published {
		all = append(all, j.Cause)
	}
	return all
}

// logged fails the test unless the log has every one of the texts.
func (r *rig) logged(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(r.log.String(), text) {
			t.Errorf("no %q in the log:\n%s", text, r.log.String())
		}
	}
}

func TestReportsComeEveryIntervalAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Interval, r.Stop.Duration = 20*time.Second, 70*time.Second
		last, err := r.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got, want := r.causes(), []Cause{CauseInterval, CauseInterval, CauseInterval, CauseEnd}; !slices.Equal(got, want) {
			t.Errorf("published %v, want %v", got, want)
		}
		if last != r.published[3] || last.Result.Status != 1 {
			t.Errorf("the last judgement has status %d (%s), want 1", last.Result.Status, last.Result.StatusWhy)
		}
		for i, j := range r.published[1:] {
			if j.Result.Stats.Read <= r.published[i].Result.Stats.Read {
				t.Errorf("report %d has %d packets, the one before %d: reports are of everything since the start",
					i+2, j.Result.Stats.Read, r.published[i].Result.Stats.Read)
			}
		}
	})
}

func TestAnInterruptEndsWithAReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		last, err := r.Run(ctx)
		if err != nil || last.Cause != CauseEnd {
			t.Errorf("got %v and error %v, want the report of the end", last, err)
		}
		r.logged(t, "reason=interrupted")
	})
}

func TestALostInterfaceEndsWithAReportAndTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.player.fails, r.player.after = errors.New("span0: interface gone"), 10*time.Second
		last, err := r.Run(t.Context())
		if !errors.Is(err, r.player.fails) || last == nil || last.Cause != CauseEnd {
			t.Errorf("got %v and error %v, want the report of the end and %v", last, err, r.player.fails)
		}
	})
}

func TestUntilMetEndsWhenEverythingWasSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Stop.UntilMet, r.Stop.Timeout = true, 10*time.Minute
		last, err := r.Run(t.Context())
		if err != nil || !last.Standing.AllMet() {
			t.Errorf("got %+v, error %v; want everything met", last.Standing, err)
		}
		if spent := time.Since(r.player.began); spent > 10*time.Second {
			t.Errorf("it took %v, and everything had been seen after 4s", spent)
		}
	})
}

func TestUntilMetGivesUpAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.player = newPlayer(t, strings.ReplaceAll(lab, "2..100/10  esx02", "# esx02"))
		r.Source = r.player
		r.Stop.UntilMet, r.Stop.Timeout = true, 90*time.Second
		last, err := r.Run(t.Context())
		if err != nil || last.Result.Status != 1 {
			t.Errorf("status %d, error %v; want 1", last.Result.Status, err)
		}
		if want := []string{"esx02 (10.20.0.12) -> vcenter01 (10.20.0.5)  902/udp"}; !slices.Equal(last.Standing.Waiting, want) {
			t.Errorf("still waiting for %q, want %q", last.Standing.Waiting, want)
		}
		r.logged(t, "not everything was met in 1m30s")
	})
}

func TestAutostopByPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Stop.Packets = 20
		last, err := r.Run(t.Context())
		if err != nil || last.Result.Stats.Read < 20 {
			t.Errorf("%d packets, error %v; want 20 at least", last.Result.Stats.Read, err)
		}
	})
}

func TestNewsIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Stop.Duration = 4 * time.Minute
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		var told []string
		for _, j := range r.judged {
			for _, n := range j.News {
				told = append(told, n.Kind.String())
			}
		}
		if want := []string{"undocumented", "heartbeat-lost"}; !slices.Equal(told, want) {
			t.Errorf("told of %v, want %v", told, want)
		}
		r.logged(t, `conversation="203.0.113.99 -> esx01  23/tcp" verdict=unlisted-port`, `conversation="esx02 -> vcenter01  902/udp" silent=`)
	})
}

func TestASilenceOfABlindCaptureIsNoLostHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.player.counters.Link = capture.LinkGone
		r.Stop.Duration = 4 * time.Minute
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(r.log.String(), "heartbeat lost") {
			t.Errorf("a heartbeat was called lost:\n%s", r.log.String())
		}
		r.logged(t, `msg="capturing nothing" reason="interface gone"`)
	})
}

func TestAReportIsWrittenWhenAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		orders := make(chan Order)
		r.Orders, r.Stop.Duration = orders, 30*time.Second
		go func() {
			time.Sleep(12 * time.Second)
			orders <- ReportNow
		}()
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := r.causes(), []Cause{CauseAsked, CauseEnd}; !slices.Equal(got, want) {
			t.Errorf("published %v, want %v", got, want)
		}
	})
}

func TestABrokenReloadKeepsWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		orders := make(chan Order)
		r.Orders, r.Stop.Duration = orders, 60*time.Second
		r.Grounds.Warnings = []string{"a run before this one was cut off"}
		changed := r.Grounds
		changed.Warnings = nil
		changed.FailOn = match.LevelNone
		loads := []struct {
			match.Grounds
			error
		}{{match.Grounds{}, errors.New("lab.yaml:3: no such product")}, {changed, nil}}
		r.Load = func() (match.Grounds, error) {
			l := loads[0]
			loads = loads[1:]
			return l.Grounds, l.error
		}
		go func() {
			time.Sleep(40 * time.Second)
			orders <- Reload
			orders <- ReportNow
			time.Sleep(10 * time.Second)
			orders <- Reload
		}()
		last, err := r.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.published[0].Result.Status != 1 || last.Result.Status != 0 {
			t.Errorf("status %d after the broken reload, %d after the good one; want 1 and 0", r.published[0].Result.Status, last.Result.Status)
		}
		if !slices.Contains(last.Result.Warnings, "a run before this one was cut off") {
			t.Errorf("a reload lost the warnings of the run: %q", last.Result.Warnings)
		}
		r.logged(t, `error="lab.yaml:3: no such product"`, "msg=reloaded")
	})
}

func TestAReportThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Interval, r.Stop.Duration = 20*time.Second, 110*time.Second
		full := errors.New("no space left on device")
		var at []time.Duration
		r.Publish = func(*Judgement) error {
			now := time.Since(r.player.began)
			if now >= 35*time.Second && now < 95*time.Second {
				return full
			}
			at = append(at, now.Truncate(time.Second))
			return nil
		}
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{20e9, 95e9, 100e9, 110e9}; !slices.Equal(at, want) {
			t.Errorf("written at %v, want %v: as soon as there is room", at, want)
		}
		if got, want := r.Unwritten(), "2 reports could not be written at their times"; !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		r.logged(t, "report not written", "report written after all")
	})
}

func TestALastReportThatCannotBeWrittenIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Stop.Duration = 5 * time.Second
		r.Publish = func(*Judgement) error { return errors.New("read-only file system") }
		last, err := r.Run(t.Context())
		if err != nil || last == nil {
			t.Fatalf("got %v, %v; want a judgement", last, err)
		}
		if got, want := r.Unwritten(), "the last report could not be written, nor 0 before it: read-only file system"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestJudgingTakesATenthOfTheTimeAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.player.slow, r.Stop.Duration = 3*time.Second, 5*time.Minute
		if _, err := r.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(r.judged); got < 8 || got > 12 {
			t.Errorf("%d judgements of 3s in 300s, want 10", got)
		}
		if r.ticks < 290 {
			t.Errorf("%d ticks in 300s: judging held up the clock", r.ticks)
		}
	})
}

func TestAPanicOfTheJudgementIsOneOfTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Publish = func(*Judgement) error { panic("no such row") }
		r.Stop.Duration = time.Second
		defer func() {
			if fault, ok := recover().(string); !ok || !strings.Contains(fault, "no such row") {
				t.Errorf("recovered %v, want the panic", fault)
			}
		}()
		_, _ = r.Run(t.Context())
	})
}

func TestTheLiveJudgementIsThatOfAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.Stop.Duration = 3 * time.Minute
		last, err := r.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		g := r.Grounds
		g.AsOf = last.Result.AsOf
		again, err := match.Evaluate(g, []*capture.Capture{r.player.Snapshot()})
		if err != nil {
			t.Fatal(err)
		}
		if again.Counts != last.Result.Counts || again.StatusWhy != last.Result.StatusWhy {
			t.Errorf("a file of it is judged %+v, %s; live it was %+v, %s", again.Counts, again.StatusWhy, last.Result.Counts, last.Result.StatusWhy)
		}
	})
}
