package capturetest

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/gopacket/layers"
)

const cast = `
host E1 10.0.0.11
host V  10.0.0.5
host R  10.0.0.1 mac=00:50:56:00:00:01
host E6 fd00::11
host V6 fd00::5
`

// everything has a line of each kind.
const everything = cast + `
0         arp E1 > V reply
0.1       garp E1
0.2       rarp E1
0..40/10  E1:* > V:39902/udp 334
1         E1:40000 > V:39053/udp 40 answer 90
2         E1:40001 > V:39443/tcp session 2000 5000
3         E1:40002 > V:39443/tcp refused
4         E1:40003 > V:39443/tcp midstream 10 20
5         E1:40004 > V:39444/tcp open 10 20
6         E1:40005 > V:39445/tcp handshake
7         E1:40006 > V:39902/udp 100
7.1       icmp R > E1 port-unreachable E1:40006 > V:39902/udp
7.2       icmp R > E1 host-unreachable E1:40007 > V:39022/tcp
8         ping E1 > V
9         ping E6 > V6
10        E6:40000 > V6:39053/udp 40 answer 90
11        E6:40001 > V6:39443/tcp session 100 100
11.1      E6:40002 > V6:39009/udp 10
11.2      icmp V6 > E6 port-unreachable E6:40002 > V6:39009/udp
12        E1:40010 > V:39049/udp 4000
13        E6:40010 > V6:39049/udp 4000
14        E1:39427 > 239.255.255.253:39427/udp 50
15        E1:39138 > 10.0.0.255:39138/udp 50
16        E1:39005 > V:39006/udp 10 vlan=10 dup=routed
17        E1:39005 > V:39006/udp 10 vlan=20,10
18        E1:39007 > V:39008/udp 100 snap=60
19        ip E1 > V 89 44
20        ether E1 0x88b5 40
end 60
`

func TestStoryLines(t *testing.T) {
	for _, tc := range []struct {
		line string
		want string // a frame a line: time, what Ethernet and IP carry
	}{
		{"0 arp E1 > V", `
0s arp ff:ff:ff:ff:ff:ff who-has 10.0.0.5 tell 10.0.0.11`},
		{"0 arp E1 > V reply", `
0s arp ff:ff:ff:ff:ff:ff who-has 10.0.0.5 tell 10.0.0.11
1ms arp 02:00:0a:00:00:0b reply 10.0.0.5`},
		{"1 garp R", `
1s arp ff:ff:ff:ff:ff:ff who-has 10.0.0.1 tell 10.0.0.1`},
		{"1 rarp E1", `
1s ethertype 0x8035 to ff:ff:ff:ff:ff:ff`},
		{"0.5 ether E1 0x88cc 40", `
500ms ethertype 0x88cc to ff:ff:ff:ff:ff:ff`},
		{"0 ping E1 > V", `
0s 10.0.0.11 > 10.0.0.5 icmp EchoRequest
1ms 10.0.0.5 > 10.0.0.11 icmp EchoReply`},
		{"0 ping E6 > V6 lost", `
0s fd00::11 > fd00::5 icmp6 EchoRequest`},
		{"0 ip E1 > V 47 100", `
0s 10.0.0.11 > 10.0.0.5 protocol 47`},
		{"0..20/10 E1:* > V:902/udp 334", `
0s 10.0.0.11:49152 > 10.0.0.5:902 udp 334
10s 10.0.0.11:49153 > 10.0.0.5:902 udp 334
20s 10.0.0.11:49154 > 10.0.0.5:902 udp 334`},
		{"3 E1:* > V:53/udp 40 answer 90", `
3s 10.0.0.11:49152 > 10.0.0.5:53 udp 40
3.002s 10.0.0.5:53 > 10.0.0.11:49152 udp 90`},
		{"0 E1:138 > 10.0.0.255:138/udp 5", `
0s 10.0.0.11:138 > 10.0.0.255:138 udp 5 to ff:ff:ff:ff:ff:ff`},
		{"0 E1:427 > 239.255.255.253:427/udp 5", `
0s 10.0.0.11:427 > 239.255.255.253:427 udp 5 to 01:00:5e:7f:ff:fd`},
		{"0 E6:427 > [ff02::1]:427/udp 5", `
0s [fd00::11]:427 > [ff02::1]:427 udp 5 to 33:33:00:00:00:01`},
		{"0 E1:9 > V:9/udp 5 cast", `
0s 10.0.0.11:9 > 10.0.0.5:9 udp 5 to ff:ff:ff:ff:ff:ff`},
		{"0 E1:9 > R:9/udp 5 ttl=3 vlan=20,10", `
0s vlan 20 vlan 10 10.0.0.11:9 > 10.0.0.1:9 udp 5 ttl 3 to 00:50:56:00:00:01`},
		{"0 E1:9 > V:9/udp 5 dup", `
0s 10.0.0.11:9 > 10.0.0.5:9 udp 5
10µs 10.0.0.11:9 > 10.0.0.5:9 udp 5`},
		{"0 E1:9 > V:9/udp 5 vlan=10 dup=routed", `
0s vlan 10 10.0.0.11:9 > 10.0.0.5:9 udp 5
10µs vlan 11 10.0.0.11:9 > 10.0.0.5:9 udp 5 ttl 63`},
		{"0 E1:9 > V:9/udp 3000", `
0s 10.0.0.11 > 10.0.0.5 fragment 0+1480 more
0s 10.0.0.11 > 10.0.0.5 fragment 1480+1480 more
0s 10.0.0.11 > 10.0.0.5 fragment 2960+48`},
		{"0 E1:9 > V:9/udp 3000 frag=first", `
0s 10.0.0.11 > 10.0.0.5 fragment 0+1480 more`},
		{"0 E1:9 > V:9/udp 3000 frag=later", `
0s 10.0.0.11 > 10.0.0.5 fragment 1480+1480 more
0s 10.0.0.11 > 10.0.0.5 fragment 2960+48`},
		{"0 E6:9 > V6:9/udp 3000 frag=later", `
0s fd00::11 > fd00::5 fragment 1448+1448 more
0s fd00::11 > fd00::5 fragment 2896+112`},
		{"0 E1:9 > V:9/udp 3000 mtu=9000", `
0s 10.0.0.11:9 > 10.0.0.5:9 udp 3000`},
		{"0 E1:9 > V:80/tcp handshake pace=0.02", `
0s 10.0.0.11:9 > 10.0.0.5:80 tcp S 0+0
20ms 10.0.0.5:80 > 10.0.0.11:9 tcp SA 0+0 ack 1
40ms 10.0.0.11:9 > 10.0.0.5:80 tcp A 1+0 ack 1`},
		{"0 E1:9 > V:80/tcp refused", `
0s 10.0.0.11:9 > 10.0.0.5:80 tcp S 0+0
1ms 10.0.0.5:80 > 10.0.0.11:9 tcp RA 0+0 ack 1`},
		{"0 E1:9 > V:80/tcp session 3000 100", `
0s 10.0.0.11:9 > 10.0.0.5:80 tcp S 0+0
1ms 10.0.0.5:80 > 10.0.0.11:9 tcp SA 0+0 ack 1
2ms 10.0.0.11:9 > 10.0.0.5:80 tcp A 1+0 ack 1
3ms 10.0.0.11:9 > 10.0.0.5:80 tcp A 1+1460 ack 1
4ms 10.0.0.11:9 > 10.0.0.5:80 tcp A 1461+1460 ack 1
5ms 10.0.0.5:80 > 10.0.0.11:9 tcp A 1+0 ack 2921
6ms 10.0.0.11:9 > 10.0.0.5:80 tcp PA 2921+80 ack 1
7ms 10.0.0.5:80 > 10.0.0.11:9 tcp A 1+0 ack 3001
8ms 10.0.0.5:80 > 10.0.0.11:9 tcp PA 1+100 ack 3001
9ms 10.0.0.11:9 > 10.0.0.5:80 tcp A 3001+0 ack 101
10ms 10.0.0.11:9 > 10.0.0.5:80 tcp FA 3001+0 ack 101
11ms 10.0.0.5:80 > 10.0.0.11:9 tcp FA 101+0 ack 3002
12ms 10.0.0.11:9 > 10.0.0.5:80 tcp A 3002+0 ack 102`},
		{"0 E1:9 > V:80/tcp midstream 10 0", `
0s 10.0.0.11:9 > 10.0.0.5:80 tcp PA 1+10 ack 1
1ms 10.0.0.5:80 > 10.0.0.11:9 tcp A 1+0 ack 11`},
		{"0 E1:9 > V:80/tcp open 0 0", `
0s 10.0.0.11:9 > 10.0.0.5:80 tcp S 0+0
1ms 10.0.0.5:80 > 10.0.0.11:9 tcp SA 0+0 ack 1
2ms 10.0.0.11:9 > 10.0.0.5:80 tcp A 1+0 ack 1`},
		{"0 icmp R > E1 admin-prohibited E1:9 > V:902/udp", `
0s 10.0.0.1 > 10.0.0.11 icmp DestinationUnreachable(CommAdminProhibited) quotes 28 bytes of 10.0.0.11:9 > 10.0.0.5:902 udp`},
		{"0 icmp R > E1 host-unreachable E1:9 > V:22/tcp", `
0s 10.0.0.1 > 10.0.0.11 icmp DestinationUnreachable(Host) quotes 44 bytes of 10.0.0.11:9 > 10.0.0.5:22 tcp`},
		{"0 icmp V6 > E6 port-unreachable E6:9 > V6:902/udp", `
0s fd00::5 > fd00::11 icmp6 DestinationUnreachable(PortUnreachable) quotes 48 bytes`},
	} {
		s, err := Parse("story", cast+tc.line)
		if err != nil {
			t.Errorf("%s: %v", tc.line, err)
			continue
		}
		if diff := cmp.Diff(strings.TrimSpace(tc.want), told(t, s)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.line, diff)
		}
	}
}

// Sequence numbers follow the packets' times, not the order of the lines.
func TestSequenceNumbersFollowTime(t *testing.T) {
	s := mustParse(t, cast+`
2   E1:9 > V:80/tcp PA 100
1   E1:9 > V:80/tcp S
1   E1:9 > V:80/tcp S            # retransmitted
1.1 V:80 > E1:9/tcp SA
3   V:80 > E1:9/tcp A
`)
	want := strings.TrimSpace(`
1s 10.0.0.11:9 > 10.0.0.5:80 tcp S 0+0
1s 10.0.0.11:9 > 10.0.0.5:80 tcp S 0+0
1.1s 10.0.0.5:80 > 10.0.0.11:9 tcp SA 0+0 ack 1
2s 10.0.0.11:9 > 10.0.0.5:80 tcp PA 1+100 ack 1
3s 10.0.0.5:80 > 10.0.0.11:9 tcp A 1+0 ack 101`)
	if diff := cmp.Diff(want, told(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSequenceNumbersAsWritten(t *testing.T) {
	s := mustParse(t, cast+"0 E1:9 > V:80/tcp PA 5 seq=7 ack=9\n1 E1:9 > V:80/tcp A\n")
	for i, want := range []struct{ seq, ack uint32 }{{7, 9}, {12, initialSequence(webOfE1().turned(), 0) + 1}} {
		var tcp layers.TCP
		decode(t, &tcp, s.Frames()[i].Data[34:])
		if tcp.Seq != want.seq || tcp.Ack != want.ack {
			t.Errorf("frame %d: got seq %d ack %d, want %d and %d", i+1, tcp.Seq, tcp.Ack, want.seq, want.ack)
		}
	}
}

func webOfE1() conn {
	return conn{netip.MustParseAddrPort("10.0.0.11:9"), netip.MustParseAddrPort("10.0.0.5:80")}
}

func TestSYNAfterTheEndBeginsAnotherConnection(t *testing.T) {
	s := mustParse(t, cast+"0 E1:9 > V:80/tcp session 1 1\n5 E1:9 > V:80/tcp session 1 1\n")
	seen := map[uint32]bool{}
	for _, f := range s.Frames() {
		var tcp layers.TCP
		decode(t, &tcp, f.Data[34:])
		if tcp.SYN && !tcp.ACK {
			seen[tcp.Seq] = true
		}
	}
	if len(seen) != 2 {
		t.Errorf("got %d initial sequence numbers, want 2", len(seen))
	}
}

func TestICMPQuotesTheLastPacketOfTheFlow(t *testing.T) {
	s := mustParse(t, cast+"0 E1:9 > V:902/udp 77\n1 icmp V > E1 port-unreachable E1:9 > V:902/udp\n")
	frames := s.Frames()
	quote := frames[1].Data[14+20+8:][:28]
	if sent := frames[0].Data[14:][:28]; !bytes.Equal(quote, sent) {
		t.Errorf("got quote %x, want %x", quote, sent)
	}
}

func TestTheSameStoryMakesTheSameBytes(t *testing.T) {
	if !bytes.Equal(Must(t, everything), Must(t, everything)) {
		t.Error("two runs differ")
	}
}

func TestMistakes(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"hello", `"hello": want start, host, file, end or a time`},
		{"0", "a time and nothing that happens"},
		{"-1 arp E1 > V", `"-1": want start`},
		{"1h arp E1 > V", `"1h": want seconds`},
		{"0..60 arp E1 > V", "a series takes a step"},
		{"60..0/10 arp E1 > V", "ends before it begins"},
		{"0..60/0 arp E1 > V", "a series repeats at most"},
		{"0..1000000/0.001 arp E1 > V", "a series repeats at most"},
		{"0..50000/1 E1:9 > V:9/tcp session 1 1", "a story holds at most 100000 packets"},
		{"0..50000/1 E1:9 > V:9/udp 60000 snap=60", "a story holds at most 67108864 bytes"},
		{"start yesterday", "want a time such as 2015-10-21T10:00:00Z"},
		{"host E1 10.0.0.12", "host E1: the name is taken"},
		{"host E3 10.0.0.300", `host E3: "10.0.0.300" is no address`},
		{"host E3 10.0.0.3 mac=1", "want mac=00:50:56:00:00:11"},
		{"0 arp E9 > V", `"E9": no host of that name was declared`},
		{"0 arp E1 V", "want arp A > B [reply]"},
		{"0 arp E6 > V6", "IPv6 has none"},
		{"0 E1:9 > V6:9/udp 1", "one is IPv4, the other IPv6"},
		{"0 E1:9 > V:9/sctp 1", "want HOST:PORT/tcp or /udp"},
		{"0 E1:9 > V:70000/udp 1", `"70000": want a number from 0 to 65535`},
		{"0 E1:9 > V:*/udp 1", "only the sender's port may be *"},
		{"0 E1:9 > V:9/udp", "want A:PORT > B:PORT/udp BYTES"},
		{"0 E1:9 > V:9/udp 70000", "want a number from 0 to"},
		{"0 E1:9 > V:9/udp 1 snop=60", "snop=60: unknown option"},
		{"0 E1:9 > V:9/udp 1 frag=first", "fit one packet"},
		{"0 E1:9 > V:9/udp 1 seq=5", "seq= and ack= go with a single TCP segment"},
		{"0 E1:9 > V:9/tcp", "want flags, handshake"},
		{"0 E1:9 > V:9/tcp XY", "want flags of F S R P A U E C"},
		{"0 E1:9 > V:9/tcp session 1", "want session UP DOWN"},
		{"0 icmp V > E1 teapot E1:9 > V:9/udp", `"teapot": want port-`},
		{"0 E1:9 > V:9/udp \"1", "a double quote is not closed"},
		{"file filter=ip", "begin with file pcapng"},
		{"file link=token-ring", "link=token-ring: want ethernet"},
		{"file link=raw\n0 arp E1 > V", "link raw carries nothing but IP"},
	} {
		_, err := Parse("story.txt", cast+tc.line)
		if err == nil {
			t.Errorf("%s: got no error, want %s", tc.line, tc.want)
			continue
		}
		line := strings.Count(cast+tc.line, "\n") + 1
		if prefix := fmt.Sprintf("story.txt:%d: ", line); !strings.HasPrefix(err.Error(), prefix) {
			t.Errorf("%s: got %q, want it to begin with %q", tc.line, err, prefix)
		}
		if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %q, want %q in it", tc.line, err, tc.want)
		}
	}
}

// Whatever the text, Parse ends with a story or a mistake in one of its lines.
func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Add(everything + "file pcapng link=sll2 drops=1/2 interval=0..1")
	f.Add("0 \"")
	f.Add("\"\"")
	f.Add("host > 1.2.3.4\n0 > > >:1/tcp S")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := Parse("story", text); err == nil {
			s.Pcap()
		} else if !strings.HasPrefix(err.Error(), "story:") {
			t.Errorf("got %q, want it to name the line", err)
		}
	})
}

func mustParse(t *testing.T, text string) *Story {
	t.Helper()
	s, err := Parse("story", text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
