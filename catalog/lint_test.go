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
