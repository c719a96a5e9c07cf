package flowrecord

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at returns a time of 2015-10-21 in nanoseconds since 1970.
func at(clock string) int64 {
	t, err := time.Parse(time.RFC3339Nano, "2015-10-21T"+clock+"Z")
	if err != nil {
		panic(err)
	}
	return t.UnixNano()
}

// differ compares records with their addresses.
func differ(want, got Record) string {
	return cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }))
}

// telnet is what both logs below tell of one connection.
func telnet() Record {
	return Record{
		Src: netip.MustParseAddrPort("203.0.113.99:50000"), Dst: netip.MustParseAddrPort("10.20.0.11:23"), Proto: protoTCP, VLAN: 7,
		Sent:     Side{Packets: 10, Bytes: 8000, First: at("10:00:01.5"), Last: at("10:00:03.5"), Signs: SYN | ACK | Payload | FIN},
		Received: Side{Packets: 9, Bytes: 16000, First: at("10:00:01.500000001"), Last: at("10:00:03.5"), Signs: SYNACK | ACK | Payload | FIN},
	}
}

const zeekHeader = "#separator \\x09\n#unset_field\t-\n#path\tconn\n" +
	"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\tconn_state\thistory\torig_pkts\torig_ip_bytes\tresp_pkts\tresp_ip_bytes\tvlan\n"

func TestZeek(t *testing.T) {
	want := telnet()
	dns := Record{
		Src: netip.MustParseAddrPort("[2001:db8::1]:40000"), Dst: netip.MustParseAddrPort("[2001:db8::53]:53"), Proto: protoUDP,
		Sent: Side{Packets: 1, Bytes: 68, First: at("10:00:00"), Last: at("10:00:00"), Signs: Payload},
	}
	turned := dns
	turned.Sent, turned.Received = Side{}, Side{Packets: 2, Bytes: 290, First: at("10:00:00"), Last: at("10:00:00"), Signs: Payload}
	for _, test := range []struct {
		says string
		line string
		want Record
		why  Skip
		none bool
	}{
		{"a connection", "1445421601.500000\tC2\t203.0.113.99\t50000\t10.20.0.11\t23\ttcp\t2.000000\tSF\tShADadFf\t10\t8000\t9\t16000\t7", want, Kept, false},
		{"a question without an answer", "1445421600.000000\tC1\t2001:db8::1\t40000\t2001:db8::53\t53\tudp\t-\tS0\tD\t1\t68\t0\t0\t-", dns, Kept, false},
		{"an answer alone, turned round by a guess", "1445421600.000000\tC1\t2001:db8::1\t40000\t2001:db8::53\t53\tudp\t-\tSHR\t^d\t0\t0\t2\t290\t-", turned, Kept, false},
		{"JSON", `{"ts":1445421601.5,"id.orig_h":"203.0.113.99","id.orig_p":50000,"id.resp_h":"10.20.0.11","id.resp_p":23,"proto":"tcp","duration":2.0,"history":"ShADadFf","orig_pkts":10,"orig_ip_bytes":8000,"resp_pkts":9,"resp_ip_bytes":16000,"vlan":7}`, want, Kept, false},
		{"JSON with a time in words", `{"ts":"2015-10-21T10:00:01.500000Z","id.orig_h":"203.0.113.99","id.orig_p":50000,"id.resp_h":"10.20.0.11","id.resp_p":23,"proto":"tcp","duration":2.0,"history":"ShADadFf","orig_pkts":10,"orig_ip_bytes":8000,"resp_pkts":9,"resp_ip_bytes":16000,"vlan":7}`, want, Kept, false},
		{"a ping", "1445421600.0\tC3\t10.20.0.5\t8\t10.20.0.11\t0\ticmp\t-\tOTH\t-\t1\t84\t1\t84\t-", Record{}, IgnoredICMP, false},
		{"another protocol", "1445421600.0\tC3\t10.20.0.5\t0\t10.20.0.11\t0\tunknown_transport\t-\tOTH\t-\t1\t84\t1\t84\t-", Record{}, IgnoredProtocol, false},
		{"no packet", "1445421600.0\tC3\t10.20.0.5\t5\t10.20.0.11\t6\ttcp\t-\tOTH\t-\t0\t0\t0\t0\t-", Record{}, IgnoredEmpty, false},
		{"a line that was cut", "1445421600.0\tC3\t10.20.0.5\t5\t10.20.0.11", Record{}, BadFields, false},
		{"no address", "1445421600.0\tC3\tesx01\t5\t10.20.0.11\t6\ttcp\t-\tOTH\t-\t1\t40\t0\t0\t-", Record{}, BadFields, false},
		{"two families", "1445421600.0\tC3\t2001:db8::1\t5\t10.20.0.11\t6\ttcp\t-\tOTH\t-\t1\t40\t0\t0\t-", Record{}, BadFields, false},
		{"too many packets", "1445421600.0\tC3\t10.20.0.5\t5\t10.20.0.11\t6\ttcp\t-\tOTH\t-\t18446744073709551615\t40\t0\t0\t-", Record{}, BadValue, false},
		{"a clock that was never set", "5.0\tC3\t10.20.0.5\t5\t10.20.0.11\t6\ttcp\t-\tOTH\t-\t1\t40\t0\t0\t-", Record{}, BadValue, false},
		{"broken JSON", `{"ts":1445421601.5,`, Record{}, BadLine, false},
		{"a comment", "#close\t2015-10-21-11-00-00", Record{}, Kept, true},
		{"nothing", "", Record{}, Kept, true},
	} {
		t.Run(test.says, func(t *testing.T) {
			var z Zeek
			var r Record
			for line := range strings.Lines(zeekHeader) {
				if _, some := z.Line([]byte(strings.TrimSuffix(line, "\n")), &r); some {
					t.Fatalf("the header has a record: %q", line)
				}
			}
			why, some := z.Line([]byte(test.line), &r)
			if why != test.why || some == test.none {
				t.Fatalf("%v, some: %v; want %v, some: %v", why, some, test.why, !test.none)
			}
			if diff := differ(test.want, r); diff != "" && why == Kept && some {
				t.Error(diff)
			}
		})
	}
}

func TestZeekWithoutAHeaderIsNotGuessed(t *testing.T) {
	var z Zeek
	var r Record
	if why, some := z.Line([]byte("1445421600.0\tC1\t10.0.0.1\t1\t10.0.0.2\t2\ttcp"), &r); why != BadLine || !some {
		t.Errorf("%v, some: %v; want %v", why, some, BadLine)
	}
}

const eveTelnet = `{"timestamp":"2015-10-21T12:01:00.000000+0200","flow_id":1,"event_type":"flow","vlan":[7],"src_ip":"203.0.113.99","src_port":50000,"dest_ip":"10.20.0.11","dest_port":23,"proto":"TCP",` +
	`"flow":{"pkts_toserver":10,"pkts_toclient":9,"bytes_toserver":8000,"bytes_toclient":16000,"start":"2015-10-21T12:00:01.500000+0200","end":"2015-10-21T12:00:03.500000+0200","age":2,"state":"closed"},` +
	`"tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"state":"closed"}}`

func TestEVE(t *testing.T) {
	want := telnet()
	refused := want
	refused.Sent = Side{Packets: 1, Bytes: 60, First: want.Sent.First, Last: want.Sent.Last, Signs: SYN}
	refused.Received = Side{Packets: 1, Bytes: 60, First: want.Received.First, Last: want.Received.Last, Signs: RST}
	for _, test := range []struct {
		says string
		line string
		want Record
		why  Skip
		none bool
	}{
		{"a connection", eveTelnet, want, Kept, false},
		{"one that was refused", strings.NewReplacer(`"tcp_flags_ts":"1b"`, `"tcp_flags_ts":"02"`, `"tcp_flags_tc":"1b"`, `"tcp_flags_tc":"14"`,
			`"pkts_toserver":10,"pkts_toclient":9,"bytes_toserver":8000,"bytes_toclient":16000`, `"pkts_toserver":1,"pkts_toclient":1,"bytes_toserver":60,"bytes_toclient":60`).Replace(eveTelnet), refused, Kept, false},
		{"an alert", `{"timestamp":"2015-10-21T12:01:00.000000+0200","event_type":"alert","src_ip":"1.2.3.4"}`, Record{}, IgnoredEvent, false},
		{"a ping", strings.ReplaceAll(eveTelnet, `"TCP"`, `"ICMP"`), Record{}, IgnoredICMP, false},
		{"another protocol", strings.ReplaceAll(eveTelnet, `"TCP"`, `"SCTP"`), Record{}, IgnoredProtocol, false},
		{"a port that is none", strings.ReplaceAll(eveTelnet, `"dest_port":23`, `"dest_port":70000`), Record{}, BadValue, false},
		{"an address that is none", strings.ReplaceAll(eveTelnet, `10.20.0.11`, `esx01`), Record{}, BadFields, false},
		{"no time", strings.ReplaceAll(eveTelnet, `"start"`, `"began"`), Record{}, BadFields, false},
		{"another object", `{"hello":"world"}`, Record{}, BadLine, false},
		{"no JSON", `hello`, Record{}, BadLine, false},
		{"nothing", "  ", Record{}, Kept, true},
	} {
		t.Run(test.says, func(t *testing.T) {
			var r Record
			why, some := EVE([]byte(test.line), &r)
			if why != test.why || some == test.none {
				t.Fatalf("%v, some: %v; want %v, some: %v", why, some, test.why, !test.none)
			}
			if diff := differ(test.want, r); diff != "" && why == Kept && some {
				t.Error(diff)
			}
		})
	}
}

// FuzzLog holds that no line of a log does harm, and that what is kept is a record that can be.
func FuzzLog(f *testing.F) {
	f.Add([]byte(zeekHeader + "1445421601.500000\tC2\t203.0.113.99\t50000\t10.20.0.11\t23\ttcp\t2.000000\tSF\tShADadFf\t10\t800\t9\t1600\t7\n"))
	f.Add([]byte(eveTelnet))
	f.Add([]byte(`{"ts":1445421601.5,"id.orig_h":"fe80::1%eth0","id.orig_p":1,"id.resp_h":"::ffff:10.0.0.1","id.resp_p":2,"proto":"udp","orig_pkts":1,"resp_pkts":0}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var z Zeek
		for line := range strings.Lines(string(data)) {
			line := []byte(strings.TrimSuffix(line, "\n"))
			var r Record
			if why, some := z.Line(line, &r); why == Kept && some {
				sound(t, &r)
			}
			if why, some := EVE(line, &r); why == Kept && some {
				sound(t, &r)
			}
		}
	})
}

// sound holds what a record that is kept promises.
func sound(t *testing.T, r *Record) {
	t.Helper()
	if byProtocol(r.Proto) != Kept || r.Src.Addr().Is4() != r.Dst.Addr().Is4() || r.Src.Addr().Is4In6() || r.Src.Addr().Zone() != "" || !r.Dst.IsValid() {
		t.Errorf("a record between %v and %v, protocol %d", r.Src, r.Dst, r.Proto)
	}
	if r.Sent.Packets+r.Received.Packets == 0 {
		t.Error("a record without a packet")
	}
	for _, s := range []Side{r.Sent, r.Received} {
		if s.Packets > maxPackets || s.Bytes > maxBytes || s.Last < s.First || s.Packets == 0 && s != (Side{}) {
			t.Errorf("a side %+v", s)
		}
	}
}
