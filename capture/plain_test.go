package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// corpus returns every uncompressed capture that the tests know: those written by hand, the examples, and the real ones
// where they are.
func corpus(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for name, sample := range sampleFiles() {
		all[name] = sample.data
	}
	for _, root := range []string{"../testdata/pcaps", "testdata", "../../shared/pcaps/captures"} {
		_ = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return nil
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if k := recognise(data[:min(len(data), headSizeMax)], len(data) < headSizeMax); k.format == formatPcap || k.format == formatPcapng {
				all[path] = data
			}
			return nil
		})
	}
	return all
}

// readerOf returns the reader of a capture that lies in memory.
func readerOf(data []byte, r io.Reader) (plainReader, error) {
	s := &stream{window: newWindow(r, int64(len(data))), size: int64(len(data))}
	if len(data) >= 4 && binary.BigEndian.Uint32(data) == blockSection {
		return newPcapngReader(s), nil
	}
	return newPcapReader(s)
}

// spoilt returns data with a few bytes changed, or cut.
func spoilt(rng *rand.Rand, data []byte) []byte {
	data = bytes.Clone(data)
	if rng.IntN(4) == 0 {
		data = data[:pcapHeader+rng.IntN(len(data)-pcapHeader)+1]
	}
	for range rng.IntN(4) {
		data[pcapHeader+rng.IntN(len(data)-pcapHeader)] = byte(rng.Uint32())
	}
	return data
}

// TestPlainRecordsReadAlike holds the short way through plain records against the long one, in whole and in damaged files,
// whatever part of a file the window holds.
func TestPlainRecordsReadAlike(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	plain, all, tries := 0, 0, 8
	if testing.Short() {
		tries = 2
	}
	for name, data := range corpus(t) {
		if len(data) <= pcapHeader {
			continue
		}
		for try := range tries {
			if try > 0 {
				data = spoilt(rng, data)
			}
			want := delivered(data, bytes.NewReader(data), nil)
			for _, least := range []int{1, 700, 1 << 20} {
				got := delivered(data, &droplets{bytes.NewReader(data), least}, func(n int) int { plain += n; return 1 + rng.IntN(framesPerBlock) })
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s, damaged %d times, read %d bytes at a time (-one by one +plain):\n%s", name, try, least, diff)
				}
				all += len(got)
			}
		}
	}
	if plain < all/2 {
		t.Errorf("of %d frames %d were read the short way", all, plain)
	}
}

// droplets reads a few bytes at a time.
type droplets struct {
	from io.Reader
	most int
}

func (d *droplets) Read(b []byte) (int, error) { return d.from.Read(b[:min(len(b), d.most)]) }

// delivered returns the frames of a capture, a line each, and how reading ended. block, if not nil, is told how many frames
// were read the short way, and says how many may be at once.
func delivered(data []byte, from io.Reader, block func(n int) int) (lines []string) {
	r, err := readerOf(data, from)
	if err != nil {
		return []string{err.Error()}
	}
	frames := make([]Frame, framesPerBlock)
	for {
		n := 0
		if block != nil {
			n = r.plain(frames[:block(n)])
			block(n)
		}
		if n == 0 {
			if err = r.Next(&frames[0]); err != nil {
				break
			}
			n = 1
		}
		for _, f := range frames[:n] {
			lines = append(lines, fmt.Sprint(f.Number, f.Link, f.Interface, f.Nanos, f.BadTime, f.WireLen, len(f.Data), mixed(checksum(f.Data), &f)))
		}
	}
	s := r.state()
	return append(lines, fmt.Sprint("ended ", errors.Is(err, io.EOF), strings.Clone(err.Error()), s.offset(), s.damages, s.interfaces))
}

// checksum tells bytes apart.
func checksum(b []byte) (sum uint64) {
	for _, c := range b {
		sum = sum*31 + uint64(c)
	}
	return sum
}

// BenchmarkFrames is what a record costs before anything looks into it, one by one and in blocks.
func BenchmarkFrames(b *testing.B) {
	const packets = 200_000
	data := pcapOf(packets, 1000)
	for _, short := range []bool{false, true} {
		b.Run(map[bool]string{false: "one by one", true: "plain"}[short], func(b *testing.B) {
			block := make([]Frame, framesPerBlock)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := readerOf(data, bytes.NewReader(data))
				for err == nil {
					if !short || r.plain(block) == 0 {
						err = r.Next(&block[0])
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/packets, "ns/packet")
		})
	}
}
