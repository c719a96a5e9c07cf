package report

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"flowvet/capture"
	"flowvet/match"
)

// decoded is what a program reads of a report, by the names in docs/formats.md.
type decoded struct {
	Schema    string `json:"schema"`
	Status    int    `json:"status"`
	StatusWhy string `json:"status_why"`
	Counts    struct {
		Documented    int `json:"documented"`
		Undocumented  int `json:"undocumented"`
		Absent        int `json:"absent"`
		CouldNotJudge int `json:"could_not_judge"`
	} `json:"counts"`
	Captures []decodedCapture `json:"captures"`
	Stats    struct {
		Read        uint64            `json:"read"`
		Bytes       uint64            `json:"bytes"`
		Judged      uint64            `json:"judged"`
		Ignored     map[string]uint64 `json:"ignored"`
		Undecodable map[string]uint64 `json:"undecodable"`
	} `json:"stats"`
	Findings []decodedFinding `json:"findings"`
}

type decodedCapture struct {
	Name    string `json:"name"`
	Bytes   int64  `json:"bytes"`
	Packets uint64 `json:"packets"`
	Drops   uint64 `json:"drops"`
}

type decodedFinding struct {
	ID   string `json:"id"`
	Port uint16 `json:"port"`
	Sent struct {
		Packets uint64 `json:"packets"`
		Bytes   uint64 `json:"bytes"`
	} `json:"sent"`
	Flows int `json:"flows"`
}

// numbers deals out the bytes of a fuzz input.
type numbers []byte

// next returns the next eight bytes as a number; 0 where there are none left.
func (n *numbers) next() uint64 {
	var b [8]byte
	*n = (*n)[copy(b[:], *n):]
	return binary.LittleEndian.Uint64(b[:])
}

// FuzzJSON holds that whatever numbers and strings a result has, a program reads the same from what the JSON report writes of
// it: of one part of it at a time, for a whole report takes twenty times as long, most of it for fields that are empty.
func FuzzJSON(f *testing.F) {
	f.Add("esx01", []byte(nil))
	f.Add("\x1b]8;;\u202e\U000e0041\"\\\u2028", []byte("\xff\xff\xff\xff\xff\xff\xff\xff0123456789abcdef"))
	f.Add("\xff<script>&", []byte(strings.Repeat("\x80\x00\x00\x00\x00\x00\x00\x7f", 20)))
	l := newLab()
	parts := []func(s *stream, r *match.Result, all decoded) (want decoded){writeCounts, writeCapture, writeFinding}
	f.Fuzz(func(t *testing.T, s string, data []byte) {
		s = s[:min(len(s), 64)] // what makes a string hostile is short
		r, all := fuzzed(l, s, data)
		var report bytes.Buffer
		out := &stream{w: bufio.NewWriter(&report)}
		want := parts[len(data)%len(parts)](out, r, all)
		if err := out.close(); err != nil {
			t.Fatal(err)
		}
		var got decoded
		if err := json.Unmarshal(report.Bytes(), &got); err != nil {
			t.Fatalf("%v:\n%s", err, &report)
		}
		if rawControl(report.String()) >= 0 {
			t.Fatalf("a raw character:\n%q", &report)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%+v\nwant\n%+v", got, want)
		}
	})
}

// TestJSONHoldsEveryNumber holds the whole report to what [FuzzJSON] holds its parts to.
func TestJSONHoldsEveryNumber(t *testing.T) {
	l := newLab()
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		data := make([]byte, 400)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		r, want := fuzzed(l, string(data[:random.IntN(40)]), data)
		var got decoded
		if err := json.Unmarshal([]byte(render(t, JSON, r, Options{})), &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%+v\nwant\n%+v", got, want)
		}
	}
}

func writeCounts(s *stream, r *match.Result, all decoded) decoded {
	s.field("status", r.Status)
	s.field("status_why", r.StatusWhy)
	s.field("counts", jsonCountsOf(r.Counts))
	return decoded{Status: all.Status, StatusWhy: all.StatusWhy, Counts: all.Counts}
}

func writeCapture(s *stream, r *match.Result, all decoded) decoded {
	s.array("captures", len(r.Captures), func(i int) any { return jsonCaptureOf(&r.Captures[i]) })
	return decoded{Captures: all.Captures}
}

func writeFinding(s *stream, r *match.Result, all decoded) decoded {
	s.array("findings", len(r.Findings), func(i int) any { return jsonFindingOf(r, Options{}, r.Findings[i]) })
	return decoded{Findings: all.Findings}
}

// fuzzed makes a result of one capture and one finding, and what a program should read of it.
func fuzzed(l *lab, s string, data []byte) (*match.Result, decoded) {
	n := numbers(data)
	f := l.between(match.UnlistedPort, placed(l.esx1), placed(l.vc), capture.TCP, uint16(n.next()))
	f.Detail, f.Flows = s, int(uint32(n.next()))
	f.Sent.Packets, f.Sent.Bytes = n.next(), n.next()
	c := match.CaptureInfo{Name: s, Filter: s, Size: int64(n.next()), Packets: n.next(), Drops: n.next()}
	c.Damage = &capture.Damage{Offset: int64(n.next()), Reason: s}
	r := &match.Result{Findings: []*match.Finding{f}, Captures: []match.CaptureInfo{c}, Status: int(uint8(n.next())), StatusWhy: s}
	r.Counts = match.Counts{
		Documented: int(uint32(n.next())), Undocumented: int(uint32(n.next())), Absent: int(uint32(n.next())), CouldNotJudge: int(uint32(n.next())),
	}
	r.Stats.Read, r.Stats.Bytes, r.Stats.Flowed = n.next(), n.next(), n.next()

	want := decoded{Schema: Schema, Status: r.Status, StatusWhy: strict(s)}
	want.Counts.Documented, want.Counts.Undocumented = r.Counts.Documented, r.Counts.Undocumented
	want.Counts.Absent, want.Counts.CouldNotJudge = r.Counts.Absent, r.Counts.CouldNotJudge
	want.Stats.Read, want.Stats.Bytes, want.Stats.Judged = r.Stats.Read, r.Stats.Bytes, r.Stats.Flowed
	want.Stats.Ignored, want.Stats.Undecodable = map[string]uint64{}, map[string]uint64{}
	for _, why := range capture.Skips() {
		r.Stats.Skipped[why] = n.next()
		if why.Ignored() {
			want.Stats.Ignored[why.String()] = r.Stats.Skipped[why]
		} else {
			want.Stats.Undecodable[why.String()] = r.Stats.Skipped[why]
		}
	}
	want.Captures = append(want.Captures, decodedCapture{strict(s), c.Size, c.Packets, c.Drops})
	found := decodedFinding{ID: f.ID(), Port: f.Port, Flows: f.Flows}
	found.Sent.Packets, found.Sent.Bytes = f.Sent.Packets, f.Sent.Bytes
	want.Findings = append(want.Findings, found)
	return r, want
}

// strict returns a string as JSON can carry it: each byte that is no UTF-8 is U+FFFD.
func strict(s string) string { return string([]rune(s)) }
