package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"flowvet/safejson"
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
		case safejson.Hidden(r):
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
		if s[i] >= utf8.RuneSelf || safejson.Hidden(rune(s[i])) {
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
