package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"strings"
	"testing"
)

// pairOf returns a capture of as many bytes as are divided, and more: frames of 1,000 bytes, where kind returns a flow, and where it
// returns less than 0 pings of 60, each between other addresses.
func pairOf(kind func(i int) int) []byte {
	out := bytes.NewBuffer(make([]byte, 0, leastPart*9/4))
	out.Write([]byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0})
	long, ping := make([]byte, 1000), make([]byte, 60)
	for i := 0; out.Len() < leastPart*2; i++ {
		frame, flow := long, kind(i)
		if flow < 0 {
			frame, flow = ping, i
		}
		copy(frame, tcpFrame(flow, i%3 == 1))
		binary.BigEndian.PutUint16(frame[18:], uint16(i))
		binary.BigEndian.PutUint32(frame[38:], uint32(i))
		if len(frame) == len(ping) {
			const protocol, source, ICMP = 14 + 9, 14 + 12, 1
			frame[protocol] = ICMP
			binary.BigEndian.PutUint32(frame[source:], uint32(i))
		}
		var h [pcapRecordHeader]byte
		binary.LittleEndian.PutUint32(h[0:], uint32(1445421600+i/10_000))
		binary.LittleEndian.PutUint32(h[4:], uint32(i%10_000*100))
		binary.LittleEndian.PutUint32(h[8:], uint32(len(frame)))
		binary.LittleEndian.PutUint32(h[12:], uint32(len(frame)))
		out.Write(h[:])
		out.Write(frame)
	}
	return out.Bytes()
}

// TestPairsReadAlike holds that a file shows the same however two processors share it, and that it is divided where its flows are few.
func TestPairsReadAlike(t *testing.T) {
	few := func(i int) int { return i % 50 }
	for _, tt := range []struct {
		name    string
		kind    func(i int) int
		change  func(data []byte)
		options Options
		divided bool
	}{
		{"a few flows", few, nil, Options{}, true},
		{"a few flows, without copies", few, nil, Options{Dedup: true, File: 3}, true},
		{"a few flows, and room for them", few, nil, Options{MaxFlows: 60}, true},
		{"a few flows, and less room", few, nil, Options{MaxFlows: 30}, false},
		{"pings", func(int) int { return -1 }, nil, Options{}, true},
		{"more pairs than are kept, then a few flows", func(i int) int {
			if i < MaxPairs*3/2 {
				return -1
			}
			return i % 50
		}, nil, Options{}, true},
		{"many flows at first", func(i int) int {
			if i > 1200 {
				return i % 50
			}
			return i
		}, nil, Options{}, true},
		{"a flow in each packet", func(i int) int { return i }, nil, Options{}, false},
		{"a flow in each packet, and less room", func(i int) int { return i }, nil, Options{MaxFlows: 1000}, false},
		{"a few flows, in a format without plain records", few, func(data []byte) { data[6] = 3 }, Options{}, false},
		{"a few flows, and damage in the middle", few, func(data []byte) { clear(data[len(data)/2:][:5000]) }, Options{}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if testing.Short() && !tt.divided {
				t.Skip("-short: nothing is shared by parts, and relays have tests of their own")
			}
			data := pairOf(tt.kind)
			if tt.change != nil {
				tt.change(data)
			}
			in := opened(t, data)
			whole := in.begin(tt.options)
			hashes := whole.gatherer.duplicates.fork()
			whole.lead(context.Background())
			want := whole.finish(context.Background())
			opt := tt.options
			opt.pair, opt.spare = true, opt.spareRoom()
			x := in.begin(opt)
			x.gatherer.duplicates = hashes
			x.lead(context.Background())
			if divided := len(x.parts) > 0; divided != tt.divided {
				t.Errorf("divided: %v, want %v", divided, tt.divided)
			}
			same(t, tt.name, want, x.finish(context.Background()))
		})
	}
}

// TestPlanReadsALargeFileInAPair holds that two workers share one large file, of which several would each take a part.
func TestPlanReadsALargeFileInAPair(t *testing.T) {
	in := opened(t, pairOf(func(i int) int { return i % 50 }))
	want := in.Read(context.Background(), Options{})
	for workers, tasks := range map[int]int{1: 1, 2: 1} {
		plan := NewPlan([]*Input{in}, workers, Options{}, nil)
		if plan.Tasks() != tasks {
			t.Errorf("%d tasks for %d workers, want %d", plan.Tasks(), workers, tasks)
		}
		plan.Read(context.Background(), 0)
		same(t, "in a pair", want, plan.Captures()[0])
	}
}

// TestAFaultBesideIsTold holds that a panic in the second goroutine is one of who waits for it, with its stack.
func TestAFaultBesideIsTold(t *testing.T) {
	defer func() {
		if fault, _ := recover().(string); !strings.Contains(fault, "no such machine") || !strings.Contains(fault, "TestAFaultBesideIsTold") {
			t.Errorf("told: %q", fault)
		}
	}()
	beside(func() {})()
	beside(func() { panic("no such machine") })()
	t.Error("nothing was told")
}
