package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"flowvet/catalog"
	"flowvet/inventory"
)

// plays are operations played by real processes: each machine of the scenario's inventory is one, in a network namespace of
// its own with a cable to a bridge on which tcpdump captures. The limits are as wide as seconds of play allow: one that was
// stopped for some of them on a busy computer still goes well.
var plays = []struct {
	scenarioCase
	act  func(*lan)
	says []string // what flowvet events finds
}{
	{
		scenarioCase{
			scenario: "vmotion", name: "goes-well", want: "pass", flags: vMotionLimits,
			lines: map[string]string{
				"memory": "met", "heartbeat-source": "met", "heartbeat-destination": "met", "alone": "met", "switch-over": "met rarp",
			},
		},
		func(l *lan) { l.moves(func() {}) },
		[]string{"vmotion esx01 -> esx02, announced by rarp"},
	},
	{
		scenarioCase{
			scenario: "vmotion", name: "heartbeat-stops", want: "fail", flags: vMotionLimits,
			lines: map[string]string{"heartbeat-destination": "violated gap-exceeded esx02", "heartbeat-source": "met", "memory": "met"},
		},
		func(l *lan) { l.moves(l.silencesHeartbeat) },
		[]string{"vmotion esx01 -> esx02, announced by rarp"},
	},
	{
		scenarioCase{
			scenario: "vmotion", name: "refused", want: "fail", flags: vMotionLimits,
			lines: map[string]string{"memory": "violated attempted-refused"},
		},
		(*lan).isRefused,
		[]string{"vmotion esx01 -> esx02"},
	},
	{
		scenarioCase{
			scenario: "ha-failover", name: "goes-well", want: "pass", flags: haLimits,
			lines: map[string]string{
				"ready": "met", "silence": "met", "survivors-ha": "met", "survivors-heartbeat": "met", "orders": "met",
				"restart-announced": "met gratuitous-arp",
			},
		},
		func(l *lan) { l.losesHost(func() {}) },
		[]string{"ha-failure esx03, announced by gratuitous-arp, to the end"},
	},
	{
		scenarioCase{
			scenario: "ha-failover", name: "heartbeat-stops", want: "fail", flags: haLimits,
			lines: map[string]string{"survivors-heartbeat": "violated gap-exceeded esx02", "silence": "met", "survivors-ha": "met"},
		},
		func(l *lan) { l.losesHost(l.silencesHeartbeat) },
		[]string{"ha-failure esx03, announced by gratuitous-arp, to the end"},
	},
	{
		scenarioCase{
			scenario: "ft-failover", name: "goes-well", want: "pass", flags: ftLimits,
			lines: map[string]string{
				"protected": "met", "log-stops": "met", "taken-over": "met rarp", "protected-again": "met", "new-double": "met",
			},
		},
		func(l *lan) {
			l.failsOver()
			l.doublesAgain()
		},
		[]string{"ft-pair esx01 -> esx02, then esx03, announced by rarp", "vmotion esx02 -> esx03", "ft-pair esx02 -> esx03, to the end"},
	},
	{
		scenarioCase{
			scenario: "ft-failover", name: "no-double", want: "fail", flags: ftLimits,
			lines: map[string]string{"protected-again": "violated attempted-refused", "log-stops": "met", "taken-over": "met rarp"},
		},
		func(l *lan) {
			l.failsOver()
			l.refuses("esx02", order{Do: "talk", From: ft(12, 0), To: ft(13, 8100), Every: time.Second, Bytes: 400})
			l.wait(13 * time.Second)
		},
		[]string{"ft-pair esx01 -> esx02, announced by rarp"},
	},
}

// The limits of plays, in which heartbeats come every second. A silence is proven by a minute, and nothing shorter.
var (
	vMotionLimits = []string{"--set", "lead=6s", "--set", "heartbeat-source.max-gap=6s", "--set", "heartbeat-destination.max-gap=6s"}
	haLimits      = []string{
		"--set", "survivors-ha.within=30s", "--set", "survivors-ha.max-gap=10s", "--set", "survivors-heartbeat.within=40s",
		"--set", "survivors-heartbeat.max-gap=10s", "--set", "orders.within=40s", "--set", "restart-announced.within=40s",
	}
	ftLimits = []string{"--set", "protected.max-gap=5s", "--set", "protected-again.within=12s", "--set", "new-double.within=12s"}
)

// TestOperationsPlayedByRealProcesses plays all of them at once, and judges what tcpdump captured.
func TestOperationsPlayedByRealProcesses(t *testing.T) {
	t.Parallel()
	lans := make([]*lan, len(plays))
	for i, p := range plays {
		lans[i] = newLAN(t, p.scenario, p.name)
	}
	var playing sync.WaitGroup
	for i, p := range plays {
		playing.Go(func() {
			p.act(lans[i])
			lans[i].end()
		})
	}
	playing.Wait()
	for i, p := range plays {
		t.Run(p.scenario+"/"+p.name, func(t *testing.T) {
			if err := lans[i].err; err != nil {
				t.Fatal(err)
			}
			p.hold(t, lans[i].capture)
			var said []string
			for _, o := range happened(t, lans[i].capture, p.scenario) {
				said = append(said, o.String())
			}
			if diff := cmp.Diff(p.says, said); diff != "" {
				t.Errorf("the operations (-want +got):\n%s", diff)
			}
		})
	}
}

// lan is a stage: a bridge and the machines of an inventory, each in a network namespace.
type lan struct {
	name, dir string
	machines  map[string]*machine
	capture   string
	tcpdump   *exec.Cmd
	says      *output // of tcpdump
	err       error   // the first that went wrong: no order is given after it
}

// machine is an actor seen from outside.
type machine struct {
	orders  io.WriteCloser
	answers *bufio.Scanner
}

// newLAN builds a stage, or skips the test where that is not possible.
func newLAN(t *testing.T, scenario, name string) *lan {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute of real time")
	}
	if os.Getuid() != 0 {
		t.Skip("a network namespace can only be made by root")
	}
	for _, tool := range []string{"ip", "tcpdump"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (Debian: iproute2, tcpdump)", tool)
		}
	}
	inv, err := inventory.Load(filepath.Join(scenarioFolder, scenario, "inventory.yaml"), catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	l := &lan{name: fmt.Sprintf("flowvet%d-%s-%s", os.Getpid(), scenario, name), dir: t.TempDir(), machines: map[string]*machine{}, says: &output{}}
	l.space(t, "bridge")
	l.ip(t, "bridge", "link add br0 type bridge", "link set br0 addrgenmode none up")
	for _, m := range inv.Machines {
		l.enter(t, m)
	}
	l.watch(t)
	return l
}

// of returns the namespace of a machine.
func (l *lan) of(machine string) string { return l.name + "-" + machine }

// space makes a namespace.
func (l *lan) space(t *testing.T, machine string) {
	t.Helper()
	if out, err := exec.Command("ip", "netns", "add", l.of(machine)).CombinedOutput(); err != nil {
		t.Skipf("no network namespace: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", l.of(machine)).Run() })
}

// ip runs commands of ip in a namespace.
func (l *lan) ip(t *testing.T, machine string, commands ...string) {
	t.Helper()
	cmd := exec.Command("ip", "-n", l.of(machine), "-batch", "-")
	cmd.Stdin = strings.NewReader(strings.Join(commands, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip -n %s: %s:\n%s", l.of(machine), out, strings.Join(commands, "\n"))
	}
}

// enter lays a machine's cable and starts its process.
func (l *lan) enter(t *testing.T, m *inventory.Machine) {
	t.Helper()
	l.space(t, m.Name)
	l.ip(
		t, "bridge", "link add "+m.Name+" type veth peer name eth0 netns "+l.of(m.Name),
		"link set "+m.Name+" addrgenmode none master br0 up",
	)
	commands := []string{"link set eth0 addrgenmode none up"}
	for _, a := range m.Addrs {
		commands = append(commands, fmt.Sprintf("addr add %s/24 dev eth0", a.Addr))
	}
	l.ip(t, m.Name, commands...)
	cmd := l.command(m.Name, "playmachine")
	orders, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	l.start(t, cmd)
	l.machines[m.Name] = &machine{orders, bufio.NewScanner(answers)}
}

// command returns a command that runs in the namespace of a machine.
func (l *lan) command(machine string, args ...string) *exec.Cmd {
	cmd := exec.Command("ip", append([]string{"netns", "exec", l.of(machine)}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// start starts a process that ends with the test at the latest.
func (l *lan) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// watch starts tcpdump on the bridge and waits until it captures.
func (l *lan) watch(t *testing.T) {
	t.Helper()
	l.capture = filepath.Join(l.dir, "capture.pcap")
	l.tcpdump = l.command("bridge", "tcpdump", "-n", "-i", "br0", "-s", "96", "-U", "-Z", "root", "-w", l.capture)
	l.tcpdump.Stderr = l.says
	l.start(t, l.tcpdump)
	for until := time.Now().Add(30 * time.Second); !strings.Contains(l.says.String(), "listening on"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("tcpdump does not capture: %s", l.says.String())
		}
	}
}

// note keeps the first error.
func (l *lan) note(err error) {
	if l.err == nil {
		l.err = err
	}
}

// give gives a machine an order and returns its answer.
func (l *lan) give(name string, o order) (string, error) {
	line, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	m := l.machines[name]
	if _, err := m.orders.Write(append(line, '\n')); err != nil {
		return "", err
	}
	if !m.answers.Scan() {
		return "", errors.Join(io.ErrUnexpectedEOF, m.answers.Err())
	}
	return m.answers.Text(), nil
}

// do has a machine carry out orders.
func (l *lan) do(name string, orders ...order) {
	for _, o := range orders {
		if l.err != nil {
			return
		}
		if answer, err := l.give(name, o); err != nil || answer != "done" {
			l.note(fmt.Errorf("%s: %+v: %s (%v)", name, o, answer, err))
		}
	}
}

// refuses has a machine carry out an order that ends with a refused connection.
func (l *lan) refuses(name string, o order) {
	if l.err != nil {
		return
	}
	if answer, err := l.give(name, o); err != nil || !strings.Contains(answer, syscall.ECONNREFUSED.Error()) {
		l.note(fmt.Errorf("%s: %+v: %s (%v), want a refusal", name, o, answer, err))
	}
}

// wait lets the play go on.
func (l *lan) wait(d time.Duration) {
	if l.err == nil {
		time.Sleep(d)
	}
}

// cut cuts the cable of a machine.
func (l *lan) cut(name string) {
	if out, err := exec.Command("ip", "-n", l.of(name), "link", "set", "eth0", "down").CombinedOutput(); err != nil {
		l.note(fmt.Errorf("cut %s: %s", name, out))
	}
}

// announce has a virtual machine announced at a host, by a frame in the words of stories: rarp or garp.
func (l *lan) announce(host, frame string) {
	story := filepath.Join(l.dir, "announce.txt")
	l.note(os.WriteFile(story, []byte("host vm07 10.20.5.77\n0 "+frame+" vm07\n"), 0o600))
	if err := l.command(host, "playstory", story, "eth0", "1").Run(); err != nil {
		l.note(fmt.Errorf("announce at %s: %w", host, err))
	}
}

// end ends the capture, which must have lost nothing.
func (l *lan) end() {
	l.note(l.tcpdump.Process.Signal(os.Interrupt))
	_ = l.tcpdump.Wait()
	if !strings.Contains(l.says.String(), "\n0 packets dropped by kernel") {
		l.note(fmt.Errorf("tcpdump: %s", l.says.String()))
	}
}

// mgmt, vmk and ft are addresses of the machines on the networks for management, vMotion and Fault Tolerance: of esx01 the last
// byte is 11, of vcenter01 it is 5.
func mgmt(machine byte, port uint16) netip.AddrPort { return on(0, machine, port) }
func vmk(machine byte, port uint16) netip.AddrPort  { return on(1, machine, port) }
func ft(machine byte, port uint16) netip.AddrPort   { return on(3, machine, port) }

func on(network, machine byte, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 20, network, machine}), port)
}

// hosts are the hosts of every play, with the last byte of their addresses.
var hosts = []struct {
	name string
	n    byte
}{{"esx01", 11}, {"esx02", 12}, {"esx03", 13}}

// managed begins what goes on in every play: each host tells vCenter every second that it lives, and vCenter has a session with
// each.
func (l *lan) managed() {
	l.do("vcenter01", order{Do: "listen", From: mgmt(5, 902)})
	for _, h := range hosts {
		l.do(h.name, order{Do: "serve", From: mgmt(h.n, 443)}, order{Do: "beat", From: mgmt(h.n, 0), To: mgmt(5, 902), Every: time.Second, Bytes: 334})
		l.do("vcenter01", order{Do: "talk", From: mgmt(5, 0), To: mgmt(h.n, 443), Every: time.Second, Bytes: 400})
	}
}

// silencesHeartbeat ends what esx02 tells vCenter.
func (l *lan) silencesHeartbeat() {
	l.do("esx02", order{Do: "stop", From: mgmt(12, 0), To: mgmt(5, 902)})
}

// moves plays a vMotion of 8 MB in two seconds, from esx01 to esx02. What disturbs it comes with its beginning.
func (l *lan) moves(disturb func()) {
	l.managed()
	l.do("esx02", order{Do: "serve", From: vmk(12, 8000)})
	l.wait(8 * time.Second)
	disturb()
	l.do("esx01", order{Do: "move", From: vmk(11, 0), To: vmk(12, 8000), Every: 2 * time.Second, Bytes: 8_000_000})
	l.announce("esx02", "rarp")
	l.wait(8 * time.Second)
}

// isRefused plays a vMotion to a host where nobody listens for it.
func (l *lan) isRefused() {
	l.managed()
	l.wait(8 * time.Second)
	l.refuses("esx01", order{Do: "move", From: vmk(11, 0), To: vmk(12, 8000), Bytes: 8_000_000})
	l.wait(8 * time.Second)
}

// losesHost plays the end of esx03 in a cluster of three, whose machine starts at esx01. What disturbs it comes 5 s after.
func (l *lan) losesHost(disturb func()) {
	l.managed()
	l.do("array01", order{Do: "serve", From: on(2, 60, 3260)})
	for _, h := range hosts {
		l.do(h.name, order{Do: "listen", From: mgmt(h.n, 2050)}, order{Do: "serve", From: mgmt(h.n, 8042)})
	}
	for _, h := range hosts {
		for _, other := range hosts {
			if other == h {
				continue
			}
			l.do(
				h.name, order{Do: "beat", From: mgmt(h.n, 2050), To: mgmt(other.n, 2050), Every: time.Second, Bytes: 60},
				order{Do: "talk", From: mgmt(h.n, 0), To: mgmt(other.n, 8042), Every: time.Second, Bytes: 100},
			)
		}
	}
	l.wait(8 * time.Second)
	l.cut("esx03")
	l.wait(5 * time.Second)
	disturb()
	l.wait(10 * time.Second)
	l.do("esx01", order{Do: "talk", From: on(2, 11, 0), To: on(2, 60, 3260), Every: time.Second, Bytes: 4000})
	l.announce("esx01", "garp")
	l.wait(48 * time.Second)
}

// failsOver plays the end of esx01, which logs what a machine does to esx02: that takes over.
func (l *lan) failsOver() {
	l.managed()
	for _, h := range hosts {
		l.do(h.name, order{Do: "listen", From: ft(h.n, 8200)})
	}
	l.do("esx02", order{Do: "serve", From: ft(12, 8100)}, order{Do: "beat", From: ft(12, 8200), To: ft(11, 8200), Every: time.Second / 2, Bytes: 60})
	l.logs("esx01", 11, 12)
	l.wait(8 * time.Second)
	l.cut("esx01")
	l.wait(time.Second / 2)
	l.do("esx02", order{Do: "stop", From: ft(12, 8100)}, order{Do: "stop", From: ft(12, 8200), To: ft(11, 8200)})
	l.announce("esx02", "rarp")
	l.wait(2 * time.Second)
}

// logs has a host send the log of a machine to the host of its double.
func (l *lan) logs(name string, from, to byte) {
	l.do(
		name, order{Do: "talk", From: ft(from, 0), To: ft(to, 8100), Every: time.Second / 5, Bytes: 400},
		order{Do: "beat", From: ft(from, 8200), To: ft(to, 8200), Every: time.Second / 5, Bytes: 400},
	)
}

// doublesAgain plays the new double at esx03.
func (l *lan) doublesAgain() {
	l.do("esx03", order{Do: "serve", From: vmk(13, 8000)}, order{Do: "serve", From: ft(13, 8100)})
	l.do("esx02", order{Do: "move", From: vmk(12, 0), To: vmk(13, 8000), Every: time.Second, Bytes: 8_000_000})
	l.logs("esx02", 12, 13)
	l.wait(12 * time.Second)
}
