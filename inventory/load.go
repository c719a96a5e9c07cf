package inventory

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"flowvet/catalog"
)

// MaxFileSize is the size above which an inventory file is refused.
const MaxFileSize = 4 << 20

// Load reads an inventory file, YAML or CSV by its name (.csv, else YAML). Every error names file:line and, where there
// is one, the nearest valid name; a file that can be read but not used gives [Problems].
func Load(path string, c *catalog.Catalog) (*Inventory, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("inventory: %w", err)
	}
	return Parse(path, data, c)
}

// Parse reads an inventory from data; name appears in errors and decides between YAML and CSV. The error is [Problems].
func Parse(name string, data []byte, c *catalog.Catalog) (*Inventory, error) {
	p := &problems{file: name}
	text, ok := p.text(data)
	if !ok {
		return nil, p.err()
	}
	var d draft
	if strings.EqualFold(filepath.Ext(name), ".csv") {
		d = readCSV(p, text)
	} else {
		d = readYAML(p, text)
	}
	v := check(p, d, c)
	if err := p.err(); err != nil {
		return nil, err
	}
	v.SHA256 = fmt.Sprintf("%x", sha256.Sum256(data))
	return v, nil
}

// text returns the data of an inventory as UTF-8 without byte order mark, or notes why it is none.
func (p *problems) text(data []byte) ([]byte, bool) {
	text, ok := p.plainText(data, MaxFileSize, "inventory")
	if ok && len(bytes.TrimSpace(text)) == 0 {
		p.addf(0, "is empty: an inventory names machines, their products and addresses")
		return nil, false
	}
	return text, ok
}

// plainText returns the data as UTF-8 without byte order mark, or notes why it is none, or larger than what it should be.
func (p *problems) plainText(data []byte, most int, what string) ([]byte, bool) {
	switch {
	case len(data) > most:
		p.addf(0, "is larger than %d MiB: no %s is", most>>20, what)
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		p.addf(1, "is UTF-16: save it as UTF-8")
	case !utf8.Valid(data):
		p.addf(invalidLine(data), "is not UTF-8: save it as UTF-8")
	case bytes.IndexByte(data, 0) >= 0:
		p.addf(lineAt(data, bytes.IndexByte(data, 0)), "holds a NUL byte: this is no text file")
	default:
		return bytes.TrimPrefix(data, []byte("\ufeff")), true
	}
	return nil, false
}

// invalidLine returns the line of the first byte that is not UTF-8.
func invalidLine(data []byte) int {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at += size
	}
	return lineAt(data, at)
}

// lineAt returns the 1-based line that holds an offset.
func lineAt(data []byte, offset int) int { return 1 + bytes.Count(data[:offset], []byte{'\n'}) }
