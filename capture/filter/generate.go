package filter

import (
	"fmt"

	"golang.org/x/net/bpf"
)

// MaxProgram is the kernel's limit of instructions (BPF_MAXINSNS).
const MaxProgram = 4096

// errTooLong is a filter of more instructions than a kernel takes.
var errTooLong = fmt.Errorf("filter: more than the %d instructions that a kernel takes: name networks instead of hosts", MaxProgram)

// node is a test with where to go next. Nodes are built from the end of the program: both ways lead to lower numbers.
type node struct {
	test    test
	yes, no int
}

// The first two nodes are the ends.
const (
	rejected = iota
	accepted
)

// graph is the conditions of a filter as tests and the ways between them.
type graph struct {
	nodes []node
	known map[node]int // equal nodes are built once
	full  bool         // there were more than maxNodes
}

// maxNodes bounds the work on an expression that is too long anyway: of the tests in a list of hosts, a quarter goes when the
// graph is simplified.
const maxNodes = 2 * MaxProgram

func newGraph() *graph { return &graph{nodes: make([]node, accepted+1), known: map[node]int{}} }

// add builds the tests of a condition in front of where they lead, and returns the first.
func (g *graph) add(c *cond, yes, no int) int {
	switch c.op {
	case condAlways:
		return yes
	case condNever:
		return no
	case condAnd:
		return g.add(c.a, g.add(c.b, yes, no), no)
	case condOr:
		return g.add(c.a, yes, g.add(c.b, yes, no))
	case condNot:
		return g.add(c.a, no, yes)
	}
	n := node{c.test, yes, no}
	if i, ok := g.known[n]; ok {
		return i
	}
	if len(g.nodes) == maxNodes {
		g.full = true
		return rejected
	}
	g.nodes = append(g.nodes, n)
	g.known[n] = len(g.nodes) - 1
	return len(g.nodes) - 1
}

// registers is what is known to be in the registers: fields that were loaded.
type registers struct {
	a     field // A holds it
	x     uint32
	loads uint8 // knowsA, knowsX
}

const (
	knowsA = 1 << iota
	knowsX
)

// meet keeps what is known on both of two ways to a node.
func (r registers) meet(o registers) registers {
	if r.a != o.a {
		r.loads &^= knowsA
	}
	if r.x != o.x {
		r.loads &^= knowsX
	}
	r.loads &= o.loads
	return r
}

// after returns the registers behind a test.
func (r registers) after(f field) registers {
	r.a = f
	r.loads |= knowsA
	if f.source == fromTransport {
		r.x = f.header
		r.loads |= knowsX
	}
	return r
}

// flow finds out what each node that can be reached from start finds in the registers. Every way leads to lower numbers,
// so going down from start sees all ways to a node before the node.
func (g *graph) flow(start int) (in []registers, reached []bool) {
	in, reached = make([]registers, len(g.nodes)), make([]bool, len(g.nodes))
	reached[start] = true
	for i := start; i > accepted; i-- {
		if !reached[i] {
			continue
		}
		n := &g.nodes[i]
		out := in[i].after(n.test.field)
		for _, to := range []int{n.yes, n.no} {
			if reached[to] {
				in[to] = in[to].meet(out)
			} else {
				in[to], reached[to] = out, true
			}
		}
	}
	return in, reached
}

// assembler writes a program from its end to its front: where a jump leads is known when it is written, and how far it is.
type assembler struct {
	code []bpf.Instruction // reversed
	at   []int             // of a node's first instruction in code
}

// assemble turns the graph from start on into a program that returns snap for a frame to keep, else 0.
func (g *graph) assemble(start int, snap uint32) ([]bpf.RawInstruction, error) {
	if g.full {
		return nil, errTooLong
	}
	start = g.simplify(start)
	in, reached := g.flow(start)
	a := &assembler{at: make([]int, len(g.nodes))}
	for end, result := range []uint32{rejected: 0, accepted: snap} {
		if reached[end] {
			a.put(bpf.RetConstant{Val: result})
			a.at[end] = len(a.code) - 1
		}
	}
	for i := accepted + 1; i <= start; i++ {
		if !reached[i] {
			continue
		}
		a.jump(&g.nodes[i])
		a.load(g.nodes[i].test.field, in[i])
		a.at[i] = len(a.code) - 1
		if len(a.code) > MaxProgram {
			return nil, errTooLong
		}
	}
	raw := make([]bpf.RawInstruction, len(a.code))
	for i, instruction := range a.code {
		var err error
		if raw[len(raw)-1-i], err = instruction.Assemble(); err != nil {
			return nil, fmt.Errorf("filter: %w", err)
		}
	}
	return raw, nil
}

func (a *assembler) put(i bpf.Instruction) { a.code = append(a.code, i) }

// skip returns how many instructions lie between the next one written and a node.
func (a *assembler) skip(to int) int { return len(a.code) - 1 - a.at[to] }

// jump writes a node's comparison.
func (a *assembler) jump(n *node) {
	a.near(n.yes, n.no)
	a.near(n.no, n.yes)
	conditions := [...]bpf.JumpTest{
		equal: bpf.JumpEqual, greater: bpf.JumpGreaterThan, atLeast: bpf.JumpGreaterOrEqual, anyBit: bpf.JumpBitsSet,
	}
	a.put(bpf.JumpIf{
		Cond: conditions[n.test.relation], Val: n.test.value,
		SkipTrue: uint8(a.skip(n.yes)), SkipFalse: uint8(a.skip(n.no)),
	})
}

// near makes sure that a conditional jump, whose distance has 8 bits, can reach a node: past that, and past the one
// instruction that the other way may put between, an unconditional jump in reach stands for the node from here on.
func (a *assembler) near(to, other int) {
	reach := 255
	if a.skip(other) >= reach {
		reach--
	}
	if skip := a.skip(to); skip > reach {
		a.put(bpf.Jump{Skip: uint32(skip)})
		a.at[to] = len(a.code) - 1
	}
}

// load writes what brings a field into A, unless it is there.
func (a *assembler) load(f field, in registers) {
	if in.loads&knowsA != 0 && in.a == f {
		return
	}
	if !f.complete() {
		a.put(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: f.mask})
	}
	switch f.source {
	case fromFrame:
		a.put(bpf.LoadAbsolute{Off: f.at, Size: f.size})
	case fromLength:
		a.put(bpf.LoadExtension{Num: bpf.ExtLen})
	case fromTag:
		a.put(bpf.LoadExtension{Num: bpf.ExtVLANTag})
	case fromTagged:
		a.put(bpf.LoadExtension{Num: bpf.ExtVLANTagPresent})
	case fromTransport:
		a.put(bpf.LoadIndirect{Off: f.at, Size: f.size})
		if in.loads&knowsX == 0 || in.x != f.header {
			a.put(bpf.LoadMemShift{Off: f.header})
		}
	}
}

// complete reports whether a load needs no mask.
func (f *field) complete() bool {
	if f.source == fromFrame || f.source == fromTransport {
		return f.mask == fullMask(f.size)
	}
	return f.mask == whole
}
