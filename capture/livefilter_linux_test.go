package capture

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"flowvet/capture/filter"
)

// liveFilter compiles an expression as the command does.
func liveFilter(t *testing.T, expression string) *LiveFilter {
	t.Helper()
	f, err := filter.Parse(expression)
	if err != nil {
		t.Fatal(err)
	}
	return compiledLive(t, f)
}

func compiledLive(t *testing.T, f *filter.Filter) *LiveFilter {
	t.Helper()
	p, err := f.CompileLive(uint16(LinkEthernet), 96)
	if err != nil {
		t.Fatal(err)
	}
	live := &LiveFilter{Text: f.String(), Keeps: func(data []byte, wire int, tag uint16, tagged bool) bool {
		if tagged {
			return p.KeepsTagged(data, wire, tag)
		}
		return p.Keeps(data, wire)
	}}
	for _, i := range p.Instructions() {
		live.Program = append(live.Program, Instruction(i))
	}
	return live
}

// mixture returns frames of several ports, every third one tagged.
func mixture(i int) []byte {
	plain := slices.Clone(datagrams(100)(i))
	plain[37] = byte(i % 7) // destination port 768 to 774
	if i%3 > 0 {
		return plain
	}
	return slices.Concat(plain[:12], []byte{0x81, 0, 0, 42}, plain[12:])
}

// TestLiveFilterKeepsTheSameHereAndInTheKernel runs filters in the kernel, and here, as where the kernel refuses them.
func TestLiveFilterKeepsTheSameHereAndInTheKernel(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	const n = 2100
	for _, tt := range []struct {
		expression string
		kept       uint64
	}{
		{"udp port 770", n / 7},
		{"udp portrange 768-770", n * 3 / 7},
		{"vlan", n / 3},
		{"vlan 42 and udp port 774", n / 21},
		{"not vlan", n * 2 / 3},
		{"vlan 43", 0},
		{"host 10.0.0.5", n / 100},
		{"tcp", 0},
		{"less 61", n * 2 / 3},
	} {
		f := liveFilter(t, tt.expression)
		if tt.expression == "less 61" { // the kernel takes the tag out first
			tt.kept = n
		}
		here := *f
		here.Program = slices.Repeat([]Instruction{{Op: 0x87}}, 5000) // tax, too often
		for _, f := range []*LiveFilter{f, &here} {
			l := listen(t, LiveOptions{Interface: "mirror", Filter: f})
			wire := newSender(t, "wire")
			wire.send(n, 0, mixture)
			c := l.end()
			stats := &c.Table.Stats
			if stats.Flowed != tt.kept || stats.Read != stats.Flowed+stats.Skipped[IgnoredFiltered] || c.Interfaces[0].Filter != tt.expression {
				t.Errorf("%s: %d of %d kept, %d filtered; want %d", tt.expression, stats.Flowed, stats.Read, stats.Skipped[IgnoredFiltered], tt.kept)
			}
			if notes, refused := l.Counters().Notes, f == &here; refused != (len(notes) == 1) {
				t.Errorf("%s: the notes are %q", tt.expression, notes)
			}
		}
	}
}

// TestLiveFilterTooLargeForTheKernel gives the kernel more instructions than it has memory for.
func TestLiveFilterTooLargeForTheKernel(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	var hosts []string
	for i := range 1250 {
		hosts = append(hosts, fmt.Sprintf("src host 10.%d.%d.%d", i%200, i*7%251, i%250))
	}
	f := liveFilter(t, strings.Join(hosts, " or "))
	l := listen(t, LiveOptions{Interface: "mirror", Filter: f})
	wire := newSender(t, "wire")
	const n = 1000
	wire.send(n, 0, datagrams(n))
	c := l.end()
	if s := &c.Table.Stats; s.Flowed == 0 || s.Flowed == n {
		t.Errorf("%d of %d kept", s.Flowed, n)
	}
	t.Logf("%d instructions: %q", len(f.Program), l.Counters().Notes)
}

// TestLiveDumpKeepsNoMoreThanTheSnapLength takes a program of tcpdump -ddd, which keeps frames whole.
func TestLiveDumpKeepsNoMoreThanTheSnapLength(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	cable(t, "mirror", "wire")
	f, err := filter.ParseDump("1\n6 0 0 262144\n")
	if err != nil {
		t.Fatal(err)
	}
	longest := 0
	l := listen(t, LiveOptions{Interface: "mirror", SnapLen: 50, Filter: compiledLive(t, f), Tap: func(f *Frame) { longest = max(longest, len(f.Data)) }})
	wire := newSender(t, "wire")
	wire.send(10, 0, datagrams(1))
	balance(t, wire.Sent(), l.end(), l.Counters())
	if longest != 50 {
		t.Errorf("%d bytes of a frame kept; want 50", longest)
	}
}
