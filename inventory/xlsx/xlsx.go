// Package xlsx reads the sheets of a workbook (Office Open XML, ECMA-376 part 1) as rows of text. It reads what cells
// show as text or number, and nothing else: no formulas, formats or dates.
//
// # Hostile files
//
// A workbook is an archive of XML. What is expanded is counted and bounded, in all and against what was compressed; strings,
// columns and rows have caps of their own. The XML reader knows no entities but the five of XML, so that nothing grows by
// them. What goes beyond a bound is an error.
package xlsx

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// Limits of a workbook that is read.
const (
	MaxParts    = 10_000    // files in the archive
	MaxExpanded = 256 << 20 // bytes of XML, of all parts that are read
	MaxRatio    = 250       // bytes of XML for each compressed one: sheets of real workbooks have 10 to 30
	MaxRows     = 1 << 20   // of a sheet, by the format
	MaxColumns  = 1 << 14   // likewise
	MaxCells    = 1 << 24   // of all rows that are read, those left empty before another included
	MaxCell     = 1 << 15   // bytes of the text of a cell, by the format (in characters); the rest is cut off
	MaxShared   = 64 << 20  // bytes of the strings that cells share
	maxSheets   = 1024
	maxToken    = 1 << 20 // bytes of one tag or text, which the XML reader holds whole
	minRatioed  = 1 << 20 // bytes of XML below which the ratio is of no interest
)

// Workbook is an open workbook.
type Workbook struct {
	parts    map[string]*zip.File
	sheets   []sheet
	shared   []string
	expanded int64 // bytes of XML read
	cells    int   // read
}

// sheet is a sheet of a workbook.
type sheet struct{ name, part string }

// Open reads what a workbook says of its sheets, and the strings that they share.
func Open(data []byte) (*Workbook, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, errors.New("is no workbook: its archive is damaged")
	}
	if len(archive.File) > MaxParts {
		return nil, fmt.Errorf("holds more than %d parts: no workbook does", MaxParts)
	}
	w := &Workbook{parts: make(map[string]*zip.File, len(archive.File))}
	for _, f := range archive.File {
		w.parts[strings.ToLower(strings.TrimPrefix(f.Name, "/"))] = f
	}
	main, err := w.mainPart()
	if err != nil {
		return nil, err
	}
	related, shared, err := w.related(main)
	if err != nil {
		return nil, err
	}
	if err := w.readSheets(main, related); err != nil {
		return nil, err
	}
	return w, w.readShared(shared)
}

// Sheets returns the names of the sheets, in order.
func (w *Workbook) Sheets() []string {
	names := make([]string, len(w.sheets))
	for i, s := range w.sheets {
		names[i] = s.name
	}
	return names
}

// Rows calls f for each row of a sheet that has cells, with its number from 1 and the text of its cells from column A.
// The cells are valid until f returns. An error of f ends the reading and is returned.
func (w *Workbook) Rows(name string, f func(number int, cells []string) error) error {
	for _, s := range w.sheets {
		if s.name == name {
			r := rowReader{workbook: w, f: f}
			return w.read(s.part, r.element)
		}
	}
	return fmt.Errorf("has no sheet %q", name)
}

// read hands each token of a part's XML to f. A part that is not there is an error.
func (w *Workbook) read(part string, f func(xml.Token) error) error {
	file := w.parts[strings.ToLower(part)]
	if file == nil {
		return fmt.Errorf("is no workbook: its part %q is missing", part)
	}
	body, err := file.Open()
	if err != nil {
		return fmt.Errorf("part %q cannot be expanded", part)
	}
	defer body.Close()
	source := &bounded{in: body, workbook: w, packed: int64(file.CompressedSize64)}
	in := xml.NewDecoder(source)
	for depth := 0; ; {
		source.token = 0
		token, err := in.RawToken()
		var over *limitError
		switch {
		case errors.Is(err, io.EOF) && depth == 0:
			return nil
		case errors.As(err, &over):
			return over
		case err != nil:
			return fmt.Errorf("part %q is damaged: %s", part, oneLine(err))
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		if err := f(token); err != nil {
			return err
		}
	}
}

// oneLine returns the message of an error on one line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// limitError says that a workbook goes beyond a limit.
type limitError struct{ what string }

// Error returns what is too much.
func (e *limitError) Error() string { return e.what }

func limitf(format string, args ...any) error { return &limitError{fmt.Sprintf(format, args...)} }

// bounded counts what is expanded from a part.
type bounded struct {
	in           io.Reader
	workbook     *Workbook
	packed, read int64
	token        int // bytes read since the last token
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.in.Read(p)
	b.read += int64(n)
	b.workbook.expanded += int64(n)
	b.token += n
	switch {
	case b.token > maxToken:
		return 0, limitf("holds a piece of XML of more than %d MiB", maxToken>>20)
	case b.workbook.expanded > MaxExpanded:
		return 0, limitf("expands to more than %d MiB: no list of machines does", MaxExpanded>>20)
	case b.read > minRatioed && b.read/MaxRatio > b.packed:
		return 0, limitf("expands to more than %d times its size: no workbook does", MaxRatio)
	}
	return n, err
}

// mainPart finds the part that lists the sheets.
func (w *Workbook) mainPart() (string, error) {
	main := "xl/workbook.xml"
	const relations = "_rels/.rels"
	if w.parts[relations] == nil {
		return main, nil
	}
	err := w.read(relations, func(token xml.Token) error {
		if start, ok := token.(xml.StartElement); ok && strings.HasSuffix(attribute(start, "Type"), "/officeDocument") {
			main = strings.TrimPrefix(path.Clean(attribute(start, "Target")), "/")
		}
		return nil
	})
	return main, err
}

// related returns the parts that the workbook's main part refers to, by their id, and the one that holds shared strings.
func (w *Workbook) related(main string) (byID map[string]string, shared string, err error) {
	byID = map[string]string{}
	folder, base := path.Split(main)
	relations := folder + "_rels/" + base + ".rels"
	err = w.read(relations, func(token xml.Token) error {
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "Relationship" {
			return nil
		}
		target := attribute(start, "Target")
		if !strings.HasPrefix(target, "/") {
			target = folder + target
		}
		target = strings.TrimPrefix(path.Clean(target), "/")
		byID[attribute(start, "Id")] = target
		if strings.HasSuffix(attribute(start, "Type"), "/sharedStrings") {
			shared = target
		}
		if len(byID) > MaxParts {
			return limitf("refers to more than %d parts", MaxParts)
		}
		return nil
	})
	return byID, shared, err
}

// readSheets reads the names of the sheets.
func (w *Workbook) readSheets(main string, related map[string]string) error {
	return w.read(main, func(token xml.Token) error {
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "sheet" {
			return nil
		}
		if len(w.sheets) == maxSheets {
			return limitf("has more than %d sheets", maxSheets)
		}
		part := related[attribute(start, "id")]
		if part != "" {
			w.sheets = append(w.sheets, sheet{attribute(start, "name"), part})
		}
		return nil
	})
}

// attribute returns an attribute by its name without a name space.
func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
