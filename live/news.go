package live

import (
	"net/netip"
	"time"

	"flowvet/capture"
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
	returns time.Duration      // the silence after which a conversation is news again; 0: never
	told    map[identity]int64 // undocumented conversations: when their last packet was, nanoseconds
	lost    map[identity]bool  // heartbeats
}

// identity tells conversations apart as their ids do, for a tenth of the time: a million of them are asked for at each judgement.
type identity struct {
	initiator, responder netip.Addr // no responder: groups
	segment              capture.Segment
	proto                capture.Proto
	port                 uint16
}

func identityOf(c *match.Conversation) identity {
	i := identity{c.Initiator, c.Responder, c.Segment, c.Proto, c.Port}
	if len(c.Groups) > 0 {
		i.responder = netip.Addr{}
	}
	return i
}

// read returns what is new in a judgement, and whether conversations are not told of. last says that no further one comes; blind
// that the capture sees nothing now, so that silence means nothing.
func (n *newsroom) read(j *Judgement, last, blind bool) (news []News, untold bool) {
	if n.told == nil {
		n.told, n.lost = map[identity]int64{}, map[identity]bool{}
	}
	news, untold = n.undocumented(j.Result, last)
	if blind {
		return news, untold
	}
	for i := range j.Standing.Heartbeats {
		h := &j.Standing.Heartbeats[i]
		lost, id := h.Lost(), identityOf(&h.Finding.Conversation)
		if lost == n.lost[id] {
			continue
		}
		kind := HeartbeatBack
		if lost {
			kind = HeartbeatLost
			n.lost[id] = true
		} else {
			delete(n.lost, id)
		}
		news = append(news, News{kind, h.Finding, h.Since})
	}
	return news, untold
}

// undocumented returns the conversations that are new, in report order, and whether there are any beyond MaxNews. A scan's members are told
// of one by one: MaxNews and whoever tells them bound how many.
func (n *newsroom) undocumented(r *match.Result, last bool) (news []News, untold bool) {
	for i, f := range r.Findings.In(match.Undocumented) {
		if f.Disposition.Excepted() || !last && r.Last-f.First < int64(settling) {
			continue
		}
		id := identityOf(&f.Conversation)
		before, known := n.told[id]
		if !known && len(n.told) >= MaxNews {
			untold = true
			if last { // what is known of those told of is of no use any more
				break
			}
			continue
		}
		if !known || n.returns > 0 && f.Last-before >= int64(n.returns) {
			news = append(news, News{Kind: NewUndocumented, Finding: r.Findings.At(i)})
		}
		n.told[id] = f.Last
	}
	return news, untold
}
