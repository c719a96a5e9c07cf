package report

// Rules of the OSCAL report (NIST OSCAL 1.1.3, assessment-results)
//
//  1. One result with one observation per cause, as in the text report, for what is open, excepted or could not be judged.
//  2. A finding per objective of flowvet's own: traffic is documented; what is expected is there. OSCAL knows satisfied and
//     not satisfied only: where it could not be judged there is no finding, and the result's remarks say so.
//  3. Each run of a scenario is an observation, and a finding on an objective of the scenario's name, unless it is inconclusive.
//  4. What an exception covers is a risk whose status is deviation-approved.
//  5. Identifiers are version 5 UUIDs (RFC 9562) of what they name: the same result gives the same bytes.

import (
	"bufio"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"flowvet/inventory"
	"flowvet/match"
	"flowvet/safejson"
)

// oscalVersion is the version of the model.
const oscalVersion = "1.1.3"

type oscalDocument struct {
	Results oscalAssessment `json:"assessment-results"`
}

type oscalAssessment struct {
	UUID     string        `json:"uuid"`
	Metadata oscalMetadata `json:"metadata"`
	Plan     oscalLink     `json:"import-ap"`
	Results  []oscalResult `json:"results"`
	Back     oscalBack     `json:"back-matter"`
}

type oscalMetadata struct {
	Title        string `json:"title"`
	LastModified string `json:"last-modified"`
	Version      string `json:"version"`
	OSCALVersion string `json:"oscal-version"`
}

type oscalLink struct {
	Href string `json:"href"`
}

type oscalBack struct {
	Resources []oscalResource `json:"resources"`
}

type oscalResource struct {
	UUID        string      `json:"uuid"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Props       []oscalProp `json:"props,omitempty"`
}

type oscalProp struct {
	Name  string `json:"name"`
	NS    string `json:"ns,omitempty"`
	Value string `json:"value"`
}

type oscalResult struct {
	UUID         string             `json:"uuid"`
	Title        string             `json:"title"`
	Description  string             `json:"description"`
	Start        string             `json:"start"`
	End          string             `json:"end,omitempty"`
	Props        []oscalProp        `json:"props"`
	Local        *oscalLocal        `json:"local-definitions,omitempty"`
	Reviewed     oscalReviewed      `json:"reviewed-controls"`
	Observations []oscalObservation `json:"observations,omitempty"`
	Risks        []oscalRisk        `json:"risks,omitempty"`
	Findings     []oscalFinding     `json:"findings,omitempty"`
	Remarks      string             `json:"remarks"`
}

type oscalLocal struct {
	Items []oscalResourceItem `json:"inventory-items"`
}

type oscalResourceItem struct {
	UUID        string      `json:"uuid"`
	Description string      `json:"description"`
	Props       []oscalProp `json:"props,omitempty"`
}

type oscalReviewed struct {
	Description string           `json:"description"`
	Selections  []oscalSelection `json:"control-selections"`
}

type oscalSelection struct {
	Include []oscalControl `json:"include-controls"`
}

type oscalControl struct {
	ID string `json:"control-id"`
}

type oscalObservation struct {
	UUID        string          `json:"uuid"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Props       []oscalProp     `json:"props"`
	Methods     []string        `json:"methods"`
	Subjects    []oscalSubject  `json:"subjects,omitempty"`
	Evidence    []oscalEvidence `json:"relevant-evidence,omitempty"`
	Collected   string          `json:"collected"`
}

type oscalSubject struct {
	UUID string `json:"subject-uuid"`
	Type string `json:"type"`
}

type oscalEvidence struct {
	Href        string `json:"href"`
	Description string `json:"description"`
}

type oscalRisk struct {
	UUID        string             `json:"uuid"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Statement   string             `json:"statement"`
	Status      string             `json:"status"`
	Deadline    string             `json:"deadline,omitempty"`
	Related     []oscalObservedRef `json:"related-observations,omitempty"`
}

type oscalObservedRef struct {
	UUID string `json:"observation-uuid"`
}

type oscalFinding struct {
	UUID        string             `json:"uuid"`
	Title       string             `json:"title"`
	Description string             `json:"description"`
	Target      oscalTarget        `json:"target"`
	Related     []oscalObservedRef `json:"related-observations,omitempty"`
}

type oscalTarget struct {
	Type   string      `json:"type"`
	ID     string      `json:"target-id"`
	Status oscalStatus `json:"status"`
}

type oscalStatus struct {
	State  string `json:"state"`
	Reason string `json:"reason"`
}

// OSCAL writes the report for compliance tools.
func OSCAL(w io.Writer, r *match.Result, o Options) error {
	a := &oscalWriter{teller: newTeller(r, o), known: map[*inventory.Machine]string{}}
	data, err := json.MarshalIndent(a.document(), "", " ")
	if err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	b.Write(safejson.Append(nil, data))
	b.WriteByte('\n')
	return b.Flush()
}

// oscalWriter gathers the parts of one document.
type oscalWriter struct {
	*teller
	items   []oscalResourceItem
	known   map[*inventory.Machine]string // UUIDs of the items
	against [match.Documented + 1][]oscalObservedRef
}

func (a *oscalWriter) document() oscalDocument {
	run := a.runName()
	plan := UUID5("plan " + run)
	return oscalDocument{oscalAssessment{
		UUID: UUID5("document " + run),
		Metadata: oscalMetadata{
			Title: "Network traffic held against the published ports", LastModified: oscalTime(a.r.AsOf),
			Version: oscalString(a.o.Version), OSCALVersion: oscalVersion,
		},
		Plan:    oscalLink{"#" + plan},
		Results: []oscalResult{a.result(run)},
		Back: oscalBack{append([]oscalResource{{
			UUID: plan, Title: "flowvet check", Description: "The plan is the port document itself: its rows are what was tested.",
		}}, a.captureResources()...)},
	}}
}

// runName tells one run from another: by time, captures and outcome.
func (a *oscalWriter) runName() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %+v", a.r.AsOf.UnixNano(), a.o.Version, a.r.Counts)
	for i := range a.r.Captures {
		c := &a.r.Captures[i]
		fmt.Fprintf(&b, " %q %d %d", captureName(a.r, a.o, uint32(i)), c.Size, c.Packets)
	}
	return b.String()
}

func (a *oscalWriter) captureResources() []oscalResource {
	var all []oscalResource
	for i := range a.r.Captures {
		c := &a.r.Captures[i]
		all = append(all, oscalResource{
			UUID: a.captureID(uint32(i)), Title: oscalString(captureName(a.r, a.o, uint32(i))),
			Description: fmt.Sprintf("A capture: %s, %s", count(c.Packets, "packet"), joined(lossAndFilter(c)...)),
			Props:       captureProps(c),
		})
	}
	return all
}

func captureProps(c *match.CaptureInfo) []oscalProp {
	props := []oscalProp{oscalOwn("bytes", fmt.Sprint(c.Size)), oscalOwn("packets", fmt.Sprint(c.Packets))}
	if c.SHA256 != "" {
		props = append(props, oscalOwn("sha256", c.SHA256))
	}
	return props
}

func (a *oscalWriter) captureID(file uint32) string {
	return UUID5(fmt.Sprintf("capture %d %s", file, captureName(a.r, a.o, file)))
}

func (a *oscalWriter) result(run string) oscalResult {
	observations := append(a.observations(), a.scenarioObservations()...)
	result := oscalResult{
		UUID: UUID5("result " + run), Title: "flowvet check", Description: oscalString(a.sums()), Start: oscalTime(a.r.AsOf),
		Props: a.props(),
		Reviewed: oscalReviewed{
			Description: "Traffic evidence speaks to least functionality, boundary protection and internal connections (NIST SP 800-53 rev. 5). It proves none of them alone.",
			Selections:  []oscalSelection{{[]oscalControl{{"cm-7"}, {"sc-7"}, {"ca-9"}}}},
		},
		Observations: observations, Risks: a.risks(), Findings: append(a.findings(), a.scenarioFindings()...),
		Remarks: oscalString(joined(plainText(a.outcomeOfScenarios())+" "+a.outcomeOfRun().text, a.undecided(), a.partial())),
	}
	if a.r.Last > 0 {
		result.Start, result.End = oscalTime(time.Unix(0, a.r.First)), oscalTime(time.Unix(0, a.r.Last))
	}
	if len(a.items) > 0 {
		result.Local = &oscalLocal{a.items}
	}
	return result
}

// props are the facts of the result that the model has no word for.
func (a *oscalWriter) props() []oscalProp {
	props := []oscalProp{oscalOwn("exit-status", fmt.Sprint(a.r.Status))}
	for _, name := range a.unofficialCatalogs() {
		props = append(props, oscalOwn("unofficial-catalogue", name))
	}
	return props
}

// undecided says for what no finding is given.
func (a *oscalWriter) undecided() string {
	c := a.r.Counts
	if n := c.Indeterminate + c.CouldNotJudge; n > 0 {
		return fmt.Sprintf("%d could not be judged: for these there is an observation and no finding", n)
	}
	return ""
}

// observations has one for each cause of what is not documented or not there.
func (a *oscalWriter) observations() []oscalObservation {
	var all []oscalObservation
	add := func(b match.Bucket, o oscalObservation) {
		all = append(all, o)
		a.against[b] = append(a.against[b], oscalObservedRef{o.UUID})
	}
	for _, b := range []match.Bucket{match.Undocumented, match.Absent, match.Indeterminate} {
		for _, g := range a.tally.groups[b] {
			add(b, a.conversation(g))
		}
		for _, s := range shortfalls(a.r, a.shown, b) {
			add(b, a.expectation(s))
		}
	}
	return all
}

func (a *oscalWriter) conversation(g *group) oscalObservation {
	f := g.exemplar(a.r)
	o := a.observation(f.ID(), f.Bucket(), g.level, f.Verdict.String(), len(g.members))
	o.Props = append(o.Props, oscalOwn("display-filter", f.Filter()))
	o.Title, o.Description = oscalString(plainText(a.headline(g, f))), oscalString(a.sentenceOf(g, f)+". Seen: "+a.seen(g, f)+".")
	for _, i := range g.members[:min(len(g.members), maxLogical)] {
		m := a.r.Findings.At(i)
		o.Subjects = a.subject(a.subject(o.Subjects, m.From.Machine), m.To.Machine)
	}
	if f.Evidence.Frame > 0 {
		o.Evidence = []oscalEvidence{{"#" + a.captureID(f.Evidence.File), oscalString(reference(a.r, a.o, f.Evidence))}}
	}
	return o
}

func (a *oscalWriter) expectation(s *shortfall) oscalObservation {
	e := s.members[0]
	o := a.observation(e.ID, e.Bucket(), e.Level, e.Verdict.String(), len(s.members))
	if e.Filter != "" {
		o.Props = append(o.Props, oscalOwn("display-filter", e.Filter))
	}
	o.Title, o.Description = oscalString(plainText(a.expected(s))), oscalString(a.became(s)+".")
	for _, m := range s.members[:min(len(s.members), maxLogical)] {
		o.Subjects = a.subject(o.Subjects, m.Subject)
	}
	return o
}

func (a *oscalWriter) observation(id string, b match.Bucket, l match.Level, verdict string, members int) oscalObservation {
	return oscalObservation{
		UUID: UUID5("observation " + b.String() + " " + verdict + " " + id), Methods: []string{"TEST"}, Collected: oscalTime(a.r.AsOf),
		Props: []oscalProp{
			oscalOwn("bucket", b.String()), oscalOwn("verdict", verdict), oscalOwn("level", l.String()),
			oscalOwn("members", fmt.Sprint(members)), oscalOwn("first-id", id),
		},
	}
}

// subject adds a machine to the subjects of an observation, and to the inventory items of the result.
func (a *oscalWriter) subject(subjects []oscalSubject, m *inventory.Machine) []oscalSubject {
	if m == nil {
		return subjects
	}
	if a.known[m] == "" {
		a.known[m] = UUID5(fmt.Sprintf("machine %d %s", len(a.items), m.Name))
		item := oscalResourceItem{UUID: a.known[m], Description: oscalString(m.Name)}
		for _, addr := range m.Addrs {
			family := "ipv4-address"
			if addr.Addr.Is6() {
				family = "ipv6-address"
			}
			item.Props = append(item.Props, oscalProp{Name: family, Value: addr.Addr.String()})
		}
		a.items = append(a.items, item)
	}
	for _, s := range subjects {
		if s.UUID == a.known[m] {
			return subjects
		}
	}
	return append(subjects, oscalSubject{a.known[m], "inventory-item"})
}

// risks has one for each exception that covers something.
func (a *oscalWriter) risks() []oscalRisk {
	var all []oscalRisk
	for _, u := range a.r.Exceptions {
		if x := u.Exception; u.Used > 0 && u.State != "expired" {
			all = append(all, oscalRisk{
				UUID: UUID5("exception " + x.ID), Title: oscalString(x.ID), Description: "Accepted: covers " + count(u.Used, "finding") + ".",
				Statement: oscalString(x.Justification + "; " + ownedBy(x)), Status: "deviation-approved", Deadline: oscalTime(x.Expires),
			})
		}
	}
	return all
}

// findings judges flowvet's two objectives, where they could be judged.
func (a *oscalWriter) findings() []oscalFinding {
	if a.r.Recognised == 0 || a.r.Status == 70 {
		return nil
	}
	c := a.r.Counts
	var all []oscalFinding
	add := func(id, title string, against []oscalObservedRef, undecided bool) {
		f := oscalFinding{
			UUID: UUID5("objective " + id + " " + a.runName()), Title: title, Description: oscalString(a.sums()),
			Target: oscalTarget{"objective-id", id, oscalStatus{"satisfied", "pass"}}, Related: against,
		}
		switch {
		case len(against) > 0:
			f.Target.Status = oscalStatus{"not-satisfied", "fail"}
		case undecided:
			return
		}
		all = append(all, f)
	}
	add("flowvet-documented", "Every conversation of these machines is documented", a.against[match.Undocumented], c.Indeterminate > 0)
	add("flowvet-expected", "Everything that is expected of these machines was seen", a.against[match.Absent], c.CouldNotJudge > 0)
	return all
}

// scenarioObservations has one for each run of a scenario.
func (a *oscalWriter) scenarioObservations() []oscalObservation {
	var all []oscalObservation
	for i := range a.r.Scenarios {
		run := &a.r.Scenarios[i]
		o := oscalObservation{
			UUID: a.scenarioID(run), Title: oscalString("scenario " + run.Scenario.Name + ": " + run.Verdict.String()),
			Description: oscalString(a.runSentence(run)), Methods: []string{"TEST"}, Collected: oscalTime(a.r.AsOf),
			Props: []oscalProp{oscalOwn("scenario", runID(run)), oscalOwn("verdict", run.Verdict.String())},
		}
		for _, m := range boundMachines(run) {
			o.Subjects = a.subject(o.Subjects, m)
		}
		all = append(all, o)
	}
	return all
}

func (a *oscalWriter) scenarioID(run *match.ScenarioRun) string {
	return UUID5("scenario " + runID(run) + " " + a.runName())
}

// scenarioFindings judges the objective of each run that passed or failed.
func (a *oscalWriter) scenarioFindings() []oscalFinding {
	var all []oscalFinding
	for i := range a.r.Scenarios {
		run := &a.r.Scenarios[i]
		if run.Verdict == match.Inconclusive {
			continue
		}
		status := oscalStatus{"satisfied", "pass"}
		if run.Verdict == match.Fail {
			status = oscalStatus{"not-satisfied", "fail"}
		}
		all = append(all, oscalFinding{
			UUID: UUID5("objective " + a.scenarioID(run)), Title: oscalString("Scenario " + run.Scenario.Name + ": " + run.Scenario.Title),
			Description: oscalString(run.Why), Target: oscalTarget{"objective-id", fmt.Sprintf("flowvet-scenario-%d-%s", run.Number, run.Scenario.Name), status},
			Related: []oscalObservedRef{{a.scenarioID(run)}},
		})
	}
	return all
}

// oscalOwn is a property of flowvet's own.
func oscalOwn(name, value string) oscalProp {
	return oscalProp{Name: name, NS: "urn:flowvet:oscal", Value: oscalString(value)}
}

// oscalString makes a string that the model takes: not empty, on one line, without spaces around it.
func oscalString(s string) string {
	if s = strings.TrimSpace(visible(s, maxCell)); s == "" {
		return "-"
	}
	return s
}

func oscalTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// UUID5 returns the version 5 UUID (RFC 9562, section 5.5) of a name. The namespace is the UUID of "flowvet" in the DNS one.
func UUID5(name string) string {
	sum := sha1.Sum([]byte("\xf9\x5d\xcd\x5a\x3c\x0b\x52\xbb\x9e\x07\xe1\xd1\xc4\xf1\x8d\x07" + name))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}
