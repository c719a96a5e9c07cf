package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"flowvet/capture/capturetest"
)

// pcapngOf writes one section with an interface of the link type and options, and frames with the time stamps given.
func pcapngOf(link byte, options []byte, frames []capturetest.Frame, stamp func(int) uint64) []byte {
	w := &blockWriter{}
	w.section()
	w.block(1, append([]byte{link, 0, 0, 0, 0, 0, 4, 0}, options...))
	for i, f := range frames {
		w.packet(stamp(i), f)
	}
	return w.data
}

func (w *blockWriter) section() {
	w.block(0x0a0d0d0a, append([]byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0}, bytes.Repeat([]byte{0xff}, 8)...))
}

func (w *blockWriter) packet(stamp uint64, f capturetest.Frame) {
	body := binary.LittleEndian.AppendUint32(make([]byte, 4), uint32(stamp>>32))
	body = binary.LittleEndian.AppendUint32(body, uint32(stamp))
	body = binary.LittleEndian.AppendUint32(body, uint32(len(f.Data)))
	body = binary.LittleEndian.AppendUint32(body, uint32(f.WireLen))
	w.block(6, padded(append(body, f.Data...)))
}

// heartbeats are 20 datagrams, one every ten seconds.
func heartbeats(t *testing.T) []capturetest.Frame {
	t.Helper()
	story, err := capturetest.Parse("heartbeats", "host esx01 10.20.0.11\nhost vcenter01 10.20.0.5\n0..190/10 esx01:* > vcenter01:902/udp 334\n")
	if err != nil {
		t.Fatal(err)
	}
	return story.Frames()
}

// TestFault03LengthBombs reads files of less than 4 KiB whose lengths promise gigabytes: damage is said with its place, exit
// status 4, and little is allocated. A snapshot length of 2 GiB and a thousand interfaces are no damage.
func TestFault03LengthBombs(t *testing.T) {
	frames := heartbeats(t)
	micros := func(i int) uint64 { return uint64(frames[i].Time.UnixMicro()) }
	good := pcapngOf(1, nil, frames, micros)
	packet := len(pcapngOf(1, nil, nil, nil)) // where the first packet block begins
	classic := pcapOf(frames)
	set := func(data []byte, at int, v uint32) []byte {
		data = bytes.Clone(data)
		binary.LittleEndian.PutUint32(data[at:], v)
		return data
	}
	interfaces := &blockWriter{}
	interfaces.section()
	for range 5000 {
		interfaces.block(1, []byte{1, 0, 0, 0, 0, 0, 4, 0})
	}
	for _, test := range []struct {
		what   string
		data   []byte
		status int
	}{
		{"R1: packet of 2 GiB in a block of 400 bytes", set(good, packet+20, 1<<31-1), statusPartial},
		{"R15: block of 0 bytes", set(good, packet+4, 0), statusPartial},
		{"R15: block of 4 GiB", set(good, packet+4, 0xfffffff0), statusPartial},
		{"R15: block of 17 MiB", set(good, packet+4, 17<<20), statusPartial},
		{"R12: 5,000 interfaces", interfaces.data, statusPartial},
		{"R2: pcap with a snapshot length of 2 GiB", set(classic, 16, 1<<31-1), statusUnjudged},
		{"R8: pcap with a snapshot length of 0", set(classic, 16, 0), statusUnjudged},
		{"R7: pcap record of 2 GiB", set(classic, 24+8, 1<<31-1), statusPartial},
		{"R4: time resolution of 10^-127", pcapngOf(1, []byte{9, 0, 1, 0, 127, 0, 0, 0, 0, 0, 0, 0}, frames, micros), statusPartial},
		{"R16: records without a byte", append(bytes.Clone(classic[:24]), make([]byte, 16*2000)...), statusPartial},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		var stdout, stderr bytes.Buffer
		status := run([]string{"check", "-", "--max-flows", "1000"}, bytes.NewReader(test.data), &stdout, &stderr)
		runtime.ReadMemStats(&after)
		allocated, took := after.TotalAlloc-before.TotalAlloc, time.Since(start)
		t.Logf("%s: status %d, %d KiB allocated in all, %v", test.what, status, allocated>>10, took.Round(time.Millisecond))
		if status != test.status {
			t.Errorf("%s: status %d, want %d: %s", test.what, status, test.status, stderr.String())
		}
		if status == statusPartial && !strings.Contains(stdout.String(), "damaged at byte") {
			t.Errorf("%s: the report does not say where:\n%s", test.what, stdout.String())
		}
		if allocated > 64<<20 || took > hang {
			t.Errorf("%s: %d MiB allocated, %v", test.what, allocated>>20, took)
		}
	}
}

// TestFault04ImpossibleTimes gives packets times that cannot be: every packet is judged, and those whose time the file
// cannot mean are counted.
func TestFault04ImpossibleTimes(t *testing.T) {
	frames := heartbeats(t)
	const n = 20
	fraction := pcapOf(frames)
	for at := 24; at < len(fraction); at += 16 + len(frames[0].Data) {
		binary.LittleEndian.PutUint32(fraction[at+4:], 4e9)
	}
	option := func(code, length byte, value ...byte) []byte {
		return append(padded(append([]byte{code, 0, length, 0}, value...)), 0, 0, 0, 0)
	}
	const resolution, offset = 9, 14
	constant := func(v uint64) func(int) uint64 { return func(int) uint64 { return v } }
	for _, test := range []struct {
		what string
		data []byte
		bad  uint64
	}{
		{"4e9 nanoseconds", fraction, n},
		{"the year 586524", pcapngOf(1, nil, frames, constant(1<<64-1)), n},
		{"1970", pcapngOf(1, nil, frames, constant(0)), 0},
		{"2106", pcapngOf(1, nil, frames, constant(1<<32*1e6)), n},
		{"1601, by an offset", pcapngOf(1, option(offset, 8, 0x80, 0x0e, 0xe2, 0x4e, 0xfd, 0xff, 0xff, 0xff), frames, constant(1e6)), n},
		{"units of 2^-63 s", pcapngOf(1, option(resolution, 1, 0x80|63), frames, constant(1<<62)), 0},
		{"seconds", pcapngOf(1, option(resolution, 1, 0), frames, constant(1445421600)), 0},
	} {
		j := judgeFile(t, test.data)
		if j.Stats.Read != n || j.Stats.Judged != n || j.Stats.BadTimestamps != test.bad {
			t.Errorf("%s: %d of %d packets judged, %d bad times, want all and %d", test.what, j.Stats.Judged, j.Stats.Read, j.Stats.BadTimestamps, test.bad)
		}
	}
}

// TestFault06LinkTypes mixes link types: what is known is judged, what is not is counted by its number, and packets without
// an interface are damage.
func TestFault06LinkTypes(t *testing.T) {
	frames := heartbeats(t)
	micros := func(i int) uint64 { return uint64(frames[i].Time.UnixMicro()) }
	const n = 20
	unknown := pcapOf(frames)
	unknown[20] = 147
	mixed := &blockWriter{data: pcapngOf(1, nil, frames, micros)}
	mixed.block(1, []byte{147, 0, 0, 0, 0, 0, 4, 0})
	foreign := func(w *blockWriter, iface byte) {
		at := len(w.data)
		w.packet(micros(0), frames[0])
		w.data[at+8] = iface
	}
	foreign(mixed, 1)
	missing := &blockWriter{data: pcapngOf(1, nil, frames, micros)}
	foreign(missing, 7)
	nothing := &blockWriter{}
	nothing.section()
	nothing.packet(micros(0), frames[0])
	for _, test := range []struct {
		what            string
		data            []byte
		judged, unknown uint64
		status          int
	}{
		{"an unknown link type", unknown, 0, n, statusPartial},
		{"one interface of an unknown link type", mixed.data, n, 1, statusPartial},
		{"a packet of an interface that is not there", missing.data, n, 0, statusPartial},
		{"a packet before any interface", nothing.data, 0, 0, statusPartial},
	} {
		j := judgeFile(t, test.data)
		if got := j.Stats.Undecodable["unknown-link-type"]; j.Stats.Judged != test.judged || got != test.unknown || j.Status != test.status {
			t.Errorf("%s: %d judged, %d of an unknown link type, status %d; want %d, %d, %d", test.what, j.Stats.Judged, got, j.Status, test.judged, test.unknown, test.status)
		}
	}
}

// TestFault08NoCapture gives check what is no capture, or one that changes: a clear line in a second.
func TestFault08NoCapture(t *testing.T) {
	whole := pcapOf(heartbeats(t))
	t.Chdir(t.TempDir())
	if err := os.Mkdir("folder", 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{"empty": nil, "whole": whole, "folder/notes.txt": []byte("nothing")}
	for n := 1; n < 24; n++ {
		files[fmt.Sprintf("stub%02d", n)] = whole[:n]
	}
	for name, data := range files {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]int{"empty": statusUsage, "folder": statusUsage, "missing": statusUsage, "whole": statusUnjudged}
	if runtime.GOOS == "linux" {
		want["/dev/zero"], want["/dev/null"], want["/proc/self/mem"] = statusUsage, statusUsage, statusUsage
	}
	for n := 1; n < 24; n++ { // what begins like a capture is one that is cut
		want[fmt.Sprintf("stub%02d", n)] = statusPartial
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		var stderr bytes.Buffer
		start := time.Now()
		status := run([]string{"check", name}, strings.NewReader(""), io.Discard, &stderr)
		if took := time.Since(start); took > hang {
			t.Errorf("%s: %v", name, took)
		}
		if status != want[name] || status == statusUsage && strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%s: status %d, %q; want %d and one line", name, status, stderr.String(), want[name])
		}
	}
}

// TestFault08GrowingFile appends to a capture while it is read: the packets up to the size that it had are judged.
func TestFault08GrowingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "growing.pcap")
	frames := heartbeats(t)
	if err := os.WriteFile(path, pcapOf(frames), 0o600); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer f.Close()
		records := pcapOf(frames)[24:]
		for {
			select {
			case <-stop:
				return
			default:
				f.Write(records[:len(records)/3]) // seldom a whole record
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for range 20 {
		var stdout bytes.Buffer
		status := run([]string{"check", path, "--json"}, strings.NewReader(""), &stdout, io.Discard)
		if status != statusUnjudged && status != statusPartial {
			t.Errorf("status %d", status)
		}
		if !strings.Contains(stdout.String(), `"balanced":true`) {
			t.Errorf("not balanced: %s", stdout.String())
		}
	}
	close(stop)
	<-done
}
