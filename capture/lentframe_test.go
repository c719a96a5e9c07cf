package capture

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestNothingKeptPointsIntoAFrame is trap D14: a reader's buffer is the next frame's. What is kept of a frame must not change
// when its bytes do.
func TestNothingKeptPointsIntoAFrame(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "testdata", "pcaps", "*", "*.pcap*"))
	if err != nil || len(files) < 23 {
		t.Fatalf("%d captures, %v", len(files), err)
	}
	packets := uint64(0)
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		src := sourceOf(t, data)
		whole, shared := newGatherer(Options{}), newGatherer(Options{})
		shared.sampler, shared.duplicates.seed, shared.duplicates.mix = whole.sampler, whole.duplicates.seed, whole.duplicates.mix
		var f Frame
		for src.Next(&f) == nil {
			alone := f
			alone.Data = bytes.Clone(f.Data)
			whole.take(&alone)
			f.Data = slices.Clone(f.Data)
			shared.take(&f)
			for i := range f.Data {
				f.Data[i] ^= 0xff
			}
		}
		want, got := whole.finish(), shared.finish()
		packets += got.Stats.Read
		options := cmp.Options{cmpopts.IgnoreUnexported(Table{}), compareNetip, comparePorts}
		if diff := cmp.Diff(want, got, options); diff != "" {
			t.Errorf("%s (-frames kept +frames overwritten):\n%s", name, diff)
		}
		if diff := cmp.Diff(sorted(want), sorted(got), options); diff != "" {
			t.Errorf("%s: flows (-frames kept +frames overwritten):\n%s", name, diff)
		}
	}
	t.Logf("%d packets of %d captures", packets, len(files))
}
