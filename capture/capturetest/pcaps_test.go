package capturetest

import (
	"bytes"
	"encoding/csv"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the captures of testdata/pcaps anew from their stories")

// pcaps is the folder of the captures the project makes for itself.
var pcaps = filepath.Join("..", "..", "testdata", "pcaps")

// captureName is what a story's capture file is called.
func captureName(s *Story) string {
	if s.file.pcapng {
		return "capture.pcapng"
	}
	return "capture.pcap"
}

// Every capture that is committed is what its story makes, byte for byte, and can show an absence: it was made without a
// filter, holds ARP, and lasts a minute at least.
func TestCaptures(t *testing.T) {
	scenes, err := filepath.Glob(filepath.Join(pcaps, "*", "story.txt"))
	if err != nil || len(scenes) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	sites, err := filepath.Glob(filepath.Join(pcaps, "sites", "*", "story.txt"))
	if err != nil || len(sites) == 0 {
		t.Fatalf("no sites: %v", err)
	}
	for _, path := range slices.Concat(scenes, sites) {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Parse(path, string(text))
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := s.WriteFile(filepath.Join(folder, captureName(s))); err != nil {
					t.Fatal(err)
				}
			}
			sameAsCommitted(t, folder, s)
			wellMade(t, s, string(text))
		})
	}
}

func sameAsCommitted(t *testing.T, folder string, s *Story) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "capture.*"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != captureName(s) {
		t.Fatalf("got captures %q, want %s alone (%v)", files, captureName(s), err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, s.Pcap()) {
		t.Errorf("%s is not what its story makes: go test ./capture/capturetest -run TestCaptures -update", files[0])
	}
}

func wellMade(t *testing.T, s *Story, text string) {
	t.Helper()
	const mostBytes, mostLines = 300_000, 130
	if n := len(s.Pcap()); n > mostBytes {
		t.Errorf("got %d bytes, want at most %d", n, mostBytes)
	}
	if n := strings.Count(text, "\n"); n > mostLines {
		t.Errorf("got %d lines, want at most %d", n, mostLines)
	}
	if s.file.filter != "" {
		t.Errorf("got filter %q, want none", s.file.filter)
	}
	frames := s.Frames()
	if d := frames[len(frames)-1].Time.Sub(frames[0].Time); d < time.Minute {
		t.Errorf("got %v of capture, want a minute at least", d)
	}
	if !strings.Contains(text, " arp ") {
		t.Error("got no ARP, want some")
	}
}

// The story of a product names every row of the product that is on the wire.
func TestStoriesNameEveryRowOfTheirProduct(t *testing.T) {
	for product, rows := range rowsOnWire(t) {
		folder := strings.ToLower(strings.NewReplacer(" ", "-", "/", "-").Replace(product))
		text, err := os.ReadFile(filepath.Join(pcaps, folder, "story.txt"))
		if err != nil {
			t.Errorf("%s: %v", product, err)
			continue
		}
		named := regexp.MustCompile(`R\d{3}`).FindAllString(string(text), -1)
		for _, row := range rows {
			if !slices.Contains(named, row) {
				t.Errorf("%s: no line says %s", folder, row)
			}
		}
	}
}

// rowsOnWire reads the ids of the catalogue's rows by product, without those between a machine and itself.
func rowsOnWire(t *testing.T) map[string][]string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "catalog", "ports.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	table, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	id, product, onWire := slices.Index(table[0], "id"), slices.Index(table[0], "product"), slices.Index(table[0], "on_wire")
	rows := map[string][]string{}
	for _, record := range table[1:] {
		if record[onWire] == "y" {
			rows[record[product]] = append(rows[record[product]], record[id])
		}
	}
	if len(rows) != 20 {
		t.Fatalf("got %d products in the catalogue, want 20", len(rows))
	}
	return rows
}
