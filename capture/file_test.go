package capture

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// small returns a pcap file of one packet.
func small() []byte {
	w := newFileWriter(false)
	w.pcapHeader(magicMicros, 0, 1)
	w.record(1445421600, 0, tcpFrame(1, false))
	return w.Bytes()
}

// inFolder makes files in a new folder and goes there.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenSaysWhatAFileIsInstead(t *testing.T) {
	erf := "\x00\x00\x00\x00\x00\x00\x30\x56\x02\x04\x00\x40\x00\x00\x00\x3c" + strings.Repeat("\x00", 48)
	tests := []struct{ name, content, want string }{
		{"an empty file", "", "empty"},
		{"a line feed", "\n", "not a capture: plain text"},
		{"text", "Frame 1: 60 bytes on wire\n", "not a capture: plain text"},
		{"text in UTF-8", "Überblick\n", "not a capture: plain text"},
		{"text cut inside a character", strings.Repeat("x", headSizeMax-1) + "Ü", "not a capture: plain text"},
		{"text in UTF-16", "\xff\xfef\x00l\x00", "not a capture: plain text"},
		{"gzip", "\x1f\x8b\x08\x00", "gzip-compressed: nothing in it can be read"},
		{"zstd", "\x28\xb5\x2f\xfd\x04", "zstd-compressed: nothing in it can be read"},
		{"xz", "\xfd7zXZ\x00\x00", "xz-compressed: nothing in it can be read"},
		{"bzip2", "BZh91AY", "bzip2-compressed: decompress it first (bunzip2)"},
		{"lz4", "\x04\x22\x4d\x18d@", "lz4-compressed: decompress it first (unlz4)"},
		{"zip", "PK\x03\x04\x14", "a zip archive: unpack it first (unzip)"},
		{"modified pcap", "\xa1\xb2\xcd\x34" + strings.Repeat("\x00", 20), "not a capture that can be read: modified pcap (magic a1b2cd34): convert it first (editcap -F pcap)"},
		{"modified pcap, the other way round", "\x34\xcd\xb2\xa1" + strings.Repeat("\x00", 20), "not a capture that can be read: modified pcap (magic a1b2cd34): convert it first (editcap -F pcap)"},
		{"pcap version 1.2", "\xd4\xc3\xb2\xa1\x01\x00\x02\x00", "not a capture that can be read: pcap version 1.2 (magic d4c3b2a1): versions 2.0 to 2.4 can"},
		{"snoop", "snoop\x00\x00\x00\x00\x00\x00\x02", "not a capture that can be read: snoop: convert it first (editcap -F pcap)"},
		{"Network Monitor 2", "GMBU\x00\x02\x01\x00", "not a capture that can be read: Network Monitor 2: convert it first (editcap -F pcap)"},
		{"ERF", erf, "not a capture that can be read: ERF: convert it first (editcap -F pcap)"},
		{"zeros", strings.Repeat("\x00", 100), "not a capture: begins with bytes 0000000000000000"},
		{"three bytes", "\x01EL", "not a capture: begins with bytes 01454c"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inFolder(t, map[string]string{"lab": tt.content})
			_, err := Open([]string{"lab"}, nil)
			e := (*InputError)(nil)
			if !errors.As(err, &e) || e.Path != "lab" || err.Error() != "lab: "+tt.want {
				t.Errorf("from a file: got %v, want lab: %s", err, tt.want)
			}
			_, err = Open([]string{"-"}, strings.NewReader(tt.content))
			if err == nil || err.Error() != "standard input: "+tt.want {
				t.Errorf("from standard input: got %v, want standard input: %s", err, tt.want)
			}
		})
	}
}

func TestOpenTakesACutCapture(t *testing.T) {
	for size := 1; size < pcapHeader; size++ {
		inFolder(t, map[string]string{"cut": string(small()[:size])})
		inputs, err := Open([]string{"cut"}, nil)
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if c := inputs[0].Read(context.Background(), Options{}); c.Damage == nil || c.Damage.Offset != 0 || c.Table.Stats.Read != 0 {
			t.Errorf("%d bytes: damage %v", size, c.Damage)
		}
	}
}

// names returns the names of inputs and their notes, a line each.
func names(inputs []*Input) []string {
	var lines []string
	for _, in := range inputs {
		lines = append(lines, strings.Join(append([]string{in.Name}, in.Notes...), "; "))
	}
	return lines
}

func TestOpen(t *testing.T) {
	pcap := string(small())
	files := map[string]string{
		"b.pcap":            pcap,
		"a.pcap":            pcap + "\x00",
		"lab/2/x":           pcap + "\x00\x00",
		"lab/1.pcap":        pcap + "\x00\x00\x00",
		"lab/10.pcap":       pcap + "\x00\x00\x00\x00",
		"lab/readme.txt":    "hello\n",
		"lab/2/old.pcap.gz": "\x1f\x8b\x08",
		"notes/todo.txt":    "hello\n",
	}
	tests := []struct {
		name  string
		paths []string
		want  []string
		err   string
	}{
		{"files in any order come back in order", []string{"b.pcap", "a.pcap"}, []string{"a.pcap", "b.pcap"}, ""},
		{"standard input comes first", []string{"a.pcap", "-"}, []string{"-", "a.pcap"}, ""},
		{
			"a folder is searched and says what it left",
			[]string{"lab"},
			[]string{
				"lab/1.pcap; not read in lab: lab/2/old.pcap.gz (gzip-compressed: nothing in it can be read), lab/readme.txt (not a capture: plain text)",
				"lab/10.pcap", "lab/2/x",
			},
			"",
		},
		{"the same file twice", []string{"a.pcap", "a.pcap"}, []string{"a.pcap; given twice, read once"}, ""},
		{"the same file by another name", []string{"a.pcap", "./a.pcap"}, []string{"./a.pcap; given twice, read once: also as a.pcap"}, ""},
		{
			"a file that its folder brought too",
			[]string{"lab/2", "lab/2/x"},
			[]string{"lab/2/x; not read in lab/2: lab/2/old.pcap.gz (gzip-compressed: nothing in it can be read); given twice, read once"},
			"",
		},
		{"a folder without captures", []string{"notes"}, nil, "notes: a folder without captures: notes/todo.txt (not a capture: plain text)"},
		{"a folder without files", []string{"void"}, nil, "void: a folder without files"},
		{"a file that is not there", []string{"a.pcap", "gone.pcap"}, nil, "gone.pcap: no such file or directory"},
		{"standard input twice", []string{"-", "-"}, nil, "standard input: named twice: it can be read once"},
		{"everything that is wrong, in order", []string{"notes/todo.txt", "gone.pcap"}, nil, "gone.pcap: no such file or directory\nnotes/todo.txt: not a capture: plain text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inFolder(t, files)
			if err := os.Mkdir("void", 0o700); err != nil {
				t.Fatal(err)
			}
			inputs, err := Open(tt.paths, bytes.NewReader(small()))
			if diff := cmp.Diff(tt.want, names(inputs)); diff != "" {
				t.Errorf("inputs (-want +got):\n%s", diff)
			}
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.err {
				t.Errorf("error %q, want %q", got, tt.err)
			}
		})
	}
}

func TestOpenFollowsNoLinkToAFolder(t *testing.T) {
	inFolder(t, map[string]string{"lab/a.pcap": string(small()), "b.pcap": string(small()) + "\x00"})
	for link, target := range map[string]string{"lab/round": "..", "lab/b": "../b.pcap", "lab/gone": "nowhere"} {
		if err := os.Symlink(target, link); err != nil {
			t.Skip(err)
		}
	}
	inputs, err := Open([]string{"lab"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"lab/a.pcap; not read in lab: lab/gone (a link that leads nowhere), lab/round (a link to a folder)", "lab/b"}
	if diff := cmp.Diff(want, names(inputs)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRead(t *testing.T) {
	inFolder(t, map[string]string{"a.pcap": string(pcapOf(200_000, 10))})
	inputs, err := Open([]string{"a.pcap", "-"}, bytes.NewReader(small()))
	if err != nil {
		t.Fatal(err)
	}
	var told []uint64
	c := inputs[1].Read(context.Background(), Options{File: 7, Progress: func(bytes int64, packets uint64) {
		if bytes <= 0 || bytes > inputs[1].Size {
			t.Errorf("progress of %d bytes of %d", bytes, inputs[1].Size)
		}
		told = append(told, packets)
	}})
	if diff := cmp.Diff([]uint64{65536, 131072, 196608, 200_000}, told); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if c.Damage != nil || c.Interrupted || c.Table.Len() != 10 || c.Table.Stats.Flowed != 200_000 || c.Size != inputs[1].Size {
		t.Errorf("read %+v", c)
	}
	for f := range c.Table.Flows {
		if f.FromA.Packets > 0 && f.FromA.FirstRef.File != 7 {
			t.Errorf("first packet %+v, want file 7", f.FromA.FirstRef)
		}
	}
	if got, want := c.Last-c.First, int64(199_999*10_000); got != want || c.First != 1445421600e9 {
		t.Errorf("from %d for %d ns, want %d", c.First, got, want)
	}

	if c := inputs[0].Read(context.Background(), Options{}); c.Name != "-" || c.Table.Stats.Flowed != 1 {
		t.Errorf("standard input: %+v", c)
	}
	if c := inputs[0].Read(context.Background(), Options{}); c.Damage == nil {
		t.Error("standard input was read a second time")
	}
}

func TestReadInterrupted(t *testing.T) {
	inFolder(t, map[string]string{"a.pcap": string(pcapOf(100_000, 10))})
	inputs, err := Open([]string{"a.pcap"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := inputs[0].Read(ctx, Options{Progress: func(int64, uint64) { cancel() }})
	if !c.Interrupted || c.Damage != nil || c.Table.Stats.Flowed != packetsPerProgress {
		t.Errorf("interrupted %v, damage %v, %d packets", c.Interrupted, c.Damage, c.Table.Stats.Flowed)
	}
	c = inputs[0].Read(ctx, Options{})
	if !c.Interrupted || c.Table.Stats.Read != 0 {
		t.Errorf("interrupted before it began: %v, %d packets", c.Interrupted, c.Table.Stats.Read)
	}
}

func TestReadOfAFileThatHasGone(t *testing.T) {
	inFolder(t, map[string]string{"a.pcap": string(small())})
	inputs, err := Open([]string{"a.pcap"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove("a.pcap"); err != nil {
		t.Fatal(err)
	}
	if c := inputs[0].Read(context.Background(), Options{}); c.Damage == nil || c.Table == nil || !strings.Contains(c.Damage.Reason, "no such file") {
		t.Errorf("damage %v", c.Damage)
	}
}

// failing returns an error once what it holds has been read.
type failing struct {
	data *bytes.Reader
	err  error
}

func (f *failing) Read(b []byte) (int, error) {
	if n, err := f.data.Read(b); err == nil {
		return n, nil
	}
	return 0, f.err
}

func TestReadOfAnInputThatFails(t *testing.T) {
	inputs, err := Open([]string{"-"}, &failing{bytes.NewReader(small()), errors.New("input/output error")})
	if err != nil {
		t.Fatal(err)
	}
	c := inputs[0].Read(context.Background(), Options{})
	want := &Damage{Offset: int64(len(small())), Reason: "a record header: input/output error"}
	if diff := cmp.Diff(want, c.Damage); diff != "" || c.Table.Stats.Flowed != 1 {
		t.Errorf("%d packets (-want +got):\n%s", c.Table.Stats.Flowed, diff)
	}
}

// TestReadIsWokenFromAPipe holds that an interrupt ends a read that waits for packets.
func TestReadIsWokenFromAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write(small()); err != nil {
		t.Fatal(err)
	}
	inputs, err := Open([]string{"-"}, r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	c := inputs[0].Read(ctx, Options{})
	if !c.Interrupted || c.Damage != nil || c.Table.Stats.Flowed != 1 {
		t.Errorf("interrupted %v, damage %v, %d packets", c.Interrupted, c.Damage, c.Table.Stats.Flowed)
	}
}
