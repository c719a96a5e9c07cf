package inventory

import (
	"fmt"
	"net/netip"
	"strings"
)

// parseAddr reads an address that a machine can have. The error is a clause about it.
func parseAddr(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, fmt.Errorf("an address is empty")
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("address %s is none%s", quote(text), addrHint(text))
	}
	a = a.Unmap()
	switch {
	case a.Zone() != "":
		return a, fmt.Errorf("address %s has a zone: captures know none", quote(text))
	case a.IsUnspecified():
		return a, fmt.Errorf("address %s means no address", quote(text))
	case a.IsMulticast():
		return a, fmt.Errorf("address %s is a multicast group, not a machine", quote(text))
	case a == limitedBroadcast():
		return a, fmt.Errorf("address %s is the broadcast address, not a machine", quote(text))
	}
	return a, nil
}

// addrHint says what kind of mistake an address most likely is.
func addrHint(text string) string {
	if _, err := netip.ParsePrefix(text); err == nil {
		return ": it is a prefix, which belongs under networks"
	}
	if _, err := netip.ParseAddrPort(text); err == nil {
		return ": an address has no port"
	}
	if strings.Count(text, ".") != 3 || strings.Contains(text, ":") {
		return ": write 10.20.0.11 or 2001:db8::11"
	}
	for part := range strings.SplitSeq(text, ".") {
		if len(part) > 1 && part[0] == '0' {
			return ": write its parts without leading zeros"
		}
	}
	return ": each of its four parts is a number from 0 to 255"
}

// parsePrefix reads the prefix of a network: without host bits, not multicast. The error is a clause about it.
func parsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		if a, err := netip.ParseAddr(text); err == nil {
			return p, fmt.Errorf("prefix %s has no length: did you mean \"%s/%d\"?", quote(text), a, a.BitLen())
		}
		if text == "" {
			return p, fmt.Errorf("has no prefix")
		}
		return p, fmt.Errorf("prefix %s is none: write 10.20.9.0/24", quote(text))
	}
	switch {
	case p.Addr().Is4In6():
		return p, fmt.Errorf("prefix %s is IPv4 written as IPv6: write it as IPv4", quote(text))
	case p != p.Masked():
		return p, fmt.Errorf("prefix %s has host bits: did you mean %q?", quote(text), p.Masked())
	case p.Addr().IsMulticast():
		return p, fmt.Errorf("prefix %s is multicast: a group is no machine", quote(text))
	}
	return p, nil
}
