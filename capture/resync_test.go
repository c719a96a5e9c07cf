package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"flowvet/capture/capturetest"
)

// starts returns where in data the records begin that a reader delivers, and how it ends.
func starts(data []byte) (offsets []int64, err error) {
	s := &stream{window: newWindow(bytes.NewReader(data), int64(len(data))), size: int64(len(data))}
	var f Frame
	if len(data) >= 4 && binary.BigEndian.Uint32(data) == blockSection {
		r := newPcapngReader(s)
		for {
			at := r.offset()
			packet, err := r.next(&f)
			if err != nil {
				if err = r.goOn(err, pcapngChain{r}); err != nil {
					return offsets, err
				}
				r.gap = true
			} else if packet {
				offsets = append(offsets, at)
			}
		}
	}
	r, err := newPcapReader(s)
	if err != nil {
		return nil, err
	}
	for {
		at := r.offset()
		if err := r.next(&f); err == nil {
			offsets = append(offsets, at)
		} else if err = r.goOn(err, pcapChain{r, false}); err != nil {
			return offsets, err
		}
	}
}

// stretch is a piece of a damaged file: length bytes that stood at from in the original, or nowhere if from is negative.
type stretch struct {
	at, from, length int64
}

// damaged is a file made from another.
type damaged struct {
	data      []byte
	stretches []stretch
	how       string
}

// original returns where a byte of the damaged file stood in the original; negative where nowhere.
func (d *damaged) original(at int64) int64 {
	for _, s := range d.stretches {
		if at >= s.at && at < s.at+s.length && s.from >= 0 {
			return s.from + at - s.at
		}
	}
	return -1
}

// began reports whether a record of the original begins at a byte of the damaged file: most of its header, at least.
func (d *damaged) began(boundaries map[int64]bool, at int64) bool {
	const last = pcapRecordHeader - 1
	return boundaries[d.original(at)] || boundaries[d.original(at+last)-last]
}

// build puts a file together from pieces of data; a piece with a negative offset is noise.
func build(data []byte, r *rand.Rand, how string, pieces ...stretch) damaged {
	d := damaged{how: how}
	for _, p := range pieces {
		p.at = int64(len(d.data))
		if p.from >= 0 {
			d.data = append(d.data, data[p.from:p.from+p.length]...)
		} else {
			for range p.length {
				d.data = append(d.data, byte(r.Uint32()))
			}
		}
		d.stretches = append(d.stretches, p)
	}
	return d
}

// harm damages a file behind its first bytes: flips of bits, holes, noise, or a piece of it in another place.
func harm(data []byte, r *rand.Rand) damaged {
	const header = 24
	size := int64(len(data))
	between := func(low, high int64) int64 { return low + r.Int64N(max(high-low, 1)) }
	at := between(header, size)
	length := between(1, min(size-at, 4096)+1)
	switch r.IntN(5) {
	case 0:
		d := build(data, r, "", stretch{length: size})
		n := 1 + r.IntN(8)
		for range n {
			bit := r.Int64N((size - header) * 8)
			d.data[header+bit/8] ^= 1 << (bit % 8)
		}
		d.how = fmt.Sprintf("%d flipped bits", n)
		return d
	case 1:
		return build(data, r, fmt.Sprintf("%d bytes missing at %d", length, at), stretch{length: at}, stretch{from: at + length, length: size - at - length})
	case 2:
		return build(data, r, fmt.Sprintf("%d bytes of noise at %d", length, at), stretch{length: at}, stretch{from: -1, length: length}, stretch{from: at, length: size - at})
	case 3:
		d := build(data, r, fmt.Sprintf("%d bytes overwritten with zeros at %d", length, at), stretch{length: at}, stretch{from: -1, length: length}, stretch{from: at + length, length: size - at - length})
		clear(d.data[at : at+length])
		return d
	}
	from := between(header, size-length+1)
	return build(data, r, fmt.Sprintf("%d bytes from %d once more at %d", length, from, at), stretch{length: at}, stretch{from: from, length: length}, stretch{from: at, length: size - at})
}

// damageSeeds are the captures that damage is done to.
func damageSeeds(t testing.TB) map[string][]byte {
	seeds := map[string][]byte{"generated": pcapOf(300, 20)}
	for _, format := range []string{"pcap", "pcap nanoseconds big-endian", "pcapng", "pcapng big-endian"} {
		story := "file " + format + `
host esx01 10.20.0.11
host vcenter01 10.20.0.5
0..60/1     esx01:* > vcenter01:902/udp 334
0.5..30/2   vcenter01:* > esx01:443/tcp session 2000 5000
end 60
`
		seeds[format] = capturetest.Must(t, story)
	}
	files, _ := filepath.Glob(filepath.Join(truthFolder, "captures", "*.pcap*"))
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if k := recognise(data, true); k.format == "" || len(data) > 1<<20 || len(data) <= 64 {
			continue
		}
		if _, err := starts(data); errors.Is(err, io.EOF) {
			seeds[filepath.Base(name)] = data
		}
	}
	return seeds
}

// fullDamage asks for all of the damage and cut tests; .ci/run takes a sample.
const fullDamage = "FLOWVET_FULL"

// TestNoDamageInventsAPacket is faults 2 and 5: whatever happens to a file behind its header, every packet that is delivered
// began a record of the file before, and the packets before the damage are all there.
func TestNoDamageInventsAPacket(t *testing.T) {
	files := 300
	if os.Getenv(fullDamage) != "" {
		files = 10_000
	}
	seeds := damageSeeds(t)
	names := make([]string, 0, len(seeds))
	boundaries := make(map[string]map[int64]bool, len(seeds))
	for name, data := range seeds {
		names = append(names, name)
		all, err := starts(data)
		if !errors.Is(err, io.EOF) {
			t.Fatalf("%s: %v", name, err)
		}
		boundaries[name] = make(map[int64]bool, len(all))
		for _, at := range all {
			boundaries[name][at] = true
		}
	}
	slices.Sort(names)
	var whole, kept, phantoms int
	for i := range files {
		name := names[i%len(names)]
		r := rand.New(rand.NewPCG(uint64(i), 1))
		d := harm(seeds[name], r)
		offsets, err := starts(d.data)
		whole += len(boundaries[name])
		kept += len(offsets)
		for _, at := range offsets {
			if !d.began(boundaries[name], at) {
				phantoms++
				t.Errorf("%s, seed %d, %s: a packet at %d, where none began; ended %v", name, i, d.how, at, err)
				break
			}
		}
	}
	t.Logf("%d damaged files of %d captures: %d of %d packets read, %d files with a phantom", files, len(seeds), kept, whole, phantoms)
}
