package capture

import (
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"flowvet/capture/capturetest"
)

func TestHeaderLenLeavesNoPayload(t *testing.T) {
	story, err := capturetest.Parse("story", `
host A 10.0.0.1
host B 10.0.0.2
host C fd00::1
host D fd00::2
0  A:40000 > B:53/udp 3
1  A:40001 > B:80/tcp session 5 3000
2  A:40002 > B:80/tcp session 50 10 vlan=20,10
3  C:40003 > D:80/tcp session 700 10
4  C:40004 > D:514/udp 0
5  A:40005 > B:80/tcp open 600 10 snap=60
`)
	if err != nil {
		t.Fatal(err)
	}
	kept := 0
	for _, sent := range story.Frames() {
		// The frame lies in the middle of a larger buffer, as those of a ring do.
		buffer := append(append(make([]byte, 7, 9000), sent.Data...), 1, 2, 3)
		f := Frame{Link: LinkEthernet, WireLen: sent.WireLen, Data: buffer[7 : 7+len(sent.Data)]}
		var p Packet
		if p.Decode(&f) != Kept {
			continue
		}
		kept++
		want := 0
		for _, layer := range gopacket.NewPacket(sent.Data, layers.LayerTypeEthernet, gopacket.Default).Layers() {
			switch layer.LayerType() {
			case gopacket.LayerTypePayload, gopacket.LayerTypeDecodeFailure, layers.LayerTypeDNS:
			default:
				want += len(layer.LayerContents())
			}
		}
		if got := p.HeaderLen(&f); got != want {
			t.Errorf("frame %s: %d bytes of headers, want %d", sent.Time, got, want)
		}
	}
	if kept < 30 {
		t.Errorf("%d frames, want more", kept)
	}
}
