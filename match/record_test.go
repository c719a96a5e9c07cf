package match

import (
	"testing"

	"flowvet/capture"
)

func TestARecordNeverSaysUnanswered(t *testing.T) {
	witnessed := seen{forward: true, reverse: true, end: func(ns int64) int64 { return ns + 1e12 }}
	for _, test := range []struct {
		says            string
		proto           capture.Proto
		sent, received  capture.Signs
		answered        bool
		packets, record Outcome
	}{
		{"a SYN to which nothing came back", capture.TCP, capture.SYN, 0, false, Unanswered, OneSided},
		{"a SYN to which something came back", capture.TCP, capture.SYN, 0, true, Unanswered, Pending},
		{"a SYN and a reset", capture.TCP, capture.SYN, capture.RST, true, Refused, Refused},
		{"a datagram to which nothing came back", capture.UDP, 0, 0, false, Unanswered, OneSided},
		{"packets both ways", capture.TCP, capture.ACK, capture.ACK, true, Success, Success},
	} {
		i, r := capture.Side{Packets: 1, Signs: test.sent}, capture.Side{}
		if test.answered {
			r = capture.Side{Packets: 1, Signs: test.received}
		}
		if got := happened(test.proto, &i, &r, witnessed).outcome; got != test.packets {
			t.Errorf("%s, in packets: %v, want %v", test.says, got, test.packets)
		}
		i.Signs |= capture.Recorded
		if test.answered {
			r.Signs |= capture.Recorded
		}
		if got := happened(test.proto, &i, &r, witnessed).outcome; got != test.record {
			t.Errorf("%s, in records: %v, want %v", test.says, got, test.record)
		}
	}
}

func TestARecordOfACenturyIsTriedOnce(t *testing.T) {
	f := &conv{Last: 4e18, together: true, Qualifiers: FlowRecords}
	if tried := f.tried(); len(tried) != 1 || tried[0] != (capture.Run{}) {
		t.Errorf("tried in %v, want in the first second", tried)
	}
}
