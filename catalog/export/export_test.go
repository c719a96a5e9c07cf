package export

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"flowvet/catalog"
)

var asOf = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// hostile is a user's catalogue whose words are formulas, mark-up, quotes and what turns text around on a display.
const hostile = `# document: =cmd|' /C calc'!A0 <b>|ours|</b>
# role: backup-proxy is-a vi-client
# product: Our Backup 2, family Our Backup, versions 2-3, role backup-proxy, aliases Backup It
# product: Our Backup 4, family Our Backup, versions 4, role backup-proxy, inherits Our Backup 2
id,product,ports,transport,source,target,cast,class,period,purpose,note,citation
H-1,Our Backup 4,9000-9100,TCP/UDP,backup-proxy|esxi,hypervisor-host,,if-used:ha,30,"=1+1,""quoted""",@SUM(A1),-2
H-2,Our Backup 2,53,UDP,backup-proxy,dns-server,ff02::fb,,event,a | pipe and <script>alert(1)</script>,[x](http://h.example/),+ plus
H-3,Our Backup 4,427,UDP,backup-proxy,esxi,239.255.255.253,,event,＝full width,,
`

// sourcesOfRows are the built-in catalogue, all that come along, and the hostile one.
func sourcesOfRows(t *testing.T) map[string]*catalog.Catalog {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hostile.csv")
	if err := os.WriteFile(file, []byte(hostile), 0o600); err != nil {
		t.Fatal(err)
	}
	all := map[string]*catalog.Catalog{"built-in": catalog.Default()}
	for _, name := range append(catalog.Companions(), file) {
		c, err := catalog.Load(false, name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = c
	}
	return all
}

// TestCSVAndJSONAreReadBackAsTheyWere holds that the loader reads what was written, row by row, with roles and products.
func TestCSVAndJSONAreReadBackAsTheyWere(t *testing.T) {
	for name, c := range sourcesOfRows(t) {
		for _, format := range []string{"csv", "json"} {
			var b bytes.Buffer
			if err := Write(&b, format, c, c.Rows, Options{}); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "back."+format)
			if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			back, err := catalog.Load(false, file)
			if err != nil {
				t.Fatalf("%s as %s: %v", name, format, err)
			}
			if diff := cmp.Diff(c.Document(c.Rows), back.Document(back.Rows)); diff != "" {
				t.Errorf("%s as %s came back as (-was +is):\n%s", name, format, diff)
			}
		}
	}
}

func TestNoCellIsAFormula(t *testing.T) {
	c := sourcesOfRows(t)["hostile.csv"]
	var b bytes.Buffer
	if err := CSV(&b, c, c.Rows, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{",=", `,"=`, ",@", ",-2", ",+", ",＝"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("a cell begins as a formula does: %q in\n%s", bad, b.String())
		}
	}
}

func TestMarkdownHoldsNoMarkUpOfARow(t *testing.T) {
	c := sourcesOfRows(t)["hostile.csv"]
	var b bytes.Buffer
	if err := Markdown(&b, c, c.Rows, Options{}); err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer(`\<`, "", `\|`, "", `\[`, "", `\]`, "").Replace(b.String())
	for _, bad := range []string{"<", "[", "a | pipe", "|ours|"} {
		if strings.Contains(plain, bad) {
			t.Errorf("mark-up passed: %q in\n%s", bad, b.String())
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 8 {
			t.Errorf("not 7 columns: %s", line)
		}
	}
}

// TestOSCALIsOfItsSchema holds component definitions against the schema of NIST (testdata/README.md).
func TestOSCALIsOfItsSchema(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "oscal-component-definition-1.1.3.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource("oscal.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("oscal.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range sourcesOfRows(t) {
		var b, again bytes.Buffer
		for _, w := range []*bytes.Buffer{&b, &again} {
			if err := OSCAL(w, c, c.Rows, Options{Version: "1", AsOf: asOf}); err != nil {
				t.Fatal(err)
			}
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(b.Bytes(), again.Bytes()) {
			t.Errorf("%s: two times the same rows, and not the same bytes", name)
		}
		if marked := strings.Contains(b.String(), "unofficial"); marked != c.Sources[0].Unofficial {
			t.Errorf("%s: said to be unofficial: %v", name, marked)
		}
	}
}

func TestAFormatThatIsNone(t *testing.T) {
	if err := Write(&bytes.Buffer{}, "xls", catalog.Default(), nil, Options{}); err == nil {
		t.Error("xls is written")
	}
}
