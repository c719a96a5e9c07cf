package filter_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket/pcapgo"

	"flowvet/capture/capturetest"
)

// frame is what a filter sees.
type frame struct {
	name string // of the file or story
	link uint16
	data []byte
	wire int
}

// familyOfOthers reports whether a loopback frame's address family is one that tcpdump on Linux does not know: all systems'
// are known to the filters here, in either byte order.
func (f *frame) familyOfOthers() bool {
	if f.link != null && f.link != loop || len(f.data) < 4 {
		return false
	}
	family := [4]byte(f.data)
	return family != [4]byte{2} && family != [4]byte{10}
}

// Link types, as the files' headers have them.
const (
	ethernet = 1
	rawIP    = 101
	null     = 0
	loop     = 108
	cooked   = 113
	cooked2  = 276
	rawIPv4  = 228
	rawIPv6  = 229
)

// tale is a story in which every primitive has something to find.
const tale = `start 2015-10-21T10:00:00Z
host E1 10.0.0.11
host E2 10.0.0.12
host E1v 10.0.1.11
host V 10.0.0.5
host D 10.0.0.53
host W 192.168.1.7
host S1 2001:db8::11
host S5 2001:db8::5
0 arp E1 > V reply
0.1 garp E2
0.2 rarp E1
1 E1:40000 > V:443/tcp session 500 3000
2 E1:40001 > V:902/udp 334
3 E1:40002 > D:53/udp 40 answer 90
4 E1:123 > D:123/udp 48 answer 48
5 W:50000 > V:80/tcp session 100 4000
6 S1:40000 > S5:443/tcp session 300 300
7 S1:40001 > S5:53/udp 40 answer 90
8 ping E1 > V
9 icmp V > E1 port-unreachable E1:40000 > V:902/udp
10 E1:40003 > D:2049/udp 4000
11 S1:40003 > S5:2049/udp 4000
12 E1:427 > 239.255.255.253:427/udp 60
13 E1:138 > 10.0.0.255:138/udp 200
14 E1v:8000 > E2:8100/tcp refused
`

// tagged is told on Ethernet only.
const tagged = tale + `20 E1:40010 > V:443/tcp session 50 50 vlan=10
21 E1:40011 > V:80/tcp session 50 50 vlan=20,10
22 E1:40012 > D:53/udp 40 vlan=20
23 S1:40012 > S5:53/udp 40 vlan=10
`

// stories returns frames of every link type, each whole, cut at every length up to its ports, and with single bytes changed.
func stories(t testing.TB) []frame {
	t.Helper()
	var frames []frame
	for _, s := range []struct {
		word string
		link uint16
		text string
	}{{"ethernet", ethernet, tagged}, {"sll", cooked, tale}, {"sll2", cooked2, tale}, {"raw", rawIP, tale}, {"null", null, tale}} {
		text := "file pcap link=" + s.word + "\n" + s.text
		if s.word != "ethernet" {
			text = withoutARP(text)
		}
		story, err := capturetest.Parse("story "+s.word, text)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, readPcap(t, "story "+s.word, story.Pcap())...)
	}
	for _, f := range frames {
		if f.link == rawIP && f.data[0]>>4 == 4 {
			frames = append(frames, frame{f.name, rawIPv4, f.data, f.wire})
		} else if f.link == rawIP {
			frames = append(frames, frame{f.name, rawIPv6, f.data, f.wire})
		}
	}
	return append(frames, spoiled(frames)...)
}

// withoutARP leaves out what only Ethernet carries.
func withoutARP(text string) string {
	var kept []byte
	for line := range bytes.Lines([]byte(text)) {
		if !bytes.Contains(line, []byte("arp ")) {
			kept = append(kept, line...)
		}
	}
	return string(kept)
}

// spoiled cuts and changes frames.
func spoiled(frames []frame) []frame {
	rng := rand.New(rand.NewPCG(1, 2))
	var more []frame
	for n, f := range frames {
		const headers = 70
		if n%7 == 0 {
			for size := range min(len(f.data), headers) {
				more = append(more, frame{f.name + ", cut", f.link, f.data[:size], f.wire})
			}
		}
		for range 4 {
			data := bytes.Clone(f.data)
			data[rng.IntN(min(len(data), headers))] = []byte{0, 1, 6, 17, 44, 0x45, 0x46, 0x60, 0x81, byte(rng.Uint32())}[rng.IntN(10)]
			more = append(more, frame{f.name + ", changed", f.link, data, f.wire})
		}
	}
	return more
}

// realCaptures is where captures of others lie on some machines.
const realCaptures = "../../../shared/pcaps/captures"

// corpus returns the frames of the stories, and of the real captures where there are any.
func corpus(t testing.TB) []frame {
	t.Helper()
	frames := stories(t)
	names, err := filepath.Glob(realCaptures + "/*.pcap*")
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Log("no real captures here: stories only")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, readPcap(t, filepath.Base(name), data)...)
	}
	return frames
}

// readPcap reads a capture up to where it is damaged. Compressed ones have no frames here.
func readPcap(t testing.TB, name string, data []byte) (frames []frame) {
	t.Helper()
	if len(data) < 24 {
		return nil
	}
	order := binary.ByteOrder(binary.LittleEndian)
	switch binary.LittleEndian.Uint32(data) {
	case 0xa1b2c3d4, 0xa1b23c4d:
	case 0xd4c3b2a1, 0x4d3cb2a1:
		order = binary.BigEndian
	case 0x0a0d0d0a:
		return readPcapng(name, data)
	default:
		return nil
	}
	link := uint16(order.Uint32(data[20:]))
	for data = data[24:]; len(data) >= 16; {
		size, wire := int(order.Uint32(data[8:])), int(order.Uint32(data[12:]))
		data = data[16:]
		if size > len(data) || size > 1<<18 {
			break
		}
		frames = append(frames, frame{name, link, data[:size], wire})
		data = data[size:]
	}
	return frames
}

func readPcapng(name string, data []byte) (frames []frame) {
	r, err := pcapgo.NewNgReader(bytes.NewReader(data), pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return nil
	}
	for {
		data, info, err := r.ReadPacketData()
		if err != nil {
			return frames
		}
		i, err := r.Interface(info.InterfaceIndex)
		if err != nil {
			return frames
		}
		frames = append(frames, frame{name, uint16(i.LinkType), data, info.Length})
	}
}
