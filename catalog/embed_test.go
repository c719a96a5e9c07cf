package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// rowsPerProduct is counted in the vendor's document.
var rowsPerProduct = map[string]int{
	"AppSpeed": 5, "Consolidated Backup": 2, "Converter 3.x": 9, "Converter 4.x": 14, "Data Recovery": 3,
	"ESX 3.x": 40, "ESX 4.x": 42, "ESXi 3.x": 27, "ESXi 4.x": 30, "Guided Consolidation": 5,
	"Lab Manager": 11, "Orchestrator": 16, "Site Recovery Manager": 10, "Stage Manager": 11, "Update Manager": 13,
	"vCenter 2.5.x": 31, "vCenter 4.x": 36, "View 3.x": 4, "View 4.x": 8, "View/VDM 2.x": 26,
}

func TestEveryRowOfTheDocumentIsThere(t *testing.T) {
	c := Default()
	if len(c.Rows) != 343 {
		t.Fatalf("got %d rows, want 343", len(c.Rows))
	}
	for i, r := range c.Rows {
		if want := fmt.Sprintf("R%03d", i+1); r.ID != want {
			t.Fatalf("row %d has id %s, want %s", i, r.ID, want)
		}
		if c.Row(r.ID) != r {
			t.Errorf("Row(%s) is another row", r.ID)
		}
	}
	got := make(map[string]int)
	for _, r := range c.Rows {
		got[r.Product]++
	}
	for product, want := range rowsPerProduct {
		if got[product] != want {
			t.Errorf("%s has %d rows, want %d", product, got[product], want)
		}
	}
	if len(c.Products) != len(rowsPerProduct) || len(got) != len(rowsPerProduct) {
		t.Errorf("got %d products, %d with rows, want %d", len(c.Products), len(got), len(rowsPerProduct))
	}
}

func TestRowsAreClassifiedAsCounted(t *testing.T) {
	kinds, listeners := make(map[string]int), make(map[string]int)
	for _, r := range Default().Rows {
		kind, _, _ := strings.Cut(r.Class.String(), ":")
		kinds[kind]++
		listeners[r.Listener.String()]++
	}
	want := map[string]int{"always": 8, "during": 109, "if-used": 146, "optional": 66, "internal": 14}
	for kind, n := range want {
		if kinds[kind] != n {
			t.Errorf("class %s: got %d rows, want %d", kind, kinds[kind], n)
		}
	}
	for listener, n := range map[string]int{"target": 289, "source": 3, "either": 51} {
		if listeners[listener] != n {
			t.Errorf("listener %s: got %d rows, want %d", listener, listeners[listener], n)
		}
	}
}

func TestOddCellsAreReadAsMeant(t *testing.T) {
	for _, row := range []struct {
		id                        string
		service, ports, transport string
		relation                  Relation
	}{
		{"R205", "80/tcp", "80", "80", Remote},
		{"R206", "80/tcp", "80", "80", Unrelated},
		{"R207", "443/tcp", "443", "TCP", Remote},
		{"R277", "389/tcp", "389", "TCP", Linked},
		{"R283", "636/tcp", "636", "TCP", Linked},
		{"R288", "1025-65535/tcp", "> 1024 (dynamic)", "RPC", Linked},
		{"R333", "1024-65535/tcp", "1024 to 65535", "TCP", Unrelated},
		{"R064", "2050-2250/udp", "2050 to 2250", "UDP", Unrelated},
		{"R114", "8100/tcp+udp", "8100", "TCP/UDP", Unrelated},
	} {
		r := Default().Row(row.id)
		if r.Service() != row.service || r.PortsPrinted != row.ports || r.TransportPrinted != row.transport {
			t.Errorf("%s: got %s printed %q %q, want %s printed %q %q",
				row.id, r.Service(), r.PortsPrinted, r.TransportPrinted, row.service, row.ports, row.transport)
		}
		if r.Relation != row.relation {
			t.Errorf("%s: got relation %d, want %d", row.id, r.Relation, row.relation)
		}
	}
}

func TestRowsBeginOnRisingLinesOfTheDocument(t *testing.T) {
	const documentLines = 1898
	last := 0
	for _, r := range Default().Rows {
		if r.Origin.Line <= last || r.Origin.Line > documentLines {
			t.Errorf("%s begins on line %d, after line %d", r.ID, r.Origin.Line, last)
		}
		if !strings.HasPrefix(r.Origin.Document, "TCP and UDP Ports") {
			t.Errorf("%s names the document %q", r.ID, r.Origin.Document)
		}
		last = r.Origin.Line
	}
}

func TestPurposesAreShort(t *testing.T) {
	for _, r := range Default().Rows {
		if n := len(strings.Fields(r.Purpose)); n < 2 || n > 12 {
			t.Errorf("%s: purpose %q has %d words, want 2 to 12", r.ID, r.Purpose, n)
		}
	}
}

func TestErrataHaveTheirReasons(t *testing.T) {
	n := 0
	for _, r := range Default().Rows {
		if r.Erratum {
			n++
		}
		if r.Erratum && r.Note == "" {
			t.Errorf("%s has an erratum without a note", r.ID)
		}
	}
	if n != 34 {
		t.Errorf("got %d errata, want 34", n)
	}
}

func TestEveryRowSpeaksOfKnownThings(t *testing.T) {
	c := Default()
	for _, r := range c.Rows {
		for _, role := range slices.Concat(r.Source, r.Target) {
			if _, ok := c.RoleInfo(role); !ok {
				t.Errorf("%s: role %s is not in roles.csv", r.ID, role)
			}
		}
		if r.OnWire == (r.Class.Kind == Internal) {
			t.Errorf("%s: class %s and on the wire %t", r.ID, r.Class, r.OnWire)
		}
		for _, tr := range []Transport{TCP, UDP} {
			if r.Insecure != "" && r.Transport.Has(tr) && c.Insecure(tr, r.Ports.Lo) != r.Insecure {
				t.Errorf("%s: insecure %q, the services say %q", r.ID, r.Insecure, c.Insecure(tr, r.Ports.Lo))
			}
		}
	}
}

// unions are printed names that stand for several roles, or for a role they do not name.
var unions = map[string]bool{"Client PC/Thin Client/View/VDM Client": true}

func TestEveryPrintedNameIsAnAliasOfItsRole(t *testing.T) {
	c := Default()
	for _, r := range c.Rows {
		for _, end := range []struct {
			printed string
			roles   []Role
		}{{r.SourcePrinted, r.Source}, {r.TargetPrinted, r.Target}} {
			role, err := c.RoleNamed(end.printed)
			if (err != nil || !slices.Contains(end.roles, role)) && !unions[end.printed] && !r.Erratum {
				t.Errorf("%s prints %q: got role %q, %v, want one of %v", r.ID, end.printed, role, err, end.roles)
			}
		}
	}
}

func TestInsecureServicesAreThoseOfTheOpeningList(t *testing.T) {
	c := Default()
	if len(c.Services) != 16 {
		t.Errorf("got %d services, want 16", len(c.Services))
	}
	want := map[string]string{
		"21/tcp": "ftp", "23/tcp": "telnet", "5988/tcp": "cim-http",
		"111/tcp": "nfs", "111/udp": "nfs", "2049/tcp": "nfs", "2049/udp": "nfs",
		"137/tcp": "smb", "138/tcp": "smb", "139/tcp": "smb", "445/tcp": "smb",
		"137/udp": "smb", "138/udp": "smb", "139/udp": "smb", "445/udp": "smb",
	}
	for port := range 1 << 16 {
		for _, tr := range []Transport{TCP, UDP} {
			service := fmt.Sprintf("%d/%s", port, strings.ToLower(tr.String()))
			if got := c.Insecure(tr, uint16(port)); got != want[service] {
				t.Errorf("%s: got %q, want %q", service, got, want[service])
			}
		}
	}
}

func TestTheSourceIsNamed(t *testing.T) {
	c := Default()
	if len(c.Sources) != 1 || c.Sources[0].Name != "built-in" || c.Sources[0].Rows != 343 {
		t.Errorf("got sources %+v", c.Sources)
	}
	if len(c.Sources[0].SHA256) != 64 || len(c.SHA256()) != 64 {
		t.Errorf("got digests %q and %q", c.Sources[0].SHA256, c.SHA256())
	}
}
