package main

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// plainWidth is the width of a report that is not written to a terminal: it fits a mail, a ticket and a printed page.
const plainWidth = 100

// terminal is what is known of one output stream. Colour and width are decided for each stream of its own.
type terminal struct {
	is    bool
	width int
}

// terminalOf looks at a stream. COLUMNS counts where the stream is no terminal, so that a script can choose.
func terminalOf(w io.Writer) terminal {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return terminal{is: true, width: width}
		}
		return terminal{is: true, width: plainWidth}
	}
	if width, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && width > 0 {
		return terminal{width: width}
	}
	return terminal{width: plainWidth}
}

// colour decides whether the stream is coloured: --color first, then NO_COLOR (no-color.org) and TERM, then what it is.
func (t terminal) colour(mode string) bool {
	switch mode {
	case "always":
		return true
	case "never":
		return false
	}
	return t.is && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
