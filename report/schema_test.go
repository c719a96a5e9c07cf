package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

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
