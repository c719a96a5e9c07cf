package capturetest

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/google/gopacket/layers"
)

// maxEvents and maxBytes bound a story: a slip of the pen in a series is an error, not a full memory.
const (
	maxEvents = 100_000
	maxBytes  = 64 << 20
)

// firstEphemeral is where the ports of * begin (IANA's dynamic ports, RFC 6335).
const firstEphemeral = 49152

// event is one packet to come, before it has sequence numbers and a place in its file.
type event struct {
	at     time.Duration
	line   int
	opt    options
	encode func(*wire) (message, error)
}

func byTime(a, b event) int { return cmp.Compare(a.at, b.at) }

// parser turns lines into events.
type parser struct {
	name   string
	line   int
	start  time.Time
	file   fileFormat
	hosts  map[string]host
	order  []host             // as declared
	ports  map[netip.Addr]int // ephemeral ports drawn
	pings  uint16
	events []event
	end    time.Duration
	ending int // the line of end, 0 for none
}

func newParser(name string) *parser {
	return &parser{
		name:  name,
		start: time.Date(2015, 10, 21, 10, 0, 0, 0, time.UTC),
		file:  fileFormat{link: linkEthernet},
		hosts: map[string]host{},
		ports: map[netip.Addr]int{},
	}
}

func (p *parser) parse(text string) error {
	for line := range strings.Lines(text) {
		p.line++
		w, err := words(strings.TrimRight(line, "\n"))
		if err == nil && len(w) > 0 {
			err = p.statement(w)
		}
		if err != nil {
			return &lineError{p.name, p.line, err}
		}
	}
	if p.ending == 0 {
		return nil
	}
	if err := p.lastFrame(); err != nil {
		return &lineError{p.name, p.ending, err}
	}
	return nil
}

func (p *parser) statement(w []string) error {
	switch w[0] {
	case "start":
		return p.startLine(w[1:])
	case "host":
		return p.hostLine(w[1:])
	case "file":
		return p.file.set(w[1:])
	case "end":
		return p.endLine(w[1:])
	}
	if w[0] == "" || w[0][0] < '0' || w[0][0] > '9' {
		return fmt.Errorf("%q: want start, host, file, end or a time", w[0])
	}
	at, err := times(w[0])
	if err != nil {
		return err
	}
	rest, o, err := splitOptions(w[1:])
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return errors.New("a time and nothing that happens")
	}
	for _, t := range at {
		if err := p.frameLine(t, rest, o); err != nil {
			return err
		}
		if len(p.events) > maxEvents {
			return fmt.Errorf("a story holds at most %d packets", maxEvents)
		}
	}
	return nil
}

func (p *parser) startLine(w []string) (err error) {
	if len(w) != 1 {
		return errors.New("want start TIME")
	}
	if p.start, err = time.Parse(time.RFC3339Nano, w[0]); err != nil {
		return fmt.Errorf("%q: want a time such as 2015-10-21T10:00:00Z", w[0])
	}
	p.start = p.start.UTC()
	return nil
}

func (p *parser) hostLine(w []string) error {
	if len(w) != 2 && len(w) != 3 {
		return errors.New("want host NAME ADDRESS [mac=MAC]")
	}
	if _, twice := p.hosts[w[0]]; twice || w[0] == ">" {
		return fmt.Errorf("host %s: the name is taken", w[0])
	}
	addr, err := netip.ParseAddr(w[1])
	if err != nil || addr.Zone() != "" {
		return fmt.Errorf("host %s: %q is no address", w[0], w[1])
	}
	h := host{addr.Unmap(), macOf(addr.Unmap())}
	if len(w) == 3 {
		text, ok := strings.CutPrefix(w[2], "mac=")
		mac, err := net.ParseMAC(text)
		if !ok || err != nil || len(mac) != 6 {
			return fmt.Errorf("host %s: %q: want mac=00:50:56:00:00:11", w[0], w[2])
		}
		h.mac = mac
	}
	p.hosts[w[0]] = h
	p.order = append(p.order, h)
	return nil
}

func (p *parser) endLine(w []string) (err error) {
	if len(w) != 1 {
		return errors.New("want end SECONDS")
	}
	p.ending = p.line
	p.end, err = seconds(w[0])
	return err
}

// lastFrame adds the frame of the end line.
func (p *parser) lastFrame() error {
	if len(p.order) < 2 {
		return errors.New("end: takes two hosts, of which the first asks for the second")
	}
	a, b := p.order[0].addr, p.order[1].addr
	if err := sameVersion(a, b); err != nil {
		return fmt.Errorf("end: %w", err)
	}
	_, o, _ := splitOptions(nil)
	p.line = p.ending
	if a.Is4() && p.file.link.hasARP() {
		p.arp(p.end, layers.ARPRequest, a, b, o)
	} else {
		p.echo(p.end, a, b, true, o)
	}
	return nil
}

func (p *parser) add(at time.Duration, o options, encode func(*wire) (message, error)) {
	p.events = append(p.events, event{at, p.line, o, encode})
}

func (p *parser) frameLine(at time.Duration, w []string, o options) error {
	switch w[0] {
	case "arp":
		return p.arpLine(at, w[1:], o)
	case "garp", "rarp":
		return p.announceLine(at, w, o)
	case "ping":
		return p.pingLine(at, w[1:], o)
	case "icmp":
		return p.icmpLine(at, w[1:], o)
	case "ip":
		return p.ipLine(at, w[1:], o)
	case "ether":
		return p.etherLine(at, w[1:], o)
	}
	f, err := p.flow(w)
	if err != nil {
		return err
	}
	if (o.seq != nil || o.ack != nil) && !(f.proto == "tcp" && len(w) > 3 && isFlags(w[3])) {
		return errors.New("seq= and ack= go with a single TCP segment")
	}
	c := p.draw(f)
	if f.proto == "udp" {
		return p.udpLine(at, c, w[3:], o)
	}
	return p.tcpLine(at, c, w[3:], o)
}

// draw gives the flow its ephemeral port where it asks for one.
func (p *parser) draw(f flow) conn {
	port := f.from.port
	if port == ephemeral {
		n := p.ports[f.from.addr]
		p.ports[f.from.addr] = n + 1
		port = firstEphemeral + n%(1<<16-firstEphemeral)
	}
	return conn{
		netip.AddrPortFrom(f.from.addr, uint16(port)),
		netip.AddrPortFrom(f.to.addr, uint16(f.to.port)),
	}
}

func (p *parser) udpLine(at time.Duration, c conn, w []string, o options) error {
	if len(w) != 1 && (len(w) != 3 || w[1] != "answer") {
		return errors.New("want A:PORT > B:PORT/udp BYTES [answer BYTES]")
	}
	size, err := number(w[0], 0, maxPayload)
	if err != nil {
		return err
	}
	p.add(at, o, func(w *wire) (message, error) { return w.datagram(c, size) })
	if len(w) == 1 {
		return nil
	}
	answer, err := number(w[2], 0, maxPayload)
	if err != nil {
		return err
	}
	p.add(at+2*o.pace, o, func(w *wire) (message, error) { return w.datagram(c.turned(), answer) })
	return nil
}

func (p *parser) ipLine(at time.Duration, w []string, o options) error {
	if len(w) != 5 {
		return errors.New("want ip A > B PROTOCOL BYTES")
	}
	a, b, err := p.pair(w)
	if err != nil {
		return err
	}
	proto, err := number(w[3], 0, 255)
	if err != nil {
		return err
	}
	size, err := number(w[4], 0, maxPayload)
	if err != nil {
		return err
	}
	p.add(at, o, func(*wire) (message, error) {
		return message{src: a, dst: b, proto: layers.IPProtocol(proto), body: make([]byte, size)}, nil
	})
	return nil
}

func (p *parser) etherLine(at time.Duration, w []string, o options) error {
	if len(w) != 3 {
		return errors.New("want ether A TYPE BYTES")
	}
	a, err := p.addr(w[0])
	if err != nil {
		return err
	}
	kind, err := number(w[1], 0x600, 0xffff)
	if err != nil {
		return err
	}
	size, err := number(w[2], 0, 1500)
	if err != nil {
		return err
	}
	p.add(at, o, func(w *wire) (message, error) {
		return w.nonIP(layers.EthernetType(kind), w.mac(a), broadcast(), make([]byte, size))
	})
	return nil
}
