package catalog

import (
	"strings"
	"testing"
)

func TestProductsAreReadAsPeopleWriteThem(t *testing.T) {
	for _, row := range []struct {
		text string
		want Deployed
	}{
		{"ESX 4.1", Deployed{"ESX", "4.1"}},
		{"ESX 4.x", Deployed{"ESX", "4.x"}},
		{"esx server 3.5", Deployed{"ESX", "3.5"}},
		{"VMware ESXi 4.1", Deployed{"ESXi", "4.1"}},
		{"ESXi", Deployed{"ESXi", ""}},
		{"VirtualCenter 2.5", Deployed{"vCenter", "2.5"}},
		{"vCenter Server 4.1 Update 2", Deployed{"vCenter", "4.1 Update 2"}},
		{"View", Deployed{"View", ""}},
		{"View/VDM 2.x", Deployed{"View", "2.x"}},
		{"VDM 2.1", Deployed{"View", "2.1"}},
		{"VUM", Deployed{"Update Manager", ""}},
		{"SRM 4.0", Deployed{"Site Recovery Manager", "4.0"}},
		{"  Lab   Manager 4 ", Deployed{"Lab Manager", "4"}},
	} {
		got, err := Default().Deployed(row.text)
		if err != nil || got != row.want {
			t.Errorf("%q: got %+v, %v, want %+v", row.text, got, err, row.want)
		}
	}
}

func TestAMisspeltProductNamesTheNearest(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"EXS 4.1", `unknown product "EXS 4.1": did you mean "ESX"?`},
		{"Lab Manger", `unknown product "Lab Manger": did you mean "Lab Manager"?`},
		{"ESX four", `unknown product "ESX four": did you mean "ESX"?`},
		{"ESX 4..1", `"ESX 4..1": bad version "4..1": a version is a number such as 4 or 4.1`},
		{"Kubernetes", `unknown product "Kubernetes"`},
		{"", `unknown product ""`},
		{"VMware", `unknown product "VMware"`},
		{"4.1", `unknown product "4.1"`},
	} {
		_, err := Default().Deployed(row.text)
		if err == nil || err.Error() != row.want {
			t.Errorf("%q: got %v, want %s", row.text, err, row.want)
		}
	}
}

func TestAProductCoversItsVersionsAndWhatItInherits(t *testing.T) {
	for _, row := range []struct {
		deployed, product string
		want              Cover
	}{
		{"ESX 4.1", "ESX 4.x", CoverFull},
		{"ESX 4.1", "ESX 3.x", CoverOther},
		{"ESX 4.1", "ESXi 4.x", CoverNone},
		{"ESX", "ESX 4.x", CoverUnknown},
		{"ESX 5.5", "ESX 4.x", CoverUnknown},
		{"View 4.5", "View 4.x", CoverFull},
		{"View 4.5", "View 3.x", CoverFull},
		{"View 4.5", "View/VDM 2.x", CoverFull},
		{"View 3.1", "View/VDM 2.x", CoverFull},
		{"View 3.1", "View 4.x", CoverOther},
		{"VDM 2.1", "View 3.x", CoverOther},
		{"vCenter 2.5", "vCenter 2.5.x", CoverFull},
		{"vCenter 4.0", "vCenter 2.5.x", CoverOther},
		{"Update Manager 4.0", "Update Manager", CoverFull},
		{"Update Manager", "Update Manager", CoverFull},
		{"Update Manager", "vCenter 4.x", CoverNone},
		{"ESX 4.1", "no such product", CoverNone},
	} {
		d, err := Default().Deployed(row.deployed)
		if err != nil {
			t.Fatal(err)
		}
		if got := Default().Cover(d, row.product); got != row.want {
			t.Errorf("%s for a row of %s: got %d, want %d", row.deployed, row.product, got, row.want)
		}
	}
}

func TestAVersionOutsideEveryCatalogueIsNotKnown(t *testing.T) {
	for _, row := range []struct {
		d    Deployed
		want bool
	}{
		{Deployed{"ESX", "4.1"}, true},
		{Deployed{"ESX", ""}, true},
		{Deployed{"ESX", "5.5"}, false},
		{Deployed{"Lab Manager", "99"}, true},
		{Deployed{"vSphere", "7"}, false},
		{Deployed{}, false},
	} {
		if got := Default().Known(row.d); got != row.want {
			t.Errorf("Known(%q): got %t", row.d, got)
		}
	}
}

func TestWithoutTheEmbeddedRowsItsProductsAreNotInUse(t *testing.T) {
	c, err := parse(false, "mine.csv", []byte("id,product,ports,transport,source,target\nX1,View 3.x,1,TCP,view-client,view-agent\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		d    Deployed
		want bool
	}{{Deployed{"View", "3.1"}, true}, {Deployed{"View", "4.5"}, true}, {Deployed{"View", "2.1"}, false}, {Deployed{"ESX", "4.1"}, false}} {
		if got := c.Known(row.d); got != row.want {
			t.Errorf("Known(%q): got %t, want %t", row.d, got, row.want)
		}
	}
}

func TestEveryProductIsARole(t *testing.T) {
	c := Default()
	for _, row := range []struct{ text, want string }{
		{"ESX 4.1", "hypervisor-host esx-classic"},
		{"ESXi", "hypervisor-host esxi"},
		{"ESXi 9", "hypervisor-host esxi"},
		{"View 4.5", "view-connection-server"},
		{"Guided Consolidation", "converter-server"},
		{"VCB", "vcb-proxy"},
	} {
		d, err := c.Deployed(row.text)
		if err != nil {
			t.Fatal(err)
		}
		role, refined := c.RoleOf(d)
		if got := strings.TrimSpace(string(role + " " + refined)); got != row.want {
			t.Errorf("%s: got %s, want %s", row.text, got, row.want)
		}
	}
	for _, p := range c.Products {
		info, ok := c.RoleInfo(p.Role)
		if !ok || !info.VMware {
			t.Errorf("%s is the role %s, which makes no VMware machine", p.Name, p.Role)
		}
		if p.Refines != "" && !c.IsA(p.Refines, p.Role) {
			t.Errorf("%s: %s is no %s", p.Name, p.Refines, p.Role)
		}
		if d, err := c.Deployed(p.Name); err != nil || d.Family != p.Family {
			t.Errorf("%s as a product deployed: got %v, %v", p.Name, d, err)
		}
	}
	if role, refined := c.RoleOf(Deployed{Family: "no such"}); role != "" || refined != "" {
		t.Errorf("an unknown product is a %s", role)
	}
}
