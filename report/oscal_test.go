package report

import (
	"encoding/json"
	"regexp"
	"slices"
	"testing"

	"flowvet/match"
)

func TestOSCALIsOfItsSchema(t *testing.T) {
	check := checkSchema(t, "oscal-assessment-results-1.1.3.json")
	check(t, render(t, OSCAL, newLab().result(), Options{Version: "1.2.3"}))
	check(t, render(t, OSCAL, emptyResult(), Options{}))
	for _, s := range hostileStrings() {
		check(t, render(t, OSCAL, poison(s), Options{Version: s, Files: []string{s}}))
	}
}

func oscalOf(t *testing.T, r *match.Result) oscalResult {
	t.Helper()
	var doc oscalDocument
	if err := json.Unmarshal([]byte(render(t, OSCAL, r, Options{})), &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Results.Results[0]
}

// states returns the objectives that were judged.
func states(r oscalResult) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, f.Target.ID+" "+f.Target.Status.State)
	}
	return all
}

// Satisfied is said only where everything could be judged; what could not be judged is no finding.
func TestOSCALSaysSatisfiedOnlyWhenJudged(t *testing.T) {
	r := newLab().result()
	if got := states(oscalOf(t, r)); !slices.Equal(got, []string{"flowvet-documented not-satisfied", "flowvet-expected not-satisfied"}) {
		t.Errorf("the lab: %q", got)
	}
	if got := states(oscalOf(t, emptyResult())); len(got) != 0 {
		t.Errorf("nobody recognised: %q", got)
	}
	r.Findings, r.Expectations, r.Scans = match.Findings{}, nil, nil
	r.Counts = match.Counts{Documented: 3, Met: 2}
	if got := states(oscalOf(t, r)); !slices.Equal(got, []string{"flowvet-documented satisfied", "flowvet-expected satisfied"}) {
		t.Errorf("nothing wrong: %q", got)
	}
	r.Counts.CouldNotJudge = 1
	if got := states(oscalOf(t, r)); !slices.Equal(got, []string{"flowvet-documented satisfied"}) {
		t.Errorf("one could not be judged: %q", got)
	}
}

// Every reference leads somewhere, and no two things have one identifier.
func TestOSCALReferencesLeadSomewhere(t *testing.T) {
	report := render(t, OSCAL, newLab().result(), Options{})
	defined := map[string]bool{}
	for _, m := range regexp.MustCompile(`"uuid": "([^"]+)"`).FindAllStringSubmatch(report, -1) {
		if defined[m[1]] {
			t.Errorf("%s is defined twice", m[1])
		}
		defined[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`"(?:subject-uuid|observation-uuid)": "([^"]+)"|"href": "#([^"]+)"`).FindAllStringSubmatch(report, -1) {
		if !defined[m[1]+m[2]] {
			t.Errorf("%s leads nowhere", m[0])
		}
	}
}
