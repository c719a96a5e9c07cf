package filter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// Filter is a filter that was read and not yet compiled for a link type.
type Filter struct {
	text string
	root *expr                // nil keeps everything
	dump []bpf.RawInstruction // of ParseDump; no expression then
}

// Parse reads an expression of the subset. The error is a *SyntaxError.
func Parse(expression string) (*Filter, error) {
	root, err := parse(expression)
	if err != nil {
		return nil, err
	}
	return &Filter{text: expression, root: root}, nil
}

// String returns the filter as it was written, or its number of instructions where it was given as a program.
func (f *Filter) String() string { return f.text }

// Source returns the filter as [Restore] reads it: the expression, or the program as tcpdump -ddd prints it.
func (f *Filter) Source() string {
	if f.dump == nil {
		return f.text
	}
	var out strings.Builder
	fmt.Fprintln(&out, len(f.dump))
	for _, i := range f.dump {
		fmt.Fprintln(&out, i.Op, i.Jt, i.Jf, i.K)
	}
	return out.String()
}

// Restore reads what Source returned: a program where the first line is a number, which is no expression.
func Restore(source string) (*Filter, error) {
	line, _, _ := strings.Cut(source, "\n")
	if _, err := strconv.Atoi(line); err == nil {
		return ParseDump(source)
	}
	return Parse(source)
}

// keepWhole is what programs for files return: libpcap's MAXIMUM_SNAPLEN, more than any frame has.
const keepWhole = 262144

// Compile makes the program for frames as a file holds them, of a link type of [Links]. What a dump holds is for the link
// type that it was made for, which it does not say: it is returned for any.
func (f *Filter) Compile(link uint16) (*Program, error) {
	l, err := newLayout(link)
	if err != nil {
		return nil, err
	}
	if f.dump != nil {
		return &Program{code: f.dump, link: link}, nil
	}
	return f.compile(link, l.whole(f.root), keepWhole)
}

// CompileLive makes the program for a Linux socket, which keeps the first snap bytes of a frame. The kernel takes the
// outermost VLAN tag out of a frame before the filter sees it: "vlan" looks for it there as well, and all else sees such a
// frame as untagged, as tcpdump does live.
//
// A kernel may refuse a program within the limit of instructions for want of memory: with net.core.optmem_max at 131,072
// bytes, Linux 6.18 took one of 2,022 instructions and none of 3,950.
func (f *Filter) CompileLive(link uint16, snap uint32) (*Program, error) {
	l, err := newLayout(link)
	if err != nil {
		return nil, err
	}
	if f.dump != nil {
		return &Program{code: f.dump, link: link, live: true}, nil
	}
	c := l.whole(f.root)
	if link == linkEthernet && f.root.usesTags() {
		without := l
		without.outside = true
		tagged := check(field{source: fromTagged, mask: whole}, equal, 1)
		c = some(all(tagged, without.whole(f.root)), all(not(tagged), c))
	}
	p, err := f.compile(link, c, snap)
	if err != nil {
		return nil, err
	}
	p.live = true
	return p, nil
}

func (f *Filter) compile(link uint16, c *cond, snap uint32) (*Program, error) {
	g := newGraph()
	code, err := g.assemble(g.add(c, accepted, rejected), snap)
	if err != nil {
		return nil, err
	}
	return &Program{code: code, link: link}, nil
}

// whole returns the condition of a whole expression.
func (l layout) whole(e *expr) *cond {
	if e == nil {
		return always()
	}
	return l.cond(e)
}

// usesTags reports whether an expression has a vlan in it.
func (e *expr) usesTags() bool {
	if e == nil {
		return false
	}
	if e.op == opPrimitive {
		return e.primitive.kind == kindVLAN
	}
	return e.left.usesTags() || e.right.usesTags()
}

// Program is a filter compiled for one link type. It does not change: any number of goroutines may run it.
type Program struct {
	code []bpf.RawInstruction
	link uint16
	live bool
}

// Instructions returns the program for a kernel to attach, at most [MaxProgram] instructions.
func (p *Program) Instructions() []bpf.RawInstruction { return slices.Clone(p.code) }
