package live

import (
	"time"

	"flowvet/match"
)

// News is what a judgement shows that the one before did not.
type News struct {
	Kind    NewsKind
	Finding *match.Finding
	Since   time.Duration // without a packet, of a heartbeat
}

// NewsKind is what kind of news it is.
type NewsKind uint8

// The kinds of news.
const (
	NewUndocumented NewsKind = iota + 1 // an open undocumented conversation, or one that is back after a long silence
	HeartbeatLost                       // nothing for three periods, while the capture ran
	HeartbeatBack
)

// String returns the kind's stable name, as in an alert.
func (k NewsKind) String() string {
	return [...]string{"", "undocumented", "heartbeat-lost", "heartbeat-back"}[k]
}

// MaxNews caps the conversations that a session remembers to have told of: beyond it a new one is counted and no more.
const MaxNews = 65536

// settling is how old a conversation must be before it is news: a handshake that is under way may be read otherwise when
// its answer is there.
const settling = time.Second

// newsroom tells what is new. The zero value knows nothing yet.
type newsroom struct {
	returns time.Duration    // the silence after which a conversation is news again; 0: never
	told    map[string]int64 // undocumented conversations: when their last packet was, nanoseconds
	lost    map[string]bool  // heartbeats
	untold  int              // conversations beyond MaxNews
}

// read returns what is new in a judgement. last says that no further one comes; blind that the capture sees nothing now, so
// that silence means nothing.
func (n *newsroom) read(j *Judgement, last, blind bool) []News {
	if n.told == nil {
		n.told, n.lost = map[string]int64{}, map[string]bool{}
	}
	news := n.undocumented(j.Result, last)
	if blind {
		return news
	}
	for i := range j.Standing.Heartbeats {
		h := &j.Standing.Heartbeats[i]
		lost := h.Lost()
		if lost == n.lost[h.Finding.ID()] {
			continue
		}
		kind := HeartbeatBack
		if lost {
			kind = HeartbeatLost
			n.lost[h.Finding.ID()] = true
		} else {
			delete(n.lost, h.Finding.ID())
		}
		news = append(news, News{kind, h.Finding, h.Since})
	}
	return news
}

// undocumented returns the conversations that are new, in report order. A scan's members are told of one by one: MaxNews and
// whoever tells them bound how many.
func (n *newsroom) undocumented(r *match.Result, last bool) (news []News) {
	n.untold = 0
	for i, f := range r.Findings.In(match.Undocumented) {
		if f.Disposition.Excepted() || !last && r.Last-f.First < int64(settling) {
			continue
		}
		before, known := n.told[f.ID()]
		if !known && len(n.told) >= MaxNews {
			n.untold++
			continue
		}
		if !known || n.returns > 0 && f.Last-before >= int64(n.returns) {
			news = append(news, News{Kind: NewUndocumented, Finding: r.Findings.At(i)})
		}
		n.told[f.ID()] = f.Last
	}
	return news
}
