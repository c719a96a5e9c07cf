package capturetest

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// loopback is one frame of 33 bytes, of which 4 are kept: as little as a file can hold.
const loopback = cast + "0.5 E1:9 > V:9/udp 1 snap=4\n"

// The bytes are spelled out by the formats' drafts, field by field.
func TestFileBytes(t *testing.T) {
	for _, tc := range []struct{ file, want string }{
		{"file pcap link=null", `
			d4c3b2a1 0200 0400 00000000 00000000 00000400 00000000
			20622756 20a10700 04000000 21000000  02000000`},
		{"file pcap link=null nanoseconds big-endian snaplen=96", `
			a1b23c4d 0002 0004 00000000 00000000 00000060 00000000
			56276220 1dcd6500 00000004 00000021  00000002`},
		{"file pcapng link=null", `
			0a0d0d0a 1c000000  4d3c2b1a 0100 0000 ffffffffffffffff  1c000000
			01000000 18000000  0000 0000 00000400  0000 0000  18000000
			06000000 24000000  00000000 9a220500 20690c71 04000000 21000000  02000000  24000000`},
		{`file pcapng link=null big-endian nanoseconds interface=eth0 filter=ip drops=2/9 interval=0..1`, `
			0a0d0d0a 0000001c  1a2b3c4d 0001 0000 ffffffffffffffff  0000001c
			00000001 00000030  0000 0000 00040000
			  0002 0004 65746830  000b 0003 00697000  0009 0001 09000000  0000 0000  00000030
			00000006 00000024  00000000 140f2b49 987aa500 00000004 00000021  00000002  00000024
			00000005 0000004c  00000000 140f2b49 987aa500
			  0002 0008 140f2b497aad4000  0003 0008 140f2b49b6480a00
			  0004 0008 0000000000000009  0005 0008 0000000000000002  0000 0000  0000004c`},
	} {
		got := hex.EncodeToString(mustParse(t, loopback+tc.file).Pcap())
		if diff := cmp.Diff(strings.Join(strings.Fields(tc.want), ""), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.file, diff)
		}
	}
}

// wireshark runs one of Wireshark's tools on a story's file, or skips the test.
func wireshark(t *testing.T, tool string, s *Story, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		t.Skip(tool + " is not installed")
	}
	file := filepath.Join(t.TempDir(), "story")
	if err := s.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(path, append(args, file)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, &stderr)
	}
	return string(out)
}

// every is a file line of each format and link type.
var every = []string{
	"file pcap", "file pcap nanoseconds", "file pcap big-endian", "file pcap nanoseconds big-endian", "file snaplen=60",
	"file link=raw", "file link=null", "file link=null big-endian", "file link=sll", "file link=sll2",
	"file pcapng", "file pcapng big-endian nanoseconds", "file pcapng link=sll2",
	`file pcapng interface=vmnic0 filter="tcp port 443" drops=2/100 interval=0..60`,
}

func TestWiresharkReadsTheSameFrames(t *testing.T) {
	for _, format := range every {
		s := mustParse(t, cast+format+"\n0.123456789 E1:9 > V:53/udp 100\n1 E6:9 > V6:53/udp 100\nend 60\n")
		var want strings.Builder
		for _, f := range s.Frames() {
			at := f.Time
			if !strings.Contains(format, "nanoseconds") {
				at = at.Truncate(time.Microsecond)
			}
			fmt.Fprintf(&want, "%d.%09d\t%d\t%d\n", at.Unix(), at.Nanosecond(), len(f.Data), f.WireLen)
		}
		got := wireshark(t, "tshark", s, "-n", "-T", "fields",
			"-e", "frame.time_epoch", "-e", "frame.cap_len", "-e", "frame.len", "-r")
		if diff := cmp.Diff(want.String(), got); diff != "" {
			t.Errorf("%s: time, captured, on the wire (-want +got):\n%s", format, diff)
		}
	}
}

// Wireshark finds no fault in any frame: lengths, checksums, sequence numbers.
func TestWiresharkFindsNoFault(t *testing.T) {
	for _, format := range []string{"", "file pcapng big-endian drops=2/100 interval=0..60", "file link=sll", "file link=sll2"} {
		s := mustParse(t, everything+format)
		got := wireshark(t, "tshark", s, "-n",
			"-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
			"-Y", `_ws.malformed || (_ws.expert.severity >= "Warning" && !tcp.connection.rst)`,
			"-T", "fields", "-e", "frame.number", "-e", "_ws.expert.message", "-r")
		if got != "" {
			t.Errorf("%s: tshark complains:\n%s", format, got)
		}
	}
}

func TestWiresharkReadsWhatTheFileLineSays(t *testing.T) {
	s := mustParse(t, cast+`file pcapng interface=vmnic0 filter="tcp port 443"`+"\n5 E1:9 > V:9/udp 1")
	got := wireshark(t, "capinfos", s, "-I")
	for _, want := range []string{"Name = vmnic0", "Filter string = tcp port 443"} {
		if !strings.Contains(got, want) {
			t.Errorf("got no %q in:\n%s", want, got)
		}
	}
}
