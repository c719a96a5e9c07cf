package capture

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// gzipReader reads gzip (RFC 1952), member by member, so that it knows where the last one ends.
type gzipReader struct {
	src     *source
	content *inflater
	sum     uint32 // of the member, so far
	size    uint32
	rest    []byte // expanded, and not yet read
}

var errChecksum = errors.New("the checksum does not match")

func newGzipReader(src *source) (*gzipReader, error) {
	g := &gzipReader{src: src, content: newInflater(src)}
	return g, g.head()
}

// Read implements io.Reader. It returns nothing and no error between two members: so a million empty ones can be stopped.
func (g *gzipReader) Read(b []byte) (int, error) {
	if len(g.rest) == 0 {
		expanded, err := g.content.next()
		switch {
		case errors.Is(err, io.EOF):
			return 0, g.next()
		case err != nil:
			return 0, err
		}
		g.rest = expanded
		g.sum, g.size = crc32.Update(g.sum, crc32.IEEETable, expanded), g.size+uint32(len(expanded))
	}
	n := copy(b, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

// next ends a member and begins the next. Zeros at the end are padding, as gzip itself takes them; anything else is damage.
func (g *gzipReader) next() error {
	var trailer [8]byte
	if _, err := io.ReadFull(g.src, trailer[:]); err != nil {
		return unexpected(err)
	}
	if binary.LittleEndian.Uint32(trailer[:]) != g.sum || binary.LittleEndian.Uint32(trailer[4:]) != g.size {
		return errChecksum
	}
	end := g.src.offset()
	if err := g.skipZeros(); err != nil {
		return err
	}
	if magic, _ := g.src.Peek(2); g.src.offset() != end || string(magic) != gzipMagic {
		return &Damage{Offset: end, Reason: "something else follows the gzip data"}
	}
	g.content.reset()
	g.sum, g.size = 0, 0
	return unexpected(g.head())
}

// skipZeros goes on to the next byte that is none; io.EOF: there is none.
func (g *gzipReader) skipZeros() error {
	for {
		switch b, err := g.src.ReadByte(); {
		case err != nil:
			return err
		case b != 0:
			return g.src.UnreadByte()
		}
	}
}

const gzipMagic = "\x1f\x8b"

// head reads what stands before the content of a member.
func (g *gzipReader) head() error {
	const size, methodDeflate = 10, 8
	const headerSum, extra, name, comment = 1 << 1, 1 << 2, 1 << 3, 1 << 4
	var h [size]byte
	if _, err := io.ReadFull(g.src, h[:]); err != nil {
		return err
	}
	if string(h[:2]) != gzipMagic || h[2] != methodDeflate {
		return errors.New("invalid header")
	}
	sum := crc32.ChecksumIEEE(h[:])
	flags := h[3]
	var err error
	if flags&extra != 0 {
		sum, err = g.skipExtra(sum)
	}
	for _, text := range [...]byte{name, comment} {
		if flags&text != 0 && err == nil {
			sum, err = g.skipText(sum)
		}
	}
	if flags&headerSum != 0 && err == nil {
		err = g.checkHeader(uint16(sum))
	}
	return unexpected(err)
}

// skipExtra skips the extra field, and returns the sum with it.
func (g *gzipReader) skipExtra(sum uint32) (uint32, error) {
	var b [2]byte
	if _, err := io.ReadFull(g.src, b[:]); err != nil {
		return 0, err
	}
	sum = crc32.Update(sum, crc32.IEEETable, b[:])
	field := make([]byte, binary.LittleEndian.Uint16(b[:]))
	_, err := io.ReadFull(g.src, field)
	return crc32.Update(sum, crc32.IEEETable, field), err
}

// skipText skips a text that ends with a zero, and returns the sum with it.
func (g *gzipReader) skipText(sum uint32) (uint32, error) {
	for {
		b, err := g.src.ReadByte()
		if err != nil {
			return 0, err
		}
		if sum = crc32.Update(sum, crc32.IEEETable, []byte{b}); b == 0 {
			return sum, nil
		}
	}
}

// checkHeader compares the sum of the header with what stands behind it.
func (g *gzipReader) checkHeader(sum uint16) error {
	var b [2]byte
	if _, err := io.ReadFull(g.src, b[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint16(b[:]) != sum {
		return errors.New("invalid header")
	}
	return nil
}

// unexpected is err where the input must not end.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
