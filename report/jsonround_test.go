package report

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"reflect"
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

// numbers deals out random bytes.
type numbers []byte

// next returns the next eight bytes as a number; 0 where there are none left.
func (n *numbers) next() uint64 {
	var b [8]byte
	*n = (*n)[copy(b[:], *n):]
	return binary.LittleEndian.Uint64(b[:])
}

// TestJSONHoldsEveryNumber holds that whatever numbers and strings a result has, a program reads the same from the JSON report.
// What values an encoding can spoil is for safejson's FuzzEncode.
func TestJSONHoldsEveryNumber(t *testing.T) {
	l := newLab()
	dice := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		data := make([]byte, 400)
		for i := range data {
			data[i] = byte(dice.Uint32())
		}
		r, want := random(l, string(data[:dice.IntN(40)]), data)
		var got decoded
		if err := json.Unmarshal([]byte(render(t, JSON, r, Options{})), &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got\n%+v\nwant\n%+v", got, want)
		}
	}
}

// random makes a result of one capture and one finding, and what a program should read of it.
func random(l *lab, s string, data []byte) (*match.Result, decoded) {
	n := numbers(data)
	f := l.between(match.UnlistedPort, placed(l.esx1), placed(l.vc), capture.TCP, uint16(n.next()))
	f.Detail, f.Flows = s, int(uint32(n.next()))
	f.Sent.Packets, f.Sent.Bytes = n.next(), n.next()
	c := match.CaptureInfo{Name: s, Filter: s, Size: int64(n.next()), Packets: n.next(), Drops: n.next()}
	c.Damage = &capture.Damage{Offset: int64(n.next()), Reason: s}
	r := &match.Result{Findings: match.FindingsOf(f), Captures: []match.CaptureInfo{c}, Status: int(uint8(n.next())), StatusWhy: s}
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
