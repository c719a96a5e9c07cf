package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/rules/firewall"
)

// site is what a vCenter told, in flowvet's words.
type site struct {
	about     string // product, version and build of what was asked
	name      string // of the vCenter, or of the host that was asked
	machines  []*inventory.Machine
	firewalls []firewall.Host // by the machines' names
	leftOut   []string        // one line each

	owners  map[netip.Addr]string
	names   map[string]bool
	storage map[netip.Addr]*inventory.Machine
}

// newSite makes an inventory of what was found: the vCenter first, then hosts by cluster and name, then what stores
// their files.
func newSite(f *found) *site {
	s := &site{
		about:  f.about.FullName,
		owners: map[netip.Addr]string{}, names: map[string]bool{}, storage: map[netip.Addr]*inventory.Machine{},
	}
	manager := s.vCenter(f)
	clusters := clustersOf(f)
	protected := protecting(f.machines)
	slices.SortFunc(f.hosts, func(a, b mo.HostSystem) int {
		return cmp.Or(cmp.Compare(clusters.of(&a).name, clusters.of(&b).name), cmp.Compare(a.Name, b.Name))
	})
	var stores []*inventory.Machine
	for i := range f.hosts {
		h := &f.hosts[i]
		m := s.host(h)
		if m == nil {
			continue
		}
		cluster := clusters.of(h)
		m.Cluster, m.ManagedBy = cluster.name, manager
		switch {
		case cluster.ha:
			m.Uses = append(m.Uses, "ha")
		case manager != "":
			m.NotUses = append(m.NotUses, "ha")
		}
		if protected[h.Self] {
			m.Uses = append(m.Uses, "ft")
		}
		stores = append(stores, s.stores(h, m)...)
	}
	s.machines = append(s.machines, stores...)
	return s
}

// cluster is what is known of one.
type cluster struct {
	name string
	ha   bool
}

// clusters are found by what a host's parent is.
type clusters map[types.ManagedObjectReference]cluster

func clustersOf(f *found) clusters {
	all := clusters{}
	for _, c := range f.clusters {
		config, _ := c.ConfigurationEx.(*types.ClusterConfigInfoEx)
		all[c.Self] = cluster{name: clean(c.Name), ha: config != nil && yes(config.DasConfig.Enabled)}
	}
	return all
}

// of returns the cluster of a host; one that stands alone has none.
func (c clusters) of(h *mo.HostSystem) cluster {
	if h.Parent == nil {
		return cluster{}
	}
	return c[*h.Parent]
}

// protecting returns the hosts on which a machine runs that Fault Tolerance protects, or its second.
func protecting(machines []mo.VirtualMachine) map[types.ManagedObjectReference]bool {
	hosts := map[types.ManagedObjectReference]bool{}
	for _, m := range machines {
		if m.Runtime.Host != nil && m.Runtime.FaultToleranceState == types.VirtualMachineFaultToleranceStateRunning {
			hosts[*m.Runtime.Host] = true
		}
	}
	return hosts
}

// vCenter adds the machine that was asked, where it is a vCenter, and returns its name.
func (s *site) vCenter(f *found) string {
	if f.about.ApiType != "VirtualCenter" {
		return ""
	}
	s.name = s.named(cmp.Or(f.settings["VirtualCenter.FQDN"], notAddress(f.settings["VirtualCenter.InstanceName"]), f.address))
	m := &inventory.Machine{Name: s.name, Products: []catalog.Deployed{{Family: "vCenter", Version: version(f.about.Version)}}}
	told := []string{f.settings["VirtualCenter.ManagedIP"]}
	for _, h := range f.hosts {
		told = append(told, h.Summary.ManagementServerIp)
	}
	slices.Sort(told[1:])
	for _, text := range slices.Compact(told) {
		s.address(m, text, "", nil)
	}
	for _, text := range []string{f.address, f.remote} {
		if len(m.Addrs) == 0 {
			s.address(m, text, "", nil)
		}
	}
	if len(m.Addrs) == 0 {
		s.leave("%s: no address of the vCenter itself is known: its hosts are written as managed by nobody", m.Name)
		return ""
	}
	s.machines = append(s.machines, m)
	return m.Name
}

// host adds a host; nil where no address of it is known.
func (s *site) host(h *mo.HostSystem) *inventory.Machine {
	m := &inventory.Machine{Name: s.named(h.Name)}
	if p := h.Summary.Config.Product; p != nil {
		family := "ESX"
		if p.ProductLineId == "embeddedEsx" {
			family = "ESXi"
		}
		m.Products = []catalog.Deployed{{Family: family, Version: version(p.Version)}}
	}
	for _, a := range adapters(h) {
		s.address(m, a.addr, a.plane, nil)
	}
	if h.Config != nil && h.Config.Ipmi != nil {
		s.address(m, strings.TrimRight(h.Config.Ipmi.BmcIpAddress, "\x00"), "bmc", nil)
	}
	if len(m.Addrs) == 0 {
		s.address(m, h.Name, "mgmt", nil)
	}
	if len(m.Addrs) == 0 {
		s.leave("%s (%s): no address of it is known: it is left out", m.Name, h.Runtime.ConnectionState)
		return nil
	}
	if s.name == "" {
		s.name = m.Name
	}
	s.machines = append(s.machines, m)
	s.firewall(h, m)
	return m
}

// firewall adds what a host's firewall lets through.
func (s *site) firewall(h *mo.HostSystem, m *inventory.Machine) {
	if h.Config == nil || h.Config.Firewall == nil {
		return // an ESXi before version 5 has none; of others, flowvet openings says that it is not known
	}
	host := firewallOf(h.Config.Firewall)
	host.Name = m.Name
	for _, a := range m.Addrs {
		host.Addresses = append(host.Addresses, a.Addr)
	}
	s.firewalls = append(s.firewalls, host)
}

// stores returns the machines that a host's files lie on, each once.
func (s *site) stores(h *mo.HostSystem, m *inventory.Machine) []*inventory.Machine {
	var added []*inventory.Machine
	for _, server := range storesOf(h) {
		addr, err := netip.ParseAddr(server.host)
		if err != nil {
			s.leave("%s %s is known by name only: add it to the inventory with its address", server.role, clean(server.host))
			continue
		}
		if !slices.Contains(m.Uses, server.service) {
			m.Uses = append(m.Uses, server.service)
		}
		store, known := s.storage[addr]
		switch {
		case !known:
			store = &inventory.Machine{Name: s.named("storage-" + addr.String())}
			if s.address(store, addr.String(), "", server.grants()) {
				added, s.storage[addr] = append(added, store), store
			}
		case !slices.ContainsFunc(store.Addrs[0].Roles, func(g inventory.Grant) bool { return g.Role == server.role }):
			store.Addrs[0].Roles = append(store.Addrs[0].Roles, server.grants()...)
		}
	}
	return added
}

// address adds an address to a machine, unless it is none that can be told apart on a network: every host has
// 127.0.0.1, and 169.254.95.120 is the same on every host of some makers.
func (s *site) address(m *inventory.Machine, text, plane string, roles []inventory.Grant) bool {
	addr, err := netip.ParseAddr(text)
	addr = addr.Unmap().WithZone("")
	if err != nil || !addr.IsGlobalUnicast() {
		return false
	}
	switch owner := s.owners[addr]; owner {
	case "":
	case m.Name:
		return false
	default:
		s.leave("%s: its address %s is one of %s too, and is left with that", m.Name, addr, owner)
		return false
	}
	s.owners[addr] = m.Name
	m.Addrs = append(m.Addrs, &inventory.Addr{Addr: addr, Plane: plane, Roles: roles})
	return true
}

// leave notes what the inventory lacks.
func (s *site) leave(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); !slices.Contains(s.leftOut, line) {
		s.leftOut = append(s.leftOut, line)
	}
}

// named returns a name that an inventory may hold and nobody has yet.
func (s *site) named(text string) string {
	name := cmp.Or(clean(text), "unnamed")
	for n := 2; s.names[name]; n++ {
		name = fmt.Sprintf("%s (%d)", clean(text), n)
	}
	s.names[name] = true
	return name
}

// maxName is the longest name in bytes: an inventory's are at most 255, and two hosts may be told apart by a number.
const maxName = 240

// clean returns text as a name: printable, without blanks around it, not too long.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > maxName {
		text = strings.ToValidUTF8(text[:maxName], "")
	}
	return strings.TrimSpace(text)
}

// notAddress returns a name, and nothing for an address: a vCenter that was not named calls itself by its address.
func notAddress(text string) string {
	if _, err := netip.ParseAddr(text); err == nil {
		return ""
	}
	return text
}

// version returns the part of a version that the catalogues know: 4.1 of 4.1.0.
func version(text string) string {
	parts := strings.Split(text, ".")
	if slices.ContainsFunc(parts, func(p string) bool { return p == "" || strings.Trim(p, "0123456789") != "" }) {
		return ""
	}
	return strings.Join(parts[:min(2, len(parts))], ".")
}

func yes(b *bool) bool { return b != nil && *b }
