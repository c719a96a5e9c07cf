package metrics

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/live"
	"flowvet/match"
)

// status is how a run stands that lost a packet and has judged once.
func status() *live.Status {
	return &live.Status{
		Started: time.Unix(1445421600, 0), Now: time.Now(),
		Counters: capture.Counters{Taken: 1401, KernelDropped: 1},
		Last: &live.Standing{
			At: time.Unix(1445421780, 0), Took: 20 * time.Millisecond, Status: 1,
			Conversations: [...]int{match.UnlistedPort: 1},
		},
		Published: 3, LastPublished: time.Unix(1445421780, 0), Reloads: 2, ReloadsFailed: 1,
	}
}

func serve(t *testing.T, s *live.Status) *Server {
	t.Helper()
	page := &Page{Alerts: func() uint64 { return 7 }}
	if s != nil {
		page.Tick(s)
	}
	server, err := Listen("127.0.0.1:0", false, page)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server
}

// ask sends a request as it is written, and returns the answer.
func (s *Server) ask(t *testing.T, method, path, host string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", method, path, host)
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestFigures(t *testing.T) {
	s := serve(t, status())
	code, text := s.ask(t, "GET", "/metrics", s.Addr())
	if code != http.StatusOK {
		t.Fatalf("status %d", code)
	}
	for _, want := range []string{
		"flowvet_packets_total 1401", `flowvet_dropped_packets_total{by="kernel"} 1`, "flowvet_interface_up 1",
		`flowvet_reloads_total{result="failed"} 1`, "flowvet_reports_total 3", "flowvet_last_report_time_seconds 1.44542178e+09",
		`flowvet_conversations{verdict="unlisted-port",bucket="undocumented"} 1`, `flowvet_expectations{verdict="absent",bucket="absent"} 0`,
		"flowvet_status 1", "flowvet_alerts_failed_total 7",
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestFiguresAreOfTheFormat holds every line against the grammar of the Prometheus text format, and wants each metric once
// with its help and type before it.
func TestFiguresAreOfTheFormat(t *testing.T) {
	page := &Page{}
	page.Tick(status())
	sample := regexp.MustCompile(`^(flowvet_[a-z_]+)(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? -?[0-9.e+]+$`)
	seen, family := map[string]bool{}, ""
	for line := range strings.Lines(string(page.text())) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# HELP "); ok {
			family, _, _ = strings.Cut(name, " ")
			if seen[family] {
				t.Errorf("%s stands there twice", family)
			}
			seen[family] = true
			continue
		}
		if strings.HasPrefix(line, "# TYPE "+family+" ") {
			continue
		}
		if m := sample.FindStringSubmatch(line); m == nil || m[1] != family {
			t.Errorf("%q is no sample of %s", line, family)
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d metrics, want more", len(seen))
	}
}

func TestHealth(t *testing.T) {
	blind, stuck, late := status(), status(), status()
	blind.Counters.Link = capture.LinkGone
	stuck.Trouble = io.ErrShortWrite
	late.Now = time.Now().Add(-time.Minute)
	for _, test := range []struct {
		what   string
		status *live.Status
		code   int
		text   string
	}{
		{"a run that does", status(), http.StatusOK, "ok\n"},
		{"one that has not begun", nil, http.StatusServiceUnavailable, "starting\n"},
		{"one whose interface is gone", blind, http.StatusServiceUnavailable, "capturing nothing: interface gone\n"},
		{"one whose disk is full", stuck, http.StatusServiceUnavailable, "the report that is due cannot be written\n"},
		{"one that stands still", late, http.StatusServiceUnavailable, "standing still\n"},
	} {
		t.Run(test.what, func(t *testing.T) {
			s := serve(t, test.status)
			if code, text := s.ask(t, "GET", "/healthz", s.Addr()); code != test.code || text != test.text {
				t.Errorf("got %d %q, want %d %q", code, text, test.code, test.text)
			}
		})
	}
}

func TestFault43WhoMayAskForWhat(t *testing.T) {
	s := serve(t, status())
	port := s.port
	for _, test := range []struct {
		method, path, host string
		want               int
	}{
		{"GET", "/metrics", "127.0.0.1:" + port, 200},
		{"HEAD", "/metrics", "localhost:" + port, 200},
		{"GET", "/healthz", "[::1]:" + port, 200},
		{"GET", "/metrics", "evil.example", 403},
		{"GET", "/metrics", "evil.example:" + port, 403},
		{"GET", "/metrics", "127.0.0.1.evil.com:" + port, 403},
		{"GET", "/metrics", "localhost.:" + port, 403},
		{"GET", "/metrics", "LOCALHOST.evil:" + port, 403},
		{"GET", "/metrics", "127.0.0.1", 403},
		{"GET", "/metrics", "127.0.0.1:1", 403},
		{"GET", "/metrics", "", 403},
		{"POST", "/metrics", "127.0.0.1:" + port, 405},
		{"PUT", "/healthz", "127.0.0.1:" + port, 405},
		{"GET", "/", "127.0.0.1:" + port, 404},
		{"GET", "/metrics/..%2f..%2fetc/passwd", "127.0.0.1:" + port, 404},
	} {
		if got, _ := s.ask(t, test.method, test.path, test.host); got != test.want {
			t.Errorf("%s %s of %q: %d, want %d", test.method, test.path, test.host, got, test.want)
		}
	}
}

func TestOnlyLoopbackUnlessTold(t *testing.T) {
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0", "example.org:80", "9477"} {
		if s, err := Listen(address, false, &Page{}); err == nil {
			s.Close()
			t.Errorf("%s is listened on", address)
		}
	}
	s, err := Listen("0.0.0.0:0", true, &Page{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

func TestIdleClientsKeepNobodyOut(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for time-outs of five seconds")
	}
	s := serve(t, status())
	for range connections + 4 {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: ")
	}
	if code, _ := s.ask(t, "GET", "/metrics", s.Addr()); code != http.StatusOK {
		t.Errorf("status %d", code)
	}
}
