package inventory

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/catalog"
)

func written(t *testing.T, v *Inventory) string {
	t.Helper()
	var b bytes.Buffer
	if err := v.WriteYAML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestASuggestionIsReadyToEdit(t *testing.T) {
	v := suggestFrom(catalog.Default(), all(beats("10.0.0.11", "10.0.0.5", 118), tcp("10.0.9.1:1500", "10.0.0.5:443", 0, 9, 99, 99)))
	_, got, _ := strings.Cut(written(t, v), "...\n")
	want := `machines:
  - name: host-10.0.0.5
    addresses:
      - address: 10.0.0.5
        roles:
          - vcenter-server # high: 118 heartbeats, every 10.0 s, from 10.0.0.11
  - name: host-10.0.0.11
    managed-by: host-10.0.0.5
    addresses:
      - address: 10.0.0.11
        plane: mgmt
        roles:
          - hypervisor-host # high: 118 heartbeats, every 10.0 s, to 10.0.0.5
#   - name: host-10.0.9.1
#     addresses:
#       - address: 10.0.9.1
#         roles:
#           - client-pc # low: only ever asks, of 10.0.0.5 (443/tcp) for one
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestASuggestionReadsBack(t *testing.T) {
	v := suggestFrom(catalog.Default(), all(
		beats("10.0.0.11", "10.0.0.5", 9), beats("[fd00::12]", "[fd00::5]", 9), tcp("10.0.9.1:1500", "10.0.0.5:443", 0, 9, 99, 99),
		tcp("10.0.0.5:1500", "10.0.0.8:27000", 0, 1, 99, 99), tcp("10.0.0.5:1501", "10.0.0.8:27010", 1, 2, 99, 99),
		tcp("10.0.4.11:1500", "10.0.4.1:3260", 0, 90, 9e6, 9e6), tcp("10.0.0.11:1025", "10.0.0.8:9084", 0, 9, 9, 9),
	))
	back := parse(t, "suggested.yaml", written(t, v))
	if diff := cmp.Diff(usable(v), usable(back)); diff != "" || len(back.Warnings) > 0 {
		t.Errorf("got the warnings %q; -suggested +read back\n%s", back.Warnings, diff)
	}
}

// usable returns what an inventory says of each address that plays a role with more than low confidence.
func usable(v *Inventory) map[string][]string {
	said := map[string][]string{}
	for _, m := range v.Machines {
		for _, a := range m.Addrs {
			for _, g := range a.Roles {
				if g.Confidence > Low {
					said[a.Addr.String()] = append(said[a.Addr.String()], string(g.Role), a.Plane, m.ManagedBy)
				}
			}
		}
	}
	return said
}

func TestAGuessIsUsableOnceItsMarksAreGone(t *testing.T) {
	v := suggestFrom(catalog.Default(), all(udp("10.0.4.11:900", "10.0.4.1:2049", 1), beats("10.0.0.11", "10.0.0.5", 9), tcp("10.0.9.1:1500", "10.0.0.5:443", 0, 9, 99, 99)))
	header, machines, _ := strings.Cut(written(t, v), "machines:\n")
	var accepted strings.Builder
	for line := range strings.Lines(machines) {
		accepted.WriteString(strings.TrimPrefix(line, "# "))
	}
	back := parse(t, "accepted.yaml", header+"machines:\n"+accepted.String())
	if len(back.Machines) != len(v.Machines) {
		t.Errorf("got %d machines, want %d:\n%s", len(back.Machines), len(v.Machines), accepted.String())
	}
}

func TestASuggestionOfGuessesOnlyIsComments(t *testing.T) {
	guess := &Addr{Addr: netip.MustParseAddr("10.0.9.1"), Roles: []Grant{{Role: "client-pc", Confidence: Low, Evidence: "only ever asks"}}}
	v := &Inventory{Inferred: true, Machines: []*Machine{{Name: "host-10.0.9.1", Addrs: []*Addr{guess}}}}
	text := written(t, v)
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			t.Errorf("got a line that is no comment: %s", line)
		}
	}
	_, err := Parse("guessed.yaml", []byte(text), catalog.Default())
	if err == nil || !strings.Contains(err.Error(), "holds only comments") || !strings.Contains(text, "No machine was recognised") || v.Recognised() {
		t.Errorf("got %v, recognised %v\n%s", err, v.Recognised(), text)
	}
}

func TestADeclaredInventoryReadsBack(t *testing.T) {
	const name = `a "quoted": name, [with] #marks`
	v := parse(t, "lab.yaml", strings.ReplaceAll(lab, "filer", `'`+name+`'`))
	text := written(t, v)
	back, err := Parse("back.yaml", []byte(text), catalog.Default())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(text, written(t, back)); diff != "" {
		t.Errorf("-first +second\n%s", diff)
	}
	if back.Machine(name) == nil {
		t.Errorf("got no machine %s\n%s", name, text)
	}
}

func TestAnEmptySuggestionShowsHowToBegin(t *testing.T) {
	got := written(t, suggestFrom(catalog.Default(), all()))
	var example strings.Builder
	_, text, found := strings.Cut(got, "Begin with this:\n")
	for line := range strings.Lines(text) {
		example.WriteString(strings.TrimPrefix(line, "# "))
	}
	if v := parse(t, "begin.yaml", example.String()); !found || v.Machine("esx01") == nil {
		t.Errorf("got %s", got)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestWriteYAMLTellsWhenItCannot(t *testing.T) {
	if err := parse(t, "lab.yaml", lab).WriteYAML(fullDisk{}); err == nil {
		t.Error("got no error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("lab.yaml", lab)
	f.Add("lab.csv", "name,products,address,roles,plane,cluster,managed-by,managed,site,uses\nesx01,ESX 4.1,10.0.0.1,,mgmt,a,,false,b,nfs;-ha\n")
	f.Add("lab.yaml", "machines:\n  - {name: &a esx01, addresses: [*a, {address: 10.0.0.1, roles: [ESX host]}]}\n? [x]\n: y\n")
	f.Add("lab.yaml", "networks: [{prefix: ::/0, roles: [client-pc]}]\ncapture: [{file: '[', sees: [10.0.0.0/8]}]\nports: {R285: 65536}\n")
	f.Add("lab.yaml", "\ufeffmachines:\r\n\t- a\r\n---\n")
	c := catalog.Default()
	f.Fuzz(func(t *testing.T, name, text string) {
		if len(text) > 1<<16 || strings.ContainsAny(name, "\n\r") {
			return
		}
		v, err := Parse(name, []byte(text), c)
		if err != nil {
			for _, p := range err.(Problems) {
				if strings.ContainsFunc(p.What, func(r rune) bool { return r < ' ' || r == 0x7f }) {
					t.Errorf("control character in %q", p.What)
				}
			}
			return
		}
		for _, m := range v.Machines {
			for _, a := range m.Addrs {
				if p, ok := v.Place(a.Addr); !ok || p.Machine != m {
					t.Errorf("%s is placed at %v, want %s", a.Addr, p.Machine, m.Name)
				}
			}
		}
		var b bytes.Buffer
		if err := v.WriteYAML(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("back.yaml", b.Bytes(), c); err != nil {
			t.Errorf("reading back what was written: %v\n%s", err, b.String())
		}
	})
}
