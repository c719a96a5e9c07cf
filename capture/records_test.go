package capture

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowvet/capture/flowrecord"
)

// TestSignsOfRecordsAreTheFirstOfASide holds what recordedSide takes for granted.
func TestSignsOfRecordsAreTheFirstOfASide(t *testing.T) {
	for sign, want := range map[flowrecord.Signs]Signs{
		flowrecord.SYN: SYN, flowrecord.SYNACK: SYNACK, flowrecord.ACK: ACK, flowrecord.FIN: FIN, flowrecord.RST: RST, flowrecord.Payload: Payload,
	} {
		if Signs(sign) != want {
			t.Errorf("%06b is %06b", sign, want)
		}
	}
}

// randomRecord is a record between few addresses and ports, so that many are of one flow.
func randomRecord(r *rand.Rand) *flowrecord.Record {
	end := func() netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(3))}), uint16(r.IntN(3)))
	}
	side := func(signs flowrecord.Signs) flowrecord.Side {
		first := 1445421600e9 + r.Int64N(100e9)
		return flowrecord.Side{
			Packets: 1 + r.Uint64N(100), Bytes: r.Uint64N(1e6), First: first, Last: first + r.Int64N(1000e9), Signs: signs & flowrecord.Signs(r.UintN(64)),
		}
	}
	record := flowrecord.Record{
		Src: end(), Dst: end(), Proto: []uint8{6, 17}[r.IntN(2)], VLAN: uint16(r.IntN(3)), Sampled: r.IntN(4) == 0,
		Sent: side(^flowrecord.SYNACK),
	}
	if r.IntN(2) == 0 {
		record.Received = side(^flowrecord.SYN)
	}
	return &record
}

// TestRecordsObeyTheLaw deals records out to tables in any order: merged, they are the same, and every packet is accounted for.
func TestRecordsObeyTheLaw(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 7))
		var records []*flowrecord.Record
		packets := uint64(0)
		for range 200 {
			one := randomRecord(r)
			packets += one.Sent.Packets + one.Received.Packets
			records = append(records, one)
		}
		deal := func(tables int) *Table {
			gatherers := make([]*gatherer, tables)
			for i := range gatherers {
				gatherers[i] = newGatherer(Options{Segments: seed%2 == 0})
			}
			for n, i := range r.Perm(len(records)) {
				gatherers[n%tables].takeRecord(records[i], flowrecord.Kept, uint64(i+1))
			}
			sum := gatherers[0].finish()
			for _, g := range gatherers[1:] {
				sum.Merge(g.finish())
			}
			return sum
		}
		want := deal(1)
		if s := &want.Stats; !s.Balanced() || s.Read != packets || s.Records.Read != 200 {
			t.Fatalf("seed %d: %d packets read of %d, %d records", seed, s.Read, packets, s.Records.Read)
		}
		if diff := cmp.Diff(sorted(want), sorted(deal(3)), compareNetip, comparePorts); diff != "" {
			t.Fatalf("seed %d: -one table +three\n%s", seed, diff)
		}
	}
}

// readLog writes a log and reads it.
func readLog(t *testing.T, text string) *Capture {
	t.Helper()
	path := filepath.Join(t.TempDir(), "conn.log")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	inputs, err := Open([]string{path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return inputs[0].Read(context.Background(), Options{})
}

const zeekHead = "#separator \\x09\n#unset_field\t-\n#path\tconn\n#fields\tts\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\torig_pkts\tresp_pkts\n"

func TestEveryLineOfALogIsAccountedFor(t *testing.T) {
	good := "1445421600.0\t10.0.0.1\t1\t10.0.0.2\t2\tudp\t1\t0\n"
	for _, test := range []struct {
		says       string
		text       string
		kept, read uint64
	}{
		{"without an end of line at the end", zeekHead + good + strings.TrimSuffix(good, "\n"), 2, 2},
		{"with lines of Windows", strings.ReplaceAll(zeekHead+good+good, "\n", "\r\n"), 2, 2},
		{"a line too long to be read, and one behind it", zeekHead + strings.Repeat("x", 3*maxLine) + "\n" + good, 1, 2},
		{"a line too long to be read at the end", zeekHead + good + strings.Repeat("x", 3*maxLine), 1, 2},
		{"many", zeekHead + strings.Repeat(good, 3*packetsPerCheck), 3 * packetsPerCheck, 3 * packetsPerCheck},
	} {
		c := readLog(t, test.text)
		if s := &c.Table.Stats; c.Damage != nil || s.Records.Kept != test.kept || s.Records.Read != test.read || !s.Balanced() || s.Flowed != test.kept {
			t.Errorf("%s: damage %v, %d of %d kept; want %d of %d", test.says, c.Damage, s.Records.Kept, s.Records.Read, test.kept, test.read)
		}
	}
}

func TestARecordOfACenturyCostsNoMoreThanOfASecond(t *testing.T) {
	c := readLog(t, strings.Replace(zeekHead, "\tproto", "\tproto\tduration", 1)+"1445421600.0\t10.0.0.1\t1\t10.0.0.2\t2\tudp\t2000000000.0\t1\t0\n")
	for f := range c.Table.Flows {
		if len(f.Seconds) != 1 || f.Seconds[0].Last-f.Seconds[0].First != 2000000000 {
			t.Errorf("seconds %v", f.Seconds)
		}
	}
	if c.Table.Len() != 1 {
		t.Errorf("%d flows, want 1", c.Table.Len())
	}
}
