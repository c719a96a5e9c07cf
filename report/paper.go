package report

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/fatih/color"
)

// minWidth is the narrowest layout: below it the columns of labels would leave no room for words.
const minWidth = 30

// style is how a piece of text is meant, not how it looks.
type style uint8

const (
	plain   style = iota
	heading       // of a section
	bad           // errors
	doubt         // warnings
	good          // passes
	strong        // what the eye should find
	quiet         // labels and figures
	struck        // a column that does not match
	styles
)

// span is a piece of text in one style. It needs no escaping: paper does that.
type span struct {
	text  string
	style style
}

func text(s string) span { return span{s, plain} }

// paper lays out lines of a fixed width. Write errors are kept by the bufio.Writer and come out of Flush.
type paper struct {
	*bufio.Writer
	width int
	inks  [styles]*color.Color
}

func newPaper(w io.Writer, width int, colored bool) *paper {
	if width == 0 {
		width = DefaultWidth
	}
	p := &paper{Writer: bufio.NewWriter(w), width: max(width, minWidth)}
	p.inks = [styles]*color.Color{
		heading: color.New(color.Bold),
		bad:     color.New(color.FgRed, color.Bold),
		doubt:   color.New(color.FgYellow),
		good:    color.New(color.FgGreen),
		strong:  color.New(color.Bold),
		quiet:   color.New(color.Faint),
		struck:  color.New(color.FgRed, color.CrossedOut),
	}
	for _, ink := range p.inks {
		switch {
		case ink == nil:
		case colored:
			ink.EnableColor()
		default:
			ink.DisableColor()
		}
	}
	return p
}

// blank prints an empty line.
func (p *paper) blank() { p.WriteByte('\n') }

// para prints text, wrapped, every line after indent spaces.
func (p *paper) para(indent int, body ...span) { p.item(indent, 0, span{}, body...) }

// item prints a label in a column of its own and the body beside it, wrapped with a hanging indent. A label too long for
// its column stands on a line of its own.
func (p *paper) item(indent, column int, label span, body ...span) {
	hang := indent + column
	width := 0
	if label.text != "" {
		label.text = visible(label.text, 0)
		width = utf8.RuneCountInString(label.text)
		if width >= column {
			p.para(indent, label)
			width = 0
			label.text = ""
		} else {
			p.spaces(indent)
			p.paint([]span{label})
		}
	}
	if label.text == "" {
		p.spaces(hang)
	} else {
		p.spaces(column - width)
	}
	p.wrap(hang, body)
}

// verbatim prints a line that must not be wrapped, because it is there to be copied.
func (p *paper) verbatim(indent int, line string) {
	p.spaces(indent)
	p.WriteString(visible(line, 0))
	p.blank()
}

// wrap prints words with the cursor at column hang, and breaks between them at the width.
func (p *paper) wrap(hang int, body []span) {
	var line []span
	at := hang
	for _, w := range words(body) {
		switch {
		case at == hang:
		case at+w.gap+w.width > p.width:
			p.line(line)
			p.spaces(hang)
			line, at = line[:0], hang
		default:
			line = append(line, gapBetween(line[len(line)-1].style, w))
			at += w.gap
		}
		line = append(line, w.spans...)
		at += w.width
	}
	p.line(line)
}

// gapBetween returns the spaces before a word, in the style around them: a struck-out column ends where its words end.
func gapBetween(before style, w word) span {
	gap := text(strings.Repeat(" ", w.gap))
	if w.spans[0].style == before {
		gap.style = before
	}
	return gap
}

// line prints spans and ends the line. Neighbours of one style are painted in one go.
func (p *paper) line(spans []span) {
	for i := 0; i < len(spans); {
		first := i
		for i++; i < len(spans) && spans[i].style == spans[first].style; i++ {
		}
		p.paint(spans[first:i])
	}
	p.blank()
}

// word is what a line may not break: spans between two spaces.
type word struct {
	spans []span
	width int // in columns; one rune is taken for one column
	gap   int // spaces before it, unless it begins a line: one, or two where the text has more than one
}

// words returns the words of body. All lie in two slices, which are made once.
func words(body []span) []word {
	most := len(body)
	for _, s := range body {
		most += strings.Count(s.text, " ")
	}
	all, spans := make([]word, 0, most), make([]span, 0, most)
	var open word
	flush := func() {
		if open.width > 0 {
			open.spans, spans = spans, spans[len(spans):]
			all = append(all, open)
			open = word{}
		}
		open.gap = min(open.gap+1, 2)
	}
	for _, s := range body {
		first := true
		for piece := range strings.SplitSeq(visible(s.text, 0), " ") {
			if !first {
				flush()
			}
			first = false
			if piece != "" {
				spans = append(spans, span{piece, s.style})
				open.width += utf8.RuneCountInString(piece)
			}
		}
	}
	flush()
	return all
}

// paint prints spans of one style.
func (p *paper) paint(run []span) {
	ink := p.inks[run[0].style]
	if ink == nil {
		for _, s := range run {
			p.WriteString(s.text)
		}
		return
	}
	var text strings.Builder
	for _, s := range run {
		text.WriteString(s.text)
	}
	p.WriteString(ink.Sprint(text.String()))
}

func (p *paper) spaces(n int) {
	for range n {
		p.WriteByte(' ')
	}
}
