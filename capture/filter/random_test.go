package filter_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"flowvet/capture/filter"
)

// view reads a frame the plain way. Reading past its end panics with cut.
type view struct {
	frame
	typeAt, payload int
}

type cut struct{}

func (v *view) at(i int) byte {
	if i >= len(v.data) {
		panic(cut{})
	}
	return v.data[i]
}

func (v *view) two(i int) uint16 { return uint16(v.at(i))<<8 | uint16(v.at(i+1)) }

func (v *view) bytes(i, n int) []byte {
	v.at(i + n - 1)
	return v.data[i : i+n]
}

// carries reports whether the frame carries that ethertype, behind a number of tags.
func (v *view) carries(etherType uint16, tags int) bool {
	switch v.link {
	case rawIP, rawIPv4, rawIPv6:
		version := map[uint16]byte{0x0800: 4, 0x86dd: 6}[etherType]
		switch {
		case version == 0, v.link == rawIPv4 && version == 6, v.link == rawIPv6 && version == 4:
			return false
		case v.link != rawIP:
			return true
		}
		return v.at(0)>>4 == version
	case null:
		family := binary.LittleEndian.Uint32(v.bytes(0, 4))
		return etherType == 0x0800 && family == 2 || etherType == 0x86dd && family == 10
	}
	return v.two(v.typeAt+4*v.tags(tags)) == etherType
}

// tags is how far tags move things: they are on Ethernet only.
func (v *view) tags(n int) int {
	if v.link == ethernet {
		return n
	}
	return 0
}

// ip is where the packet begins.
func (v *view) ip(tags int) int { return v.payload + 4*v.tags(tags) }

// truth is what a frame must be for a filter to keep it.
type truth func(v *view) bool

// author writes random filters, and with each its meaning.
type author struct {
	rng  *rand.Rand
	link uint16
	tags int
}

func newAuthor(seed uint64) *author {
	a := &author{rng: rand.New(rand.NewPCG(seed, 7))}
	a.link = pick[uint16](a, ethernet, ethernet, ethernet, ethernet, cooked, cooked2, rawIP, null, rawIPv4, rawIPv6)
	return a
}

func pick[T any](a *author, from ...T) T { return from[a.rng.IntN(len(from))] }

// expression writes one of at most that depth.
func (a *author) expression(depth int) (string, truth) {
	if depth == 0 {
		return a.primitive()
	}
	switch a.rng.IntN(6) {
	case 0:
		text, holds := a.term(depth - 1)
		return pick(a, "not ", "!") + text, func(v *view) bool { return !holds(v) }
	case 1, 2:
		left, l := a.term(depth - 1)
		right, r := a.term(depth - 1)
		return left + pick(a, " and ", " && ") + right, func(v *view) bool { return l(v) && r(v) }
	case 3, 4:
		left, l := a.term(depth - 1)
		right, r := a.term(depth - 1)
		return left + pick(a, " or ", "||") + right, func(v *view) bool { return l(v) || r(v) }
	}
	return a.primitive()
}

// term writes an expression that can stand beside and, or, not.
func (a *author) term(depth int) (string, truth) {
	text, holds := a.expression(depth)
	return "(" + text + ")", holds
}

func (a *author) primitive() (string, truth) {
	switch a.rng.IntN(7) {
	case 0:
		return a.protocol()
	case 1, 2:
		return a.network()
	case 3, 4:
		return a.port()
	case 5:
		if a.link == ethernet {
			return a.hardware()
		}
		return a.protocol()
	}
	n := pick(a, 40, 60, 64, 100, 1500)
	if pick(a, true, false) {
		return fmt.Sprintf("less %d", n), func(v *view) bool { return v.wire <= n }
	}
	return fmt.Sprintf("greater %d", n), func(v *view) bool { return v.wire >= n }
}

func (a *author) protocol() (string, truth) {
	tags := a.tags
	types := map[string]uint16{"ip": 0x0800, "ip6": 0x86dd, "arp": 0x0806, "rarp": 0x8035}
	numbers := map[string]byte{"tcp": 6, "udp": 17, "icmp": 1, "icmp6": 58, "igmp": 2}
	word := pick(a, "ip", "ip6", "arp", "rarp", "tcp", "udp", "icmp", "icmp6", "igmp")
	if t, ok := types[word]; ok {
		return word, func(v *view) bool { return v.carries(t, tags) }
	}
	n := numbers[word]
	return word, func(v *view) bool {
		at := v.ip(tags)
		switch {
		case word != "icmp6" && v.carries(0x0800, tags):
			return v.at(at+9) == n
		case word != "icmp" && word != "igmp" && v.carries(0x86dd, tags):
			return v.at(at+6) == n || v.at(at+6) == 44 && v.at(at+40) == n
		}
		return false
	}
}

// direction writes a direction, and returns how what holds of the source and of the destination go together.
func (a *author) direction() (string, func(src, dst func() bool) bool) {
	switch a.rng.IntN(5) {
	case 0:
		return "src ", func(src, _ func() bool) bool { return src() }
	case 1:
		return "dst ", func(_, dst func() bool) bool { return dst() }
	case 2:
		return pick(a, "src and dst ", "dst and src "), func(src, dst func() bool) bool { return src() && dst() }
	case 3:
		return pick(a, "src or dst ", "dst or src "), func(src, dst func() bool) bool { return src() || dst() }
	}
	return "", func(src, dst func() bool) bool { return src() || dst() }
}

func (a *author) network() (string, truth) {
	tags := a.tags
	dir, join := a.direction()
	six := a.rng.IntN(3) == 0
	addr := netip.MustParseAddr(pick(a, "10.0.0.11", "10.0.0.5", "10.0.0.12", "192.168.1.7", "10.0.0.53"))
	if six {
		addr = netip.MustParseAddr(pick(a, "2001:db8::11", "2001:db8::5", "fe80::1"))
	}
	prefix, text := netip.PrefixFrom(addr, addr.BitLen()), dir+pick(a, "host ", "host ")+addr.String()
	if pick(a, true, false) {
		prefix, _ = addr.Prefix(a.rng.IntN(addr.BitLen() + 1))
		text = dir + "net " + prefix.String()
	}
	if six {
		return text, func(v *view) bool {
			at := v.ip(tags)
			return v.carries(0x86dd, tags) && join(v.in(prefix, at+8), v.in(prefix, at+24))
		}
	}
	only := pick(a, "", "", "ip ", "arp ", "rarp ")
	return only + text, func(v *view) bool {
		at := v.ip(tags)
		return (only == "" || only == "ip ") && v.carries(0x0800, tags) && join(v.in(prefix, at+12), v.in(prefix, at+16)) ||
			(only == "" || only == "arp ") && v.carries(0x0806, tags) && join(v.in(prefix, at+14), v.in(prefix, at+24)) ||
			(only == "" || only == "rarp ") && v.carries(0x8035, tags) && join(v.in(prefix, at+14), v.in(prefix, at+24))
	}
}

// in looks whether the address at an offset is in a network.
func (v *view) in(prefix netip.Prefix, at int) func() bool {
	return func() bool {
		addr, _ := netip.AddrFromSlice(v.bytes(at, prefix.Addr().BitLen()/8))
		return prefix.Contains(addr)
	}
}

func (a *author) port() (string, truth) {
	tags := a.tags
	dir, join := a.direction()
	word := pick(a, "", "tcp ", "udp ", "sctp ")
	lo := pick[uint16](a, 53, 80, 123, 443, 902, 8000, 40000, 0, 65535)
	hi, text := lo, fmt.Sprintf("port %d", lo)
	if a.rng.IntN(3) == 0 {
		hi = pick[uint16](a, 53, 443, 1023, 8100, 65535)
		text = fmt.Sprintf("portrange %d-%d", lo, hi)
		lo, hi = min(lo, hi), max(lo, hi)
	}
	ours := func(number byte) bool {
		return (word == "" || word == "tcp ") && number == 6 || (word == "" || word == "udp ") && number == 17 ||
			(word == "" || word == "sctp ") && number == 132
	}
	return word + dir + text, func(v *view) bool {
		port := func(i int) func() bool {
			return func() bool { return v.two(i) >= lo && v.two(i) <= hi }
		}
		at := v.ip(tags)
		switch {
		case v.carries(0x86dd, tags):
			return ours(v.at(at+6)) && join(port(at+40), port(at+42))
		case v.carries(0x0800, tags):
			if !ours(v.at(at+9)) || v.two(at+6)&0x1fff != 0 {
				return false
			}
			header := int(v.at(at)&0x0f) * 4
			return join(port(at+header), port(at+header+2))
		}
		return false
	}
}

// hardware writes what only Ethernet has.
func (a *author) hardware() (string, truth) {
	switch a.rng.IntN(4) {
	case 0:
		return pick(a, "multicast", "ether multicast"), func(v *view) bool { return v.at(0)&1 != 0 }
	case 1:
		return pick(a, "broadcast", "ether broadcast"), func(v *view) bool { return string(v.bytes(0, 6)) == "\xff\xff\xff\xff\xff\xff" }
	}
	tags := a.tags
	a.tags++
	tagged := func(v *view) bool {
		return v.carries(0x8100, tags) || v.carries(0x88a8, tags) || v.carries(0x9100, tags)
	}
	if pick(a, true, false) {
		return "vlan", tagged
	}
	id := pick[uint16](a, 10, 20, 1, 0, 4095)
	return fmt.Sprintf("vlan %d", id), func(v *view) bool { return tagged(v) && v.two(v.ip(tags))&0x0fff == id }
}

// means asks the truth of a frame; it does not know where the frame is cut before what is asked for.
func (f frame) means(holds truth) (kept, knows bool) {
	v := view{frame: f}
	switch f.link {
	case ethernet:
		v.typeAt, v.payload = 12, 14
	case cooked:
		v.typeAt, v.payload = 14, 16
	case cooked2:
		v.typeAt, v.payload = 0, 20
	case null:
		v.payload = 4
	}
	defer func() {
		if fault := recover(); fault != nil {
			if _, expected := fault.(cut); !expected {
				panic(fault)
			}
			kept, knows = false, false
		}
	}()
	return holds(&v), true
}

// randomFilters is how many random filters are held against tcpdump and against their meaning.
const randomFilters = 300

func TestRandomFiltersKeepWhatTheyMean(t *testing.T) {
	frames := corpus(t)
	byLink := map[uint16][]frame{}
	asked := 0
	for seed := range uint64(randomFilters) {
		a := newAuthor(seed)
		text, holds := a.expression(4)
		if byLink[a.link] == nil {
			byLink[a.link] = ofLink(frames, a.link)
		}
		program := ours(t, a.link, text)
		for _, f := range byLink[a.link] {
			if f.familyOfOthers() {
				continue
			}
			must, knows := f.means(holds)
			if !knows {
				continue
			}
			asked++
			if is := program.Keeps(f.data, f.wire); is != must {
				t.Errorf("%s, link type %d: %s: keeps %t, means %t\n%x", text, a.link, f.name, is, must, f.data[:min(len(f.data), 80)])
				break
			}
		}
	}
	t.Logf("%d filters, %d decisions", randomFilters, asked)
}

// TestRandomFiltersKeepWhatTcpdumpKeeps leaves out the frames on which libpcap does not agree with itself: where a frame is
// cut, what its optimiser finds needless to ask decides. One decision in 400 is.
func TestRandomFiltersKeepWhatTcpdumpKeeps(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("no tcpdump here")
	}
	frames := corpus(t)
	byLink := map[uint16][]frame{}
	asked, disputed := 0, 0
	for seed := range uint64(randomFilters) {
		a := newAuthor(seed)
		text, _ := a.expression(4)
		if byLink[a.link] == nil {
			byLink[a.link] = ofLink(frames, a.link)
		}
		mine := ours(t, a.link, text)
		optimised, plain := libpcap(t, a.link, text), libpcap(t, a.link, text, "-O")
		for _, f := range byLink[a.link] {
			if f.familyOfOthers() {
				continue
			}
			asked++
			must := optimised.Keeps(f.data, f.wire)
			if must != plain.Keeps(f.data, f.wire) {
				disputed++
				continue
			}
			if is := mine.Keeps(f.data, f.wire); is != must {
				t.Errorf("%s, link type %d: %s: keeps %t, tcpdump %t\n%x", text, a.link, f.name, is, must, f.data[:min(len(f.data), 80)])
				break
			}
		}
	}
	t.Logf("%d filters, %d decisions, %d left out", randomFilters, asked, disputed)
}

// libpcap returns tcpdump's program.
func libpcap(t *testing.T, link uint16, expression string, flags ...string) *filter.Program {
	t.Helper()
	program, reason := tcpdump(link, expression, flags...)
	switch {
	case strings.Contains(reason, "rejects all packets"):
		program = "1\n6 0 0 0\n"
	case reason != "":
		t.Fatalf("%s, link type %d: tcpdump refuses: %s", expression, link, reason)
	}
	return theirs(t, link, program)
}
