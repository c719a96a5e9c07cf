package capture

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// truthFolder holds captures made by others, and what tshark says of them. It is no part of the repository.
const truthFolder = "../../shared/pcaps"

// expectedDifferences says, for each capture of the folder whose TCP and UDP packet counts are not tshark's, why.
var expectedDifferences = map[string]string{
	"derived__modified-magic.pcap":                     "refused by name: modified pcap",
	"gopacket__be_test102.pcapng":                      "tshark counts three custom blocks as packets",
	"gopacket__le_test202.pcapng":                      "tshark counts three custom blocks as packets",
	"ndpi__4in6tunnel.pcap":                            tunnel + "IPv4 in IPv6",
	"ndpi__6in4tunnel.pcap":                            tunnel + "IPv6 in IPv4",
	"ndpi__ajp.pcap":                                   tunnel + "Cisco FabricPath",
	"sv__bug-5437-02_input.pcap":                       tunnel + "ERSPAN",
	"sv__decode-etag-02_input.pcap":                    tunnel + "E-Tag",
	"sv__ipv4_over_ipv4.pcap":                          tunnel + "IPv4 in IPv4",
	"sv__vxlan-decoder-03_vxlan.pcap":                  tunnel + "VXLAN, counted as the UDP around it",
	"tcpdump__geneve.pcap":                             tunnel + "GENEVE, counted as the UDP around it",
	"zeek__echo-connections.pcap.gz":                   "refused by name: compressed",
	"zeek__trunc_mpls-6in6-broken.pcap.gz":             "refused by name: compressed",
	"zeek__erspan.pcap":                                tunnel + "ERSPAN",
	"zeek__gtp_gtp1_gn_normal_incl_fragmentation.pcap": tunnel + "GTP, counted as the UDP around it",
	"zeek__llc.pcap":                                   "link type FDDI",
	"zeek__mixed-vlan-mpls.pcap":                       tunnel + "MPLS",
	"zeek__pppoe-over-qinq.pcap":                       tunnel + "PPPoE",
	"zeek__radiotap.pcap":                              "link type IEEE 802.11 radiotap",
	"zeek__tunnels_4in4.pcap":                          tunnel + "IPv4 in IPv4",
	"zeek__tunnels_gre-sample.pcap":                    tunnel + "GRE",
	"zeek__tunnels_gre-within-gre.pcap":                tunnel + "GRE",
	"zeek__vntag_vlan_sandwich_clean.pcap":             tunnel + "VN-Tag",
}

const tunnel = "the flow inside is not decoded yet: "

// truth is what tshark counts in a capture: packets by their innermost transport header.
type truth struct {
	packets, tcp, udp uint64
}

func readTruth(t *testing.T, path string) truth {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	facts := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if field := strings.Split(lines.Text(), "\t"); len(field) >= 3 && field[0] == "FACT" {
			facts[field[1]] = field[2]
		}
	}
	fact := func(name string) uint64 {
		n, err := strconv.ParseUint(facts[name], 10, 64)
		if err != nil {
			t.Fatalf("%s: FACT %s: %v", path, name, err)
		}
		return n
	}
	return truth{fact("packets"), fact("tcp"), fact("udp")}
}

// TestCapturesOfOthers holds the counts of real captures against tshark's. With -v it prints the table.
func TestCapturesOfOthers(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(truthFolder, "captures", "*"))
	if err != nil || len(files) == 0 {
		t.Skipf("%s: not on this machine", truthFolder)
	}
	agree := 0
	for _, file := range files {
		name := filepath.Base(file)
		want := readTruth(t, filepath.Join(truthFolder, "truth", name+".tsv"))
		got, note := countCapture(file)
		reason, expected := expectedDifferences[name]
		same := got == want
		switch {
		case same && expected:
			t.Errorf("%s agrees now: take it out of expectedDifferences", name)
		case same:
			agree++
		case !expected:
			t.Errorf("%s: got %+v, want %+v %s", name, got, want, note)
		}
		t.Logf("%-55s tcp %5d of %5d  udp %5d of %5d  packets %5d of %5d  %s %s",
			name, got.tcp, want.tcp, got.udp, want.udp, got.packets, want.packets, reason, note)
	}
	t.Logf("%d of %d captures agree with tshark, %d differ for a reason above", agree, len(files), len(expectedDifferences))
}

// countCapture counts as the truth does, and says what else was in the way.
func countCapture(file string) (got truth, note string) {
	inputs, err := Open([]string{file}, nil)
	if err != nil {
		return got, "[" + err.Error()[strings.LastIndex(err.Error(), "/")+1:] + "]"
	}
	c := inputs[0].Read(context.Background(), Options{})
	for f := range c.Table.Flows {
		n := f.FromA.Packets + f.FromB.Packets
		if f.Proto == TCP {
			got.tcp += n
		} else {
			got.udp += n
		}
	}
	s := &c.Table.Stats
	got.packets = s.Read
	if !s.Balanced() {
		note = "[NOT BALANCED]"
	}
	for _, why := range Skips() {
		if n := s.Skipped[why]; n > 0 {
			note += fmt.Sprintf(" [%s %d]", why, n)
		}
	}
	if c.Damage != nil {
		note += " [" + c.Damage.Error() + "]"
	}
	return got, note
}
