package live

import (
	"fmt"
	"log/slog"
	"time"

	"flowvet/capture"
	"flowvet/report"
)

// Journal logs what a person who is not watching needs to know afterwards: news, loss, the state of the interface, and how
// things stand at each publication.
type Journal struct {
	Log *slog.Logger

	link     capture.LinkState
	lost     uint64    // told of
	lostAt   time.Time // when
	notes    int       // told of
	news     int       // told of since newsAt
	newsAt   time.Time
	withheld int // news that were not told one by one
	full     bool
}

const (
	lossPause = 10 * time.Second // between two lines about loss
	newsPause = 10 * time.Second // in which at most newsMost lines tell of news
	newsMost  = 20
)

// Judged implements Watcher.
func (j *Journal) Judged(now *Judgement) {
	for i := range now.News {
		j.tell(now.Standing.At, &now.News[i])
	}
	if now.Untold && !j.full {
		j.full = true
		j.Log.Warn("too many undocumented conversations to tell of: further ones are in the report only", "told", MaxNews)
	}
	if now.Cause == "" {
		return
	}
	s := now.Standing
	j.Log.Info("report", "cause", string(now.Cause), "status", s.Status, "met", s.Met, "wanted", s.Wanted,
		"undocumented", s.Counts.Undocumented, "absent", s.Counts.Absent, "unjudged", s.Counts.CouldNotJudge+s.Counts.Indeterminate,
		"packets", s.Packets, "took", s.Took.Round(time.Millisecond))
}

// tell logs one piece of news, unless there were many just now.
func (j *Journal) tell(now time.Time, n *News) {
	if now.Sub(j.newsAt) >= newsPause {
		if j.withheld > 0 {
			j.Log.Warn("more of the same", "lines", j.withheld)
		}
		j.news, j.newsAt, j.withheld = 0, now, 0
	}
	if j.news++; j.news > newsMost {
		j.withheld++
		return
	}
	line := report.ConversationLine(n.Finding)
	switch n.Kind {
	case NewUndocumented:
		j.Log.Warn("undocumented", "conversation", line, "verdict", n.Finding.Verdict.String(), "level", n.Finding.Level.String(), "id", n.Finding.ID())
	case HeartbeatLost:
		j.Log.Warn("heartbeat lost", "conversation", line, "silent", n.Since.Round(time.Second), "id", n.Finding.ID())
	case HeartbeatBack:
		j.Log.Info("heartbeat back", "conversation", line, "id", n.Finding.ID())
	}
}

// Tick implements Watcher.
func (j *Journal) Tick(s *Status) {
	c := &s.Counters
	for ; j.notes < len(c.Notes); j.notes++ {
		j.Log.Warn(c.Notes[j.notes])
	}
	if c.Link != j.link {
		j.link = c.Link
		if c.Link == capture.LinkUp {
			j.Log.Info("the interface is up")
		} else {
			j.Log.Error("capturing nothing", "reason", c.Link.String())
		}
	}
	part, lost := Lost(c)
	if lost > j.lost && s.Now.Sub(j.lostAt) >= lossPause {
		j.Log.Warn("packets lost", "since", lost-j.lost, "kernel", c.KernelDropped, "interface", c.InterfaceDropped, "part", fmt.Sprintf("%.3f %%", 100*part))
		j.lost, j.lostAt = lost, s.Now
	}
}
