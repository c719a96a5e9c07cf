package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"flowvet/capture"
)

// between is the conversation that a flow is part of, whichever end began it.
type between struct {
	a, b  netip.AddrPort
	proto capture.Proto
}

// amount is what a conversation carried, from the IP header on, each way.
type amount struct{ packets, octets [2]uint64 }

// amounts sums up the flows of a capture. Records count from the IP header on, packets from the link header on.
func amounts(t *testing.T, c *capture.Capture) map[between]amount {
	t.Helper()
	if c.Damage != nil {
		t.Fatal(c.Damage)
	}
	link := uint64(14)
	if c.FlowRecords() {
		link = 0
	}
	sums := map[between]amount{}
	for f := range c.Table.Flows {
		sums[between{f.A, f.B, f.Proto}] = amount{
			packets: [2]uint64{f.FromA.Packets, f.FromB.Packets},
			octets:  [2]uint64{f.FromA.Bytes - link*f.FromA.Packets, f.FromB.Bytes - link*f.FromB.Packets},
		}
	}
	return sums
}

// exportTo has softflowd count a capture and send what it counted.
func exportTo(t *testing.T, at netip.AddrPort, version int, file string) {
	t.Helper()
	cmd := exec.Command("softflowd", "-d", "-r", file, "-n", at.String(), "-v", strconv.Itoa(version))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("softflowd: %v\n%s", err, out)
	}
}

// readCapture reads a capture file.
func readCapture(t *testing.T, file string, opt capture.Options) *capture.Capture {
	t.Helper()
	inputs, err := capture.Open([]string{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return inputs[0].Read(context.Background(), opt)
}

// TestWhatSoftflowdExportsIsWhatTheCaptureHolds sends packets through a real exporter to the listener: each conversation has as
// many packets and bytes, each way, as when the capture is read.
func TestWhatSoftflowdExportsIsWhatTheCaptureHolds(t *testing.T) {
	if _, err := exec.LookPath("softflowd"); err != nil {
		t.Skip("softflowd: not on this machine")
	}
	for _, name := range []string{"esx-4.x", "update-manager"} {
		file := filepath.Join("..", "..", "testdata", "pcaps", name, "capture.pcap")
		want := amounts(t, readCapture(t, file, capture.Options{}))
		for _, version := range []int{5, 9, 10} {
			c := listenWhile(t, func(at netip.AddrPort) { exportTo(t, at, version, file) })
			if got := amounts(t, c); !maps.Equal(want, got) {
				t.Errorf("%s, version %d: %d conversations, want %d with the same packets and bytes", name, version, len(got), len(want))
				for k, w := range want {
					if g := got[k]; g != w {
						t.Errorf("%v - %v: %v, want %v", k.a, k.b, g, w)
					}
				}
			}
			if s := &c.Table.Stats; !s.Balanced() || s.Records.Lost > 0 || s.Records.Messages == 0 {
				t.Errorf("%s, version %d: %+v", name, version, s.Records)
			}
		}
	}
}

// listenWhile listens while something is sent, until nothing more arrives.
func listenWhile(t *testing.T, send func(at netip.AddrPort)) *capture.Capture {
	t.Helper()
	socket, err := capture.ListenExports("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	ctx, cancel := context.WithCancel(context.Background())
	read := make(chan *capture.Capture)
	go func() {
		c, err := socket.Read(ctx, capture.Options{})
		if err != nil {
			t.Error(err)
		}
		read <- c
	}()
	send(socket.Addr())
	time.Sleep(200 * time.Millisecond) // what was sent to this machine is in the socket: this is for the reader to take it
	cancel()
	return <-read
}

// TestCapturedExportsAreWhatTheCaptureHolds is the same of the exports in testdata, without the exporter.
func TestCapturedExportsAreWhatTheCaptureHolds(t *testing.T) {
	pcaps := filepath.Join("..", "..", "testdata", "pcaps")
	want := amounts(t, readCapture(t, filepath.Join(pcaps, "esx-4.x", "capture.pcap"), capture.Options{}))
	for _, name := range []string{"netflow5.pcap", "netflow9.pcap", "ipfix.pcap"} {
		c := readCapture(t, filepath.Join(pcaps, "exports", name), capture.Options{Exports: []uint16{4739}})
		if got := amounts(t, c); !maps.Equal(want, got) {
			t.Errorf("%s: the conversations are not those of the capture", name)
		}
	}
}

// TestSampledExportsProveNoAbsence makes exports say that the exporter looks at one packet in 4,096, which is what a vSphere
// Distributed Switch does unless it is told otherwise.
func TestSampledExportsProveNoAbsence(t *testing.T) {
	pcaps := filepath.Join("..", "..", "testdata", "pcaps")
	data, err := os.ReadFile(filepath.Join(pcaps, "exports", "netflow5.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	const header, record, toInterval = 24, 16, 14 + 20 + 8 + 22
	for at := header; at < len(data); {
		binary.BigEndian.PutUint16(data[at+record+toInterval:], 1<<14|4096)
		at += record + int(binary.LittleEndian.Uint32(data[at+8:]))
	}
	file := filepath.Join(t.TempDir(), "sampled.pcap")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	status := run([]string{"check", file, "--exports", "4739", "-q", "--limit", "0", "--inventory", filepath.Join(pcaps, "esx-4.x", "inventory.yaml")}, nil, &stdout, &stderr)
	for _, want := range []string{
		"SAMPLED: 116 of the records are of some packets only", "ABSENT  none that could be proven", "that proves nothing: sampled:", "flow-records, sampled]",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the report does not say %q", want)
		}
	}
	if status != statusFindings || stderr.Len() > 0 {
		t.Errorf("status %d, %s", status, stderr.String())
	}
}
