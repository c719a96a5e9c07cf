// Package safejson encodes JSON that may hold captured text and is looked at on terminals: strict UTF-8 (what is invalid becomes
// U+FFFD) in which control, bidirectional and invisible characters are \u escapes. A program reads the same values.
package safejson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Hidden reports whether a rune does something to a display other than showing itself.
func Hidden(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// Encoder encodes values one after the other in the same memory. The zero value is ready.
type Encoder struct {
	encoded bytes.Buffer
	safe    []byte
}

// Encode returns a value as one line without its end, < > and & as they are; it is good until the next call. The error is that
// of [json.Marshal].
func (e *Encoder) Encode(v any) ([]byte, error) {
	e.encoded.Reset()
	to := json.NewEncoder(&e.encoded)
	to.SetEscapeHTML(false)
	if err := to.Encode(v); err != nil {
		return nil, err
	}
	e.safe = Append(e.safe[:0], bytes.TrimSuffix(e.encoded.Bytes(), []byte("\n")))
	return e.safe, nil
}

// WriteIndented writes a value over several lines, the last one ended. The error is that of [json.Marshal] or of the writer.
func WriteIndented(w io.Writer, v any) error {
	var encoded bytes.Buffer
	to := json.NewEncoder(&encoded)
	to.SetEscapeHTML(false)
	to.SetIndent("", "  ")
	if err := to.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(Append(nil, encoded.Bytes()))
	return err
}

// Append appends encoded JSON with every hidden rune as a \u escape. Such a rune can only stand inside a string, so the value stays
// the same; a line feed only between values, where it stays. encoding/json leaves DEL, the C1 controls and bidirectional
// characters as they are.
func Append(dst, encoded []byte) []byte {
	for len(encoded) > 0 {
		n := plain(encoded)
		dst = append(dst, encoded[:n]...)
		if encoded = encoded[n:]; len(encoded) == 0 {
			break
		}
		r, size := utf8.DecodeRune(encoded)
		switch {
		case r == '\n' || !Hidden(r):
			dst = append(dst, encoded[:size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		encoded = encoded[size:]
	}
	return dst
}

// plain returns how many printable ASCII characters a text begins with: most of any report, and copied at once.
func plain(text []byte) int {
	n := 0
	for n < len(text) && text[n] >= ' ' && text[n] < 0x7f {
		n++
	}
	return n
}
