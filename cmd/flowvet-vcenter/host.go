package main

import (
	"net/netip"
	"slices"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/rules/firewall"
)

// adapter is one address of a host and what its network is for.
type adapter struct {
	addr  string
	plane string // empty: for several things, or for what is not known
}

// planes are what the services of a vmkernel adapter make of its network. Those that are left out (replication,
// provisioning, backup, time) run beside others and have no plane of their own.
func planes(service types.HostVirtualNicManagerNicType) string {
	switch service {
	case types.HostVirtualNicManagerNicTypeManagement:
		return "mgmt"
	case types.HostVirtualNicManagerNicTypeVmotion:
		return "vmotion"
	case types.HostVirtualNicManagerNicTypeFaultToleranceLogging:
		return "ft"
	case types.HostVirtualNicManagerNicTypeVsan, types.HostVirtualNicManagerNicTypeVsanWitness,
		types.HostVirtualNicManagerNicTypeVsanExternal, types.HostVirtualNicManagerNicTypeNvmeTcp,
		types.HostVirtualNicManagerNicTypeNvmeRdma:
		return "storage"
	}
	return ""
}

// adapters lists the addresses of a host's service consoles (ESX) and vmkernel adapters.
func adapters(h *mo.HostSystem) []adapter {
	if h.Config == nil || h.Config.Network == nil {
		return nil
	}
	carries := carried(h.Config.VirtualNicManagerInfo)
	var all []adapter
	for _, nic := range h.Config.Network.ConsoleVnic {
		all = appendAddresses(all, nic.Spec.Ip, "mgmt")
	}
	for _, nic := range h.Config.Network.Vnic {
		for _, a := range appendAddresses(nil, nic.Spec.Ip, carries[nic.Device].plane()) {
			if len(carries[nic.Device]) == 0 && servesStorage(nic.Spec.Ip, h) {
				a.plane = "storage"
			}
			all = append(all, a)
		}
	}
	return all
}

// services is what one adapter carries.
type services []types.HostVirtualNicManagerNicType

// plane returns the one plane of the services, or nothing.
func (s services) plane() string {
	found := ""
	for _, service := range s {
		switch p := planes(service); {
		case p == "" || p == found:
		case found != "":
			return ""
		default:
			found = p
		}
	}
	return found
}

// carried returns what each adapter is selected for, by its device.
func carried(info *types.HostVirtualNicManagerInfo) map[string]services {
	all := map[string]services{}
	if info == nil {
		return all
	}
	for _, net := range info.NetConfig {
		for _, nic := range net.CandidateVnic {
			if slices.Contains(net.SelectedVnic, nic.Key) {
				all[nic.Device] = append(all[nic.Device], types.HostVirtualNicManagerNicType(net.NicType))
			}
		}
	}
	return all
}

// appendAddresses appends the IPv4 and IPv6 addresses of an adapter.
func appendAddresses(all []adapter, ip *types.HostIpConfig, plane string) []adapter {
	if ip == nil {
		return all
	}
	all = append(all, adapter{ip.IpAddress, plane})
	if ip.IpV6Config != nil {
		for _, a := range ip.IpV6Config.IpV6Address {
			all = append(all, adapter{a.IpAddress, plane})
		}
	}
	return all
}

// servesStorage reports whether a server of the host's storage is in the network of an adapter: the host then reaches it
// through no other.
func servesStorage(ip *types.HostIpConfig, h *mo.HostSystem) bool {
	own, ok := network(ip)
	return ok && slices.ContainsFunc(storesOf(h), func(s store) bool {
		addr, err := netip.ParseAddr(s.host)
		return err == nil && own.Contains(addr.Unmap())
	})
}

// network returns the IPv4 network that an adapter stands in.
func network(ip *types.HostIpConfig) (netip.Prefix, bool) {
	if ip == nil {
		return netip.Prefix{}, false
	}
	addr, err := netip.ParseAddr(ip.IpAddress)
	mask, errMask := netip.ParseAddr(ip.SubnetMask)
	if err != nil || errMask != nil || !addr.Is4() || !mask.Is4() {
		return netip.Prefix{}, false
	}
	bits := 0
	for _, b := range mask.As4() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	p, err := addr.Prefix(bits)
	return p, err == nil
}

// store is a server of a host's storage.
type store struct {
	host    string // a name or an address
	role    catalog.Role
	service string
}

func (s store) grants() []inventory.Grant {
	return []inventory.Grant{{Role: s.role, Confidence: inventory.Declared}}
}

// storesOf lists the NFS servers that a host has mounted, and the iSCSI targets it is told to use.
func storesOf(h *mo.HostSystem) []store {
	if h.Config == nil {
		return nil
	}
	var all []store
	if h.Config.FileSystemVolume != nil {
		for _, mount := range h.Config.FileSystemVolume.MountInfo {
			if nas, ok := mount.Volume.(*types.HostNasVolume); ok && nas.Type != "CIFS" {
				all = append(all, store{nas.RemoteHost, "nfs-server", "nfs"})
				for _, name := range nas.RemoteHostNames {
					all = append(all, store{name, "nfs-server", "nfs"})
				}
			}
		}
	}
	if h.Config.StorageDevice != nil {
		for _, adapter := range h.Config.StorageDevice.HostBusAdapter {
			all = append(all, targets(adapter)...)
		}
	}
	return slices.CompactFunc(all, func(a, b store) bool { return a == b })
}

// targets lists what an iSCSI adapter is told to use.
func targets(adapter types.BaseHostHostBusAdapter) []store {
	iscsi, ok := adapter.(*types.HostInternetScsiHba)
	if !ok {
		return nil
	}
	var all []store
	for _, t := range iscsi.ConfiguredSendTarget {
		all = append(all, store{t.Address, "iscsi-target", "iscsi"})
	}
	for _, t := range iscsi.ConfiguredStaticTarget {
		all = append(all, store{t.Address, "iscsi-target", "iscsi"})
	}
	return all
}

// firewallOf says what a host's firewall lets through. A policy that is not told is the product's own: blocked.
func firewallOf(info *types.HostFirewallInfo) firewall.Host {
	host := firewall.Host{
		Incoming: policy(info.DefaultPolicy.IncomingBlocked), Outgoing: policy(info.DefaultPolicy.OutgoingBlocked),
		RuleSets: []firewall.RuleSet{},
	}
	for _, set := range info.Ruleset {
		s := firewall.RuleSet{
			Key: set.Key, Label: set.Label, Enabled: set.Enabled, Allowed: allowed(set.AllowedHosts), Rules: []firewall.Rule{},
		}
		for _, r := range set.Rule {
			s.Rules = append(s.Rules, firewall.Rule{
				Direction: firewall.Direction(r.Direction), Protocol: r.Protocol,
				Port: uint16(r.Port), EndPort: uint16(r.EndPort), PortType: string(r.PortType),
			})
		}
		host.RuleSets = append(host.RuleSets, s)
	}
	return host
}

func policy(blocked *bool) firewall.Policy {
	if blocked == nil || *blocked {
		return firewall.Blocked
	}
	return firewall.Open
}

// allowed returns who may be at the far end. What cannot be read as an address lets nobody in.
func allowed(list *types.HostFirewallRulesetIpList) firewall.Allowed {
	if list == nil || list.AllIp {
		return nil
	}
	networks := firewall.Allowed{}
	for _, text := range list.IpAddress {
		if p, err := firewall.ParseNetwork(text); err == nil {
			networks = append(networks, p)
		}
	}
	for _, n := range list.IpNetwork {
		if addr, err := netip.ParseAddr(n.Network); err == nil {
			if p, err := addr.Unmap().Prefix(int(n.PrefixLength)); err == nil {
				networks = append(networks, p)
			}
		}
	}
	return networks
}
