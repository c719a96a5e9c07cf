package filter_test

import (
	"net/netip"
	"testing"

	"flowvet/capture/filter"
)

// flow says "A:port > B:port/proto" with 0 for any port.
func flow(src string, srcPort uint16, dst string, dstPort uint16, proto uint8) filter.Flow {
	f := filter.Flow{SrcPort: srcPort, DstPort: dstPort, Proto: proto}
	if src != "" {
		f.Src = netip.MustParseAddr(src)
	}
	if dst != "" {
		f.Dst = netip.MustParseAddr(dst)
	}
	return f
}

func onVLAN(f filter.Flow, id uint16) filter.Flow {
	f.Tagged, f.VLAN = true, id
	return f
}

func TestAdmitsTheExpectedFlow(t *testing.T) {
	vmotion := flow("10.0.1.11", 0, "10.0.1.12", 8000, 6)
	heartbeat := flow("10.0.0.11", 0, "10.0.0.5", 902, 17)
	anyClient := flow("", 0, "10.0.0.5", 443, 6)
	six := flow("2001:db8::11", 0, "2001:db8::5", 443, 6)
	const yes, no, unsure = "yes", "no", "unsure"
	for _, tt := range []struct {
		expression string
		flow       filter.Flow
		want       string
	}{
		{"", vmotion, yes},
		{"tcp", vmotion, yes},
		{"udp", vmotion, no},
		{"tcp port 443", vmotion, no},
		{"tcp port 8000", vmotion, yes},
		{"port 443 or 8000", vmotion, yes},
		{"portrange 8000-8100", vmotion, yes},
		{"not port 22", vmotion, yes},
		{"not port 900", vmotion, unsure}, // the client's port may be
		{"src portrange 1024-65535", vmotion, no},
		{"portrange 1-65535", vmotion, yes},
		{"not port 8000", vmotion, no},
		{"tcp dst port 8000", vmotion, no}, // the answers are missing
		{"host 10.0.1.11", vmotion, yes},
		{"net 10.0.1.0/24", vmotion, yes},
		{"src net 10.0.1.0/24", vmotion, yes},
		{"src host 10.0.1.11", vmotion, no},
		{"host 10.0.1.13", vmotion, no},
		{"host 10.0.1.11 and host 10.0.1.12 and tcp", vmotion, yes},
		{"ip6", vmotion, no},
		{"arp", vmotion, no},
		{"less 100", vmotion, unsure},
		{"greater 0", vmotion, yes},
		{"greater 100 or tcp", vmotion, yes},
		{"greater 100 and tcp", vmotion, unsure},
		{"tcp or greater 1000", vmotion, yes},
		{"udp and less 100", vmotion, no},
		{"ether host 00:50:56:00:00:01", vmotion, unsure},
		{"ether host 00:50:56:00:00:01 or tcp", vmotion, yes},
		{"not broadcast and not multicast", vmotion, yes},
		{"broadcast", vmotion, no},
		{"not ip multicast", vmotion, yes},
		{"udp port 902", heartbeat, yes},
		{"tcp port 902", heartbeat, no},
		{"host 10.0.0.5", heartbeat, yes},
		{"udp portrange 1-1023", heartbeat, yes},
		{"port 443", anyClient, yes},
		{"host 10.0.0.5", anyClient, yes},
		{"host 10.0.0.5 and host 10.0.9.1", anyClient, unsure},
		{"net 10.0.0.0/8", anyClient, yes},
		{"src net 10.0.0.0/8", anyClient, unsure},
		{"tcp port 443", six, yes},
		{"host 2001:db8::5", six, yes},
		{"net 2001:db8::/32 and tcp", six, yes},
		{"net 2001:db9::/32", six, no},
		{"tcp port 8000", onVLAN(vmotion, 10), no},
		{"vlan and tcp port 8000", onVLAN(vmotion, 10), yes},
		{"vlan 10", onVLAN(vmotion, 10), yes},
		{"vlan 11", onVLAN(vmotion, 10), no},
		{"vlan 10", vmotion, no},
		{"not vlan", vmotion, yes},
		{"tcp port 8000 or (vlan and tcp port 8000)", onVLAN(vmotion, 10), yes},
		{"tcp port 8000 or (vlan and tcp port 8000)", vmotion, yes},
	} {
		admits, sure := ours(t, ethernet, tt.expression).Admits(tt.flow)
		got := unsure
		switch {
		case admits && sure:
			got = yes
		case sure:
			got = no
		case admits:
			t.Errorf("%s: admits without being sure", tt.expression)
		}
		if got != tt.want {
			t.Errorf("%q admits %v: %s, want %s", tt.expression, tt.flow, got, tt.want)
		}
	}
}

// TestAdmitsOnEveryLinkType asks what a link header must not change.
func TestAdmitsOnEveryLinkType(t *testing.T) {
	for _, link := range filter.Links() {
		four, six := flow("10.0.1.11", 0, "10.0.1.12", 8000, 6), flow("2001:db8::11", 0, "2001:db8::12", 8000, 6)
		for _, tt := range []struct {
			expression string
			want       bool
		}{{"tcp port 8000", true}, {"port 8000 or arp", true}, {"udp", false}} {
			p := ours(t, link, tt.expression)
			for _, f := range []filter.Flow{four, six} {
				want := tt.want && (link != rawIPv6 || f.Src.Is6()) && (link != rawIPv4 || f.Src.Is4())
				if admits, sure := p.Admits(f); admits != want || !sure {
					t.Errorf("link type %d: %q admits %v: %t, sure %t, want %t", link, tt.expression, f, admits, sure, want)
				}
			}
		}
	}
}

// TestAdmitsAgreesWithTheFramesThatCame: of a flow in the stories, a filter that surely admits it keeps all its frames, and
// one that surely does not misses some.
func TestAdmitsAgreesWithTheFramesThatCame(t *testing.T) {
	sessions := []struct {
		flow   filter.Flow
		frames []frame
	}{
		{flow: flow("10.0.0.11", 40000, "10.0.0.5", 443, 6)},
		{flow: flow("2001:db8::11", 40000, "2001:db8::5", 443, 6)},
		{flow: flow("10.0.0.11", 40002, "10.0.0.53", 53, 17)},
		{flow: flow("2001:db8::11", 40001, "2001:db8::5", 53, 17)},
	}
	for _, f := range ofLink(stories(t), ethernet) {
		for i := range sessions {
			s := &sessions[i]
			if f.name == "story ethernet" && of(f.data, &s.flow) {
				s.frames = append(s.frames, f)
			}
		}
	}
	sure := 0
	texts := expressions(t)
	for seed := range uint64(1000) {
		a := newAuthor(seed)
		a.link = ethernet
		text, _ := a.expression(4)
		texts = append(texts, text)
	}
	for _, text := range texts {
		p := ours(t, ethernet, text)
		for _, s := range sessions {
			admits, known := p.Admits(s.flow)
			if !known {
				continue
			}
			sure++
			kept := 0
			for _, f := range s.frames {
				if p.Keeps(f.data, f.wire) {
					kept++
				}
			}
			if len(s.frames) < 2 || admits != (kept == len(s.frames)) {
				t.Errorf("%s: admits %v: %t, but keeps %d of %d frames", text, s.flow, admits, kept, len(s.frames))
			}
		}
	}
	t.Logf("%d filters, %d sure answers", len(texts), sure)
}

// of reports whether a whole untagged frame belongs to a flow.
func of(data []byte, f *filter.Flow) bool {
	at, size, header := 14+12, 4, 14+20
	if f.Src.Is6() {
		at, size, header = 14+8, 16, 14+40
	}
	if data[12] != 0x08 && !f.Src.Is6() || data[12] != 0x86 && f.Src.Is6() || len(data) < header+4 {
		return false
	}
	src, _ := netip.AddrFromSlice(data[at : at+size])
	dst, _ := netip.AddrFromSlice(data[at+size : at+2*size])
	from, to := uint16(data[header])<<8|uint16(data[header+1]), uint16(data[header+2])<<8|uint16(data[header+3])
	return src == f.Src && dst == f.Dst && from == f.SrcPort && to == f.DstPort ||
		src == f.Dst && dst == f.Src && from == f.DstPort && to == f.SrcPort
}

// TestAdmitsOfADump asks a program that came from elsewhere, with tests that expressions here do not have.
func TestAdmitsOfADump(t *testing.T) {
	const synOnly = "8\n40 0 0 12\n21 0 5 2048\n48 0 0 23\n21 0 3 6\n48 0 0 47\n69 0 1 2\n6 0 0 262144\n6 0 0 0\n" // tcp[13] & 2
	p := theirs(t, ethernet, synOnly)
	if admits, sure := p.Admits(flow("10.0.1.11", 0, "10.0.1.12", 8000, 6)); admits || sure {
		t.Errorf("TCP by its flags: admits %t, sure %t; want neither", admits, sure)
	}
	if admits, sure := p.Admits(flow("10.0.1.11", 0, "10.0.1.12", 8000, 17)); admits || !sure {
		t.Errorf("UDP: admits %t, sure %t; want a sure no", admits, sure)
	}
}
