package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"flowvet/capture"
	"flowvet/match"
)

// Order is what somebody asks of a session that runs.
type Order uint8

// The orders.
const (
	ReportNow Order = iota + 1 // judge and publish at once
	Reload                     // load the grounds anew
)

// Session is one run. Fill it in, then call Run once.
type Session struct {
	Source  Source
	Earlier []*capture.Capture // what a run before this one showed, which was cut off; they are judged with it
	Grounds match.Grounds      // AsOf zero: the time of each judgement; Inventory nil: inferred by each judgement
	Load    func() (match.Grounds, error)
	Orders  <-chan Order

	Interval time.Duration // between publications; 0: only the last
	Stop     Autostop

	// Publish writes a report, from a goroutine of the session's, never two at a time. What could not be written is tried
	// again after the next judgement.
	Publish func(*Judgement) error
	// Checkpoint, if not nil, keeps what was captured so far, in the same goroutine: at its own pace, and before the last judgement.
	Checkpoint func([]*capture.Capture) error
	Watchers   []Watcher
	Realert    time.Duration // the silence after which an undocumented conversation is news again; 0: never
	Log        *slog.Logger

	status  Status
	looking bool
	looked  chan *look
	last    *Judgement // for a publication that is due before anything came
	due     Cause      // of the publication that is due; "" for none
	next    time.Time  // of the next publication
	judging pace
	keeping pace
	news    newsroom
	reason  string // why the session ends; "" while it goes on
}

// Autostop says when a session ends by itself. The zero value is never.
type Autostop struct {
	Duration time.Duration // since the start; 0: none
	Packets  uint64        // taken by the source, looked at once a second; 0: none
	UntilMet bool          // when everything that is required was met
	Timeout  time.Duration // of UntilMet; 0: none
}

// Watcher is told how a session does. Its methods are called from one goroutine and must not block.
type Watcher interface {
	// Judged is told of each judgement.
	Judged(*Judgement)
	// Tick is told once a second.
	Tick(*Status)
}

// Judgement is what came out of one look at the capture. Nobody changes it. Watchers must not keep it, nor findings of it: all
// of it is let go before the next one is made.
type Judgement struct {
	Cause    Cause // why it is published; empty for one that is not
	Result   *match.Result
	Captures []*capture.Capture // valid until the next snapshot
	Standing *Standing
	News     []News // against the judgement before
	Untold   bool   // whether undocumented conversations are no news since MaxNews others are

	reloads int   // of its grounds
	sight   sight // it rests on
}

// Status is how a session stands. It is valid during the call that hands it over.
type Status struct {
	Started, Now  time.Time
	Counters      capture.Counters
	Last          *Standing // nil before the first judgement
	Published     int
	LastPublished time.Time // zero: never
	Missed        int       // publications that were due and never written: later ones say all that they would have
	Trouble       error     // why the one that is due could not be written; nil: none
	Reloads       int
	ReloadsFailed int
}

// Cause is why a judgement is published; the weightiest of several is kept.
type Cause string

// The causes.
const (
	CauseInterval Cause = "interval"
	CauseAsked    Cause = "asked for"
	CauseEnd      Cause = "end"
)

// Run captures and judges until the context is done, the source ends, or the session stops by itself. It returns the last
// judgement; the error says what the source failed of, or why nothing could be judged, which returns no judgement.
func (s *Session) Run(ctx context.Context) (*Judgement, error) {
	capturing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Source.Run(capturing) }()

	s.begin()
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	var lost error
	over := false
	for s.reason == "" {
		select {
		case <-ctx.Done():
			s.reason = "interrupted"
		case lost = <-ended:
			over, s.reason = true, "the capture ended"
		case order := <-s.Orders:
			s.obey(order)
		case <-tick.C:
			s.tick()
		case l := <-s.looked:
			s.take(l)
		}
	}
	s.Log.Info("ending", "reason", s.reason)
	stop()
	if !over {
		lost = <-ended
	}
	return s.end(lost)
}

// begin sets the clocks.
func (s *Session) begin() {
	now := time.Now()
	s.looked = make(chan *look, 1)
	s.news.returns = s.Realert
	s.status.Started, s.status.Now = now, now
	s.judging = pace{ended: now, perFlow: perFlow, patience: patience}
	if s.Stop.UntilMet { // somebody waits for what it says
		s.judging.patience = 0
	}
	s.keeping = pace{ended: now}
	s.next = now.Add(s.Interval)
}

// end takes the last look. What was under way is waited for.
func (s *Session) end(lost error) (*Judgement, error) {
	s.owe(CauseEnd)
	if s.looking {
		s.take(<-s.looked)
	}
	s.look(true)
	l := <-s.looked
	s.take(l)
	s.status.Counters = s.Source.Counters()
	for _, w := range s.Watchers {
		w.Tick(&s.status)
	}
	return l.judgement, errors.Join(lost, l.err)
}

// Unwritten says, in words, which publications failed for good; empty: none. It is valid after Run.
func (s *Session) Unwritten() string {
	switch missed := s.status.Missed; {
	case s.status.Trouble != nil:
		return fmt.Sprintf("the last report could not be written, nor %d before it: %v", missed, s.status.Trouble)
	case missed == 1:
		return "1 report could not be written at its time: the next one says what it would have"
	case missed > 1:
		return fmt.Sprintf("%d reports could not be written at their times: the next ones say what they would have", missed)
	}
	return ""
}

// tick does what is due once a second.
func (s *Session) tick() {
	s.status.Now = time.Now()
	s.status.Counters = s.Source.Counters()
	if s.Interval > 0 && !s.status.Now.Before(s.next) {
		s.owe(CauseInterval)
		s.next = s.next.Add(s.Interval)
		if s.next.Before(s.status.Now) { // the process stood still
			s.next = s.status.Now.Add(s.Interval)
		}
	}
	s.stopByItself()
	if s.reason == "" {
		s.look(s.judging.due(s.status.Now, s.status.Counters.Flows) || s.due != "" && s.status.Trouble == nil)
	}
	for _, w := range s.Watchers {
		w.Tick(&s.status)
	}
}

// stopByItself ends the session when its time has come.
func (s *Session) stopByItself() {
	ran := s.status.Now.Sub(s.status.Started)
	last := s.status.Last
	switch {
	case s.Stop.UntilMet && last != nil && last.AllMet():
		s.reason = "all expectations are met"
	case s.Stop.Duration > 0 && ran >= s.Stop.Duration:
		s.reason = fmt.Sprintf("%v are over", s.Stop.Duration)
	case s.Stop.Packets > 0 && s.status.Counters.Taken >= s.Stop.Packets:
		s.reason = fmt.Sprintf("%d packets are captured", s.Stop.Packets)
	case s.Stop.Timeout > 0 && ran >= s.Stop.Timeout:
		s.reason = fmt.Sprintf("not everything was met in %v", s.Stop.Timeout)
	}
}

// obey does what was asked.
func (s *Session) obey(o Order) {
	switch o {
	case ReportNow:
		s.owe(CauseAsked)
		s.look(true)
	case Reload:
		s.reload()
	}
}

// reload takes new grounds, or keeps the old ones where the new cannot be used.
func (s *Session) reload() {
	grounds, err := s.Load()
	if err != nil {
		s.status.ReloadsFailed++
		s.Log.Error("reload failed: what was loaded before stays in use", "error", err)
		return
	}
	s.status.Reloads++
	grounds.Warnings = s.Grounds.Warnings
	s.Grounds = grounds
	s.Log.Info("reloaded", "catalogue", grounds.Catalog.Sources[0].SHA256)
	s.last = nil
	s.judging.hurry()
}

// owe notes that a publication is due. One that was due and could not be written is missed for good: the new one says all
// that it would have.
func (s *Session) owe(why Cause) {
	if s.due != "" && s.status.Trouble != nil {
		s.status.Missed++
	}
	if s.due != CauseAsked || why == CauseEnd {
		s.due = why
	}
}

// look takes a look if none is under way: to judge, to keep a checkpoint where that is due, or both.
func (s *Session) look(judge bool) {
	keep := s.Checkpoint != nil && (s.due == CauseEnd || s.keeping.due(s.status.Now, 0))
	if s.looking || !judge && !keep {
		return
	}
	s.looking = true
	l := &look{grounds: s.Grounds, reloads: s.status.Reloads, keep: keep, judge: judge, due: s.due}
	if judge {
		l.last, s.last = s.last, nil
	}
	go func() {
		defer func() {
			if fault := recover(); fault != nil {
				l.fault = describe(fault)
			}
			s.looked <- l
		}()
		l.run(s)
	}()
}

// take notes what came out of a look.
func (s *Session) take(l *look) {
	s.looking = false
	if l.fault != "" {
		panic(l.fault)
	}
	s.status.Now = time.Now()
	if l.checkpoint != nil {
		s.Log.Warn("checkpoint not written: capturing goes on", "error", l.checkpoint)
	}
	if l.keep {
		s.keeping.done(s.status.Now, l.kept)
	}
	if l.judge {
		s.judging.done(s.status.Now, l.took)
		s.judged(l)
	}
	if l.reloads != s.status.Reloads { // it rests on what was loaded before
		s.judging.hurry()
	}
	if s.due != "" && s.status.Trouble == nil && l.err == nil { // asked for while it judged
		s.look(true)
	}
}

// judged notes a judgement, and tells of it.
func (s *Session) judged(l *look) {
	if l.err != nil {
		s.Log.Error("not judged", "error", l.err)
		return
	}
	j := l.judgement
	s.judging.learn(j.Standing.Took, j.Standing.Flows)
	s.settle(l)
	j.News, j.Untold = s.news.read(j, l.due == CauseEnd, s.status.Counters.Link != capture.LinkUp)
	for _, w := range s.Watchers {
		w.Judged(j)
	}
	s.status.Last = j.Standing
	if j.reloads == s.status.Reloads {
		s.last = j
	}
}

// settle notes what became of the publication that was due.
func (s *Session) settle(l *look) {
	switch {
	case l.due == "":
	case l.trouble != nil:
		if s.status.Trouble == nil {
			s.Log.Error("report not written: capturing goes on, and it is tried again", "error", l.trouble)
		}
		s.status.Trouble = l.trouble
	default:
		if s.status.Trouble != nil {
			s.Log.Info("report written after all", "missed", s.status.Missed)
		}
		s.status.Trouble = nil
		s.status.Published++
		s.status.LastPublished = s.status.Now
		if s.due == l.due {
			s.due = ""
		}
	}
}
