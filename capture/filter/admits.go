package filter

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
)

// Flow is traffic that a filter might have let into a capture. What is not known is zero: an address is any then. A port is
// any, too, if both are 0; one alone is a client's: any from 512 on, where clients that were root begin, or the same as the
// server's.
type Flow struct {
	Src, Dst         netip.Addr // of one family
	SrcPort, DstPort uint16
	Proto            uint8 // 6 or 17
	Tagged           bool  // its frames carry one VLAN tag
	VLAN             uint16
}

// Admits reports whether the filter keeps the frames of a flow, in both directions, whatever is in them that the Flow does
// not say: MAC addresses, lengths, TCP flags, payload. It is not sure where that decides ("less 100", "ether host"), and then
// does not admit. It is sure not to where one of the ports that a client may have, or one direction, is dropped whatever
// else is in the frames. Frames are whole, without tunnels and IP options, and no later fragments.
func (p *Program) Admits(f Flow) (admits, sure bool) {
	back := f
	back.Src, back.Dst, back.SrcPort, back.DstPort = f.Dst, f.Src, f.DstPort, f.SrcPort
	admits = true
	for _, direction := range []*Flow{&f, &back} {
		for _, said := range p.verdicts(direction) {
			if said == drops {
				return false, true
			}
			admits = admits && said == keeps
		}
	}
	return admits, admits
}

// verdicts is a set of what a program says of frames.
type verdicts uint8

const (
	keeps verdicts = 1 << iota
	drops
)

// sketch is a frame of which some bits are known.
type sketch struct {
	bytes, known []byte
	tag          bits // of the kernel's metadata
	tagged       bits
}

// bits is a number of which some bits are known: those of known, and they are as in value. Unknown bits of value are 0.
type bits struct{ value, known uint32 }

func exactly(v uint32) bits { return bits{v, whole} }

// put appends a number of size bytes, of which the bits in known are known.
func (s *sketch) put(size int, value, known uint32) {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], value&known)
	s.bytes = append(s.bytes, b[4-size:]...)
	binary.BigEndian.PutUint32(b[:], known)
	s.known = append(s.known, b[4-size:]...)
}

// unknown appends bytes that may be anything.
func (s *sketch) unknown(size int) {
	for range size {
		s.put(1, 0, 0)
	}
}

// address appends an address, any if it is the zero Addr.
func (s *sketch) address(a netip.Addr, size int) {
	if !a.IsValid() {
		s.unknown(size)
		return
	}
	for _, b := range a.AsSlice() {
		s.put(1, uint32(b), 0xff)
	}
}

// clientPorts are the ports a client may have, besides the server's own: 512 to 65535, each range with its highest bits known.
var clientPorts = [...]bits{
	{0x8000, 0x8000},
	{0x4000, 0xc000},
	{0x2000, 0xe000},
	{0x1000, 0xf000},
	{0x0800, 0xf800},
	{0x0400, 0xfc00},
	{0x0200, 0xfe00},
}

// ports returns what is known of a flow's source and destination port, in each of the ways it may be.
func (f *Flow) ports() [][2]bits {
	src, dst := bits{uint32(f.SrcPort), 0xffff}, bits{uint32(f.DstPort), 0xffff}
	switch {
	case f.SrcPort == 0 && f.DstPort == 0:
		return [][2]bits{{{}, {}}}
	case f.SrcPort != 0 && f.DstPort != 0:
		return [][2]bits{{src, dst}}
	}
	var ways [][2]bits
	if f.SrcPort == 0 {
		for _, client := range clientPorts {
			ways = append(ways, [2]bits{client, dst})
		}
		return append(ways, [2]bits{dst, dst})
	}
	for _, client := range clientPorts {
		ways = append(ways, [2]bits{src, client})
	}
	return append(ways, [2]bits{src, src})
}

// draw draws a frame of the flow, in its direction, up to its payload. It is false where the link type has no such frames.
func (p *Program) draw(f *Flow, ports [2]bits, ipv6 bool) (s sketch, ok bool) {
	etherType := uint32(etherIPv4)
	if ipv6 {
		etherType = etherIPv6
	}
	s.tagged, s.tag = exactly(0), exactly(0)
	outermost, inside := etherType, f.Tagged && !p.live
	if f.Tagged && p.live {
		s.tagged, s.tag = exactly(1), bits{uint32(f.VLAN), idMask}
	}
	if inside {
		outermost = etherVLAN
	}
	inside = s.link(p.link, outermost, ipv6) && inside
	if inside {
		s.put(2, uint32(f.VLAN), idMask)
		s.put(2, etherType, 0xffff)
	}
	s.ip(f, ports, ipv6)
	return s, p.link != linkIPv4 && p.link != linkIPv6 || ipv6 == (p.link == linkIPv6)
}

// link draws a link header, and reports whether it has an ethertype. Loopback headers are those of macOS and OpenBSD.
func (s *sketch) link(link uint16, etherType uint32, ipv6 bool) bool {
	family := map[uint16][2]uint32{linkNull: {2 << 24, 30 << 24}, linkLoop: {2, 24}}
	switch link {
	case linkEthernet:
		const group = 0x01 // bit of a MAC address: the frame goes to one station
		s.put(1, 0, group)
		s.unknown(5)
		s.put(1, 0, group)
		s.unknown(5)
		s.put(2, etherType, 0xffff)
	case linkCooked:
		s.unknown(14)
		s.put(2, etherType, 0xffff)
	case linkCooked2:
		s.put(2, etherType, 0xffff)
		s.unknown(18)
	case linkNull, linkLoop:
		f := family[link][0]
		if ipv6 {
			f = family[link][1]
		}
		s.put(4, f, whole)
		return false
	default:
		return false
	}
	return true
}

// ip draws the IP header and the transport header.
func (s *sketch) ip(f *Flow, ports [2]bits, ipv6 bool) {
	if ipv6 {
		s.put(1, 0x60, 0xf0)
		s.unknown(5)
		s.put(1, uint32(f.Proto), 0xff)
		s.unknown(1)
		s.address(f.Src, 16)
		s.address(f.Dst, 16)
	} else {
		const fragment = 0x3fff // more of them, offset
		s.put(1, 0x45, 0xff)
		s.unknown(5)
		s.put(2, 0, fragment)
		s.unknown(1)
		s.put(1, uint32(f.Proto), 0xff)
		s.unknown(2)
		s.address(f.Src, 4)
		s.address(f.Dst, 4)
	}
	s.put(2, ports[0].value, ports[0].known)
	s.put(2, ports[1].value, ports[1].known)
	const restTCP, restUDP = 16, 4 // of the shortest header
	if f.Proto == ipTCP {
		s.unknown(restTCP)
	} else {
		s.unknown(restUDP)
	}
}

// verdicts returns what the program can say of frames of the flow in its direction, for each of the ways the flow may be.
func (p *Program) verdicts(f *Flow) (said []verdicts) {
	families := []bool{f.Src.Is6() || f.Dst.Is6()}
	if !f.Src.IsValid() && !f.Dst.IsValid() {
		families = []bool{false, true}
	}
	for _, ipv6 := range families {
		for _, ports := range f.ports() {
			s, ok := p.draw(f, ports, ipv6)
			if !ok {
				return []verdicts{drops}
			}
			said = append(said, p.explore(&s))
		}
	}
	return said
}

// maxSteps bounds the instructions looked at: a program is gone through once for each value that can stand in its
// registers, which is few for what Compile makes, and not bounded for a dump.
const maxSteps = 64 << 10

// machine is a state of the machine while it runs on a sketch.
type machine struct {
	pc     int
	a, x   bits
	memory [memoryWords]bits
}

// explore runs the program on every frame that the sketch can be, both ways wherever an unknown bit decides.
func (p *Program) explore(s *sketch) (said verdicts) {
	todo := []machine{{}}
	seen := map[machine]bool{}
	for steps := 0; len(todo) > 0 && said != keeps|drops; {
		m := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for ; ; steps++ {
			if steps >= maxSteps {
				return keeps | drops
			}
			ended, fork := p.step(s, &m)
			said |= ended
			if fork != nil && !seen[*fork] {
				seen[*fork] = true
				todo = append(todo, *fork)
			}
			if m.pc >= len(p.code) {
				break
			}
		}
	}
	return said
}

// step runs one instruction. What ended is said; a machine that ended has its pc at the end. fork is the other way, if
// there is one.
func (p *Program) step(s *sketch, m *machine) (ended verdicts, fork *machine) {
	i := &p.code[m.pc]
	m.pc++
	operand := exactly(i.K)
	if i.Op&sourceX != 0 {
		operand = m.x
	}
	outside := false
	switch i.Op & classMask {
	case classLD:
		m.a, outside = s.load(i, m)
	case classLDX:
		m.x, outside = s.loadX(i, m)
	case classST:
		m.memory[i.K] = m.a
	case classSTX:
		m.memory[i.K] = m.x
	case classALU:
		m.a, outside = m.a.operate(i.Op&opMask, operand)
	case classJMP:
		fork = m.jump(i, operand)
	case classRET:
		result := exactly(i.K)
		if i.Op&returnMask == returnA {
			result = m.a
		}
		m.pc = len(p.code)
		return result.verdicts(), nil
	case classMISC:
		if i.Op&miscMask == miscTXA {
			m.a = m.x
		} else {
			m.x = m.a
		}
	}
	if outside {
		return drops, fork
	}
	return 0, fork
}

// verdicts is what returning a number means.
func (b bits) verdicts() verdicts {
	switch {
	case b.value != 0:
		return keeps
	case b.known == whole:
		return drops
	}
	return keeps | drops
}

// jump takes one way, and returns a machine that takes the other if an unknown bit decides.
func (m *machine) jump(i *bpf.RawInstruction, operand bits) (fork *machine) {
	if i.Op&opMask == jumpAlways {
		m.pc += int(i.K)
		return nil
	}
	yes, no := m.pc+int(i.Jt), m.pc+int(i.Jf)
	holds, sure := m.a.compare(i.Op&opMask, operand)
	switch {
	case yes == no || sure && holds:
		m.pc = yes
	case sure:
		m.pc = no
	default:
		other := *m
		m.pc, other.pc = yes, no
		return &other
	}
	return nil
}

// compare compares where the known bits are enough to.
func (b bits) compare(op uint16, o bits) (holds, sure bool) {
	least, most := b.value, b.value|^b.known
	leastO, mostO := o.value, o.value|^o.known
	switch op {
	case jumpEqual:
		if (b.value^o.value)&b.known&o.known != 0 {
			return false, true
		}
		return true, b.known == whole && o.known == whole
	case jumpGreater:
		return least > mostO, least > mostO || most <= leastO
	case jumpAtLeast:
		return least >= mostO, least >= mostO || most < leastO
	}
	return b.value&o.value != 0, b.value&o.value != 0 || most&mostO == 0
}

// operate computes what of the result is known.
func (b bits) operate(op uint16, o bits) (result bits, outside bool) {
	switch {
	case op == aluAnd:
		known := b.known&o.known | b.known&^b.value | o.known&^o.value
		return bits{b.value & o.value, known}, false
	case op == aluOr:
		return bits{b.value | o.value, b.known&o.known | b.value | o.value}, false
	case b.known == whole && o.known == whole:
		v, ok := operate(op, b.value, o.value)
		return exactly(v), !ok
	}
	return bits{}, (op == aluDiv || op == aluMod) && o.known != whole
}

// load is what is known of what an instruction loads into A, and whether it may lie outside the frame.
func (s *sketch) load(i *bpf.RawInstruction, m *machine) (v bits, outside bool) {
	at := uint64(i.K)
	switch i.Op & modeMask {
	case modeIMM:
		return exactly(i.K), false
	case modeMEM:
		return m.memory[i.K], false
	case modeLEN:
		return bits{}, false
	case modeIND:
		if m.x.known != whole {
			return bits{}, true
		}
		at += uint64(m.x.value)
	default:
		switch i.K {
		case metadataTag:
			return s.tag, false
		case metadataTagPresent:
			return s.tagged, false
		}
	}
	size := map[uint16]int{sizeW: 4, sizeH: 2, sizeB: 1}[i.Op&sizeMask]
	return s.number(at, size)
}

// number is what is known of the number of size bytes at an offset. Behind the headers, there may be something or nothing.
func (s *sketch) number(at uint64, size int) (v bits, outside bool) {
	if at+uint64(size) > uint64(len(s.bytes)) {
		return bits{known: whole &^ fullMask(size)}, true
	}
	for n := range size {
		v.value = v.value<<8 | uint32(s.bytes[int(at)+n])
		v.known = v.known<<8 | uint32(s.known[int(at)+n])
	}
	v.known |= whole &^ fullMask(size)
	return v, false
}

// loadX is what is known of what an instruction loads into X.
func (s *sketch) loadX(i *bpf.RawInstruction, m *machine) (v bits, outside bool) {
	switch i.Op & modeMask {
	case modeIMM:
		return exactly(i.K), false
	case modeMEM:
		return m.memory[i.K], false
	case modeLEN:
		return bits{}, false
	}
	low, outside := s.number(uint64(i.K), 1)
	return bits{low.value & 0x0f << 2, low.known&0x0f<<2 | ^uint32(0x3c)}, outside
}
