package inventory

import (
	"bytes"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// offset returns where a node begins in the text. The library counts characters.
func (d *document) offset(n *yaml.Node) int {
	at := d.lines[min(n.Line, len(d.lines))-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(d.text[at:])
		at += size
	}
	return min(at, len(d.text))
}

// end returns where a scalar of one line ends.
func (d *document) end(n *yaml.Node) int {
	at := d.offset(n)
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 && at < len(d.text) {
		return quoted(d.text, at)
	}
	return min(at+len(n.Value), len(d.text))
}

// quoted returns where text in quotes ends that begins at an offset.
func quoted(text []byte, at int) int {
	mark := text[at]
	for i := at + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && mark == '"':
			i++
		case text[i] == mark:
			return i + 1
		}
	}
	return len(text)
}

// lastLine returns the 1-based line on which a node ends.
func (d *document) lastLine(n *yaml.Node) int {
	switch {
	case n.Style&yaml.FlowStyle != 0:
		_, end := d.bracket(n)
		return d.lineOf(end)
	case n.Kind == yaml.ScalarNode:
		return d.lineOf(d.end(n))
	case len(n.Content) > 0:
		return d.lastLine(n.Content[len(n.Content)-1])
	}
	return n.Line
}

// lineOf returns the 1-based line that holds an offset.
func (d *document) lineOf(offset int) int {
	low, high := 0, len(d.lines)
	for high-low > 1 {
		if middle := (low + high) / 2; d.lines[middle] <= offset {
			low = middle
		} else {
			high = middle
		}
	}
	return low + 1
}

// bracket returns where what stands in a node's brackets ends, white space and comments aside, and where the closing
// bracket does.
func (d *document) bracket(n *yaml.Node) (last, end int) {
	depth := 0
	for i := d.offset(n); i < len(d.text); i++ {
		switch c := d.text[i]; {
		case c == ' ', c == '\t', c == '\r', c == '\n':
			continue
		case c == '#' && i > 0 && bytes.IndexByte([]byte(" \t\r\n"), d.text[i-1]) >= 0:
			for i+1 < len(d.text) && d.text[i+1] != '\n' {
				i++
			}
			continue
		case c == '[', c == '{':
			depth++
		case c == ']', c == '}':
			if depth--; depth == 0 {
				return last, i
			}
		case (c == '"' || c == '\'') && opens(d.text, last):
			i = quoted(d.text, i) - 1
		}
		last = i + 1
	}
	return len(d.text), len(d.text)
}

// opens reports whether a quotation mark behind an offset begins quoted text: it does where a value may begin.
func opens(text []byte, last int) bool {
	return last > 0 && bytes.IndexByte([]byte("[{,:"), text[last-1]) >= 0
}
