package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

func render(t *testing.T, f Format, r *match.Result, o Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, tt := range []struct {
		name   string
		format Format
		result *match.Result
		opts   Options
	}{
		{"text", Text, newLab().result(), Options{Version: "1.2.3", Width: 100, Limit: DefaultLimit}},
		{"text-80", Text, newLab().result(), Options{Version: "1.2.3", Width: 80}},
		{"text-verbose", Text, newLab().result(), Options{Version: "1.2.3", Width: 120, Verbose: true}},
		{"text-color", Text, newLab().result(), Options{Version: "1.2.3", Color: true, Only: []string{"wrong-target", "absent"}}},
		{"text-machine", Text, newLab().result(), Options{Version: "1.2.3", Machine: "esx03"}},
		{"text-limit", Text, newLab().result(), Options{Version: "1.2.3", Limit: 1}},
		{"text-nobody", Text, emptyResult(), Options{Version: "1.2.3"}},
		{"json", JSON, newLab().result(), Options{Version: "1.2.3"}},
		{"csv", CSV, newLab().result(), Options{}},
		{"junit", JUnit, newLab().result(), Options{Version: "1.2.3"}},
		{"sarif", SARIF, newLab().result(), Options{Version: "1.2.3"}},
		{"jsonl", JSONL, newLab().result(), Options{Version: "1.2.3"}},
		{"html", HTML, newLab().result(), Options{Version: "1.2.3", Limit: DefaultLimit}},
		{"oscal", OSCAL, newLab().result(), Options{Version: "1.2.3"}},
		{"markdown", Markdown, newLab().result(), Options{Version: "1.2.3", Limit: DefaultLimit}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := render(t, tt.format, tt.result, tt.opts)
			path := filepath.Join("testdata", tt.name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got; -update rewrites it):\n%s", path, diff)
			}
		})
	}
}

func TestByName(t *testing.T) {
	for _, name := range Names() {
		if f, ok := ByName(name); !ok || f == nil {
			t.Errorf("ByName(%q) = %v, want a format", name, ok)
		}
	}
	if _, ok := ByName("pdf"); ok {
		t.Error(`ByName("pdf") is a format`)
	}
}

func TestCheckOnly(t *testing.T) {
	if err := CheckOnly([]string{"absent", "unlisted-port", "not-observable", "undocumented"}); err != nil {
		t.Errorf("known words: got %v", err)
	}
	err := CheckOnly([]string{"absent", "unlistd"})
	if err == nil || !strings.Contains(err.Error(), "unlistd is no bucket and no verdict") {
		t.Errorf("unknown word: got %v", err)
	}
}

func TestNarrowing(t *testing.T) {
	r := newLab().result()
	for _, tt := range []struct {
		opts         Options
		findings     int
		expectations int
	}{
		{Options{}, r.Findings.Len(), len(r.Expectations)},
		{Options{Machine: "ESX03"}, 1, 1}, // names know no case
		{Options{Machine: "10.0.0.13"}, 1, 1},
		{Options{Machine: "10.0.0.13/32"}, 1, 1},
		{Options{Machine: "10.9.0.0/16"}, 4, 0},
		{Options{Machine: "nobody"}, 0, 0},
		{Options{Only: []string{"absent"}}, 0, 8},
		{Options{Only: []string{"wrong-target"}}, 2, 0},
		{Options{Only: []string{"wrong-target"}, Machine: "esx02"}, 1, 0},
		{Options{Only: []string{"indeterminate"}}, 2, 5},
	} {
		s := newSelection(tt.opts)
		findings, expectations := 0, 0
		for i := range r.Findings.Len() {
			if s.finding(r.Findings.At(i)) {
				findings++
			}
		}
		for i := range r.Expectations {
			if s.expectation(&r.Expectations[i]) {
				expectations++
			}
		}
		if findings != tt.findings || expectations != tt.expectations {
			t.Errorf("machine %q, only %q: got %d findings and %d expectations, want %d and %d",
				tt.opts.Machine, tt.opts.Only, findings, expectations, tt.findings, tt.expectations)
		}
	}
}

// Every verdict has a sentence of its own in the text report.
func TestEveryVerdictIsExplained(t *testing.T) {
	r := newLab().result()
	seen := map[match.Verdict]bool{}
	for i := range r.Findings.Len() {
		seen[r.Findings.Verdict(i)] = true
	}
	for v := match.OutOfScope; v <= match.UnlistedPort; v++ {
		if !seen[v] {
			t.Errorf("the fixture has no %s", v)
		}
	}
	got := render(t, Text, r, Options{Verbose: true, Width: 1000})
	for _, want := range []string{
		"documented for ESX 4.x (R114, source 4 or later, target 4 or later); esx03 is ESX 3.5 (lab.yaml:12)",
		"R262 documents 1433/tcp from vc01 to sql01, not this way",
		"R084 documents port 53 over udp between these two, and this is tcp",
		"esx01 may use 53/udp, but at dns-server (R084); the responder is log01, which is syslog-server (lab.yaml:12)",
		"902/udp is documented at vc01, but for hypervisor-host (R100); the initiator is dns01, which is dns-server (lab.yaml:12)",
		"10.1.1.5 has no role; if 10.1.1.5 were a dns-server, R084 would document this",
		"- {name: dns-server-10-1-1-5, addresses: [{address: 10.1.1.5, roles: [dns-server]}]}",
		"sent to 239.1.2.3 and 255.255.255.255, a broadcast or multicast group",
		"10.0.0.99 as hypervisor-host (medium: 118 heartbeats, every 10.0 s, to 10.0.0.5)",
		"another reading of R236 documents it",
		"R086 documents it if esx04 plays esx-classic",
		"who began is not known",
		"the row spans 64512 ports and is no evidence of need",
		"packets: 1254 read = 1220 judged + 30 ignored (20 not-ip, 10 icmp) + 4 undecodable (4 truncated-before-ports)",
		"exit 4: san.pcapng is cut: the report covers what was read",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the report does not say %q", want)
		}
	}
}

func TestBrokenConservationIsLoud(t *testing.T) {
	r := newLab().result()
	r.Stats.Read++
	if got := render(t, Text, r, Options{}); !strings.Contains(got, "THE SUM DOES NOT HOLD") {
		t.Error("a report with packets unaccounted for does not say so")
	}
}

func TestReportsAreDeterministic(t *testing.T) {
	for _, name := range Names() {
		format, _ := ByName(name)
		first := render(t, format, newLab().result(), Options{Verbose: true})
		for range 5 {
			if render(t, format, newLab().result(), Options{Verbose: true}) != first {
				t.Fatalf("%s: two reports of one result differ", name)
			}
		}
	}
}

func TestWriteErrorsComeOut(t *testing.T) {
	full := errors.New("no space left")
	for _, name := range Names() {
		format, _ := ByName(name)
		if err := format(failAfter{new(int), full}, newLab().result(), Options{}); !errors.Is(err, full) {
			t.Errorf("%s on a full disk: got %v, want %v", name, err, full)
		}
	}
}

// failAfter accepts a first write.
type failAfter struct {
	writes *int
	err    error
}

func (w failAfter) Write(p []byte) (int, error) {
	if *w.writes++; *w.writes > 1 {
		return 0, w.err
	}
	return len(p), nil
}

// A thousand captures are a short header that still names the one with damage.
func TestManyCapturesAreSummedUp(t *testing.T) {
	r := newLab().result()
	damaged := r.Captures[1]
	r.Captures = slices.Repeat(r.Captures[:1], 1000)
	r.Captures[700] = damaged
	header, _, _ := strings.Cut(render(t, Text, r, Options{}), "\nUNDOCUMENTED")
	if n := strings.Count(header, "\n"); n > 20 {
		t.Errorf("the header has %d lines", n)
	}
	for _, want := range []string{"1000 files", "PARTIAL: san.pcapng ends early at byte 4000"} {
		if !strings.Contains(header, want) {
			t.Errorf("the header does not say %q:\n%s", want, header)
		}
	}
}

func TestOrderOfSections(t *testing.T) {
	got := render(t, Text, newLab().result(), Options{})
	var at []int
	for _, heading := range []string{"\nUNDOCUMENTED", "\nABSENT", "\nINDETERMINATE", "\nDOCUMENTED", "\nNOT JUDGED", "\nEXCEPTIONS"} {
		at = append(at, strings.Index(got, heading))
	}
	if at[0] < 0 || !slices.IsSorted(at) {
		t.Errorf("sections stand at %v, want ascending", at)
	}
}

// What the report proposes to copy is what the files it goes to understand.
func TestProposalsCanBeCopied(t *testing.T) {
	c := catalog.Default()
	l := newLab()
	report := render(t, Text, l.result(), Options{Width: 10000})

	var machines, exceptions []string
	for line := range strings.Lines(report) {
		_, proposal, found := strings.Cut(line, ": - {")
		if !found {
			continue
		}
		proposal = "  - {" + strings.TrimSuffix(proposal, "\n")
		if strings.HasPrefix(proposal, "  - {id: ") {
			rest := `justification: "a test", owner: ann, approver: bob, created: 2010-05-01, expires: 2010-06-01`
			exceptions = append(exceptions, strings.Replace(proposal, "…", rest, 1))
		} else {
			machines = append(machines, proposal)
		}
	}
	if len(machines) == 0 || len(exceptions) < 10 {
		t.Fatalf("the report proposes %d machines and %d exceptions", len(machines), len(exceptions))
	}
	for _, m := range l.result().Inventory.Machines {
		machines = append(machines, fmt.Sprintf("  - {name: %s, addresses: [%s]}", m.Name, m.Addrs[0].Addr))
	}
	inv, err := inventory.Parse("lab.yaml", []byte("machines:\n"+strings.Join(machines, "\n")), c)
	if err != nil {
		t.Fatalf("the proposed machines: %v", err)
	}
	if p, ok := inv.Place(addr("10.1.1.5")); !ok || len(p.Roles) != 1 || p.Roles[0].Role != "dns-server" {
		t.Errorf("10.1.1.5 is placed as %+v, want a dns-server", p)
	}
	all, err := match.ParseExceptions("exceptions.yaml", []byte("exceptions:\n"+strings.Join(exceptions, "\n")), c, inv)
	if err != nil {
		t.Fatalf("the proposed exceptions: %v", err)
	}
	if len(all) != len(exceptions) {
		t.Errorf("got %d exceptions of %d", len(all), len(exceptions))
	}
}

func TestTheExampleInventoryIsOne(t *testing.T) {
	text := strings.Join(exampleInventory(emptyResult().Talkers), "\n")
	if _, err := inventory.Parse("example.yaml", []byte(text), catalog.Default()); err != nil {
		t.Errorf("%v in:\n%s", err, text)
	}
}
