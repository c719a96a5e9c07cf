package flowrecord

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/gopacket/pcapgo"
)

var exporterAddr = netip.MustParseAddr("192.0.2.7")

// collected is what a collector made of datagrams.
type collected struct {
	NetFlow
	kept    []Record
	skipped [Skips]int
}

func (c *collected) datagram(now int64, b []byte) {
	c.Datagram(exporterAddr, now, b, func(r *Record, why Skip) {
		if why == Kept {
			c.kept = append(c.kept, *r)
			return
		}
		c.skipped[why]++
	})
}

// field is one of a template.
type field struct {
	element, length uint16
	pen             uint32
}

// set returns a set of an id.
func set(id uint16, content []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = binary.BigEndian.AppendUint16(b, uint16(len(content)+4))
	return append(b, content...)
}

// template returns an IPFIX template.
func template(id uint16, fields ...field) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = binary.BigEndian.AppendUint16(b, uint16(len(fields)))
	for _, f := range fields {
		if f.pen != 0 {
			f.element |= 0x8000
		}
		b = binary.BigEndian.AppendUint16(b, f.element)
		b = binary.BigEndian.AppendUint16(b, f.length)
		if f.pen != 0 {
			b = binary.BigEndian.AppendUint32(b, f.pen)
		}
	}
	return b
}

// ten returns an IPFIX message.
func ten(sequence uint32, sets ...[]byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, ipfix)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(at("10:00:00")/1e9))
	b = binary.BigEndian.AppendUint32(b, sequence)
	b = binary.BigEndian.AppendUint32(b, 1)
	for _, s := range sets {
		b = append(b, s...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

var plain = []field{{ieSrcIPv4, 4, 0}, {ieDstIPv4, 4, 0}, {ieSrcPort, 2, 0}, {ieDstPort, 2, 0}, {ieProtocol, 1, 0}, {ieTCPFlags, 1, 0}, {iePackets, 4, 0}, {ieOctets, 4, 0}}

// plainRecord is a data record of the plain template: 10.0.0.1:40000 to 10.0.0.2.
func plainRecord(proto, flags uint8, packets, octets uint32) []byte {
	b := []byte{10, 0, 0, 1, 10, 0, 0, 2, 40000 >> 8, 40000 & 0xff, 902 >> 8, 902 & 0xff, proto, flags}
	b = binary.BigEndian.AppendUint32(b, packets)
	return binary.BigEndian.AppendUint32(b, octets)
}

// exports returns the datagrams that softflowd sent of a made capture, in version 5, 9 or 10.
func exports(t testing.TB, name string) (datagrams [][]byte) {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "..", "testdata", "pcaps", "exports", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, err := pcapgo.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, _, err := r.ReadPacketData()
		if err != nil {
			return datagrams
		}
		datagrams = append(datagrams, data[14+20+8:])
	}
}

func TestGenuineExportsAreReadWithoutLoss(t *testing.T) {
	for _, test := range []struct {
		name    string
		options int
	}{{"netflow5.pcap", 0}, {"netflow9.pcap", 1}, {"ipfix.pcap", 1}} {
		var c collected
		for _, b := range exports(t, test.name) {
			c.datagram(at("10:00:00"), b)
		}
		packets := uint64(0)
		for i := range c.kept {
			sound(t, &c.kept[i])
			packets += c.kept[i].Sent.Packets
		}
		want := [Skips]int{IgnoredICMP: 2, IgnoredExporter: test.options}
		if len(c.kept) != 116 || packets != 641 || c.skipped != want || c.Lost != 0 || c.Reordered != 0 {
			t.Errorf("%s: %d records of %d packets, skipped %v, %d lost, %d out of order; want 116 of 641, %v, none",
				test.name, len(c.kept), packets, c.skipped, c.Lost, c.Reordered, want)
		}
	}
}

func TestADatagramThatDoesNotComeIsCounted(t *testing.T) {
	for name, want := range map[string]uint64{"netflow5.pcap": 29, "netflow9.pcap": 1} { // records, datagrams
		var c collected
		for i, b := range exports(t, name) {
			if i != 1 {
				c.datagram(at("10:00:00"), b)
			}
		}
		if c.Lost != want {
			t.Errorf("%s: %d lost, want %d", name, c.Lost, want)
		}
	}
	var c collected
	data := set(256, plainRecord(protoUDP, 0, 1, 40))
	c.datagram(0, ten(7, set(2, template(256, plain...)), data))
	c.datagram(0, ten(8, data))
	c.datagram(0, ten(11, data)) // 9 and 10 are missing
	if c.Lost != 2 {
		t.Errorf("%d lost, want 2", c.Lost)
	}
	c.datagram(0, ten(9, data))
	if c.Lost != 1 || c.Reordered != 1 {
		t.Errorf("%d lost, %d out of order; want 1 and 1", c.Lost, c.Reordered)
	}
}

func TestFlagsProveWhatTheyProve(t *testing.T) {
	for _, test := range []struct {
		says  string
		flags uint8
		want  Signs
	}{
		{"a SYN alone began it", flagSYN, SYN},
		{"SYN and ACK: a client's or a server's", flagSYN | flagACK, 0},
		{"a whole connection, of either end", flagSYN | flagACK | flagPSH | flagFIN, ACK | FIN},
		{"the middle of one", flagACK, ACK},
		{"a refusal", flagRST | flagACK, RST},
	} {
		if got := signsOf(test.flags); got != test.want {
			t.Errorf("%s: %06b, want %06b", test.says, got, test.want)
		}
	}
}

func TestSetsWaitForNoTemplate(t *testing.T) {
	var c collected
	data := set(256, plainRecord(protoTCP, flagSYN, 1, 60))
	c.datagram(0, ten(0, data))
	c.datagram(0, ten(1, set(2, template(256, plain...)), data))
	c.datagram(0, ten(2, set(2, template(256)), data)) // withdrawn
	if len(c.kept) != 1 || c.skipped[BadTemplate] != 2 {
		t.Errorf("%d kept, %d without a template; want 1 and 2", len(c.kept), c.skipped[BadTemplate])
	}
}

func TestSamplingIsToldByRecordsAndByOptions(t *testing.T) {
	data := set(256, plainRecord(protoUDP, 0, 1, 40))
	var c collected
	c.datagram(0, ten(0, set(2, template(256, plain...)), data))
	options := binary.BigEndian.AppendUint16(nil, 257)
	options = append(options, 0, 2, 0, 1, 0, 149, 0, 4, 0, ieSamplingInterval, 0, 4) // observation domain; interval
	c.datagram(0, ten(1, set(3, options), set(257, []byte{0, 0, 0, 1, 0, 0, 16, 0}), data))
	if len(c.kept) != 2 || c.kept[0].Sampled || !c.kept[1].Sampled {
		t.Errorf("%+v: the first is not said to be sampled, the second is", c.kept)
	}
	var five collected
	b := exports(t, "netflow5.pcap")[0]
	binary.BigEndian.PutUint16(b[22:], 1<<14|4096)
	five.datagram(0, b)
	if len(five.kept) == 0 || !five.kept[0].Sampled {
		t.Error("NetFlow 5 that looks at one packet in 4,096 is not sampled")
	}
}

func TestABiflowHasTwoSides(t *testing.T) {
	both := append([]field{}, plain...)
	both = append(both, field{iePackets, 4, penReverse}, field{ieOctets, 4, penReverse}, field{ieStartMillis, 8, 0}, field{ieEndMillis, 8, 0},
		field{ieStartMillis, 8, penReverse}, field{ieEndMillis, 8, penReverse})
	b := plainRecord(protoUDP, 0, 2, 80)
	b = binary.BigEndian.AppendUint32(b, 3)
	b = binary.BigEndian.AppendUint32(b, 999)
	for _, clock := range []string{"10:00:00", "10:00:05", "10:00:01", "10:00:04"} {
		b = binary.BigEndian.AppendUint64(b, uint64(at(clock)/1e6))
	}
	var c collected
	c.datagram(0, ten(0, set(2, template(256, both...)), set(256, b)))
	want := Record{
		Src: netip.MustParseAddrPort("10.0.0.1:40000"), Dst: netip.MustParseAddrPort("10.0.0.2:902"), Proto: protoUDP,
		Sent:     Side{Packets: 2, Bytes: 80, First: at("10:00:00"), Last: at("10:00:05")},
		Received: Side{Packets: 3, Bytes: 999, First: at("10:00:01"), Last: at("10:00:04"), Signs: Payload},
	}
	if len(c.kept) != 1 {
		t.Fatalf("%d kept, skipped %v", len(c.kept), c.skipped)
	}
	if diff := differ(want, c.kept[0]); diff != "" {
		t.Error(diff)
	}
}

// TestTemplatesThatWouldKillTheDecoderAreRefused holds the two that do: a record of no bytes, of which a set holds any number, and
// one of many fields and hardly any bytes.
func TestTemplatesThatWouldKillTheDecoderAreRefused(t *testing.T) {
	nothing := template(256, field{iePackets, 0, 0})
	var wide []field
	for range 5000 {
		wide = append(wide, field{iePackets, 0, 0})
	}
	wide = append(wide, field{ieProtocol, 1, 0})
	for _, bad := range [][]byte{nothing, template(256, wide...), template(256, field{82, 0xffff, 0})} {
		var c collected
		c.datagram(0, ten(0, set(2, bad), set(256, make([]byte, 30000))))
		if c.TemplatesRefused() != 1 || c.skipped[BadTemplate] != 1 || len(c.kept) > 0 {
			t.Errorf("%d refused, skipped %v, %d kept; want 1 refused, and its set without a template", c.TemplatesRefused(), c.skipped, len(c.kept))
		}
	}
}

func TestWhatIsRememberedOfExportersIsBounded(t *testing.T) {
	var n NetFlow
	message := ten(0, set(2, template(256, plain...)))
	skip := func(*Record, Skip) {}
	from := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range 3 * maxExporters {
		n.Datagram(from(i), 0, message, skip)
	}
	if len(n.exporters.known) != maxExporters || n.TemplatesRefused() != 2*maxExporters {
		t.Errorf("%d exporters, %d templates refused; want %d and %d", len(n.exporters.known), n.TemplatesRefused(), maxExporters, 2*maxExporters)
	}
	n.Datagram(from(3*maxExporters), exporterIdle+1, message, skip)
	if len(n.exporters.known) != 1 || n.exporters.fields != len(plain) {
		t.Errorf("%d exporters, %d fields; want 1 after half an hour of silence, and its %d", len(n.exporters.known), n.exporters.fields, len(plain))
	}
	for id := range uint16(2 * maxTemplates) {
		n.Datagram(from(3*maxExporters), exporterIdle+1, ten(0, set(2, template(256+id, plain...))), skip)
	}
	if got := len(n.exporters.known[exporterKey{from(3 * maxExporters), ipfix, 1}].templates); got != maxTemplates {
		t.Errorf("%d templates of one exporter, want %d", got, maxTemplates)
	}
}

func TestWhatIsNoExportIsCounted(t *testing.T) {
	whole := exports(t, "netflow5.pcap")[0]
	for says, b := range map[string][]byte{
		"nothing":               nil,
		"another version":       {0, 8, 0, 1},
		"NetFlow 9, cut":        {0, 9, 0, 1},
		"IPFIX of false length": append(ten(0), 0),
	} {
		var c collected
		if c.datagram(0, b); c.skipped[BadDatagram] != 1 || len(c.kept) > 0 {
			t.Errorf("%s: skipped %v, want one bad datagram", says, c.skipped)
		}
	}
	var c collected
	if c.datagram(0, whole[:24+48*2+7]); len(c.kept) != 2 || c.skipped[BadDatagram] != 1 {
		t.Errorf("NetFlow 5, cut in its third record: %d kept, skipped %v; want 2, and one bad datagram", len(c.kept), c.skipped)
	}
}

// FuzzNetFlow holds that no datagrams do harm: two of them, of which the first may bring templates for the second.
func FuzzNetFlow(f *testing.F) {
	for _, name := range []string{"netflow5.pcap", "netflow9.pcap", "ipfix.pcap"} {
		datagrams := exports(f, name)
		f.Add(datagrams[0], datagrams[1])
	}
	f.Add(ten(0, set(2, template(256, field{iePackets, 0, 0}))), ten(0, set(256, make([]byte, 100))))
	f.Add(ten(0, set(2, template(256, field{82, 0xffff, 0}, field{ieProtocol, 1, 0}))), ten(0, set(256, []byte{5, 1, 2, 3, 4, 5, 6})))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var c collected
		for _, b := range [][]byte{first, second, first} {
			c.datagram(at("10:00:00"), b)
		}
		for i := range c.kept {
			sound(t, &c.kept[i])
		}
		fields := 0
		for _, x := range c.exporters.known {
			fields += x.fields
		}
		if fields != c.exporters.fields || fields > maxFields {
			t.Errorf("%d fields are remembered, counted as %d", fields, c.exporters.fields)
		}
	})
}
