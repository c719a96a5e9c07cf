package filter

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// operand reads one id: what may stand there is the qualifiers' to say. Qualifiers without a type mean host.
func (p *parser) operand(q qualifier) (primitive, error) {
	prim := primitive{qualifier: q}
	t := p.take()
	if t.kind == tokenEnd || t.kind == tokenKeyword || t.kind == tokenMark {
		return prim, fail(t, "", "%s where %s should stand", t, q.wants())
	}
	switch {
	case q.typ == typePort || q.typ == typePortRange:
		return prim.ports(t)
	case q.typ == typeProto:
		return prim.protocolNumber(t)
	case q.proto == protoEther:
		return prim.hardware(t)
	case q.typ == typeNet:
		return p.network(prim, t)
	}
	return p.host(prim, t)
}

// wants names what the qualifiers ask for.
func (q *qualifier) wants() string {
	switch {
	case q.typ == typePort:
		return "a port"
	case q.typ == typePortRange:
		return "a range of ports"
	case q.typ == typeProto:
		return "a protocol's number"
	case q.typ == typeNet:
		return "a network"
	case q.proto == protoEther:
		return "a MAC address"
	}
	return "an address"
}

// notResolved is the hint for a name.
const notResolved = "names are not resolved: write the number"

// number reads a number up to a maximum, in the spelling of C: 0x and 0 in front make it hexadecimal and octal.
func number(t token, most uint32, what string) (uint32, error) {
	if t.kind != tokenNumber {
		return 0, fail(t, "", "%s where %s should stand", t, what)
	}
	n, err := strconv.ParseUint(t.text, 0, 32)
	if err != nil || n > uint64(most) {
		return 0, fail(t, "", "%s is not %s of 0 to %d", t, what, most)
	}
	return uint32(n), nil
}

// ports reads a port or a range, whose ends may be exchanged.
func (p primitive) ports(t token) (primitive, error) {
	p.kind = kindPort
	first, last, ranged := t, t, false
	if lo, hi, ok := strings.Cut(t.text, "-"); ok && p.typ == typePortRange && isNumber(lo) && isNumber(hi) {
		first = token{tokenNumber, lo, t.column}
		last, ranged = token{tokenNumber, hi, t.column + len(lo) + 1}, true
	}
	if first.kind != tokenNumber {
		hint := notResolved
		if p.typ == typePort && strings.Contains(t.text, "-") {
			hint = "a range needs portrange"
		}
		return p, fail(t, hint, "%s where %s should stand", t, p.wants())
	}
	lo, err := number(first, 65535, "a port")
	if err != nil {
		return p, err
	}
	hi := lo
	if ranged {
		if hi, err = number(last, 65535, "a port"); err != nil {
			return p, err
		}
	}
	p.lo, p.hi = uint16(min(lo, hi)), uint16(max(lo, hi))
	return p, nil
}

// protocolNumber reads what stands behind proto: a number, or a protocol's word behind a backslash.
func (p primitive) protocolNumber(t token) (primitive, error) {
	p.kind = kindProto
	short, known := abbreviations[t.text]
	ether := p.proto == protoEther
	switch {
	case t.kind == tokenEscaped && known && ether == (short.in == protoEther):
		p.number = short.number
		return p, nil
	case t.kind != tokenNumber:
		return p, fail(t, "write its number", "%s where a protocol's number should stand", t)
	}
	most := uint32(255)
	if ether {
		most = 0xffff
	}
	n, err := number(t, most, "a protocol's number")
	if err != nil {
		return p, err
	}
	const shortestType = 0x0600 // below are lengths (IEEE 802.3)
	if ether && n < shortestType {
		return p, fail(t, "", "%s is no ethertype, and LLC is %s", t, notInSubset)
	}
	p.number = n
	return p, nil
}

// hardware reads a MAC address.
func (p primitive) hardware(t token) (primitive, error) {
	mac, ok := parseMAC(t.text)
	if !ok {
		return p, fail(t, "write it as 00:50:56:01:02:03", "%s is no MAC address", t)
	}
	p.kind, p.mac = kindMAC, mac
	return p, nil
}

// parseMAC reads six numbers of one or two hexadecimal digits, parted by : or -.
func parseMAC(s string) (mac [6]byte, ok bool) {
	parts := strings.Split(s, ":")
	if len(parts) == 1 {
		parts = strings.Split(s, "-")
	}
	if len(parts) != len(mac) {
		return mac, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 16, 8)
		if err != nil || len(part) > 2 {
			return mac, false
		}
		mac[i] = byte(n)
	}
	return mac, true
}

// host reads a whole address.
func (p *parser) host(prim primitive, t token) (primitive, error) {
	addr, err := prim.address(t)
	if err != nil {
		return prim, err
	}
	prim.kind, prim.addr = kindHost, addr
	prim.mask = ones(addr.BitLen(), addr.BitLen())
	if !p.peek().is("/") {
		return prim, nil
	}
	if bits, err := p.prefixLength(addr); err != nil {
		return prim, err
	} else if bits < addr.BitLen() || addr.Is4() {
		return prim, fail(t, "write net before it", "only a network has a mask")
	}
	return prim, nil
}

// address reads an address of the family that the protocol allows.
func (p *primitive) address(t token) (netip.Addr, error) {
	addr, err := netip.ParseAddr(t.text)
	switch {
	case t.kind != tokenID:
		return addr, fail(t, "write an address such as 10.0.0.1", "%s is no address", t)
	case err != nil:
		return addr, fail(t, hintAddress(t.text), "%s is no address", t)
	case addr.Is6() && (p.proto == protoIP || p.proto == protoARP || p.proto == protoRARP),
		addr.Is4() && p.proto == protoIP6:
		return addr, fail(t, "", "%s before %s, which is of the other family", p.word, t)
	}
	return addr, nil
}

// hintAddress says what could have been meant.
func hintAddress(s string) string {
	if _, ok := parseMAC(s); ok {
		return "write ether before a MAC address"
	}
	if strings.Trim(s, ".0123456789") == "" {
		return "write all four numbers, without zeros in front"
	}
	if strings.Contains(s, ":") {
		return ""
	}
	return notResolved
}

// network reads a network: address/length, address mask address, or 1 to 3 numbers of an IPv4 address.
func (p *parser) network(prim primitive, t token) (primitive, error) {
	prim.kind = kindHost
	short, bits, shortened := shortNetwork(t)
	addr := short
	var err error
	if !shortened {
		if addr, err = prim.address(t); err != nil {
			return prim, err
		}
		bits = addr.BitLen()
	} else if prim.proto == protoIP6 {
		return prim, fail(t, "", "ip6 before %s, which is of the other family", t)
	}
	prim.addr = addr
	switch {
	case p.peek().is("/"):
		if t.kind == tokenNumber {
			return prim, fail(t, "write "+short.String(), "%s is no address", t)
		}
		if bits, err = p.prefixLength(addr); err != nil {
			return prim, err
		}
	case p.peek().is("mask"):
		return p.masked(prim, t)
	}
	prim.mask = ones(bits, addr.BitLen())
	return prim, prim.aligned(t)
}

// shortNetwork reads the first one to three numbers of an IPv4 address: 10.1 is 10.1.0.0/16. libpcap takes a first number
// of 0 for the address 0.0.0.0, which nobody means.
func shortNetwork(t token) (addr netip.Addr, bits int, ok bool) {
	parts := strings.Split(t.text, ".")
	if len(parts) > 3 || strings.Trim(t.text, ".0123456789") != "" || parts[0] == "0" {
		return addr, 0, false
	}
	bits = 8 * len(parts)
	full := slices.Concat(parts, slices.Repeat([]string{"0"}, 4-len(parts)))
	addr, err := netip.ParseAddr(strings.Join(full, "."))
	return addr, bits, err == nil
}

// prefixLength reads / and a number.
func (p *parser) prefixLength(addr netip.Addr) (int, error) {
	p.at++
	n, err := number(p.take(), uint32(addr.BitLen()), "a prefix length")
	return int(n), err
}

// masked reads mask and an IPv4 address, whose ones need not stand together.
func (p *parser) masked(prim primitive, t token) (primitive, error) {
	p.at++
	m := p.take()
	mask, err := netip.ParseAddr(m.text)
	if err != nil || m.kind != tokenID || !mask.Is4() || !prim.addr.Is4() || t.kind == tokenNumber {
		return prim, fail(m, "write net 10.0.0.0 mask 255.0.0.0", "%s is no mask of %s", m, t)
	}
	prim.mask = mask
	return prim, prim.aligned(t)
}

// aligned reports a network with bits outside its mask.
func (p *primitive) aligned(t token) error {
	addr, mask := p.addr.AsSlice(), p.mask.AsSlice()
	for i := range addr {
		if addr[i]&^mask[i] != 0 {
			return fail(t, "write host for one address", "%s has bits outside its mask", t)
		}
	}
	return nil
}

// ones returns a mask of that many ones, for addresses of size bits.
func ones(bits, size int) netip.Addr {
	b := make([]byte, size/8)
	for i := range bits {
		b[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}
