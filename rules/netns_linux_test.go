package rules

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// TestEveryRowPassesTheRulesOfItsMachines takes each machine of the made captures in turn, loads its rules in a network
// namespace, and opens real connections: those that check calls documented pass, and those that it calls undocumented do
// not. In these captures every row that can be on a wire is used.
func TestEveryRowPassesTheRulesOfItsMachines(t *testing.T) {
	if testing.Short() {
		t.Skip("opens a thousand connections")
	}
	w := newWire(t)
	c := catalog.Default()
	passed := map[*catalog.Row]bool{}
	blocked := 0
	for _, folder := range scenes(t) {
		inv, findings := judged(t, c, folder)
		for _, m := range inv.Machines {
			mine := slices.DeleteFunc(slices.Clone(findings), func(f *match.Finding) bool {
				return (f.From.Machine == m) == (f.To.Machine == m) || len(f.Groups) > 0 || f.Responder.IsMulticast()
			})
			if len(mine) == 0 {
				continue
			}
			policy := For(c, inv, m, false)
			w.stage(t, m, mine)
			w.load(t, policy)
			for _, f := range mine {
				name := fmt.Sprintf("%s, rules of %s: %s > %s %d/%s (%s)", filepath.Base(folder), m.Name, f.Initiator, f.Responder, f.Port, f.Proto, f.Verdict)
				want := f.Bucket() == match.Documented && !f.Qualifiers.Has(match.OtherPlane)
				if !want && anyOn(policy, f) {
					continue // such a rule asks nobody who he is, and says so
				}
				if got := w.passes(t, f.From.Machine == m, f); got != want {
					t.Errorf("%s: passes %v, want %v", name, got, want)
					continue
				}
				if !want {
					blocked++
					continue
				}
				for _, row := range f.Rows {
					passed[row] = true
				}
			}
		}
	}
	for _, row := range c.Rows {
		if row.OnWire && !row.Cast.IsValid() && !passed[row] {
			t.Errorf("%s: no connection of it passed", row.ID)
		}
	}
	if blocked < 20 {
		t.Errorf("%d undocumented connections were kept out, want 20 at least", blocked)
	}
	t.Logf("connections of %d rows passed, %d undocumented ones did not", len(passed), blocked)
}

// anyOn reports whether a rule lets anybody speak to the port of a finding.
func anyOn(p *Policy, f *match.Finding) bool {
	return slices.ContainsFunc(p.Openings, func(o match.Opening) bool {
		return o.Any && o.Own == f.Responder && o.Ports.Contains(f.Port) && strings.EqualFold(o.Transport.String(), f.Proto.String())
	})
}

// scenes lists the folders of the made captures.
func scenes(t *testing.T) []string {
	t.Helper()
	stories, err := filepath.Glob(filepath.Join("..", "testdata", "pcaps", "*", "story.txt"))
	if err != nil || len(stories) < 20 {
		t.Fatalf("%d scenes (%v), want 20 at least", len(stories), err)
	}
	for i, path := range stories {
		stories[i] = filepath.Dir(path)
	}
	return stories
}

// judged returns what check finds in a scene.
func judged(t *testing.T, c *catalog.Catalog, folder string) (*inventory.Inventory, []*match.Finding) {
	t.Helper()
	inv, err := inventory.Load(filepath.Join(folder, "inventory.yaml"), c)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "capture.pcap*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: captures %v (%v), want one", folder, files, err)
	}
	inputs, err := capture.Open(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := match.Evaluate(match.Grounds{Catalog: c, Inventory: inv}, inputs[0].ReadAll(t.Context(), capture.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var findings []*match.Finding
	for i := range r.Findings.Len() {
		findings = append(findings, r.Findings.At(i))
	}
	return inv, findings
}

// wire is two network namespaces with a cable between them: the machine stands in one, everybody else in the other.
type wire struct {
	machine, others *place
}

// place is a network namespace with a thread inside it.
type place struct {
	name, link string
	work       chan func()
}

// newWire lays the cable, or skips the test where it cannot.
func newWire(t *testing.T) *wire {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("network namespaces need root")
	}
	for _, tool := range []string{"nft", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (Debian: nftables, iproute2)", tool)
		}
	}
	name := fmt.Sprintf("flowvet%d", os.Getpid())
	w := &wire{
		machine: &place{name: name + "m", link: "machine", work: make(chan func())},
		others:  &place{name: name + "o", link: "others", work: make(chan func())},
	}
	for _, p := range []*place{w.machine, w.others} {
		if out, err := exec.Command("ip", "netns", "add", p.name).CombinedOutput(); err != nil {
			t.Skipf("no network namespace can be made here: %s", out)
		}
		t.Cleanup(func() { exec.Command("ip", "netns", "del", p.name).Run() })
	}
	command(t, "", "ip", "-n", w.machine.name, "link", "add", "machine", "type", "veth", "peer", "name", "others", "netns", w.others.name)
	for _, p := range []*place{w.machine, w.others} {
		p.enter(t)
		t.Cleanup(func() { close(p.work) })
	}
	return w
}

// command runs a program and wants it to succeed.
func command(t *testing.T, stdin string, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Stdin = strings.NewReader(stdin)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s\n%s", name, strings.Join(args, " "), err, out, stdin)
	}
}

// enter starts a thread in the namespace. It ends with its goroutine, since it is never unlocked.
func (p *place) enter(t *testing.T) {
	t.Helper()
	entered := make(chan error)
	go func() {
		runtime.LockOSThread()
		file, err := os.Open("/run/netns/" + p.name)
		if err == nil {
			err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			file.Close()
		}
		entered <- err
		for f := range p.work {
			f()
		}
	}()
	if err := <-entered; err != nil {
		t.Fatal(err)
	}
}

// do runs f in the namespace and waits for it.
func (p *place) do(f func()) {
	done := make(chan struct{})
	p.work <- func() { f(); close(done) }
	<-done
}

// stage gives both places their addresses.
func (w *wire) stage(t *testing.T, m *inventory.Machine, findings []*match.Finding) {
	t.Helper()
	own := map[netip.Addr]bool{}
	for _, a := range m.Addrs {
		own[a.Addr] = true
	}
	others := map[netip.Addr]bool{}
	for _, f := range findings {
		for _, a := range []netip.Addr{f.Initiator, f.Responder} {
			if !own[a] {
				others[a] = true
			}
		}
	}
	w.machine.addresses(t, own)
	w.others.addresses(t, others)
}

func (p *place) addresses(t *testing.T, all map[netip.Addr]bool) {
	t.Helper()
	batch := fmt.Sprintf("addr flush dev %s\nlink set lo up\nlink set %s up\n", p.link, p.link)
	for a := range all {
		batch += fmt.Sprintf("addr add %s/%d dev %s", a, a.BitLen(), p.link)
		if a.Is6() {
			batch += " nodad\nroute replace ::/0 dev " + p.link
		}
		batch += "\n"
	}
	batch += fmt.Sprintf("route replace 0.0.0.0/0 dev %s\n", p.link)
	command(t, batch, "ip", "-n", p.name, "-batch", "-")
}

// load loads the rules.
func (w *wire) load(t *testing.T, p *Policy) {
	t.Helper()
	var rules bytes.Buffer
	if err := NFTables(&rules, p); err != nil {
		t.Fatal(err)
	}
	command(t, rules.String(), "ip", "netns", "exec", w.machine.name, "nft", "-f", "-")
}

// patience is how long a packet on the cable may take: it takes 50 microseconds, on a machine that does nothing else.
const patience = 250_000 // microseconds

// passes opens the conversation of a finding once, and reports whether the first packet and an answer came through.
func (w *wire) passes(t *testing.T, out bool, f *match.Finding) (passed bool) {
	t.Helper()
	from, to := w.others, w.machine
	if out {
		from, to = to, from
	}
	kind := unix.SOCK_STREAM
	if f.Proto == capture.UDP {
		kind = unix.SOCK_DGRAM
	}
	var server, client int
	var err error
	to.do(func() { server, err = bound(f.Responder, f.Port, kind) })
	if err != nil {
		t.Fatalf("%s %d/%s: %v", f.Responder, f.Port, f.Proto, err)
	}
	defer unix.Close(server)
	from.do(func() { client, err = bound(f.Initiator, 0, kind) })
	if err != nil {
		t.Fatalf("%s: %v", f.Initiator, err)
	}
	defer unix.Close(client)
	if kind == unix.SOCK_STREAM {
		from.do(func() { err = unix.Connect(client, sockaddr(f.Responder, f.Port)) })
		return err == nil
	}
	from.do(func() { err = unix.Sendto(client, []byte("?"), 0, sockaddr(f.Responder, f.Port)) })
	if errors.Is(err, unix.EPERM) { // the rules of the sender's own machine
		return false
	}
	var peer unix.Sockaddr
	to.do(func() { _, peer, err = unix.Recvfrom(server, make([]byte, 1), 0) })
	if err != nil {
		return false
	}
	to.do(func() { err = unix.Sendto(server, []byte("!"), 0, peer) })
	if err == nil {
		from.do(func() { _, _, err = unix.Recvfrom(client, make([]byte, 1), 0) })
	}
	return err == nil
}

// bound opens a socket at an address; one of TCP with a port listens.
func bound(a netip.Addr, port uint16, kind int) (int, error) {
	family := unix.AF_INET
	if a.Is6() {
		family = unix.AF_INET6
	}
	s, err := unix.Socket(family, kind, 0)
	if err != nil {
		return s, err
	}
	wait := unix.Timeval{Usec: patience}
	steps := []func() error{
		func() error { return unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) },
		func() error { return unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait) },
		func() error { return unix.SetsockoptTimeval(s, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait) },
		func() error { return unix.Bind(s, sockaddr(a, port)) },
	}
	if kind == unix.SOCK_STREAM && port != 0 {
		steps = append(steps, func() error { return unix.Listen(s, 1) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			unix.Close(s)
			return s, err
		}
	}
	return s, nil
}

func sockaddr(a netip.Addr, port uint16) unix.Sockaddr {
	if a.Is6() {
		return &unix.SockaddrInet6{Addr: a.As16(), Port: int(port)}
	}
	return &unix.SockaddrInet4{Addr: a.As4(), Port: int(port)}
}

// TestTheirOwnersReadTheRules has nft and iptables check what is written for them, and load it twice: the second time
// replaces the first.
func TestTheirOwnersReadTheRules(t *testing.T) {
	w := newWire(t)
	for _, name := range []string{"esx01", hostileName} {
		p := labPolicy(t, name)
		var nft, tables bytes.Buffer
		if err := errors.Join(NFTables(&nft, p), IPTables(&tables, p)); err != nil {
			t.Fatal(err)
		}
		inside := func(stdin string, args ...string) {
			command(t, stdin, "ip", append([]string{"netns", "exec", w.machine.name}, args...)...)
		}
		inside(nft.String(), "nft", "-c", "-f", "-")
		inside(nft.String(), "nft", "-f", "-")
		inside(nft.String(), "nft", "-f", "-")
		list, err := exec.Command("ip", "netns", "exec", w.machine.name, "nft", "list", "table", "inet", "flowvet").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(list), "comment"); got != len(p.Openings) {
			t.Errorf("%s: nft holds %d rules, want %d", name, got, len(p.Openings))
		}
		for _, tool := range []string{"iptables-restore", "ip6tables-restore"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Logf("%s is not installed (Debian: iptables)", tool)
				continue
			}
			inside(tables.String(), tool, "--test")
		}
	}
}
