package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
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

// sortedSeeds returns the captures that damage is done to, and their names in order.
func sortedSeeds(t testing.TB) (map[string][]byte, []string) {
	seeds := damageSeeds(t)
	return seeds, slices.Sorted(maps.Keys(seeds))
}

// TestNoDamageInventsAPacket is faults 2 and 5: whatever happens to a file behind its header, every packet that is delivered
// began a record of the file before, and the packets before the damage are all there.
func TestNoDamageInventsAPacket(t *testing.T) {
	files := 300
	if os.Getenv(fullDamage) != "" {
		files = 10_000
	}
	seeds, names := sortedSeeds(t)
	boundaries := make(map[string]map[int64]bool, len(seeds))
	for name, data := range seeds {
		all, err := starts(data)
		if !errors.Is(err, io.EOF) {
			t.Fatalf("%s: %v", name, err)
		}
		boundaries[name] = make(map[int64]bool, len(all))
		for _, at := range all {
			boundaries[name][at] = true
		}
	}
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

// TestCutsOfCaptures is fault 1 on real captures: cut anywhere, the packets that are whole are read, and no other; it is
// damage unless the cut lies between two records or blocks.
func TestCutsOfCaptures(t *testing.T) {
	const small, step = 64 << 10, 997
	seeds, names := sortedSeeds(t)
	cuts := 0
	for i, name := range names {
		data := seeds[name]
		every := step
		if len(data) <= small && os.Getenv(fullDamage) != "" {
			every = 1
		}
		records, _ := starts(data)
		ends, whole := boundariesOf(data, records)
		for cut := pcapHeader + i%every; cut < len(data); cut += every {
			cuts++
			before := sort.SearchInts(ends, cut+1) - 1 // the last boundary not behind the cut
			want := records[:whole[before]]
			got, err := starts(data[:cut])
			if !slices.Equal(got, want) || errors.Is(err, io.EOF) != (ends[before] == cut) {
				t.Errorf("%s, cut at %d, the last boundary at %d: %d packets, want %d; ended %v", name, cut, ends[before], len(got), len(want), err)
				break
			}
		}
	}
	t.Logf("%d cuts of %d captures", cuts, len(seeds))
}

// boundariesOf returns where the file header, each record and each block of a file ends, and how many of the records lie
// before.
func boundariesOf(data []byte, records []int64) (ends, whole []int) {
	ends, whole = []int{0}, []int{0}
	next := func(end int) {
		n := whole[len(whole)-1]
		if n < len(records) && int(records[n]) < end {
			n++
		}
		ends, whole = append(ends, end), append(whole, n)
	}
	if binary.BigEndian.Uint32(data) == blockSection {
		for at := 0; at+8 <= len(data); at = ends[len(ends)-1] {
			next(at + int(min(binary.LittleEndian.Uint32(data[at+4:]), binary.BigEndian.Uint32(data[at+4:]))))
		}
		return ends, whole
	}
	r, _ := newPcapReader(&stream{window: newWindow(bytes.NewReader(data[:pcapHeader]), pcapHeader)})
	next(pcapHeader)
	for _, at := range records {
		h := r.header(data[at:])
		next(int(at) + pcapRecordHeader + int(h.captured))
	}
	return ends, whole
}

// counted by Wireshark's library: what it says on standard output, and of a damaged file on standard error.
var (
	countedWhole   = regexp.MustCompile(`(?m)^(\d+),(\d+)$`)
	countedDamaged = regexp.MustCompile(`after reading (\d+) packets? from "(\d+)"`)
)

// wiresharkErrs says why Wireshark counts other packets in a file that we find no damage in, by seed and file.
var wiresharkErrs = map[string]string{
	"3019 ndpi__netbios.pcap":          "other: Wireshark ends at packet options that break off, which say nothing of the packet",
	"9391 zeek__tcp_syn-then-rst.pcap": "other: Wireshark takes the file for a dialect with other record headers",
}

// TestDamageAgainstWireshark is fault 2: of a damaged file we read as many packets as Wireshark does, or say that it is
// damaged: Wireshark ends where we go on behind it, and goes on where nothing proves that what follows are packets.
func TestDamageAgainstWireshark(t *testing.T) {
	if _, err := exec.LookPath("capinfos"); err != nil {
		t.Skip("needs capinfos")
	}
	files := 300
	if os.Getenv(fullDamage) != "" {
		files = 10_000
	}
	seeds, names := sortedSeeds(t)
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "gopacket__") }) // its custom blocks count as packets there
	const batch = 500
	tally := map[string]int{}
	for first := 0; first < files; first += batch {
		dir := t.TempDir()
		ours := map[string]*Capture{}
		var paths []string
		for i := first; i < min(first+batch, files); i++ {
			d := harm(seeds[names[i%len(names)]], rand.New(rand.NewPCG(uint64(i), 1)))
			path := strconv.Itoa(i)
			if err := os.WriteFile(filepath.Join(dir, path), d.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if recognise(d.data, true).format == "" {
				continue
			}
			ours[path], paths = readBytes(t, d.data), append(paths, path)
		}
		for path, theirs := range capinfosCounts(dir, paths) {
			c := ours[path]
			switch n := int(c.Table.Stats.Read); {
			case n == theirs:
				tally["as many"]++
			case c.Damage == nil && wiresharkErrs[path+" "+names[atoi(path)%len(names)]] != "":
				tally[wiresharkErrs[path+" "+names[atoi(path)%len(names)]]]++
			case c.Damage == nil:
				t.Errorf("seed %s of %s: %d packets without damage, Wireshark reads %d", path, names[atoi(path)%len(names)], n, theirs)
			case n > theirs:
				tally["more: went on behind the damage"]++
			default:
				tally["fewer: Wireshark reads on through the damage"]++
			}
		}
	}
	t.Logf("%d damaged files: %v", files, tally)
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// capinfosCounts returns how many packets Wireshark's library reads of each file.
func capinfosCounts(dir string, paths []string) map[string]int {
	cmd := exec.Command("capinfos", append([]string{"-T", "-c", "-M", "-b", "-m", "-r"}, paths...)...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // fails where a file is damaged
	counts := map[string]int{}
	for _, m := range countedWhole.FindAllStringSubmatch(stdout.String(), -1) {
		counts[m[1]] = atoi(m[2])
	}
	for _, m := range countedDamaged.FindAllStringSubmatch(stderr.String(), -1) {
		counts[m[2]] = atoi(m[1])
	}
	return counts
}
