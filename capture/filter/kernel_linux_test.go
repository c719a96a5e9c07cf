package filter_test

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/ipv4"
)

// TestKernelTakesEveryProgram attaches the live programs to a socket: the kernel's own verifier is asked.
func TestKernelTakesEveryProgram(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Skipf("no socket here: %v", err)
	}
	defer conn.Close()
	socket := ipv4.NewPacketConn(conn)
	if err := socket.SetBPF(ours(t, ethernet, "ip").Instructions()); err != nil {
		t.Skipf("no filter can be attached here: %v", err)
	}
	var hosts strings.Builder
	for i := range 250 {
		fmt.Fprintf(&hosts, "host 10.9.%d.%d or ", i/200, i%200)
	}
	longest := 0
	for _, e := range append(expressions(t), hosts.String()+"tcp") {
		live, err := ourFilter(t, e).CompileLive(ethernet, 128)
		if err != nil {
			t.Fatal(err)
		}
		longest = max(longest, len(live.Instructions()))
		if err := socket.SetBPF(live.Instructions()); err != nil {
			t.Errorf("%.60s: %d instructions: %v", e, len(live.Instructions()), err)
		}
	}
	t.Logf("%d filters, the longest of %d instructions", len(expressions(t))+1, longest)
}
