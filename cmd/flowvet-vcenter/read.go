package main

import (
	"context"

	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/types"
)

// found is what a vCenter told, in its own words.
type found struct {
	address  string // the name or address that it was asked at
	about    types.AboutInfo
	settings map[string]string // VirtualCenter.*
	remote   string            // the address of the connection
	hosts    []mo.HostSystem
	clusters []mo.ClusterComputeResource
	machines []mo.VirtualMachine
}

// The properties that are read: no more, since the whole of a host is a hundred times as long.
var (
	hostProperties = []string{
		"name", "parent", "runtime.connectionState", "summary.config.product", "summary.managementServerIp",
		"config.network.vnic", "config.network.consoleVnic", "config.virtualNicManagerInfo", "config.firewall", "config.ipmi",
		"config.fileSystemVolume", "config.storageDevice.hostBusAdapter",
	}
	clusterProperties = []string{"name", "configurationEx"}
	machineProperties = []string{"runtime.host", "runtime.faultToleranceState"}
)

// read logs in, reads everything that is needed, and logs out.
func read(ctx context.Context, o *options, password string) (*found, error) {
	c, err := connect(ctx, o, password)
	if err != nil {
		return nil, err
	}
	defer c.close(ctx)
	f := &found{address: o.address.Hostname(), about: c.ServiceContent.About, settings: c.settings(ctx)}
	if c.remote.IsValid() {
		f.remote = c.remote.String()
	}
	for _, part := range []struct {
		kind       string
		properties []string
		into       any
	}{
		{"HostSystem", hostProperties, &f.hosts},
		{"ClusterComputeResource", clusterProperties, &f.clusters},
		{"VirtualMachine", machineProperties, &f.machines},
	} {
		if err := c.all(ctx, part.kind, part.properties, part.into); err != nil {
			return nil, told(ctx, o, err)
		}
	}
	return f, nil
}

// all reads the properties of every object of a kind, in as many answers as the server makes of it.
func (c *connection) all(ctx context.Context, kind string, properties []string, into any) error {
	v, err := view.NewManager(c.Client).CreateContainerView(ctx, c.ServiceContent.RootFolder, []string{kind}, true)
	if err != nil {
		return err
	}
	defer func() { _ = v.Destroy(ctx) }()
	return v.Retrieve(ctx, []string{kind}, properties, into)
}

// settings returns what the vCenter calls itself. An ESX host has no such settings, and not everybody may read them: then
// there are none.
func (c *connection) settings(ctx context.Context) map[string]string {
	settings := map[string]string{}
	if c.ServiceContent.Setting == nil {
		return settings
	}
	answer, err := methods.QueryOptions(ctx, c.Client, &types.QueryOptions{This: *c.ServiceContent.Setting, Name: "VirtualCenter."})
	if err != nil {
		return settings
	}
	for _, option := range answer.Returnval {
		if value, ok := option.GetOptionValue().Value.(string); ok {
			settings[option.GetOptionValue().Key] = value
		}
	}
	return settings
}
