package capture

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
)

// plainDuplicates remembers the last packets of each bucket in a list.
type plainDuplicates struct {
	prints [dupBuckets][]uint64
	at     [dupBuckets][]int64
}

func (d *plainDuplicates) known(fp uint64, ns int64) bool {
	n := fp >> 1 % dupBuckets
	for i, print := range d.prints[n] {
		if age := ns - d.at[n][i]; print == fp && age <= dupWindow && age >= -dupWindow {
			return true
		}
	}
	d.prints[n], d.at[n] = append(d.prints[n], fp), append(d.at[n], ns)
	if len(d.prints[n]) > dupWays {
		d.prints[n], d.at[n] = d.prints[n][1:], d.at[n][1:]
	}
	return false
}

// TestTagsSayWhatTheListsDo holds the detector of copies against lists: fingerprints that differ in a bucket, in a tag or in nothing,
// copies within the window and behind it, before the first packet and after a part was joined.
func TestTagsSayWhatTheListsDo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var tags duplicates
	lists := new(plainDuplicates)
	for i := range 2_000_000 {
		bucket, tag, rest := rng.Uint64N(8), rng.Uint64N(8), rng.Uint64N(2)
		if i%3 == 0 {
			bucket, tag = rng.Uint64N(dupBuckets), rng.Uint64N(1<<14)
		}
		fp := tag<<50 | rest<<20 | bucket<<1 | 1
		ns := int64(i)*10_000 - rng.Int64N(2*dupWindow)
		if got, want := tags.known(fp, ns), lists.known(fp, ns); got != want {
			t.Fatalf("packet %d, %016x: known: %v, want %v", i, fp, got, want)
		}
		if i%100_000 == 0 {
			var other duplicates
			for n := range tags.buckets {
				b := tags.bucket(n)
				other.setBucket(n, &b)
			}
			tags = other
		}
	}
}

// TestCopiesFarBehindAreKnown holds that all buckets are used: half of them were not, and of copies so far behind half were missed.
func TestCopiesFarBehindAreKnown(t *testing.T) {
	const packets, behind = 100_000, dupBuckets * dupWays / 2
	rng := rand.New(rand.NewPCG(4, 6))
	var prints [packets + behind]uint64
	d, known := newDuplicates(), 0
	for i := range prints {
		prints[i] = rng.Uint64() | 1
		d.known(prints[i], 0)
		if i >= behind && d.known(prints[i-behind], 0) {
			known++
		}
	}
	if share := float64(known) / packets; share < 0.5 {
		t.Errorf("%.2f of the copies %d packets behind are known, want half", share, behind)
	}
}

// TestACaptureReadAloneIsTheSame holds that Alone leaves out what captures are held against each other by, and nothing else.
func TestACaptureReadAloneIsTheSame(t *testing.T) {
	files, err := filepath.Glob("../testdata/pcaps/*/capture.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatal("no captures", err)
	}
	for _, file := range files {
		inputs, err := Open([]string{file}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, got := inputs[0].Read(context.Background(), Options{}), inputs[0].Read(context.Background(), Options{Alone: true})
		if got.Digest != 0 || len(got.Sample.Hashes) > 0 {
			t.Errorf("%s: digest %x, a sample of %d", file, got.Digest, len(got.Sample.Hashes))
		}
		want.Digest, want.Sample = got.Digest, got.Sample
		same(t, file, want, got)
	}
}
