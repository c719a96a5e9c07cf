package match_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"flowvet/capture"
	"flowvet/catalog"
	"flowvet/inventory"
	"flowvet/match"
)

// TestTunnelsAreNoTraffic: what ERSPAN brought is judged, ERSPAN itself is not, and it is said how the packets came.
func TestTunnelsAreNoTraffic(t *testing.T) {
	file := filepath.Join("..", "..", "shared", "pcaps", "captures", "sv__bug-5437-02_input.pcap")
	inputs, err := capture.Open([]string{file}, nil)
	if err != nil {
		t.Skip("the captures of others are not on this machine")
	}
	r, err := match.Evaluate(match.Grounds{
		Catalog: catalog.Default(), Inventory: &inventory.Inventory{}, AsOf: time.Unix(0, 0).UTC(),
	}, []*capture.Capture{inputs[0].Read(t.Context(), capture.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, tunnel := range r.Tunnels {
		got += fmt.Sprintf("%v %d\n", tunnel.Kind, tunnel.Packets)
	}
	if want := "ERSPAN II 34\nERSPAN II 26\n"; got != want || r.Stats.Flowed != 60 {
		t.Errorf("got %q, %d packets in flows, want %q, 60", got, r.Stats.Flowed, want)
	}
}
