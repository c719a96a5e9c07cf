package alert

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// patience is how long a receiver may take to answer.
const patience = 10 * time.Second

// Forms lists what Open understands.
const Forms = "stderr, file:PATH, syslog+udp://HOST:PORT, syslog+tcp://HOST:PORT, syslog+unix:///dev/log, http://… or https://…"

// Open returns the receiver that a text names: one of [Forms]. Nothing is sent yet; a file is opened.
func Open(text string, stderr io.Writer) (Receiver, error) {
	if text == "stderr" {
		return plain{stderr}, nil
	}
	if path, ok := strings.CutPrefix(text, "file:"); ok && path != "" {
		f := &file{path: path}
		return f, f.open()
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q: %w", text, errors.Unwrap(err))
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return newWebhook(text), nil
	case u.Scheme == "syslog+udp" && u.Port() != "", u.Scheme == "syslog+tcp" && u.Port() != "":
		return newSyslog(strings.TrimPrefix(u.Scheme, "syslog+"), u.Host), nil
	case u.Scheme == "syslog+unix" && u.Path != "":
		return newSyslog("unixgram", u.Path), nil
	}
	return nil, fmt.Errorf("%q: one of %s", text, Forms)
}

// plain writes the line for people.
type plain struct{ to io.Writer }

// Send implements Receiver.
func (p plain) Send(a *Alert) error {
	_, err := fmt.Fprintf(p.to, "flowvet: ALERT %s\n", a.Text)
	return err
}

// Close implements Receiver: the stream is not ours.
func (p plain) Close() error { return nil }

// file appends JSON lines. A file that was renamed away is made anew, so that rotation needs no signal.
type file struct {
	path string
	f    *os.File
	torn bool // the last line was cut: the disk was full
	lock sync.Mutex
}

func (f *file) open() (err error) {
	f.f, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	return err
}

// Send implements Receiver.
func (f *file) Send(a *Alert) error {
	line, err := a.line()
	if err != nil {
		return err
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	if err := f.follow(); err != nil {
		return err
	}
	if f.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := f.f.Write(line)
	f.torn = err != nil && (n > 0 || f.torn)
	return err
}

// follow opens the file again if another one has its name now, or none.
func (f *file) follow() error {
	if f.f != nil {
		here, err := f.f.Stat()
		there, gone := os.Stat(f.path)
		if err == nil && gone == nil && os.SameFile(here, there) {
			return nil
		}
		_ = f.f.Close() // of a file that was rotated away
	}
	f.torn = false
	return f.open()
}

// Close implements Receiver.
func (f *file) Close() error { return f.f.Close() }

// webhook posts the JSON form. It follows no redirects and uses no proxy: what is sent goes where the user said.
type webhook struct {
	url    string
	client *http.Client
}

func newWebhook(url string) *webhook {
	return &webhook{url: url, client: &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConns: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10},
	}}
}

// Send implements Receiver.
func (w *webhook) Send(a *Alert) error {
	body, err := a.line()
	if err != nil {
		return err
	}
	answer, err := w.client.Post(w.url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s", answer.Status)
	}
	return nil
}

// Close implements Receiver.
func (w *webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}

// syslog speaks RFC 5424: datagrams over UDP (RFC 5426) and to a local socket, counted octets over TCP (RFC 6587, 3.4.1).
type syslog struct {
	network, address string
	host             string
	conn             net.Conn
}

func newSyslog(network, address string) *syslog {
	s := &syslog{network: network, address: address, host: "-"}
	if name, err := os.Hostname(); err == nil && name != "" {
		s.host = printable(name)
	}
	return s
}

// The numbers of RFC 5424, 6.2.1.
const (
	facilityDaemon = 3
	severityError  = 3
	severityWarn   = 4
	severityNotice = 5
)

// message is the alert as RFC 5424 has it, without structured data: a byte order mark says that the text is UTF-8.
func (s *syslog) message(a *Alert) []byte {
	severity := severityNotice
	switch a.Level {
	case "error":
		severity = severityError
	case "warning":
		severity = severityWarn
	}
	return fmt.Appendf(nil, "<%d>1 %s %s flowvet %d %s - \ufeff%s", facilityDaemon*8+severity,
		a.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), s.host, os.Getpid(), a.Kind, a.Text)
}

// printable leaves of a name what a header field may have.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, name[:min(len(name), 255)])
}

// Send implements Receiver. A connection that fails is made anew by the next attempt.
func (s *syslog) Send(a *Alert) (err error) {
	if s.conn == nil {
		if s.conn, err = net.DialTimeout(s.network, s.address, patience); err != nil {
			s.conn = nil
			return err
		}
	}
	m := s.message(a)
	if s.network == "tcp" {
		m = append(fmt.Appendf(nil, "%d ", len(m)), m...)
	}
	if err = s.conn.SetWriteDeadline(time.Now().Add(patience)); err == nil {
		_, err = s.conn.Write(m)
	}
	if err != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
	return err
}

// Close implements Receiver.
func (s *syslog) Close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}
