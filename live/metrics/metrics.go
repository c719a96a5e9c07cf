// Package metrics serves a live run's figures to a Prometheus server, and whether it is well, over HTTP.
//
// It is read-only and small: GET and HEAD of /metrics and /healthz, time-outs on everything, a bounded number of
// connections, and a Host header that must be the address itself, so that no web page can ask through somebody's browser. An
// answer is made of a copy: a slow client holds nothing up.
package metrics

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"flowvet/capture"
	"flowvet/live"
	"flowvet/match"
)

// Page holds the figures as of the last second. It is a live.Watcher.
type Page struct {
	Alerts func() uint64 // alerts that failed; nil: there are none to send

	lock    sync.Mutex
	figures []byte
	ticked  time.Time
	health  string // why the run is not well; empty: it is
}

// Judged implements live.Watcher: the next tick shows it.
func (p *Page) Judged(*live.Judgement) {}

// Tick implements live.Watcher.
func (p *Page) Tick(s *live.Status) {
	text := p.render(s)
	p.lock.Lock()
	defer p.lock.Unlock()
	p.figures, p.ticked, p.health = text, s.Now, ailment(s)
}

// ailment says why a run is not well; empty: it is.
func ailment(s *live.Status) string {
	switch {
	case s.Counters.Link != capture.LinkUp:
		return "capturing nothing: " + s.Counters.Link.String()
	case s.Trouble != nil:
		return "the report that is due cannot be written"
	}
	return ""
}

// silence is how long a run may not tick before it is not well.
const silence = 30 * time.Second

// text returns the figures; health whether the run is well, and why not.
func (p *Page) text() []byte {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.figures
}

func (p *Page) wellbeing() (string, bool) {
	p.lock.Lock()
	defer p.lock.Unlock()
	switch {
	case p.ticked.IsZero():
		return "starting", false
	case time.Since(p.ticked) > silence:
		return "standing still", false
	case p.health != "":
		return p.health, false
	}
	return "ok", true
}

// page is the Prometheus text format, version 0.0.4, being written.
type page struct{ bytes.Buffer }

// family begins a metric.
func (b *page) family(name, kind, help string) {
	fmt.Fprintf(b, "# HELP flowvet_%s %s\n# TYPE flowvet_%s %s\n", name, help, name, kind)
}

// sample writes one value; labels are pairs of name and value.
func (b *page) sample(name string, value float64, labels ...string) {
	b.WriteString("flowvet_" + name)
	for i := 0; i < len(labels); i += 2 {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0] + labels[i] + "=" + quoted(labels[i+1]))
	}
	if len(labels) > 0 {
		b.WriteByte('}')
	}
	b.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

// one writes a metric that has one value.
func (b *page) one(name, kind, help string, value float64) {
	b.family(name, kind, help)
	b.sample(name, value)
}

// quoted writes the value of a label.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// render writes all figures.
func (p *Page) render(s *live.Status) []byte {
	var b page
	c := &s.Counters
	b.one("packets_total", "counter", "Packets captured.", float64(c.Taken))
	b.family("dropped_packets_total", "counter", "Packets that were not captured, by who dropped them.")
	b.sample("dropped_packets_total", float64(c.KernelDropped), "by", "kernel")
	b.sample("dropped_packets_total", float64(c.InterfaceDropped), "by", "interface")
	b.one("interface_up", "gauge", "Whether the interface is there and up.", truth(c.Link == capture.LinkUp))
	b.one("gaps_total", "counter", "Times in which nothing, or not everything, was captured.", float64(len(c.Gaps)))
	b.one("start_time_seconds", "gauge", "When the run began, in seconds since 1970.", seconds(s.Started))
	b.family("reloads_total", "counter", "Reloads of catalogue, inventory and exceptions, by result.")
	b.sample("reloads_total", float64(s.Reloads), "result", "loaded")
	b.sample("reloads_total", float64(s.ReloadsFailed), "result", "failed")
	b.one("reports_total", "counter", "Reports written.", float64(s.Published))
	b.one("reports_missed_total", "counter", "Reports that could not be written at their time.", float64(s.Missed))
	b.one("last_report_time_seconds", "gauge", "When the last report was written, in seconds since 1970; 0: not yet.", seconds(s.LastPublished))
	if p.Alerts != nil {
		b.one("alerts_failed_total", "counter", "Alerts that did not reach a receiver.", float64(p.Alerts()))
	}
	if s.Last != nil {
		b.judgement(s.Last)
	}
	return b.Bytes()
}

// judgement writes the figures of the last judgement.
func (b *page) judgement(at *live.Standing) {
	b.one("bytes_total", "counter", "Bytes on the wire of the packets judged.", float64(at.Bytes))
	b.one("judged_packets_total", "counter", "Packets that the last judgement is about.", float64(at.Packets))
	b.one("flows", "gauge", "Flows told apart.", float64(at.Flows))
	b.one("folded_flows_total", "counter", "Flows that the table had no room for.", float64(at.Folded))
	b.one("judgement_seconds", "gauge", "How long the last judgement took.", at.Took.Seconds())
	b.one("judgement_time_seconds", "gauge", "When the last judgement was made, in seconds since 1970.", seconds(at.At))
	b.one("status", "gauge", "The exit status that the run would have by the last judgement.", float64(at.Status))

	b.family("conversations", "gauge", "Conversations, by verdict.")
	for v := match.VerdictDocumented; v <= match.UnlistedPort; v++ {
		b.sample("conversations", float64(at.Conversations[v]), "verdict", v.String(), "bucket", v.Bucket().String())
	}
	b.family("expectations", "gauge", "Expectations, by verdict.")
	for v := match.NotApplicable; v <= match.NotObservable; v++ {
		b.sample("expectations", float64(at.Expectations[v]), "verdict", v.String(), "bucket", v.Bucket().String())
	}
	lost := 0
	for i := range at.Heartbeats {
		if at.Heartbeats[i].Lost() {
			lost++
		}
	}
	b.one("heartbeats", "gauge", "Heartbeats that were seen.", float64(len(at.Heartbeats)))
	b.one("heartbeats_lost", "gauge", "Of these, how many are silent for more than three periods.", float64(lost))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// seconds is a time since 1970; 0 for none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
