package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestScenarioReportsAreOfTheirSchemas holds the reports that cmd/flowvet keeps of a vMotion that fails: no result of this
// package's own has scenarios.
func TestScenarioReportsAreOfTheirSchemas(t *testing.T) {
	for format, schema := range map[string]string{"sarif": "sarif-2.1.0.json", "oscal": "oscal-assessment-results-1.1.3.json"} {
		kept, err := os.ReadFile(filepath.Join("..", "testdata", "pcaps", "scenarios", "vmotion", "reports", "heartbeat-gap."+format))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(kept), "scenario-") {
			t.Errorf("%s: no scenario in it", format)
		}
		checkSchema(t, schema)(t, string(kept))
	}
}

// checkSchema returns a function that holds a document against a schema of testdata/schema (where from: see the README
// there). Formats (uri, date-time, uuid) are checked too.
func checkSchema(t *testing.T, name string) func(*testing.T, string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "schema", name))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, report string) {
		t.Helper()
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(report))
		if err != nil {
			t.Fatalf("the report is no JSON: %v", err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
