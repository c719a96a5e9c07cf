package alert

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"flowvet/capture"
	"flowvet/inventory"
	"flowvet/live"
	"flowvet/match"
)

// telnet is an undocumented conversation.
func telnet() *match.Finding {
	return &match.Finding{
		Conversation: match.Conversation{
			Initiator: netip.MustParseAddr("203.0.113.99"), Responder: netip.MustParseAddr("10.20.0.11"), Proto: capture.TCP, Port: 23,
		},
		From: &inventory.Placed{}, To: &inventory.Placed{}, Verdict: match.UnlistedPort, Level: match.LevelError,
	}
}

// judged is a judgement with that much news.
func judged(kinds ...live.NewsKind) *live.Judgement {
	j := &live.Judgement{Standing: &live.Standing{At: time.Date(2015, 10, 21, 10, 0, 0, 0, time.UTC)}}
	for _, k := range kinds {
		j.News = append(j.News, live.News{Kind: k, Finding: telnet(), Since: 40 * time.Second})
	}
	return j
}

// memory is a receiver that keeps what it is sent, after so many failures.
type memory struct {
	lock  sync.Mutex
	got   []*Alert
	fails int
	slow  time.Duration
}

func (m *memory) Send(a *Alert) error {
	time.Sleep(m.slow)
	m.lock.Lock()
	defer m.lock.Unlock()
	if m.fails > 0 {
		m.fails--
		return errors.New("no route to host")
	}
	m.got = append(m.got, a)
	return nil
}

func (m *memory) Close() error { return nil }

// quiet is a log that nobody reads.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// alert is one to send.
func alert() *Alert {
	return about(judged(live.NewUndocumented), &judged(live.NewUndocumented).News[0])
}

func TestAlertsSayWhatIsNew(t *testing.T) {
	for _, test := range []struct {
		kind             live.NewsKind
		name, level, say string
	}{
		{live.NewUndocumented, "undocumented", "error", "undocumented: unlisted-port  203.0.113.99 -> 10.20.0.11  23/tcp"},
		{live.HeartbeatLost, "heartbeat-lost", "error", "heartbeat lost, silent for 40s: 203.0.113.99 -> 10.20.0.11  23/tcp"},
		{live.HeartbeatBack, "heartbeat-back", "note", "heartbeat back: 203.0.113.99 -> 10.20.0.11  23/tcp"},
	} {
		j := judged(test.kind)
		a := about(j, &j.News[0])
		if a.Kind != test.name || a.Level != test.level || a.Text != test.say {
			t.Errorf("got %s, %s, %q; want %s, %s, %q", a.Kind, a.Level, a.Text, test.name, test.level, test.say)
		}
	}
}

func TestAFloodIsSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &memory{}
		d := NewDesk(60, quiet())
		d.Add("memory", to)
		d.Judged(judged(slices.Repeat([]live.NewsKind{live.NewUndocumented}, 1000)...))
		d.Tick(&live.Status{Now: time.Date(2015, 10, 21, 10, 0, 5, 0, time.UTC)})
		d.Close()
		if len(to.got) != burst+1 {
			t.Fatalf("%d alerts, want %d and one that stands for the rest", len(to.got), burst)
		}
		if last := to.got[burst]; last.Kind != "withheld" || last.Withheld != 1000-burst {
			t.Errorf("the last is %+v, want one for %d", last, 1000-burst)
		}
	})
}

func TestAReceiverThatFailsIsTriedThreeTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for fails, lost := range map[int]uint64{2: 0, 3: 1} {
			to := &memory{fails: fails}
			d := NewDesk(60, quiet())
			d.Add("memory", to)
			d.Judged(judged(live.NewUndocumented))
			time.Sleep(time.Minute)
			d.Close()
			if got := d.Failed(); got != lost || len(to.got) != 1-int(lost) {
				t.Errorf("after %d failures %d alerts are lost and %d sent, want %d lost", fails, got, len(to.got), lost)
			}
		}
	})
}

func TestASlowReceiverHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, swift := &memory{slow: time.Hour}, &memory{}
		d := NewDesk(1e6, quiet())
		d.Add("slow", slow)
		d.Add("swift", swift)
		began := time.Now()
		for range 40 {
			j := judged(slices.Repeat([]live.NewsKind{live.NewUndocumented}, 20)...)
			j.Standing.At = time.Now()
			d.Judged(j)
			time.Sleep(time.Second)
		}
		if spent := time.Since(began); spent != 40*time.Second {
			t.Errorf("the run waited: %v", spent-40*time.Second)
		}
		synctest.Wait()
		if len(swift.got) != 800 {
			t.Errorf("the swift one got %d, want 800", len(swift.got))
		}
		if got, want := d.Failed(), uint64(800-queued-1); got != want {
			t.Errorf("%d are counted as not sent, want %d: what is beyond one under way and the queue", got, want)
		}
		d.Close()
		time.Sleep(1000 * time.Hour)
	})
}

func TestFileTakesAJSONLineEach(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.jsonl")
	to, err := Open("file:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := alert()
	a.Text = "a name with \u202e in it\x7f"
	if err := errors.Join(to.Send(a), to.Send(a), to.Close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(text), "\u202e\x7f") {
		t.Errorf("hidden characters were written as they are: %q", text)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		var back Alert
		if err := json.Unmarshal([]byte(line), &back); err != nil || back != *a {
			t.Errorf("read back %+v, %v; want %+v", back, err, *a)
		}
	}
	if len(lines) != 2 {
		t.Errorf("%d lines, want 2", len(lines))
	}
}

// TestFault37LogRotation renames the file away a thousand times, and cuts it in place as copytruncate does.
func TestFault37LogRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "alerts.jsonl")
	to, err := Open("file:"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	lines := 0
	count := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("a torn line: %q", line)
			}
			lines++
		}
	}
	sent := 0
	for i := range 1000 {
		for range i % 3 {
			if err := to.Send(alert()); err != nil {
				t.Fatal(err)
			}
			sent++
		}
		if i%3 == 0 {
			continue
		}
		if i%2 == 0 {
			count(path)
			if err := os.Truncate(path, 0); err != nil {
				t.Fatal(err)
			}
			continue
		}
		rotated := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Rename(path, rotated); err != nil {
			t.Fatal(err)
		}
		count(rotated)
	}
	if lines != sent {
		t.Errorf("%d lines of %d alerts", lines, sent)
	}
}

func TestWebhookPostsJSON(t *testing.T) {
	var got []byte
	answer := http.StatusNoContent
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with %s", r.Method, r.Header.Get("Content-Type"))
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(answer)
	}))
	defer server.Close()
	to, err := Open(server.URL+"/hook", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := to.Send(alert()); err != nil {
		t.Fatal(err)
	}
	var back Alert
	if err := json.Unmarshal(got, &back); err != nil || back.ID != telnet().ID() || back.Schema != Schema {
		t.Errorf("posted %s (%v)", got, err)
	}
	for _, answer = range []int{http.StatusFound, http.StatusInternalServerError} {
		if err := to.Send(alert()); err == nil {
			t.Errorf("an answer of %d is no error", answer)
		}
	}
}

// header is what RFC 5424 wants before the text.
var header = regexp.MustCompile(`^<27>1 2015-10-21T10:00:00\.000000Z [!-~]+ flowvet \d+ undocumented - \x{feff}undocumented: unlisted-port`)

func TestSyslogOverDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for network, address := range map[string]string{"udp": "127.0.0.1:0", "unixgram": path} {
		server, err := net.ListenPacket(network, address)
		if err != nil {
			t.Skip(err)
		}
		defer server.Close()
		target := "syslog+udp://" + server.LocalAddr().String()
		if network == "unixgram" {
			target = "syslog+unix://" + path
		}
		to, err := Open(target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := to.Send(alert()); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, _, err := server.ReadFrom(b)
		if err != nil || !header.Match(b[:n]) {
			t.Errorf("%s: got %q, %v", network, b[:n], err)
		}
		to.Close()
	}
}

func TestSyslogOverTCPCountsOctetsAndConnectsAgain(t *testing.T) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip(err)
	}
	defer server.Close()
	to, err := Open("syslog+tcp://"+server.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	for range 2 {
		// What was sent into a connection that is gone may be lost: that is TCP's nature, and why three tries follow.
		if err := send(to, alert()); err != nil {
			t.Fatal(err)
		}
		conn, err := server.Accept()
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		var length int
		if _, err := fmt.Fscanf(r, "%d ", &length); err != nil {
			t.Fatal(err)
		}
		message := make([]byte, length)
		if _, err := io.ReadFull(r, message); err != nil || !header.Match(message) {
			t.Errorf("got %q, %v", message, err)
		}
		_ = conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
		for until := time.Now().Add(5 * time.Second); time.Now().Before(until) && to.Send(alert()) == nil; {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

func TestPlainIsALineForPeople(t *testing.T) {
	var b bytes.Buffer
	to, err := Open("stderr", &b)
	if err != nil {
		t.Fatal(err)
	}
	if err := to.Send(alert()); err != nil || b.String() != "flowvet: ALERT undocumented: unlisted-port  203.0.113.99 -> 10.20.0.11  23/tcp\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestReceiversThatCannotBe(t *testing.T) {
	for _, text := range []string{"", "mail", "file:", "syslog+udp://host", "syslog://10.0.0.1:514", "ftp://h/", "http://", "https://\x7f/", "syslog+unix://"} {
		if _, err := Open(text, nil); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
