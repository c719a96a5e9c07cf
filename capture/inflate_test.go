package capture

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

// inflated expands deflate data, and returns what is behind them.
func inflated(r io.Reader) (expanded, behind []byte, err error) {
	src := newSource(r)
	f := newInflater(src)
	f.reset()
	for err == nil {
		var b []byte
		b, err = f.next()
		expanded = append(expanded, b...)
		if len(expanded) > 8<<20 {
			break
		}
	}
	behind, _ = io.ReadAll(src)
	return expanded, behind, err
}

// pieces reads up to 40 bytes at a time: so that the short way and the long one take turns in the middle of everything.
type pieces struct {
	r   io.Reader
	rng *rand.Rand
}

func (p *pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), 1+p.rng.IntN(40))]) }

// deflated returns data at a level of compression of the standard library.
func deflated(t testing.TB, level int, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		n := min(len(data), 100_000)
		if _, err := w.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil { // an empty stored block
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestInflateExpandsWhatTheLibraryDeflates goes through all levels, with data of few and of many symbols, whole and byte by byte.
func TestInflateExpandsWhatTheLibraryDeflates(t *testing.T) {
	if testing.Short() {
		t.Skip("inflates 200 files of half a megabyte, in one goroutine")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 300_000)
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	geometric := make([]byte, 400_000) // codes of every length
	for i := range geometric {
		geometric[i] = byte(rng.ExpFloat64() * 9)
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "a byte": {7}, "zeros": make([]byte, 500_000), "noise": noise, "geometric": geometric,
		"packets": pcapOf(3000, 7), "text": bytes.Repeat([]byte("to be or not to be, "), 20_000),
	} {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			in := append(deflated(t, level, data), "behind"...)
			for what, r := range map[string]io.Reader{
				"whole": bytes.NewReader(in), "byte by byte": iotest.OneByteReader(bytes.NewReader(in)), "in pieces": &pieces{bytes.NewReader(in), rng},
			} {
				got, behind, err := inflated(r)
				if err != io.EOF || !bytes.Equal(got, data) || string(behind) != "behind" {
					t.Fatalf("%s at level %d, %s: %d bytes of %d, %q behind, %v", name, level, what, len(got), len(data), behind, err)
				}
			}
		}
	}
}

// FuzzInflate holds that what is expanded, and whether it ends well, is what the standard library says.
func FuzzInflate(f *testing.F) {
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level += 3 {
		whole := deflated(f, level, pcapOf(20, 3))
		f.Add(whole)
		f.Add(whole[:len(whole)/2])
	}
	f.Add([]byte("\x05\xe0\x81\x08\x00\x00\x00\x00\x20\x7f\xeb\x0b\x00\x00")) // one distance code
	f.Add([]byte("\x01\x05\x00\xfa\xffhello"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		library := flate.NewReader(bytes.NewReader(data))
		want, wantErr := io.ReadAll(io.LimitReader(library, 8<<20))
		if len(want) == 8<<20 {
			return
		}
		got, _, err := inflated(&pieces{bytes.NewReader(data), rand.New(rand.NewPCG(1, 1))})
		if (err == io.EOF) != (wantErr == nil) {
			t.Fatalf("%v, want %v", err, wantErr)
		}
		if wantErr == nil && !bytes.Equal(got, want) || !bytes.HasPrefix(got, want) && !bytes.HasPrefix(want, got) {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	data := pcapOf(100_000, 500)
	in := deflated(b, 6, data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		f := newInflater(newSource(bytes.NewReader(in)))
		for {
			if _, err := f.next(); err != nil {
				break
			}
		}
	}
}
