package capture

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// fuzzReader holds of any bytes: reading them ends, balances, names an offset inside them, invents no packet, and does not
// depend on how many bytes a read brings.
func fuzzReader(t *testing.T, data []byte) {
	format := recognise(data[:min(len(data), headSizeMax)], false).format
	if format == "" {
		return
	}
	whole, drops := Capture{Format: format}, Capture{Format: format}
	whole.read(context.Background(), newWindow(bytes.NewReader(data), int64(len(data))), Options{})
	drops.read(context.Background(), newWindow(iotest.OneByteReader(bytes.NewReader(data)), 0), Options{})
	s := &whole.Table.Stats
	if !s.Balanced() {
		t.Fatalf("not balanced: %+v", s)
	}
	if least := uint64(16); s.Read > uint64(len(data))/least {
		t.Fatalf("%d packets from %d bytes", s.Read, len(data))
	}
	if d := whole.Damage; d != nil && (d.Offset < 0 || d.Offset > int64(len(data)) || d.Reason == "") {
		t.Fatalf("damage %+v in %d bytes", d, len(data))
	}
	if whole.Damage == nil && whole.Size != int64(len(data)) {
		t.Fatalf("%d bytes of %d read, and no damage", whole.Size, len(data))
	}
	options := cmp.Options{cmpopts.IgnoreUnexported(Table{}, Capture{}), compareNetip, comparePorts}
	if diff := cmp.Diff(&whole, &drops, options); diff != "" {
		t.Fatalf("read at once and byte by byte (-at once +by byte):\n%s", diff)
	}
	if diff := cmp.Diff(sorted(whole.Table), sorted(drops.Table), options); diff != "" {
		t.Fatalf("flows at once and byte by byte (-at once +by byte):\n%s", diff)
	}
}

func FuzzPcap(f *testing.F) {
	for name, sample := range sampleFiles() {
		if name[:5] == "pcap," {
			f.Add(sample.data)
			f.Add(sample.data[:len(sample.data)-3])
		}
	}
	f.Fuzz(fuzzReader)
}

func FuzzPcapng(f *testing.F) {
	for name, sample := range sampleFiles() {
		if name[:6] == "pcapng" {
			f.Add(sample.data)
			f.Add(sample.data[:len(sample.data)-3])
		}
	}
	f.Fuzz(fuzzReader)
}

// FuzzDecode holds our decoder against gopacket's: wherever that decodes a frame down to ports without complaint, ours
// finds the same ones.
func FuzzDecode(f *testing.F) {
	for _, link := range []Link{
		LinkNull, LinkEthernet, LinkPPP, LinkFDDI, linkRawBSD, linkRawOpenBSD, LinkPPPHDLC, LinkPPPEther, LinkRaw, LinkHDLC,
		LinkLoop, LinkCooked, LinkIPv4, LinkIPv6, LinkCooked2,
	} {
		f.Add(uint16(link), tcpFrame(1, false))
	}
	for _, wrapped := range framings(f) {
		f.Add(uint16(wrapped.link), join(f, wrapped.frame))
	}
	for _, frame := range []string{
		ether4 + tcp40 + syn,
		macs + "8100 0064 8100 00c8 0800" + udp32 + dns,
		ether6 + ip6(12, 17) + dns,
		ether6 + ip6(20, 0) + "1100 000000000000" + dns,
		ether4 + "4500003c 00010000 40010000 0a000009 0a000002 0303 0000 00000000" + udp32 + dns,
	} {
		f.Add(uint16(LinkEthernet), join(f, frame))
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte) {
		frame := Frame{Link: Link(link), Data: data, WireLen: len(data)}
		var p Packet
		why := p.Decode(&frame)
		if why == IgnoredICMP {
			p.Quote()
		}
		var pieces fragments
		var table Table
		if p.fragmented(why) {
			why = pieces.take(&p, why, 0, &table.Stats)
		}
		if why == Kept {
			table.Add(&p, 0, Ref{})
		} else {
			table.AddSkipped(&p, why, frame.Link, 0)
		}
		if !table.Stats.Balanced() {
			t.Fatalf("not balanced: %+v", table.Stats)
		}
		compareWithGopacket(t, frame.Link, data, &p, why)
	})
}

// oracle is gopacket's decoder of the layers that it decodes safely.
type oracle struct {
	eth layers.Ethernet
	tag layers.Dot1Q
	ip4 layers.IPv4
	ip6 layers.IPv6
	tcp layers.TCP
	udp layers.UDP
}

// entry returns the layer that gopacket begins with; false for the link types that it does not decode safely.
func entry(link Link) (gopacket.LayerType, bool) {
	switch link {
	case LinkEthernet:
		return layers.LayerTypeEthernet, true
	case LinkIPv4:
		return layers.LayerTypeIPv4, true
	case LinkIPv6:
		return layers.LayerTypeIPv6, true
	}
	return 0, false
}

// decode returns the addresses and ports; false where gopacket finds none, or more than one IP header (whose addresses it
// would have overwritten), or one of another version (which it does not look at).
func (o *oracle) decode(link Link, data []byte) (src, dst netip.AddrPort, proto Proto, ok bool) {
	first, ok := entry(link)
	if !ok {
		return src, dst, 0, false
	}
	parser := gopacket.NewDecodingLayerParser(first, &o.eth, &o.tag, &o.ip4, &o.ip6, &o.tcp, &o.udp)
	var decoded []gopacket.LayerType
	if err := parser.DecodeLayers(data, &decoded); err != nil {
		if _, unsupported := err.(gopacket.UnsupportedLayerType); !unsupported {
			return src, dst, 0, false
		}
	}
	has4, has6 := slices.Contains(decoded, layers.LayerTypeIPv4), slices.Contains(decoded, layers.LayerTypeIPv6)
	headers := 0
	for _, layer := range decoded {
		if layer == layers.LayerTypeIPv4 || layer == layers.LayerTypeIPv6 {
			headers++
		}
	}
	if o.ip6.HopByHop != nil { // behind one, gopacket reads past the payload length
		return src, dst, 0, false
	}
	if headers != 1 || has4 && o.ip4.Version != 4 || has6 && o.ip6.Version != 6 {
		return src, dst, 0, false
	}
	from, to := o.ip4.SrcIP, o.ip4.DstIP
	if has6 {
		from, to = o.ip6.SrcIP, o.ip6.DstIP
	}
	a, _ := netip.AddrFromSlice(from)
	b, _ := netip.AddrFromSlice(to)
	switch {
	case slices.Contains(decoded, layers.LayerTypeTCP):
		return netip.AddrPortFrom(a, uint16(o.tcp.SrcPort)), netip.AddrPortFrom(b, uint16(o.tcp.DstPort)), TCP, true
	case slices.Contains(decoded, layers.LayerTypeUDP):
		return netip.AddrPortFrom(a, uint16(o.udp.SrcPort)), netip.AddrPortFrom(b, uint16(o.udp.DstPort)), UDP, true
	}
	return src, dst, 0, false
}

func compareWithGopacket(t *testing.T, link Link, data []byte, p *Packet, why Skip) {
	var o oracle
	src, dst, proto, ok := o.decode(link, data)
	if !ok {
		return
	}
	if tunnel := p.Tunnel(); tunnel != (Tunnel{}) {
		if tunnel.From != src.Addr() || tunnel.To != dst.Addr() || proto != UDP {
			t.Fatalf("frame %x\n got %v around %s\nwant it around %v %v>%v", data, tunnel, describe(p, why), proto, src, dst)
		}
		return
	}
	if why != Kept || p.Src() != src || p.Dst() != dst || p.Proto != proto {
		t.Fatalf("frame %x\n got %s\nwant %v %v>%v", data, describe(p, why), proto, src, dst)
	}
	if proto != TCP || p.Signs&Cut != 0 {
		return
	}
	if got, want := int(p.Content), len(o.tcp.Payload); got != want {
		t.Fatalf("frame %x\ncontent %d, want %d", data, got, want)
	}
	if got, want := p.Signs&SYN != 0, o.tcp.SYN && !o.tcp.ACK && !o.tcp.RST; got != want || got && p.Seq != o.tcp.Seq {
		t.Fatalf("frame %x\nSYN %v with %d, want %v with %d", data, got, p.Seq, want, o.tcp.Seq)
	}
}

// plainFragments is the table of first fragments without a cap or a clock: which flow a later fragment belongs to.
type plainFragments map[string]Packet

func (m plainFragments) key(src, dst address, ident uint64, vlan uint16, proto Proto, f family) string {
	if f == familyIPv6 {
		proto = 0
	}
	return fmt.Sprint(src, dst, ident>>16&0xffffffff, vlan, proto, f)
}

// take returns the first fragment of a later one, if it was seen.
func (m plainFragments) take(p *Packet, why Skip) (Packet, bool) {
	own := m.key(p.src, p.dst, p.ident, p.VLAN, p.Proto, p.family)
	if why == BadLaterFragment {
		first, ok := m[own]
		return first, ok
	}
	if why == Kept && p.Signs&Fragment != 0 {
		m[own] = *p
	}
	return Packet{}, false
}

// FuzzFragments holds the table of first fragments against its plain form, for packets that are four bytes each: identification,
// offset and flags, protocol and direction, port.
func FuzzFragments(f *testing.F) {
	f.Add([]byte{1, 0x80, 0, 1, 1, 0x01, 0, 0, 1, 0x82, 1, 0})
	f.Add([]byte{1, 0x80, 2, 1, 1, 0x80, 2, 2, 1, 0x01, 2, 0, 2, 0x01, 2, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 4 * MaxFragmented // more would have to evict
		data = data[:min(len(data), most)]
		plain := plainFragments{}
		var g fragments
		var s Stats
		for ; len(data) >= 4; data = data[4:] {
			p, why := fragmentFrom([4]byte(data))
			first, joined := plain.take(p, why)
			got := g.take(p, why, 0, &s)
			switch {
			case joined && (got != Kept || p.Src() != first.Src() || p.Dst() != first.Dst() || p.Proto != first.Proto):
				t.Fatalf("got %s, want a packet of %s", describe(p, got), describe(&first, Kept))
			case !joined && got != why:
				t.Fatalf("got %v, want %v", got, why)
			case p.Signs&(SYN|SYNACK|FIN|RST|ACK) != 0:
				t.Fatalf("flags from nowhere: %s", describe(p, got))
			}
		}
		if s.FragmentsEvicted != 0 {
			t.Fatalf("%d evicted of %d", s.FragmentsEvicted, len(plain))
		}
	})
}

// fragmentFrom decodes the fragment that four bytes stand for.
func fragmentFrom(b [4]byte) (*Packet, Skip) {
	ip := make([]byte, 20+8)
	ip[0], ip[3], ip[5] = 0x45, 28, b[0]
	ip[6], ip[7] = b[1]>>7<<5, b[1]&0x7f
	ip[9] = byte(UDP)
	if b[2]&1 != 0 {
		ip[9] = byte(TCP)
	}
	ip[15], ip[19] = b[2]>>1&1, 2
	ip[23] = b[3]
	p := new(Packet)
	return p, p.Decode(&Frame{Link: LinkRaw, Data: ip, WireLen: len(ip)})
}
