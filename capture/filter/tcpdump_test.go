package filter_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowvet/capture/filter"
)

var update = flag.Bool("update", false, "ask tcpdump again for the programs in testdata/tcpdump.txt")

// dataLinks are tcpdump's words for the link types.
var dataLinks = map[uint16]string{
	ethernet: "EN10MB", rawIP: "RAW", null: "NULL", loop: "LOOP", cooked: "LINUX_SLL", cooked2: "LINUX_SLL2", rawIPv4: "IPV4", rawIPv6: "IPV6",
}

// tcpdump compiles an expression. Where it refuses to, the program is empty and the reason says why.
func tcpdump(link uint16, expression string, flags ...string) (program, reason string) {
	var refused bytes.Buffer
	cmd := exec.Command("tcpdump", slices.Concat(flags, []string{"-ddd", "-y", dataLinks[link], "--", expression})...)
	cmd.Stderr = &refused
	out, err := cmd.Output()
	if err != nil {
		return "", strings.TrimSpace(refused.String())
	}
	return string(out), ""
}

// expressions reads the list of filters that are compared.
func expressions(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile("testdata/expressions.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	return all
}

// recorded is what tcpdump 4.99.3 with libpcap 1.10.3 made of the expressions: link type, expression, and the program's lines
// joined by commas or the reason there is none, parted by tabs.
const recorded = "testdata/tcpdump.txt"

type compiled struct{ program, reason string }

type question struct {
	link       uint16
	expression string
}

func readRecorded(t testing.TB) map[question]compiled {
	t.Helper()
	data, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	all := map[question]compiled{}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		var link uint16
		if _, err := fmt.Sscan(f[0], &link); err != nil || len(f) != 3 {
			t.Fatalf("%s: %q", recorded, line)
		}
		if reason, refused := strings.CutPrefix(f[2], "refused: "); refused {
			all[question{link, f[1]}] = compiled{reason: reason}
		} else {
			all[question{link, f[1]}] = compiled{program: strings.ReplaceAll(f[2], ",", "\n")}
		}
	}
	return all
}

func record(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range expressions(t) {
		for _, link := range []uint16{ethernet, cooked, cooked2, rawIP, null, rawIPv4, rawIPv6} {
			program, reason := tcpdump(link, e)
			if reason != "" {
				program = "refused: " + reason
			}
			fmt.Fprintf(&b, "%d\t%s\t%s\n", link, e, strings.ReplaceAll(strings.TrimSpace(program), "\n", ","))
		}
	}
	if err := os.WriteFile(filepath.FromSlash(recorded), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// ours compiles an expression that must compile.
func ours(t testing.TB, link uint16, expression string) *filter.Program {
	t.Helper()
	f, err := filter.Parse(expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	p, err := f.Compile(link)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return p
}

// theirs reads tcpdump's program.
func theirs(t testing.TB, link uint16, dump string) *filter.Program {
	t.Helper()
	f, err := filter.ParseDump(dump)
	if err != nil {
		t.Fatalf("%v\n%s", err, dump)
	}
	p, err := f.Compile(link)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ofLink picks the frames of one link type.
func ofLink(frames []frame, link uint16) []frame {
	return slices.DeleteFunc(slices.Clone(frames), func(f frame) bool { return f.link != link })
}

func TestKeepsWhatTcpdumpKeeps(t *testing.T) {
	if *update {
		record(t)
	}
	known, frames := readRecorded(t), corpus(t)
	byLink := map[uint16][]frame{}
	programs, compared, kept := 0, 0, 0
	for _, e := range expressions(t) {
		for link := range dataLinks {
			want, ok := known[question{link, e}]
			if !ok || want.reason != "" && !strings.Contains(want.reason, "rejects all packets") {
				continue // refused: a test of its own
			}
			if byLink[link] == nil {
				byLink[link] = ofLink(frames, link)
			}
			if want.reason != "" {
				want.program = "1\n6 0 0 0\n"
			}
			mine, theirs := ours(t, link, e), theirs(t, link, want.program)
			programs++
			for i, f := range byLink[link] {
				if f.familyOfOthers() {
					continue
				}
				compared++
				is, must := mine.Keeps(f.data, f.wire), theirs.Keeps(f.data, f.wire)
				if must {
					kept++
				}
				if is != must {
					t.Errorf("%s, link type %d: frame %d (%s): keeps %t, tcpdump %t\n%x", e, link, i, f.name, is, must, f.data[:min(len(f.data), 80)])
					break
				}
			}
		}
	}
	t.Logf("%d expressions, %d programs over %d frames: %d decisions, %d kept", len(expressions(t)), programs, len(frames), compared, kept)
}
