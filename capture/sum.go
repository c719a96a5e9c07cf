package capture

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// Sum returns the SHA-256 of the input's bytes, hexadecimal: those that reading it reads, as they lie on the disk. It is ""
// for what cannot be read twice: standard input, a pipe, a device. It costs as much as reading does.
func (in *Input) Sum(ctx context.Context) (string, error) {
	if in.info == nil || !in.info.Mode().IsRegular() {
		return "", nil
	}
	f, err := os.Open(in.Name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, canceled{ctx, io.LimitReader(f, in.Size)}, make([]byte, 1<<20))
	switch {
	case err != nil:
		return "", err
	case n < in.Size:
		return "", fmt.Errorf("%s: ends at byte %d of %d: it shrank", in.Name, n, in.Size)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// canceled is a reader that ends with its context.
type canceled struct {
	ctx context.Context
	io.Reader
}

func (r canceled) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
