package evidence

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowvet/capture"
	"flowvet/capture/capturetest"
	"flowvet/inventory"
	"flowvet/match"
)

// frames makes the frames of a story.
func frames(t *testing.T, text string) []capture.Frame {
	t.Helper()
	s, err := capturetest.Parse("story", text)
	if err != nil {
		t.Fatal(err)
	}
	var all []capture.Frame
	for i, f := range s.Frames() {
		all = append(all, capture.Frame{Nanos: f.Time.UnixNano(), Link: capture.LinkEthernet, WireLen: f.WireLen, Data: f.Data, Number: uint64(i + 1)})
	}
	return all
}

// telnet is the finding that telnet from there is undocumented.
func telnet(from string) *match.Finding {
	return &match.Finding{
		Conversation: match.Conversation{Initiator: netip.MustParseAddr(from), Responder: netip.MustParseAddr("10.20.0.11"), Proto: capture.TCP, Port: 23},
		From:         &inventory.Placed{}, To: &inventory.Placed{}, Verdict: match.UnlistedPort, Level: match.LevelError,
	}
}

// written returns what a collector writes.
func written(t *testing.T, c *Collector) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads it as any reader of captures would.
func read(t *testing.T, file []byte) *capture.Capture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "evidence.pcapng")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	inputs, err := capture.Open([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := inputs[0].Read(context.Background(), capture.Options{})
	if c.Damage != nil {
		t.Fatal(c.Damage)
	}
	return c
}

// manySessions is more telnet sessions than are shown, and a web session that nobody minds.
func manySessions() string {
	var b strings.Builder
	b.WriteString("host esx01 10.20.0.11\nhost nobody 203.0.113.99\n")
	for i := range 10 {
		fmt.Fprintf(&b, "%d nobody:%d > esx01:23/tcp session 600 3000\n%d nobody:%d > esx01:443/tcp session 10 10\n", i+1, 50000+i, i+1, 51000+i)
	}
	return b.String()
}

func TestTheEarliestPacketsAreKeptInWhateverOrderTheyCome(t *testing.T) {
	all := frames(t, manySessions())
	result := &match.Result{Findings: match.FindingsOf(telnet("203.0.113.99"))}
	var want []byte
	for seed := range uint64(20) {
		c := NewCollector(result, 1<<20, false, false)
		for i := range all {
			c.Take(&all[i])
		}
		got := written(t, c)
		if seed == 0 {
			want = got
			r := read(t, got)
			if n := r.Table.Stats.Read; n != PerConversation {
				t.Fatalf("%d packets are kept, want %d", n, PerConversation)
			}
			if r.Table.Len() != PerConversation/PerFlow {
				t.Errorf("of %d flows, want %d with %d packets each", r.Table.Len(), PerConversation/PerFlow, PerFlow)
			}
		} else if !bytes.Equal(got, want) {
			t.Fatalf("seed %d: another file", seed)
		}
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
}

func TestACommentNamesTheFindingAndTheExpectationItIsAnAttemptAt(t *testing.T) {
	f := telnet("203.0.113.99")
	result := &match.Result{
		Findings:     match.FindingsOf(f),
		Expectations: []match.Expectation{{ID: "E1", Verdict: match.AttemptedRefused, Evidence: []int{0}}},
	}
	c := NewCollector(result, 1<<20, false, false)
	all := frames(t, manySessions())
	for i := range all {
		c.Take(&all[i])
	}
	got := read(t, written(t, c))
	for _, comment := range got.Comments {
		if !strings.HasPrefix(comment, Comment(f)+"\nflowvet E1: attempted-refused") {
			t.Fatalf("comment %q", comment)
		}
	}
	if got.Commented != PerConversation {
		t.Errorf("%d comments, want %d", got.Commented, PerConversation)
	}
}

func TestWhatIsAcceptedOrDocumentedIsNotShown(t *testing.T) {
	accepted := telnet("203.0.113.99")
	accepted.Disposition.Exception = &match.Exception{ID: "X"}
	documented := telnet("203.0.113.98")
	documented.Verdict = match.VerdictDocumented
	if c := NewCollector(&match.Result{Findings: match.FindingsOf(accepted, documented)}, 1<<20, false, false); c.Findings() != 0 {
		t.Errorf("%d findings are shown, want none", c.Findings())
	}
}

func TestTheLastFindingsAreGivenUpWhereThereIsNoRoom(t *testing.T) {
	const limit = 4 << 10
	var text strings.Builder
	var findings []*match.Finding
	text.WriteString("host esx01 10.20.0.11\n")
	for i := range 100 {
		from := fmt.Sprintf("203.0.113.%d", i)
		fmt.Fprintf(&text, "%d %s:50000 > esx01:23/tcp session 10 10\n", i+1, from)
		findings = append(findings, telnet(from))
	}
	all := frames(t, text.String())
	c := NewCollector(&match.Result{Findings: match.FindingsOf(findings...)}, limit, false, false)
	for i := range all {
		if c.Take(&all[i]); c.size > limit {
			t.Fatalf("%d bytes are held, want at most %d", c.size, limit)
		}
	}
	r := read(t, written(t, c))
	if c.GivenUp() == 0 || c.GivenUp()+r.Table.Len() != len(findings) {
		t.Errorf("%d given up, %d shown, of %d", c.GivenUp(), r.Table.Len(), len(findings))
	}
	if !slices.ContainsFunc(slices.Collect(r.Table.Flows), func(f capture.Flow) bool {
		return f.A.Addr() == findings[0].Initiator || f.B.Addr() == findings[0].Initiator
	}) {
		t.Error("the first finding is not there")
	}
}

func TestConversationsInDifferentVLANsAreToldApart(t *testing.T) {
	f := telnet("203.0.113.99")
	f.Segment = 8 // VLAN 7
	flow := Flow{netip.MustParseAddrPort("203.0.113.99:50000"), netip.MustParseAddrPort("10.20.0.11:23"), capture.TCP}
	x := NewIndex([]*match.Finding{f}, true)
	if x.Find(flow, 8) != 0 || x.Find(flow, 9) != -1 {
		t.Error("a flow in another VLAN belongs to the finding")
	}
	if NewIndex([]*match.Finding{f}, false).Find(flow, 9) != 0 {
		t.Error("where VLANs are not told apart, the flow belongs to the finding")
	}
}
