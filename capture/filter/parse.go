package filter

import (
	"fmt"
	"strconv"
)

// parser reads an expression from left to right, one token ahead.
type parser struct {
	all     []token
	at      int
	depth   int
	tags    int        // VLAN tags passed so far
	inherit *qualifier // of the primitive before; nil where an id cannot do without
}

// maxDepth bounds nested parentheses and nots.
const maxDepth = 500

func (p *parser) peek() token { return p.all[p.at] }

// take returns the next token; the end stays.
func (p *parser) take() token {
	t := p.all[p.at]
	if t.kind != tokenEnd {
		p.at++
	}
	return t
}

// accept takes the next token if it is one of the words.
func (p *parser) accept(words ...string) (word string, ok bool) {
	for _, w := range words {
		if p.peek().is(w) {
			p.at++
			return w, true
		}
	}
	return "", false
}

// fail reports what is wrong with a token.
func fail(t token, hint, format string, args ...any) error {
	return &SyntaxError{Column: t.column, Reason: fmt.Sprintf(format, args...), Hint: hint}
}

// parse reads a whole expression. The empty one keeps everything, and is nil.
func parse(text string) (*expr, error) {
	all, err := tokens(text)
	if err != nil {
		return nil, err
	}
	p := &parser{all: all}
	if p.peek().kind == tokenEnd {
		return nil, nil
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEnd {
		return nil, fail(t, "join primitives with and, or", "%s comes after a complete expression", t)
	}
	return e, nil
}

// deeper counts one level of nesting.
func (p *parser) deeper(t token) error {
	if p.depth++; p.depth > maxDepth {
		return fail(t, "", "more than %d parentheses and nots within each other", maxDepth)
	}
	return nil
}

// expression reads terms joined by and and or, which bind alike.
func (p *parser) expression() (*expr, error) { return p.joined(p.term) }

// joined reads what part reads, once or more.
func (p *parser) joined(part func() (*expr, error)) (*expr, error) {
	left, err := part()
	for err == nil {
		op := opAnd
		switch word, more := p.accept("and", "or"); {
		case !more:
			return left, nil
		case word == "or":
			op = opOr
		}
		var right *expr
		right, err = part()
		left = &expr{op: op, left: left, right: right}
	}
	return nil, err
}

// term reads a primitive, a not, or an expression in parentheses.
func (p *parser) term() (*expr, error) { return p.nested(p.expression, p.term, p.primitive) }

// nested reads parentheses around inner, or not before same, or else plain.
func (p *parser) nested(inner, same, plain func() (*expr, error)) (*expr, error) {
	t := p.peek()
	open, not := t.is("("), t.is("not")
	if !open && !not {
		return plain()
	}
	p.at++
	if err := p.deeper(t); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	if not {
		e, err := same()
		return &expr{op: opNot, left: e}, err
	}
	e, err := inner()
	if err != nil {
		return nil, err
	}
	if _, ok := p.accept(")"); !ok {
		return nil, fail(p.peek(), "", "%s where the parenthesis of column %d should close", p.peek(), t.column)
	}
	return e, nil
}

// primitive reads one test.
func (p *parser) primitive() (*expr, error) {
	t := p.peek()
	switch t.kind {
	case tokenEnd, tokenMark:
		return nil, fail(t, "write a primitive such as tcp port 443", "%s where a primitive should stand", t)
	case tokenNumber, tokenID, tokenEscaped:
		if p.inherit == nil {
			return nil, fail(t, unqualified(t), "%s stands alone", t)
		}
		return p.id(*p.inherit)
	}
	switch t.text {
	case "vlan":
		return p.vlan()
	case "less", "greater":
		return p.length()
	case "src", "dst", "host", "net", "port", "portrange", "proto":
		return p.qualified(qualifier{})
	case "broadcast", "multicast":
		return p.cast(qualifier{})
	}
	return p.protocol()
}

// unqualified says what could stand before an id.
func unqualified(t token) string {
	if t.kind == tokenNumber {
		return "say what it is: port " + t.text
	}
	return "say what it is: host, net, port"
}

// protocol reads a primitive that begins with a protocol's word.
func (p *parser) protocol() (*expr, error) {
	t := p.take()
	short, known := abbreviations[t.text]
	q := qualifier{proto: short.as, word: t.text}
	if t.is("ether") || t.is("link") {
		q.proto, known = protoEther, true
	}
	switch {
	case t.is("and"), t.is("or"), t.is("mask"):
		return nil, fail(t, "", "%s where a primitive should stand", t)
	case !known:
		return nil, fail(t, "", "%s is %s", t, notInSubset)
	}
	switch n := p.peek(); {
	case n.is("broadcast"), n.is("multicast"):
		return p.cast(q)
	case n.is("src"), n.is("dst"), n.is("host"), n.is("net"), n.is("port"), n.is("portrange"), n.is("proto"):
		return p.qualified(q)
	case q.proto == protoEther:
		return nil, fail(n, "write ether host, ether src, ether dst, ether proto", "%s after %s", n, t)
	}
	p.inherit = nil
	q.proto = short.in
	return p.leaf(primitive{qualifier: q, kind: kindProto, number: short.number}), nil
}

// leaf makes an expression of a primitive, which looks behind the tags that were passed.
func (p *parser) leaf(prim primitive) *expr {
	prim.tags = p.tags
	return &expr{primitive: prim}
}

// qualified reads the qualifiers behind a protocol, and the ids.
func (p *parser) qualified(q qualifier) (*expr, error) {
	t := p.peek()
	if word, ok := p.accept("src", "dst"); ok {
		q.dir = p.direction(word)
	}
	switch word, _ := p.accept("host", "net", "port", "portrange", "proto"); word {
	case "host":
		q.typ = typeHost
	case "net":
		q.typ = typeNet
	case "port":
		q.typ = typePort
	case "portrange":
		q.typ = typePortRange
	case "proto":
		q.typ = typeProto
	}
	if err := q.check(t); err != nil {
		return nil, err
	}
	p.inherit = &q
	return p.id(q)
}

// direction reads the rest of "src or dst" and "src and dst".
func (p *parser) direction(word string) direction {
	other := "dst"
	if word == "dst" {
		other = "src"
	}
	if n := p.all[min(p.at+1, len(p.all)-1)]; n.is(other) {
		if joint, ok := p.accept("and", "or"); ok {
			p.at++
			if joint == "and" {
				return dirBoth
			}
			return dirEither
		}
	}
	if word == "src" {
		return dirSrc
	}
	return dirDst
}

// check reports qualifiers that do not go together. t is the first behind the protocol.
func (q *qualifier) check(t token) error {
	ip := q.proto == protoIP || q.proto == protoIP6
	transport := q.proto == protoTCP || q.proto == protoUDP || q.proto == protoSCTP
	switch q.typ {
	case typePort, typePortRange:
		if q.proto != protoAny && !transport {
			return fail(t, "write tcp, udp or sctp before it, or nothing", "%s has no ports", q.word)
		}
	case typeProto:
		if q.dir != dirEither || q.proto != protoAny && q.proto != protoEther && !ip {
			return fail(t, "write ip proto, ip6 proto, ether proto", "%s does not go before proto", q.before())
		}
	default:
		if transport || q.proto == protoOther {
			return fail(t, "write ip, ip6, arp, rarp or ether before it, or nothing", "%s has no addresses", q.word)
		}
		if q.proto == protoEther && q.typ == typeNet {
			return fail(t, "", "a MAC address has no network")
		}
	}
	return nil
}

// before names what should not stand before proto.
func (q *qualifier) before() string {
	if q.dir != dirEither {
		return "a direction"
	}
	return strconv.Quote(q.word)
}

// id reads an id, a list of them in parentheses, or not before an id.
func (p *parser) id(q qualifier) (*expr, error) {
	same := func() (*expr, error) { return p.id(q) }
	list := func() (*expr, error) { return p.joined(same) }
	plain := func() (*expr, error) {
		prim, err := p.operand(q)
		return p.leaf(prim), err
	}
	return p.nested(list, same, plain)
}

// vlan reads a VLAN primitive. All that follows looks behind one more tag.
func (p *parser) vlan() (*expr, error) {
	p.at++
	prim := primitive{kind: kindVLAN}
	if n := p.peek(); n.kind == tokenNumber {
		p.at++
		const maxID = 0xfff
		id, err := number(n, maxID, "a VLAN id")
		if err != nil {
			return nil, err
		}
		prim.number, prim.numbered = id, true
	}
	e := p.leaf(prim)
	p.tags++
	p.inherit = nil
	return e, nil
}

// length reads less or greater.
func (p *parser) length() (*expr, error) {
	prim := primitive{kind: kindLess}
	if p.take().text == "greater" {
		prim.kind = kindGreater
	}
	n, err := number(p.take(), 1<<31-1, "a length")
	prim.number = n
	p.inherit = nil
	return p.leaf(prim), err
}

// cast reads broadcast or multicast.
func (p *parser) cast(q qualifier) (*expr, error) {
	t := p.take()
	p.inherit = nil
	if t.text == "multicast" {
		if q.proto > protoIP6 {
			return nil, fail(t, "write ether, ip or ip6 before it, or nothing", "%s has no multicast", q.word)
		}
		return p.leaf(primitive{qualifier: q, kind: kindMulticast}), nil
	}
	if q.proto == protoIP {
		return nil, fail(t, "name the network's broadcast address: dst host 10.0.0.255", "the network's mask is not known here")
	}
	if q.proto > protoEther {
		return nil, fail(t, "write ether before it, or nothing", "%s has no broadcast", q.word)
	}
	return p.leaf(primitive{qualifier: q, kind: kindBroadcast}), nil
}
