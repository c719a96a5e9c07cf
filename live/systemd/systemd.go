// Package systemd tells the service manager how a live run does, by the protocol of sd_notify(3): a datagram of assignments
// to the socket that the environment names.
package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"flowvet/capture"
	"flowvet/live"
)

// Notifier is a live.Watcher: it feeds the watchdog for as long as the session's own loop goes round. A nil Notifier says
// nothing.
type Notifier struct {
	conn     net.Conn
	watchdog bool
	told     string
	toldAt   time.Time
}

// statusPause is the least time between two status lines.
const statusPause = 10 * time.Second

// Open connects to the service manager: nil where nobody asks to be told.
func Open(getenv func(string) string) (*Notifier, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil, nil
	}
	conn, err := net.Dial("unixgram", path) // a leading @ is the abstract namespace, as net has it
	if err != nil {
		return nil, fmt.Errorf("NOTIFY_SOCKET: %w", err)
	}
	return &Notifier{conn: conn, watchdog: watched(getenv)}, nil
}

// watched reports whether the manager waits for signs of life of this process, sd_watchdog_enabled(3).
func watched(getenv func(string) string) bool {
	period, err := strconv.ParseUint(getenv("WATCHDOG_USEC"), 10, 63)
	pid := getenv("WATCHDOG_PID")
	return err == nil && period > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid()))
}

// Ready says that the run captures.
func (n *Notifier) Ready() { n.say("READY=1") }

// Stopping says that the run ends: its last report may take a while.
func (n *Notifier) Stopping() { n.say("STOPPING=1") }

// Judged implements live.Watcher.
func (n *Notifier) Judged(*live.Judgement) {}

// Tick implements live.Watcher.
func (n *Notifier) Tick(s *live.Status) {
	if n == nil {
		return
	}
	if n.watchdog {
		n.say("WATCHDOG=1")
	}
	if text := status(s); text != n.told && s.Now.Sub(n.toldAt) >= statusPause {
		n.told, n.toldAt = text, s.Now
		n.say("STATUS=" + text)
	}
}

// Close ends the connection.
func (n *Notifier) Close() error {
	if n == nil {
		return nil
	}
	return n.conn.Close()
}

func (n *Notifier) say(text string) {
	if n != nil {
		_, _ = n.conn.Write([]byte(text)) // a manager that is gone watches nobody
	}
}

// status is one line of how things stand.
func status(s *live.Status) string {
	_, lost := live.Lost(&s.Counters)
	line := fmt.Sprintf("%d packets, %d lost", s.Counters.Taken, lost)
	if s.Counters.Link != capture.LinkUp {
		line = "blind: " + s.Counters.Link.String() + "; " + line
	}
	if s.Trouble != nil {
		line = "a report cannot be written; " + line
	}
	if at := s.Last; at != nil {
		line += fmt.Sprintf("; %d of %d met, %d undocumented, %d absent", at.Met, at.Wanted, at.Counts.Undocumented, at.Counts.Absent)
	}
	return line
}
