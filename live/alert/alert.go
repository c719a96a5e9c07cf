// Package alert tells others of what a live run finds: on standard error, in a file, by syslog, by a webhook.
//
// A [Desk] never makes the run wait. It passes on so many alerts a minute and sums up the rest in one; each receiver has a
// queue and a goroutine of its own, and an alert that finds a full queue, or whose receiver fails three times, is counted.
package alert

import (
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"flowvet/live"
	"flowvet/match"
	"flowvet/report"
	"flowvet/safejson"
)

// Schema names the version of the JSON form.
const Schema = "flowvet-alert/1"

// Alert is one message, as the JSON form has it.
type Alert struct {
	Schema    string    `json:"schema"`
	Time      time.Time `json:"time"`
	Kind      string    `json:"kind"`  // undocumented, heartbeat-lost, heartbeat-back, withheld
	Level     string    `json:"level"` // error, warning, note: of the finding
	Text      string    `json:"text"`  // one line for people
	ID        string    `json:"id,omitempty"`
	Verdict   string    `json:"verdict,omitempty"`
	Initiator string    `json:"initiator,omitempty"`
	Responder string    `json:"responder,omitempty"`
	Transport string    `json:"transport,omitempty"`
	Port      uint16    `json:"port,omitempty"`
	Silent    float64   `json:"silent_seconds,omitempty"` // of a heartbeat
	Withheld  int       `json:"withheld,omitempty"`       // alerts that this one stands for
}

// line is the JSON form as one line, with what a terminal must not see escaped.
func (a *Alert) line() ([]byte, error) {
	var e safejson.Encoder
	line, err := e.Encode(a)
	if err != nil {
		return nil, err
	}
	return append(line, '\n'), nil
}

// Receiver takes alerts, one at a time. A Send may take as long as it must: it has a goroutine of its own.
type Receiver interface {
	Send(*Alert) error
	Close() error
}

// The bounds of a desk.
const (
	queued   = 256             // alerts waiting for a receiver
	attempts = 3               // to send one
	pause    = time.Second     // between attempts; the second pause is five of it
	goodbye  = 5 * time.Second // for what is queued when the run ends
	burst    = 30              // alerts that may come at once, above the rate
)

// Desk passes alerts on. It is a live.Watcher.
type Desk struct {
	perMinute int
	log       *slog.Logger
	outlets   []*outlet
	tokens    float64
	filled    time.Time
	withheld  int
	sending   sync.WaitGroup
}

// outlet is a receiver with its queue.
type outlet struct {
	name     string
	receiver Receiver
	queue    chan *Alert
	failed   atomic.Uint64
}

// NewDesk returns a desk that passes on so many alerts a minute.
func NewDesk(perMinute int, log *slog.Logger) *Desk {
	return &Desk{perMinute: perMinute, log: log, tokens: burst}
}

// Add gives the desk another receiver.
func (d *Desk) Add(name string, r Receiver) {
	o := &outlet{name: name, receiver: r, queue: make(chan *Alert, queued)}
	d.outlets = append(d.outlets, o)
	d.sending.Go(func() { d.serve(o) })
}

// Judged implements live.Watcher.
func (d *Desk) Judged(j *live.Judgement) {
	for i := range j.News {
		d.tell(about(j, &j.News[i]))
	}
}

// Tick implements live.Watcher: what was withheld is said when there is room again.
func (d *Desk) Tick(s *live.Status) {
	if d.withheld > 0 && d.allowed(s.Now) {
		d.sumUp(s.Now)
	}
}

// Failed returns how many alerts did not reach one of their receivers.
func (d *Desk) Failed() (n uint64) {
	for _, o := range d.outlets {
		n += o.failed.Load()
	}
	return n
}

// Close waits a little for what is queued, and closes the receivers.
func (d *Desk) Close() {
	if d.withheld > 0 {
		d.sumUp(time.Now())
	}
	for _, o := range d.outlets {
		close(o.queue)
	}
	done := make(chan struct{})
	go func() { d.sending.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(goodbye):
		d.log.Warn("alerts not sent: a receiver does not answer")
	}
}

// about makes the alert of a piece of news.
func about(j *live.Judgement, n *live.News) *Alert {
	f := n.Finding
	a := &Alert{
		Schema: Schema, Time: j.Standing.At.UTC(), Kind: n.Kind.String(), Level: f.Level.String(), ID: f.ID(), Verdict: f.Verdict.String(),
		Initiator: f.Initiator.String(), Responder: f.Responder.String(), Transport: f.Proto.String(), Port: f.Port,
		Text: "undocumented: " + report.FindingLine(f),
	}
	switch n.Kind {
	case live.HeartbeatLost:
		a.Level, a.Silent = match.LevelError.String(), n.Since.Seconds()
		a.Text = fmt.Sprintf("heartbeat lost, silent for %v: %s", n.Since.Round(time.Second), report.ConversationLine(f))
	case live.HeartbeatBack:
		a.Level = match.LevelNote.String()
		a.Text = "heartbeat back: " + report.ConversationLine(f)
	}
	return a
}

// tell passes an alert on, or withholds it.
func (d *Desk) tell(a *Alert) {
	if d.withheld > 0 || !d.allowed(a.Time) {
		d.withheld++
		return
	}
	d.pass(a)
}

// sumUp sends the one alert that stands for those withheld.
func (d *Desk) sumUp(now time.Time) {
	d.pass(&Alert{
		Schema: Schema, Time: now.UTC(), Kind: "withheld", Level: match.LevelWarning.String(), Withheld: d.withheld,
		Text: fmt.Sprintf("%d more alerts: see the report", d.withheld),
	})
	d.withheld = 0
}

// allowed takes a token from the bucket, if there is one.
func (d *Desk) allowed(now time.Time) bool {
	if !d.filled.IsZero() {
		d.tokens = min(burst, d.tokens+now.Sub(d.filled).Minutes()*float64(d.perMinute))
	}
	d.filled = now
	if d.tokens < 1 {
		return false
	}
	d.tokens--
	return true
}

// pass queues an alert for every receiver.
func (d *Desk) pass(a *Alert) {
	for _, o := range d.outlets {
		select {
		case o.queue <- a:
		default:
			o.failed.Add(1)
		}
	}
}

// serve sends what is queued for one receiver.
func (d *Desk) serve(o *outlet) {
	for a := range o.queue {
		if err := send(o.receiver, a); err != nil {
			if o.failed.Add(1) == 1 {
				d.log.Warn("alert not sent; the number of those that are not is in the metrics", "to", o.name, "error", err)
			}
		}
	}
	if err := o.receiver.Close(); err != nil {
		d.log.Warn("alerts", "to", o.name, "error", err)
	}
}

// send tries a few times.
func send(r Receiver, a *Alert) (err error) {
	wait := pause
	for i := range attempts {
		if i > 0 {
			time.Sleep(wait)
			wait *= 5
		}
		if err = r.Send(a); err == nil {
			return nil
		}
	}
	return err
}
