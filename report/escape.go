package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Longest strings shown, in runes of output. A capture can hold names of a megabyte; a spreadsheet holds 32767 per cell.
const (
	maxShown = 200
	maxCell  = 32000
)

// Terminal makes a captured or user-given string safe to print: control characters, escape sequences, line and paragraph
// separators, bidirectional and other invisible characters and invalid UTF-8 become visible (\x1b, \u202e, \xff).
// What is longer than 200 characters ends in "…". A backslash stays as it is: paths are meant to be read.
func Terminal(s string) string { return visible(s, maxShown) }

// CSVCell makes a string safe for a cell: as [Terminal], but longer, and with an apostrophe before what a spreadsheet
// would take for a formula (= + - @, their full-width forms, tab, carriage return), also behind blanks, which some cut off.
func CSVCell(s string) string {
	cell := visible(s, maxCell)
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	if strings.ContainsRune("=+-@\t\r＝＋－＠", first) {
		return "'" + cell
	}
	return cell
}

// hidden reports whether a rune does something to a display other than showing itself.
func hidden(r rune) bool {
	if r < utf8.RuneSelf {
		return r < ' ' || r == 0x7f
	}
	return !unicode.IsPrint(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// visible escapes hidden runes and cuts the output to limit runes; 0 = no limit.
func visible(s string, limit int) string {
	if clean(s) && (limit == 0 || len(s) <= limit) {
		return s
	}
	var b strings.Builder
	shown := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		piece := s[i : i+size]
		switch {
		case r == utf8.RuneError && size == 1:
			piece = fmt.Sprintf(`\x%02x`, s[i])
		case hidden(r):
			piece = escaped(r)
		}
		n := utf8.RuneCountInString(piece)
		last := i+size == len(s)
		if limit > 0 && (shown+n > limit || shown+n == limit && !last) {
			b.WriteString("…")
			break
		}
		b.WriteString(piece)
		shown += n
		i += size
	}
	return b.String()
}

func clean(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf || hidden(rune(s[i])) {
			return false
		}
	}
	return true
}

func escaped(r rune) string {
	switch {
	case r == '\t':
		return `\t`
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r <= 0xff:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// printable returns how many printable ASCII characters a text begins with: most of any report, and copied at once.
func printable(text []byte) int {
	n := 0
	for n < len(text) && text[n] >= ' ' && text[n] < 0x7f {
		n++
	}
	return n
}

// AppendJSON appends encoded JSON with every hidden rune as \uXXXX. Such a rune can only stand inside a string, so the value
// stays the same; a line feed only between values, where it stays. encoding/json leaves DEL, the C1 controls and
// bidirectional characters as they are.
func AppendJSON(dst, encoded []byte) []byte {
	for len(encoded) > 0 {
		n := printable(encoded)
		dst = append(dst, encoded[:n]...)
		if encoded = encoded[n:]; len(encoded) == 0 {
			break
		}
		r, size := utf8.DecodeRune(encoded)
		switch {
		case r == '\n' || !hidden(r):
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
