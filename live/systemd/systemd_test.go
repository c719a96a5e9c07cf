package systemd

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/live"
)

// manager is a service manager's end of the socket.
type manager struct{ conn *net.UnixConn }

// newManager returns a manager and the environment that it gives its service.
func newManager(t *testing.T, watchdog string) (*manager, func(string) string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { conn.Close() })
	values := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": watchdog, "WATCHDOG_PID": strconv.Itoa(os.Getpid())}
	return &manager{conn}, func(name string) string { return values[name] }
}

// told returns what the manager has been told by now.
func (m *manager) told(t *testing.T) (all []string) {
	t.Helper()
	b := make([]byte, 4096)
	for {
		_ = m.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		n, err := m.conn.Read(b)
		if err != nil {
			return all
		}
		all = append(all, string(b[:n]))
	}
}

func TestTheManagerIsToldOfALife(t *testing.T) {
	m, getenv := newManager(t, "60000000")
	n, err := Open(getenv)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	now := time.Now()
	status := &live.Status{Now: now, Counters: capture.Counters{Taken: 7, KernelDropped: 1, Link: capture.LinkGone}}
	n.Ready()
	n.Tick(status)
	status.Now = now.Add(time.Second)
	n.Tick(status)
	n.Stopping()
	want := []string{"READY=1", "WATCHDOG=1", "STATUS=blind: interface gone; 7 packets, 1 lost", "WATCHDOG=1", "STOPPING=1"}
	if got := m.told(t); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestNoWatchdogUnlessAskedFor(t *testing.T) {
	m, getenv := newManager(t, "")
	n, err := Open(getenv)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	n.Tick(&live.Status{Now: time.Now()})
	if got, want := m.told(t), []string{"STATUS=0 packets, 0 lost"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestWithoutAManagerNothingIsSaid(t *testing.T) {
	n, err := Open(func(string) string { return "" })
	if n != nil || err != nil {
		t.Fatalf("got %v, %v", n, err)
	}
	n.Ready()
	n.Tick(&live.Status{})
	n.Stopping()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}
