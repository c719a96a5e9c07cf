package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// realFolder holds captures of real servers and clients, and realInventory the cast: see the README there.
var (
	realFolder    = filepath.Join("..", "..", "testdata", "pcaps", "real")
	realInventory = filepath.Join(realFolder, "inventory.yaml")
)

// How much of its packets a capture holds.
const (
	whole   = false
	snapped = true
)

// genuine lists every capture of the folder: are its packets cut, the exit status, and each judged conversation as a
// sentence. A port that the servers chose themselves reads "any", for it differs when the capture is made anew. Status 3
// is that of a capture too short for the heartbeats which the inventory's hosts owe.
var genuine = []struct {
	file   string
	cut    bool
	status int
	says   []string
}{
	{"ajp.pcap", whole, 3, []string{"security-a > view-a 8009/tcp documented, success by data"}},
	{"arp-ping.pcapng", whole, 3, nil},
	{"dns-snap64.pcap", snapped, 3, []string{"vcenter-a > dns-a 53/udp documented, success by data"}},
	{"dns-tcp.pcap", whole, 1, []string{"esx-a > dns-a 53/tcp wrong-transport, success by data"}},
	{"dns-udp.pcapng", whole, 3, []string{"esx-a > dns-a 53/udp documented, success by data"}},
	{"ftp-active.pcap", whole, 3, []string{
		"10.77.0.250 > esx-a 21/tcp documented, success by data",
		"esx-a > 10.77.0.250 any/tcp unlisted-port (companion), success by data",
	}},
	{"ftp-passive.pcapng", whole, 3, []string{
		"10.77.0.250 > esx-a 21/tcp documented, success by data",
		"10.77.0.250 > esx-a any/tcp unlisted-port (companion), success by data",
	}},
	{"https.pcap", whole, 3, []string{"10.77.0.250 > vcenter-a 443/tcp documented, success by data"}},
	{"https-8443.pcapng", whole, 3, []string{"10.77.0.250 > vcenter-a 8443/tcp documented, success by data"}},
	{"https-offload.pcap", snapped, 3, []string{"vcenter-a > esx-a 443/tcp documented, success by data"}},
	{"https-snap64.pcap", snapped, 3, []string{"10.77.0.250 > vcenter-a 443/tcp documented, success by data"}},
	{"https-two-ports.pcapng", whole, 3, []string{"10.77.0.250 > vcenter-a 443/tcp documented, success by data"}},
	{"icmp-admin.pcap", whole, 3, []string{"vcenter-a > esx-c 5989/tcp documented, refused by icmp-admin"}},
	{"icmp-host.pcap", whole, 3, []string{"vcenter-a > esx-c 5989/tcp documented, refused by icmp-host"}},
	{"ipmi.pcap", whole, 3, []string{"vcenter-a > esx-a 623/udp documented, success by data"}},
	{"iscsi.pcapng", snapped, 3, []string{"esx-a > san-a 3260/tcp documented, success by data"}},
	{"kerberos-tcp.pcapng", whole, 3, []string{"esx-a > ad-a 88/tcp documented, success by data"}},
	{"kerberos-udp.pcap", whole, 3, []string{"vcenter-a > ad-a 88/udp documented, success by data"}},
	{"kerberos-udp-esx.pcap", whole, 1, []string{"esx-a > ad-a 88/udp wrong-transport, success by data"}},
	{"ldap.pcapng", whole, 3, []string{"esx-a > ldap-a 389/tcp documented, success by data"}},
	{"ldaps.pcap", whole, 3, []string{"lab-manager-a > ldap-a 636/tcp documented, success by data"}},
	{"mariadb.pcap", whole, 3, []string{"vco-a > mysql-a 3306/tcp documented, success by data"}},
	{"netbios-broadcast.pcapng", whole, 3, []string{
		"esx-a > 10.77.0.255 137/udp group-cast, success by oneway",
		"esx-a > smb-a 137/udp documented, success by inferred",
	}},
	{"netbios-query.pcap", whole, 3, []string{"esx-a > smb-a 137/udp documented, success by data"}},
	{"nfs-tcp.pcap", whole, 3, []string{
		"esx-a > nfs-a 111/tcp documented, success by data",
		"esx-a > nfs-a 2049/tcp documented, success by data",
		"esx-a > nfs-a any/tcp unlisted-port (companion), success by data",
	}},
	{"nfs-udp.pcapng", whole, 3, []string{
		"esx-a > nfs-a 111/udp documented, success by data",
		"esx-a > nfs-a 2049/udp documented, success by data",
	}},
	{"ntp.pcap", whole, 3, []string{"esxi-a > ntp-a 123/udp documented, success by data"}},
	{"ntp-symmetric.pcapng", whole, 3, []string{"esx-a > ntp-a 123/udp documented, success by data"}},
	{"openvpn-tcp.pcap", whole, 3, []string{"appspeed-a > probe-a 1194/tcp documented, success by data"}},
	{"openvpn-udp.pcapng", whole, 3, []string{"appspeed-a > probe-a 1194/udp documented, success by data"}},
	{"postgres.pcapng", whole, 3, []string{"vco-a > pg-a 5432/tcp documented, success by data"}},
	{"rdp.pcap", snapped, 3, []string{"10.77.0.250 > desktop-a 3389/tcp documented, success by data"}},
	{"smb-139.pcap", whole, 3, []string{"esx-a > smb-a 139/tcp documented, success by data"}},
	{"smb-445.pcapng", whole, 3, []string{"esx-a > smb-a 445/tcp documented, success by data"}},
	{"smtp.pcapng", whole, 3, []string{"vcenter-a > smtp-a 25/tcp documented, success by data"}},
	{"snmp.pcap", whole, 3, []string{"snmp-a > esx-a 161/udp documented, success by data"}},
	{"snmp-trap.pcapng", whole, 3, []string{"esx-a > snmp-a 162/udp documented, success by oneway"}},
	{"ssh.pcap", whole, 3, []string{"10.77.0.250 > esx-a 22/tcp documented, success by data"}},
	{"ssh-any.pcap", whole, 3, []string{"10.77.0.250 > esx-a 22/tcp documented, success by data"}},
	{"ssh-ipv6.pcapng", whole, 3, []string{"fd77::fa > esx-a 22/tcp documented, success by data"}},
	{"syslog-fragments.pcapng", whole, 3, []string{"esx-a > syslog-a 514/udp documented, success by oneway"}},
	{"syslog-tcp.pcap", whole, 1, []string{"esx-a > syslog-a 514/tcp wrong-transport, success by data"}},
	{"syslog-udp.pcap", whole, 3, []string{"esx-a > syslog-a 514/udp documented, success by oneway"}},
	{"tcp-filtered.pcap", whole, 3, []string{"vcenter-a > esx-a 5989/tcp documented, unanswered"}},
	{"tcp-nobody.pcapng", whole, 3, []string{"vcenter-a > esx-b 5989/tcp documented, one-sided"}},
	{"tcp-refused.pcapng", whole, 3, []string{"vcenter-a > esx-a 5989/tcp documented, refused by rst"}},
	{"telnet.pcap", whole, 1, []string{"10.77.0.250 > esx-a 23/tcp unlisted-port, success by data"}},
	{"udp-closed.pcap", whole, 1, []string{"esx-a > vcenter-a 902/udp documented, refused by icmp-port"}},
	{"vnc.pcapng", whole, 3, []string{"esx-a > esx-b 5900/tcp documented, success by data"}},
}

// realReport is what the tests read of a JSON report.
type realReport struct {
	Captures []struct {
		Filter        string
		DropsRecorded bool `json:"drops_recorded"`
		Received      uint64
		Drops         uint64
		Interfaces    []struct {
			Name       string
			SnapLength uint32 `json:"snap_length"`
			Start, End string
		}
	}
	Stats struct {
		Read, Judged, Truncated, Duplicates uint64
		Ignored, Undecodable                map[string]uint64
		Balanced                            bool
	}
	Findings []realFinding
}

// realFinding is one judged conversation of a realReport.
type realFinding struct {
	Initiator, Responder realEnd
	Transport, Verdict   string
	Port                 uint16
	Outcome, Detail      string
	Qualifiers           []string
	Sent, Received       struct{ Packets uint64 }
}

// realEnd is one end of a realFinding.
type realEnd struct{ Address, Machine string }

// String returns the machine's name, or the address where the cast has none.
func (e realEnd) String() string {
	if e.Machine != "" {
		return e.Machine
	}
	return e.Address
}

// String returns the sentence of the table genuine.
func (f realFinding) String() string {
	port, verdict, outcome := strconv.Itoa(int(f.Port)), f.Verdict, f.Outcome
	if slices.Contains(f.Qualifiers, "companion") {
		port, verdict = "any", verdict+" (companion)"
	}
	if f.Detail != "" {
		outcome += " by " + f.Detail
	}
	return fmt.Sprintf("%v > %v %s/%s %s, %s", f.Initiator, f.Responder, port, f.Transport, verdict, outcome)
}

// judgeReal judges one capture of the folder with its cast.
func judgeReal(t *testing.T, file string, args ...string) (r realReport, status int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"check", filepath.Join(realFolder, file), "--inventory", realInventory, "--json"}, args...)
	status = run(args, strings.NewReader(""), &stdout, &stderr)
	if stderr.Len() > 0 {
		t.Errorf("%s: standard error: %s", file, stderr.String())
	}
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil || len(r.Captures) != 1 {
		t.Fatalf("%s: status %d, report of %d captures: %v", file, status, len(r.Captures), err)
	}
	return r, status
}

// TestGenuineCapturesAreJudged holds each capture of a real server against its sentences.
func TestGenuineCapturesAreJudged(t *testing.T) {
	for _, row := range genuine {
		t.Run(row.file, func(t *testing.T) {
			r, status := judgeReal(t, row.file)
			var says []string
			for _, f := range r.Findings {
				says = append(says, f.String())
			}
			slices.Sort(says)
			if diff := cmp.Diff(row.says, says); diff != "" {
				t.Errorf("judged (-want +got):\n%s", diff)
			}
			if status != row.status {
				t.Errorf("got exit status %d, want %d", status, row.status)
			}
			if got := r.Stats.Truncated > 0; got != row.cut {
				t.Errorf("got %d truncated packets, want some: %v", r.Stats.Truncated, row.cut)
			}
			if !r.Stats.Balanced {
				t.Error("packets are not balanced")
			}
		})
	}
}

// TestGenuineCapturesAreAllListed wants each capture of the folder in the table and in the README, and no other.
func TestGenuineCapturesAreAllListed(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(realFolder, "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed, there []string
	for _, row := range genuine {
		listed = append(listed, row.file)
		if !strings.Contains(string(readme), "| `"+row.file+"` |") {
			t.Errorf("README.md has no row for %s", row.file)
		}
	}
	for _, file := range realCaptures(t) {
		there = append(there, filepath.Base(file))
	}
	slices.Sort(listed)
	if diff := cmp.Diff(there, listed); diff != "" {
		t.Errorf("captures (-in the folder +in the table):\n%s", diff)
	}
}

// realCaptures returns the paths of the folder's captures, in order.
func realCaptures(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(realFolder, "*.pcap*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	return files
}

// TestFramesSeenTwice judges the captures in which each frame passes two ports of the switch: with --dedup half of the
// packets are left, and nothing else changes.
func TestFramesSeenTwice(t *testing.T) {
	for _, file := range []string{"https-two-ports.pcapng", "ssh-any.pcap"} {
		all, _ := judgeReal(t, file)
		once, _ := judgeReal(t, file, "--dedup")
		if got, want := all.Stats.Duplicates, all.Stats.Judged/2; got != want {
			t.Errorf("%s: got %d duplicates, want %d", file, got, want)
		}
		if got, want := once.Stats.Ignored["duplicate"], all.Stats.Duplicates; got != want {
			t.Errorf("%s: --dedup ignored %d packets, want %d", file, got, want)
		}
		if got, want := once.Findings[0].String(), all.Findings[0].String(); got != want {
			t.Errorf("%s: with --dedup %q, without %q", file, got, want)
		}
		if got, want := 2*once.Findings[0].Sent.Packets, all.Findings[0].Sent.Packets; got != want {
			t.Errorf("%s: with --dedup the initiator sent half of %d packets, want half of %d", file, got, want)
		}
	}
}

// TestWhatTheCaptureToolsWroteDown wants what tcpdump and dumpcap recorded of themselves: filter, snap length, and in
// pcapng when the interface was watched and what it lost.
func TestWhatTheCaptureToolsWroteDown(t *testing.T) {
	filters := map[string]string{"dns-udp.pcapng": "udp port 53", "https-8443.pcapng": "tcp port 8443"}
	snapLengths := map[string]uint32{
		"dns-snap64.pcap": 64, "https-snap64.pcap": 64,
		"https-offload.pcap": 96, "iscsi.pcapng": 96, "rdp.pcap": 96, "snmp.pcap": 96,
	}
	const unlimited = 262144 // what both tools write when none is asked for
	for _, row := range genuine {
		r, _ := judgeReal(t, row.file)
		c := r.Captures[0]
		if got, want := c.Filter, filters[row.file]; got != want {
			t.Errorf("%s: got filter %q, want %q", row.file, got, want)
		}
		wantSnap, given := snapLengths[row.file]
		if !given {
			wantSnap = unlimited
		}
		for _, i := range c.Interfaces {
			if i.SnapLength != wantSnap {
				t.Errorf("%s: got snap length %d, want %d", row.file, i.SnapLength, wantSnap)
			}
		}
		if filepath.Ext(row.file) != ".pcapng" {
			continue
		}
		if !c.DropsRecorded || c.Drops != 0 || c.Received != r.Stats.Read {
			t.Errorf("%s: got %d received, %d dropped (recorded: %v); want %d received, none dropped",
				row.file, c.Received, c.Drops, c.DropsRecorded, r.Stats.Read)
		}
		if i := c.Interfaces[0]; i.Name != "port1" || i.Start == "" || i.End <= i.Start {
			t.Errorf("%s: got interface %q watched from %q to %q, want port1 and an interval", row.file, i.Name, i.Start, i.End)
		}
	}
}

// TestGenuinePacketCountsAreTsharks holds the counts of each capture against Wireshark's tools: packets, those
// of TCP and UDP, and of these the ones that are cut.
func TestGenuinePacketCountsAreTsharks(t *testing.T) {
	for _, tool := range []string{"capinfos", "mergecap", "tshark"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s: not on this machine", tool)
		}
	}
	files := realCaptures(t)
	frames := dissect(t, files)
	for i, n := range capinfosPackets(t, files) {
		file := filepath.Base(files[i])
		var want packetCounts
		for _, f := range frames[:n] {
			want.count(f)
		}
		frames = frames[n:]
		r, _ := judgeReal(t, file)
		if got := (packetCounts{r.Stats.Read, r.Stats.Judged + r.Stats.Undecodable["later-fragment"], r.Stats.Truncated}); got != want {
			t.Errorf("%s: got %+v, want %+v", file, got, want)
		}
	}
	if len(frames) != 0 {
		t.Errorf("tshark read %d packets more than capinfos", len(frames))
	}
}

// packetCounts is what flowvet and tshark both count: all packets, those of TCP and UDP, and of these the cut ones.
type packetCounts struct{ read, transport, truncated uint64 }

// count adds a frame.
func (c *packetCounts) count(f frame) {
	c.read++
	if f.transport {
		c.transport++
		if f.cut {
			c.truncated++
		}
	}
}

// frame is what tshark says of one: it has ports of its own, not those that an ICMP error quotes, or is a later fragment
// of what had; it is not all there.
type frame struct{ transport, cut bool }

// capinfosPackets returns the number of packets in each file.
func capinfosPackets(t *testing.T, files []string) []int {
	t.Helper()
	var counts []int
	for _, line := range lines(t, exec.Command("capinfos", append([]string{"-T", "-m", "-r", "-c", "-M"}, files...)...)) {
		n, err := strconv.Atoi(line[strings.LastIndex(line, ",")+1:])
		if err != nil {
			t.Fatalf("capinfos: %q: %v", line, err)
		}
		counts = append(counts, n)
	}
	if len(counts) != len(files) {
		t.Fatalf("capinfos: %d counts for %d files", len(counts), len(files))
	}
	return counts
}

// dissect returns the frames of all files, one file after the other: tshark takes 0.6 s to start, and there are 50.
func dissect(t *testing.T, files []string) []frame {
	t.Helper()
	merged := filepath.Join(t.TempDir(), "merged.pcapng")
	lines(t, exec.Command("mergecap", append([]string{"-a", "-w", merged}, files...)...))
	var frames []frame
	for _, line := range lines(t, exec.Command("tshark", "-n", "-r", merged, "-o", "ip.defragment:FALSE", "-T", "fields", "-E", "occurrence=f",
		"-e", "frame.len", "-e", "frame.cap_len", "-e", "tcp.dstport", "-e", "udp.dstport", "-e", "icmp.type", "-e", "icmpv6.type",
		"-e", "ip.frag_offset")) {
		f := strings.Split(line, "\t")
		if len(f) != 7 {
			t.Fatalf("tshark: %q", line)
		}
		laterFragment := f[6] != "" && f[6] != "0"
		frames = append(frames, frame{transport: laterFragment || f[2]+f[3] != "" && f[4]+f[5] == "", cut: f[0] != f[1]})
	}
	return frames
}

// lines runs a command and returns what it prints, line by line.
func lines(t *testing.T, c *exec.Cmd) []string {
	t.Helper()
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v", c, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}
