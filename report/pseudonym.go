package report

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// pseudonyms hides addresses, names and ids behind others. The same key gives the same ones; without it none can be turned
// back, nor a guess be tried out.
//
// Addresses are mapped bit by bit, as Crypto-PAn does (Fan, Xu, Ammar, Moon: Prefix-preserving IP address anonymization,
// 2004): two addresses share as many leading bits after as before, so networks stay networks. What a bit becomes depends on
// the bits before it and on the key. The ranges of [wellKnown] stay themselves: private stays private, groups stay groups.
type pseudonyms struct {
	block cipher.Block
	mac   []byte // key of the ids and the MAC addresses
	pad   [16]byte
	addrs map[netip.Addr]netip.Addr

	names map[string]string
	first [256][]string // names by their first byte, the longest first
}

// knownRange is a range whose meaning everybody knows. A whole one hides nobody: its addresses stay as they are.
type knownRange struct {
	prefix netip.Prefix
	whole  bool
}

// wellKnown are the ranges of RFC 1918, 3927, 4193 and 4291, and groups. It is never changed.
var wellKnown = []knownRange{
	{netip.MustParsePrefix("0.0.0.0/8"), true},
	{netip.MustParsePrefix("10.0.0.0/8"), false},
	{netip.MustParsePrefix("127.0.0.0/8"), true},
	{netip.MustParsePrefix("169.254.0.0/16"), false},
	{netip.MustParsePrefix("172.16.0.0/12"), false},
	{netip.MustParsePrefix("192.168.0.0/16"), false},
	{netip.MustParsePrefix("224.0.0.0/4"), true},
	{netip.MustParsePrefix("255.255.255.255/32"), true},
	{netip.MustParsePrefix("::/127"), true},
	{netip.MustParsePrefix("fc00::/7"), false},
	{netip.MustParsePrefix("fe80::/10"), false},
	{netip.MustParsePrefix("ff00::/8"), true},
}

func newPseudonyms(key []byte) *pseudonyms {
	derive := func(use string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte("flowvet " + use))
		return h.Sum(nil)
	}
	p := &pseudonyms{mac: derive("ids"), addrs: map[netip.Addr]netip.Addr{}, names: map[string]string{}}
	p.block, _ = aes.NewCipher(derive("addresses")) // 32 bytes are a key of AES-256: no error
	copy(p.pad[:], derive("pad"))
	return p
}

// addr maps an address.
func (p *pseudonyms) addr(a netip.Addr) netip.Addr {
	if !a.IsValid() {
		return a
	}
	if mapped, known := p.addrs[a]; known {
		return mapped
	}
	mapped := p.flip(a.WithZone(""))
	p.addrs[a] = mapped
	return mapped
}

// flip goes down the tree of prefixes. At each bit it exchanges the two halves below or leaves them, except on the way to a
// well-known range and inside a whole one; so the mapping is one to one.
func (p *pseudonyms) flip(a netip.Addr) netip.Addr {
	from := a.AsSlice()
	to := slices.Clone(from)
	for bit := range a.BitLen() {
		here := netip.PrefixFrom(a, bit).Masked()
		if fixed(here) {
			continue
		}
		to[bit/8] ^= p.coin(from, bit) << (7 - bit%8)
	}
	mapped, _ := netip.AddrFromSlice(to)
	return mapped
}

// fixed reports whether the two halves below a prefix must stay in place.
func fixed(here netip.Prefix) bool {
	return slices.ContainsFunc(wellKnown, func(w knownRange) bool {
		return w.prefix.Overlaps(here) && (w.whole && here.Bits() >= w.prefix.Bits() || here.Bits() < w.prefix.Bits())
	})
}

// coin is the pseudo-random bit of the first n bits of an address.
func (p *pseudonyms) coin(addr []byte, n int) byte {
	in := p.pad
	for i := range n {
		mask := byte(1) << (7 - i%8)
		in[i/8] = in[i/8]&^mask | addr[i/8]&mask
	}
	in[15] ^= byte(n) // two prefixes that differ only in their length are two
	in[14] ^= byte(len(addr))
	var out [16]byte
	p.block.Encrypt(out[:], in[:])
	return out[0] >> 7
}

// prefix maps a prefix: its addresses lie in the mapped one.
func (p *pseudonyms) prefix(x netip.Prefix) netip.Prefix {
	if !x.IsValid() {
		return x
	}
	return netip.PrefixFrom(p.addr(x.Masked().Addr()), x.Bits()).Masked()
}

// digest is a keyed hash of a text.
func (p *pseudonyms) digest(use, text string) []byte {
	h := hmac.New(sha256.New, p.mac)
	h.Write([]byte(use + "\x00" + text))
	return h.Sum(nil)
}

// hardware keeps the vendor of a MAC address and hides the rest; groups stay themselves.
func (p *pseudonyms) hardware(mac [6]byte) [6]byte {
	if mac[0]&1 == 1 || mac == ([6]byte{}) {
		return mac
	}
	copy(mac[3:], p.digest("mac", string(mac[:])))
	return mac
}

// name gives a name a pseudonym, unless it has one. Nothing is known of an empty name.
func (p *pseudonyms) name(name, pseudonym string) {
	if name == "" || p.names[name] != "" {
		return
	}
	p.names[name] = pseudonym
	same := append(p.first[name[0]], name)
	slices.SortFunc(same, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	p.first[name[0]] = same
}

// The patterns of what is hidden are compiled when they are first asked for: a report that hides nothing does not wait for them.
var (
	hardwarePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b`) })
	addressPattern  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[0-9A-Fa-f:.]*[0-9A-Fa-f:](/\d{1,3})?`) })
	dottedPattern   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\d{1,3}(\.\d{1,3}){3}`) }) // within something else: "node10.0.0.5"
	idPattern       = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b[FE][0-9a-f]{12}\b`) })
)

// text hides every name, address and id that a text holds.
func (p *pseudonyms) text(s string) string {
	if s == "" {
		return s
	}
	if known, ok := p.names[s]; ok {
		return known
	}
	var b strings.Builder
	rest := 0 // what is behind the last name
	for i := 0; i < len(s); i++ {
		if i > 0 && wordByte(s[i-1]) && wordByte(s[i]) {
			continue
		}
		if name := p.nameAt(s[i:]); name != "" {
			b.WriteString(p.numbers(s[rest:i]))
			b.WriteString(p.names[name])
			i += len(name)
			rest = i
			i--
		}
	}
	b.WriteString(p.numbers(s[rest:]))
	return b.String()
}

// nameAt returns the longest known name that a text begins with, as a word of its own.
func (p *pseudonyms) nameAt(s string) string {
	for _, name := range p.first[s[0]] {
		if strings.HasPrefix(s, name) && (len(s) == len(name) || !wordByte(s[len(name)]) || !wordByte(name[len(name)-1])) {
			return name
		}
	}
	return ""
}

// wordByte reports whether a byte belongs to a name rather than stands beside it.
func wordByte(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// numbers hides the addresses and ids of a text without names.
func (p *pseudonyms) numbers(s string) string {
	s = idPattern().ReplaceAllStringFunc(s, p.id)
	s = hardwarePattern().ReplaceAllStringFunc(s, func(text string) string {
		var mac [6]byte
		raw, _ := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(text))
		copy(mac[:], raw)
		mac = p.hardware(mac)
		return hardwareText(mac)
	})
	return addressPattern().ReplaceAllStringFunc(s, p.address)
}

// hardwareText prints a MAC address.
func hardwareText(mac [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5])
}

// address maps what looks like an address or a prefix, with what may stand around it in a sentence.
func (p *pseudonyms) address(text string) string {
	if x, err := netip.ParsePrefix(text); err == nil {
		return p.prefix(x).String()
	}
	text, bits, _ := strings.Cut(text, "/")
	if bits != "" {
		bits = "/" + bits
	}
	bare := strings.TrimRight(text, ".:")
	for _, candidate := range []string{text, bare} {
		if a, err := netip.ParseAddr(candidate); err == nil {
			return p.addr(a.Unmap()).String() + text[len(candidate):] + bits
		}
	}
	if host, port, ok := cutLast(bare, ':'); ok {
		if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
			return p.addr(a).String() + ":" + port + text[len(bare):] + bits
		}
	}
	return dottedPattern().ReplaceAllStringFunc(text, func(dotted string) string {
		if a, err := netip.ParseAddr(dotted); err == nil {
			return p.addr(a).String()
		}
		return dotted
	}) + bits
}

// cutLast cuts at the last sep.
func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

// id hides the id of a finding or expectation: a plain hash of two addresses can be found by trying them all.
func (p *pseudonyms) id(id string) string {
	return id[:1] + hex.EncodeToString(p.digest("id", id)[:6])
}
