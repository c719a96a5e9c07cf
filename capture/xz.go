package capture

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"
)

// xzReader reads the xz format: its own look at streams, blocks and indexes, a library's at what is in a block. The library's
// reader of the whole format takes a block's word for the size of its dictionary: 28 bytes make it allocate 4 GiB.
type xzReader struct {
	src    *source
	window int // largest dictionary; negative: as much of a larger one as that
	check  byte
	inside bool          // a stream
	block  *lzma.Reader2 // nil between blocks
	begins int64         // where the block's header does
	sum    hash.Hash     // of the block; nil where its check is none, or unknown
}

const (
	xzMagic        = "\xfd7zXZ\x00"
	xzStreamHeader = 12
	xzStreamFooter = 12
	xzFooterMagic  = "YZ"
	xzLZMA2        = 0x21
)

// Read implements io.Reader.
func (x *xzReader) Read(b []byte) (int, error) {
	for x.block == nil {
		if err := x.next(); err != nil {
			return 0, err
		}
	}
	n, err := x.block.Read(b)
	if x.sum != nil {
		x.sum.Write(b[:n])
	}
	if errors.Is(err, io.EOF) {
		return n, x.endBlock()
	}
	return n, err
}

// next goes on to the next block, over whatever lies before it.
func (x *xzReader) next() error {
	if !x.inside {
		return x.startStream()
	}
	x.begins = x.src.offset()
	size, err := x.src.ReadByte()
	switch {
	case err != nil:
		return unexpected(err)
	case size == 0:
		return x.endStream()
	}
	return x.startBlock(size)
}

// startStream reads a stream header, after padding in multiples of four zeros; io.EOF where there is none.
func (x *xzReader) startStream() error {
	start := x.src.offset()
	for {
		b, err := x.src.Peek(4)
		switch {
		case len(b) == 0 && start > 0:
			return err
		case start > 0 && string(b) == "\x00\x00\x00\x00":
			if _, err := x.src.Discard(4); err != nil {
				return err
			}
			continue
		}
		break
	}
	h, err := x.bytes(xzStreamHeader)
	switch {
	case start > 0 && !bytes.HasPrefix([]byte(xzMagic), h[:min(len(h), len(xzMagic))]):
		return &Damage{Offset: start, Reason: "something else follows the xz data"}
	case err != nil:
		return err
	case string(h[:6]) != xzMagic || h[6] != 0 || h[7]&0xf0 != 0 || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]):
		return errors.New("damaged stream header")
	}
	x.check, x.inside = h[7], true
	return nil
}

// bytes takes the next n bytes, or what there is of them and an error.
func (x *xzReader) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := io.ReadFull(x.src, b)
	return b[:got], unexpected(err)
}

// startBlock reads the rest of a block header, whose first byte says its size.
func (x *xzReader) startBlock(size byte) error {
	rest, err := x.bytes(int(size)*4 + 3)
	if err != nil {
		return err
	}
	h := append([]byte{size}, rest...)
	body, stated := h[1:len(h)-4], binary.LittleEndian.Uint32(h[len(h)-4:])
	if crc32.ChecksumIEEE(h[:len(h)-4]) != stated {
		return errors.New("damaged block header")
	}
	dictionary, err := xzDictionary(body)
	if err != nil {
		return err
	}
	switch window := int64(x.window); {
	case window < 0:
		dictionary = min(dictionary, -window)
	case dictionary > window:
		return fmt.Errorf("a dictionary of %d bytes: more than %d", dictionary, window)
	}
	config := lzma.Reader2Config{DictCap: int(max(dictionary, lzma.MinDictCap))}
	if x.block, err = config.NewReader2(x.src); err != nil {
		return unexpected(err)
	}
	x.sum = xzCheck(x.check)
	return nil
}

// xzDictionary reads the flags and filters of a block header and returns the size of the dictionary in bytes. One filter is
// read, LZMA2: the others prepare machine code.
func xzDictionary(b []byte) (int64, error) {
	const filters, compressedSize, size, reserved = 0x03, 0x40, 0x80, 0x3c
	flags := b[0]
	if flags&reserved != 0 || flags&filters != 0 {
		return 0, errors.New("filters other than LZMA2")
	}
	b = b[1:]
	for _, field := range []byte{compressedSize, size} {
		if flags&field == 0 {
			continue
		}
		_, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, errors.New("damaged block header")
		}
		b = b[n:]
	}
	if len(b) < 3 || b[0] != xzLZMA2 || b[1] != 1 {
		return 0, errors.New("filters other than LZMA2")
	}
	const largest = 40 // 4 GiB less one
	switch bits := int64(b[2]); {
	case bits < largest:
		return (2 | bits&1) << (bits/2 + 11), nil
	case bits == largest:
		return 1<<32 - 1, nil
	}
	return 0, errors.New("damaged block header")
}

// xzCheck returns what computes a block's check; nil for none, and for kinds that are not known.
func xzCheck(kind byte) hash.Hash {
	switch kind {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		return sha256.New()
	}
	return nil
}

// endBlock reads a block's padding and check.
func (x *xzReader) endBlock() error {
	x.block = nil
	padding, err := x.bytes(int(-(x.src.offset() - x.begins) & 3))
	if err != nil {
		return err
	}
	sizes := [16]int{0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64}
	stated, err := x.bytes(sizes[x.check])
	if err != nil {
		return err
	}
	if len(bytes.Trim(padding, "\x00")) > 0 {
		return errors.New("damaged block")
	}
	if x.sum == nil {
		return nil
	}
	sum := x.sum.Sum(nil)
	if x.check != 10 { // big-endian in Go, little-endian in the format
		for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
			sum[i], sum[j] = sum[j], sum[i]
		}
	}
	if !bytes.Equal(sum, stated) {
		return errors.New("checksum does not match")
	}
	return nil
}

// endStream reads an index, whose first byte has been taken, and the footer. What the index says of the blocks is passed
// over: they have been read.
func (x *xzReader) endStream() error {
	numbers := uint64(1) // the first says how many pairs follow
	for i := uint64(0); i < numbers; i++ {
		v, err := binary.ReadUvarint(x.src)
		if err != nil {
			return unexpected(err)
		}
		if i == 0 {
			if v > 1<<62 {
				return errors.New("damaged index")
			}
			numbers += 2 * v
		}
	}
	padding := int(-(x.src.offset() - x.begins) & 3)
	if _, err := x.bytes(padding + 4); err != nil {
		return err
	}
	footer, err := x.bytes(xzStreamFooter)
	if err != nil {
		return err
	}
	if string(footer[10:]) != xzFooterMagic || crc32.ChecksumIEEE(footer[4:10]) != binary.LittleEndian.Uint32(footer) {
		return errors.New("damaged stream footer")
	}
	x.inside = false
	return nil
}
