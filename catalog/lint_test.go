package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLintSaysEverything(t *testing.T) {
	t.Chdir(t.TempDir())
	text := `# prodcut: vSphere 8
# role: idle-role
# product: vSphere 7, family vSphere, versions 7-7, role hypervisor-host
id,product,ports,transport,source,target,group
A1,ESX 4.x,902,UDP,hypervisor-host,vcenter-server,
A2,ESX 4.x,2000-3000,TCP/UDP,esxi,dns-server,lonely
A3,ESX 4.x,2100,TCP/UDP,esxi,dns-server,
A4,ESX 4.x,0,TCP,esxi,dns-server,
A5,ESX 4.x,2100,udp,dns-server,esxi,
A5,ESX 4.x,2101,TCP,dns-server,esxi,
`
	if err := os.WriteFile("mine.csv", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`warning mine.csv:1: "prodcut": the comment is not read: did you mean "# product:"?`,
		`warning mine.csv:2: "idle-role": no row and no product has the role`,
		`warning mine.csv:3: "vSphere 7": no row is printed for the product`,
		`warning mine.csv:5: "A1": says what R100 says: leave one of them out`,
		`warning mine.csv:6: column "ports": "2000-3000": span more than 256 ports: such a row documents, but is no evidence of need`,
		`warning mine.csv:6: column "group": "lonely": no other row is in the group`,
		`warning mine.csv:7: column "ports": "2100": lie within 2000-3000 of A2: the broader row documents them already`,
		`error mine.csv:8: column "ports": "0": a port is 1-65535`,
		`error mine.csv:10: column "id": "A5": is taken already: by mine.csv:9`,
	}
	if diff := cmp.Diff(want, spelled(Lint("mine.csv"))); diff != "" {
		t.Errorf("got the lines with +, want those with -:\n%s", diff)
	}
}

func TestLintTellsWhatAWiderRowMakesNeedless(t *testing.T) {
	for _, tt := range []struct{ what, rows, want string }{
		{
			"a vi-client is a client-pc",
			"A1,ESX 4.x,1234,TCP,client-pc,esxi,target,\nA2,ESX 4.x,1234,TCP,vi-client,esxi,target,\n",
			`warning mine.csv:3: "A2": lets pass what A1 lets pass, for the same roles or wider ones: leave it out, or say in its class when it is to be expected`,
		},
		{
			"one of several roles, in a range",
			"A1,ESX 4.x,1200-1300,TCP/UDP,vi-client|dns-server,esxi,target,\nA2,ESX 4.x,1234,UDP,dns-server,esxi,target,\n",
			`warning mine.csv:3: "A2": lets pass what A1 lets pass, for the same roles or wider ones: leave it out, or say in its class when it is to be expected`,
		},
		{
			"of two that say the same in other words, one is told",
			"A1,ESX 4.x,1234,TCP,dns-server,esxi,target,\nA2,ESX 4.x,1234,TCP,esxi,dns-server,source,\n",
			`warning mine.csv:2: "A1": lets pass what A2 lets pass, for the same roles or wider ones: leave it out, or say in its class when it is to be expected`,
		},
		{"a narrower row that says when it is expected", "A1,ESX 4.x,1234,TCP,client-pc,esxi,target,\nA2,ESX 4.x,1234,TCP,vi-client,esxi,target,always\n", ""},
		{"only one of its ports", "A1,ESX 4.x,1234,TCP,client-pc,esxi,target,\nA2,ESX 4.x,1234-1235,TCP,vi-client,esxi,target,\n", ""},
		{"only one of its directions", "A1,ESX 4.x,1234,TCP,client-pc,esxi,target,\nA2,ESX 4.x,1234,TCP,vi-client,esxi,either,\n", ""},
		{"another product", "A1,ESX 3.x,1234,TCP,client-pc,esxi,target,\nA2,ESX 4.x,1234,TCP,vi-client,esxi,target,\n", ""},
	} {
		t.Chdir(t.TempDir())
		if err := os.WriteFile("mine.csv", []byte("id,product,ports,transport,source,target,listener,class\n"+tt.rows), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(spelled(LintAlone("mine.csv")), "; "); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.what, got, tt.want)
		}
	}
}

// TestWhatIsWrongWithTheEmbeddedCataloguesIsKnown counts it: rows said twice and needless ones, broad ones, errata.
func TestWhatIsWrongWithTheEmbeddedCataloguesIsKnown(t *testing.T) {
	got := map[string]int{}
	for _, name := range append(Companions(), BuiltIn) {
		for _, p := range Lint(name) {
			if !p.Known || !p.Warning || p.Hint != "" || p.Line == 0 || p.File != name {
				t.Errorf("%+v", p)
			}
			for kind, words := range map[string]string{"twice": "says what", "needless": "lets pass", "broad": "span more", "within": "lie within", "alone": "no other row"} {
				if strings.Contains(p.Text, words) {
					got[kind]++
				}
			}
			if p.Column == "erratum" {
				got["erratum"]++
			}
		}
	}
	want := map[string]int{"twice": 5, "needless": 26, "broad": 6, "within": 1, "alone": 1, "erratum": 34}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("got the counts with +, want those with -:\n%s", diff)
	}
}

func TestLintAloneKnowsNoEmbeddedRows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.csv")
	if err := os.WriteFile(file, []byte(goodHeader+"R100,ESX 4.x,902,UDP,hypervisor-host,vcenter-server\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := spelled(LintAlone(file)); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if got := spelled(Lint(file)); len(got) != 1 || !strings.Contains(got[0], "is taken already") {
		t.Errorf("beside the embedded rows: got %v", got)
	}
}

func TestLintOfAFileThatIsNone(t *testing.T) {
	if got := Lint("no-such-file.csv"); len(got) != 1 || got[0].Warning {
		t.Errorf("got %v", got)
	}
}

func TestLintIsBounded(t *testing.T) {
	l := newLoader(true)
	l.add("many.csv", []byte("# prodcut: x\n"+goodHeader+strings.Repeat("x,y,0,z,a,b\n", 50_000)), false)
	l.finish()
	if n := len(l.lint()); n != maxProblems+1 {
		t.Errorf("got %d problems, want %d errors and a warning", n, maxProblems)
	}
}

func spelled(list []Problem) []string {
	var lines []string
	for _, p := range list {
		level := "error "
		if p.Warning {
			level = "warning "
		}
		lines = append(lines, level+p.Error())
	}
	return lines
}
