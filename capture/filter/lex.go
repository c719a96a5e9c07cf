package filter

import (
	"fmt"
	"strings"
)

// SyntaxError is an expression that cannot be compiled, and where.
type SyntaxError struct {
	Column int    // of the first byte that is wrong, from 1
	Reason string // holds text of the expression, quoted
	Hint   string // what to write instead; may be empty
}

// Error implements error.
func (e *SyntaxError) Error() string {
	text := fmt.Sprintf("filter: column %d: %s", e.Column, e.Reason)
	if e.Hint != "" {
		text += ": " + e.Hint
	}
	return text
}

// MaxExpression is the longest expression in bytes. The longest in the pcap-filter manual page has 66.
const MaxExpression = 64 << 10

// tokenKind is what a token can stand for.
type tokenKind uint8

const (
	tokenEnd     tokenKind = iota
	tokenKeyword           // a word of the language
	tokenNumber            // decimal, 0x hexadecimal or 0 octal
	tokenID                // an address, a range, a name
	tokenEscaped           // a name behind a backslash
	tokenMark              // ( ) /
)

// token is one word or mark. && and || are the words and, or; ! is not.
type token struct {
	kind   tokenKind
	text   string
	column int
}

// is reports whether the token is that word or mark.
func (t token) is(text string) bool {
	return (t.kind == tokenKeyword || t.kind == tokenMark) && t.text == text
}

// String quotes the token for a message.
func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end"
	}
	const enough = 40
	if len(t.text) > enough {
		return fmt.Sprintf("%q…", t.text[:enough])
	}
	return fmt.Sprintf("%q", t.text)
}

// tokens splits an expression. The last token is tokenEnd.
func tokens(s string) ([]token, error) {
	if len(s) > MaxExpression {
		return nil, &SyntaxError{
			Column: MaxExpression + 1, Reason: fmt.Sprintf("the expression has %d bytes; at most %d are read", len(s), MaxExpression),
		}
	}
	var all []token
	for i := 0; i < len(s); {
		t, size, err := next(s[i:], i+1)
		if err != nil {
			return nil, err
		}
		if size > 0 && t.kind != tokenEnd {
			all = append(all, t)
		}
		i += size
	}
	return append(all, token{kind: tokenEnd, column: len(s) + 1}), nil
}

// next reads one token, or a space as a tokenEnd, from the front of s.
func next(s string, column int) (t token, size int, err error) {
	t.column = column
	switch {
	case strings.IndexByte(" \t\r\n", s[0]) >= 0:
		return t, 1, nil
	case strings.HasPrefix(s, "&&"):
		return token{tokenKeyword, "and", column}, 2, nil
	case strings.HasPrefix(s, "||"):
		return token{tokenKeyword, "or", column}, 2, nil
	case s[0] == '!' && !strings.HasPrefix(s, "!="):
		return token{tokenKeyword, "not", column}, 1, nil
	case strings.IndexByte("()/", s[0]) >= 0:
		return token{tokenMark, s[:1], column}, 1, nil
	case s[0] == '\\':
		n := wordLength(s[1:])
		if n > 0 {
			return token{tokenEscaped, s[1 : 1+n], column}, 1 + n, nil
		}
	}
	n := wordLength(s)
	if n == 0 {
		return t, 0, &SyntaxError{Column: column, Reason: fmt.Sprintf("%q has no meaning here", firstRune(s)), Hint: hintMark(s[0])}
	}
	t.text = s[:n]
	switch {
	case keywords[t.text]:
		t.kind = tokenKeyword
	case isNumber(t.text):
		t.kind = tokenNumber
	default:
		t.kind = tokenID
	}
	return t, n, nil
}

// wordLength returns the length of the word at the front of s.
func wordLength(s string) int {
	n := 0
	for n < len(s) && (isAlnum(s[n]) || strings.IndexByte("_.:-", s[n]) >= 0) {
		n++
	}
	return n
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// isNumber reports whether a word is digits, or hexadecimal digits behind 0x.
func isNumber(s string) bool {
	digits := "0123456789"
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		s, digits = hex, "0123456789abcdefABCDEF"
	}
	return s != "" && strings.Trim(s, digits) == ""
}

func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}

// hintMark says what to do without arithmetic, which the subset does not have.
func hintMark(c byte) string {
	if strings.IndexByte("[]<>=!&|+-*%^", c) >= 0 {
		return "packet bytes and arithmetic are " + notInSubset
	}
	return ""
}

// notInSubset ends the messages about what pcap-filter knows and this package does not.
const notInSubset = "not in the subset known here; compile it with tcpdump -ddd and give the file with -F"

// keywords are the words that mean something, here or to libpcap: they are no names.
var keywords = map[string]bool{
	"and": true, "or": true, "not": true,
	"src": true, "dst": true, "host": true, "net": true, "mask": true, "port": true, "portrange": true, "proto": true,
	"ether": true, "link": true, "ip": true, "ip6": true, "arp": true, "rarp": true, "tcp": true, "udp": true, "sctp": true,
	"icmp": true, "icmp6": true, "igmp": true, "pim": true, "vrrp": true, "ah": true, "esp": true,
	"vlan": true, "broadcast": true, "multicast": true, "less": true, "greater": true,

	"gateway": true, "protochain": true, "inbound": true, "outbound": true, "len": true, "mpls": true, "pppoed": true,
	"pppoes": true, "geneve": true, "vxlan": true, "fddi": true, "tr": true, "wlan": true, "ppp": true, "slip": true, "type": true,
	"subtype": true, "dir": true, "lane": true, "llc": true, "atalk": true, "aarp": true, "decnet": true, "lat": true, "sca": true,
	"moprc": true, "mopdl": true, "iso": true, "esis": true, "isis": true, "clnp": true, "stp": true, "ipx": true,
	"netbeui": true, "igrp": true, "carp": true, "radio": true, "addr1": true, "addr2": true, "addr3": true, "addr4": true,
	"ra": true, "ta": true, "ifname": true, "on": true, "ifindex": true, "rnr": true, "rulenum": true, "reason": true, "rset": true,
	"ruleset": true, "srnr": true, "subrulenum": true, "action": true, "vpi": true, "vci": true, "byte": true,
}
