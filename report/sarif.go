package report

// Rules of the SARIF report (SARIF 2.1.0, OASIS, errata 01)
//
//  1. One run; its rules are flowvet's verdicts. A result is a finding or an expectation at level warning or above.
//  2. What an exception covers is a result with a suppression, so that a viewer can tell accepted from gone.
//  3. An indeterminate result has kind "open" and, as the standard demands of such, level "none": it accuses nobody.
//  4. The logical locations are the machines, initiator first. The physical one is the capture; its frame is no region of
//     a text, and stands in the message and the properties.
//  5. A run of a scenario is a result too, of kind pass, fail or open: its message names the lines that decided it.

import (
	"bufio"
	"io"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"flowvet/inventory"
	"flowvet/match"
)

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID    string        `json:"id"`
	Short sarifText     `json:"shortDescription"`
	Conf  sarifSeverity `json:"defaultConfiguration"`
	Props sarifBucket   `json:"properties"`
}

type sarifSeverity struct {
	Level string `json:"level"`
}

type sarifBucket struct {
	Bucket string `json:"bucket"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version,omitempty"`
	Rules   []sarifRule `json:"rules"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifInvocation struct {
	Successful bool   `json:"executionSuccessful"`
	ExitCode   int    `json:"exitCode"`
	ExitWhy    string `json:"exitCodeDescription,omitempty"`
	EndTime    string `json:"endTimeUtc"`
}

type sarifArtifact struct {
	Location sarifURI `json:"location"`
	Length   int64    `json:"length"`
	Roles    []string `json:"roles"`
}

type sarifURI struct {
	URI   string `json:"uri"`
	Index *int   `json:"index,omitempty"`
}

type sarifResult struct {
	RuleID       string             `json:"ruleId"`
	Kind         string             `json:"kind"`
	Level        string             `json:"level"`
	Message      sarifText          `json:"message"`
	Locations    []sarifLocation    `json:"locations"`
	Fingerprints map[string]string  `json:"partialFingerprints"`
	Suppressions []sarifSuppression `json:"suppressions"`
	Properties   sarifProperties    `json:"properties"`
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact sarifURI `json:"artifactLocation"`
}

type sarifLogical struct {
	Name string `json:"name"`
	Full string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

type sarifSuppression struct {
	Kind          string `json:"kind"`
	Status        string `json:"status"`
	Justification string `json:"justification"`
}

type sarifProperties struct {
	Bucket     string   `json:"bucket"`
	Rows       []string `json:"rows"`
	Qualifiers []string `json:"qualifiers,omitempty"`
	Frame      uint64   `json:"frame,omitempty"`
	Filter     string   `json:"filter,omitempty"`
	Unofficial []string `json:"unofficial,omitempty"` // those of the rows that are not of the vendor's document
}

// sarifRunProperties are the facts of a run that the standard has no word for.
type sarifRunProperties struct {
	Unofficial []string `json:"unofficialCatalogues,omitempty"`
}

// sarifHead names the standard. The address is the schema's own identifier; nothing is fetched from it.
const sarifHead = `{
 "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
 "version": "2.1.0",
 "runs": [`

// SARIF writes the report for code-scanning dashboards.
func SARIF(w io.Writer, r *match.Result, o Options) error {
	t := newTeller(r, o)
	s := &stream{w: bufio.NewWriter(w)}
	s.raw(sarifHead)
	s.field("tool", sarifTool{sarifDriver{Name: "flowvet", Version: o.Version, Rules: sarifRules()}})
	s.field("columnKind", "unicodeCodePoints")
	if names := t.unofficialCatalogs(); len(names) > 0 {
		s.field("properties", sarifRunProperties{names})
	}
	s.field("invocations", []sarifInvocation{{
		r.Status != 4 && r.Status != 70, r.Status, Terminal(r.StatusWhy), r.AsOf.UTC().Format("2006-01-02T15:04:05Z"),
	}})
	s.array("artifacts", len(r.Captures), func(i int) any {
		return sarifArtifact{sarifURI{URI: fileURI(captureName(r, o, uint32(i)))}, r.Captures[i].Size, []string{"analysisTarget"}}
	})
	s.array("results", r.Findings.Len()+len(r.Expectations)+len(r.Scenarios), func(i int) any {
		expectation := i - r.Findings.Len()
		scenario := expectation - len(r.Expectations)
		switch {
		case expectation < 0:
			return t.sarifFinding(i)
		case scenario < 0:
			return t.sarifExpectation(&r.Expectations[expectation])
		}
		return t.sarifScenario(&r.Scenarios[scenario])
	})
	s.raw("\n}\n]}\n")
	return s.flush()
}

// sarifRules are the verdicts that a result can have.
func sarifRules() []sarifRule {
	var rules []sarifRule
	seen := map[string]bool{}
	add := func(id, means, level, bucket string) {
		if !seen[id] {
			seen[id] = true
			rules = append(rules, sarifRule{id, sarifText{means}, sarifSeverity{level}, sarifBucket{bucket}})
		}
	}
	for v := match.DocumentedBroad; v <= match.UnlistedPort; v++ {
		add(v.String(), meaning(v), v.Level().String(), v.Bucket().String())
	}
	for _, v := range match.ExpectationVerdicts()[match.ExpectedHalfOpen:] {
		level := "error"
		if v.Bucket() == match.Indeterminate {
			level = "warning"
		}
		add(v.String(), expectationMeaning(v), level, v.Bucket().String())
	}
	add(match.VerdictDocumented.String(), meaning(match.VerdictDocumented), "warning", match.Documented.String())
	add(match.DocumentedOverride.String(), meaning(match.DocumentedOverride), "warning", match.Documented.String())
	add(sarifScenarioRule(match.Fail), "a required line of the scenario is violated", "error", match.Absent.String())
	add(sarifScenarioRule(match.Inconclusive), "a required line of the scenario could not be judged", "warning", match.Indeterminate.String())
	add(sarifScenarioRule(match.Pass), "every required line of the scenario is met", "none", match.Documented.String())
	return rules
}

// sarifFinding returns a finding as a result; nil when it is none.
func (t *teller) sarifFinding(i int) any {
	f := t.r.Findings.At(i)
	if f.Level < match.LevelWarning || !t.shown.finding(f) {
		return nil
	}
	g := &group{bucket: f.Bucket(), level: f.Level, members: []int{i}, packets: f.Sent.Packets + f.Received.Packets}
	result := sarifResultOf(f.Verdict.String(), f.Bucket(), f.Level, f.Disposition)
	result.Message.Text = plainText(t.headline(g, f)) + ": " + t.sentence(g, f) + ". Seen: " + t.seen(g, f) + "."
	result.Fingerprints = map[string]string{"flowvetFinding/v1": f.ID()}
	result.Properties.Rows, result.Properties.Qualifiers, result.Properties.Filter = rowIDs(f.Rows), f.Qualifiers.Names(), f.Filter()
	result.Properties.Unofficial = unofficial(f.Rows)
	result.Properties.Frame = f.Evidence.Frame
	result.Locations = []sarifLocation{{
		Physical: t.sarifPlace(f),
		Logical:  []sarifLogical{sarifEnd(f.Initiator, f.From), sarifEnd(f.Responder, f.To)},
	}}
	return result
}

// sarifExpectation returns an expectation as a result; nil when it is none.
func (t *teller) sarifExpectation(e *match.Expectation) any {
	if e.Level < match.LevelWarning || !t.shown.expectation(e) {
		return nil
	}
	one := &shortfall{members: []*match.Expectation{e}}
	result := sarifResultOf(e.Verdict.String(), e.Bucket(), e.Level, e.Disposition)
	result.Message.Text = plainText(t.expected(one)) + ": " + t.became(one) + "."
	result.Fingerprints = map[string]string{"flowvetExpectation/v1": e.ID}
	result.Properties.Rows, result.Properties.Filter = rowIDs(e.Rows), e.Filter
	result.Properties.Unofficial = unofficial(e.Rows)
	here := sarifLocation{}
	if len(e.Evidence) > 0 {
		f := t.r.Findings.At(e.Evidence[0])
		here.Physical, result.Properties.Frame = t.sarifPlace(f), f.Evidence.Frame
	}
	machines := e.Candidates.First(maxLogical)
	if e.Subject != nil {
		machines = append([]*inventory.Machine{e.Subject}, machines...)
	}
	for _, m := range machines[:min(len(machines), maxLogical)] {
		one := sarifLogical{Terminal(m.Name), Terminal(m.Name), "machine"}
		if !slices.Contains(here.Logical, one) { // the standard wants them distinct
			here.Logical = append(here.Logical, one)
		}
	}
	result.Locations = []sarifLocation{here}
	return result
}

// sarifScenarioRule names the rule of a verdict on a scenario.
func sarifScenarioRule(v match.ScenarioVerdict) string { return "scenario-" + v.String() }

// sarifScenario returns a run of a scenario as a result.
func (t *teller) sarifScenario(run *match.ScenarioRun) any {
	kind, level, bucket := "fail", "error", match.Absent
	switch run.Verdict {
	case match.Pass:
		kind, level, bucket = "pass", "none", match.Documented
	case match.Inconclusive:
		kind, level, bucket = "open", "none", match.Indeterminate
	}
	here := sarifLocation{}
	for _, m := range boundMachines(run) {
		here.Logical = append(here.Logical, sarifLogical{Terminal(m.Name), Terminal(m.Name), "machine"})
	}
	result := sarifResult{
		RuleID: sarifScenarioRule(run.Verdict), Kind: kind, Level: level, Locations: []sarifLocation{}, Suppressions: []sarifSuppression{},
		Message:      sarifText{t.runSentence(run)},
		Fingerprints: map[string]string{"flowvetScenario/v1": Terminal(runID(run))},
		Properties:   sarifProperties{Bucket: bucket.String(), Rows: []string{}, Unofficial: t.unofficialOf(run)},
	}
	if len(here.Logical) > 0 {
		result.Locations = append(result.Locations, here)
	}
	return result
}

// maxLogical bounds the machines of one result: 500 hosts are candidates of each other.
const maxLogical = 20

// sarifResultOf fills in what every result has.
func sarifResultOf(verdict string, b match.Bucket, l match.Level, d match.Disposition) sarifResult {
	result := sarifResult{
		RuleID: verdict, Kind: "fail", Level: l.String(), Suppressions: []sarifSuppression{},
		Properties: sarifProperties{Bucket: b.String()},
	}
	if b == match.Indeterminate {
		result.Kind, result.Level = "open", "none"
	}
	if x := d.Exception; x != nil {
		why := Terminal(x.ID) + ", " + ownedBy(x) + ": " + Terminal(x.Justification)
		result.Suppressions = []sarifSuppression{{"external", "accepted", why}}
	}
	return result
}

// sarifPlace is the capture of the packet that decided a finding; nil for none.
func (t *teller) sarifPlace(f *match.Finding) *sarifPhysical {
	if f.Evidence.Frame == 0 {
		return nil
	}
	place := &sarifPhysical{sarifURI{URI: fileURI(captureName(t.r, t.o, f.Evidence.File))}}
	if i := int(f.Evidence.File); i < len(t.r.Captures) {
		place.Artifact.Index = &i
	}
	return place
}

func sarifEnd(a netip.Addr, p *inventory.Placed) sarifLogical {
	if p.Machine == nil {
		return sarifLogical{a.String(), a.String(), "address"}
	}
	return sarifLogical{Terminal(p.Machine.Name), Terminal(p.Machine.Name) + "/" + a.String(), "machine"}
}

// fileURI makes a relative or absolute URI reference (RFC 3986) of a file name. A path that begins with two slashes would
// be taken for a host.
func fileURI(name string) string {
	path := filepath.ToSlash(name)
	if strings.HasPrefix(path, "//") {
		path = "/." + path
	}
	return (&url.URL{Path: path}).String()
}
