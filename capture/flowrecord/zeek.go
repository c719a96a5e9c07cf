package flowrecord

import (
	"bytes"
	"encoding/json"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Zeek reads the lines of a conn.log, as tab-separated values with a header or as JSON (docs.zeek.org, log formats). A log may
// change from one to the other, and may have several headers, as one does that was put together.
type Zeek struct {
	columns map[string]int // of the last header; nil: none yet
	unset   string
}

// zeekFields are the columns that are read, by their names.
const (
	zeekTime     = "ts"
	zeekFrom     = "id.orig_h"
	zeekFromPort = "id.orig_p"
	zeekTo       = "id.resp_h"
	zeekToPort   = "id.resp_p"
	zeekProto    = "proto"
	zeekDuration = "duration"
	zeekHistory  = "history"
	zeekSent     = "orig_pkts"
	zeekReceived = "resp_pkts"
	zeekSentIP   = "orig_ip_bytes"
	zeekRecvIP   = "resp_ip_bytes"
	zeekVLAN     = "vlan"
)

// Line reads one line without its end. It reports whether there is a record in it at all: a header and an empty line have none.
func (z *Zeek) Line(line []byte, r *Record) (why Skip, some bool) {
	*r = Record{}
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case len(line) == 0:
		return Kept, false
	case line[0] == '#':
		z.header(string(line))
		return Kept, false
	case line[0] == '{':
		return z.json(line, r), true
	case z.columns == nil:
		return BadLine, true
	}
	cells := strings.Split(string(line), "\t")
	return z.record(func(name string) string {
		i, ok := z.columns[name]
		if !ok || i >= len(cells) || cells[i] == z.unset {
			return ""
		}
		return cells[i]
	}, r), true
}

// header takes a line that says what the lines after it are.
func (z *Zeek) header(line string) {
	name, value, _ := strings.Cut(line, "\t")
	switch name {
	case "#unset_field":
		z.unset = value
	case "#fields":
		z.columns = map[string]int{}
		for i, column := range strings.Split(value, "\t") {
			z.columns[column] = i
		}
	}
}

// json reads a line of the log in JSON.
func (z *Zeek) json(line []byte, r *Record) Skip {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil {
		return BadLine
	}
	return z.record(func(name string) string {
		raw := fields[name]
		if text := ""; len(raw) > 0 && raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
			return text
		}
		return string(raw)
	}, r)
}

// record reads a record whose fields cell returns, empty where one is not there.
func (z *Zeek) record(cell func(name string) string, r *Record) Skip {
	name := cell(zeekProto)
	proto, known := map[string]uint8{"tcp": protoTCP, "udp": protoUDP, "icmp": protoICMP}[name]
	switch {
	case name == "":
		return BadFields
	case !known:
		return IgnoredProtocol
	}
	r.Proto = proto
	if why := byProtocol(proto); why != Kept {
		return why
	}
	first, ok := zeekInstant(cell(zeekTime))
	r.Src, r.Dst = endpoint(cell(zeekFrom), cell(zeekFromPort)), endpoint(cell(zeekTo), cell(zeekToPort))
	if !ok || cell(zeekSent) == "" || cell(zeekReceived) == "" {
		return BadFields
	}
	last := first + zeekInterval(cell(zeekDuration))
	for _, s := range []struct {
		side           *Side
		packets, bytes string
	}{{&r.Sent, zeekSent, zeekSentIP}, {&r.Received, zeekReceived, zeekRecvIP}} {
		packets, good := number(cell(s.packets))
		bytes, goodBytes := number(cell(s.bytes))
		if !good || !goodBytes {
			return BadValue
		}
		*s.side = Side{Packets: packets, Bytes: bytes, First: first, Last: last}
	}
	r.history(cell(zeekHistory))
	vlan, _ := number(cell(zeekVLAN))
	r.VLAN = uint16(vlan & 0xfff)
	return r.check()
}

// history reads what happened, a letter for each kind of packet: upper case the originator's, lower case the responder's. After
// a ^ Zeek had only guessed who was the originator.
func (r *Record) history(letters string) {
	signs := map[rune]Signs{'s': SYN, 'h': SYNACK, 'a': ACK, 'd': Payload, 'f': FIN, 'r': RST}
	for _, letter := range letters {
		side, lower := &r.Received, letter
		if letter >= 'A' && letter <= 'Z' {
			side, lower = &r.Sent, letter+'a'-'A'
		}
		if side.Packets > 0 {
			side.Signs |= signs[lower]
		}
	}
	if !strings.Contains(letters, "^") {
		r.begins()
	}
}

// zeekInstant reads a time: seconds since 1970 with a fraction, or RFC 3339 where a log in JSON is made to have that.
func zeekInstant(text string) (int64, bool) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t.UnixNano(), true
	}
	return decimal(text)
}

// zeekInterval reads a duration in seconds; 0 where there is none, or none that can be.
func zeekInterval(text string) int64 {
	n, ok := decimal(text)
	if !ok || n < 0 {
		return 0
	}
	return n
}

// decimal reads seconds with a fraction as nanoseconds, exactly: a float of today's seconds is right to 200 nanoseconds only.
func decimal(text string) (int64, bool) {
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds < 0 || seconds > math.MaxInt64/4_000_000_000 {
		return 0, false
	}
	fraction = (fraction + "000000000")[:9]
	nanos, err := strconv.ParseUint(fraction, 10, 32)
	return seconds*1e9 + int64(nanos), err == nil
}

// number reads a count; none is 0.
func number(text string) (uint64, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil
}

// endpoint reads an address and a port; what is none is the zero value.
func endpoint(address, port string) netip.AddrPort {
	a, err := netip.ParseAddr(address)
	n, err2 := strconv.ParseUint(port, 10, 16)
	if err != nil || err2 != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(n))
}
