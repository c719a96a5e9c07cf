package filter

// source is where a test's value comes from.
type source uint8

const (
	fromFrame     source = iota // at bytes from the frame's front
	fromTransport               // at bytes behind an IPv4 header that begins at header
	fromLength                  // the frame's length on the wire
	fromTag                     // the VLAN tag that the kernel took out of the frame
	fromTagged                  // whether it took one out: 0 or 1
)

// field is the value that a test looks at.
type field struct {
	source     source
	size       int    // bytes: 1, 2 or 4; valid iff source is fromFrame or fromTransport
	at, header uint32 // as source says
	mask       uint32
}

// relation is how a field's value must stand to a test's.
type relation uint8

const (
	equal relation = iota
	greater
	atLeast
	anyBit // of value
)

// test is one comparison. A frame too short for its field ends the whole filter: it is not kept.
type test struct {
	field    field
	relation relation
	value    uint32
}

// holds compares the field's value.
func (t *test) holds(v uint32) bool {
	switch t.relation {
	case equal:
		return v == t.value
	case greater:
		return v > t.value
	case atLeast:
		return v >= t.value
	}
	return v&t.value != 0
}

// condOp is how a condition is made of others.
type condOp uint8

const (
	condTest condOp = iota
	condAlways
	condNever
	condAnd
	condOr
	condNot // of a
)

// cond is a condition over one frame of a known link type.
type cond struct {
	op   condOp
	a, b *cond
	test test // valid iff op is condTest
}

func always() *cond { return &cond{op: condAlways} }
func never() *cond  { return &cond{op: condNever} }

func check(f field, r relation, value uint32) *cond {
	return &cond{op: condTest, test: test{f, r, value}}
}

// all holds where every condition does; they are looked at in their order.
func all(conds ...*cond) *cond {
	sum := conds[0]
	for _, c := range conds[1:] {
		switch {
		case sum.op == condAlways, c.op == condNever:
			sum = c
		case sum.op != condNever && c.op != condAlways:
			sum = &cond{op: condAnd, a: sum, b: c}
		}
	}
	return sum
}

// some holds where one condition does; they are looked at in their order.
func some(conds ...*cond) *cond {
	sum := conds[0]
	for _, c := range conds[1:] {
		switch {
		case sum.op == condNever, c.op == condAlways:
			sum = c
		case sum.op != condAlways && c.op != condNever:
			sum = &cond{op: condOr, a: sum, b: c}
		}
	}
	return sum
}

func not(c *cond) *cond {
	switch c.op {
	case condAlways:
		return never()
	case condNever:
		return always()
	case condNot:
		return c.a
	}
	return &cond{op: condNot, a: c}
}
