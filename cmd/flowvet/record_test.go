package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRecordedScenesAreJudgedAsCaptures records each capture of testdata/pcaps, and wants every format of the report to be
// the capture's own, byte for byte.
func TestRecordedScenesAreJudgedAsCaptures(t *testing.T) {
	captures, err := filepath.Glob(filepath.Join("..", "..", "testdata", "pcaps", "*", "capture.pcap*"))
	if err != nil || len(captures) < 23 {
		t.Fatalf("%d captures: %v", len(captures), err)
	}
	var of, in int64
	for _, file := range captures {
		folder := filepath.Dir(file)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Chdir(folder)
			t.Setenv("COLUMNS", "")
			flows := filepath.Join(t.TempDir(), "x.flows")
			if got := transcript(t, "record", filepath.Base(file), "-o", flows); got != "[exit status 0]\n" {
				t.Fatalf("record: %s", got)
			}
			for _, format := range []string{"json", "csv", "text"} {
				judge := append([]string{"--inventory", "inventory.yaml", "--as-of", "2015-10-21T12:00:00Z", "-v", "--format", format}, extraArgs(t)...)
				want := transcript(t, append([]string{"check", filepath.Base(file)}, judge...)...)
				got := transcript(t, append([]string{"check", flows}, judge...)...)
				if want != got {
					t.Errorf("%s: the report differs (-capture +flows):\n%s", format, cmp.Diff(want, got))
				}
			}
			of, in = of+sizeOf(t, filepath.Base(file)), in+sizeOf(t, flows)
		})
	}
	t.Logf("%d captures of %d bytes in flows files of %d", len(captures), of, in)
}

// sizeOf returns the size of a file.
func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestRecordedFoldersAreJudgedAsTheirCaptures does it with many captures at once, those of every kind and damage.
func TestRecordedFoldersAreJudgedAsTheirCaptures(t *testing.T) {
	for _, folder := range []string{
		filepath.Join("..", "..", "testdata", "pcaps"),
		filepath.Join("..", "..", "..", "shared", "pcaps", "captures"),
	} {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			if _, err := os.Stat(folder); err != nil {
				t.Skip("no such captures here")
			}
			flows := filepath.Join(t.TempDir(), "x.flows")
			var stdout, stderr bytes.Buffer
			if status := run([]string{"record", "-q", folder, "-o", flows}, nil, &stdout, &stderr); status != statusGood && status != statusPartial {
				t.Fatalf("record: exit status %d: %s", status, stderr.String())
			}
			judge := []string{"-q", "--as-of", "2015-10-21T12:00:00Z", "--format", "json"}
			want := transcript(t, append([]string{"check", folder}, judge...)...)
			if got := transcript(t, append([]string{"check", flows}, judge...)...); want != got {
				t.Errorf("the report differs (-captures +flows):\n%s", cmp.Diff(want, got))
			}
		})
	}
}
