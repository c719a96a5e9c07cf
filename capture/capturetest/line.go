package capturetest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// lineError is a mistake in a story.
type lineError struct {
	name string
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("%s:%d: %v", e.name, e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

// words splits a line at blanks. Double quotes keep blanks and # in a word; # elsewhere begins a comment.
func words(line string) ([]string, error) {
	var all []string
	var word strings.Builder
	open, quoted := false, false
	flush := func() {
		if open {
			all = append(all, word.String())
		}
		word.Reset()
		open = false
	}
	for _, r := range line {
		switch {
		case r == '"':
			quoted, open = !quoted, true
		case quoted:
			word.WriteRune(r)
		case r == '#':
			flush()
			return all, nil
		case r == ' ' || r == '\t' || r == '\r':
			flush()
		default:
			open = true
			word.WriteRune(r)
		}
	}
	if quoted {
		return nil, errors.New("a double quote is not closed")
	}
	flush()
	return all, nil
}

// options are the words that may follow any frame line.
type options struct {
	vlans    []uint16
	ttl      uint8
	snap     int // 0: whole frames
	pace     time.Duration
	mtu      int
	frag     string // "", "first", "later"
	cast     bool
	dup      bool
	routed   bool // the copy is one hop on
	seq, ack *uint32
}

// splitOptions takes the options out of a line's words.
func splitOptions(words []string) (rest []string, o options, err error) {
	o = options{ttl: 64, pace: time.Millisecond, mtu: 1500}
	for _, word := range words {
		key, value, keyed := strings.Cut(word, "=")
		switch {
		case keyed:
			err = o.set(key, value)
		case word == "cast":
			o.cast = true
		case word == "dup":
			o.dup = true
		default:
			rest = append(rest, word)
		}
		if err != nil {
			return nil, o, fmt.Errorf("%s: %w", word, err)
		}
	}
	return rest, o, nil
}

func (o *options) set(key, value string) (err error) {
	switch key {
	case "vlan":
		for id := range strings.SplitSeq(value, ",") {
			n, err := number(id, 0, 4095)
			if err != nil {
				return err
			}
			o.vlans = append(o.vlans, uint16(n))
		}
	case "ttl":
		var n int
		n, err = number(value, 1, 255)
		o.ttl = uint8(n)
	case "snap":
		o.snap, err = number(value, 1, 65535)
	case "mtu":
		o.mtu, err = number(value, 1280, 65535)
	case "pace":
		o.pace, err = seconds(value)
	case "frag":
		if value != "first" && value != "later" {
			return errors.New("want frag=first or frag=later")
		}
		o.frag = value
	case "dup":
		if value != "routed" {
			return errors.New("want dup or dup=routed")
		}
		o.dup, o.routed = true, true
	case "seq":
		o.seq, err = sequence(value)
	case "ack":
		o.ack, err = sequence(value)
	default:
		return errors.New("unknown option: want vlan, ttl, snap, pace, mtu, frag, dup, seq or ack")
	}
	return err
}

func sequence(s string) (*uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return nil, errors.New("want a number of 32 bits")
	}
	seq := uint32(n)
	return &seq, nil
}

// number reads a decimal or 0x number between lo and hi.
func number(s string, lo, hi int) (int, error) {
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil || n < int64(lo) || n > int64(hi) {
		return 0, fmt.Errorf("%q: want a number from %d to %d", s, lo, hi)
	}
	return int(n), nil
}

// seconds reads a time of a story.
func seconds(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s + "s")
	if err != nil || d < 0 || strings.ContainsAny(s, "smhnuµμ+") {
		return 0, fmt.Errorf("%q: want seconds, such as 0 or 2.5", s)
	}
	return d, nil
}

// interval reads "0..60".
func interval(s string) (from, to time.Duration, err error) {
	first, last, ok := strings.Cut(s, "..")
	if !ok {
		return 0, 0, fmt.Errorf("%q: want FROM..TO in seconds", s)
	}
	if from, err = seconds(first); err != nil {
		return 0, 0, err
	}
	if to, err = seconds(last); err != nil {
		return 0, 0, err
	}
	if to < from {
		return 0, 0, fmt.Errorf("%q: ends before it begins", s)
	}
	return from, to, nil
}

// times reads "2.5" or "0..60/10".
func times(s string) ([]time.Duration, error) {
	span, step, series := strings.Cut(s, "/")
	if !series {
		if strings.Contains(s, "..") {
			return nil, fmt.Errorf("%q: a series takes a step, such as 0..60/10", s)
		}
		at, err := seconds(s)
		return []time.Duration{at}, err
	}
	from, to, err := interval(span)
	if err != nil {
		return nil, err
	}
	every, err := seconds(step)
	if err != nil {
		return nil, err
	}
	if every <= 0 || (to-from)/every >= maxEvents {
		return nil, fmt.Errorf("%q: a series repeats at most %d times", s, maxEvents)
	}
	var all []time.Duration
	for at := from; at <= to; at += every {
		all = append(all, at)
	}
	return all, nil
}

// ephemeral stands for the port * until a repetition draws one. Port 0 itself may be written.
const ephemeral = -1

// endpoint is a host and a port as a line names them.
type endpoint struct {
	addr netip.Addr
	port int // or ephemeral
}

func (p *parser) endpoint(word string) (endpoint, error) {
	i := strings.LastIndexByte(word, ':')
	if i < 0 {
		return endpoint{}, fmt.Errorf("%q: want HOST:PORT", word)
	}
	addr, err := p.addr(word[:i])
	if err != nil {
		return endpoint{}, err
	}
	if word[i+1:] == "*" {
		return endpoint{addr, ephemeral}, nil
	}
	port, err := number(word[i+1:], 0, 65535)
	return endpoint{addr, port}, err
}

// addr reads the name of a host, or an address as it stands.
func (p *parser) addr(word string) (netip.Addr, error) {
	if h, ok := p.hosts[word]; ok {
		return h.addr, nil
	}
	a, err := netip.ParseAddr(strings.Trim(word, "[]"))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%q: no host of that name was declared, and it is no address", word)
	}
	return a.Unmap(), nil
}

// pair reads "A > B" and checks that both are of one IP version.
func (p *parser) pair(w []string) (a, b netip.Addr, err error) {
	if len(w) < 3 || w[1] != ">" {
		return a, b, errors.New("want A > B")
	}
	if a, err = p.addr(w[0]); err != nil {
		return a, b, err
	}
	if b, err = p.addr(w[2]); err != nil {
		return a, b, err
	}
	return a, b, sameVersion(a, b)
}

func sameVersion(a, b netip.Addr) error {
	if a.Is4() != b.Is4() {
		return fmt.Errorf("%v and %v: one is IPv4, the other IPv6", a, b)
	}
	return nil
}

// flow is the head of a TCP or UDP line: "A:1 > B:2/tcp".
type flow struct {
	from, to endpoint
	proto    string // tcp or udp
}

func (p *parser) flow(w []string) (f flow, err error) {
	if len(w) < 3 || w[1] != ">" {
		return f, errors.New("want A:PORT > B:PORT/tcp or /udp")
	}
	if f.from, err = p.endpoint(w[0]); err != nil {
		return f, err
	}
	target, proto, _ := strings.Cut(w[2], "/")
	if proto != "tcp" && proto != "udp" {
		return f, fmt.Errorf("%q: want HOST:PORT/tcp or /udp", w[2])
	}
	f.proto = proto
	if f.to, err = p.endpoint(target); err != nil {
		return f, err
	}
	if f.to.port == ephemeral {
		return f, fmt.Errorf("%q: only the sender's port may be *", w[2])
	}
	return f, sameVersion(f.from.addr, f.to.addr)
}

// host is a declared host.
type host struct {
	addr netip.Addr
	mac  net.HardwareAddr
}
