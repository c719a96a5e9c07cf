package report

import (
	"encoding/json"
	"testing"

	"flowvet/match"
)

func TestSARIFIsOfItsSchema(t *testing.T) {
	check := checkSchema(t, "sarif-2.1.0.json")
	check(t, render(t, SARIF, newLab().result(), Options{Version: "1.2.3"}))
	check(t, render(t, SARIF, emptyResult(), Options{}))
	for _, s := range hostileStrings() {
		check(t, render(t, SARIF, poison(s), Options{Version: s, Files: []string{s}}))
	}
}

type sarifLog struct {
	Runs []struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	} `json:"runs"`
}

func TestSARIFResults(t *testing.T) {
	r := newLab().result()
	var log sarifLog
	if err := json.Unmarshal([]byte(render(t, SARIF, r, Options{})), &log); err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, rule := range log.Runs[0].Tool.Driver.Rules {
		rules[rule.ID] = true
	}
	want := map[string]bool{} // by id: suppressed
	for _, f := range r.Findings.All() {
		if f.Level >= match.LevelWarning {
			want[f.ID()] = f.Disposition.Excepted()
		}
	}
	for i := range r.Expectations {
		if e := &r.Expectations[i]; e.Level >= match.LevelWarning {
			want[e.ID] = e.Disposition.Excepted()
		}
	}
	got := map[string]bool{}
	for _, result := range log.Runs[0].Results {
		id := result.Fingerprints["flowvetFinding/v1"] + result.Fingerprints["flowvetExpectation/v1"]
		got[id] = len(result.Suppressions) > 0
		if !rules[result.RuleID] {
			t.Errorf("%s: no rule %s", id, result.RuleID)
		}
		if result.Properties.Bucket == "indeterminate" && (result.Kind != "open" || result.Level != "none") {
			t.Errorf("%s is indeterminate, and of kind %s, level %s", id, result.Kind, result.Level)
		}
		if result.Properties.Frame > 0 && result.Locations[0].Physical.Artifact.URI != "mgmt.pcap" {
			t.Errorf("%s: its packet is in %+v", id, result.Locations[0].Physical)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d results, want %d", len(got), len(want))
	}
	for id, suppressed := range want {
		if got[id] != suppressed {
			t.Errorf("%s: suppressed is %v, want %v", id, got[id], suppressed)
		}
	}
}

func TestFileURI(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"mgmt.pcap", "mgmt.pcap"},
		{"/captures/a b.pcap", "/captures/a%20b.pcap"},
		{"c:x.pcap", "./c:x.pcap"},
		{"100%#?.pcap", "100%25%23%3F.pcap"},
		{"\x1b\xff", "%1B%FF"},
		{"//host/x", "/.//host/x"},
	} {
		if got := fileURI(tt.name); got != tt.want {
			t.Errorf("fileURI(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}
