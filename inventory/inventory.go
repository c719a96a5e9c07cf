// Package inventory says who is who: which address belongs to which machine, and which roles it plays.
//
// [Load] reads what a person declared, [Suggest] infers what the flows of a capture show, [Inventory.Place] answers in
// O(1) what is known of an address.
//
// # Format
//
// An inventory is a YAML file of at most 4 MiB, in UTF-8. Every key is known or an error; anchors and aliases are
// refused. Only machines or networks are needed, everything else is optional.
//
//	machines:
//	  - name: vcenter01
//	    products: [vCenter 4.1]        # a product of the catalogue, or an alias of it, and its version
//	    addresses: [10.20.0.5]         # plays the products' roles; its plane is not known
//	  - name: esx01
//	    products: [ESX 4.1]
//	    cluster: prod
//	    site: main
//	    managed-by: vcenter01          # a machine that plays vcenter-server
//	    uses: [nfs, -ha]               # services this machine uses; -service: it takes no part in it
//	    addresses:
//	      - 10.20.0.11
//	      - {address: 10.20.1.11, plane: vmotion}
//	      - {address: 10.20.0.12, roles: [hypervisor-host, dns-server], plane: mgmt}
//	  - name: esx09
//	    products: [ESXi]               # version not known
//	    managed: false                 # a standalone host: no vCenter is expected
//	    addresses: [10.20.0.19]
//	networks:                          # roles of every address of a prefix that no machine has
//	  - {prefix: 10.20.9.0/24, name: admins, roles: [client-pc], plane: mgmt}
//	sites: [main, recovery]            # when present, a machine's site must be one of them
//	uses: [dns, ntp, ha]               # services the whole site uses: their rows become required
//	segments: overlap                  # VLANs use the same addresses: their flows are told apart; else distinct
//	vlans: {110: vmotion, 120: ft}     # VLANs that are there for one purpose
//	ports: {R285: 1902}                # the site's own port of a configurable row
//	capture:                           # what a capture file sees: a glob on its name; prefixes, addresses, machines
//	  - {file: 'mgmt-*.pcap', sees: [10.20.0.0/24, esx01]}
//
// A role is a name of roles.csv or a name the document prints ("ESX/ESXi Host"); the former wins. An address that names
// roles plays those, one that names none plays the roles that its machine's products are. The product then refines the
// role: a hypervisor-host with ESX also plays esx-classic, with ESXi esxi. Planes are mgmt, vmotion, ft, storage and bmc.
//
// The same as CSV (a name that ends in .csv): a header line, then one line per address; lines with one name are one
// machine. Columns in any order, of which name and address are needed; products, roles and uses are separated by
// semicolons; lines that begin with # are comments. A field of the machine stands on any of its lines.
//
//	name,products,address,roles,plane,cluster,managed-by,managed,site,uses
//	vcenter01,vCenter 4.1;Update Manager 4.1,10.20.0.5,,mgmt,,,,main,
//	esx01,ESX 4.1,10.20.0.11,,mgmt,prod,vcenter01,,main,nfs;-ha
//	esx01,,10.20.1.11,,vmotion,,,,,
//
// # Promises
//
// Every mistake is one line of [Problems] with file and line, and the nearest valid name where there is one. What can
// be used but is doubtful is one line of Inventory.Warnings. An Inventory never changes once made.
package inventory

import (
	"net/netip"

	"flowvet/catalog"
)

// Confidence says how a role is known.
type Confidence uint8

// How a role is known, weakest first. A Low role is a hint for a person: nothing is judged by it.
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
	Line  int     // 0 in an inferred inventory
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
	Line      int      // 0 in an inferred inventory
}

// Network gives roles to a prefix. Machine entries win; the longest prefix wins among networks.
type Network struct {
	Prefix netip.Prefix // masked
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
	Sites    []string          // as declared; empty: machines may name any site
	Uses     []string          // services the whole site uses
	VLANs    map[uint16]string // the plane that a VLAN is there for, by its id
	Ports    map[string]uint16 // the site's own port of a configurable row, by row id
	Views    []View
	// Overlapping says that the same addresses may be other hosts in other VLANs.
	Overlapping bool
	SHA256      string   // of the file, hexadecimal; empty: there is none
	Inferred    bool     // made by Suggest, not by a person
	Warnings    []string // one line each, found while loading
	index       index
}

// Placed is what the inventory says of one address.
type Placed struct {
	Addr    netip.Addr
	Machine *Machine // nil: only a network names it, or nothing does
	Network *Network // nil: no network holds it
	Roles   []Grant  // effective: named, or by the products, or by the network; refined by the product (esx-classic, esxi)
	Plane   string   // the address's, else that of the network that holds it
	Line    int      // of the inventory line that placed it
}
