package catalog

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDocumentsAreReadBackAsTheyWere holds that the JSON form loses nothing: of the built-in rows, of every companion with
// the roles and products it declares, and of a user's file.
func TestDocumentsAreReadBackAsTheyWere(t *testing.T) {
	mineToo := t.TempDir() + "/mine.csv"
	if err := os.WriteFile(mineToo, []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range append(Companions(), "", mineToo) {
		var files []string
		if name != "" {
			files = append(files, name)
		}
		c, err := Load(name == "", files...)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(c.Document(c.Rows))
		if err != nil {
			t.Fatal(err)
		}
		back, err := parse(false, "back.json", data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.Rows, back.Rows, cmp.Comparer(func(a, b Row) bool {
			return cmp.Equal(a.Document(), b.Document())
		})); diff != "" {
			t.Errorf("%q: the rows differ:\n%s", name, diff)
		}
		for _, r := range c.Rows {
			p, _ := c.Product(r.Product)
			if q, _ := back.Product(r.Product); !cmp.Equal(p, q) {
				t.Fatalf("%q: product %+v came back as %+v", name, p, q)
			}
		}
	}
}

func TestMistakesInDocumentsAreSaidWithTheirLine(t *testing.T) {
	const good = `{
 "schema": "flowvet-catalog/1",
 "rows": [
  {"id": "A1", "product": "ESX 4.x", "ports": "902", "transport": "UDP", "source": ["esxi"], "target": ["vcenter-server"]},
  {"id": "A2", "product": "ESX 4.x", "port_low": 1, "port_high": 9, "transport": "UDP", "source": ["esxi"], "target": ["vcenter-server"]}
 ]
}`
	if c, err := parse(false, "x.json", []byte(good)); err != nil || len(c.Rows) != 2 || c.Rows[1].Ports != (Ports{1, 9}) {
		t.Fatalf("the good one: %v", err)
	}
	for _, tt := range []struct{ what, old, now, want string }{
		{"a port that is none", `"902"`, `"0"`, `x.json:4: column "ports": "0": a port is 1-65535`},
		{"a role that is misspelt", `["esxi"], "target": ["vcenter-server"]},`, `["esxj"], "target": ["vcenter-server"]},`, `x.json:4: column "source": "esxj": unknown role: did you mean "esxi"?`},
		{"a field that is none", `"id": "A2"`, `"di": "A2"`, `x.json:5: unknown field "di"`},
		{"another field of the file", `"schema"`, `"shcema"`, `x.json:2: "shcema" is no field of a catalogue`},
		{"another schema", `catalog/1`, `catalog/2`, `x.json:7: schema is "flowvet-catalog/2", not flowvet-catalog/1`},
		{"a text for a number", `"port_low": 1`, `"port_low": "1"`, `x.json:5: field "port_low": a string stands where a uint16 is expected`},
		{"ports that disagree", `"port_low": 1`, `"ports": "7", "port_low": 1`, `x.json:5: row "A2": ports "7", but port_low and port_high 1-9`},
		{"a control character", `"A1"`, `"A\u001b1"`, `x.json:4: row "A\x1b1": id holds a control character`},
		{"rows that are no array", `"rows": [`, `"rows": {}, "roles": [`, `x.json:3: rows is no array`},
		{"rows that are no JSON", `"rows": [`, `"rows": x[`, `x.json:3: invalid character 'x' looking for beginning of value`},
		{"the middle of a file", ` ]
}`, ``, `x.json:5: ends in the middle`},
		{"two documents", ` ]
}`, ` ]
}{}`, `x.json:7: goes on behind its end`},
	} {
		_, err := parse(false, "x.json", []byte(strings.Replace(good, tt.old, tt.now, 1)))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Count(err.Error(), "\n") > 0 {
			t.Errorf("%s: %v\nwant %s", tt.what, err, tt.want)
		}
	}
}

// FuzzParseDocument holds what FuzzParse does, of the JSON form.
func FuzzParseDocument(f *testing.F) {
	data, err := json.Marshal(Default().Document(Default().Rows[:20]))
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{string(data), "{", `{"rows":[{}]}`, `{"schema":"flowvet-catalog/1","rows":{}}`, "{}{}", `{"products":[{"name":"a","family":"b, role c"}]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if !isDocument(data) {
			return
		}
		c, err := parse(false, "fuzz.json", data)
		if err != nil {
			eachLineHasItsPlace(t, "fuzz.json", err)
			return
		}
		for _, r := range c.Rows {
			if r.Ports.Lo == 0 || r.Ports.Lo > r.Ports.Hi || r.Transport == 0 || len(r.Source) == 0 || len(r.Target) == 0 {
				t.Fatalf("accepted %+v", r)
			}
		}
	})
}
