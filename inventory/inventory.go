// Package inventory says who is who: which address belongs to which machine, and which roles it plays.
package inventory

import (
	"net/netip"

	"flowvet/catalog"
)

// Confidence says how a role is known.
type Confidence uint8

// How a role is known, weakest first.
const (
	Low Confidence = iota
	Medium
	High
	Declared
)

// String returns low, medium, high or declared.
func (c Confidence) String() string { return [...]string{"low", "medium", "high", "declared"}[c] }

// Grant is a role that an address plays.
type Grant struct {
	Role       catalog.Role
	Confidence Confidence
	Evidence   string // in words, for an inferred role; "lab.yaml:12" for a declared one
}

// Addr is one address of a machine.
type Addr struct {
	Addr  netip.Addr
	Roles []Grant // named for this address; empty: the machine's products' roles
	Plane string  // mgmt, vmotion, ft, storage, bmc; empty = untagged
	Line  int
}

// Machine is one host with its addresses.
type Machine struct {
	Name      string
	Products  []catalog.Deployed
	Addrs     []*Addr
	Site      string
	Cluster   string
	ManagedBy string // the name of its vCenter
	Unmanaged bool   // declared managed: false
	Uses      []string
	NotUses   []string // declared as -service
	Line      int
}

// Network gives roles to a prefix. Machine entries win; the longest prefix wins among networks.
type Network struct {
	Prefix netip.Prefix
	Name   string
	Roles  []Grant
	Plane  string
	Line   int
}

// View declares what a capture file sees.
type View struct {
	File  string // a glob on the capture's name or its base name; empty: every capture
	Sees  []netip.Prefix
	Names []string // machines
	Line  int
}

// Inventory is who is who in one network. It never changes once loaded.
type Inventory struct {
	Name     string // the file, or "inferred"
	Machines []*Machine
	Networks []*Network
	Uses     []string          // services the whole site uses
	Ports    map[string]uint16 // the site's own port of a configurable row, by row id
	Views    []View
	Inferred bool     // made by Suggest, not by a person
	Warnings []string // one line each, found while loading
	index    map[netip.Addr]Placed
}

// Placed is what the inventory says of one address.
type Placed struct {
	Addr    netip.Addr
	Machine *Machine // nil: only a network names it, or nothing does
	Network *Network // nil: no network holds it
	Roles   []Grant  // effective: named, or by the products, or by the network; refined by the product (esx-classic, esxi)
	Plane   string
	Line    int // of the inventory line that placed it
}
