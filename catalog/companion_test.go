package catalog

import (
	"encoding/csv"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCompanionsCanBeUsedTogether(t *testing.T) {
	want := []string{"addendum", "horizon", "nsx", "replication", "vsan", "vsphere5", "vsphere6", "vsphere7", "vsphere8"}
	if got := Companions(); !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	c, err := Load(true, want...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Sources {
		if s.Unofficial != (s.Name != "built-in") {
			t.Errorf("%s: unofficial is %v", s.Name, s.Unofficial)
		}
	}
	for _, text := range []string{"ESXi 5.5", "ESXi 6.7", "ESXi 7.0", "ESXi 8.0", "vCenter 7.0", "vSAN 7.0", "Horizon 8.1"} {
		if d, err := c.Deployed(text); err != nil || !c.Known(d) {
			t.Errorf("%s: known %v, error %v", text, c.Known(d), err)
		}
	}
}

func TestTheCompanionForAVersionIsKnown(t *testing.T) {
	for text, want := range map[string]string{
		"ESXi 5.5": "vsphere5", "vCenter 6.7": "vsphere6", "ESXi 7.0": "vsphere7", "ESXi 8.0": "vsphere8", "ESXi 9.0": "", "ESX 5.5": "",
	} {
		d, err := Default().Deployed(text)
		if got := CompanionFor(d); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", text, got, err, want)
		}
	}
}

func TestNoCompanionIsInUseUnlessItIsNamed(t *testing.T) {
	for _, r := range Default().Rows {
		if r.Origin.Unofficial || r.Citation != "" {
			t.Errorf("%s is not of the document", r.ID)
		}
	}
	if _, err := Load(true, "vsphere9"); err == nil || !strings.Contains(err.Error(), "vsphere8") {
		t.Errorf("got %v, want an error that names the companions", err)
	}
}

// needless are rows of companions that let pass what others do, for wider roles. Each is what a source of its own says.
var needless = []string{"A102", "HZN-030", "HZN-032", "V5-063", "V6-040", "V6-041", "V6-068", "V6-069"}

func TestEveryCompanionRowCitesWhatItRestsOn(t *testing.T) {
	for _, name := range Companions() {
		c, err := Load(false, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rows {
			if r.Citation == "" || r.Purpose == "" || !r.Origin.Unofficial {
				t.Errorf("%s: %s: citation %q, purpose %q, unofficial %v", name, r.ID, r.Citation, r.Purpose, r.Origin.Unofficial)
			}
		}
		for _, p := range Lint("companions/" + name + ".csv") {
			if !p.Warning || !strings.Contains(p.Text, "span more than 256 ports") && !slices.Contains(needless, p.Value) {
				t.Error(p)
			}
		}
	}
}

// publicWorks are citations that need no collection of facts: standards, and two pages that everybody can read.
var publicWorks = []string{"RFC ", "Microsoft, ", "vReferenceCards "}

// TestCompanionRowsSayWhatTheirSourcesSay holds every row against the facts it was made from: a source it cites must state
// the row's ports in the row's transport.
func TestCompanionRowsSayWhatTheirSourcesSay(t *testing.T) {
	facts := collectedFacts(t)
	for _, name := range Companions() {
		c, err := Load(false, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rows {
			if !facts.support(r) {
				t.Errorf("%s: %s %s %s: no fact of %q says so", name, r.ID, r.Ports, r.Transport, r.Citation)
			}
		}
	}
}

// fact is a port that a source states.
type fact struct {
	ports     Ports
	transport Transport
	citation  string
}

type collection []fact

// support reports whether the sources a row cites state its ports and its transport, together or each for itself.
func (fs collection) support(r *Row) bool {
	if slices.ContainsFunc(publicWorks, func(work string) bool { return strings.Contains(r.Citation, work) }) {
		return true
	}
	var seen Transport
	covered := map[uint16]bool{}
	for _, f := range fs {
		if strings.Contains(r.Citation, f.citation) && r.Ports.Lo <= f.ports.Lo && f.ports.Hi <= r.Ports.Hi && f.transport&r.Transport != 0 {
			seen |= f.transport
			for p := int(f.ports.Lo); p <= int(f.ports.Hi); p++ {
				covered[uint16(p)] = true
			}
		}
	}
	return len(covered) == r.Ports.Len() && seen&r.Transport == r.Transport
}

// collectedFacts reads the collection that the companions were made from, where it is at hand.
func collectedFacts(t *testing.T) collection {
	t.Helper()
	f, err := os.Open("../../shared/seed/modern_ports.tsv")
	if err != nil {
		t.Skip("the collection of facts is not here: ", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes = '\t', true
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var fs collection
	for _, rec := range records[1:] {
		ports, err := parsePorts(rec[2])
		if err != nil {
			t.Fatal(err)
		}
		transport, err := parseTransport(rec[3])
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, fact{ports, transport, rec[7]})
	}
	return fs
}
