package report

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"flowvet/capture"
	"flowvet/match"
)

// flooded is a result whose table had to make room, and whose scan has more members than findings.
func flooded() *match.Result {
	r := newLab().result()
	r.MaxFlows = 1_000_000
	r.Stats.FoldedFlows, r.Stats.FoldedPackets, r.Stats.Evictions = 36, 72, 7
	r.Stats.Flowed += r.Stats.FoldedPackets
	r.Stats.Read += r.Stats.FoldedPackets
	for i := range uint16(11) {
		r.Folded = append(r.Folded, match.Folded{
			FoldKey: capture.FoldKey{From: netip.MustParsePrefix("20.1.1.0/24"), Port: 4000 + i, Proto: capture.TCP, Sign: capture.FoldSYNOnly},
			Fold:    capture.Fold{Flows: 3, Packets: 6, Bytes: 360, First: 1e18, Last: 1e18 + 5e9},
		})
	}
	r.Folded = append(r.Folded, match.Folded{FoldKey: capture.FoldKey{Proto: capture.UDP}, Fold: capture.Fold{Flows: 3, Packets: 6}})
	r.Scans[0].Rest = match.Rest{Conversations: 16_000_000, Flows: 16_000_000, Packets: 32_000_000, Bytes: 1_920_000_000}
	r.Scans[0].Rest.Outcomes[match.Refused] = 16_000_000
	return r
}

func TestHeaderSaysThatTheTableWasFull(t *testing.T) {
	var out bytes.Buffer
	if err := Text(&out, flooded(), Options{Width: 200, Verbose: true}); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"FLOW TABLE FULL: the flow table holds 1000000 flows (--max-flows), and had to make room 7 times: 36 flows with 72 packets",
		"20.1.1.0/24 -> 4000/tcp: 3 flows, 6 packets, syn-only",
		"20.1.1.0/24 -> 4009/tcp",
		"… and 2 smaller totals",
		"+ 72 folded +",
		"16000003 conversations, 32000066 packets; all refused",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "4010/tcp") {
		t.Error("more than ten totals are listed")
	}
}

func TestHeaderSaysThatPausesWereLost(t *testing.T) {
	r := newLab().result()
	r.Stats.SecondsJoined = 3
	var out bytes.Buffer
	if err := Text(&out, r, Options{Width: 300}); err != nil {
		t.Fatal(err)
	}
	if want := "3 times a flow kept its first and last second only. Nothing is called absent there."; !strings.Contains(out.String(), want) {
		t.Errorf("%q is missing in:\n%s", want, out.String())
	}
}

func TestJSONHoldsEveryTotal(t *testing.T) {
	var out bytes.Buffer
	if err := JSON(&out, flooded(), Options{}); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		MaxFlows int `json:"max_flows"`
		Folded   []jsonFold
		Scans    []jsonScan
		Stats    jsonStats
	}
	if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.MaxFlows != 1_000_000 || len(doc.Folded) != 12 || doc.Stats.FoldedFlows != 36 || doc.Scans[0].Rest.Conversations != 16_000_000 {
		t.Errorf("max_flows %d, %d totals, stats %+v, scan %+v", doc.MaxFlows, len(doc.Folded), doc.Stats, doc.Scans[0])
	}
	if last := doc.Folded[11]; last.From != "" || last.Transport != "udp" || last.Packets != 6 {
		t.Errorf("the rest is %+v", last)
	}
}
