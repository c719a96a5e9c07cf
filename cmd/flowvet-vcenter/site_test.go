package main

import (
	"strings"
	"testing"

	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"

	"flowvet/inventory"
)

// hostWith is a host with one vmkernel adapter that carries services.
func hostWith(addr string, services ...string) mo.HostSystem {
	nic := types.HostVirtualNic{Device: "vmk0", Spec: types.HostVirtualNicSpec{
		Ip: &types.HostIpConfig{IpAddress: addr, SubnetMask: "255.255.255.0"},
	}}
	info := &types.HostVirtualNicManagerInfo{}
	for _, service := range services {
		nic.Key = service + ".vmk0"
		info.NetConfig = append(info.NetConfig, types.VirtualNicManagerNetConfig{
			NicType: service, CandidateVnic: []types.HostVirtualNic{nic}, SelectedVnic: []string{nic.Key},
		})
	}
	var h mo.HostSystem
	h.Name = "esx"
	h.Config = &types.HostConfigInfo{Network: &types.HostNetworkInfo{Vnic: []types.HostVirtualNic{nic}}, VirtualNicManagerInfo: info}
	return h
}

func TestAnAdapterHasThePlaneOfWhatItCarries(t *testing.T) {
	for _, tt := range []struct {
		carries string
		plane   string
	}{
		{"management", "mgmt"},
		{"vmotion", "vmotion"},
		{"faultToleranceLogging", "ft"},
		{"vsan", "storage"},
		{"management vSphereReplication", "mgmt"},
		{"vsan nvmeTcp", "storage"},
		{"management vmotion", ""}, // for both: neither is its one purpose
		{"vSphereProvisioning", ""},
		{"somethingNew", ""},
		{"", ""},
	} {
		h := hostWith("10.20.0.11", strings.Fields(tt.carries)...)
		if got := adapters(&h)[0].plane; got != tt.plane {
			t.Errorf("one that carries %q has plane %q, want %q", tt.carries, got, tt.plane)
		}
	}
}

func TestWhatATellingHostCannotBeIsLeftOut(t *testing.T) {
	for _, tt := range []struct {
		name     string
		hosts    []mo.HostSystem
		machines string
		leftOut  string
	}{
		{"a loopback address is none", []mo.HostSystem{hostWith("127.0.0.1")}, "", "no address of it is known"},
		{"nor is one of a link", []mo.HostSystem{hostWith("169.254.95.120")}, "", "no address of it is known"},
		{"nor is what is no address", []mo.HostSystem{hostWith("esx01")}, "", "no address of it is known"},
		{"a host that was never reached", []mo.HostSystem{{}}, "", "no address of it is known"},
		{"two with one address", []mo.HostSystem{hostWith("10.20.0.11"), hostWith("10.20.0.11")}, "esx", "esx (2): its address 10.20.0.11 is one of esx too"},
		{"two with one name", []mo.HostSystem{hostWith("10.20.0.11"), hostWith("10.20.0.12")}, "esx, esx (2)", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(&found{hosts: tt.hosts})
			names := make([]string, len(s.machines))
			for i, m := range s.machines {
				names[i] = m.Name
			}
			if got := strings.Join(names, ", "); got != tt.machines {
				t.Errorf("machines %q, want %q", got, tt.machines)
			}
			if got := strings.Join(s.leftOut, "; "); !strings.Contains(got, tt.leftOut) || tt.leftOut == "" && got != "" {
				t.Errorf("left out: %q, want %q", got, tt.leftOut)
			}
		})
	}
}

func TestAVersionIsWhatTheCataloguesKnow(t *testing.T) {
	for text, want := range map[string]string{"4.1.0": "4.1", "8.0.2.1": "8.0", "7": "7", "": "", "x.1": "", "4..1": ""} {
		if got := version(text); got != want {
			t.Errorf("version %q is %q, want %q", text, got, want)
		}
	}
}

func TestAHostilesNameStaysAName(t *testing.T) {
	h := hostWith("10.20.0.11", "management")
	h.Name = " \x1b[31mesx\n- name: vcenter01\xff" + strings.Repeat("x", 400)
	s := newSite(&found{hosts: []mo.HostSystem{h}})
	var text strings.Builder
	if err := (&inventory.Inventory{Machines: s.machines}).WriteYAML(&text); err != nil {
		t.Fatal(err)
	}
	if name := s.machines[0].Name; !strings.HasPrefix(name, "?[31mesx?- name: vcenter01?xxx") || len(name) > maxName {
		t.Errorf("the name is %q", name)
	}
	if strings.Count(text.String(), "- name:") != 2 || strings.Contains(text.String(), "\x1b") {
		t.Errorf("it is written as\n%s", &text)
	}
}
