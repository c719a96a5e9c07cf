package catalog

import (
	"slices"
	"testing"
)

func TestARoleIsItsAncestors(t *testing.T) {
	for _, row := range []struct {
		role, ancestor Role
		want           bool
	}{
		{"esxi", "hypervisor-host", true},
		{"hypervisor-host", "esxi", false},
		{"ad-server", "ldap-server", true},
		{"oracle-server", "database-server", true},
		{"srm-api-client", "client-pc", true},
		{"vi-client", "view-client", false},
		{"no-such-role", "no-such-role", true},
	} {
		if got := Default().IsA(row.role, row.ancestor); got != row.want {
			t.Errorf("%s is a %s: got %t", row.role, row.ancestor, got)
		}
	}
}

func TestRolesAreNamedAsTheDocumentPrintsThem(t *testing.T) {
	for _, row := range []struct {
		text string
		want Role
	}{
		{"vcenter-server", "vcenter-server"},
		{"VCENTER SERVER", "vcenter-server"},
		{"SNMP Collector", "snmp-manager"},
		{"ESX/ESXi host", "hypervisor-host"},
		{"www.vmware.com and xml.shavlik.com", "vmware-update-site"},
	} {
		if got, err := Default().RoleNamed(row.text); err != nil || got != row.want {
			t.Errorf("%q: got %q, %v, want %q", row.text, got, err, row.want)
		}
	}
	_, err := Default().RoleNamed("vcenter-sevrer")
	if want := `unknown role "vcenter-sevrer": did you mean "vcenter-server"?`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSomeRolesCannotShareAnAddress(t *testing.T) {
	for _, row := range []struct {
		a, b Role
		want bool
	}{
		{"hypervisor-host", "vcenter-server", true},
		{"vcenter-server", "esxi", true},
		{"esx-classic", "vi-client", true},
		{"esx-classic", "esxi", true},
		{"view-agent", "view-connection-server", true},
		{"vcenter-server", "update-manager-server", false},
		{"ad-server", "dns-server", false},
		{"hypervisor-host", "ssh-server", false},
		{"vcb-proxy", "vi-client", false},
	} {
		if got := Default().Exclusive(row.a, row.b); got != row.want {
			t.Errorf("%s and %s: got exclusive %t", row.a, row.b, got)
		}
		if got := Default().Exclusive(row.b, row.a); got != row.want {
			t.Errorf("%s and %s: got exclusive %t", row.b, row.a, got)
		}
	}
}

func TestRolesAreMarked(t *testing.T) {
	c := Default()
	vmware := []Role{"view-agent", "view-security-server", "converter-helper-vm", "appspeed-probe", "license-server", "virtual-router"}
	for _, p := range c.Products {
		vmware = append(vmware, p.Role, p.Refines)
	}
	for _, info := range c.Roles {
		if want := slices.Contains(vmware, info.Role); info.VMware != want {
			t.Errorf("%s: got VMware %t, want %t", info.Role, info.VMware, want)
		}
		if want := c.IsA(info.Role, "client-pc"); info.Client != want {
			t.Errorf("%s: got client %t, want %t", info.Role, info.Client, want)
		}
		for _, other := range slices.Concat(info.Parents, info.Excludes) {
			if _, ok := c.RoleInfo(other); !ok {
				t.Errorf("%s names %s, which is no role", info.Role, other)
			}
		}
		if info.Means == "" || !roleName.MatchString(string(info.Role)) {
			t.Errorf("%s: no good name, or no meaning", info.Role)
		}
	}
}

func TestNoAliasNamesTwoRoles(t *testing.T) {
	seen := make(map[string]Role)
	for _, info := range Default().Roles {
		for _, alias := range info.Aliases {
			if other, ok := seen[fold(alias)]; ok {
				t.Errorf("%q names %s and %s", alias, other, info.Role)
			}
			seen[fold(alias)] = info.Role
		}
	}
}
