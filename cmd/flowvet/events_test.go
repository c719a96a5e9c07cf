package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEventsOfMadeCaptures wants every operation that the captures of testdata/pcaps/scenarios show, with when it ran and what its
// scenario says of it, and none besides. Their vMotions fail for they move less than the megabyte that the scenario proposes.
func TestEventsOfMadeCaptures(t *testing.T) {
	for _, test := range []struct {
		scenario, name string
		says           []string
	}{
		{"vmotion", "pass", []string{"10:01:30-10:01:30 vmotion esx01 -> esx02, announced by rarp: fail"}},
		{"vmotion", "refused", []string{"10:01:30-10:01:30 vmotion esx01 -> esx02: fail"}},
		{"vmotion", "second", []string{
			"10:01:30-10:01:30 vmotion esx01 -> esx02, announced by rarp: fail",
			"10:01:30-10:01:30 vmotion esx01 -> esx03, announced by rarp: fail",
		}},
		{"vmotion", "unanswered", []string{"10:01:30-10:01:33 vmotion esx01 -> esx02: fail"}},
		{"vmotion", "unnoticed", nil},
		{"vmotion", "wrong-role", nil},
		{"ha-failover", "pass", []string{"10:01:41-10:05:30 ha-failure esx03, announced by gratuitous-arp, to the end: pass"}},
		{"ha-failover", "comes-back", []string{"10:01:41-10:02:35 ha-failure esx03, announced by gratuitous-arp: fail"}},
		{"ha-failover", "nobody-fails", nil},
		{"ha-failover", "not-ready", []string{"10:01:37-10:05:30 ha-failure esx03, announced by gratuitous-arp, to the end: fail"}},
		{"ha-failover", "nothing-starts", []string{"10:01:41-10:05:30 ha-failure esx03, to the end: inconclusive"}},
		{"ha-failover", "standing-still", nil},
		{"ha-failover", "capture-ends", nil},
		{"ha-isolation", "pass", []string{"10:01:41-10:05:30 ha-isolation esx03, to the end: pass"}},
		{"ha-isolation", "dead", []string{"10:01:41-10:05:30 ha-failure esx03, to the end: inconclusive"}},
		{"ha-isolation", "heartbeats-go-on", nil},
		{"ft-failover", "pass", []string{
			"10:00:00-10:01:40 ft-pair esx01 -> esx02, then esx03, announced by rarp: pass",
			"10:02:10-10:02:10 vmotion esx02 -> esx03: fail",
			"10:02:30-10:07:40 ft-pair esx02 -> esx03, to the end",
		}},
		{"ft-failover", "not-announced", []string{
			"10:00:00-10:01:40 ft-pair esx01 -> esx02, then esx03: inconclusive",
			"10:02:10-10:02:10 vmotion esx02 -> esx03: fail",
			"10:02:30-10:07:40 ft-pair esx02 -> esx03, to the end",
		}},
		{"ft-failover", "refused", []string{"10:00:00-10:01:40 ft-pair esx01 -> esx02, announced by rarp: fail"}},
		{"ft-failover", "log-goes-on", []string{"10:00:00-10:07:40 ft-pair esx01 -> esx02, to the end"}},
		{"ft-failover", "short-capture", []string{"10:00:00-10:01:40 ft-pair esx01 -> esx02, announced by rarp: inconclusive"}},
	} {
		t.Run(test.scenario+"/"+test.name, func(t *testing.T) {
			var said []string
			for _, o := range happened(t, filepath.Join(scenarioFolder, test.scenario, test.name+".pcap.gz"), test.scenario) {
				said = append(said, o.Start.Format(time.TimeOnly)+"-"+o.End.Format(time.TimeOnly)+" "+o.String()+o.judged)
			}
			if diff := cmp.Diff(test.says, said); diff != "" {
				t.Errorf("the operations (-want +got):\n%s", diff)
			}
		})
	}
}

// operationTold is what the tests want to know of an operation.
type operationTold struct {
	Kind, Source, Target, Next string
	Start, End                 time.Time
	Open                       bool
	SwitchOver                 struct{ Kind string } `json:"switch_over"`
	judged                     string                // the verdict of its scenario; empty: none
}

// happened returns what flowvet events finds in a capture of a scenario's machines.
func happened(t *testing.T, file, scenario string) []operationTold {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args := []string{"events", file, "--inventory", filepath.Join(scenarioFolder, scenario, "inventory.yaml"), "--json", "-q"}
	if status := run(args, strings.NewReader(""), &stdout, &stderr); status != statusGood {
		t.Fatalf("flowvet %s: status %d: %s", strings.Join(args, " "), status, stderr.String())
	}
	var told struct {
		Operations []operationTold
		Scenarios  []struct {
			Operation int
			Verdict   string
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	for _, s := range told.Scenarios {
		told.Operations[s.Operation-1].judged = ": " + s.Verdict
	}
	return told.Operations
}

// String says it as a sentence.
func (o *operationTold) String() string {
	words := o.Kind + " " + o.Source
	for _, more := range []struct{ before, what string }{{" -> ", o.Target}, {", then ", o.Next}, {", announced by ", o.SwitchOver.Kind}} {
		if more.what != "" {
			words += more.before + more.what
		}
	}
	if o.Open {
		words += ", to the end"
	}
	return words
}
