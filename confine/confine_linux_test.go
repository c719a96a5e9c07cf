//go:build amd64 || arm64

package confine

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// orders are what the process that confines itself is to do: it is this test program again.
type orders struct {
	Rules Rules
	Tries []try
}

// try is one thing to do when confined.
type try struct{ What, With string }

// told is what it says.
type told struct {
	Error    string
	Measures []Measure
	Attempts []Attempt
	Results  []string // of the tries: empty where it was possible
}

const ordersVariable = "FLOWVET_TEST_CONFINE"

func TestMain(m *testing.M) {
	if text := os.Getenv(ordersVariable); text != "" {
		obey(text)
		return
	}
	os.Exit(m.Run())
}

// obey confines the process, says what came of it, and waits to be looked at.
func obey(text string) {
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	var says told
	ready := make(chan struct{})
	for range 8 { // threads that are there before
		go func() {
			runtime.LockOSThread()
			ready <- struct{}{}
			time.Sleep(time.Hour)
		}()
		<-ready
	}
	go func() {
		var b [1]byte
		_, _ = os.Stdin.Read(b[:]) // one that is in a system call
	}()
	c, err := Drop(o.Rules)
	if err != nil {
		says.Error = err.Error()
	} else {
		says.Measures, says.Attempts = c.Measures, c.Try()
		for _, t := range o.Tries {
			says.Results = append(says.Results, t.do())
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(says)
	time.Sleep(time.Minute)
}

func (t try) do() string {
	var err error
	switch t.What {
	case "read":
		_, err = os.ReadFile(t.With)
	case "write":
		err = os.WriteFile(t.With, []byte("x"), 0o600)
	case "rename":
		from, to, _ := strings.Cut(t.With, " ")
		err = os.Rename(from, to)
	case "link":
		err = os.Symlink("x", t.With)
	case "remove":
		err = os.RemoveAll(t.With)
	case "mkdir":
		err = os.Mkdir(t.With, 0o700)
	case "dial":
		var conn net.Conn
		if conn, err = net.Dial("tcp", t.With); err == nil {
			conn.Close()
		}
	case "listen":
		var l net.Listener
		if l, err = net.Listen("tcp", t.With); err == nil {
			l.Close()
		}
	case "signal":
		pid, _ := strconv.Atoi(t.With)
		err = unix.Kill(pid, 0)
	case "threads":
		done := make(chan struct{})
		for range 64 {
			go func() { time.Sleep(10 * time.Millisecond); done <- struct{}{} }()
		}
		for range 64 {
			<-done
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// confined starts a process that confines itself, and returns what it says. It goes on until the test ends.
func confined(t *testing.T, attributes *syscall.SysProcAttr, o orders) (told, int) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	self := exec.Command(reachable(t))
	self.Env = append(os.Environ(), ordersVariable+"="+string(text))
	self.SysProcAttr = attributes
	self.Stderr = os.Stderr
	in, err := self.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := self.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := self.Start(); err != nil {
		t.Skipf("not allowed to start a process with other rights: %v", err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = self.Process.Kill()
		_ = self.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	var says told
	if err := json.Unmarshal(line, &says); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	if says.Error != "" {
		t.Fatal(says.Error)
	}
	return says, self.Process.Pid
}

// reachable returns a copy of this program that every user can run.
func reachable(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(anybodysFolder(t, 0), "confine.test")
	if err := os.WriteFile(name, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// asRoot skips a test that only root can run.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("run as root")
	}
}

// anybodysFolder returns a folder that every user can reach and that belongs to a user.
func anybodysFolder(t *testing.T, owner int) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "flowvet-confine-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	if err := errors.Join(os.Chmod(folder, 0o755), os.Chown(folder, owner, owner)); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestFault44RightsDoNotComeBack is fault 44: as root, and with CAP_NET_RAW alone.
func TestFault44RightsDoNotComeBack(t *testing.T) {
	asRoot(t)
	const user = 65534
	netRaw := &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: user, Gid: user}, AmbientCaps: []uintptr{unix.CAP_NET_RAW},
	}
	for _, tt := range []struct {
		name       string
		attributes *syscall.SysProcAttr
		become     Identity
		uid        string
	}{
		{"root becomes nobody", nil, Identity{user, user, true}, "65534"},
		{"root stays root", nil, Identity{}, "0"},
		{"CAP_NET_RAW alone", netRaw, Identity{}, "65534"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			says, pid := confined(t, tt.attributes, orders{Rules: Rules{User: tt.become}, Tries: []try{{What: "threads"}}})
			for _, m := range says.Measures {
				t.Logf("%-14s %-5t %s", m.Name, m.On, m.Detail)
			}
			for _, a := range says.Attempts {
				if !a.Refused {
					t.Errorf("%s: %s", a.What, a.Detail)
				}
				t.Logf("%-36s %s", a.What, a.Detail)
			}
			if len(says.Attempts) < 6 {
				t.Errorf("only %d tries", len(says.Attempts))
			}
			everyThreadHas(t, pid, map[string]string{
				"Uid": strings.Repeat(tt.uid+"\t", 4), "CapEff": none, "CapPrm": none, "CapInh": none, "CapAmb": none, "NoNewPrivs": "1",
			}, says)
		})
	}
}

const none = "0000000000000000"

// everyThreadHas looks at each thread of a process from outside.
func everyThreadHas(t *testing.T, pid int, want map[string]string, says told) {
	t.Helper()
	for _, m := range says.Measures {
		switch {
		case m.Name == bySeccomp && m.On:
			want["Seccomp"] = "2"
		case m.Name == byBounding && m.On:
			want["CapBnd"] = none
		}
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) < 8 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		for key, value := range want {
			if !strings.Contains(string(text), "\n"+key+":\t"+strings.TrimSpace(value)) {
				t.Errorf("%s: not %s %q", name, key, value)
			}
		}
	}
}

// TestLandlockLetsThroughWhatTheRulesName reads, writes and dials, inside of the rules and outside.
func TestLandlockLetsThroughWhatTheRulesName(t *testing.T) {
	asRoot(t)
	const user = 65534
	in, out, other := anybodysFolder(t, 0), anybodysFolder(t, user), anybodysFolder(t, user)
	file := filepath.Join(in, "lab.yaml")
	secret := filepath.Join(other, "secret")
	for _, name := range []string{file, secret} {
		if err := os.WriteFile(name, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ports := make([]net.Listener, 2)
	for i := range ports {
		var err error
		if ports[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Skip(err)
		}
		defer ports[i].Close()
	}
	at := func(i int) string { return ports[i].Addr().String() }
	report := func(name string) string { return filepath.Join(out, name) }
	steps := []struct {
		try
		possible bool
		since    int // the version of Landlock that refuses it
	}{
		{try{"read", file}, true, 0},
		{try{"write", file}, false, 1},
		{try{"read", secret}, false, 1},
		{try{"write", filepath.Join(other, "new")}, false, 1},
		{try{"mkdir", report("new")}, true, 0},
		{try{"write", report("new/report.tmp")}, true, 0},
		{try{"read", report("new/report.tmp")}, true, 0},
		{try{"rename", report("new/report.tmp") + " " + report("report")}, true, 0},
		{try{"link", report("latest")}, true, 0},
		{try{"remove", report("new")}, true, 0},
		{try{"rename", report("report") + " " + filepath.Join(other, "report")}, false, 1},
		{try{"dial", at(0)}, true, 0},
		{try{"dial", at(1)}, false, landNetSince},
		{try{"listen", "127.0.0.1:0"}, false, landNetSince},
		{try{"signal", strconv.Itoa(os.Getpid())}, false, 0},
	}
	o := orders{Rules: Rules{
		User: Identity{user, user, true}, Read: []string{in, filepath.Join(in, "is not there")}, Write: []string{out},
		Dial: []uint16{uint16(ports[0].Addr().(*net.TCPAddr).Port)},
	}}
	for _, s := range steps {
		o.Tries = append(o.Tries, s.try)
	}
	says, _ := confined(t, nil, o)
	version := 0
	for _, m := range says.Measures {
		_, _ = fmt.Sscanf(m.Detail, "version %d", &version)
	}
	for i, s := range steps {
		if got := says.Results[i]; (got == "") != s.possible && version >= s.since {
			t.Errorf("%s %s: %q; possible should be %t", s.What, s.With, got, s.possible)
		}
	}
	t.Logf("Landlock version %d", version)
}

// TestRulesThatCannotBeKeptAreSaid names a folder to write in that is not there.
func TestRulesThatCannotBeKeptAreSaid(t *testing.T) {
	f, err := newFence(Rules{Write: []string{filepath.Join(t.TempDir(), "missing")}})
	if f != nil && f.ruleset < 0 {
		t.Skip("no Landlock here")
	}
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "missing") {
		t.Errorf("%v; want the missing folder named", err)
	}
}

func TestLookup(t *testing.T) {
	for name, want := range map[string]Identity{
		"root": {0, 0, true}, "0": {0, 0, true}, "4294901:17": {4294901, 17, true}, "4294901": {4294901, 4294901, true},
	} {
		if got, err := Lookup(name); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "no-such-user", "-1", "1:x", "99999999999"} {
		if id, err := Lookup(name); err == nil {
			t.Errorf("%q is %v", name, id)
		}
	}
}
