package filter

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"
)

// The codes of the machine's instructions (McCanne and Jacobson 1993; Linux: filter.rst). A load is of a class, a size and
// a mode; an operation or jump is of a class, an operation and a source.
const (
	classMask                          = 0x07
	classLD, classLDX                  = 0x00, 0x01
	classST, classSTX                  = 0x02, 0x03
	classALU, classJMP                 = 0x04, 0x05
	classRET, classMISC                = 0x06, 0x07
	sizeMask                           = 0x18
	sizeW, sizeH, sizeB                = 0x00, 0x08, 0x10
	modeMask                           = 0xe0
	modeIMM, modeABS                   = 0x00, 0x20
	modeIND, modeMEM                   = 0x40, 0x60
	modeLEN, modeMSH                   = 0x80, 0xa0
	opMask                             = 0xf0
	aluAdd, aluSub, aluMul             = 0x00, 0x10, 0x20
	aluDiv, aluOr, aluAnd              = 0x30, 0x40, 0x50
	aluLeft, aluRight, aluNeg          = 0x60, 0x70, 0x80
	aluMod, aluXor                     = 0x90, 0xa0
	jumpAlways, jumpEqual, jumpGreater = 0x00, 0x10, 0x20
	jumpAtLeast, jumpAnyBit            = 0x30, 0x40
	sourceX                            = 0x08 // else the constant
	returnMask, returnA                = 0x18, 0x10
	miscMask, miscTXA                  = 0xf8, 0x80
	memoryWords                        = 16
	kernelMetadata                     = 0xfffff000 // from here on, an offset names what the kernel knows of a frame (SKF_AD_OFF)
	metadataTag                        = kernelMetadata + 44
	metadataTagPresent                 = kernelMetadata + 48
	longestConstantShift               = 31
)

// Keeps runs the program over the captured bytes of a frame that had wire bytes, as the kernel would have. It allocates
// nothing and ends after at most as many steps as the program has instructions: all jumps lead forward.
//
// It is not bpf.VM, which takes the captured length for the length on the wire: "less 100" would keep every frame of a
// capture made with a snap length of 96.
func (p *Program) Keeps(data []byte, wire int) bool { return p.run(data, wire, metadata{}) }

// KeepsTagged is Keeps of a frame without its outermost VLAN tag, which a kernel took out of it and gives beside it.
func (p *Program) KeepsTagged(data []byte, wire int, tag uint16) bool {
	return p.run(data, wire, metadata{tag: uint32(tag), present: 1})
}

// metadata is what a kernel knows of a frame besides its bytes; the zero value is that of a frame in a file.
type metadata struct{ tag, present uint32 }

// load returns the word at a place above kernelMetadata.
func (m metadata) load(k uint32) (uint32, bool) {
	switch k {
	case metadataTag:
		return m.tag, true
	case metadataTagPresent:
		return m.present, true
	}
	return 0, false
}

func (p *Program) run(data []byte, wire int, beside metadata) bool {
	var a, x uint32
	var memory [memoryWords]uint32
	for pc := 0; pc < len(p.code); pc++ {
		i := &p.code[pc]
		operand := i.K
		if i.Op&sourceX != 0 {
			operand = x
		}
		switch i.Op & classMask {
		case classLD:
			v, ok := load(i, x, data, wire, beside, &memory)
			if !ok {
				return false
			}
			a = v
		case classLDX:
			v, ok := loadX(i, data, wire, &memory)
			if !ok {
				return false
			}
			x = v
		case classST:
			memory[i.K] = a
		case classSTX:
			memory[i.K] = x
		case classALU:
			v, ok := operate(i.Op&opMask, a, operand)
			if !ok {
				return false
			}
			a = v
		case classJMP:
			pc += skips(i, a, operand)
		case classRET:
			if i.Op&returnMask == returnA {
				return a != 0
			}
			return i.K != 0
		case classMISC:
			if i.Op&miscMask == miscTXA {
				a = x
			} else {
				x = a
			}
		}
	}
	return false
}

// load is what an instruction loads into A. It is not ok past the end of the frame.
func load(i *bpf.RawInstruction, x uint32, data []byte, wire int, beside metadata, memory *[memoryWords]uint32) (uint32, bool) {
	at := uint64(i.K)
	switch i.Op & modeMask {
	case modeIMM:
		return i.K, true
	case modeMEM:
		return memory[i.K], true
	case modeLEN:
		return uint32(wire), true
	case modeIND:
		at += uint64(x)
	default:
		if i.K >= kernelMetadata {
			return beside.load(i.K)
		}
	}
	if at > uint64(len(data)) {
		return 0, false
	}
	b := data[at:]
	switch {
	case i.Op&sizeMask == sizeW && len(b) >= 4:
		return binary.BigEndian.Uint32(b), true
	case i.Op&sizeMask == sizeH && len(b) >= 2:
		return uint32(binary.BigEndian.Uint16(b)), true
	case i.Op&sizeMask == sizeB && len(b) >= 1:
		return uint32(b[0]), true
	}
	return 0, false
}

// loadX is what an instruction loads into X.
func loadX(i *bpf.RawInstruction, data []byte, wire int, memory *[memoryWords]uint32) (uint32, bool) {
	switch i.Op & modeMask {
	case modeIMM:
		return i.K, true
	case modeMEM:
		return memory[i.K], true
	case modeLEN:
		return uint32(wire), true
	}
	if uint64(i.K) >= uint64(len(data)) {
		return 0, false
	}
	return uint32(data[i.K]&0x0f) * 4, true
}

// operate is the arithmetic. It is not ok to divide by nought.
func operate(op uint16, a, b uint32) (uint32, bool) {
	switch op {
	case aluAdd:
		return a + b, true
	case aluSub:
		return a - b, true
	case aluMul:
		return a * b, true
	case aluOr:
		return a | b, true
	case aluAnd:
		return a & b, true
	case aluXor:
		return a ^ b, true
	case aluLeft:
		return a << (b & longestConstantShift), true
	case aluRight:
		return a >> (b & longestConstantShift), true
	case aluNeg:
		return -a, true
	}
	if b == 0 {
		return 0, false
	}
	if op == aluDiv {
		return a / b, true
	}
	return a % b, true
}

// skips returns how many instructions a jump passes.
func skips(i *bpf.RawInstruction, a, b uint32) int {
	if i.Op&opMask == jumpAlways {
		return int(i.K)
	}
	if compare(i.Op&opMask, a, b) {
		return int(i.Jt)
	}
	return int(i.Jf)
}

// compare is the comparison of a conditional jump.
func compare(op uint16, a, b uint32) bool {
	switch op {
	case jumpEqual:
		return a == b
	case jumpGreater:
		return a > b
	case jumpAtLeast:
		return a >= b
	}
	return a&b != 0
}

// verify applies the kernel's rules to a program: it ends, every jump lands inside, and every instruction is known.
func verify(code []bpf.RawInstruction) error {
	if len(code) == 0 || len(code) > MaxProgram {
		return fmt.Errorf("%d instructions; a kernel takes 1 to %d", len(code), MaxProgram)
	}
	for n := range code {
		if reason := objection(&code[n], uint64(len(code)-1-n)); reason != "" {
			return fmt.Errorf("instruction %d: %s", n+1, reason)
		}
	}
	if last := code[len(code)-1]; last.Op&classMask != classRET {
		return fmt.Errorf("instruction %d: the last one does not return", len(code))
	}
	return nil
}

// objection says what is wrong with an instruction that has that many behind it.
func objection(i *bpf.RawInstruction, behind uint64) string {
	if !known(i.Op) {
		return fmt.Sprintf("unknown code %d", i.Op)
	}
	class, mode, op := i.Op&classMask, i.Op&modeMask, i.Op&opMask
	memory := class == classST || class == classSTX || (class == classLD || class == classLDX) && mode == modeMEM
	switch {
	case memory && i.K >= memoryWords:
		return fmt.Sprintf("memory word %d; there are %d", i.K, memoryWords)
	case class == classLD && mode == modeABS && i.K >= kernelMetadata && i.K != metadataTag && i.K != metadataTagPresent:
		return "asks for what only a kernel knows of a frame"
	case class == classALU && (op == aluDiv || op == aluMod) && i.Op&sourceX == 0 && i.K == 0:
		return "divides by nought"
	case class == classALU && (op == aluLeft || op == aluRight) && i.Op&sourceX == 0 && i.K > longestConstantShift:
		return fmt.Sprintf("shifts by %d bits", i.K)
	case class == classJMP && op == jumpAlways && uint64(i.K) >= behind,
		class == classJMP && op != jumpAlways && max(uint64(i.Jt), uint64(i.Jf)) >= behind:
		return "jumps past the end"
	}
	return ""
}

// known reports whether a code is an instruction's. No bit may be set that means nothing.
func known(code uint16) bool {
	size, mode, op := code&sizeMask, code&modeMask, code&opMask
	switch code & classMask {
	case classLD:
		return code < 0x100 && size != sizeMask && (mode == modeABS || mode == modeIND || size == sizeW && mode <= modeLEN)
	case classLDX:
		return code < 0x100 && (mode == modeMSH && size == sizeB || size == sizeW && (mode == modeIMM || mode == modeMEM || mode == modeLEN))
	case classST, classSTX:
		return code <= classSTX
	case classALU:
		return code < 0x100 && op <= aluXor && (op != aluNeg || code&sourceX == 0)
	case classJMP:
		return code < 0x100 && op <= jumpAnyBit && (op != jumpAlways || code&sourceX == 0)
	case classRET:
		return code == classRET || code == classRET|returnA
	}
	return code == classMISC || code == classMISC|miscTXA
}
