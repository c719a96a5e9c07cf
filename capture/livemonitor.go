package capture

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// monitor looks at the counters and at the interface while the readers read.
type monitor struct {
	live *Live
	port *port

	state   LinkState
	lostAt  uint64    // what the interface had counted as lost when last looked at
	looked  time.Time // when the interface was last seen
	sampled time.Time // when the counters last were

	reading sync.Mutex // of what follows
	now     Counters
	until   int64     // nanoseconds since 1970 up to which the counters hold
	blind   *Gap      // lasts still; the others are in now.Gaps
	worst   LinkState // in that gap
}

// samplePeriod is the time between two looks.
const samplePeriod = time.Second

func newMonitor(l *Live, p *port) *monitor {
	now := time.Now()
	m := &monitor{live: l, port: p, looked: now, sampled: now, until: now.UnixNano()}
	if s, err := p.watch.query(); err == nil {
		m.lostAt = s.lost
		_ = m.see(s) // that it is down already is a gap, and no reason not to begin
	}
	return m
}

// run watches until the context is done, or the interface is lost under Exit.
func (m *monitor) run(ctx context.Context) error {
	if m.state == LinkGone || m.state == LinkDown {
		if err := m.lost(); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		due := time.Until(m.sampled.Add(samplePeriod))
		did, some := m.port.watch.wait(min(max(due, 0), pollPatience))
		for _, s := range did {
			m.hear(s)
		}
		if some || due <= 0 {
			if err := m.look(); err != nil {
				return err
			}
		}
		if due <= 0 {
			m.sample(time.Now())
		}
	}
	return nil
}

// look asks what the interface is doing.
func (m *monitor) look() error {
	s, err := m.port.watch.query()
	if err != nil {
		return err
	}
	m.interfaceLost(s.lost)
	return m.see(s)
}

// interfaceLost counts what the interface lost. One that came back counts from nought.
func (m *monitor) interfaceLost(lost uint64) {
	m.reading.Lock()
	defer m.reading.Unlock()
	if lost >= m.lostAt {
		m.now.InterfaceDropped += lost - m.lostAt
	} else {
		m.now.InterfaceDropped += lost
	}
	m.lostAt = lost
}

// hear notes what the interface did, which may be over by now.
func (m *monitor) hear(s linkStatus) {
	switch {
	case s.Index != m.port.index: // up or not, nothing is captured from it yet
		m.goBlind(LinkGone)
	case s.State != LinkUp:
		m.goBlind(s.State)
	}
}

// see notes what the interface is doing, and captures from it again where it was deleted and has come back.
func (m *monitor) see(s linkStatus) error {
	if s.State == LinkUp && s.Index != m.port.index {
		m.goBlind(LinkGone)
		if err := m.live.again(s.Index); err != nil {
			m.note("the interface is back, and cannot be captured from: " + err.Error())
			s.State = LinkGone
		}
	}
	m.state = s.State
	now := time.Now()
	defer func() { m.looked = now }()
	switch s.State {
	case LinkUp:
		m.seeAgain(now)
		return nil
	case LinkNoCarrier:
		m.goBlind(s.State)
		return nil
	}
	m.goBlind(s.State)
	return m.lost()
}

// lost ends the run where that is wanted.
func (m *monitor) lost() error {
	if m.live.opt.OnLost == Exit {
		return &lostError{m.live.opt.Interface, m.state}
	}
	return nil
}

// goBlind begins a gap, at the last time the interface was seen up. Its reason is the worst of it: an interface that comes up again is without
// carrier first.
func (m *monitor) goBlind(s LinkState) {
	m.reading.Lock()
	defer m.reading.Unlock()
	m.now.Link = s
	if m.blind == nil {
		m.blind, m.worst = &Gap{From: m.looked.UnixNano(), To: m.looked.UnixNano()}, LinkUp
	}
	m.worst = max(m.worst, s)
	m.blind.Reason = m.worst.String()
}

// seeAgain ends the gap.
func (m *monitor) seeAgain(now time.Time) {
	m.reading.Lock()
	defer m.reading.Unlock()
	m.now.Link = LinkUp
	if m.blind != nil {
		m.blind.To = now.UnixNano()
		m.gap(*m.blind)
		m.blind = nil
	}
}

// gap adds a gap that is over. Where there are too many, the last one grows to hold it.
func (m *monitor) gap(g Gap) {
	n := len(m.now.Gaps)
	if n > 0 {
		last := &m.now.Gaps[n-1]
		goesOn := last.Lost > 0 && g.Lost > 0 && last.To == g.From
		switch {
		case goesOn:
			last.To, last.Lost, last.Offered = g.To, last.Lost+g.Lost, last.Offered+g.Offered
			return
		case n >= MaxGaps-1:
			last.From, last.To = min(last.From, g.From), max(last.To, g.To)
			last.Lost, last.Offered, last.Reason = 0, 0, "several gaps"
			return
		}
	}
	m.now.Gaps = append(m.now.Gaps, g)
}

// note says something once.
func (m *monitor) note(text string) {
	m.reading.Lock()
	defer m.reading.Unlock()
	if !slices.Contains(m.now.Notes, text) {
		m.now.Notes = append(m.now.Notes, text)
	}
}

// sample reads the counters.
func (m *monitor) sample(now time.Time) {
	var received, dropped, taken uint64
	for _, r := range m.live.readers {
		in, out := r.counts()
		received, dropped, taken = received+in, dropped+out, taken+r.read.Load()
	}
	for _, text := range m.port.said() {
		m.note(text)
	}
	m.reading.Lock()
	defer m.reading.Unlock()
	n := &m.now
	second := Second{At: now.UnixNano(), Received: received - n.Received, Dropped: dropped - n.KernelDropped}
	if second.Dropped > 0 {
		m.gap(Gap{
			From: m.sampled.UnixNano(), To: second.At, Reason: "packets dropped by the kernel",
			Lost: second.Dropped, Offered: second.Received,
		})
	}
	n.Received, n.KernelDropped, n.Taken = received, dropped, taken
	if len(n.History) >= MaxHistory {
		n.History = append(n.History[:0], n.History[1:]...)
	}
	n.History = append(n.History, second)
	if m.blind != nil {
		m.blind.To = second.At
	}
	m.until = second.At
	m.sampled = now
}

// finish reads the counters once more, when all is read.
func (m *monitor) finish() {
	if s, err := m.port.watch.query(); err == nil {
		m.interfaceLost(s.lost)
	}
	m.sample(time.Now())
}

// counters returns a copy of the counters, and the time up to which they hold.
func (m *monitor) counters() (n Counters, until int64) {
	m.reading.Lock()
	defer m.reading.Unlock()
	n = m.now
	n.History, n.Gaps, n.Notes = slices.Clone(n.History), slices.Clone(n.Gaps), slices.Clone(n.Notes)
	if m.blind != nil {
		n.Gaps = append(n.Gaps, *m.blind)
	}
	slices.SortStableFunc(n.Gaps, func(a, b Gap) int { return cmp.Compare(a.From, b.From) })
	return n, m.until
}

// close gives back what the port has open.
func (m *monitor) close() error { return m.port.close() }
