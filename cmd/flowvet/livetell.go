package main

import (
	"os"
	"time"

	"flowvet/live"
	"flowvet/live/alert"
	"flowvet/live/evidence"
	"flowvet/live/metrics"
	"flowvet/live/systemd"
)

// tellFlags say who else is told of a live run, and what is kept of its packets.
type tellFlags struct {
	alerts    []string
	alertRate int
	realert   time.Duration
	metrics   string
	remote    bool
	evidence  string
	size      string
	payload   bool
}

// bind registers the flags.
func (f *tellFlags) bind(flags *flagSet) {
	flags.StringArrayVar(&f.alerts, "alert", nil, "tell `WHOM` of new undocumented conversations and lost heartbeats: "+alert.Forms+" (repeatable)")
	flags.IntVar(&f.alertRate, "alert-rate", 60, "at most `N` alerts a minute, the rest summed up in one (default 60)")
	flags.DurationVar(&f.realert, "realert", 24*time.Hour, "tell of an undocumented conversation again when it returns after this `TIME` of silence")
	flags.StringVar(&f.metrics, "metrics", "", "serve /metrics for Prometheus and /healthz at `HOST:PORT`, such as 127.0.0.1:9477")
	flags.BoolVar(&f.remote, "metrics-remote", false, "let --metrics listen on an address that others can reach")
	flags.StringVar(&f.evidence, "evidence", "", "keep the first packets of each undocumented conversation in `FILE` (pcapng), headers only")
	flags.StringVar(&f.size, "evidence-size", "16MiB", "keep at most `SIZE` of them, the newest conversations")
	flags.BoolVar(&f.payload, "evidence-payload", false, "keep what --snaplen takes of them, payload too")
}

// teller is everybody who is told.
type teller struct {
	desk     *alert.Desk
	server   *metrics.Server
	recorder *evidence.Recorder
	notifier *systemd.Notifier
	watchers []live.Watcher
}

// newTeller opens what the flags ask for: every socket and file that is needed later.
func (p *program) newTeller(f *tellFlags, v *view) (t *teller, err error) {
	t = &teller{}
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	if t.notifier, err = systemd.Open(os.Getenv); err != nil {
		return t, err
	}
	if t.notifier != nil {
		t.watchers = append(t.watchers, t.notifier)
	}
	if err := t.addAlerts(p, f, v); err != nil {
		return t, err
	}
	if err := t.addEvidence(f, v); err != nil {
		return t, err
	}
	return t, t.addMetrics(f)
}

func (t *teller) addAlerts(p *program, f *tellFlags, v *view) error {
	switch {
	case f.alertRate < 1:
		return usagef("--alert-rate: %d: one a minute at least", f.alertRate)
	case len(f.alerts) == 0:
		return nil
	}
	t.desk = alert.NewDesk(f.alertRate, v.log)
	for _, text := range f.alerts {
		to, err := alert.Open(text, v.messages(p))
		if err != nil {
			return usagef("--alert %v", err)
		}
		t.desk.Add(text, to)
	}
	t.watchers = append(t.watchers, t.desk)
	return nil
}

func (t *teller) addEvidence(f *tellFlags, v *view) error {
	if f.evidence == "" {
		return nil
	}
	size, err := evidenceSize(f.size)
	if err != nil {
		return err
	}
	if err := writable(f.evidence); err != nil {
		return outputError{err}
	}
	t.recorder = evidence.New(f.evidence, size, f.payload, v.log)
	t.watchers = append(t.watchers, t.recorder)
	return nil
}

func (t *teller) addMetrics(f *tellFlags) (err error) {
	if f.metrics == "" {
		return nil
	}
	page := &metrics.Page{}
	if t.desk != nil {
		page.Alerts = t.desk.Failed
	}
	if t.server, err = metrics.Listen(f.metrics, f.remote, page); err != nil {
		return usagef("--metrics: %v", err)
	}
	t.watchers = append(t.watchers, page)
	return nil
}

// close tells everybody that the run is over.
func (t *teller) close() {
	if t.desk != nil {
		t.desk.Close()
	}
	if t.recorder != nil {
		t.recorder.Close()
	}
	if t.server != nil {
		_ = t.server.Close() // nobody is left to tell
	}
	_ = t.notifier.Close()
}
