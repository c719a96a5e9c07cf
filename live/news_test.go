package live

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/match"
)

// TestNewsIsBounded gives a session more undocumented conversations than it remembers, twice.
func TestNewsIsBounded(t *testing.T) {
	const beyond = 7
	var findings []*match.Finding
	for i := range MaxNews + beyond {
		findings = append(findings, &match.Finding{Verdict: match.UnlistedPort, Conversation: match.Conversation{
			Initiator: netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000|uint32(i)))),
			Responder: netip.MustParseAddr("10.20.0.11"), Proto: capture.TCP, Port: 23,
		}})
	}
	r := &match.Result{Findings: match.FindingsOf(findings...), Last: int64(time.Minute)}
	var n newsroom
	for _, want := range []int{MaxNews, 0} {
		news, untold := n.read(&Judgement{Result: r, Standing: &Standing{}}, want == 0, false)
		if len(news) != want || !untold {
			t.Errorf("%d are news, others untold %v; want %d, and to know of others", len(news), untold, want)
		}
	}
}

// TestNewsTellsConversationsApartAsTheirIDsDo changes one thing of a conversation at a time.
func TestNewsTellsConversationsApartAsTheirIDsDo(t *testing.T) {
	base := match.Conversation{
		Initiator: netip.MustParseAddr("10.20.0.12"), Responder: netip.MustParseAddr("10.20.0.11"), Proto: capture.TCP, Port: 23,
	}
	group, other := netip.MustParseAddr("239.1.1.1"), netip.MustParseAddr("239.1.1.2")
	all := map[string]func(*match.Conversation){
		"the same":                  func(*match.Conversation) {},
		"more packets":              func(c *match.Conversation) { c.Sent.Packets = 7 },
		"another initiator":         func(c *match.Conversation) { c.Initiator = netip.MustParseAddr("10.20.0.13") },
		"another responder":         func(c *match.Conversation) { c.Responder = netip.MustParseAddr("10.20.0.13") },
		"UDP":                       func(c *match.Conversation) { c.Proto = capture.UDP },
		"another port":              func(c *match.Conversation) { c.Port = 22 },
		"a VLAN":                    func(c *match.Conversation) { c.Segment = 8 },
		"a group":                   func(c *match.Conversation) { c.Responder, c.Groups = group, []netip.Addr{group} },
		"another group of the same": func(c *match.Conversation) { c.Responder, c.Groups = other, []netip.Addr{other, group} },
	}
	for a, changeA := range all {
		for b, changeB := range all {
			ca, cb := base, base
			changeA(&ca)
			changeB(&cb)
			if same := identityOf(&ca) == identityOf(&cb); same != (ca.ID() == cb.ID()) {
				t.Errorf("%q and %q: same %v by identity, %v by id", a, b, same, !same)
			}
		}
	}
}
