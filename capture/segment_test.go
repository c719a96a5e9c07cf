package capture

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// onVLAN returns the packet with a tag.
func onVLAN(p Packet, id uint16) Packet {
	p.HasVLAN, p.VLAN = true, id
	return p
}

// TestSegmentsTellVLANsApart sends one conversation in two VLANs, half of it untagged, and quotes a packet of one.
func TestSegmentsTellVLANsApart(t *testing.T) {
	query, answer := datagram(1, 2, 5000, 53), datagram(2, 1, 53, 5000)
	packets := []Packet{onVLAN(query, 10), onVLAN(answer, 10), onVLAN(query, 20), onVLAN(query, 20), query, onVLAN(query, 4095)}
	tests := []struct {
		segments bool
		want     []string
	}{
		{false, []string{"segment 0 (0, false): 5 and 1 packets, VLANs [10 20 4095], quoted true"}},
		{true, []string{
			"segment 0 (65535, false): 1 and 0 packets, VLANs [], quoted false",
			"segment 11 (10, true): 1 and 1 packets, VLANs [10], quoted false",
			"segment 21 (20, true): 2 and 0 packets, VLANs [20], quoted true",
			"segment 4096 (4095, true): 1 and 0 packets, VLANs [4095], quoted false",
		}},
	}
	for _, tt := range tests {
		table := Table{Segments: tt.segments}
		for i := range packets {
			table.Add(&packets[i], 0, Ref{Frame: uint64(i + 1)})
		}
		table.Quote(Quote{Packet: onVLAN(query, 20), Kind: QuotedPort}, 0, Ref{Frame: 9})
		table.settle()
		var got []string
		for f := range table.Flows {
			id, ok := f.Segment.VLAN()
			got = append(got, fmt.Sprintf("segment %d (%d, %v): %d and %d packets, VLANs %v, quoted %v",
				f.Segment, id, ok, f.FromA.Packets, f.FromB.Packets, f.VLANs, f.FromA.Signs&Quoted != 0))
		}
		slices.Sort(got)
		if diff := cmp.Diff(tt.want, got); diff != "" && tt.segments {
			t.Errorf("segments (-want +got):\n%s", diff)
		}
		if len(got) != len(tt.want) {
			t.Errorf("segments %v: %v", tt.segments, got)
		}
		if diff := cmp.Diff(map[uint16]uint64{10: 2, 20: 2, 4095: 1}, table.Stats.VLANs); diff != "" {
			t.Errorf("packets by VLAN (-want +got):\n%s", diff)
		}
	}
}

// TestCollidingVLANs reads a genuine capture in which the same connection runs in two VLANs, and without a tag.
func TestCollidingVLANs(t *testing.T) {
	const name = "../../shared/pcaps/captures/zeek__vlan-collisions.pcap"
	if _, err := os.Stat(name); err != nil {
		t.Skip("not in this checkout")
	}
	read := func(segments bool) *Capture {
		inputs, err := Open([]string{name}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return inputs[0].Read(context.Background(), Options{Segments: segments})
	}
	one, two := read(false), read(true)
	if one.Table.Stats.Flowed != two.Table.Stats.Flowed || one.Table.Len() != 1 || two.Table.Len() != 3 {
		t.Errorf("%d packets in %d flows; told apart: %d in %d", one.Table.Stats.Flowed, one.Table.Len(), two.Table.Stats.Flowed, two.Table.Len())
	}
	for f := range two.Table.Flows {
		id, ok := f.Segment.VLAN()
		t.Logf("%v-%v VLANs %v: %d and %d packets", f.A, f.B, f.VLANs, f.FromA.Packets, f.FromB.Packets)
		if ok != (len(f.VLANs) == 1) || ok && f.VLANs[0] != id || f.FromA.Packets != 7 || f.FromB.Packets != 7 {
			t.Errorf("%v-%v of segment %d has VLANs %v", f.A, f.B, f.Segment, f.VLANs)
		}
	}
}
