package main

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"flowvet/capture/capturetest"
)

// lossy leaves out that share of the frames, by chance.
func lossy(frames []capturetest.Frame, rate float64, seed uint64) []capturetest.Frame {
	rng := rand.New(rand.NewPCG(24, seed))
	return without(frames, func(capturetest.Frame) bool { return rng.Float64() < rate })
}

// TestFault24Loss drops 1, 10 and 50 % of the packets of 23 captures. What was documented stays so or is marked. Where the
// loss is recorded (pcapng statistics), nothing is absent at all that was not absent before; where it is not, nothing is
// that was met, unless its coverage is proven.
func TestFault24Loss(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1
	}
	absents, unqualified, documented, runs := 0, 0, 0, 0
	for _, s := range scenes(t) {
		before := s.judge(t, s.frames)
		was, expected := before.conversations(), before.expectations()
		for _, rate := range []float64{0.01, 0.1, 0.5} {
			for seed := range seeds {
				frames := lossy(s.frames, rate, seed)
				recorded := judgeFile(t, withStatistics(frames, len(s.frames)-len(frames)), s.args...)
				for name, after := range map[string]*judged{"recorded": recorded, "not recorded": s.judge(t, frames)} {
					runs++
					for key, is := range after.conversations() {
						if was[key].verdict == "documented" {
							documented++
							if is.verdict != "documented" && !is.marked {
								t.Errorf("%s, %.0f %% lost (%s): %s is %s without a mark, was documented", s.name, 100*rate, name, key, is.verdict)
							}
						}
						if _, known := was[key]; !known && !is.marked {
							t.Errorf("%s, %.0f %% lost (%s): %s is %s without a mark, and was not said of the whole", s.name, 100*rate, name, key, is.verdict)
						}
					}
					for _, e := range after.Expectations {
						if e.Verdict != "absent" {
							continue
						}
						absents++
						if e.Coverage != "proven" && e.Coverage != "declared" || name == "recorded" && len(frames) < len(s.frames) || expected[e.ID] == "met" {
							unqualified++
							t.Errorf("%s, %.0f %% lost (%s): %s is absent with coverage %s, was %s", s.name, 100*rate, name, e.ID, e.Coverage, expected[e.ID])
						}
					}
				}
			}
		}
	}
	t.Logf("%d runs, %d documented conversations, %d absents, %d of them unqualified", runs, documented, absents, unqualified)
}

// withStatistics writes frames as pcapng whose statistics say how many were dropped.
func withStatistics(frames []capturetest.Frame, dropped int) []byte {
	le := binary.LittleEndian
	w := &blockWriter{}
	w.block(0x0a0d0d0a, append([]byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0}, slices.Repeat([]byte{0xff}, 8)...))
	w.block(1, []byte{1, 0, 0, 0, 0, 0, 4, 0, 9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0}) // Ethernet, 262144, nanoseconds
	stamp := func(b []byte, ns int64) []byte {
		return le.AppendUint32(le.AppendUint32(b, uint32(ns>>32)), uint32(ns))
	}
	for _, f := range frames {
		body := stamp(make([]byte, 4), f.Time.UnixNano())
		body = le.AppendUint32(le.AppendUint32(body, uint32(len(f.Data))), uint32(f.WireLen))
		w.block(6, padded(append(body, f.Data...)))
	}
	body := stamp(make([]byte, 4), frames[len(frames)-1].Time.UnixNano())
	const received, drops = 4, 5
	body = w.option(body, received, string(le.AppendUint64(nil, uint64(len(frames)+dropped))))
	body = w.option(body, drops, string(le.AppendUint64(nil, uint64(dropped))))
	w.block(5, w.option(body, 0, ""))
	return w.data
}

// TestFault24GapEstimate holds the estimate of what a capture missed (acknowledged TCP bytes that it does not hold) against
// what was dropped of 100 transfers of 60 kB: within 20 %.
func TestFault24GapEstimate(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "lab", "clean.txt"))
	if err != nil {
		t.Fatal(err)
	}
	story, err := capturetest.Parse("gap", string(text)+"\n5..104/1 vcenter01:* > esx01:902/tcp session 60000 800\n")
	if err != nil {
		t.Fatal(err)
	}
	for _, rate := range []float64{0.01, 0.1, 0.5} {
		frames := lossy(story.Frames(), rate, 7)
		truth := 1 - float64(bytesOf(frames))/float64(bytesOf(story.Frames()))
		got := judgeFile(t, pcapOf(frames), "--inventory", filepath.Join("testdata", "lab", "lab.yaml")).Captures[0].AckedUnseen
		t.Logf("%.1f %% of the bytes dropped, %.1f %% estimated", 100*truth, 100*got)
		if math.Abs(got-truth) > 0.2*truth {
			t.Errorf("%.1f %% of the bytes dropped, %.1f %% estimated: want within a fifth", 100*truth, 100*got)
		}
	}
}

// bytesOf sums up the payload of long segments.
func bytesOf(frames []capturetest.Frame) (n int) {
	const headers = 14 + 20 + 20
	for _, f := range frames {
		if _, _, ok := hostsOf(f); ok && f.Data[23] == 6 && f.WireLen > 200 {
			n += f.WireLen - headers
		}
	}
	return n
}
