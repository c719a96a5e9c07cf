package catalog

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// TestScenariosOfTheIssueAreBuiltIn names the operations that must be there, each with something required and with what no
// header can show.
func TestScenariosOfTheIssueAreBuiltIn(t *testing.T) {
	for _, name := range []string{
		"vmotion", "storage-vmotion", "cold-migration", "drs", "ha-failover", "ha-isolation", "ft-failover", "dpm-wake",
		"host-add", "vm-console", "backup-vcb", "backup-vdr", "converter-hot", "converter-linux", "vum-remediation",
		"srm-failover", "view-desktop",
	} {
		s, err := Default().Scenario(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		required := 0
		for _, l := range s.Lines {
			if l.Need == Required {
				required++
			}
		}
		if s.Name != name || required == 0 || len(s.CannotShow) == 0 || !s.Lead.Proposed {
			t.Errorf("%s: name %q, %d required lines, cannot show %q, lead %+v", name, s.Name, required, s.CannotShow, s.Lead)
		}
	}
}

const goodScenario = `scenario: ours
title: a test
lead: {proposed: 30s}
variables:
  SRC: {role: hypervisor-host}
  DST: {role: hypervisor-host, except: [SRC]}
lines:
  - id: memory
    means: memory crosses over
    rows: [R110]
    from: SRC
    to: DST
    max-gap: {proposed: 10s}
    min-bytes: 2MB
`

func TestMistakesInScenariosAreSaidWithLineAndHint(t *testing.T) {
	for _, tt := range []struct{ what, old, now, want string }{
		{"a key that is misspelt", "title:", "titel:", `ours.yaml:2: the scenario: unknown key "titel": did you mean "title"?`},
		{"a row that is nowhere", "R110", "R999", `ours.yaml:10: line 1: rows: row "R999" is in no catalogue in use: flowvet catalog lists them`},
		{"a row of a catalogue that is none", "R110", "vsphere9:V9-003", `ours.yaml:10: line 1: rows: "vsphere9" is no catalogue that comes along: did you mean "vsphere5"?`},
		{"no row at all", "R110", "", `ours.yaml:10: line 1: rows: no row is named: flowvet catalog lists them`},
		{"a role that is misspelt", "{role: hypervisor-host}", "{role: hypervisor-hots}", `ours.yaml:5: variable "SRC": role: unknown role "hypervisor-hots": did you mean "hypervisor-host"?`},
		{"a variable that nobody declared", "to: DST", "to: DTS", `ours.yaml:8: line "memory": "DTS" is no variable of this scenario: did you mean "DST"?`},
		{"a variable in lower case", "  SRC: {", "  src: {", `ours.yaml:5: "src" is no name for a variable: write it in capitals, such as SRC`},
		{"a time without a unit", "10s}", "10}", `ours.yaml:13: line 1: max-gap: "10" is no time: write whole seconds, such as 60s or 5m`},
		{"an amount that is none", "2MB", "much", `ours.yaml:14: line 1: min-bytes: "much" is no amount of bytes: write 1000000 or 1MB`},
		{"a row between other roles", "R110", "R100", `ours.yaml:8: line "memory": row R100 does not lie between the roles of SRC and DST: from is who begins, to is who listens`},
		{"a key given twice", "title: a test", "title: a test\ntitle: again", `ours.yaml:3: the scenario: key "title" is given twice, first on line 2`},
		{"an order that cannot be", "from: SRC", "from: SRC\n    after: [nothing]", `ours.yaml:8: line "memory": after: there is no line "nothing" before it: an earlier line is expected`},
		{"neither rows nor silence", "    rows: [R110]\n", "", `ours.yaml:8: line 1: one of rows, silent, speaks and announces is expected, not 0`},
		{"an alias", "means: memory crosses over", "means: &a memory\n    cannot-show: *a", `ours.yaml:10: line 1: aliases are not used here: write the value out`},
		{"no YAML", "lines:", "lines: [", "ours.yaml:"},
	} {
		_, err := Default().ParseScenario("ours.yaml", []byte(strings.Replace(goodScenario, tt.old, tt.now, 1)))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v\nwant %s", tt.what, err, tt.want)
		}
	}
}

// TestRowsOfCompanionsCountWhereTheyAreInUse holds that a scenario goes on to later products with their catalogue, and that no
// row of a built-in one is misspelt.
func TestRowsOfCompanionsCountWhereTheyAreInUse(t *testing.T) {
	all, err := Load(true, Companions()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range ScenarioNames() {
		plain, err := Default().Scenario(name)
		if err != nil {
			t.Fatal(err)
		}
		later, err := all.Scenario(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range plain.Lines {
			if slices.ContainsFunc(l.Rows, func(r *Row) bool { return r.Origin.Unofficial }) {
				t.Errorf("%s: line %s has a row of a catalogue that is not in use", name, l.ID)
			}
		}
		if name == "vmotion" && len(later.Line("memory").Rows) != len(plain.Line("memory").Rows)+4 {
			t.Errorf("%s: %v, want those of vSphere 5 to 8 as well", name, later.Line("memory").Rows)
		}
		if name == "ha-failover" && (plain.Line("survivors-fdm") != nil || later.Line("survivors-fdm") == nil) {
			t.Errorf("%s: the agents of ESXi 5 have a line with their catalogue, and none without", name)
		}
	}
	order := strings.Replace(goodScenario, "lines:\n", `lines:
  - id: first
    means: of another product
    rows: [vsphere5:V5-006]
    from: SRC
    to: DST
`, 1) + "    after: [first]\n"
	s, err := Default().ParseScenario("ours.yaml", []byte(order))
	if err != nil || len(s.Lines) != 1 || len(s.Lines[0].After) != 0 {
		t.Errorf("a line behind one that is left out: %+v, %v", s, err)
	}
}

func TestLimitsOfAScenarioAreChangedForOneRun(t *testing.T) {
	s, err := Default().ParseScenario("ours.yaml", []byte(goodScenario))
	if err != nil {
		t.Fatal(err)
	}
	changed, err := s.With("memory.max-gap=5s")
	if err != nil {
		t.Fatal(err)
	}
	if got := changed.Line("memory").MaxGap; got.Duration() != 5*time.Second || !got.Changed || got.Proposed {
		t.Errorf("the limit is %+v", got)
	}
	if got := s.Line("memory").MaxGap.Duration(); got != 10*time.Second {
		t.Errorf("the scenario itself has changed: %s", got)
	}
	for setting, want := range map[string]string{
		"memory":              `"memory": write LINE.LIMIT=VALUE, such as memory.max-gap=30s`,
		"memroy.max-gap=5s":   `"memroy.max-gap=5s": scenario ours has no line "memroy": did you mean "memory"?`,
		"memory.within=5s":    `"memory.within=5s": line memory of scenario ours has no limit "within": it has max-gap, min-bytes`,
		"memory.max-gap=five": `"memory.max-gap=five": "five" is no time: write whole seconds, such as 60s or 5m`,
	} {
		if _, err := s.With(setting); err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", setting, err, want)
		}
	}
}

// TestSchemaAgreesWithTheLoader holds the schema for editors against the built-in scenarios, and against mistakes that the
// loader refuses as well.
func TestSchemaAgreesWithTheLoader(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("scenarios", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text []byte) error {
		var v any
		if err := yaml.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		plain, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(instance)
	}
	for _, name := range ScenarioNames() {
		s, err := Default().Scenario(name)
		if err != nil {
			t.Fatal(err)
		}
		source, err := s.Source()
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(source); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for what, change := range map[string][2]string{
		"an unknown key": {"title:", "titel:"}, "a variable in lower case": {"  SRC: {", "  src: {"}, "a time without a unit": {"10s}", "10}"},
		"no evidence": {"    rows: [R110]\n", ""}, "another phase": {"    to: DST", "    to: DST\n    phase: later"},
	} {
		bad := []byte(strings.Replace(goodScenario, change[0], change[1], 1))
		if valid(bad) == nil {
			t.Errorf("%s: the schema allows it", what)
		}
		if _, err := Default().ParseScenario("ours.yaml", bad); err == nil {
			t.Errorf("%s: the loader allows it", what)
		}
	}
}

func FuzzParseScenario(f *testing.F) {
	f.Add([]byte(goodScenario))
	for _, name := range ScenarioNames() {
		s, err := Default().Scenario(name)
		if err != nil {
			f.Fatal(err)
		}
		source, err := s.Source()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source)
	}
	for _, hostile := range []string{
		"", "\xff\xfe", "scenario: [", "scenario: a\n---\nscenario: b\n", "? {a: b}\n: c\n",
		"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nlines: *c\n", "variables: &v {A: *v}\n",
		strings.Replace(goodScenario, "10s", "9999999999h", 1), strings.Replace(goodScenario, "[R110]", "[R110, R110, R999]", 1),
		strings.Replace(goodScenario, "lines:", "lines: !!binary", 1), goodScenario + goodScenario, strings.Repeat("[", 10_000),
	} {
		f.Add([]byte(hostile))
	}
	c := Default()
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := c.ParseScenario("fuzz.yaml", data)
		if err == nil && (s.Name == "" || len(s.Lines) == 0) {
			t.Errorf("a scenario without name or lines: %+v", s)
		}
	})
}
