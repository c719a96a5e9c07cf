package capture

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"testing"
)

// unpacked returns the sections of a flows file without compression, for mutations to meet what they mean.
func unpacked(t testing.TB, data []byte) (sections []byte) {
	t.Helper()
	r, err := newFlowsReader(&stream{window: newWindow(bytes.NewReader(data), int64(len(data)))}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.decompress.Close()
	for kind := byte(sectionCapture); kind != sectionEnd; {
		if kind, err = r.load(); err != nil {
			t.Fatal(err)
		}
		sections = append(sections, kind)
		sections = binary.AppendUvarint(sections, uint64(len(r.plain)))
		sections = binary.AppendUvarint(sections, uint64(len(r.plain)))
		sections = append(sections, r.plain...)
	}
	return sections
}

// FuzzFlowsFile holds of any content under a good checksum: reading it ends, and what is accepted balances, and is the
// same after it was written and read again. The input is the sections; header and checksum are put around it.
func FuzzFlowsFile(f *testing.F) {
	small := recorded("a.pcap", 5, 12)
	small.Interfaces = []Interface{{Name: "eth0", Filter: "udp", Counted: true, Received: 9}}
	small.Damages = []Damage{{Offset: 9, Reason: "cut"}}
	small.Damage = &small.Damages[0]
	all, _ := everything()
	for _, captures := range [][]*Capture{
		{small},
		{all},
		{recorded("a.pcap", 5, 3), recorded("b.pcap", 6, 3)},
		{{Name: "empty.pcap", Format: formatPcap, Table: new(Table)}},
	} {
		data := flowsOf(f, captures...)
		f.Add(data[flowsHeader : len(data)-32])
		f.Add(unpacked(f, data))
	}
	header := flowsOf(f)[:flowsHeader:flowsHeader]
	f.Fuzz(func(t *testing.T, sections []byte) {
		data := append(header, sections...)
		sum := sha256.Sum256(data)
		data = append(data, sum[:]...)
		file, got := readFlowsFile(data)
		if file.Damage != nil {
			if len(got) != 0 && file.Table.Len() != 0 {
				t.Fatal("refused, and something of it kept")
			}
			return
		}
		for _, c := range got {
			if !c.Table.Stats.Balanced() {
				t.Fatalf("not balanced: %+v", c.Table.Stats)
			}
		}
		again, back := readFlowsFile(flowsOf(t, got...))
		if again.Damage != nil || len(back) != len(got) {
			t.Fatalf("%d captures, damage %v; want %d", len(back), again.Damage, len(got))
		}
		for i := range got {
			sameCapture(t, got[i], back[i])
		}
	})
}
