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

func TestWhatStoresFilesIsAMachineOfItsOwn(t *testing.T) {
	h := hostWith("10.20.3.11")
	h.Config.FileSystemVolume = &types.HostFileSystemVolumeInfo{}
	for _, v := range []types.HostNasVolume{
		{HostFileSystemVolume: types.HostFileSystemVolume{Type: "NFS"}, RemoteHost: "10.20.3.200"},
		{HostFileSystemVolume: types.HostFileSystemVolume{Type: "NFS41"}, RemoteHost: "filer01", RemoteHostNames: []string{"filer01"}},
		{HostFileSystemVolume: types.HostFileSystemVolume{Type: "CIFS"}, RemoteHost: "10.20.3.201"},
	} {
		h.Config.FileSystemVolume.MountInfo = append(h.Config.FileSystemVolume.MountInfo, types.HostFileSystemMountInfo{Volume: &v})
	}
	h.Config.StorageDevice = &types.HostStorageDeviceInfo{HostBusAdapter: []types.BaseHostHostBusAdapter{
		&types.HostBlockHba{},
		&types.HostInternetScsiHba{
			ConfiguredSendTarget:   []types.HostInternetScsiHbaSendTarget{{Address: "10.20.3.200"}},
			ConfiguredStaticTarget: []types.HostInternetScsiHbaStaticTarget{{Address: "10.20.4.9"}},
		},
	}}
	s := newSite(&found{hosts: []mo.HostSystem{h}})
	var got []string
	for _, m := range s.machines {
		line := m.Name + " " + m.Addrs[0].Plane
		for _, g := range m.Addrs[0].Roles {
			line += " " + string(g.Role)
		}
		got = append(got, line+" "+strings.Join(m.Uses, " "))
	}
	want := []string{"esx storage nfs iscsi", "storage-10.20.3.200  nfs-server iscsi-target ", "storage-10.20.4.9  iscsi-target "}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("machines\n%s", strings.Join(got, "\n"))
	}
	if left := strings.Join(s.leftOut, "\n"); left != "nfs-server filer01 is known by name only: add it to the inventory with its address" {
		t.Errorf("left out: %s", left)
	}
}

func TestWhereAMachineIsProtectedFaultToleranceIsUsed(t *testing.T) {
	h := hostWith("10.20.0.11", "management")
	h.Self = types.ManagedObjectReference{Type: "HostSystem", Value: "host-1"}
	var protected, idle mo.VirtualMachine
	protected.Runtime = types.VirtualMachineRuntimeInfo{Host: &h.Self, FaultToleranceState: types.VirtualMachineFaultToleranceStateRunning}
	idle.Runtime = types.VirtualMachineRuntimeInfo{Host: &h.Self, FaultToleranceState: types.VirtualMachineFaultToleranceStateNotConfigured}
	for _, tt := range []struct {
		machines []mo.VirtualMachine
		uses     string
	}{{nil, ""}, {[]mo.VirtualMachine{idle}, ""}, {[]mo.VirtualMachine{idle, protected}, "ft"}} {
		s := newSite(&found{hosts: []mo.HostSystem{h}, machines: tt.machines})
		if got := strings.Join(s.machines[0].Uses, " "); got != tt.uses {
			t.Errorf("with %d machines it uses %q, want %q", len(tt.machines), got, tt.uses)
		}
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
