package match

import (
	"testing"

	"flowvet/capture/capturetest"
	"flowvet/catalog"
	"flowvet/inventory"

	"flowvet/capture"
)

// TestWhatIsForeignToASegment declares 10.0.1.0/24 for vMotion, 10.0.0.0/24 for management and VLAN 120 for storage.
func TestWhatIsForeignToASegment(t *testing.T) {
	c := catalog.Default()
	inv, err := inventory.Parse("lab.yaml", []byte(`machines:
  - {name: vc, products: [vCenter 4.1], addresses: [10.0.0.5]}
  - {name: e1, products: [ESX 4.1], addresses: [{address: 10.0.0.11, plane: mgmt}, {address: 10.0.1.11, plane: vmotion}]}
  - {name: e2, products: [ESX 4.1], addresses: [{address: 10.0.0.12, plane: mgmt}, {address: 10.0.1.12, plane: vmotion}]}
  - {name: nas, addresses: [{address: 10.0.2.9, roles: [nfs-server]}]}
networks:
  - {prefix: 10.0.0.0/24, plane: mgmt}
  - {prefix: 10.0.1.0/24, plane: vmotion}
vlans: {120: storage}
`), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		what, packets string
		foreign       bool
		level         Level
	}{
		{"vMotion on its network", "1 10.0.1.11:40000 > 10.0.1.12:8000/tcp session 100 100", false, LevelPass},
		{"vMotion on the management network", "1 10.0.0.11:40000 > 10.0.0.12:8000/tcp session 100 100", true, LevelError},
		{"the heartbeat on the management network", "1 10.0.0.11:40000 > 10.0.0.5:902/udp 300", false, LevelPass},
		{"vCenter commands a host on its vMotion address", "1 10.0.0.5:40000 > 10.0.1.11:443/tcp session 100 100", true, LevelError},
		{"two strangers in the vMotion network", "1 10.0.1.66:40000 > 10.0.1.67:445/tcp session 100 100", true, LevelError},
		{"a stranger asks a host there", "1 10.0.1.66:40000 > 10.0.1.11:23/tcp session 100 100", true, LevelError},
		{"two strangers in the management network", "1 10.0.0.66:40000 > 10.0.0.67:445/tcp session 100 100", false, LevelNone},
		{"a group in the vMotion network", "1 10.0.1.11:40000 > 255.255.255.255:9999/udp 100", true, LevelWarning},
		{"a host talks to itself between its networks", "1 10.0.0.11:40000 > 10.0.1.11:9999/tcp session 100 100", false, LevelNone},
		{"telnet in the storage VLAN", "1 192.0.2.1:40000 > 10.0.0.11:23/tcp session 100 100 vlan=120", true, LevelError},
		{"two strangers in the storage VLAN", "1 192.0.2.1:40000 > 192.0.2.2:23/tcp session 100 100 vlan=120", true, LevelError},
		{"NFS in the storage VLAN, by an address for management", "1 10.0.0.11:900 > 10.0.2.9:2049/tcp session 100 100 vlan=120", true, LevelError},
	} {
		story, err := capturetest.Parse("segment", tt.packets+"\n90 arp 10.0.0.11 > 10.0.0.5\n")
		if err != nil {
			t.Fatal(err)
		}
		r, err := Evaluate(Grounds{Catalog: c, Inventory: inv, FailOn: LevelError}, []*capture.Capture{read(t, story.Pcap(), false)})
		if err != nil {
			t.Fatal(err)
		}
		level, foreign, touched := LevelNone, false, 0
		for _, f := range r.Findings.All() {
			level, foreign = f.Level, f.Qualifiers.Has(ForeignSegment)
		}
		for _, s := range r.Segments {
			touched += len(s.Foreign)
		}
		if foreign != tt.foreign || level != tt.level || (touched > 0) != tt.foreign {
			t.Errorf("%s: foreign %v in %d segments, %v, want %v, %v", tt.what, foreign, touched, level, tt.foreign, tt.level)
		}
	}
}
