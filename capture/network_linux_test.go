package capture

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"flowvet/capture/capturetest"
)

// inNetwork runs the rest of a test in a network of its own, where nothing is but its loopback interface: in a process that is this
// test again. It returns false in the one that waits for it. Where networks cannot be made, the test is skipped.
func inNetwork(t *testing.T) bool {
	t.Helper()
	const inside = "FLOWVET_TEST_NETWORK"
	if os.Getenv(inside) != "" {
		return true
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip (iproute2) here to make interfaces with")
	}
	args := []string{"-test.run=^" + regexp.QuoteMeta(t.Name()) + "$", "-test.v"}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	again := exec.Command(os.Args[0], args...)
	again.Env = append(os.Environ(), inside+"=1")
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: unix.SIGKILL}
	out, err := again.CombinedOutput()
	if errors.Is(err, unix.EPERM) {
		t.Skip("not allowed to make a network: run as root")
	}
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	return false
}

// ip runs commands of iproute2, one a line.
func ip(t testing.TB, commands string) {
	t.Helper()
	for line := range strings.Lines(commands) {
		if args := strings.Fields(line); len(args) > 0 {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				t.Fatalf("ip %s: %v: %s", strings.TrimSpace(line), err, out)
			}
		}
	}
}

// cable makes two interfaces that are joined, quiet ones: the kernel sends nothing by itself.
func cable(t testing.TB, one, other string) {
	t.Helper()
	ip(t, "link add "+one+" type veth peer name "+other)
	quietly(t, one, other)
}

// quietly brings interfaces up without IPv6, which would speak by itself.
func quietly(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		ip(t, "link set "+name+" addrgenmode none arp off up")
	}
}

// sender sends frames out of an interface.
type sender struct {
	t    testing.TB
	name string
	*capturetest.Sender
}

// connected waits until the interface is ready to send. The kernel throws away, and calls sent, what is sent between
// the two ends of a cable being up and its having noticed that.
func (s *sender) connected() {
	s.t.Helper()
	soon(s.t, s.name+" is connected", func() bool {
		w, err := newLinkWatch(s.name)
		if err != nil {
			s.t.Fatal(err)
		}
		defer w.close()
		now, err := w.query()
		return err == nil && now.State == LinkUp
	})
}

func newSender(t testing.TB, name string) *sender {
	t.Helper()
	out, err := capturetest.NewSender(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	s := &sender{t, name, out}
	s.connected()
	return s
}

// send sends n frames, made by frame from their numbers, at that many a second; 0: as fast as it can.
func (s *sender) send(n, rate int, frame func(i int) []byte) {
	s.t.Helper()
	if err := s.Send(n, rate, frame); err != nil {
		s.t.Fatal(err)
	}
}

// datagrams returns frames of 64 bytes (60, and the checksum that no host sees): datagrams of that many flows.
func datagrams(flows int) func(i int) []byte {
	const prepared = 64 // as many as the sender sends together
	frames := make([][]byte, prepared)
	for i := range frames {
		f := make([]byte, 60)
		copy(f, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00\x45\x00\x00\x2e\x00\x00\x00\x00\x40\x11\x00\x00")
		copy(f[26:], "\x0a\x00\x00\x00\x0a\xff\x00\x01")
		copy(f[34:], "\x10\x00\x03\x86\x00\x1a\x00\x00")
		frames[i] = f
	}
	return func(i int) []byte {
		f := frames[i%prepared]
		binary.BigEndian.PutUint16(f[18:], uint16(i))
		binary.BigEndian.PutUint32(f[42:], uint32(i)) // no two frames are alike, as of a mirror's copies
		flow := uint32(i % flows)
		f[27], f[28], f[29] = byte(flow>>16), byte(flow>>8), byte(flow)
		return f
	}
}

// replaying returns the command by which tcpreplay sends that many packets, as fast as it can.
func replaying(t testing.TB, name string, packets int) string {
	t.Helper()
	if _, err := exec.LookPath("tcpreplay"); err != nil {
		t.Skip("no tcpreplay here")
	}
	file := filepath.Join(t.TempDir(), "replayed.pcap")
	frame := datagrams(1000)
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	for i := range packets {
		f := frame(i)
		b = binary.LittleEndian.AppendUint64(b, uint64(i))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f)))
		b = binary.LittleEndian.AppendUint32(b, uint32(len(f)))
		b = append(b, f...)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return "tcpreplay --intf1=" + name + " --topspeed " + file
}
