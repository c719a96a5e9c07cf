package filter_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"flowvet/capture/filter"
)

// sameAsOtherMachine runs a program on bpf.VM too. That one takes the captured length for the length on the wire, so here
// they are the same.
func sameAsOtherMachine(t testing.TB, p *filter.Program, frames ...[]byte) {
	t.Helper()
	code, known := bpf.Disassemble(p.Instructions())
	if !known {
		t.Fatalf("not all of these are instructions: %v", code)
	}
	vm, err := bpf.NewVM(code)
	if err != nil {
		t.Fatalf("%v: %v", code, err)
	}
	for _, data := range frames {
		n, err := vm.Run(data)
		if err != nil {
			t.Fatal(err)
		}
		if is := p.Keeps(data, len(data)); is != (n > 0) {
			t.Fatalf("keeps %t, bpf.VM says %d of %x\n%v", is, n, data, code)
		}
	}
}

func TestMachineDoesWhatTheOtherMachineDoes(t *testing.T) {
	var frames [][]byte
	for _, f := range ofLink(stories(t), ethernet) {
		frames = append(frames, f.data)
	}
	for _, e := range expressions(t) {
		sameAsOtherMachine(t, ours(t, ethernet, e), frames...)
	}
	for question, answer := range readRecorded(t) {
		if question.link == ethernet && answer.program != "" {
			sameAsOtherMachine(t, theirs(t, ethernet, answer.program), frames...)
		}
	}
}

// TestMachineDoesArithmetic runs random programs of all instructions but NEG, which bpf.VM lacks, and LDX LEN,
// which it takes for LD LEN (x/net v0.62.0): what expressions never use, dumps may.
func TestMachineDoesArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	frame := []byte("\x02\x00\x00\x00\x00\x05\x02\x00\x00\x00\x00\x0b\x08\x00\x45\x00\x01\x02\x03\x04")
	codes := []uint16{
		0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80, 0x01, 0x61, 0xb1, 0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34,
		0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x74, 0x94, 0x9c, 0xa4, 0xac, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x05, 0x07, 0x87,
	}
	ran := 0
	for range 50_000 {
		var b strings.Builder
		n := 2 + rng.IntN(12)
		fmt.Fprintf(&b, "%d\n", n)
		for range n - 1 {
			fmt.Fprintf(&b, "%d %d %d %d\n", codes[rng.IntN(len(codes))], rng.IntN(3), rng.IntN(3), rng.IntN(18))
		}
		b.WriteString([]string{"6 0 0 1\n", "22 0 0 0\n"}[rng.IntN(2)])
		f, err := filter.ParseDump(b.String())
		if err != nil {
			continue
		}
		p, err := f.Compile(ethernet)
		if err != nil {
			t.Fatal(err)
		}
		if code, known := bpf.Disassemble(p.Instructions()); !known || !valid(code) {
			continue
		}
		ran++
		sameAsOtherMachine(t, p, frame, frame[:9])
		admits, sure := p.Admits(filter.Flow{Proto: 6})
		if admits && !sure {
			t.Fatal("admits, but is not sure")
		}
	}
	t.Logf("%d programs", ran)
	if ran < 10_000 {
		t.Errorf("only %d random programs were valid", ran)
	}
}

// valid reports whether the other machine takes a program.
func valid(code []bpf.Instruction) bool {
	_, err := bpf.NewVM(code)
	return err == nil
}

// TestLongFiltersJumpFar is of conditional jumps over more than 255 instructions.
func TestLongFiltersJumpFar(t *testing.T) {
	frames := ofLink(stories(t), ethernet)
	for _, tt := range []struct {
		hosts int
		last  string
	}{{20, "port 443"}, {60, "10.0.0.11"}, {200, "10.0.0.11"}, {200, "not port 443"}} {
		var b strings.Builder
		b.WriteString("host 10.9.0.0")
		for i := 1; i < tt.hosts; i++ {
			fmt.Fprintf(&b, " or 10.9.%d.%d", i/200, i%200)
		}
		text := b.String() + " or " + tt.last
		is, must := ours(t, ethernet, text), ours(t, ethernet, "host 10.9.0.0 or "+tt.last)
		kept := 0
		for _, f := range frames {
			if strings.HasSuffix(f.name, "changed") || strings.HasSuffix(f.name, "cut") {
				continue // one of the hosts may be in it, or may be asked for behind the cut
			}
			if is.Keeps(f.data, f.wire) != must.Keeps(f.data, f.wire) {
				t.Errorf("%d hosts or %s: %s: keeps %t\n%x", tt.hosts, tt.last, f.name, !must.Keeps(f.data, f.wire), f.data)
			}
			if must.Keeps(f.data, f.wire) {
				kept++
			}
		}
		sameAsOtherMachine(t, is, frames[0].data)
		t.Logf("%d hosts or %s: %d instructions, %d frames kept", tt.hosts, tt.last, len(is.Instructions()), kept)
		if kept == 0 || kept == len(frames) {
			t.Errorf("%d hosts or %s: %d of %d frames kept: nothing is shown", tt.hosts, tt.last, kept, len(frames))
		}
	}
}

// TestLiveTagIsOutsideTheFrame takes the outermost tag out of frames, as a Linux kernel does, and puts it where the program
// finds it.
func TestLiveTagIsOutsideTheFrame(t *testing.T) {
	for _, e := range []string{
		"vlan", "vlan 10", "vlan 20", "vlan 10 and tcp port 443", "vlan and host 10.0.0.11", "vlan 20 and vlan 10 and port 80",
		"not vlan", "arp or (vlan 10 and port 443)", "vlan and vlan", "vlan 10 and ip6 and udp port 53", "not vlan and port 443",
	} {
		f := ourFilter(t, e)
		live, err := f.CompileLive(ethernet, 128)
		if err != nil {
			t.Fatal(err)
		}
		file := ours(t, ethernet, e)
		for _, frame := range ofLink(stories(t), ethernet) {
			data, tag, present := untagged(frame.data)
			if strings.HasSuffix(frame.name, "cut") || strings.HasSuffix(frame.name, "changed") {
				continue
			}
			is, must := keepsLive(live, data, frame.wire, tag, present), file.Keeps(frame.data, frame.wire)
			if is != must {
				t.Errorf("%s: live keeps %t, of a file %t\n%x", e, is, must, frame.data[:min(len(frame.data), 60)])
			}
		}
	}
}

// TestLiveWithoutVLANSeesTaggedFramesAsUntagged is what tcpdump does, too.
func TestLiveWithoutVLANSeesTaggedFramesAsUntagged(t *testing.T) {
	p, err := ourFilter(t, "tcp port 443").CompileLive(ethernet, 128)
	if err != nil {
		t.Fatal(err)
	}
	tagged := filter.Flow{
		Src: netip.MustParseAddr("10.0.0.11"), Dst: netip.MustParseAddr("10.0.0.5"), DstPort: 443, Proto: 6, Tagged: true, VLAN: 10,
	}
	if admits, sure := p.Admits(tagged); !admits || !sure {
		t.Errorf("admits %t, sure %t; want both", admits, sure)
	}
	for _, i := range p.Instructions() {
		if i.Op == 6 && i.K != 0 && i.K != 128 {
			t.Errorf("returns %d, want the snap length 128", i.K)
		}
	}
}

// keepsLive runs a program over a frame as a kernel would.
func keepsLive(p *filter.Program, data []byte, wire int, tag uint16, tagged bool) bool {
	if tagged {
		return p.KeepsTagged(data, wire, tag)
	}
	return p.Keeps(data, wire)
}

// untagged takes the outermost tag out of an Ethernet frame.
func untagged(data []byte) (rest []byte, tag uint16, present bool) {
	if len(data) < 18 || data[12] != 0x81 && data[12] != 0x88 || data[13] != 0 && data[13] != 0xa8 {
		return data, 0, false
	}
	return append(append([]byte{}, data[:12]...), data[16:]...), uint16(data[14])<<8 | uint16(data[15]), true
}

func TestKeepsAllocatesNothing(t *testing.T) {
	p := ours(t, ethernet, "host 10.0.0.11 and (tcp port 8000 or udp port 902)")
	f := ofLink(stories(t), ethernet)[3]
	if n := testing.AllocsPerRun(100, func() { p.Keeps(f.data, f.wire) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkKeeps(b *testing.B) {
	for _, e := range []string{"tcp", "tcp port 443", "host 10.0.0.11 and (tcp port 8000 or udp port 902)"} {
		b.Run(e, func(b *testing.B) {
			p := ours(b, ethernet, e)
			frames := ofLink(stories(b), ethernet)[:40]
			for i := 0; b.Loop(); i++ {
				f := &frames[i%len(frames)]
				p.Keeps(f.data, f.wire)
			}
		})
	}
}
