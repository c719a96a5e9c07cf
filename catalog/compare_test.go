package catalog

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// selectionOf reads rows "ports,transport,source,target[,listener]" of one product, beside the built-in roles.
func selectionOf(t *testing.T, rows ...string) []Selection {
	t.Helper()
	var text strings.Builder
	text.WriteString("id,product,ports,transport,source,target,listener\n")
	for i, row := range rows {
		if strings.Count(row, ",") == 3 {
			row += ","
		}
		fmt.Fprintf(&text, "X%d,ESX 4.x,%s\n", i+1, row)
	}
	c, err := parse(false, "x.csv", []byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return []Selection{{Catalog: c, Rows: c.Rows}}
}

func (c Change) spelled() string {
	words := fmt.Sprintf("%s %s/%s %s -> %s", c.Kind, c.Ports, c.Transport, joinRoles(c.From), joinRoles(c.To))
	for _, rows := range [][]*Row{c.Rows, c.Was} {
		for _, r := range rows {
			words += " " + r.ID
		}
	}
	return words
}

func TestCompareSaysWhatAnUpgradeChanges(t *testing.T) {
	for _, tt := range []struct {
		what          string
		before, after []string
		want          []string
		same          int
	}{
		{"nothing", []string{"902,UDP,hypervisor-host,vcenter-server"}, []string{"902,UDP,hypervisor-host,vcenter-server"}, nil, 1},
		{"a port that is new", nil, []string{"8182,TCP/UDP,hypervisor-host,hypervisor-host"}, []string{"opened 8182/TCP/UDP hypervisor-host -> hypervisor-host X1"}, 0},
		{"a port that is gone", []string{"903,TCP,vi-client,hypervisor-host"}, nil, []string{"closed 903/TCP vi-client -> hypervisor-host X1"}, 0},
		{
			"the other end listens now",
			[]string{"9084,TCP,update-manager-server,hypervisor-host"},
			[]string{"9084,TCP,update-manager-server,hypervisor-host,source"},
			[]string{"turned 9084/TCP hypervisor-host -> update-manager-server X1 X1"},
			0,
		},
		{
			"of both ends that listened one does no more",
			[]string{"8000,TCP,vcenter-server,hypervisor-host,either"},
			[]string{"8000,TCP,vcenter-server,hypervisor-host"},
			[]string{"closed 8000/TCP hypervisor-host -> vcenter-server X1"},
			1,
		},
		{
			"of a range a part stays",
			[]string{"9000-9100,TCP,esxi,vcenter-server"},
			[]string{"9050,TCP,esxi,vcenter-server"},
			[]string{"closed 9000-9049/TCP hypervisor-host -> vcenter-server X1", "closed 9051-9100/TCP hypervisor-host -> vcenter-server X1"},
			1,
		},
		{
			"of two transports one stays",
			[]string{"8100,TCP/UDP,hypervisor-host,hypervisor-host"},
			[]string{"8100,TCP,hypervisor-host,hypervisor-host"},
			[]string{"closed 8100/UDP hypervisor-host -> hypervisor-host X1"},
			1,
		},
		{"the host is of another kind", []string{"22,TCP,ssh-client,esx-classic"}, []string{"22,TCP,ssh-client,esxi"}, nil, 1},
		{"fewer may begin", []string{"443,TCP,client-pc,vcenter-server"}, []string{"443,TCP,vi-client,vcenter-server"}, []string{"closed 443/TCP client-pc -> vcenter-server X1"}, 1},
		{"more may begin", []string{"443,TCP,vi-client,vcenter-server"}, []string{"443,TCP,client-pc,vcenter-server"}, []string{"opened 443/TCP client-pc -> vcenter-server X1"}, 0},
		{
			"who begins is said together",
			nil,
			[]string{"53,UDP,vcenter-server,dns-server", "53,UDP,hypervisor-host,dns-server"},
			[]string{"opened 53/UDP hypervisor-host|vcenter-server -> dns-server X1 X2"},
			0,
		},
	} {
		changes, same := Compare(selectionOf(t, tt.before...), selectionOf(t, tt.after...))
		var got []string
		for _, c := range changes {
			got = append(got, c.spelled())
		}
		if strings.Join(got, "; ") != strings.Join(tt.want, "; ") || same != tt.same {
			t.Errorf("%s: got %q and %d in both, want %q and %d", tt.what, got, same, tt.want, tt.same)
		}
	}
}

// TestCompareIsItsOwnMirror holds that what an upgrade opens, going back closes.
func TestCompareIsItsOwnMirror(t *testing.T) {
	c := Default()
	rng := rand.New(rand.NewPCG(7, 0))
	for range 200 {
		var a, b Selection
		a.Catalog, b.Catalog = c, c
		for _, r := range c.Rows {
			if rng.IntN(3) == 0 {
				a.Rows = append(a.Rows, r)
			}
			if rng.IntN(3) == 0 {
				b.Rows = append(b.Rows, r)
			}
		}
		there, _ := Compare([]Selection{a}, []Selection{b})
		back, _ := Compare([]Selection{b}, []Selection{a})
		var n [2][3]int
		for i, changes := range [][]Change{there, back} {
			for _, x := range changes {
				n[i][x.Kind]++
			}
		}
		if n[0][Opened] != n[1][Closed] || n[0][Closed] != n[1][Opened] || n[0][Turned] != n[1][Turned] {
			t.Fatalf("there %v, back %v", n[0], n[1])
		}
		if changes, same := Compare([]Selection{a}, []Selection{a}); len(changes) != 0 || same == 0 && len(a.Rows) > 0 {
			t.Fatalf("with itself: %d changes, %d in both", len(changes), same)
		}
	}
}
