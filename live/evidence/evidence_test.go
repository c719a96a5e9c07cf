package evidence

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/evidence"
	"flowvet/inventory"
	"flowvet/live"
	"flowvet/match"
)

// story is a telnet session that is undocumented, and a web session that is not.
const story = `
host esx01   10.20.0.11
host admin   10.20.9.7
host nobody  203.0.113.99
1  nobody:50000 > esx01:23/tcp session 600 3000
2  admin:50001  > esx01:443/tcp session 600 3000
3  nobody:50002 > esx01:23/tcp session 600 3000
`

// show taps every frame of a story.
func (r *Recorder) show(t *testing.T, text string) {
	t.Helper()
	s, err := capturetest.Parse("story", text)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range s.Frames() {
		r.Tap(&capture.Frame{Nanos: f.Time.UnixNano(), Link: capture.LinkEthernet, WireLen: f.WireLen, Data: f.Data, Number: uint64(i + 1)})
	}
}

// telnet is the judgement that telnet from there is undocumented.
func telnet(from string) *match.Finding {
	return &match.Finding{
		Conversation: match.Conversation{Initiator: netip.MustParseAddr(from), Responder: netip.MustParseAddr("10.20.0.11"), Proto: capture.TCP, Port: 23},
		From:         &inventory.Placed{}, To: &inventory.Placed{}, Verdict: match.UnlistedPort, Level: match.LevelError,
	}
}

func judged(findings ...*match.Finding) *live.Judgement {
	return &live.Judgement{Result: &match.Result{Findings: match.FindingsOf(findings...)}}
}

// read reads the file as any reader of captures would.
func read(t *testing.T, path string) *capture.Capture {
	t.Helper()
	inputs, err := capture.Open([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := inputs[0].ReadAll(context.Background(), capture.Options{})[0]
	if c.Damage != nil {
		t.Fatal(c.Damage)
	}
	return c
}

func newRecorder(t *testing.T, limit int, payload bool) (*Recorder, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evidence.pcapng")
	return New(path, limit, payload, slog.New(slog.DiscardHandler)), path
}

func TestTheFirstPacketsOfWhatIsUndocumentedAreKept(t *testing.T) {
	r, path := newRecorder(t, 1<<20, false)
	r.show(t, story)
	f := telnet("203.0.113.99")
	r.Judged(judged(f))
	r.Judged(judged(f))
	r.Close()
	c := read(t, path)
	if got, want := c.Table.Stats.Flowed, uint64(2*evidence.PerFlow); got != want || c.Table.Len() != 2 {
		t.Errorf("%d packets of %d flows, want %d of 2: the first of each flow, once", got, c.Table.Len(), want)
	}
	want := "flowvet " + f.ID() + ": unlisted-port  203.0.113.99 -> 10.20.0.11  23/tcp"
	if c.Commented != uint64(2*evidence.PerFlow) || slices.ContainsFunc(c.Comments, func(s string) bool { return s != want }) {
		t.Errorf("%d comments, %q; want %q on each", c.Commented, c.Comments, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

func TestPayloadIsLeftOutUnlessAskedFor(t *testing.T) {
	const secret = "user root password"
	for _, payload := range []bool{false, true} {
		r, path := newRecorder(t, 1<<20, payload)
		s, err := capturetest.Parse("story", story)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Frames() {
			data := f.Data
			if len(data) > 200 {
				copy(data[len(data)-100:], secret)
			}
			r.Tap(&capture.Frame{Nanos: f.Time.UnixNano(), Link: capture.LinkEthernet, WireLen: f.WireLen, Data: data})
		}
		r.Judged(judged(telnet("203.0.113.99")))
		r.Close()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), secret) != payload {
			t.Errorf("payload asked for: %v; in the file: %v", payload, !payload)
		}
	}
}

func TestWhatIsDocumentedLeavesNoFile(t *testing.T) {
	r, path := newRecorder(t, 1<<20, false)
	r.show(t, story)
	r.Judged(judged())
	r.Close()
	if _, err := os.Stat(path); err == nil {
		t.Error("there is a file")
	}
}

func TestWhatWaitsAndWhatIsKeptIsBounded(t *testing.T) {
	const limit = 64 << 10
	r, path := newRecorder(t, limit, false)
	var lines strings.Builder
	lines.WriteString("host esx01 10.20.0.11\n")
	var findings []*match.Finding
	for i := range 2000 {
		from := netip.AddrFrom4([4]byte{203, 0, byte(i >> 8), byte(i)})
		fmt.Fprintf(&lines, "%d %s:50000 > esx01:23/tcp session 10 10\n", i, from)
		findings = append(findings, telnet(from.String()))
		if i%100 == 99 {
			r.show(t, lines.String())
			r.Judged(judged(findings...))
			lines.Reset()
			lines.WriteString("host esx01 10.20.0.11\n")
		}
	}
	for i := 1950; i < 2000; i++ { // another connection of some that are kept
		fmt.Fprintf(&lines, "%d 203.0.%d.%d:50001 > esx01:23/tcp session 10 10\n", i, i>>8, i&0xff)
	}
	r.show(t, lines.String())
	r.Judged(judged(findings...))
	kept := 0
	for _, e := range r.shown {
		kept += e.size
		if !r.current(e) {
			t.Errorf("%s is shown, and was replaced", e.id)
		}
	}
	if kept != r.kept {
		t.Errorf("%d bytes are kept, and counted as %d", kept, r.kept)
	}
	if r.size > limit || r.kept > limit {
		t.Errorf("%d bytes wait and %d are kept, want at most %d", r.size, r.kept, limit)
	}
	r.Close()
	c := read(t, path)
	newest := netip.AddrFrom4([4]byte{203, 0, 1999 >> 8, 1999 & 0xff})
	if !slices.ContainsFunc(slices.Collect(c.Table.Flows), func(f capture.Flow) bool {
		return f.A.Addr() == newest || f.B.Addr() == newest
	}) {
		t.Error("the newest conversation is not there")
	}
}

// BenchmarkFlood shows a recorder that is full a frame of a new flow each time.
func BenchmarkFlood(b *testing.B) {
	const flows = 1 << 20
	r := New(filepath.Join(b.TempDir(), "evidence.pcapng"), 16<<20, false, slog.New(slog.DiscardHandler))
	defer r.Close()
	s, err := capturetest.Parse("story", "host a 10.0.0.1\nhost b 10.0.0.2\n0 a:50000 > b:902/udp 18\n")
	if err != nil {
		b.Fatal(err)
	}
	data := s.Frames()[0].Data
	const source = 14 + 12 // behind the Ethernet header
	n := uint32(0)
	show := func() {
		n++
		binary.BigEndian.PutUint32(data[source:], 0x0a000000|n%flows)
		r.Tap(&capture.Frame{Link: capture.LinkEthernet, WireLen: len(data), Data: data})
	}
	for range flows {
		show()
	}
	for b.Loop() {
		show()
	}
}
