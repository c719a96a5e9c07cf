package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"flowvet/capture/capturetest"
)

// scene is a story of testdata/pcaps as Ethernet frames, with what it is judged by.
type scene struct {
	name   string
	frames []capturetest.Frame
	folder string   // absolute
	args   []string // beside the capture
}

var fileLine = regexp.MustCompile(`(?m)^file .*$`)

// scenes returns every story of testdata/pcaps.
func scenes(t *testing.T) []scene {
	t.Helper()
	stories, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcaps", "*", "story.txt"))
	if err != nil || len(stories) < 20 {
		t.Fatalf("%d scenes (%v), want 20 at least", len(stories), err)
	}
	all := make([]scene, len(stories))
	for i, path := range stories {
		folder, err := filepath.Abs(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		story, err := capturetest.Parse(path, fileLine.ReplaceAllString(string(text), ""))
		if err != nil {
			t.Fatal(err)
		}
		more, err := os.ReadFile(filepath.Join(folder, "args"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all[i] = scene{
			name: filepath.Base(folder), frames: story.Frames(), folder: folder,
			args: append([]string{"--inventory", filepath.Join(folder, "inventory.yaml")}, strings.Fields(string(more))...),
		}
	}
	return all
}

// judged is what the tests want to know of a JSON report.
type judged struct {
	Status   int
	Captures []struct {
		AckedUnseen float64 `json:"acked_unseen"`
	}
	Stats struct {
		Read, Judged         uint64
		Ignored, Undecodable map[string]uint64
		Duplicates           uint64
		OutOfOrder           uint64 `json:"out_of_order"`
		BadTimestamps        uint64 `json:"bad_timestamps"`
		Balanced             bool
	}
	Findings []struct {
		Verdict, Bucket, Basis, Certainty, Outcome, Transport string
		Qualifiers                                            []string
		Port                                                  uint16
		Initiator, Responder                                  struct{ Address string }
	}
	OutOfScope []struct {
		Transport string
		Port      uint16
	} `json:"out_of_scope"`
	Expectations []struct {
		ID, Verdict, Bucket, Coverage string
		Reason                        *struct{ Code string }
	}
}

// told is what a report says of one conversation.
type told struct {
	verdict, outcome string
	marked           bool // the direction or the outcome is said to be inferred, partial or undecided
}

// conversations returns what the report says, by "initiator > responder port/transport".
func (j *judged) conversations() map[string]told {
	all := map[string]told{}
	for _, f := range j.Findings {
		key := fmt.Sprintf("%s > %s %d/%s", f.Initiator.Address, f.Responder.Address, f.Port, f.Transport)
		all[key] = told{
			verdict: f.Verdict, outcome: f.Outcome,
			marked: f.Certainty != "certain" || f.Bucket == "indeterminate" || f.Outcome == "one-sided" || f.Outcome == "pending" ||
				slices.Contains(f.Qualifiers, "direction-inferred") || slices.Contains(f.Qualifiers, "undirected"),
		}
	}
	return all
}

// expectations returns the verdict of each expectation, by its id.
func (j *judged) expectations() map[string]string {
	all := map[string]string{}
	for _, e := range j.Expectations {
		all[e.ID] = e.Verdict
	}
	return all
}

// judge judges frames by the scene's inventory.
func (s *scene) judge(t *testing.T, frames []capturetest.Frame, more ...string) *judged {
	t.Helper()
	return judgeFile(t, pcapOf(frames), append(slices.Clone(s.args), more...)...)
}

// judgeFile judges a capture that comes by standard input.
func judgeFile(t *testing.T, data []byte, args ...string) *judged {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"check", "-", "--json", "--as-of", "2015-10-21T12:00:00Z"}, args...)
	status := run(args, bytes.NewReader(data), &stdout, &stderr)
	var j judged
	if err := json.Unmarshal(stdout.Bytes(), &j); err != nil {
		t.Fatalf("flowvet %s: status %d, %v: %s", strings.Join(args, " "), status, err, stderr.String())
	}
	if !j.Stats.Balanced {
		t.Errorf("not balanced: %+v", j.Stats)
	}
	return &j
}

// pcapOf writes Ethernet frames as they stand, in nanoseconds.
func pcapOf(frames []capturetest.Frame) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b23c4d)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	for _, f := range frames {
		b = le.AppendUint32(b, uint32(f.Time.Unix()))
		b = le.AppendUint32(b, uint32(f.Time.Nanosecond()))
		b = le.AppendUint32(b, uint32(len(f.Data)))
		b = le.AppendUint32(b, uint32(f.WireLen))
		b = append(b, f.Data...)
	}
	return b
}

// hostsOf returns the addresses of an untagged IPv4 or IPv6 frame; false where it is none.
func hostsOf(f capturetest.Frame) (src, dst netip.Addr, ok bool) {
	d := f.Data
	switch {
	case len(d) >= 34 && d[12] == 0x08 && d[13] == 0:
		return netip.AddrFrom4([4]byte(d[26:30])), netip.AddrFrom4([4]byte(d[30:34])), true
	case len(d) >= 54 && d[12] == 0x86 && d[13] == 0xdd:
		return netip.AddrFrom16([16]byte(d[22:38])), netip.AddrFrom16([16]byte(d[38:54])), true
	}
	return src, dst, false
}

// opening reports whether a frame is a TCP segment over IPv4 with SYN.
func opening(f capturetest.Frame) bool {
	const flags, syn = 13, 2
	d := f.Data
	_, _, ok := hostsOf(f)
	return ok && d[12] == 0x08 && d[23] == 6 && d[14+int(d[14]&15)*4+flags]&syn != 0
}

// The ways in which a capture may be out of order. None changes what was said.

func shuffled(frames []capturetest.Frame) []capturetest.Frame {
	all := slices.Clone(frames)
	rng := rand.New(rand.NewPCG(21, 0))
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// doubled sends every frame twice, as two mirrored ports do.
func doubled(frames []capturetest.Frame) []capturetest.Frame {
	var all []capturetest.Frame
	for _, f := range frames {
		again := f
		again.Time = f.Time.Add(50 * time.Microsecond)
		all = append(all, f, again)
	}
	return all
}

// jumped sets the clock by d in the middle.
func jumped(frames []capturetest.Frame, d time.Duration) []capturetest.Frame {
	all := slices.Clone(frames)
	for i := len(all) / 2; i < len(all); i++ {
		all[i].Time = all[i].Time.Add(d)
	}
	return all
}

// stopped gives every frame one time.
func stopped(frames []capturetest.Frame) []capturetest.Frame {
	all := slices.Clone(frames)
	for i := range all {
		all[i].Time = frames[0].Time
	}
	return all
}

// without leaves out the frames that drop says.
func without(frames []capturetest.Frame, drop func(capturetest.Frame) bool) []capturetest.Frame {
	return slices.DeleteFunc(slices.Clone(frames), drop)
}
