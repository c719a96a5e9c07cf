package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one thing wrong with a user's catalogue. It is the error of [Load].
type Problem struct {
	File    string
	Line    int    // 1-based; 0 when it is the file as a whole
	Column  string // the column's name; empty when it is the line as a whole
	Value   string // what the cell holds; empty when that does not matter
	Text    string // what is wrong
	Hint    string // what would be right; may be empty
	Warning bool   // the catalogue is usable all the same
	Known   bool   // of a catalogue that comes with flowvet, which is as it is on purpose: the vendor's, or its sources'
}

// Error returns the problem as one line: file:line: column "ports": "0": a port is 1-65535.
func (p Problem) Error() string {
	parts := []string{p.place()}
	if p.Column != "" {
		parts = append(parts, fmt.Sprintf("column %q", p.Column))
	}
	if p.Value != "" {
		parts = append(parts, quote(p.Value))
	}
	parts = append(parts, p.Text)
	if p.Hint != "" {
		parts = append(parts, p.Hint)
	}
	return strings.Join(parts, ": ")
}

func (p Problem) place() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// maxQuoted bounds how much of a cell an error repeats, in runes: a cell can be 4 MiB long.
const maxQuoted = 60

// quote returns s as a Go string literal, shortened, so that no control character of a file reaches a terminal.
func quote(s string) string {
	if utf8.RuneCountInString(s) > maxQuoted {
		s = string([]rune(s)[:maxQuoted]) + "…"
	}
	return fmt.Sprintf("%q", s)
}

// maxProblems is how many errors of one load are kept, and how many warnings: the first found. A file of 4 MiB can hold
// half a million.
const maxProblems = 1000

// problems collects what is wrong.
type problems struct {
	files    []string // in the order given, for sorting
	errors   []Problem
	warnings []Problem
}

func (ps *problems) add(p Problem) {
	list := &ps.errors
	if p.Warning {
		list = &ps.warnings
	}
	if len(*list) < maxProblems {
		*list = append(*list, p)
	}
}

// full reports whether further errors would be dropped.
func (ps *problems) full() bool { return len(ps.errors) >= maxProblems }

// sorted returns the problems by file, in the order given, and line; errors before warnings of the same line.
func (ps *problems) sorted() []Problem {
	list := slices.Concat(ps.errors, ps.warnings)
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(ps.files, a.File), slices.Index(ps.files, b.File)),
			cmp.Compare(a.Line, b.Line),
		)
	})
	return list
}

// first returns the first problem that is no warning, or nil.
func (ps *problems) first() error {
	for _, p := range ps.sorted() {
		if !p.Warning {
			return p
		}
	}
	return nil
}
