package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func evidence(t *testing.T) []string {
	t.Helper()
	return strings.Split(strings.TrimSuffix(render(t, JSONL, newLab().result(), Options{Version: "1.2.3"}), "\n"), "\n")
}

func readEvidence(t *testing.T, lines []string) *Evidence {
	t.Helper()
	e, err := ReadEvidence(strings.NewReader(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEvidenceReadsBack(t *testing.T) {
	r := newLab().result()
	lines := evidence(t)
	e := readEvidence(t, lines)
	if len(e.Faults) > 0 {
		t.Errorf("fresh evidence is broken: %q", e.Faults)
	}
	if got, want := e.Verdicts, EvidenceOf(r); !slices.Equal(got, want) {
		t.Errorf("got the verdicts %v, want %v", got, want)
	}
	if e.Hash != lineHash([]byte(lines[len(lines)-1])) {
		t.Error("the hash is not that of the last line")
	}
	if e.Inventory != "lab.yaml" || !slices.Equal(e.During, []string{"vmotion"}) || e.Start != instantExact(r.Window.Start) || e.Narrowed {
		t.Errorf("the header reads %+v", e)
	}
	if !strings.Contains(lines[1], `"reference":"mgmt.pcap#118"`) {
		t.Errorf("the first finding has no reference: %s", lines[1])
	}
}

// Whatever is done to one line, the chain shows it.
func TestEvidenceShowsEveryChange(t *testing.T) {
	whole := evidence(t)
	last := len(whole) - 1
	for i := range whole {
		without := slices.Delete(slices.Clone(whole), i, i+1)
		twice := slices.Insert(slices.Clone(whole), i, whole[i])
		changed := slices.Clone(whole)
		changed[i] = strings.Replace(changed[i], `"type":`, `"type": `, 1)
		damages := map[string][]string{"twice": twice}
		if i > 0 {
			damages["left out"] = without
		}
		if i < last {
			damages["changed by a space"] = changed
		}
		if i > 1 {
			moved := slices.Clone(whole)
			moved[i], moved[i-1] = moved[i-1], moved[i]
			damages["moved"] = moved
		}
		for what, lines := range damages {
			if e := readEvidence(t, lines); len(e.Faults) == 0 {
				t.Errorf("line %d of %d %s: nothing is said", i+1, len(whole), what)
			}
		}
	}
	cut := readEvidence(t, whole[:last])
	if want := "the trailer is missing: the end of the file was cut off"; !slices.Contains(cut.Faults, want) {
		t.Errorf("cut evidence: got %q", cut.Faults)
	}
	// The trailer's own bytes are under no later hash: what covers them is the hash that is kept elsewhere.
	changed := slices.Clone(whole)
	changed[last] = strings.Replace(changed[last], `"type":`, `"type": `, 1)
	if readEvidence(t, changed).Hash == readEvidence(t, whole).Hash {
		t.Error("a changed trailer has the same hash")
	}
}

func TestWhatIsNoEvidence(t *testing.T) {
	for _, text := range []string{"", "{}\n", "not JSON\n", `{"schema":"flowvet-report/1"}` + "\n", "\xd4\xc3\xb2\xa1", "[]\n"} {
		if e, err := ReadEvidence(strings.NewReader(text)); err == nil {
			t.Errorf("%q is taken for evidence: %+v", text, e)
		}
	}
}

func TestBrokenEvidenceIsNotListedWithoutEnd(t *testing.T) {
	lines := evidence(t)[:1]
	for i := range 1000 {
		lines = append(lines, fmt.Sprintf(`{"prev":"x","type":"finding","id":"F%d"}`, i))
	}
	if n := len(readEvidence(t, lines).Faults); n != maxFaults {
		t.Errorf("%d faults, want %d", n, maxFaults)
	}
}

func TestEvidenceLinesAreJSON(t *testing.T) {
	for _, s := range hostileStrings() {
		report := render(t, JSONL, poison(s), Options{Version: s, Files: []string{s}})
		for line := range strings.Lines(report) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("%q: no JSON: %s", s, line)
			}
		}
		if e, err := ReadEvidence(strings.NewReader(report)); err != nil || len(e.Faults) > 0 {
			t.Errorf("%q: %v, %+v", s, err, e)
		}
	}
}

func FuzzReadEvidence(f *testing.F) {
	var b bytes.Buffer
	JSONL(&b, newLab().result(), Options{})
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":"flowvet-evidence/1","type":"header"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := ReadEvidence(bytes.NewReader(data)); err == nil && len(e.Faults) > maxFaults {
			t.Errorf("%d faults", len(e.Faults))
		}
	})
}
