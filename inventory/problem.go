package inventory

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"flowvet/catalog"
)

// maxProblems caps what is kept and told of one file: whoever has more mends these first.
const maxProblems = 50

// Problem is one thing that is wrong with an inventory.
type Problem struct {
	File string
	Line int    // 1-based; 0 = the file as a whole
	What string // one line; text of the file is quoted and cut
}

// Error returns "lab.yaml:12: machine esx01: …".
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.What
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.What)
}

// Problems is everything that is wrong with an inventory, in line order: the error that [Load] and [Parse] return for
// a file that could be read.
type Problems []Problem

// Error returns one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong with one file.
type problems struct {
	file string
	list Problems
	more int
}

// addf notes a problem; line 0 is the file as a whole.
func (p *problems) addf(line int, format string, args ...any) {
	if len(p.list) == maxProblems {
		p.more++
		return
	}
	p.list = append(p.list, Problem{File: p.file, Line: line, What: fmt.Sprintf(format, args...)})
}

// seen returns how many problems there are, kept or not.
func (p *problems) seen() int { return len(p.list) + p.more }

// full reports whether further problems are only counted. What explains them is then not worth its time: a file of
// 4 MiB can hold a million unknown names.
func (p *problems) full() bool { return len(p.list) == maxProblems }

// maxHint caps the names that are searched for the nearest one.
const maxHint = 5000

// hint returns ": did you mean …?" with the nearest of the names, or nothing.
func (p *problems) hint(name string, among iter.Seq[string]) string {
	if p.full() {
		return ""
	}
	var names []string
	for n := range among {
		if names = append(names, n); len(names) > maxHint {
			return ""
		}
	}
	slices.Sort(names)
	if near := catalog.Nearest(name, names); near != "" {
		return fmt.Sprintf(": did you mean %q?", near)
	}
	return ""
}

// err returns the problems as an error, or nil.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	if p.more > 0 {
		p.list = append(p.list, Problem{File: p.file, What: fmt.Sprintf("%d more problems are not shown", p.more)})
	}
	return p.list
}

// quote returns hostile text as one short printable word in quotes.
func quote(s string) string {
	const most = 60
	if r := []rune(s[:min(len(s), 4*most)]); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.Quote(s)
}
