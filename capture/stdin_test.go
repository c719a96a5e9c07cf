package capture

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestFileOnStandardInput holds that a file that is standard input is read as by its name: from where whoever opened it stands,
// in parts, and as far as it goes.
func TestFileOnStandardInput(t *testing.T) {
	data, before := pcapOf(20_000, 50), []byte("what somebody else has read")
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, append(bytes.Clone(before), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	want := opened(t, data).Read(context.Background(), Options{})
	for _, near := range [][]int64{nil, {int64(len(data)) / 3, int64(len(data)) / 2}} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.Seek(int64(len(before)), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		inputs, err := Open([]string{"-"}, f)
		if err != nil {
			t.Fatal(err)
		}
		if inputs[0].Size != int64(len(data)) || inputs[0].isStream() {
			t.Errorf("%d bytes, a stream %v; want %d of a file", inputs[0].Size, inputs[0].isStream(), len(data))
		}
		got, parts, fitted := inParts(t, inputs[0], Options{}, near)
		if parts != len(near) || fitted != parts {
			t.Errorf("%d parts of %d, %d fitted", parts, len(near), fitted)
		}
		got.Name = want.Name
		same(t, "standard input", want, got)
		if rest, err := io.ReadAll(f); err != nil || len(rest) > 0 {
			t.Errorf("%d bytes left to whoever has the file too, %v", len(rest), err)
		}
	}
}

// TestWhatIsNoFileOnStandardInput holds that nothing is taken for a file that can be read from anywhere that is none, or has nothing
// left.
func TestWhatIsNoFileOnStandardInput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	read, err := os.Open("stdin_test.go")
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	if _, err := io.Copy(io.Discard, read); err != nil {
		t.Fatal(err)
	}
	for what, in := range map[string]io.Reader{"a pipe": r, "a file read to its end": read, "a reader": bytes.NewReader(nil), "a closed file": os.NewFile(^uintptr(0), "")} {
		if restOf(in) != nil {
			t.Errorf("%s is read as a file", what)
		}
	}
}

// TestCompressedFileOnStandardInput holds that a compressed one is read from where it stands, too.
func TestCompressedFileOnStandardInput(t *testing.T) {
	data := pcapOf(20_000, 50)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, append([]byte("read"), compressed(t, compressionGzip, data)...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(4, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	inputs, err := Open([]string{"-"}, f)
	if err != nil {
		t.Fatal(err)
	}
	c := inputs[0].Read(context.Background(), Options{})
	if c.Damage != nil || c.Table.Stats.Flowed != 20_000 || !inputs[0].isStream() {
		t.Errorf("%d packets, damage %v, a stream %v", c.Table.Stats.Flowed, c.Damage, inputs[0].isStream())
	}
}
