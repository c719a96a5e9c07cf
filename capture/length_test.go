package capture

import (
	"fmt"
	"strings"
	"testing"
)

// TestLengths: what a network card or a mirror adds to a packet, or leaves out of it, is no payload and hides none.
func TestLengths(t *testing.T) {
	zeros := func(n int) string { return strings.Repeat("00", n) }
	tcp4 := func(total, data int) string {
		return fmt.Sprintf("4500%04x 00014000 40060000 0a000001 0a000002", total) + ack + zeros(data)
	}
	const said4, said6 = "tcp 10.0.0.1:50000>10.0.0.2:443 ack", "tcp [fd00::1]:50000>[fd00::2]:443 ack"
	tests := []struct {
		name, frame, want string
	}{
		{"a jumbo frame", frameOf("0800", tcp4(9000, 8960)), said4 + " payload ack=200 content=8960"},
		{"segmentation left to the card: 60,000 bytes in a frame", frameOf("0800", tcp4(60040, 60000)), said4 + " payload ack=200 content=60000"},
		{"segmentation left to the card: no length", frameOf("0800", tcp4(0, 60000)), said4 + " payload ack=200 content=60000"},
		{"longer than a length can say: no length", frameOf("0800", tcp4(0, 100000)), said4 + " payload ack=200 content=100000"},
		{"IPv6 longer than a length can say, without an option", frameOf("86dd", ip6(0, 6)+ack+zeros(100000)), said6 + " payload ack=200 content=100000"},
		{
			"a jumbogram (RFC 2675)", frameOf("86dd", ip6(0, 0)+"0600 c204 000186bc"+ack+zeros(100000)),
			said6 + " payload ack=200 content=100000",
		},
		{"padded to the shortest frame", frameOf("0800", tcp4(40, 0)+zeros(6)), said4 + " ack=200"},
		{"with a frame check sequence", frameOf("0800", tcp4(50, 10)+"deadbeef"), said4 + " payload ack=200 content=10"},
		{"padded, with a frame check sequence", frameOf("0800", tcp4(40, 0)+zeros(6)+"deadbeef"), said4 + " ack=200"},
		{"a trailer of a switch", frameOf("86dd", ip6(20, 6)+ack+zeros(60)), said6 + " ack=200"},
	}
	for _, tt := range tests {
		p, why := decodeHex(t, LinkEthernet, tt.frame, 0)
		if got := describe(p, why); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestExtensionHeadersInAnyOrder walks the 120 orders of five extension headers behind a hop-by-hop header (RFC 8200 asks
// hosts to take any), to the same ports.
func TestExtensionHeadersInAnyOrder(t *testing.T) {
	type header struct {
		number byte
		rest   string // behind the number of the next header
	}
	headers := []header{
		{0, "00 010400000000"},
		{60, "00 010400000000"},
		{43, "00 000000000000"},
		{44, "00 0000 00000007"}, // a whole packet, not a fragment
		{51, "04 0000 00000001 00000001 000000000000000000000000"},
		{60, "01 010c000000000000000000000000"},
	}
	orders := 0
	var walk func(i int)
	walk = func(i int) {
		if i < len(headers)-1 {
			for j := i; j < len(headers); j++ {
				headers[i], headers[j] = headers[j], headers[i]
				walk(i + 1)
				headers[i], headers[j] = headers[j], headers[i]
			}
			return
		}
		orders++
		chain := ""
		for k, h := range headers {
			next := byte(UDP)
			if k+1 < len(headers) {
				next = headers[k+1].number
			}
			chain += fmt.Sprintf("%02x%s", next, h.rest)
		}
		packet := chain + dns
		p, why := decodeHex(t, LinkRaw, ip6(uint16(len(join(t, packet))), 0)+packet, 0)
		if got, want := describe(p, why), "udp [fd00::1]:50000>[fd00::2]:53 payload content=4"; got != want {
			t.Errorf("%+v: got %s, want %s", headers, got, want)
		}
	}
	walk(1)
	if orders != 120 {
		t.Errorf("%d orders, want 120", orders)
	}
}
