package capture

import "net/netip"

// Device is an interface of this machine.
type Device struct {
	Index     int    // the system's number of it
	Name      string // what LiveOptions.Interface wants
	Text      string // the system's words for it, where its name is not for people; else empty
	State     LinkState
	MTU       int // 0: not known
	Loopback  bool
	Supported bool // frames of its kind can be decoded
	Addresses []netip.Prefix
}
